use market::{Channel, Epoch, Seq};
use wire::control::{Resume, Subscribed};

/// Offsets of fields in every SBE message.
const TEMPLATE: usize = 2;
const INSTRUMENT: usize = 8;
const PREV_SEQ: usize = 16;
const SEQ: usize = 24;
const EPOCH: usize = 56;
const VIEW: usize = 60;
/// Offsets of a snapshot's chunk and chunks; of the channel of `Status`, `Heartbeat` and `Lag`; of
/// a `Lag`'s kind and the last `seq` that it skips.
const CHUNK: usize = 68;
const CHUNKS: usize = 70;
const CHANNEL: usize = 64;
const KIND: usize = 65;
const TO_SEQ: usize = 74;
const SKIPPED: u8 = 3;

/// A client's position in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StreamPosition {
    instrument: u64,
    view: u32,
    channel: u8,
    epoch: u32,
    /// `None` until the stream has started.
    seq: Option<i64>,
}

/// The position of a message in its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MessagePosition {
    instrument: u64,
    view: u32,
    channel: u8,
    epoch: u32,
    prev_seq: i64,
    seq: i64,
    /// It is the last chunk of a snapshot.
    pub(super) ends_snapshot: bool,
    /// It is another chunk of a snapshot, which does not move the position.
    is_part: bool,
}

impl StreamPosition {
    /// The position before the first message.
    pub(super) fn begin(subscribed: &Subscribed) -> Self {
        Self {
            instrument: subscribed.instrument.0,
            view: subscribed.view.0,
            channel: code(subscribed.stream.channel),
            epoch: subscribed.epoch.0,
            seq: None,
        }
    }

    /// Where to resume, if the stream has started.
    pub(super) fn resume(self) -> Option<Resume> {
        Some(Resume {
            epoch: Epoch(self.epoch),
            seq: Seq(self.seq?),
        })
    }

    pub(super) const fn is_of(&self, message: &MessagePosition) -> bool {
        self.instrument == message.instrument
            && self.view == message.view
            && self.channel == message.channel
    }

    /// Applies a message of this stream. Returns false if there is a gap before it.
    pub(super) fn follow(&mut self, message: &MessagePosition) -> bool {
        if message.is_part {
            return true;
        }
        let mine = self.seq.filter(|_| self.epoch == message.epoch);
        self.epoch = message.epoch;
        // A repeated message does not move the position back.
        self.seq = Some(mine.map_or(message.seq, |mine| mine.max(message.seq)));
        mine.is_none_or(|mine| message.prev_seq <= mine)
    }
}

impl MessagePosition {
    /// Returns `None` for messages without a place in a sequence.
    pub(super) fn of(payload: &[u8]) -> Option<Self> {
        let template = *payload.get(TEMPLATE)?;
        let mut message = Self {
            instrument: u64::from_le_bytes(at(payload, INSTRUMENT)?),
            view: u32::from_le_bytes(at(payload, VIEW)?),
            epoch: u32::from_le_bytes(at(payload, EPOCH)?),
            prev_seq: i64::from_le_bytes(at(payload, PREV_SEQ)?),
            seq: i64::from_le_bytes(at(payload, SEQ)?),
            channel: 0,
            ends_snapshot: false,
            is_part: false,
        };
        message.channel = match template {
            2 => {
                let chunk = u16::from_le_bytes(at(payload, CHUNK)?);
                let chunks = u16::from_le_bytes(at(payload, CHUNKS)?);
                message.ends_snapshot = chunk.saturating_add(1) == chunks;
                message.is_part = !message.ends_snapshot;
                code(Channel::Book)
            }
            3 => code(Channel::Book),
            4 => code(Channel::Bbo),
            5 => code(Channel::Trades),
            8 => *payload.get(CHANNEL)?,
            10 if *payload.get(KIND)? == SKIPPED => {
                // A reported gap.
                message.seq = i64::from_le_bytes(at(payload, TO_SEQ)?);
                *payload.get(CHANNEL)?
            }
            _ => return None,
        };
        Some(message)
    }
}

fn at<const N: usize>(payload: &[u8], offset: usize) -> Option<[u8; N]> {
    payload.get(offset..)?.first_chunk().copied()
}

/// The code of a channel in messages.
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

    fn position(channel: Channel) -> StreamPosition {
        StreamPosition {
            instrument: 77,
            view: 9,
            channel: code(channel),
            epoch: 5,
            seq: None,
        }
    }

    fn message(write: impl FnOnce(&mut Vec<u8>)) -> MessagePosition {
        let mut bytes = Vec::new();
        write(&mut bytes);
        MessagePosition::of(&bytes).unwrap()
    }

    fn bbo(prev_seq: i64, seq: i64) -> MessagePosition {
        message(|out| sbe::bbo(out, &head(prev_seq, seq), &Bbo::default()))
    }

    #[test]
    fn a_step_that_leaves_something_out_is_seen() {
        let mut position = position(Channel::Bbo);
        assert!(position.is_of(&bbo(-1, 10)));
        assert!(position.follow(&bbo(-1, 10)));
        assert!(position.follow(&bbo(10, 12)));
        assert!(position.follow(&bbo(10, 11)), "had already");
        assert_eq!(position.resume().unwrap().seq, Seq(12));
        assert!(!position.follow(&bbo(13, 14)));
    }

    #[test]
    fn a_book_stands_where_it_is_whole() {
        let level = [Level::new(1, 1)];
        let chunk = |chunk: u16| {
            message(|out| {
                let (bids, asks) = (level.iter().copied(), [].into_iter());
                sbe::book_snapshot(out, &head(-1, 10), 0, chunk, 2, bids, asks).unwrap();
            })
        };
        let mut position = position(Channel::Book);
        assert!(position.follow(&chunk(0)));
        assert_eq!(position.resume(), None);
        assert!(!chunk(0).ends_snapshot);
        assert!(chunk(1).ends_snapshot);
        assert!(position.follow(&chunk(1)));
        assert_eq!(position.resume().unwrap().epoch, Epoch(5));
    }

    #[test]
    fn what_a_node_says_that_it_skips_is_no_break() {
        let mut position = position(Channel::Trades);
        position.seq = Some(10);
        let lag = Lag {
            channel: Channel::Trades,
            kind: LagKind::Skipped,
            from_seq: Seq(10),
            to_seq: Seq(50),
            messages: 3,
            bytes: 300,
            age: 1,
        };
        assert!(position.follow(&message(|out| sbe::lag(out, &head(10, 10), &lag))));
        let trades = message(|out| sbe::trades(out, &head(50, 51), [].into_iter()).unwrap());
        assert!(position.follow(&trades));
    }
}
