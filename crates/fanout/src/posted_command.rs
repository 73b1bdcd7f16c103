use std::sync::mpsc;

use fanout_core::{Command, ReplayCommand};

use crate::history::Asker;

/// A command on its way to a publisher.
#[derive(Debug)]
pub(crate) struct PostedCommand {
    pub(crate) command: Command,
    /// For a replay: the commands it receives, and who asked for it.
    pub(crate) replay: Option<(mpsc::Receiver<ReplayCommand>, Asker)>,
}
