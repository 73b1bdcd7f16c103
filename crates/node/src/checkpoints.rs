//! Checkpoints: the state of every instrument in a compacted topic, so that a starting node need not read
//! the log from the last snapshots on.
//!
//! Modules in reading order: [`settings`]; [`mod@load`] reads the topic at startup; [`mod@restore`] restores a
//! partition's instruments in their publisher; [`take`] takes checkpoints there; [`writer`] is the thread
//! that writes them.

mod load;
mod restore;
mod settings;
mod take;
mod writer;

pub(crate) use load::{Loaded, load};
pub(crate) use restore::restore;
pub(crate) use settings::CheckpointSettings;
pub(crate) use take::Taker;
pub(crate) use writer::{Job, Writer};

use streams::Checkpoint;

/// Follows the name in the key of a checkpoint without a book: trades may be read by another thread, or
/// another node, than the book.
const TRADES: &str = "#trades";

/// Prefix of the key of a mark, which says that every instrument of a partition has a checkpoint.
const MARK: &str = "#complete ";

/// The key of a partition's mark, whose value is the topic's UUID.
fn mark_of(topic: &str, partition: i32) -> String {
    format!("{MARK}{topic}/{partition}")
}

/// The key of a checkpoint.
fn key_of(checkpoint: &Checkpoint) -> String {
    let suffix = if checkpoint.book.is_some() {
        ""
    } else {
        TRADES
    };
    format!("{}{suffix}", checkpoint.name)
}
