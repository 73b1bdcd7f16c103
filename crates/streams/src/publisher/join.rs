use std::sync::Arc;

use market::{Exponents, Handle, Now, Position, Seq};
use wire::View;

use super::Publisher;
use super::resume::write_missed;
use super::start::write_start;
use super::writer::Writer;
use crate::{Run, WatchId};

/// What a new subscriber of a stream begins with.
#[derive(Debug, Clone)]
pub struct Joined {
    /// The frames that lead it to `position`; none when it stands there already.
    pub run: Option<Arc<Run>>,
    /// Where the stream's next run follows on.
    pub position: Position,
    /// The stream's mark in its messages.
    pub view: View,
    /// The instrument's scale.
    pub exponents: Exponents,
    /// How it begins.
    pub start: Start,
    /// There is more, for which it is to ask: from `position` where it resumed, else all of it.
    pub more: bool,
}

/// How much of what a subscriber begins with is wanted at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// Nothing yet: only how it would begin.
    None,
    /// A page of the messages that it missed. A whole state is not divided: all who begin at the
    /// same place share it.
    Page,
    /// All.
    All,
}

impl Room {
    /// Bytes of a page: with what a session may hold when it asks for one, less than 64 KiB. A page ends after the
    /// message that crosses this.
    const PAGE: usize = 32 * 1024;

    /// Whether there is room after so many bytes.
    pub(super) const fn is_left(self, bytes: usize) -> bool {
        match self {
            Self::None => false,
            Self::Page => bytes < Self::PAGE,
            Self::All => true,
        }
    }
}

/// How a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the whole state; why it could not resume, where it asked to.
    Snapshot(Option<ResumeFailure>),
    /// With exactly what it missed.
    Resumed,
}

/// Why a subscriber could not go on where it stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResumeFailure {
    /// Its sequence number is of another numbering.
    EpochChanged,
    /// What follows its sequence number is no longer held, or was never read here.
    LogExceeded,
    /// This node has not read as far.
    AheadOfLog,
    /// The instrument has had no right state here yet.
    NoState,
}

impl ResumeFailure {
    /// The name that clients are told.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EpochChanged => "epoch_changed",
            Self::LogExceeded => "log_exceeded",
            Self::AheadOfLog => "ahead_of_log",
            Self::NoState => "no_state",
        }
    }
}

impl Publisher {
    /// Makes a stream that speaks only so often say what it has not said, if `seq` is beyond its
    /// last message: nobody who stands there could follow it otherwise. Whether it said anything,
    /// which [`Publisher::flush`] then hands over.
    pub fn speak_to(&mut self, id: WatchId, seq: Seq, now: Now) -> bool {
        self.desk.advance_to(now.monotonic);
        let Some(watch) = self.desk.out.get(id) else {
            return false;
        };
        let (channel, params, Handle(index)) = (watch.key.channel, watch.key.params, watch.handle);
        let Some(instrument) = self.instruments.get_mut(index as usize) else {
            return false;
        };
        let (_, last) = instrument.place(channel, params);
        seq > last.seq && instrument.speak(channel, params, now.wall, &mut self.desk)
    }

    /// Lets a subscriber into a watched stream, after all that was published: so
    /// [`Publisher::flush`] comes first, and who joins does not get the runs of that flush.
    pub fn join(&mut self, id: WatchId, resume: Option<Position>, now: Now) -> Option<Joined> {
        self.join_as_far(id, resume, Room::All, now)
    }

    /// Likewise, with as much of what it begins with as there is room for.
    pub fn join_as_far(
        &mut self,
        id: WatchId,
        resume: Option<Position>,
        room: Room,
        now: Now,
    ) -> Option<Joined> {
        self.desk.advance_to(now.monotonic);
        let watch = self.desk.out.get(id)?;
        let (key, encoding, Handle(index)) = (watch.key, watch.encoding, watch.handle);
        let instrument = self.instruments.get(index as usize)?;
        let (epoch, last) = instrument.place(key.channel, key.params);
        let mut joined = Joined {
            run: None,
            position: Position {
                epoch,
                seq: last.seq,
            },
            view: View::from(key.params),
            exponents: instrument.exponents(),
            start: Start::Resumed,
            more: false,
        };
        let desk = &mut self.desk;
        let failure = if let Some(from) = resume {
            let mut writer = Writer::new(&instrument.identity, encoding, &mut desk.out);
            match write_missed(
                instrument,
                (&key, from),
                room,
                now.wall,
                &mut desk.bench,
                &mut writer,
            ) {
                Ok(upto) => {
                    joined.run = writer.finish();
                    joined.more = upto.is_some();
                    joined.position.seq = upto.unwrap_or_else(|| last.seq.max(from.seq));
                    desk.stats.resumed += u64::from(!joined.more);
                    return Some(joined);
                }
                Err(failure) => Some(failure),
            }
        } else {
            None
        };
        joined.start = Start::Snapshot(failure);
        if room == Room::None {
            joined.more = true;
            return Some(joined);
        }
        desk.stats.joined += 1;
        joined.run = desk.out.cached_start(id, instrument.revision());
        if joined.run.is_none() {
            let mut writer = Writer::new(&instrument.identity, encoding, &mut desk.out);
            write_start(instrument, &key, now.wall, &mut writer);
            joined.run = writer.finish();
            if let Some(run) = &joined.run {
                desk.out.cache_start(id, instrument.revision(), run);
            }
        }
        Some(joined)
    }
}
