//! A parsed record: simd-json's tape and the text that it was made from.
//!
//! The tape has numbers in binary, which loses decimals, so [`Texts`] finds their text.
//!
//! Modules in reading order: `texts` finds the text of a value, `cuts` keeps long lists off the
//! tape, and `path` makes the paths in errors.

mod cuts;
mod path;
mod texts;

pub(crate) use cuts::{CutKey, Cuts};
pub(crate) use texts::Texts;

use std::num::NonZeroUsize;

use simd_json::StaticNode;
use simd_json::tape::Node;

use crate::ErrorKind;

/// The tape of a record, and its source.
#[derive(Clone, Copy)]
pub(crate) struct Document<'t, 'a> {
    /// All keys and values in document order, containers before their content.
    nodes: &'t [Node<'a>],
    /// The offsets of all brackets, commas, colons and starts of scalars in the source.
    structurals: &'t [u32],
    /// The original record. The tape was made from a copy, since unescaping overwrites it.
    source: &'a [u8],
    /// The lists that were cut out of the record.
    cuts: Option<&'t Cuts<'a>>,
}

/// The position of a value on the tape. That of the document is 0, so no field has it.
pub(crate) type TapePos = usize;

/// The position of the document.
pub(crate) const ROOT: TapePos = 0;

/// An error and its position on the tape. Its path is computed when it is reported.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) kind: ErrorKind,
    pub(crate) pos: TapePos,
    /// The name of the field that the object at `pos` lacks.
    pub(crate) missing: Option<&'static str>,
}

impl Fault {
    pub(crate) const fn at(pos: TapePos, kind: ErrorKind) -> Self {
        Self {
            kind,
            pos,
            missing: None,
        }
    }

    pub(crate) const fn missing(object: TapePos, field: &'static str) -> Self {
        Self {
            kind: ErrorKind::MissingField,
            pos: object,
            missing: Some(field),
        }
    }
}

impl<'t, 'a> Document<'t, 'a> {
    pub(crate) const fn new(
        nodes: &'t [Node<'a>],
        structurals: &'t [u32],
        source: &'a [u8],
    ) -> Self {
        Self {
            nodes,
            structurals,
            source,
            cuts: None,
        }
    }

    /// Adds the lists that were cut out of the record.
    pub(crate) const fn with_cuts(self, cuts: &'t Cuts<'a>) -> Self {
        Self {
            cuts: Some(cuts),
            ..self
        }
    }

    /// The text of a list that was cut out, without its brackets; `None` for all others.
    #[inline]
    pub(crate) fn cut(&self, list: TapePos) -> Option<&'a [u8]> {
        let cuts = self.cuts?;
        match self.nodes_from(list) {
            [Node::Array { len: 1, .. }, Node::String(marker), ..] => cuts.take(marker),
            _ => None,
        }
    }

    /// The node at a position; null after the end.
    #[inline]
    pub(crate) fn node(&self, pos: TapePos) -> Node<'a> {
        self.nodes
            .get(pos)
            .copied()
            .unwrap_or(Node::Static(StaticNode::Null))
    }

    /// The nodes from a position to the end.
    #[inline]
    pub(crate) fn nodes_from(&self, pos: TapePos) -> &'t [Node<'a>] {
        self.nodes.get(pos..).unwrap_or_default()
    }

    /// The position after a value and its content.
    #[inline]
    pub(crate) fn after(&self, pos: TapePos) -> TapePos {
        match self.node(pos) {
            Node::Object { count, .. } | Node::Array { count, .. } => pos + 1 + count,
            Node::String(_) | Node::Static(_) => pos + 1,
        }
    }

    /// Iterates over the keys of an object and the positions of their values.
    #[inline]
    pub(crate) fn members(self, object: TapePos) -> Result<Members<'t, 'a>, Fault> {
        match self.node(object) {
            Node::Object { len, .. } => Ok(Members {
                document: self,
                left: len,
                pos: object + 1,
            }),
            _ => Err(self.wrong_type(object, "an object")),
        }
    }

    /// Finds fields of an object by name, and the first that occurs twice.
    #[inline(always)]
    pub(crate) fn fields<const N: usize>(
        self,
        object: TapePos,
        names: [&str; N],
    ) -> Result<([Field; N], Repeated), Fault> {
        let mut fields = [Field::default(); N];
        let mut repeated = Repeated::default();
        for (key, value) in self.members(object)? {
            let is_key = |name: &&str| is_same(name.as_bytes(), key.as_bytes());
            if let Some(at) = names.iter().position(is_key) {
                repeated.note(&mut fields[at], value);
            }
        }
        Ok((fields, repeated))
    }

    /// Iterates over the positions of an array's elements.
    #[inline]
    pub(crate) fn elements(self, array: TapePos) -> Result<Elements<'t, 'a>, Fault> {
        match self.node(array) {
            Node::Array { len, .. } => Ok(Elements {
                document: self,
                left: len,
                pos: array + 1,
            }),
            _ => Err(self.wrong_type(array, "an array")),
        }
    }

    /// Like [`Document::elements`], for an array of at most `limit` elements.
    #[inline]
    pub(crate) fn elements_within(
        self,
        array: TapePos,
        limit: usize,
    ) -> Result<Elements<'t, 'a>, Fault> {
        let elements = self.elements(array)?;
        if elements.len() > limit {
            return Err(Fault::at(array, ErrorKind::TooMany { limit }));
        }
        Ok(elements)
    }

    pub(crate) fn is_null(&self, pos: TapePos) -> bool {
        matches!(self.node(pos), Node::Static(StaticNode::Null))
    }

    /// Reads a string.
    #[inline]
    pub(crate) fn text(&self, pos: TapePos) -> Result<&'a str, Fault> {
        match self.node(pos) {
            Node::String(text) => Ok(text),
            _ => Err(self.wrong_type(pos, "a string")),
        }
    }

    /// Reads an integer from 0 to 2^63 - 1, the range of all sequence numbers and timestamps in
    /// use.
    #[inline]
    pub(crate) fn unsigned(&self, pos: TapePos) -> Result<u64, Fault> {
        match self.node(pos) {
            Node::Static(StaticNode::U64(number)) if i64::try_from(number).is_ok() => Ok(number),
            Node::Static(StaticNode::I64(number)) if number >= 0 => Ok(number.unsigned_abs()),
            _ => Err(self.wrong_type(pos, "a whole number from 0 to 2^63 - 1")),
        }
    }

    /// The only element of an array.
    pub(crate) fn only(&self, array: TapePos) -> Result<TapePos, Fault> {
        match self.node(array) {
            Node::Array { len: 1, .. } => Ok(array + 1),
            Node::Array { .. } => {
                let expected = "an array of one element";
                Err(Fault::at(array, ErrorKind::BadValue { expected }))
            }
            _ => Err(self.wrong_type(array, "an array")),
        }
    }

    /// Reads an integer below 2^32, or a string that contains one.
    pub(crate) fn unsigned_32(&self, pos: TapePos) -> Result<u32, Fault> {
        let number = match self.node(pos) {
            Node::String(text) => text.parse().ok(),
            _ => u32::try_from(self.unsigned(pos)?).ok(),
        };
        let expected = "a whole number below 2^32";
        number.ok_or(Fault::at(pos, ErrorKind::BadValue { expected }))
    }

    /// Reads `true` or `false`.
    pub(crate) fn flag(&self, pos: TapePos) -> Result<bool, Fault> {
        match self.node(pos) {
            Node::Static(StaticNode::Bool(flag)) => Ok(flag),
            _ => Err(self.wrong_type(pos, "true or false")),
        }
    }

    #[cold]
    pub(crate) fn wrong_type(&self, pos: TapePos, expected: &'static str) -> Fault {
        let found = match self.node(pos) {
            Node::String(_) => "a string",
            Node::Object { .. } => "an object",
            Node::Array { .. } => "an array",
            Node::Static(StaticNode::Null) => "null",
            Node::Static(StaticNode::Bool(_)) => "true or false",
            Node::Static(StaticNode::I64(number)) if number < 0 => "a number below zero",
            Node::Static(StaticNode::I64(_)) => "a whole number",
            Node::Static(StaticNode::U64(number)) if i64::try_from(number).is_err() => {
                "a whole number from 2^63 on"
            }
            Node::Static(StaticNode::U64(_)) => "a whole number",
            Node::Static(_) => "a number with decimals",
        };
        Fault::at(pos, ErrorKind::WrongType { found, expected })
    }
}

/// The members of an object, in order.
pub(crate) struct Members<'t, 'a> {
    document: Document<'t, 'a>,
    left: usize,
    pos: TapePos,
}

impl<'a> Iterator for Members<'_, 'a> {
    type Item = (&'a str, TapePos);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let Node::String(key) = self.document.node(self.pos) else {
            return None;
        };
        let value = self.pos + 1;
        self.pos = self.document.after(value);
        Some((key, value))
    }
}

/// The elements of an array, in order.
pub(crate) struct Elements<'t, 'a> {
    document: Document<'t, 'a>,
    left: usize,
    pos: TapePos,
}

impl Iterator for Elements<'_, '_> {
    type Item = TapePos;

    #[inline]
    fn next(&mut self) -> Option<TapePos> {
        self.left = self.left.checked_sub(1)?;
        let element = self.pos;
        self.pos = self.document.after(element);
        Some(element)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Elements<'_, '_> {}

/// The position of a field's value, if it was found.
#[derive(Clone, Copy, Default)]
pub(crate) struct Field(Option<NonZeroUsize>);

impl Field {
    /// The position of the value.
    #[inline]
    pub(crate) fn get(self) -> Option<TapePos> {
        self.0.map(NonZeroUsize::get)
    }

    /// The position of the value, unless it is null.
    pub(crate) fn not_null(self, document: &Document<'_, '_>) -> Option<TapePos> {
        self.get().filter(|pos| !document.is_null(*pos))
    }

    /// The position of the value. Its absence is an error.
    #[inline]
    pub(crate) fn needed(self, object: TapePos, name: &'static str) -> Result<TapePos, Fault> {
        self.get().ok_or(Fault::missing(object, name))
    }

    pub(crate) fn is_present(self) -> bool {
        self.0.is_some()
    }
}

/// The first field that occurs twice. It is reported once the instrument of the record is known.
#[derive(Clone, Copy, Default)]
pub(crate) struct Repeated(Field);

impl Repeated {
    /// Sets the position of a field, or notes that it is repeated.
    #[inline]
    pub(crate) fn note(&mut self, field: &mut Field, pos: TapePos) {
        let slot = if field.is_present() {
            &mut self.0
        } else {
            field
        };
        if !slot.is_present() {
            slot.0 = NonZeroUsize::new(pos);
        }
    }

    /// Returns an error if a field is repeated.
    #[inline]
    pub(crate) fn ensure_none(self) -> Result<(), Fault> {
        match self.0.get() {
            Some(pos) => Err(Fault::at(pos, ErrorKind::RepeatedField)),
            None => Ok(()),
        }
    }
}

/// Compares two names by their first and last bytes, which is faster than a call of `memcmp`.
#[inline]
pub(crate) fn is_same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len()
        && match left.len() {
            0..4 => left.iter().zip(right).all(|(left, right)| left == right),
            4..8 => {
                left.first_chunk::<4>() == right.first_chunk()
                    && left.last_chunk::<4>() == right.last_chunk()
            }
            8..=16 => {
                left.first_chunk::<8>() == right.first_chunk()
                    && left.last_chunk::<8>() == right.last_chunk()
            }
            _ => left == right,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_when_all_of_their_bytes_are() {
        let name = b"prev_change_identifier";
        for len in 0..=name.len() {
            let name = &name[..len];
            assert!(is_same(name, name));
            assert!(!is_same(name, &[name, b"x"].concat()));
            for at in 0..len {
                let mut other = name.to_vec();
                other[at] ^= 1;
                assert!(!is_same(name, &other), "{len} {at}");
            }
        }
    }
}
