//! Asking publishers once, without a subscription: what HTTP answers from.

use std::sync::Arc;
use std::time::Duration;

use market::{Channel, InstrumentName};
use streams::{Fetched, Refused, Report, StreamKey};
use tokio::sync::{Semaphore, oneshot};
use wire::{Encoding, ViewParams};

use fanout_core::{Directory, JoinError, Listing};

use crate::fetch::{Fetch, Found, IN_PROGRESS, Question};
use crate::link::{Links, PublisherLink};

/// How long a fetch may wait for its turn and its answer. A publisher turns every 100 ms at the
/// least; one that waits for a shard may take longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks publishers for what is theirs, one question at a time; for whoever needs it once.
///
/// Invariants:
/// - So many are under way at most; a publisher never waits for one.
/// - Nothing is watched for it.
#[derive(Clone)]
pub struct Fetcher {
    directory: Arc<Directory>,
    publishers: Vec<PublisherLink>,
    turns: Arc<Semaphore>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The publisher has not caught up, or nothing of the channel has been read yet.
    #[error("the node has not read this yet")]
    NotReady,
    /// The publisher has too much to do.
    #[error("the node has too much to do")]
    Busy,
    /// There is no such stream.
    #[error(transparent)]
    Refused(Refused),
}

impl From<JoinError> for FetchError {
    fn from(why: JoinError) -> Self {
        match why {
            JoinError::NotReady => Self::NotReady,
            JoinError::Refused(refused) => Self::Refused(refused),
            // Those are of replays, and nobody fetches one.
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

    /// The instruments that there are.
    #[must_use]
    pub const fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// What a new subscriber of a stream would be sent first, at one place of the stream.
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

    /// The latest messages of an instrument's trades, `limit` at most, behind what it is.
    pub async fn trades(
        &self,
        instrument: &InstrumentName,
        encoding: Encoding,
        limit: usize,
    ) -> Result<Fetched, FetchError> {
        let question = Question::Trades(instrument.id(), encoding, limit);
        self.messages(instrument, Channel::Trades, question).await
    }

    /// What every publisher knows of these instruments, in their order; an instrument whose book and
    /// trades are of two publishers has two reports.
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
        let unknown = FetchError::Refused(Refused::UnknownInstrument);
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
