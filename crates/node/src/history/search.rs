//! Where to start reading so that the state at the requested start is known.

use std::time::Duration;

use fanout::{ReplayError, Wanted};
use ingest::{HistoryError, HistoryReader, Next};
use market::{Channel, Nanos, Seq};
use streams::{Knowledge, Replay};
use wire::control::{Earliest, Start};

use super::ReplayContext;
use super::feed::{Feed, Names};
use crate::clock::{monotonic, wall_clock};

/// How long one poll of a log waits.
pub(super) const POLL: Duration = Duration::from_millis(100);
/// Polls without a record before a log that has more is given up: 30 s in total.
const PATIENCE: u32 = 300;
/// Records between two checks whether the session is gone.
const RECORDS_A_LOOK: u64 = 1024;
/// How often the search doubles its distance for the predecessor of the first message once the state is known:
/// it does not read the rest of a quiet log for one number.
const MORE_LOOKS: u32 = 3;

/// The fraction of a log to leave out if its start moves (1/n).
const LEFT_OUT: i64 = 8;

/// Why a search or a replay ends early.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The session is gone.
    Left,
    /// The requested start is not available.
    No(ReplayError),
    /// The log cannot be read.
    Past(HistoryError),
    /// The client does not read.
    Stalled,
    /// The replay has reached its deadline.
    TooLong,
    /// The instrument's prices are of a scale that the stream's step does not fit.
    Unfit,
}

/// A replay positioned right before its start.
pub(super) struct Found {
    pub(super) past: HistoryReader,
    pub(super) replay: Replay,
    pub(super) names: Names,
    /// The state of the book is not in the log: only the live stream has it.
    pub(super) restarts: bool,
    /// The last record read.
    pub(super) read_to: Seq,
    /// The end offset of the log when it was last queried.
    pub(super) end: Seq,
    /// The Kafka client has reported the end of the partition, which it does once.
    pub(super) at_end: bool,
}

struct Search<'a> {
    context: &'a ReplayContext,
    wanted: &'a Wanted,
    past: HistoryReader,
    names: Names,
    first: Seq,
    end: Seq,
    at_end: bool,
}

/// The result of reading one stretch of the log.
struct Look {
    replay: Replay,
    read_to: Seq,
}

/// Reads up to right before the start, leaving out that fraction at the start of the log.
pub(super) fn find(
    context: &ReplayContext,
    wanted: &Wanted,
    margin: Option<i64>,
) -> Result<Found, Stopped> {
    let partition = &wanted.origin.partition;
    let mut past = HistoryReader::open(&context.readers, &partition.topic, partition.partition)?;
    let (first, end) = past.ends()?;
    let left_out = margin.map_or(0, |part| (end.0 - first.0) / part);
    let first = Seq(first.0 + left_out);
    let search = Search {
        context,
        wanted,
        past,
        names: Names::of(wanted.origin.name.clone()),
        first,
        end,
        at_end: false,
    };
    search.find()
}

impl Search<'_> {
    fn find(mut self) -> Result<Found, Stopped> {
        let begin = self.boundary()?;
        let until = if begin < self.end {
            self.log_time_at(begin)?
        } else {
            wall_clock()
        };
        let mut back = self.context.settings.look_back;
        let mut looked_from = None;
        let mut more_looks = MORE_LOOKS;
        loop {
            let from = self.offset_before(until, back, begin);
            back = back.saturating_mul(2);
            let is_all = from <= self.first;
            if looked_from == Some(from) && !is_all {
                continue;
            }
            looked_from = Some(from);
            let look = self.look(from, begin)?;
            let foundation = look.replay.knowledge();
            let is_found = match foundation {
                Knowledge::Complete => true,
                Knowledge::State => {
                    more_looks -= 1;
                    is_all || more_looks == 0
                }
                Knowledge::Nothing => is_all,
            };
            if !is_found {
                continue;
            }
            let needs_state = self.needs_state();
            let unknown = needs_state && foundation == Knowledge::Nothing;
            if unknown && begin < self.end {
                return Err(self.too_early(look));
            }
            return Ok(Found {
                past: self.past,
                replay: look.replay,
                names: self.names,
                restarts: unknown,
                read_to: look.read_to,
                end: self.end,
                at_end: self.at_end,
            });
        }
    }

    const fn needs_state(&self) -> bool {
        !matches!(self.wanted.origin.key.channel, Channel::Trades)
    }

    /// The offset of the first record to send.
    fn boundary(&mut self) -> Result<Seq, Stopped> {
        let trades = !self.needs_state();
        let begin = match self.wanted.start {
            Start::Seq(seq) if trades => {
                if seq < self.first && self.first > Seq(0) {
                    return Err(self.nothing_so_old()?);
                }
                seq
            }
            // The message at that position is part of the state.
            Start::Seq(seq) => Seq(seq.0.saturating_add(1)),
            Start::Time(time) => {
                let found = match self.past.first_since(time) {
                    Ok(Some(found)) => found,
                    Ok(None) if self.ends_before(time)? => self.end,
                    Ok(None) => self.scan_for(time)?,
                    Err(error) => {
                        tracing::debug!(%error, "no offsets by time; reading the log instead");
                        self.scan_for(time)?
                    }
                };
                let is_first = found <= self.first && self.first < self.end;
                if is_first && trades && self.log_time_at(self.first)? > time {
                    return Err(self.nothing_so_old()?);
                }
                found
            }
        };
        Ok(begin.clamp(self.first, self.end))
    }

    /// Returns whether the last record precedes that time. A broker without an index of times, such as
    /// librdkafka's mock, claims so of every time.
    fn ends_before(&mut self, time: Nanos) -> Result<bool, Stopped> {
        if self.first >= self.end {
            return Ok(true);
        }
        self.past.seek(Seq(self.end.0 - 1));
        let last = self.peek()?;
        Ok(last.is_none_or(|(_, log_time)| log_time < time))
    }

    /// The first record at or after that log time, for brokers without an index of times.
    fn scan_for(&mut self, time: Nanos) -> Result<Seq, Stopped> {
        let mut read_to = Seq(self.first.0 - 1);
        self.past.seek(self.first);
        while read_to.0 + 1 < self.end.0 {
            match self.next(&mut read_to)? {
                Some((seq, log_time)) if log_time >= time => return Ok(seq),
                Some(_) => self.past.skip(),
                None => break,
            }
        }
        Ok(self.end)
    }

    /// The log starts after the requested position; reports where.
    fn nothing_so_old(&mut self) -> Result<Stopped, Stopped> {
        if self.first >= self.end {
            return Ok(Stopped::No(ReplayError::TooEarly(None)));
        }
        let mut time = self.log_time_at(self.first)?;
        let seq = self.lasting_first()?;
        if seq > self.first {
            time = self.log_time_at(seq)?;
        }
        Ok(Stopped::No(ReplayError::TooEarly(Some(Earliest {
            time,
            seq,
        }))))
    }

    /// Where the log will still start when the client retries from there. A log that lost records during the
    /// search will lose more until then, so a part of it is left out.
    fn lasting_first(&mut self) -> Result<Seq, Stopped> {
        let (first, end) = self.past.ends()?;
        if first <= self.first {
            return Ok(self.first);
        }
        Ok(Seq(first.0 + (end.0 - first.0) / LEFT_OUT))
    }

    /// No state is known at the requested start; reports where the first one is.
    fn too_early(&mut self, mut look: Look) -> Stopped {
        let mut last = None;
        let least = match self.lasting_first() {
            Ok(least) => least,
            Err(end) => return end,
        };
        while look.replay.knowledge() == Knowledge::Nothing || look.read_to < least {
            match self.next(&mut look.read_to) {
                Ok(Some((seq, log_time))) => {
                    self.take(&mut look);
                    last = Some((seq, log_time));
                }
                Ok(None) => return Stopped::No(ReplayError::TooEarly(None)),
                Err(end) => return end,
            }
        }
        Stopped::No(ReplayError::TooEarly(last.map(|(seq, log_time)| {
            Earliest {
                // A start by time means the first record of that millisecond.
                time: Nanos(log_time.0.saturating_add(1_000_000)),
                seq,
            }
        })))
    }

    /// Where to start looking that far back; the start of the log if that is unknown.
    fn offset_before(&mut self, until: Nanos, back: Duration, begin: Seq) -> Seq {
        let back = u64::try_from(back.as_nanos()).unwrap_or(u64::MAX);
        let since = Nanos(until.0.saturating_sub(back));
        match self.past.first_since(since) {
            Ok(Some(found)) => found.clamp(self.first, begin),
            // A broker without an index of times says so of the oldest record too.
            Ok(None) if since == Nanos(0) => self.first,
            Ok(None) => begin,
            // Another kind of broker without an index of times.
            Err(error) => {
                tracing::debug!(%error, "no offsets by time; searching from the start of the log");
                self.first
            }
        }
    }

    /// Reads from `from` up to right before `begin`.
    fn look(&mut self, from: Seq, begin: Seq) -> Result<Look, Stopped> {
        let wanted = self.wanted;
        let (settings, encoding) = (&self.context.streams, wanted.encoding);
        let replay = Replay::new(&wanted.origin, encoding, settings, from, monotonic())
            .map_err(|_| Stopped::No(ReplayError::Unreadable))?;
        let mut look = Look {
            replay,
            read_to: Seq(from.0 - 1),
        };
        self.past.seek(from);
        self.at_end = false;
        let mut records = 0;
        while look.read_to.0 + 1 < self.end.0 {
            let Some((seq, _)) = self.peek()? else {
                break;
            };
            if seq >= begin {
                break;
            }
            look.read_to = seq;
            self.take(&mut look);
            records += 1;
            if records % RECORDS_A_LOOK == 0 {
                self.check_left()?;
            }
        }
        self.context.read(records);
        Ok(look)
    }

    fn take(&mut self, look: &mut Look) {
        self.past.take(&mut Feed {
            replay: &mut look.replay,
            names: &mut self.names,
            instruments: &self.context.instruments,
        });
    }

    fn next(&mut self, read_to: &mut Seq) -> Result<Option<(Seq, Nanos)>, Stopped> {
        let next = self.peek()?;
        if let Some((seq, _)) = next {
            *read_to = seq;
        }
        Ok(next)
    }

    /// The next record; `None` at the end.
    fn peek(&mut self) -> Result<Option<(Seq, Nanos)>, Stopped> {
        for _ in 0..PATIENCE {
            match self.past.next(POLL)? {
                Next::Record { seq, log_time } => return Ok(Some((seq, log_time))),
                Next::End => {
                    self.at_end = true;
                    return Ok(None);
                }
                Next::Nothing => self.check_left()?,
            }
        }
        Err(Stopped::No(ReplayError::Unreadable))
    }

    /// The log time of the record at an offset, or of the next one.
    fn log_time_at(&mut self, seq: Seq) -> Result<Nanos, Stopped> {
        self.past.seek(seq);
        let next = self.peek()?;
        Ok(next.map_or_else(wall_clock, |(_, log_time)| log_time))
    }

    fn check_left(&self) -> Result<(), Stopped> {
        match self.wanted.receiver.command(Duration::ZERO) {
            Ok(_) => Ok(()),
            Err(fanout::SessionGone) => Err(Stopped::Left),
        }
    }
}

impl From<HistoryError> for Stopped {
    fn from(error: HistoryError) -> Self {
        Self::Past(error)
    }
}

impl From<fanout::SessionGone> for Stopped {
    fn from(_: fanout::SessionGone) -> Self {
        Self::Left
    }
}
