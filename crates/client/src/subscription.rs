use market::{Channel, InstrumentName, NameError};
use wire::control::{Pace, Policy, Start, StreamChange, StreamKey, StreamRequest};
use wire::{BarInterval, Depth, PriceStep, Speed};

/// Names a subscription of one client; never used for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(pub u64);

/// Why a subscription cannot be made; nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// The symbol is no instrument's name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The client has that stream already.
    #[error("the client has this stream already")]
    Duplicate,
    /// The client was closed, or has given up.
    #[error("the client is closed")]
    Closed,
}

/// Why a subscription cannot be changed; it goes on as it was, and nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// There is no such subscription, or there is none any more.
    #[error("there is no such subscription")]
    Unknown,
    /// The client has the stream that it would become.
    #[error("the client has this stream already")]
    Duplicate,
    /// The client was closed, or has given up.
    #[error("the client is closed")]
    Closed,
}

/// What is to change of a live subscription; the rest stays as it is.
///
/// ```
/// use client::Change;
/// use wire::{Depth, Speed};
///
/// let change = Change::new().depth(Depth::D10).speed(Speed::Ms100);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Change(StreamChange);

impl Change {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many levels a side; of a book only.
    #[must_use]
    pub const fn depth(mut self, depth: Depth) -> Self {
        self.0.depth = Some(depth);
        self
    }

    /// How often at most.
    #[must_use]
    pub const fn speed(mut self, speed: Speed) -> Self {
        self.0.speed = Some(speed);
        self
    }

    /// The price step that levels are rounded to, or none any more; of a book only.
    #[must_use]
    pub const fn group(mut self, group: Option<PriceStep>) -> Self {
        self.0.group = Some(group);
        self
    }

    /// How long a bar is; of bars only.
    #[must_use]
    pub const fn interval(mut self, interval: BarInterval) -> Self {
        self.0.interval = Some(interval);
        self
    }

    /// What the node does when this client is too slow.
    #[must_use]
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.0.policy = Some(policy);
        self
    }

    /// What is asked for behind the change.
    pub(crate) fn of(&self, request: &StreamRequest) -> StreamRequest {
        StreamRequest {
            key: self.0.of(&request.key),
            policy: self.0.policy.unwrap_or(request.policy),
            ..request.clone()
        }
    }
}

/// A stream that the client is to have, through every reconnect, until it is unsubscribed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    channel: Channel,
    symbol: String,
    depth: Depth,
    speed: Speed,
    group: Option<PriceStep>,
    interval: BarInterval,
    policy: Policy,
    start: Option<Start>,
    pace: Option<Pace>,
}

impl Subscription {
    /// The full raw stream of a channel; `symbol` is one `VENUE:SYMBOL`, without `*`.
    pub fn new(channel: Channel, symbol: impl Into<String>) -> Self {
        Self {
            channel,
            symbol: symbol.into(),
            depth: Depth::default(),
            speed: Speed::default(),
            group: None,
            interval: BarInterval::default(),
            policy: Policy::default(),
            start: None,
            pace: None,
        }
    }

    /// The book: a snapshot, then deltas; kept and verified.
    pub fn book(symbol: impl Into<String>) -> Self {
        Self::new(Channel::Book, symbol)
    }

    /// Best bid and offer.
    pub fn bbo(symbol: impl Into<String>) -> Self {
        Self::new(Channel::Bbo, symbol)
    }

    /// Trades.
    pub fn trades(symbol: impl Into<String>) -> Self {
        Self::new(Channel::Trades, symbol)
    }

    /// Statistics of the last 24 hours.
    pub fn ticker(symbol: impl Into<String>) -> Self {
        Self::new(Channel::Ticker, symbol)
    }

    /// Bars of an interval: each while it runs, and once when it is closed.
    pub fn bars(symbol: impl Into<String>, interval: BarInterval) -> Self {
        Self::new(Channel::Bars, symbol).interval(interval)
    }

    /// The state of the instrument.
    pub fn status(symbol: impl Into<String>) -> Self {
        Self::new(Channel::Status, symbol)
    }

    /// How many levels a side; of a book only.
    #[must_use]
    pub const fn depth(mut self, depth: Depth) -> Self {
        self.depth = depth;
        self
    }

    /// How often at most.
    #[must_use]
    pub const fn speed(mut self, speed: Speed) -> Self {
        self.speed = speed;
        self
    }

    /// The price step that levels are rounded to; of a book only.
    #[must_use]
    pub const fn group(mut self, group: PriceStep) -> Self {
        self.group = Some(group);
        self
    }

    /// How long a bar is; of bars only.
    #[must_use]
    pub const fn interval(mut self, interval: BarInterval) -> Self {
        self.interval = interval;
        self
    }

    /// What the node does when this client is too slow.
    #[must_use]
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Where in the past to begin. A reconnect goes on from where the stream is by then;
    /// [`Event::ReplayComplete`](crate::Event::ReplayComplete) tells when it is live.
    #[must_use]
    pub const fn start(mut self, start: Start) -> Self {
        self.start = Some(start);
        self
    }

    /// How many times as fast as it happened the past is sent; as fast as can be where it is not
    /// given.
    #[must_use]
    pub const fn pace(mut self, pace: Pace) -> Self {
        self.pace = Some(pace);
        self
    }

    /// What is asked of the node.
    pub fn request(&self) -> Result<StreamRequest, NameError> {
        let mut key = StreamKey::new(self.channel, InstrumentName::parse(&self.symbol)?);
        key.depth = self.depth;
        key.speed = self.speed;
        key.group = self.group;
        key.interval = self.interval;
        let mut request = StreamRequest::from(key).policy(self.policy);
        request.start = self.start;
        request.pace = self.pace.filter(|_| self.start.is_some());
        Ok(request)
    }
}
