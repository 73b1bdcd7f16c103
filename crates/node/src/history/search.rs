//! Where to begin to read, so that the state at the start is known.

use std::time::Duration;

use fanout::{ReplayError, Wanted};
use ingest::{HistoryError, HistoryReader, Next};
use market::{Channel, Nanos, Seq};
use streams::{Knowledge, Replay};
use wire::control::{Earliest, Start};

use super::Common;
use super::feed::{Feed, Names};
use crate::clock::{monotonic, wall_clock};

/// How long a log is waited for at a time.
pub(super) const POLL: Duration = Duration::from_millis(100);
/// How often a log that has records is asked for the next one before it is given up: 30 s in all.
const PATIENCE: u32 = 300;
/// Records after which it is looked whether the session has left.
const RECORDS_A_LOOK: u64 = 1024;
/// How often it is looked twice as far back for what the first message followed on, once the state
/// is known: the rest of a quiet log is not read for one number.
const MORE_LOOKS: u32 = 3;

/// The part of a log that is left out where its beginning moves: 1 of so many.
const LEFT_OUT: i64 = 8;

/// Why a search or a replay ends early.
#[derive(Debug)]
pub(super) enum End {
    /// The session has left.
    Left,
    /// The start cannot be had.
    No(ReplayError),
    /// The log cannot be read.
    Past(HistoryError),
    /// The client does not read what it was sent.
    Stalled,
    /// It has taken as long as a replay may.
    TooLong,
}

/// A replay that stands right before its start.
pub(super) struct Found {
    pub(super) past: HistoryReader,
    pub(super) replay: Replay,
    pub(super) names: Names,
    /// The state of a book that nobody could find in the log: the live stream has to tell it.
    pub(super) restarts: bool,
    /// The last record that was read.
    pub(super) read_to: Seq,
    /// The offset behind the log's end, as it was told last.
    pub(super) end: Seq,
    /// The client has said that there is no more; it says that once.
    pub(super) at_end: bool,
}

struct Search<'a> {
    common: &'a Common,
    wanted: &'a Wanted,
    past: HistoryReader,
    names: Names,
    first: Seq,
    end: Seq,
    at_end: bool,
}

/// What one look found.
struct Look {
    replay: Replay,
    read_to: Seq,
}

/// Reads up to right before the start, in a log of which that part is left out at the beginning.
pub(super) fn find(common: &Common, wanted: &Wanted, margin: Option<i64>) -> Result<Found, End> {
    let partition = &wanted.origin.partition;
    let mut past = HistoryReader::open(&common.readers, &partition.topic, partition.partition)?;
    let (first, end) = past.ends()?;
    let left_out = margin.map_or(0, |part| (end.0 - first.0) / part);
    let first = Seq(first.0 + left_out);
    let search = Search {
        common,
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
    fn find(mut self) -> Result<Found, End> {
        let begin = self.boundary()?;
        let until = if begin < self.end {
            self.log_time_at(begin)?
        } else {
            wall_clock()
        };
        let mut back = self.common.settings.look_back;
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

    /// The first record that is sent, or where it would be.
    fn boundary(&mut self) -> Result<Seq, End> {
        let trades = !self.needs_state();
        let begin = match self.wanted.start {
            Start::Seq(seq) if trades => {
                if seq < self.first && self.first > Seq(0) {
                    return Err(self.nothing_so_old()?);
                }
                seq
            }
            // Its own message is part of the state.
            Start::Seq(seq) => Seq(seq.0.saturating_add(1)),
            Start::Time(time) => {
                let found = match self.past.first_since(time) {
                    Ok(Some(found)) => found,
                    Ok(None) if self.ends_before(time)? => self.end,
                    Ok(None) => self.scan_for(time)?,
                    Err(error) => {
                        tracing::debug!(%error, "no offsets by time; reads the log for it");
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

    /// Whether the last record came before that time. A broker that keeps no times, as librdkafka's
    /// mock, says of every time that nothing came since.
    fn ends_before(&mut self, time: Nanos) -> Result<bool, End> {
        if self.first >= self.end {
            return Ok(true);
        }
        self.past.seek(Seq(self.end.0 - 1));
        let last = self.peek()?;
        Ok(last.is_none_or(|(_, log_time)| log_time < time))
    }

    /// The first record of that log time or later, in the log of a broker that keeps no times.
    fn scan_for(&mut self, time: Nanos) -> Result<Seq, End> {
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

    /// That the log begins later than the start, and where.
    fn nothing_so_old(&mut self) -> Result<End, End> {
        if self.first >= self.end {
            return Ok(End::No(ReplayError::TooEarly(None)));
        }
        let mut time = self.log_time_at(self.first)?;
        let seq = self.lasting_first()?;
        if seq > self.first {
            time = self.log_time_at(seq)?;
        }
        Ok(End::No(ReplayError::TooEarly(Some(Earliest { time, seq }))))
    }

    /// Where the log still begins when a client comes back to start there. One that has lost records
    /// since the search began loses more until then, so a part of it is left out.
    fn lasting_first(&mut self) -> Result<Seq, End> {
        let (first, end) = self.past.ends()?;
        if first <= self.first {
            return Ok(self.first);
        }
        Ok(Seq(first.0 + (end.0 - first.0) / LEFT_OUT))
    }

    /// That no state is known at the start, and where the first one is.
    fn too_early(&mut self, mut look: Look) -> End {
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
                Ok(None) => return End::No(ReplayError::TooEarly(None)),
                Err(end) => return end,
            }
        }
        End::No(ReplayError::TooEarly(last.map(|(seq, log_time)| {
            Earliest {
                // A start by time begins with the first record of its millisecond.
                time: Nanos(log_time.0.saturating_add(1_000_000)),
                seq,
            }
        })))
    }

    /// Where to begin to look so far back; the log's beginning where that is not known.
    fn offset_before(&mut self, until: Nanos, back: Duration, begin: Seq) -> Seq {
        let back = u64::try_from(back.as_nanos()).unwrap_or(u64::MAX);
        let since = Nanos(until.0.saturating_sub(back));
        match self.past.first_since(since) {
            Ok(Some(found)) => found.clamp(self.first, begin),
            // A broker that keeps no times says so of the oldest one too.
            Ok(None) if since == Nanos(0) => self.first,
            Ok(None) => begin,
            // Another that keeps none.
            Err(error) => {
                tracing::debug!(%error, "no offsets by time; looks from the log's beginning");
                self.first
            }
        }
    }

    /// Reads from `from` up to right before `begin`.
    fn look(&mut self, from: Seq, begin: Seq) -> Result<Look, End> {
        let wanted = self.wanted;
        let (settings, encoding) = (&self.common.streams, wanted.encoding);
        let replay = Replay::new(&wanted.origin, encoding, settings, from, monotonic())
            .map_err(|_| End::No(ReplayError::Unreadable))?;
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
        self.common.read(records);
        Ok(look)
    }

    fn take(&mut self, look: &mut Look) {
        self.past.take(&mut Feed {
            replay: &mut look.replay,
            names: &mut self.names,
            instruments: &self.common.instruments,
        });
    }

    fn next(&mut self, read_to: &mut Seq) -> Result<Option<(Seq, Nanos)>, End> {
        let next = self.peek()?;
        if let Some((seq, _)) = next {
            *read_to = seq;
        }
        Ok(next)
    }

    /// The next record; none at the end.
    fn peek(&mut self) -> Result<Option<(Seq, Nanos)>, End> {
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
        Err(End::No(ReplayError::Unreadable))
    }

    /// When the record at an offset, or the next one, came into the log.
    fn log_time_at(&mut self, seq: Seq) -> Result<Nanos, End> {
        self.past.seek(seq);
        let next = self.peek()?;
        Ok(next.map_or_else(wall_clock, |(_, log_time)| log_time))
    }

    fn check_left(&self) -> Result<(), End> {
        match self.wanted.receiver.command(Duration::ZERO) {
            Ok(_) => Ok(()),
            Err(fanout::SessionGone) => Err(End::Left),
        }
    }
}

impl From<HistoryError> for End {
    fn from(error: HistoryError) -> Self {
        Self::Past(error)
    }
}

impl From<fanout::SessionGone> for End {
    fn from(_: fanout::SessionGone) -> Self {
        Self::Left
    }
}
