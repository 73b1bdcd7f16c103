use std::sync::Arc;

use market::{Exponents, Handle, Now, Position, Seq};
use wire::View;

use super::Publisher;
use super::resume::write_missed;
use super::resume_failure::ResumeFailure;
use super::room::Room;
use super::start::write_start;
use super::writer::Writer;
use crate::{Run, StreamId};

/// How a subscription enters a stream.
#[derive(Debug, Clone)]
pub struct Joined {
    /// The frames that lead it to `position`; `None` if it is there already.
    pub run: Option<Arc<Run>>,
    /// The position that the stream's next run follows on.
    pub position: Position,
    /// The stream's view code in its messages.
    pub view: View,
    /// The instrument's scale.
    pub exponents: Exponents,
    /// What the frames contain.
    pub start: Start,
    /// Whether there is more, to be requested from `position` if it resumed, else from the start.
    pub more: bool,
}

/// How a subscription starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With a snapshot, and why it could not resume if it asked to.
    Snapshot(Option<ResumeFailure>),
    /// With exactly the messages it missed.
    Resumed,
}

impl Publisher {
    /// Makes a throttled stream publish what it has not sent if `seq` is after its last message,
    /// because a client at `seq` could not follow it otherwise. Returns whether it published
    /// anything, which [`Publisher::flush`] then hands over.
    pub fn publish_unsent(&mut self, id: StreamId, seq: Seq, now: Now) -> bool {
        self.shared.advance_to(now.monotonic);
        let Some(stream) = self.shared.out.get(id) else {
            return false;
        };
        let (channel, params) = (stream.key.channel, stream.key.params);
        let Handle(index) = stream.handle;
        let Some(instrument) = self.instruments.get_mut(index as usize) else {
            return false;
        };
        let (_, last) = instrument.last(channel, params);
        seq > last.seq && instrument.send_unsent(channel, params, now.wall, &mut self.shared)
    }

    /// Lets a subscription enter an open stream after everything published so far. Call
    /// [`Publisher::flush`] first; the subscription does not get the runs of that flush.
    pub fn join(&mut self, id: StreamId, resume: Option<Position>, now: Now) -> Option<Joined> {
        self.join_within(id, resume, Room::All, now)
    }

    /// Like [`Publisher::join`], with as much of the start as there is room for.
    pub fn join_within(
        &mut self,
        id: StreamId,
        resume: Option<Position>,
        room: Room,
        now: Now,
    ) -> Option<Joined> {
        self.shared.advance_to(now.monotonic);
        let stream = self.shared.out.get(id)?;
        let (key, encoding, Handle(index)) = (stream.key, stream.encoding, stream.handle);
        let instrument = self.instruments.get(index as usize)?;
        let (epoch, last) = instrument.last(key.channel, key.params);
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
        let shared = &mut self.shared;
        let failure = if let Some(from) = resume {
            let mut writer = Writer::new(&instrument.identity, encoding, &mut shared.out);
            match write_missed(
                instrument,
                (&key, from),
                room,
                now.wall,
                &mut shared.scratch,
                &mut writer,
            ) {
                Ok(upto) => {
                    joined.run = writer.finish();
                    joined.more = upto.is_some();
                    joined.position.seq = upto.unwrap_or_else(|| last.seq.max(from.seq));
                    shared.stats.resumed += u64::from(!joined.more);
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
        shared.stats.joined += 1;
        joined.run = shared.out.cached_start(id, instrument.revision());
        if joined.run.is_none() {
            let mut writer = Writer::new(&instrument.identity, encoding, &mut shared.out);
            write_start(instrument, &key, now.wall, &mut writer);
            joined.run = writer.finish();
            if let Some(run) = &joined.run {
                shared.out.cache_start(id, instrument.revision(), run);
            }
        }
        Some(joined)
    }
}
