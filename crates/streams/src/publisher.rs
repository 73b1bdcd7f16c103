//! One publisher: the sole owner of its instruments' books, logs and views.

mod about;
mod ledger;
mod partitions;
mod stats;

mod desk;
mod home;
mod identity;

mod looks;
mod waiting;

mod outbox;

mod book_messages;
mod book_views;

mod paced;

mod bars_feed;
mod bbo_feed;
mod book_feed;
mod status_feed;
mod ticker_feed;
mod trade_feed;

mod instrument;

mod heartbeat;
mod writer;

mod resume;
mod start;

mod catch_up;
mod checkpoints;
mod join;
mod origin;
mod watch;

mod fetch;
mod report;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use market::{
    At, Channel, Event, Exponents, Handle, InstrumentId, InstrumentName, Monotonic, Nanos, Now,
    PartitionIdentity, PartitionIndex, Price, Scope, Seq, Size, State,
};
use wire::Encoding;

use crate::deadline::round_up;
use crate::place::Place;
use crate::{Runs, Settings, StreamKey};

pub use about::About;
pub use catch_up::CaughtUp;
pub use checkpoints::NotRestored;
pub use fetch::Fetched;
pub use join::{Joined, ResumeFailure, Room, Start};
pub use ledger::Ledger;
pub use origin::Origin;
pub use outbox::Encoded;
pub use partitions::Unwanted;
pub use report::{LastMessage, Report, Source};
pub use stats::Stats;
pub use watch::{Refused, ViewsOf};

use desk::{Desk, ViewTotals};
use fetch::Kept;
use instrument::Instrument;
use partitions::{Partition, Partitions};

/// How often the size of all logs is looked at; between two looks they can grow by what a second
/// of the market is, some MiB.
const LOG_CHECK: Duration = Duration::from_secs(1);
/// Instruments that one call looks at, to find whether they have gone quiet: some tens of
/// microseconds of work. The others stay due.
const STALE_CHECKS_AT_ONCE: usize = 1024;
/// What the log of a book may have however many there are.
const LEAST_LOG: usize = 16 * 1024;

/// Turns events into runs of frames for whoever watches, and keeps what resuming needs.
///
/// Invariants:
/// - Events come in the order of their partition; partitions may interleave in any way, since
///   every stream has one home partition.
/// - Between two [`Publisher::flush`]es the frames of a stream collect in one run.
/// - What is due, late or quiet is decided by the monotonic clock alone; the wall clock stamps
///   messages and may show anything. A monotonic time that is earlier than one before it counts as
///   that one.
#[derive(Debug)]
pub struct Publisher {
    settings: Settings,
    instruments: Vec<Instrument>,
    by_id: HashMap<InstrumentId, Handle>,
    partitions: Partitions,
    desk: Desk,
    /// When to look whether an instrument has gone quiet, soonest first.
    stale_checks: VecDeque<(Monotonic, Handle)>,
    next_log_check: Monotonic,
    /// What the log of each book may have at the moment.
    log_bound: usize,
    /// Instruments whose state, scale or homes changed since they were last asked for.
    changed: Vec<Handle>,
    /// Whole states that were fetched, for those who fetch the same again.
    kept: HashMap<(StreamKey, Encoding), Kept>,
}

impl Publisher {
    /// A publisher without instruments.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            instruments: Vec::new(),
            by_id: HashMap::new(),
            partitions: Partitions::default(),
            desk: Desk::new(settings.heartbeat_after),
            stale_checks: VecDeque::new(),
            next_log_check: Monotonic(0),
            log_bound: settings.log_bytes,
            changed: Vec::new(),
            kept: HashMap::new(),
        }
    }

    /// Adds an instrument; the same name twice is the same instrument. `Err` when another name
    /// has the same number.
    pub fn add_instrument(
        &mut self,
        name: &InstrumentName,
        exponents: Exponents,
        now: Monotonic,
    ) -> Result<Handle, InstrumentName> {
        self.desk.advance_to(now);
        let id = name.id();
        if let Some(handle) = self.by_id.get(&id).copied() {
            let known = &self.instruments[handle.0 as usize];
            return if known.name() == name {
                Ok(handle)
            } else {
                Err(known.name().clone())
            };
        }
        let index = u32::try_from(self.instruments.len()).unwrap_or(u32::MAX);
        let handle = Handle(index);
        self.instruments.push(Instrument::new(
            handle,
            name.clone(),
            exponents,
            &self.settings,
            self.desk.now(),
        ));
        self.by_id.insert(id, handle);
        if let Some(after) = self.settings.stale_after {
            self.check_stale_again(after, handle);
        }
        self.changed.push(handle);
        Ok(handle)
    }

    /// The steps of an instrument's prices and sizes, as far as they are configured.
    pub fn set_steps(&mut self, handle: Handle, tick_size: Option<Price>, lot_size: Option<Size>) {
        if let Some(instrument) = self.instruments.get_mut(handle.0 as usize) {
            instrument.set_steps(tick_size, lot_size);
        }
    }

    /// How many instruments there are.
    #[must_use]
    pub fn instruments(&self) -> usize {
        self.instruments.len()
    }

    /// An instrument's name, scale and state, and whether its book and its trades have been seen.
    #[must_use]
    pub fn about(&self, handle: Handle) -> Option<About<'_>> {
        self.instruments
            .get(handle.0 as usize)
            .map(Instrument::about)
    }

    /// The scale by which an instrument's prices and sizes are to be read now.
    #[must_use]
    pub fn exponents(&self, handle: Handle) -> Option<Exponents> {
        Some(self.instruments.get(handle.0 as usize)?.exponents())
    }

    /// The instruments of which [`Publisher::about`] may say something new since the last call.
    pub fn take_changed(&mut self) -> Vec<Handle> {
        std::mem::take(&mut self.changed)
    }

    /// A partition is read from `start` on.
    pub fn open(&mut self, index: PartitionIndex, identity: PartitionIdentity, start: Seq) {
        self.partitions.open(index, identity, start);
    }

    /// The log of a partition begins anew: every instrument that is read from it starts over,
    /// in the epoch of the new identity.
    pub fn reopen(
        &mut self,
        index: PartitionIndex,
        identity: PartitionIdentity,
        start: Seq,
        now: Now,
    ) {
        self.desk.advance_to(now.monotonic);
        self.open(index, identity, start);
        self.for_home(index, |instrument, desk, partition| {
            let base = Place::before(partition.base, now.wall);
            instrument.restart(index, &partition.identity, base, desk);
        });
    }

    /// A partition no longer exists. What is read from it stays as it is until another partition brings
    /// it: there it begins in a new epoch.
    pub fn close(&mut self, index: PartitionIndex) {
        for instrument in &mut self.instruments {
            instrument.give_up(index);
        }
    }

    /// Kafka deleted records of a partition before they were read; reading goes on at `next`.
    pub fn lost(&mut self, index: PartitionIndex, next: Seq, now: Now) {
        self.desk.advance_to(now.monotonic);
        let base = self.partitions.pass(index, next);
        self.for_home(index, |instrument, desk, _| {
            instrument.lose(index, Place::before(base, now.wall), desk);
        });
    }

    /// Takes an event of an instrument.
    pub fn event(
        &mut self,
        at: At,
        handle: Handle,
        event: &Event<'_>,
        now: Now,
    ) -> Result<(), Unwanted> {
        self.desk.advance_to(now.monotonic);
        let instrument = self
            .instruments
            .get_mut(handle.0 as usize)
            .ok_or(Unwanted::NoInstrument(handle.0))?;
        let channel = match event {
            Event::Nothing => {
                self.desk.stats.nothing += 1;
                return Ok(());
            }
            Event::Trades { .. } => Channel::Trades,
            Event::Status { .. } | Event::Definition { .. } => Channel::Status,
            Event::Snapshot { .. } | Event::Delta { .. } => Channel::Book,
        };
        let before = instrument.state();
        match self.partitions.claim(at, instrument, channel) {
            Ok(None) => {}
            Ok(Some((home, base))) => {
                let base = Place::before(base, now.wall);
                let index = at.partition;
                instrument.move_home(channel, index, &home.identity, base, &mut self.desk);
            }
            Err(unwanted) => {
                self.desk.stats.other_partition += 1;
                return Err(unwanted);
            }
        }
        if !instrument.hear(channel, at) {
            self.desk.stats.repeated += 1;
            return Err(Unwanted::Repeated(at.seq));
        }
        instrument.event(at, event, now.wall, &mut self.desk);
        if instrument.state() != before || instrument.take_fresh() {
            self.changed.push(handle);
        }
        Ok(())
    }

    /// A record of an instrument could not be read.
    pub fn refused(&mut self, at: At, handle: Handle, scope: Scope, now: Now) {
        self.desk.advance_to(now.monotonic);
        let Some(instrument) = self.instruments.get_mut(handle.0 as usize) else {
            return;
        };
        let before = instrument.state();
        instrument.bad_record(at, scope, now.wall, &mut self.desk);
        if instrument.state() != before {
            self.changed.push(handle);
        }
    }

    /// Does what is due: throttled streams publish whose interval is over, streams that have been
    /// quiet send heartbeats, instruments that have gone quiet become STALE, and all logs are made
    /// to fit. [`Publisher::flush`] then hands over what was said.
    ///
    /// One call does a bounded share of it; what is left stays due, and [`Publisher::next_due`]
    /// says so.
    pub fn advance(&mut self, now: Now) {
        self.desk.advance_to(now.monotonic);
        self.publish_throttled(now.wall);
        self.check_stale(now.wall);
        // Last, since what has just sent something needs none.
        self.send_heartbeats(now.wall);
        self.check_logs();
    }

    /// When [`Publisher::advance`] is to be called next, if nothing happens before; a time that has
    /// passed if it has more to do at once.
    #[must_use]
    pub fn next_due(&self) -> Option<Monotonic> {
        let logs = (!self.instruments.is_empty()).then_some(self.next_log_check);
        let stale = self.stale_checks.front().map(|(due, _)| *due);
        let (streams, quiet) = (self.desk.paces.next_due(), self.desk.out.next_look());
        [logs, stale, streams, quiet].into_iter().flatten().min()
    }

    /// Lets every stream publish whose interval is over and that has anything to say.
    fn publish_throttled(&mut self, now: Nanos) {
        while let Some(resting) = self.desk.paces.next(self.desk.now()) {
            if let Some(instrument) = self.instruments.get_mut(resting.handle.0 as usize) {
                instrument.wake_stream(&resting, now, &mut self.desk);
            }
        }
    }

    /// Finds the instruments that have gone quiet.
    fn check_stale(&mut self, now: Nanos) {
        let at = self.desk.now();
        for _ in 0..STALE_CHECKS_AT_ONCE {
            let next = self.stale_checks.pop_front_if(|(due, _)| *due <= at);
            let Some((_, handle)) = next else {
                return;
            };
            let (Some(after), Some(instrument)) = (
                self.settings.stale_after,
                self.instruments.get_mut(handle.0 as usize),
            ) else {
                continue;
            };
            let is_quiet = at.since(instrument.last_well()) >= after;
            if is_quiet && instrument.go_stale(now, &mut self.desk) {
                self.desk.stats.went_stale += 1;
                self.changed.push(handle);
            }
            self.check_stale_again(after, handle);
        }
    }

    /// Lets all logs fit the budget, once a second.
    fn check_logs(&mut self) {
        if self.desk.now() < self.next_log_check {
            return;
        }
        self.next_log_check = self.desk.now() + LOG_CHECK;
        debug_assert_eq!(
            self.desk.log_bytes,
            self.instruments
                .iter()
                .map(Instrument::log_bytes)
                .sum::<usize>(),
            "logs are counted wherever they may have grown"
        );
        debug_assert_eq!(
            self.desk.views,
            self.instruments
                .iter()
                .fold(ViewTotals::default(), |mut all, instrument| {
                    all.add(instrument.views());
                    all
                }),
            "views are counted wherever they may have changed"
        );
        self.bound_logs();
    }

    /// The log itself is not heard any more: all that is live goes stale, however short a time ago
    /// it spoke last.
    pub fn lose_touch(&mut self, now: Now) {
        self.desk.advance_to(now.monotonic);
        for (number, instrument) in self.instruments.iter_mut().enumerate() {
            if instrument.go_stale(now.wall, &mut self.desk) {
                self.desk.stats.went_stale += 1;
                self.changed
                    .push(Handle(u32::try_from(number).unwrap_or(u32::MAX)));
            }
        }
    }

    /// The log is heard again, and all that it has was read: what was quiet for no longer than
    /// instruments may be is live again, also when nothing was said of it meanwhile.
    pub fn regain_touch(&mut self, now: Now) {
        self.desk.advance_to(now.monotonic);
        let (at, after) = (self.desk.now(), self.settings.stale_after);
        for (number, instrument) in self.instruments.iter_mut().enumerate() {
            let is_well = after.is_none_or(|after| at.since(instrument.last_well()) < after);
            if is_well && instrument.go_live(now.wall, &mut self.desk) {
                self.changed
                    .push(Handle(u32::try_from(number).unwrap_or(u32::MAX)));
            }
        }
    }

    /// Lets every log have its full size while all together fit the budget, else its share.
    fn bound_logs(&mut self) {
        let all = self.desk.log_bytes;
        let full = self.settings.log_bytes;
        // A book's log and those of its best bid and offer and of its trades: one and two quarters.
        let shares = (self.instruments.len() * 3 / 2).max(1);
        let share = (self.settings.log_budget / shares).clamp(LEAST_LOG.min(full), full);
        let scarce = all > self.settings.log_budget;
        if scarce || self.log_bound != full && all < self.settings.log_budget / 2 {
            self.log_bound = if scarce { share } else { full };
            for instrument in &mut self.instruments {
                instrument.bound_logs(self.log_bound, &mut self.desk);
            }
        }
    }

    /// Hands over the frames of every stream that has any, as one run each.
    pub fn flush(&mut self, now: Monotonic) -> Arc<Runs> {
        self.desk.advance_to(now);
        self.desk.out.flush()
    }

    /// Whether [`Publisher::flush`] would hand over anything.
    #[must_use]
    pub fn has_output(&self) -> bool {
        self.desk.out.has_output()
    }

    /// What has been counted.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.desk.stats
    }

    /// How much has been written in that encoding.
    #[must_use]
    pub const fn encoded(&self, encoding: Encoding) -> Encoded {
        self.desk.out.encoded(encoding)
    }

    /// How much has been written in all encodings.
    #[must_use]
    pub fn encoded_in_all(&self) -> Encoded {
        let mut all = Encoded::default();
        for encoding in Encoding::ALL {
            let encoded = self.encoded(encoding);
            all.messages += encoded.messages;
            all.bytes += encoded.bytes;
        }
        all
    }

    /// How many streams are watched.
    #[must_use]
    pub fn watched(&self) -> usize {
        self.desk.out.watched()
    }

    /// What single subscribers and those who ask once have cost so far, in about nanoseconds: levels
    /// read and bytes written, each counted at what it takes. Whoever carries out requests ends its
    /// turn by it.
    #[must_use]
    pub const fn work(&self) -> u64 {
        self.desk.out.work
    }

    /// How many views there are: streams other than the full raw ones, each once however many watch it.
    #[must_use]
    pub const fn views(&self) -> usize {
        self.desk.views.open
    }

    /// Bytes that the views of books hold.
    #[must_use]
    pub const fn view_bytes(&self) -> usize {
        self.desk.views.bytes
    }

    /// Bytes that all logs, views and books hold; walks all instruments.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.instruments.iter().map(Instrument::memory).sum()
    }

    /// How many instruments are in each state, in the order of [`State::ALL`].
    #[must_use]
    pub fn states(&self) -> [usize; State::ALL.len()] {
        let mut counts = [0; State::ALL.len()];
        for instrument in &self.instruments {
            for (count, state) in counts.iter_mut().zip(State::ALL) {
                *count += usize::from(instrument.state().0 == state);
            }
        }
        counts
    }

    /// Every look is the same time after the one before, so that the queue stays in order.
    fn check_stale_again(&mut self, after: Duration, handle: Handle) {
        let due = round_up(self.desk.now(), after / 4, after);
        self.stale_checks.push_back((due, handle));
    }

    fn for_home(
        &mut self,
        index: PartitionIndex,
        mut act: impl FnMut(&mut Instrument, &mut Desk, &Partition),
    ) {
        let Some(partition) = self.partitions.get(index) else {
            return;
        };
        for (number, instrument) in self.instruments.iter_mut().enumerate() {
            if instrument.reads(index) {
                act(instrument, &mut self.desk, partition);
                self.changed
                    .push(Handle(u32::try_from(number).unwrap_or(u32::MAX)));
            }
        }
    }
}
