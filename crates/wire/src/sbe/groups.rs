use std::iter::FusedIterator;

use market::{Level, Trade};

use super::layout::{LEVEL, TRADE, at};
use crate::codes::Code;

/// The levels of one side of a book message, read from the payload one by one.
#[derive(Debug, Clone, Copy)]
pub struct Levels<'a> {
    /// Exactly the remaining entries.
    bytes: &'a [u8],
    stride: usize,
    left: usize,
}

impl<'a> Levels<'a> {
    /// `bytes` has `left` entries of `stride` bytes, each with at least a level's.
    pub(super) const fn new(bytes: &'a [u8], stride: usize, left: usize) -> Self {
        Self {
            bytes,
            stride,
            left,
        }
    }
}

impl Iterator for Levels<'_> {
    type Item = Level;

    #[inline]
    fn next(&mut self) -> Option<Level> {
        let left = self.left.checked_sub(1)?;
        let (entry, rest) = self.bytes.split_at_checked(self.stride)?;
        let entry = entry.first_chunk::<LEVEL>()?;
        self.bytes = rest;
        self.left = left;
        Some(Level::new(
            i64_at::<{ at::level::PRICE }, LEVEL>(entry),
            i64_at::<{ at::level::SIZE }, LEVEL>(entry),
        ))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Levels<'_> {}
impl FusedIterator for Levels<'_> {}

/// The trades of a `Trades` message, read from the payload one by one.
#[derive(Debug, Clone, Copy)]
pub struct TradeEntries<'a> {
    /// Exactly the remaining entries, each with its id.
    bytes: &'a [u8],
    stride: usize,
    left: usize,
}

impl<'a> TradeEntries<'a> {
    /// `bytes` has `left` entries of `stride` bytes, each with its id, and all of them are valid.
    pub(super) const fn new(bytes: &'a [u8], stride: usize, left: usize) -> Self {
        Self {
            bytes,
            stride,
            left,
        }
    }
}

impl<'a> Iterator for TradeEntries<'a> {
    type Item = Trade<'a>;

    #[inline]
    fn next(&mut self) -> Option<Trade<'a>> {
        let left = self.left.checked_sub(1)?;
        let (entry, rest) = self.bytes.split_at_checked(self.stride)?;
        let entry = entry.first_chunk::<TRADE>()?;
        let (len, rest) = rest.split_first()?;
        let (id, rest) = rest.split_at_checked(usize::from(*len))?;
        self.bytes = rest;
        self.left = left;
        let level = Level::new(
            i64_at::<{ at::trade::PRICE }, TRADE>(entry),
            i64_at::<{ at::trade::SIZE }, TRADE>(entry),
        );
        Some(Trade {
            price: level.price,
            size: level.size,
            side: Code::from_code(entry[at::trade::SIDE])?,
            id: std::str::from_utf8(id).ok()?,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for TradeEntries<'_> {}
impl FusedIterator for TradeEntries<'_> {}

fn i64_at<const AT: usize, const N: usize>(entry: &[u8; N]) -> i64 {
    const { assert!(AT + 8 <= N, "the field is within the entry") }
    let mut field = [0; 8];
    field.copy_from_slice(&entry[AT..AT + 8]);
    i64::from_le_bytes(field)
}
