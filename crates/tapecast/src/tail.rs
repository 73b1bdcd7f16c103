//! `tapecast tail`: a verifying client in the terminal.
//!
//! Every book message is checked for gaps and against its checksum over the whole subscribed depth; the exit
//! code says whether everything was correct.
//!
//! Modules in reading order: [`args`] the options, [`follow`] the loop, [`watched`] the state of each instrument
//! with [`latency`], [`notice`] messages for people, [`verdict`] the result; and the output: [`screen`] on a
//! [`terminal`], [`plain`] lines, [`json`] objects, [`raw`] bytes.

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

/// Follows until Ctrl-C or a requested limit. Fails if anything was wrong.
pub(crate) fn run(args: TailArgs) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(follow::follow(args))
}

#[cfg(test)]
mod tests;
