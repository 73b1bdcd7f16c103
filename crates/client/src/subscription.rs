use market::{Channel, InstrumentName, NameError};
use wire::control::{Pace, Policy, Start, StreamChange, StreamKey, StreamRequest};
use wire::{BarInterval, Depth, PriceStep, Speed};

/// Identifies a subscription of one client; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(pub u64);

/// Why a subscription was rejected before anything was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// The symbol is not a valid instrument name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The client already has this stream.
    #[error("the client already has this stream")]
    Duplicate,
    /// The client was closed, or has given up.
    #[error("the client is closed")]
    Closed,
}

/// Why an update was rejected before anything was sent. The subscription is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// The client has no such subscription.
    #[error("there is no such subscription")]
    Unknown,
    /// The client already has the stream that the subscription would become.
    #[error("the client already has this stream")]
    Duplicate,
    /// The client was closed, or has given up.
    #[error("the client is closed")]
    Closed,
}

/// Changes to a live subscription; whatever is not set stays as it is.
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
    /// Creates an empty change, which leaves every parameter as it is.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Levels per side; books only.
    #[must_use]
    pub const fn depth(mut self, depth: Depth) -> Self {
        self.0.depth = Some(depth);
        self
    }

    /// The shortest interval between updates.
    #[must_use]
    pub const fn speed(mut self, speed: Speed) -> Self {
        self.0.speed = Some(speed);
        self
    }

    /// The price step to group levels by, or `None` to end the grouping; books only.
    #[must_use]
    pub const fn group(mut self, group: Option<PriceStep>) -> Self {
        self.0.group = Some(group);
        self
    }

    /// The length of a bar; bars only.
    #[must_use]
    pub const fn interval(mut self, interval: BarInterval) -> Self {
        self.0.interval = Some(interval);
        self
    }

    /// What the node does if this client lags.
    #[must_use]
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.0.policy = Some(policy);
        self
    }

    /// The request after the change.
    pub(crate) fn of(&self, request: &StreamRequest) -> StreamRequest {
        StreamRequest {
            key: self.0.of(&request.key),
            policy: self.0.policy.unwrap_or(request.policy),
            ..request.clone()
        }
    }
}

/// A stream to subscribe to. It survives reconnects until it is unsubscribed.
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
    /// The full raw stream of a channel. `symbol` is `VENUE:SYMBOL`; patterns are not supported.
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

    /// The order book: a snapshot, then deltas. The client keeps a verified copy, see [`Client::book`](crate::Client::book).
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

    /// Bars of an interval: the running bar after each trade, and each bar once more when it closes.
    pub fn bars(symbol: impl Into<String>, interval: BarInterval) -> Self {
        Self::new(Channel::Bars, symbol).interval(interval)
    }

    /// The state of the instrument.
    pub fn status(symbol: impl Into<String>) -> Self {
        Self::new(Channel::Status, symbol)
    }

    /// Sets the number of levels per side; books only.
    #[must_use]
    pub const fn depth(mut self, depth: Depth) -> Self {
        self.depth = depth;
        self
    }

    /// The shortest interval between updates.
    #[must_use]
    pub const fn speed(mut self, speed: Speed) -> Self {
        self.speed = speed;
        self
    }

    /// The price step to group levels by; books only.
    #[must_use]
    pub const fn group(mut self, group: PriceStep) -> Self {
        self.group = Some(group);
        self
    }

    /// The length of a bar; bars only.
    #[must_use]
    pub const fn interval(mut self, interval: BarInterval) -> Self {
        self.interval = interval;
        self
    }

    /// What the node does if this client lags.
    #[must_use]
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Starts the stream in the past. After a reconnect the replay continues where it was;
    /// [`Event::ReplayComplete`](crate::Event::ReplayComplete) marks the point where the stream is live.
    #[must_use]
    pub const fn start(mut self, start: Start) -> Self {
        self.start = Some(start);
        self
    }

    /// How many times faster than real time to replay the past; as fast as possible if not set.
    #[must_use]
    pub const fn pace(mut self, pace: Pace) -> Self {
        self.pace = Some(pace);
        self
    }

    /// The request to send to the node.
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
