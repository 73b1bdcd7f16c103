//! One subscription's position in its stream: the sequence rules, and for `book` the book.
//!
//! Pure: messages go in, their effects come out. In reading order:

mod effect;

mod assembly;
mod local_book;

mod tracker;

pub use local_book::{LocalBook, Trust};

pub(crate) use effect::{Checksums, Effect, Fault, Missing};
pub(crate) use tracker::Tracker;

#[cfg(test)]
mod tests;
