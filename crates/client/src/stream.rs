//! One subscription's place in its stream: the sequence rules, and for `book` the book.
//!
//! Pure: messages go in, and what they meant comes out. In reading order:

mod taken;

mod assembly;
mod kept;

mod follower;

pub use kept::{KeptBook, Trust};

pub(crate) use follower::Follower;
pub(crate) use taken::{Fault, Missing, Taken, Wrong};

#[cfg(test)]
mod tests;
