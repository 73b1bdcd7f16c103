//! One-off questions to publishers, without a subscription; HTTP is answered from them.

use std::sync::Arc;
use std::time::Duration;

use market::{Channel, InstrumentName};
use streams::{Fetched, Rejected, Report, StreamKey};
use tokio::sync::{Semaphore, oneshot};
use wire::{Encoding, ViewParams};

use fanout_core::{Directory, JoinError, Listing};

use crate::fetch::{Fetch, Found, IN_PROGRESS, Question};
use crate::link::{Links, PublisherLink};

/// Time that a fetch may wait for its turn and its answer. A publisher has a turn at least every
/// 100 ms; one that waits for a shard may take longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks publishers one-off questions.
///
/// Invariants:
/// - At most 64 fetches are in progress, and no publisher waits for one.
/// - No stream is watched for a fetch.
#[derive(Clone)]
pub struct Fetcher {
    directory: Arc<Directory>,
    publishers: Vec<PublisherLink>,
    turns: Arc<Semaphore>,
}

/// Why a fetch has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The publisher has not caught up, or has read nothing of the channel yet.
    #[error("the node has not read this yet")]
    NotReady,
    /// The publisher is overloaded.
    #[error("the node has too much to do")]
    Busy,
    /// The publisher rejects the stream.
    #[error(transparent)]
    Refused(Rejected),
}

impl From<JoinError> for FetchError {
    fn from(why: JoinError) -> Self {
        match why {
            JoinError::NotReady => Self::NotReady,
            JoinError::Refused(refused) => Self::Refused(refused),
            // The others concern replays, which are not fetched.
            _ => Self::Busy,
        }
    }
}

impl Fetcher {
    /// Creates a fetcher that asks the publishers of these links.
    #[must_use]
    pub fn new(directory: Arc<Directory>, links: &Links) -> Self {
        Self {
            directory,
            publishers: links.publishers().to_vec(),
            turns: Arc::new(Semaphore::new(IN_PROGRESS)),
        }
    }

    /// Returns the directory of instruments.
    #[must_use]
    pub const fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// Returns what a new subscription to a stream would be sent first.
    pub async fn start(
        &self,
        instrument: &InstrumentName,
        channel: Channel,
        params: ViewParams,
        encoding: Encoding,
    ) -> Result<Fetched, FetchError> {
        let key = StreamKey {
            instrument: instrument.id(),
            channel,
            params,
        };
        let question = Question::Start(key, encoding);
        self.messages(instrument, channel, question).await
    }

    /// Returns the instrument's definition and its latest trade messages, `limit` at most.
    pub async fn trades(
        &self,
        instrument: &InstrumentName,
        encoding: Encoding,
        limit: usize,
    ) -> Result<Fetched, FetchError> {
        let question = Question::Trades(instrument.id(), encoding, limit);
        self.messages(instrument, Channel::Trades, question).await
    }

    /// Returns each publisher's reports on these instruments, in their order. An instrument whose
    /// book and trades have different publishers has two reports.
    pub async fn reports(&self, listings: &[Arc<Listing>]) -> Result<Vec<Vec<Report>>, FetchError> {
        let mut reports: Vec<Vec<Report>> = listings.iter().map(|_| Vec::new()).collect();
        for publisher in &self.publishers {
            let question = Question::Reports(listings.iter().map(|listing| listing.id()).collect());
            let Found::Reports(found) = self.ask(publisher, question).await? else {
                continue;
            };
            // Both are in the order of the question.
            let mut found = found.into_iter().peekable();
            for (listing, reports) in listings.iter().zip(&mut reports) {
                let is_its = |report: &Report| report.name == *listing.name();
                reports.extend(found.next_if(is_its));
            }
        }
        Ok(reports)
    }

    async fn messages(
        &self,
        instrument: &InstrumentName,
        channel: Channel,
        question: Question,
    ) -> Result<Fetched, FetchError> {
        let unknown = FetchError::Refused(Rejected::UnknownInstrument);
        let listing = self.directory.get(instrument).ok_or(unknown)?;
        let publisher = self.directory.publisher_of(&listing, channel);
        let publisher = publisher.and_then(|publisher| self.publishers.get(publisher));
        match self
            .ask(publisher.ok_or(FetchError::NotReady)?, question)
            .await?
        {
            Found::Messages(fetched) => Ok(fetched),
            Found::Reports(_) => Err(FetchError::Busy),
        }
    }

    async fn ask(
        &self,
        publisher: &PublisherLink,
        question: Question,
    ) -> Result<Found, FetchError> {
        let answer = async {
            let _turn = self.turns.acquire().await.map_err(|_| FetchError::Busy)?;
            let (reply, answer) = oneshot::channel();
            if !publisher.fetch(Fetch { question, reply }) {
                return Err(FetchError::Busy);
            }
            let found = answer.await.map_err(|_| FetchError::Busy)?;
            Ok(found?)
        };
        tokio::time::timeout(PATIENCE, answer)
            .await
            .unwrap_or(Err(FetchError::Busy))
    }
}
