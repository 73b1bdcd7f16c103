//! Checkpoints: what is known of every instrument, in a compacted topic, so that a node that starts
//! need not read the log from its last whole books on.
//!
//! In reading order: [`settings`]; [`mod@load`], which reads the topic at the start; [`mod@restore`], by which
//! a publisher takes over what is of its partitions; [`take`], by which it gives; and [`writer`], the
//! thread that writes.

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

/// What the key of an instrument's checkpoint has behind the name where there is no book: trades may
/// be read by another thread, or another node, than the book is.
const TRADES: &str = "#trades";

/// What the key of a mark begins with: of a partition of which every instrument has a checkpoint.
const MARK: &str = "#complete ";

/// The key of a partition's mark; its value is the topic's UUID.
fn mark_of(topic: &str, partition: i32) -> String {
    format!("{MARK}{topic}/{partition}")
}

/// The key that a checkpoint is kept by.
fn key_of(checkpoint: &Checkpoint) -> String {
    let suffix = if checkpoint.book.is_some() {
        ""
    } else {
        TRADES
    };
    format!("{}{suffix}", checkpoint.name)
}
