use market::{Channel, Epoch, Seq};
use wire::control::{Resume, Subscribed};

/// Where the fields stand in every SBE message.
const TEMPLATE: usize = 2;
const INSTRUMENT: usize = 8;
const PREV_SEQ: usize = 16;
const SEQ: usize = 24;
const EPOCH: usize = 56;
const VIEW: usize = 60;
/// A snapshot's chunk and chunks; the channel of `Status`, `Heartbeat` and `Lag`; a `Lag`'s kind,
/// and the last number that it skips.
const CHUNK: usize = 68;
const CHUNKS: usize = 70;
const CHANNEL: usize = 64;
const KIND: usize = 65;
const TO_SEQ: usize = 74;
const SKIPPED: u8 = 3;

/// A stream of a client, and the last message of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    instrument: u64,
    view: u32,
    channel: u8,
    epoch: u32,
    /// `None` until the stream has begun.
    seq: Option<i64>,
}

/// What a message says of its stream's sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    instrument: u64,
    view: u32,
    channel: u8,
    epoch: u32,
    prev_seq: i64,
    seq: i64,
    /// It is the last chunk of a whole book.
    pub(super) ends_snapshot: bool,
    /// It is the part of a book, and a client stands where it stood.
    is_part: bool,
}

impl Place {
    /// The stream begins, with whatever comes first.
    pub(super) fn begin(subscribed: &Subscribed) -> Self {
        Self {
            instrument: subscribed.instrument.0,
            view: subscribed.view.0,
            channel: code(subscribed.stream.channel),
            epoch: subscribed.epoch.0,
            seq: None,
        }
    }

    /// Where to go on from, if the stream has begun.
    pub(super) fn resume(self) -> Option<Resume> {
        Some(Resume {
            epoch: Epoch(self.epoch),
            seq: Seq(self.seq?),
        })
    }

    pub(super) const fn is_of(&self, step: &Step) -> bool {
        self.instrument == step.instrument && self.view == step.view && self.channel == step.channel
    }

    /// Takes a step of this stream; `false` when it does not follow on.
    pub(super) fn follow(&mut self, step: &Step) -> bool {
        if step.is_part {
            return true;
        }
        let mine = self.seq.filter(|_| self.epoch == step.epoch);
        self.epoch = step.epoch;
        // What begins anew, and what is had already, does not lead back.
        self.seq = Some(mine.map_or(step.seq, |mine| mine.max(step.seq)));
        mine.is_none_or(|mine| step.prev_seq <= mine)
    }
}

impl Step {
    /// `None` of messages that move no stream.
    pub(super) fn of(payload: &[u8]) -> Option<Self> {
        let template = *payload.get(TEMPLATE)?;
        let mut step = Self {
            instrument: u64::from_le_bytes(at(payload, INSTRUMENT)?),
            view: u32::from_le_bytes(at(payload, VIEW)?),
            epoch: u32::from_le_bytes(at(payload, EPOCH)?),
            prev_seq: i64::from_le_bytes(at(payload, PREV_SEQ)?),
            seq: i64::from_le_bytes(at(payload, SEQ)?),
            channel: 0,
            ends_snapshot: false,
            is_part: false,
        };
        step.channel = match template {
            2 => {
                let chunk = u16::from_le_bytes(at(payload, CHUNK)?);
                let chunks = u16::from_le_bytes(at(payload, CHUNKS)?);
                step.ends_snapshot = chunk.saturating_add(1) == chunks;
                step.is_part = !step.ends_snapshot;
                code(Channel::Book)
            }
            3 => code(Channel::Book),
            4 => code(Channel::Bbo),
            5 => code(Channel::Trades),
            8 => *payload.get(CHANNEL)?,
            10 if *payload.get(KIND)? == SKIPPED => {
                // It says itself what does not come.
                step.seq = i64::from_le_bytes(at(payload, TO_SEQ)?);
                *payload.get(CHANNEL)?
            }
            _ => return None,
        };
        Some(step)
    }
}

fn at<const N: usize>(payload: &[u8], offset: usize) -> Option<[u8; N]> {
    payload.get(offset..)?.first_chunk().copied()
}

/// A channel as messages have it.
const fn code(channel: Channel) -> u8 {
    match channel {
        Channel::Book => 1,
        Channel::Bbo => 2,
        Channel::Trades => 3,
        Channel::Ticker => 4,
        Channel::Bars => 5,
        Channel::Status => 6,
    }
}

#[cfg(test)]
mod tests {
    use market::{Bbo, InstrumentId, Level, Nanos};
    use wire::{Head, Lag, LagKind, View, sbe};

    use super::*;

    fn head(prev_seq: i64, seq: i64) -> Head {
        Head {
            instrument: InstrumentId(77),
            epoch: Epoch(5),
            view: View(9),
            prev_seq: Seq(prev_seq),
            seq: Seq(seq),
            event_time: None,
            log_time: Nanos(0),
            publish_time: Nanos(0),
        }
    }

    fn place(channel: Channel) -> Place {
        Place {
            instrument: 77,
            view: 9,
            channel: code(channel),
            epoch: 5,
            seq: None,
        }
    }

    fn step(write: impl FnOnce(&mut Vec<u8>)) -> Step {
        let mut bytes = Vec::new();
        write(&mut bytes);
        Step::of(&bytes).unwrap()
    }

    fn bbo(prev_seq: i64, seq: i64) -> Step {
        step(|out| sbe::bbo(out, &head(prev_seq, seq), &Bbo::default()))
    }

    #[test]
    fn a_step_that_leaves_something_out_is_seen() {
        let mut place = place(Channel::Bbo);
        assert!(place.is_of(&bbo(-1, 10)));
        assert!(place.follow(&bbo(-1, 10)));
        assert!(place.follow(&bbo(10, 12)));
        assert!(place.follow(&bbo(10, 11)), "had already");
        assert_eq!(place.resume().unwrap().seq, Seq(12));
        assert!(!place.follow(&bbo(13, 14)));
    }

    #[test]
    fn a_book_stands_where_it_is_whole() {
        let level = [Level::new(1, 1)];
        let chunk = |chunk: u16| {
            step(|out| {
                let (bids, asks) = (level.iter().copied(), [].into_iter());
                sbe::book_snapshot(out, &head(-1, 10), 0, chunk, 2, bids, asks).unwrap();
            })
        };
        let mut place = place(Channel::Book);
        assert!(place.follow(&chunk(0)));
        assert_eq!(place.resume(), None);
        assert!(!chunk(0).ends_snapshot);
        assert!(chunk(1).ends_snapshot);
        assert!(place.follow(&chunk(1)));
        assert_eq!(place.resume().unwrap().epoch, Epoch(5));
    }

    #[test]
    fn what_a_node_says_that_it_skips_is_no_break() {
        let mut place = place(Channel::Trades);
        place.seq = Some(10);
        let lag = Lag {
            channel: Channel::Trades,
            kind: LagKind::Skipped,
            from_seq: Seq(10),
            to_seq: Seq(50),
            messages: 3,
            bytes: 300,
            age: 1,
        };
        assert!(place.follow(&step(|out| sbe::lag(out, &head(10, 10), &lag))));
        let trades = step(|out| sbe::trades(out, &head(50, 51), [].into_iter()).unwrap());
        assert!(place.follow(&trades));
    }
}
