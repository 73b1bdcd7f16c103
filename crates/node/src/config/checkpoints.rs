use std::time::Duration;

use super::kind::{DAY, SECOND, choice, duration_or_off, parsed};
use super::reader::Reader;
use super::section::{Section as _, section};
use crate::checkpoints::CheckpointSettings;

section! {
    Checkpoints in "checkpoints":
    /// A compacted topic with the state of every instrument; a starting node restores it, and reads on from
    /// there.
    fixed topic: String = parsed(
        "1 to 249 of A-Z, a-z, 0-9, '.', '_' and '-', such as \"tapecast-checkpoints\"",
        topic,
    ), absent "none: no checkpoints";
    // With 1m, a starting node catches up with a minute of the market, which takes a second.
    /// How often this node writes each instrument's checkpoint, spread evenly; two writing nodes per fleet
    /// are enough.
    fixed write_every: Option<Duration> = duration_or_off(SECOND, DAY), default "off";
    /// Whether a writing node creates a missing topic, if the broker allows it.
    fixed create: bool = choice(&[("missing", true), ("never", false)]), default "missing";
}

pub(super) fn read(reader: &mut Reader) -> CheckpointSettings {
    let checkpoints = Checkpoints::read(reader);
    CheckpointSettings {
        topic: checkpoints.topic,
        write_every: checkpoints.write_every,
        create: checkpoints.create,
    }
}

/// Parses a valid topic name.
fn topic(text: &str) -> Option<String> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let fits = (1..=249).contains(&text.len()) && text.chars().all(is_allowed);
    (fits && !matches!(text, "." | "..")).then(|| text.to_owned())
}
