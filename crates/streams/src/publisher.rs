//! One publisher: the sole owner of its instruments' books, logs and views.

mod book_feed;
mod catch_up;
mod instrument;
mod join;
mod outbox;
mod place;
mod stats;
mod trade_feed;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use market::{Channel, Event, Exponents, InstrumentId, InstrumentName, Nanos, Reason, Seq, State};

use crate::{Handle, PartitionIdentity, Run, Settings, WatchId};

pub use catch_up::CaughtUp;
pub use join::{Joined, Refused, ResumeFailure, Start};
pub use place::{At, Scope};
pub use stats::Stats;

use instrument::Instrument;
use outbox::Outbox;
use place::{Bench, Place};

/// Turns events into runs of frames for whoever watches, and keeps what resuming needs.
///
/// Invariants:
/// - Events come in the order of their partition; partitions may interleave in any way, since
///   every stream has one home partition.
/// - Between two [`Publisher::flush`]es the frames of a stream collect in one run.
#[derive(Debug)]
pub struct Publisher {
    settings: Settings,
    instruments: Vec<Instrument>,
    by_id: HashMap<InstrumentId, Handle>,
    /// By the index that ingest gave the partition.
    partitions: Vec<Option<Partition>>,
    out: Outbox,
    bench: Bench,
    stats: Stats,
    /// When to look whether an instrument has gone quiet, soonest first.
    stale_checks: VecDeque<(Nanos, Handle)>,
    /// Instruments whose state, scale or homes changed since they were last asked for.
    changed: Vec<Handle>,
}

#[derive(Debug)]
struct Partition {
    identity: PartitionIdentity,
    /// What stands before the first record that is read of it.
    base: Seq,
}

/// Why an event was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unwanted {
    /// The partition was never opened.
    #[error("partition index {0} was not opened")]
    NotOpened(u32),
    /// The instrument is read from another partition.
    #[error("the instrument's {channel} is read from another partition")]
    OtherPartition {
        /// Which of its channels.
        channel: &'static str,
    },
    /// No such instrument.
    #[error("no instrument has handle {0}")]
    NoInstrument(u32),
}

impl Publisher {
    /// A publisher without instruments.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            instruments: Vec::new(),
            by_id: HashMap::new(),
            partitions: Vec::new(),
            out: Outbox::new(settings.heartbeat_after),
            bench: Bench::default(),
            stats: Stats::default(),
            stale_checks: VecDeque::new(),
            changed: Vec::new(),
        }
    }

    /// Adds an instrument; the same name twice is the same instrument. `Err` when another name
    /// has the same number.
    pub fn add_instrument(
        &mut self,
        name: &InstrumentName,
        exponents: Exponents,
        now: Nanos,
    ) -> Result<Handle, InstrumentName> {
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
            name.clone(),
            exponents,
            &self.settings,
            now,
        ));
        self.by_id.insert(id, handle);
        if let Some(after) = self.settings.stale_after {
            self.check_stale_again(now, after, handle);
        }
        self.changed.push(handle);
        Ok(handle)
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
    pub fn open(&mut self, index: u32, identity: PartitionIdentity, start: Seq) {
        let slot = index as usize;
        if self.partitions.len() <= slot {
            self.partitions.resize_with(slot + 1, || None);
        }
        self.partitions[slot] = Some(Partition {
            identity,
            base: Seq(start.0 - 1),
        });
    }

    /// The log of a partition begins anew: every instrument that is read from it starts over,
    /// in the epoch of the new identity.
    pub fn reopen(&mut self, index: u32, identity: PartitionIdentity, start: Seq, now: Nanos) {
        self.open(index, identity, start);
        self.for_home(index, |instrument, bench, out, stats, partition| {
            instrument.restart(
                index,
                &partition.identity,
                partition.base,
                now,
                bench,
                out,
                stats,
            );
        });
    }

    /// Kafka deleted records of a partition before they were read; reading goes on at `next`.
    pub fn lost(&mut self, index: u32, next: Seq, now: Nanos) {
        self.for_home(index, |instrument, bench, out, stats, _| {
            let place = Place::of_node(Seq(next.0 - 1), now);
            instrument.lose(index, &place, bench, out, stats);
        });
    }

    /// Takes an event of an instrument.
    pub fn event(
        &mut self,
        at: At,
        handle: Handle,
        event: &Event<'_>,
        now: Nanos,
    ) -> Result<(), Unwanted> {
        let instrument = self
            .instruments
            .get_mut(handle.0 as usize)
            .ok_or(Unwanted::NoInstrument(handle.0))?;
        let channel = match event {
            Event::Nothing => {
                self.stats.nothing += 1;
                return Ok(());
            }
            Event::Trades { .. } => Channel::Trades,
            _ => Channel::Book,
        };
        let before = instrument.state();
        match is_home(instrument, &self.partitions, at.partition, channel) {
            Ok(true) => {}
            Ok(false) => {
                if let Some(Some(here)) = self.partitions.get(at.partition as usize) {
                    let moment = Place {
                        seq: here.base,
                        event_time: None,
                        log_time: at.log_time,
                        now,
                    };
                    instrument.move_home(
                        channel,
                        at.partition,
                        &here.identity,
                        &moment,
                        &mut self.bench,
                        &mut self.out,
                    );
                }
            }
            Err(unwanted) => {
                self.stats.other_partition += 1;
                return Err(unwanted);
            }
        }
        instrument.event(
            at,
            event,
            now,
            &mut self.bench,
            &mut self.out,
            &mut self.stats,
        );
        if instrument.state() != before || instrument.take_fresh() {
            self.changed.push(handle);
        }
        Ok(())
    }

    /// A record of an instrument could not be read.
    pub fn refused(&mut self, at: At, handle: Handle, scope: Scope, now: Nanos) {
        let Some(instrument) = self.instruments.get_mut(handle.0 as usize) else {
            return;
        };
        let before = instrument.state();
        instrument.bad_record(
            at,
            scope,
            now,
            &mut self.bench,
            &mut self.out,
            &mut self.stats,
        );
        if instrument.state() != before {
            self.changed.push(handle);
        }
    }

    /// Does what time alone asks for: heartbeats, and STALE instruments.
    pub fn tick(&mut self, now: Nanos) {
        while let Some((due, handle)) = self.stale_checks.front().copied() {
            if due > now {
                break;
            }
            self.stale_checks.pop_front();
            let (Some(after), Some(instrument)) = (
                self.settings.stale_after,
                self.instruments.get_mut(handle.0 as usize),
            ) else {
                continue;
            };
            let quiet_from = instrument.last_heard().0.saturating_add(after);
            if quiet_from <= now.0 && instrument.go_stale(now, &mut self.bench, &mut self.out) {
                self.stats.went_stale += 1;
                self.changed.push(handle);
            }
            self.check_stale_again(now, after, handle);
        }
        while let Some((watch, handle, channel, params)) = self.out.next_quiet(now) {
            if let Some(instrument) = self.instruments.get(handle.0 as usize) {
                instrument.heartbeat(watch, channel, params, now, &mut self.bench, &mut self.out);
                self.stats.heartbeats += 1;
            }
        }
    }

    /// Hands over the frames of every stream that has any, as one run each.
    pub fn flush(&mut self, now: Nanos, mut give: impl FnMut(WatchId, Arc<Run>)) {
        self.out.flush(now, &mut give);
    }

    /// Whether [`Publisher::flush`] would hand over anything.
    #[must_use]
    pub fn has_output(&self) -> bool {
        self.out.has_output()
    }

    /// What has been counted.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// What has been encoded, in messages and bytes.
    #[must_use]
    pub const fn encoded(&self) -> (u64, u64) {
        self.out.encoded()
    }

    /// How many streams are watched.
    #[must_use]
    pub fn watched(&self) -> usize {
        self.out.watched()
    }

    /// Bytes that all logs and books hold; walks all instruments.
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
    fn check_stale_again(&mut self, now: Nanos, after: u64, handle: Handle) {
        let due = now.0.saturating_add(after / 4 + 1);
        self.stale_checks.push_back((Nanos(due), handle));
    }

    fn for_home(
        &mut self,
        index: u32,
        mut act: impl FnMut(&mut Instrument, &mut Bench, &mut Outbox, &mut Stats, &Partition),
    ) {
        let Some(Some(partition)) = self.partitions.get(index as usize) else {
            return;
        };
        for (number, instrument) in self.instruments.iter_mut().enumerate() {
            if instrument.lives_in(index) {
                act(
                    instrument,
                    &mut self.bench,
                    &mut self.out,
                    &mut self.stats,
                    partition,
                );
                self.changed
                    .push(Handle(u32::try_from(number).unwrap_or(u32::MAX)));
            }
        }
    }
}

/// What others may know of an instrument.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// Its name.
    pub name: &'a InstrumentName,
    /// Its scale.
    pub exponents: Exponents,
    /// How far it can be trusted.
    pub state: State,
    /// Why.
    pub reason: Reason,
    /// Whether its book has been seen.
    pub has_book: bool,
    /// Whether its trades have been seen.
    pub has_trades: bool,
}

/// Whether the instrument's channel may be read from this partition.
///
/// The first partition that brings it is its home. Where two bring it, the one that comes first
/// by topic and number wins, so that all nodes end with the same; the other's records are refused.
///
/// `Ok` tells whether it is its home already.
fn is_home(
    instrument: &Instrument,
    partitions: &[Option<Partition>],
    index: u32,
    channel: Channel,
) -> Result<bool, Unwanted> {
    let of = |index: u32| partitions.get(index as usize).and_then(Option::as_ref);
    let here = of(index).ok_or(Unwanted::NotOpened(index))?;
    match instrument.home(channel) {
        Some(home) if home == index => Ok(true),
        Some(home) if of(home).is_some_and(|home| !here.identity.comes_before(&home.identity)) => {
            Err(Unwanted::OtherPartition {
                channel: channel.name(),
            })
        }
        _ => Ok(false),
    }
}
