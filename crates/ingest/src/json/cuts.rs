use std::cell::Cell;
use std::ops::Range;
use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::Finder;

/// Replaces a list that was cut out. The address of its string identifies the list.
const MARKER: &[u8] = br#"[""]"#;
/// One list per side, or one for both.
const MAX_CUTS: usize = 2;

/// The end of a list of arrays.
static ARRAYS_END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("]]"));
/// The end of a list of objects.
static OBJECTS_END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("}]"));

/// The key of a list of levels.
#[derive(Debug, Clone)]
pub(crate) struct CutKey {
    name: String,
    /// Finds the key with its quotes and colon.
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

/// Lists of levels that were cut out of a record before simd-json parses the rest.
///
/// A tape of levels costs more than the levels themselves. So what looks like such a list under one
/// of the format's keys is cut out, and read by [`Scan`](crate::levels::Scan) once the instrument's
/// scale is known. Nothing is assumed: if a list cannot be read to its last byte, or the format
/// does not read it exactly once, or the rest has an error, the whole record is parsed again
/// without cuts.
///
/// Invariant: reading with cuts gives the same result as reading without. Without a backslash in
/// the record, a quoted key is a key: otherwise its first quote would end a string, and no name can
/// follow a string in JSON.
#[derive(Debug)]
pub(crate) struct Cuts<'a> {
    list: [Cut<'a>; MAX_CUTS],
    len: usize,
    /// The address of the rest of the record while simd-json parses it.
    address: usize,
}

#[derive(Debug, Default)]
struct Cut<'a> {
    /// The range of the list in the record, including its brackets.
    begin: usize,
    end: usize,
    /// The text between the brackets.
    text: &'a [u8],
    /// The offset of the marker's string in the rest.
    marker: usize,
    is_taken: Cell<bool>,
}

impl<'a> Cuts<'a> {
    /// Finds the lists of a record under these keys; `None` if there are none.
    pub(crate) fn of(payload: &'a [u8], keys: &[CutKey]) -> Option<Self> {
        let mut cuts = Self {
            list: Default::default(),
            len: 0,
            address: 0,
        };
        for key in keys {
            // Venues write their two lists in either order.
            let after = cuts.list[..cuts.len].last().map_or(0, |cut| cut.end);
            let before = cuts.list.first().map_or(0, |cut| cut.begin);
            let found = Cut::find(payload, after..payload.len(), key)
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

    /// Writes the record with markers in place of the lists. Returns whether it is otherwise the
    /// same JSON.
    pub(crate) fn write_rest(&mut self, payload: &[u8], rest: &mut Vec<u8>) -> bool {
        rest.clear();
        let mut after = 0;
        for cut in &mut self.list[..self.len] {
            rest.extend_from_slice(payload.get(after..cut.begin).unwrap_or_default());
            // After the bracket and the first quote.
            cut.marker = rest.len() + 2;
            rest.extend_from_slice(MARKER);
            after = cut.end;
        }
        rest.extend_from_slice(payload.get(after..).unwrap_or_default());
        memchr(b'\\', rest).is_none()
    }

    /// Sets the address of the rest.
    pub(crate) fn set_address(&mut self, rest: &[u8]) {
        self.address = rest.as_ptr().addr();
    }

    /// The list with this marker.
    pub(crate) fn take(&self, marker: &str) -> Option<&'a [u8]> {
        let at = marker.as_ptr().addr().checked_sub(self.address)?;
        let cut = self.list[..self.len].iter().find(|cut| cut.marker == at)?;
        // A list is returned only once. The second time, its marker is read as data, which fails.
        (!cut.is_taken.replace(true)).then_some(cut.text)
    }

    /// Returns whether the format has read every list.
    pub(crate) fn all_taken(&self) -> bool {
        self.list[..self.len].iter().all(|cut| cut.is_taken.get())
    }
}

impl<'a> Cut<'a> {
    /// Finds what looks like a list of levels under the first such key in a range.
    fn find(payload: &'a [u8], within: Range<usize>, key: &CutKey) -> Option<Self> {
        let stretch = payload.get(within.clone())?;
        let after_key = key.finder.find(stretch)? + key.finder.needle().len();
        let space = usize::from(stretch.get(after_key) == Some(&b' '));
        let begin = after_key + space;
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
