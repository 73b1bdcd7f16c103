use market::{Channel, Epoch, InstrumentName, Nanos, Seq};

use super::{ControlError, Pace, StreamError, Symbol};
use crate::text::{integer, quote};
use crate::{BarInterval, Depth, PriceStep, Speed, View, ViewParams};

/// Identifies a stream: one channel of an instrument, with its parameters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamKey {
    /// The channel.
    pub channel: Channel,
    /// The instrument, or a pattern or list that stands for several.
    pub symbol: Symbol,
    /// Levels per side; `book` only.
    pub depth: Depth,
    /// The shortest interval between updates.
    pub speed: Speed,
    /// The price step that levels are grouped by; `book` only.
    pub group: Option<PriceStep>,
    /// The length of a bar; `bars` only.
    pub interval: BarInterval,
}

/// What a node does when a client lags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Policy {
    /// It sends the net change, or a snapshot.
    #[default]
    Conflate,
    /// It closes the connection with [`close::TOO_SLOW`](crate::close::TOO_SLOW).
    Disconnect,
}

/// The position from which to resume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Resume {
    /// The epoch.
    pub epoch: Epoch,
    /// The last `seq` that the client has applied.
    pub seq: Seq,
}

/// Where in the past a stream starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Start {
    /// At the first record with that log time or later.
    Time(Nanos),
    /// At the first record with that offset or later.
    Seq(Seq),
}

/// A stream to subscribe to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamRequest {
    /// The stream.
    pub key: StreamKey,
    /// What to do if the client lags.
    pub policy: Policy,
    /// Where to resume, instead of a snapshot.
    pub resume: Option<Resume>,
    /// Where in the past to start, instead of now.
    pub start: Option<Start>,
    /// The pace of the replay; as fast as possible if absent.
    pub pace: Option<Pace>,
}

/// A stream to change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamUpdate {
    /// The stream as it is.
    pub key: StreamKey,
    /// The changes.
    pub to: StreamChange,
}

/// Changes to a stream; `None` leaves a parameter as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct StreamChange {
    /// The new depth.
    pub depth: Option<Depth>,
    /// The new speed.
    pub speed: Option<Speed>,
    /// The new price step; `Some(None)` ends the grouping.
    pub group: Option<Option<PriceStep>>,
    /// The new length of a bar.
    pub interval: Option<BarInterval>,
    /// The new policy.
    pub policy: Option<Policy>,
}

impl StreamKey {
    /// The full raw stream of a channel.
    pub fn new(channel: Channel, symbol: impl Into<Symbol>) -> Self {
        Self {
            channel,
            symbol: symbol.into(),
            depth: Depth::Full,
            speed: Speed::Raw,
            group: None,
            interval: BarInterval::default(),
        }
    }

    /// The stream of a channel with the parameters of its view.
    pub fn with_params(channel: Channel, symbol: impl Into<Symbol>, params: ViewParams) -> Self {
        let stream = Self::new(channel, symbol);
        Self {
            depth: params.depth,
            speed: params.speed,
            group: params.group,
            interval: params.interval.unwrap_or(stream.interval),
            ..stream
        }
    }

    /// The parameters of its view.
    #[must_use]
    pub const fn params(&self) -> ViewParams {
        let interval = match self.channel {
            Channel::Bars => Some(self.interval),
            _ => None,
        };
        ViewParams {
            depth: self.depth,
            speed: self.speed,
            group: self.group,
            interval,
        }
    }

    /// The `view` of the stream's messages.
    #[must_use]
    pub fn view(&self) -> View {
        self.params().view()
    }

    /// The same stream of one of the instruments that the symbol matches.
    #[must_use]
    pub fn of(&self, name: InstrumentName) -> Self {
        Self {
            symbol: Symbol::One(name),
            ..self.clone()
        }
    }

    /// Creates the error that tells a client why this stream was rejected.
    #[must_use]
    pub fn refuse(&self, error: ControlError) -> StreamError {
        let mut stream = Vec::with_capacity(128);
        self.write(None, &mut stream);
        StreamError {
            stream: String::from_utf8_lossy(&stream).into_owned(),
            error,
        }
    }

    /// Writes the stream with all of its parameters.
    pub(super) fn write(&self, policy: Option<Policy>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"channel\":");
        quote(out, self.channel.name());
        out.extend_from_slice(b",\"symbol\":");
        quote(out, self.symbol.as_str());
        out.extend_from_slice(b",\"depth\":");
        write_depth(self.depth, out);
        out.extend_from_slice(b",\"speed\":");
        quote(out, self.speed.name());
        out.extend_from_slice(b",\"group\":");
        write_group(self.group, out);
        if self.channel == Channel::Bars {
            out.extend_from_slice(b",\"interval\":");
            quote(out, self.interval.name());
        }
        if let Some(policy) = policy {
            out.extend_from_slice(b",\"policy\":");
            quote(out, policy.name());
        }
        out.push(b'}');
    }

    /// Writes the stream without parameters at their defaults, and without the closing brace.
    pub(super) fn write_open(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"channel\":");
        quote(out, self.channel.name());
        out.extend_from_slice(b",\"symbol\":");
        quote(out, self.symbol.as_str());
        if self.depth != Depth::Full {
            out.extend_from_slice(b",\"depth\":");
            write_depth(self.depth, out);
        }
        if self.speed != Speed::Raw {
            out.extend_from_slice(b",\"speed\":");
            quote(out, self.speed.name());
        }
        if self.group.is_some() {
            out.extend_from_slice(b",\"group\":");
            write_group(self.group, out);
        }
        if self.channel == Channel::Bars {
            out.extend_from_slice(b",\"interval\":");
            quote(out, self.interval.name());
        }
    }
}

impl StreamRequest {
    /// The full raw stream of a channel, from now on.
    pub fn new(channel: Channel, symbol: impl Into<Symbol>) -> Self {
        StreamKey::new(channel, symbol).into()
    }

    /// Sets the depth.
    #[must_use]
    pub fn depth(mut self, depth: Depth) -> Self {
        self.key.depth = depth;
        self
    }

    /// Sets the speed.
    #[must_use]
    pub fn speed(mut self, speed: Speed) -> Self {
        self.key.speed = speed;
        self
    }

    /// Groups levels by a price step.
    #[must_use]
    pub fn group(mut self, group: PriceStep) -> Self {
        self.key.group = Some(group);
        self
    }

    /// Sets the length of a bar.
    #[must_use]
    pub fn interval(mut self, interval: BarInterval) -> Self {
        self.key.interval = interval;
        self
    }

    /// Sets the policy.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Resumes after a position.
    #[must_use]
    pub fn resume(mut self, epoch: Epoch, seq: Seq) -> Self {
        self.resume = Some(Resume { epoch, seq });
        self
    }

    /// Starts in the past.
    #[must_use]
    pub fn start(mut self, start: Start) -> Self {
        self.start = Some(start);
        self
    }

    /// Sets the pace of the replay.
    #[must_use]
    pub fn pace(mut self, pace: Pace) -> Self {
        self.pace = Some(pace);
        self
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        self.key.write_open(out);
        if self.policy != Policy::default() {
            out.extend_from_slice(b",\"policy\":");
            quote(out, self.policy.name());
        }
        if let Some(resume) = self.resume {
            out.extend_from_slice(b",\"resume\":{\"epoch\":");
            integer(out, resume.epoch.0);
            out.extend_from_slice(b",\"seq\":");
            integer(out, resume.seq.0);
            out.push(b'}');
        }
        match self.start {
            Some(Start::Time(time)) => {
                out.extend_from_slice(b",\"start\":{\"time\":\"");
                integer(out, time.0);
                out.extend_from_slice(b"\"}");
            }
            Some(Start::Seq(seq)) => {
                out.extend_from_slice(b",\"start\":{\"seq\":");
                integer(out, seq.0);
                out.push(b'}');
            }
            None => {}
        }
        if let Some(pace) = self.pace {
            out.extend_from_slice(b",\"pace\":");
            out.extend_from_slice(pace.to_string().as_bytes());
        }
        out.push(b'}');
    }
}

impl From<StreamKey> for StreamRequest {
    fn from(key: StreamKey) -> Self {
        Self {
            key,
            policy: Policy::default(),
            resume: None,
            start: None,
            pace: None,
        }
    }
}

impl StreamChange {
    /// The stream after the change.
    #[must_use]
    pub fn of(&self, key: &StreamKey) -> StreamKey {
        StreamKey {
            depth: self.depth.unwrap_or(key.depth),
            speed: self.speed.unwrap_or(key.speed),
            group: self.group.unwrap_or(key.group),
            interval: self.interval.unwrap_or(key.interval),
            ..key.clone()
        }
    }
}

impl StreamUpdate {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        self.key.write_open(out);
        out.extend_from_slice(b",\"to\":{");
        let empty = out.len();
        if let Some(depth) = self.to.depth {
            out.extend_from_slice(b",\"depth\":");
            write_depth(depth, out);
        }
        if let Some(speed) = self.to.speed {
            out.extend_from_slice(b",\"speed\":");
            quote(out, speed.name());
        }
        if let Some(group) = self.to.group {
            out.extend_from_slice(b",\"group\":");
            write_group(group, out);
        }
        if let Some(interval) = self.to.interval {
            out.extend_from_slice(b",\"interval\":");
            quote(out, interval.name());
        }
        if let Some(policy) = self.to.policy {
            out.extend_from_slice(b",\"policy\":");
            quote(out, policy.name());
        }
        if out.len() > empty {
            out.remove(empty);
        }
        out.extend_from_slice(b"}}");
    }
}

impl Policy {
    /// All policies.
    pub const ALL: [Self; 2] = [Self::Conflate, Self::Disconnect];

    /// The name in requests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conflate => "conflate",
            Self::Disconnect => "disconnect",
        }
    }

    /// The policy with that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == name)
    }
}

fn write_depth(depth: Depth, out: &mut Vec<u8>) {
    match depth.levels() {
        Some(levels) => integer(out, levels),
        None => quote(out, "full"),
    }
}

fn write_group(group: Option<PriceStep>, out: &mut Vec<u8>) {
    match group {
        Some(step) => quote(out, &step.to_string()),
        None => out.extend_from_slice(b"null"),
    }
}
