//! The guarantees of a publisher alone: limits, and punctuality.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use market::{Channel, InstrumentName, PartitionIdentity};
use streams::StreamKey;
use wire::ViewParams;

mod bounded;
mod clocks;
mod quiet;

fn name(number: usize) -> InstrumentName {
    InstrumentName::parse(["V:A", "V:B"][number]).unwrap()
}

fn view_key(instrument: usize, channel: Channel, params: ViewParams) -> StreamKey {
    StreamKey {
        instrument: name(instrument).id(),
        channel,
        params,
    }
}

fn identity() -> PartitionIdentity {
    PartitionIdentity {
        topic: "market".into(),
        topic_id: [7; 16],
        partition: 0,
        turns: 0,
    }
}
