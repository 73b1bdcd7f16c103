//! `tapecast tail`: a verifying client in the terminal.
//!
//! Every book message is checked against chain and checksum over the whole subscribed depth, and
//! the exit code says whether everything was right.
//!
//! Modules in reading order: [`args`] what is asked for, [`follow`] the loop, [`watched`] what is
//! known of each instrument with [`latency`], [`notice`] what deserves a line of its own,
//! [`verdict`] the end; and what shows it: [`screen`] on a [`terminal`], [`plain`] lines, [`json`]
//! objects, [`raw`] bytes.

mod args;
mod follow;
mod json;
mod latency;
mod notice;
mod plain;
mod raw;
mod screen;
mod terminal;
mod verdict;
mod watched;

pub(crate) use args::TailArgs;

use anyhow::Context as _;

/// Follows until Ctrl-C, or until as much has come as was asked for. An error when something was wrong.
pub(crate) fn run(args: TailArgs) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(follow::follow(args))
}

#[cfg(test)]
mod tests;
