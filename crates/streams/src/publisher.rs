//! The publisher: sole owner of its instruments' books, logs and views.

mod instrument_info;
mod ledger;
mod partitions;
mod rejected;
mod skipped;
mod stats;

mod identity;
mod shared;
mod source_partition;

mod heartbeat_timers;
mod last_heartbeat;
mod pending_frames;

mod outbox;

mod book_messages;
mod book_views;

mod throttled_views;

mod bars_feed;
mod bbo_feed;
mod book_feed;
mod status_feed;
mod ticker_feed;
mod trade_feed;

mod instrument;

mod heartbeat;
mod log_budget;
mod staleness;
mod totals;
mod writer;

mod resume;
mod resume_failure;
mod room;
mod start;

mod catch_up;
mod checkpoints;
mod join;
mod open_streams;
mod origin;

mod fetch;
mod report;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use market::{
    At, Channel, Event, Exponents, Handle, InstrumentId, InstrumentName, Monotonic, Nanos, Now,
    PartitionIdentity, PartitionIndex, Price, Scope, Seq, Size,
};
use wire::Encoding;

use crate::stamp::Stamp;
use crate::{Runs, Settings, StreamKey};

pub use catch_up::CaughtUp;
pub use checkpoints::RestoreError;
pub use fetch::Fetched;
pub use instrument_info::InstrumentInfo;
pub use join::{Joined, Start};
pub use ledger::Ledger;
pub use origin::Origin;
pub use outbox::Encoded;
pub use rejected::{Rejected, ViewsOf};
pub use report::{ChannelReport, LastMessage, Report};
pub use resume_failure::ResumeFailure;
pub use room::Room;
pub use skipped::Skipped;
pub use stats::Stats;

use fetch::CachedSnapshot;
use instrument::Instrument;
use partitions::{Partition, Partitions};
use shared::Shared;

/// Turns events into runs of frames for open streams, and keeps what resuming needs.
///
/// Invariants:
/// - Events come in the order of their partition; partitions may interleave in any way, since every
///   stream has one source partition.
/// - Between two calls of [`Publisher::flush`] the frames of a stream collect in one run.
/// - Only the monotonic clock decides what is due, late or quiet; the wall clock stamps messages
///   and may show anything. A monotonic time before an earlier one counts as the earlier one.
#[derive(Debug)]
pub struct Publisher {
    settings: Settings,
    instruments: Vec<Instrument>,
    by_id: HashMap<InstrumentId, Handle>,
    partitions: Partitions,
    shared: Shared,
    /// When to check whether an instrument is stale, soonest first.
    stale_checks: VecDeque<(Monotonic, Handle)>,
    next_log_check: Monotonic,
    /// The current limit of each book's log, in bytes.
    log_bound: usize,
    /// Instruments whose state, scale or sources changed since they were last taken.
    changed: Vec<Handle>,
    /// The snapshots that were fetched, for repeated fetches.
    snapshot_cache: HashMap<(StreamKey, Encoding), CachedSnapshot>,
}

impl Publisher {
    /// Creates a publisher without instruments.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            instruments: Vec::new(),
            by_id: HashMap::new(),
            partitions: Partitions::default(),
            shared: Shared::new(settings.heartbeat_after),
            stale_checks: VecDeque::new(),
            next_log_check: Monotonic(0),
            log_bound: settings.log_bytes,
            changed: Vec::new(),
            snapshot_cache: HashMap::new(),
        }
    }

    /// Adds an instrument, or finds it if it exists. Fails with the name of another instrument that
    /// has the same id.
    pub fn add_instrument(
        &mut self,
        name: &InstrumentName,
        exponents: Exponents,
        now: Monotonic,
    ) -> Result<Handle, InstrumentName> {
        self.shared.advance_to(now);
        let id = name.id();
        if let Some(handle) = self.by_id.get(&id).copied() {
            let known = &self.instruments[handle.0 as usize];
            return if known.name() == name {
                Ok(handle)
            } else {
                Err(known.name().clone())
            };
        }
        let handle = handle_at(self.instruments.len());
        self.instruments.push(Instrument::new(
            handle,
            name.clone(),
            exponents,
            &self.settings,
            self.shared.now(),
        ));
        self.by_id.insert(id, handle);
        if let Some(after) = self.settings.stale_after {
            self.schedule_stale_check(after, handle);
        }
        self.changed.push(handle);
        Ok(handle)
    }

    /// Sets the configured price and size steps of an instrument.
    pub fn set_steps(&mut self, handle: Handle, tick_size: Option<Price>, lot_size: Option<Size>) {
        if let Some(instrument) = self.instruments.get_mut(handle.0 as usize) {
            instrument.set_steps(tick_size, lot_size);
        }
    }

    /// The number of instruments.
    #[must_use]
    pub fn instruments(&self) -> usize {
        self.instruments.len()
    }

    /// The public properties of an instrument.
    #[must_use]
    pub fn info(&self, handle: Handle) -> Option<InstrumentInfo<'_>> {
        self.instruments
            .get(handle.0 as usize)
            .map(Instrument::info)
    }

    /// The scale with which the next record of an instrument is to be read.
    #[must_use]
    pub fn exponents(&self, handle: Handle) -> Option<Exponents> {
        Some(self.instruments.get(handle.0 as usize)?.exponents())
    }

    /// Takes the instruments whose [`Publisher::info`] may have changed since the last call.
    pub fn take_changed(&mut self) -> Vec<Handle> {
        std::mem::take(&mut self.changed)
    }

    /// Opens a partition, which is read from `start` on.
    pub fn open(&mut self, index: PartitionIndex, identity: PartitionIdentity, start: Seq) {
        self.partitions.open(index, identity, start);
    }

    /// Reopens a partition whose log restarts. Every instrument that is read from it starts over,
    /// in the epoch of the new identity.
    pub fn reopen(
        &mut self,
        index: PartitionIndex,
        identity: PartitionIdentity,
        start: Seq,
        now: Now,
    ) {
        self.shared.advance_to(now.monotonic);
        self.open(index, identity, start);
        self.for_readers_of(index, |instrument, shared, partition| {
            let base = Stamp::base(partition.base, now.wall);
            instrument.restart(index, &partition.identity, base, shared);
        });
    }

    /// Closes a partition that no longer exists. Instruments that are read from it stay as they are
    /// until another partition brings them, where they start in a new epoch.
    pub fn close(&mut self, index: PartitionIndex) {
        for instrument in &mut self.instruments {
            instrument.partition_gone(index);
        }
    }

    /// Notes that Kafka deleted records before they were read; reading continues at `next`.
    pub fn lost(&mut self, index: PartitionIndex, next: Seq, now: Now) {
        self.shared.advance_to(now.monotonic);
        let base = self.partitions.skip_to(index, next);
        self.for_readers_of(index, |instrument, shared, _| {
            instrument.lose_records(index, Stamp::base(base, now.wall), shared);
        });
    }

    /// Applies an event of an instrument and publishes what it changes.
    pub fn event(
        &mut self,
        at: At,
        handle: Handle,
        event: &Event<'_>,
        now: Now,
    ) -> Result<(), Skipped> {
        self.shared.advance_to(now.monotonic);
        let instrument = self
            .instruments
            .get_mut(handle.0 as usize)
            .ok_or(Skipped::NoInstrument(handle.0))?;
        let channel = match event {
            Event::Nothing => {
                self.shared.stats.ignored += 1;
                return Ok(());
            }
            Event::Trades { .. } => Channel::Trades,
            Event::Status { .. } | Event::Definition { .. } => Channel::Status,
            Event::Snapshot { .. } | Event::Delta { .. } => Channel::Book,
        };
        let before = instrument.state();
        match self.partitions.decide_source(at, instrument, channel) {
            Ok(None) => {}
            Ok(Some((partition, base))) => {
                let base = Stamp::base(base, now.wall);
                let identity = &partition.identity;
                instrument.move_source(channel, at.partition, identity, base, &mut self.shared);
            }
            Err(skipped) => {
                self.shared.stats.other_partition += 1;
                return Err(skipped);
            }
        }
        if !instrument.accept(channel, at) {
            self.shared.stats.repeated += 1;
            return Err(Skipped::Repeated(at.seq));
        }
        instrument.event(at, event, now.wall, &mut self.shared);
        if instrument.state() != before || instrument.take_changed() {
            self.changed.push(handle);
        }
        Ok(())
    }

    /// Notes that a record of an instrument could not be read.
    pub fn bad_record(&mut self, at: At, handle: Handle, scope: Scope, now: Now) {
        self.shared.advance_to(now.monotonic);
        let Some(instrument) = self.instruments.get_mut(handle.0 as usize) else {
            return;
        };
        let before = instrument.state();
        instrument.bad_record(at, scope, now.wall, &mut self.shared);
        if instrument.state() != before {
            self.changed.push(handle);
        }
    }

    /// Does what is due: throttled streams publish, quiet streams send heartbeats, quiet
    /// instruments become STALE, and logs are cut to their limits. [`Publisher::flush`] then hands
    /// over the frames.
    ///
    /// One call does a bounded amount of work. The rest stays due, as [`Publisher::next_due`] says.
    pub fn advance(&mut self, now: Now) {
        self.shared.advance_to(now.monotonic);
        self.publish_throttled(now.wall);
        self.check_stale(now.wall);
        // Last, since a stream that has just published needs no heartbeat.
        self.send_heartbeats(now.wall);
        self.check_logs();
    }

    /// When to call [`Publisher::advance`] next; in the past if there is more to do now.
    #[must_use]
    pub fn next_due(&self) -> Option<Monotonic> {
        let logs = (!self.instruments.is_empty()).then_some(self.next_log_check);
        let stale = self.stale_checks.front().map(|(due, _)| *due);
        let throttled = self.shared.throttles.next_due();
        let quiet = self.shared.out.next_timer();
        [logs, stale, throttled, quiet].into_iter().flatten().min()
    }

    /// Lets every stream publish whose interval is over and that has something to publish.
    fn publish_throttled(&mut self, now: Nanos) {
        while let Some(stream) = self.shared.throttles.next(self.shared.now()) {
            if let Some(instrument) = self.instruments.get_mut(stream.handle.0 as usize) {
                instrument.release(&stream, now, &mut self.shared);
            }
        }
    }

    /// Hands over the frames of every stream that has any, as one run each.
    pub fn flush(&mut self, now: Monotonic) -> Arc<Runs> {
        self.shared.advance_to(now);
        self.shared.out.flush()
    }

    /// Returns whether [`Publisher::flush`] would hand over anything.
    #[must_use]
    pub fn has_output(&self) -> bool {
        self.shared.out.has_output()
    }

    fn for_readers_of(
        &mut self,
        index: PartitionIndex,
        mut act: impl FnMut(&mut Instrument, &mut Shared, &Partition),
    ) {
        let Some(partition) = self.partitions.get(index) else {
            return;
        };
        for (number, instrument) in self.instruments.iter_mut().enumerate() {
            if instrument.reads(index) {
                act(instrument, &mut self.shared, partition);
                self.changed.push(handle_at(number));
            }
        }
    }
}

/// The handle of the instrument at an index.
fn handle_at(index: usize) -> Handle {
    Handle(u32::try_from(index).unwrap_or(u32::MAX))
}
