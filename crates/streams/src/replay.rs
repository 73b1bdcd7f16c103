use std::sync::Arc;

use market::{
    At, Channel, Event, Exponents, Handle, Monotonic, Nanos, Now, PartitionIndex, Position, Scope,
    Seq,
};
use wire::{Encoding, ViewParams};

use crate::publisher::{Joined, Origin, Publisher, Rejected};
use crate::{Run, Settings, StreamId};

/// A replay keeps almost no log, because nobody resumes in it.
const LOG_BYTES: usize = 1024;
/// The only partition that a replay reads.
const PARTITION: PartitionIndex = PartitionIndex(0);

/// A past part of one stream: a publisher of its own, fed with the records of the stream's
/// partition from some time before the replay starts.
///
/// Since a sequence is a pure function of the log, it publishes what was published live, byte for
/// byte except for the publish time. The exception is a replay that has not read enough to know the
/// stream's state; see [`Replay::knowledge`].
#[derive(Debug)]
pub struct Replay {
    publisher: Publisher,
    origin: Origin,
    encoding: Encoding,
    handle: Handle,
    /// The open stream. A view is open from the beginning, since it depends on what it has seen;
    /// other streams are opened when the replay starts.
    stream: Option<StreamId>,
    /// The stream's last sequence number when its state first became known.
    known_since: Option<Seq>,
    begun: bool,
    /// The stream's last position if it ended after the replay started, because its step is invalid
    /// at the instrument's new scale.
    ended: Option<Position>,
    /// The messages that had not been taken by then.
    rest: Option<Arc<Run>>,
    messages: u64,
}

/// How much a replay knows of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Knowledge {
    /// Nothing.
    Nothing,
    /// The stream's state, but not the `prev_seq` of its next message.
    State,
    /// Everything.
    Complete,
}

impl Replay {
    /// Creates a replay of a stream whose partition is read from `from` on.
    pub fn new(
        origin: &Origin,
        encoding: Encoding,
        settings: &Settings,
        from: Seq,
        now: Monotonic,
    ) -> Result<Self, Rejected> {
        let mut publisher = Publisher::new(Settings {
            log_bytes: LOG_BYTES,
            log_budget: LOG_BYTES,
            stale_after: None,
            ..*settings
        });
        let handle = publisher
            .add_instrument(&origin.name, origin.exponents, now)
            .map_err(|_| Rejected::UnknownInstrument)?;
        publisher.set_steps(handle, origin.tick_size, origin.lot_size);
        publisher.open(PARTITION, origin.partition.clone(), from);
        let mut replay = Self {
            publisher,
            origin: origin.clone(),
            encoding,
            handle,
            stream: None,
            known_since: None,
            begun: false,
            ended: None,
            rest: None,
            messages: 0,
        };
        if origin.key.params != ViewParams::default() {
            replay.open_stream(now)?;
        }
        Ok(replay)
    }

    fn open_stream(&mut self, now: Monotonic) -> Result<StreamId, Rejected> {
        if let Some(stream) = self.stream {
            return Ok(stream);
        }
        let stream = self
            .publisher
            .open_stream(self.origin.key, self.encoding, now)?;
        self.stream = Some(stream);
        Ok(stream)
    }

    /// The stream that is replayed.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The scale with which the next record is to be read.
    #[must_use]
    pub fn exponents(&self) -> Exponents {
        let exponents = self.publisher.exponents(self.handle);
        exponents.unwrap_or(self.origin.exponents)
    }

    /// Applies an event of the instrument.
    pub fn event(&mut self, seq: Seq, log_time: Nanos, event: &Event<'_>, now: Now) {
        let is_grouped = self.origin.key.params.group.is_some();
        let position = (is_grouped && self.begun).then(|| self.position());
        // The live publisher skipped the same events.
        let _skipped = self
            .publisher
            .event(at(seq, log_time), self.handle, event, now);
        if is_grouped {
            self.follow_scale(position, now.monotonic);
        }
        self.after_record();
    }

    /// Closes a grouped stream whose step is invalid at the instrument's new scale. Before the replay
    /// starts, it is opened again as soon as the step fits.
    fn follow_scale(&mut self, position: Option<Position>, now: Monotonic) {
        for stream in self.publisher.take_ended() {
            if position.is_some() {
                self.rest = self.take(now);
                self.ended = position;
            }
            self.publisher.close_stream(stream);
            self.stream = None;
        }
        if self.stream.is_none() && !self.begun {
            let _fits = self.open_stream(now);
        }
    }

    /// Returns whether the stream ended after the replay started, because its step is invalid at the
    /// instrument's new scale.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Notes that a record of the instrument could not be read.
    pub fn bad_record(&mut self, seq: Seq, log_time: Nanos, scope: Scope, now: Now) {
        self.publisher
            .bad_record(at(seq, log_time), self.handle, scope, now);
        self.after_record();
    }

    fn after_record(&mut self) {
        if !self.begun && self.publisher.has_output() {
            let _before = self.publisher.flush(Monotonic(0));
        }
        if self.known_since.is_none()
            && self
                .publisher
                .has_state(self.handle, self.origin.key.channel)
        {
            self.known_since = Some(self.position().seq);
        }
    }

    /// How much is known of the stream by now.
    #[must_use]
    pub fn knowledge(&self) -> Knowledge {
        let Some(known_since) = self.known_since else {
            return Knowledge::Nothing;
        };
        let follows = match self.origin.key.channel {
            // The full raw book and trades publish at every record that makes their state known.
            Channel::Book if self.origin.key.params == ViewParams::default() => true,
            Channel::Trades => true,
            _ => self.position().seq > known_since,
        };
        if follows {
            Knowledge::Complete
        } else {
            Knowledge::State
        }
    }

    /// Starts the replay. Returns what leads a client without any state to the current position;
    /// the messages from here on are kept for [`Replay::take`].
    pub fn begin(&mut self, now: Now) -> Result<Joined, Rejected> {
        let stream = self.open_stream(now.monotonic)?;
        let _before = self.publisher.flush(now.monotonic);
        self.begun = true;
        let joined = self.publisher.join(stream, None, now);
        joined.ok_or(Rejected::UnknownInstrument)
    }

    /// The stream's current position.
    #[must_use]
    pub fn position(&self) -> Position {
        let position = match (self.ended, self.stream) {
            (Some(ended), _) => Some(ended),
            (None, Some(stream)) => self.publisher.position(stream),
            (None, None) => self
                .publisher
                .origin(&self.origin.key)
                .ok()
                .flatten()
                .map(|origin| origin.position),
        };
        position.unwrap_or(Position {
            epoch: self.origin.position.epoch,
            seq: Seq::NONE,
        })
    }

    /// The size of the messages that wait to be taken, in bytes.
    #[must_use]
    pub fn pending(&self) -> usize {
        let rest = self.rest.as_ref().map_or(0, |rest| rest.len());
        let pending = |stream| self.publisher.pending(stream);
        rest + self.stream.map_or(0, pending)
    }

    /// Takes the messages since the last call as one run, if there are any.
    pub fn take(&mut self, now: Monotonic) -> Option<Arc<Run>> {
        if let Some(rest) = self.rest.take() {
            return Some(rest);
        }
        let runs = self.publisher.flush(now);
        // One stream is open, so there is at most one run.
        let run = Run::of(&runs.get(0)?.frames);
        self.messages += run.marks().len() as u64;
        Some(Arc::new(run))
    }

    /// Ends the replay: returns the `ReplayComplete` message, which tells the client that the
    /// stream is live after the position `live`; `None` if there is no stream.
    pub fn complete(&mut self, live: Position, now: Now) -> Option<Arc<Run>> {
        let stream = self.stream?;
        self.publisher
            .replay_complete(stream, live, self.messages, now)
    }
}

const fn at(seq: Seq, log_time: Nanos) -> At {
    At {
        partition: PARTITION,
        seq,
        log_time,
    }
}
