//! A fetch: one question to a publisher, asked without a subscription.

use fanout_core::JoinError;
use market::InstrumentId;
use streams::{Fetched, Report, StreamKey};
use tokio::sync::oneshot;
use wire::Encoding;

/// Fetches in progress per node; further ones wait for these. A publisher answers as many between two
/// batches as take 1 ms.
pub(crate) const IN_PROGRESS: usize = 64;

/// A question to a publisher.
#[derive(Debug)]
pub(crate) enum Question {
    /// The current state of a stream.
    Start(StreamKey, Encoding),
    /// The latest trade messages of an instrument, and how many.
    Trades(InstrumentId, Encoding, usize),
    /// Reports on instruments.
    Reports(Vec<InstrumentId>),
}

/// A question, and where its answer goes.
#[derive(Debug)]
pub(crate) struct Fetch {
    pub(crate) question: Question,
    pub(crate) reply: oneshot::Sender<Result<Found, JoinError>>,
}

/// A publisher's answer.
#[derive(Debug)]
pub(crate) enum Found {
    /// Messages of one stream.
    Messages(Fetched),
    /// In the order of the question, without the instruments that the publisher does not have.
    Reports(Vec<Report>),
}
