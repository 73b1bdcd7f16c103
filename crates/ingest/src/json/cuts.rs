use std::cell::Cell;
use std::ops::Range;
use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::Finder;

/// What stands in the pos of a list that was cut out: a string whose address tells which it was.
const MARKER: &[u8] = br#"[""]"#;
/// A side each, or both in one list.
const MAX_CUTS: usize = 2;

/// How a list ends whose elements are arrays.
static ARRAYS_END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("]]"));
/// How a list ends whose elements are objects.
static OBJECTS_END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("}]"));

/// A key that a list of levels stands under.
#[derive(Debug, Clone)]
pub(crate) struct CutKey {
    name: String,
    /// Finds the key with its quotes and its colon.
    finder: Finder<'static>,
}

impl CutKey {
    pub(crate) fn new(name: &str) -> Self {
        let quoted = format!("\"{name}\":");
        Self {
            name: name.to_owned(),
            finder: Finder::new(&quoted).into_owned(),
        }
    }
}

impl PartialEq for CutKey {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for CutKey {}

/// Lists of levels, cut out of a record before simd-json reads the rest.
///
/// A tape of levels costs more than the levels: so what has the outlines of such a list under one
/// of its format's keys is put aside, and read by [`Scan`](crate::levels::Scan) once the scale of
/// its instrument is known. Nothing is believed: a list that does not read to its last byte, or
/// that the format did not ask for just once, is a reason to read the record again with nothing
/// cut out, and so is anything that is wrong with the rest.
///
/// Invariant: what is read with cuts is what is read without them. A key in quotes is a key where
/// no backslash stands in the record: the first of its quotes would else end a string, behind
/// which no name stands in any JSON.
#[derive(Debug)]
pub(crate) struct Cuts<'a> {
    list: [Cut<'a>; MAX_CUTS],
    len: usize,
    /// Where the rest of the record stands in memory when simd-json reads it.
    address: usize,
}

#[derive(Debug, Default)]
struct Cut<'a> {
    /// Where it was, from the bracket that begins it to behind the one that ends it.
    begin: usize,
    end: usize,
    /// What stood between the brackets.
    text: &'a [u8],
    /// Where the string of its marker is in the rest.
    marker: usize,
    is_taken: Cell<bool>,
}

impl<'a> Cuts<'a> {
    /// The lists of a record under such keys; none when there are none.
    pub(crate) fn of(payload: &'a [u8], keys: &[CutKey]) -> Option<Self> {
        let mut cuts = Self {
            list: Default::default(),
            len: 0,
            address: 0,
        };
        for key in keys {
            // Venues write their lists in one command or the other.
            let behind = cuts.list[..cuts.len].last().map_or(0, |cut| cut.end);
            let before = cuts.list.first().map_or(0, |cut| cut.begin);
            let found = Cut::find(payload, behind..payload.len(), key)
                .or_else(|| Cut::find(payload, 0..before, key));
            if let Some(cut) = found {
                cuts.list[cuts.len] = cut;
                cuts.len += 1;
                if cuts.len == MAX_CUTS {
                    break;
                }
            }
        }
        cuts.list[..cuts.len].sort_unstable_by_key(|cut| cut.begin);
        (cuts.len > 0).then_some(cuts)
    }

    /// Writes the record with markers in the places of its lists; whether that is the same JSON but
    /// for the lists.
    pub(crate) fn write_rest(&mut self, payload: &[u8], rest: &mut Vec<u8>) -> bool {
        rest.clear();
        let mut behind = 0;
        for cut in &mut self.list[..self.len] {
            rest.extend_from_slice(payload.get(behind..cut.begin).unwrap_or_default());
            // Behind the bracket and the first quote.
            cut.marker = rest.len() + 2;
            rest.extend_from_slice(MARKER);
            behind = cut.end;
        }
        rest.extend_from_slice(payload.get(behind..).unwrap_or_default());
        memchr(b'\\', rest).is_none()
    }

    /// Notes where the rest stands in memory.
    pub(crate) fn stand_at(&mut self, rest: &[u8]) {
        self.address = rest.as_ptr().addr();
    }

    /// The list whose marker has that string.
    pub(crate) fn take(&self, marker: &str) -> Option<&'a [u8]> {
        let at = marker.as_ptr().addr().checked_sub(self.address)?;
        let cut = self.list[..self.len].iter().find(|cut| cut.marker == at)?;
        // One that is asked for twice is given once: the other time its marker is read.
        (!cut.is_taken.replace(true)).then_some(cut.text)
    }

    /// Whether the format has asked for every list.
    pub(crate) fn are_taken(&self) -> bool {
        self.list[..self.len].iter().all(|cut| cut.is_taken.get())
    }
}

impl<'a> Cut<'a> {
    /// What looks like a list of levels behind the first such key of a stretch.
    fn find(payload: &'a [u8], within: Range<usize>, key: &CutKey) -> Option<Self> {
        let stretch = payload.get(within.clone())?;
        let behind_key = key.finder.find(stretch)? + key.finder.needle().len();
        let space = usize::from(stretch.get(behind_key) == Some(&b' '));
        let begin = behind_key + space;
        let list = stretch.get(begin..)?;
        let len = match list {
            [b'[', b'[', ..] => ARRAYS_END.find(list)? + 2,
            [b'[', b'{', ..] => OBJECTS_END.find(list)? + 2,
            [b'{', b'"', ..] => memchr(b'}', list)? + 1,
            _ => return None,
        };
        let begin = within.start + begin;
        Some(Self {
            begin,
            end: begin + len,
            text: list.get(1..len - 1)?,
            marker: 0,
            is_taken: Cell::new(false),
        })
    }
}
