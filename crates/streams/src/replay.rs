use std::sync::Arc;

use market::{
    At, Event, Exponents, Handle, Monotonic, Nanos, Now, PartitionIndex, Position, Scope, Seq,
};
use wire::{Encoding, ViewParams};

use crate::publisher::{Joined, Origin, Publisher, Refused};
use crate::{Run, Settings, WatchId};

/// A replay keeps no log: nobody resumes in it.
const LOG_BYTES: usize = 1024;
/// The one partition that a replay reads.
const PARTITION: PartitionIndex = PartitionIndex(0);

/// One stream as it was: a publisher of its own, fed with the records of its partition from before
/// the place where it is to begin.
///
/// Since a sequence is a pure function of the log, what it says is what was said live, byte for byte
/// but for the publish time. It is not when it has read too little to know the state:
/// [`Replay::foundation`] tells.
#[derive(Debug)]
pub struct Replay {
    publisher: Publisher,
    origin: Origin,
    encoding: Encoding,
    handle: Handle,
    /// Of a view from the beginning, since it is made of what it has seen; else once it begins.
    watch: Option<WatchId>,
    /// Where the stream stood when its state was first known.
    founded: Option<Seq>,
    begun: bool,
    /// Where the stream stood when the instrument's new scale no longer held its step, after it had
    /// begun.
    ended: Option<Position>,
    /// The messages that had not been taken then.
    rest: Option<Arc<Run>>,
    messages: u64,
}

/// How much is known of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Foundation {
    /// Not its state.
    Nothing,
    /// Its state, and not what its next message followed on.
    State,
    /// All.
    Whole,
}

impl Replay {
    /// A replay of a stream whose partition is read from `from` on.
    pub fn new(
        origin: &Origin,
        encoding: Encoding,
        settings: &Settings,
        from: Seq,
        now: Monotonic,
    ) -> Result<Self, Refused> {
        let mut publisher = Publisher::new(Settings {
            log_bytes: LOG_BYTES,
            log_budget: LOG_BYTES,
            stale_after: None,
            ..*settings
        });
        let handle = publisher
            .add_instrument(&origin.name, origin.exponents, now)
            .map_err(|_| Refused::UnknownInstrument)?;
        publisher.set_steps(handle, origin.tick_size, origin.lot_size);
        publisher.open(PARTITION, origin.partition.clone(), from);
        let mut replay = Self {
            publisher,
            origin: origin.clone(),
            encoding,
            handle,
            watch: None,
            founded: None,
            begun: false,
            ended: None,
            rest: None,
            messages: 0,
        };
        if origin.key.params != ViewParams::default() {
            replay.watch(now)?;
        }
        Ok(replay)
    }

    fn watch(&mut self, now: Monotonic) -> Result<WatchId, Refused> {
        if let Some(watch) = self.watch {
            return Ok(watch);
        }
        let watch = self.publisher.watch(self.origin.key, self.encoding, now)?;
        self.watch = Some(watch);
        Ok(watch)
    }

    /// The stream that is replayed.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The scale by which the instrument's prices and sizes are to be read now.
    #[must_use]
    pub fn exponents(&self) -> Exponents {
        let told = self.publisher.exponents(self.handle);
        told.unwrap_or(self.origin.exponents)
    }

    /// Takes an event of the instrument.
    pub fn event(&mut self, seq: Seq, log_time: Nanos, event: &Event<'_>, now: Now) {
        let is_grouped = self.origin.key.params.group.is_some();
        let stood = (is_grouped && self.begun).then(|| self.position());
        // What the live publisher did not want, this one does not want either.
        let _unwanted = self
            .publisher
            .event(at(seq, log_time), self.handle, event, now);
        if is_grouped {
            self.follow_scale(stood, now.monotonic);
        }
        self.heard();
    }

    /// Gives up a grouped stream that the instrument's new scale does not hold. One that has not begun
    /// is watched again as soon as it fits.
    fn follow_scale(&mut self, stood: Option<Position>, now: Monotonic) {
        for watch in self.publisher.take_ended() {
            if stood.is_some() {
                self.rest = self.take(now);
                self.ended = stood;
            }
            self.publisher.unwatch(watch);
            self.watch = None;
        }
        if self.watch.is_none() && !self.begun {
            let _fits = self.watch(now);
        }
    }

    /// Returns whether the stream ended after it began: the instrument's new scale does not hold its
    /// step.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// A record of the instrument could not be read.
    pub fn refused(&mut self, seq: Seq, log_time: Nanos, scope: Scope, now: Now) {
        self.publisher
            .refused(at(seq, log_time), self.handle, scope, now);
        self.heard();
    }

    fn heard(&mut self) {
        if !self.begun && self.publisher.has_output() {
            let _before = self.publisher.flush(Monotonic(0));
        }
        if self.founded.is_none()
            && self
                .publisher
                .is_founded(self.handle, self.origin.key.channel)
        {
            self.founded = Some(self.position().seq);
        }
    }

    /// How much is known of the stream by now.
    #[must_use]
    pub fn foundation(&self) -> Foundation {
        let Some(founded) = self.founded else {
            return Foundation::Nothing;
        };
        let follows = match self.origin.key.channel {
            // The full raw book and trades speak at every record that founds them.
            market::Channel::Book if self.origin.key.params == ViewParams::default() => true,
            market::Channel::Trades => true,
            _ => self.position().seq > founded,
        };
        if follows {
            Foundation::Whole
        } else {
            Foundation::State
        }
    }

    /// Begins: what leads somebody without any state to where the stream stands. Its messages from
    /// here on are kept for [`Replay::take`].
    pub fn begin(&mut self, now: Now) -> Result<Joined, Refused> {
        let watch = self.watch(now.monotonic)?;
        let _before = self.publisher.flush(now.monotonic);
        self.begun = true;
        let joined = self.publisher.join(watch, None, now);
        joined.ok_or(Refused::UnknownInstrument)
    }

    /// Where the stream stands.
    #[must_use]
    pub fn position(&self) -> Position {
        let stands = match (self.ended, self.watch) {
            (Some(stood), _) => Some(stood),
            (None, Some(watch)) => self.publisher.position(watch),
            (None, None) => self
                .publisher
                .origin(&self.origin.key)
                .ok()
                .flatten()
                .map(|origin| origin.position),
        };
        stands.unwrap_or(Position {
            epoch: self.origin.position.epoch,
            seq: Seq::NONE,
        })
    }

    /// Bytes of messages that wait to be taken.
    #[must_use]
    pub fn pending(&self) -> usize {
        let rest = self.rest.as_ref().map_or(0, |rest| rest.len());
        rest + self.watch.map_or(0, |watch| self.publisher.pending(watch))
    }

    /// The messages since the last call, as one run; none when there was none.
    pub fn take(&mut self, now: Monotonic) -> Option<Arc<Run>> {
        if let Some(rest) = self.rest.take() {
            return Some(rest);
        }
        let runs = self.publisher.flush(now);
        // There is one watch, so there is one run.
        let run = Run::of(&runs.get(0)?.frames);
        self.messages += run.marks().len() as u64;
        Some(Arc::new(run))
    }

    /// Says that the stream goes on live behind `live`.
    pub fn complete(&mut self, live: Position, now: Now) -> Option<Arc<Run>> {
        let watch = self.watch?;
        self.publisher
            .replay_complete(watch, live, self.messages, now)
    }
}

const fn at(seq: Seq, log_time: Nanos) -> At {
    At {
        partition: PARTITION,
        seq,
        log_time,
    }
}
