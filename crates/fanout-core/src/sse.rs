//! Server-Sent Events: the messages of a session for places where a WebSocket is blocked.
//!
//! A session of events is like any other, of JSON, but for how its messages are framed: an event
//! each, in place of a WebSocket frame. They are framed anew for each such session, since an event's
//! id tells where all streams of its session stand.

use std::fmt::Write as _;

use market::{Channel, Epoch, InstrumentId, Position, Seq};
use streams::{Opcode, StreamKey};
use wire::View;
use wire::control::StreamRequest;

/// Streams of a session of events: as many as an id can tell of within 6 KiB, at up to 47 bytes each,
/// since it comes back as one line of a request's head, which proxies bound to 8 KiB.
pub(crate) const MOST_STREAMS: usize = 128;
/// With so many streams, every event has an id; with more, the last one of each send has, so that
/// ids do not outweigh what they are ids of.
const EACH_ID: usize = 4;
/// What a client asks to be sent as events.
#[derive(Debug)]
pub struct SseRequest {
    /// What it wants to be sent.
    pub streams: Vec<StreamRequest>,
    /// What it has of them.
    pub last: LastEventId,
}

/// A session of events that is to begin.
#[derive(Debug)]
pub struct SseStart {
    /// What its client asks for.
    pub asked: SseRequest,
    /// The head of the answer, as it is sent.
    pub head: Vec<u8>,
}

/// Where all streams of a session stood at an event: what its id tells, and a client says again when
/// it comes back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LastEventId(Vec<(Stream, Position)>);

/// A stream as ids name it: the same on every node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stream {
    instrument: InstrumentId,
    channel: Channel,
    view: View,
}

/// What a session of events has besides other sessions.
#[derive(Debug, Default)]
pub(crate) struct SseState {
    /// What the client had when it came.
    last: LastEventId,
    /// By subscriber: its stream, and where the client stands there, once it has its beginning.
    stands: Vec<Option<(Stream, Option<Position>)>>,
}

impl From<&StreamKey> for Stream {
    fn from(key: &StreamKey) -> Self {
        Self {
            instrument: key.instrument,
            channel: key.channel,
            view: View::from(key.params),
        }
    }
}

impl LastEventId {
    /// Reads an event's id; `None` when it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let all = text.split(',').filter(|part| !part.is_empty());
        let read = |part: &str| {
            let mut fields = part.split('.');
            let stream = Stream {
                instrument: InstrumentId(u64::from_str_radix(fields.next()?, 16).ok()?),
                channel: Channel::from_name(fields.next()?)?,
                view: View(u32::from_str_radix(fields.next()?, 16).ok()?),
            };
            let position = Position {
                epoch: Epoch(u32::from_str_radix(fields.next()?, 16).ok()?),
                seq: Seq(fields.next()?.parse().ok()?),
            };
            fields.next().is_none().then_some((stream, position))
        };
        let stands: Option<Vec<_>> = all.map(read).collect();
        stands
            .filter(|stands| stands.len() <= MOST_STREAMS)
            .map(Self)
    }

    fn find(&self, stream: &Stream) -> Option<Position> {
        let found = self.0.iter().find(|(other, _)| other == stream);
        found.map(|(_, position)| *position)
    }
}

impl SseState {
    /// For a client that has this already.
    pub(crate) const fn new(last: LastEventId) -> Self {
        Self {
            last,
            stands: Vec::new(),
        }
    }

    /// What the client has of a stream.
    pub(crate) fn resume(&self, key: &StreamKey) -> Option<Position> {
        self.last.find(&key.into())
    }

    /// A subscriber was let in, whose client has this of its stream.
    pub(crate) fn joined(&mut self, subscription: usize, key: &StreamKey, has: Option<Position>) {
        if self.stands.len() <= subscription {
            self.stands.resize(subscription + 1, None);
        }
        self.stands[subscription] = Some((key.into(), has));
    }

    /// A subscriber has left.
    pub(crate) fn left(&mut self, subscription: usize) {
        if let Some(stand) = self.stands.get_mut(subscription) {
            *stand = None;
        }
    }

    /// Returns whether each event is to have an id.
    pub(crate) fn each_has_id(&self) -> bool {
        self.stands.iter().flatten().count() <= EACH_ID
    }

    /// The client has this message of a stream, and then stands at `seq`. One that has not been
    /// sent its whole beginning stands nowhere before the end of it.
    pub(crate) fn passed(&mut self, subscription: usize, message: &[u8], seq: Seq, begins: bool) {
        let Some(Some((_, stand))) = self.stands.get_mut(subscription) else {
            return;
        };
        if seq == Seq::NONE || begins && stand.is_none() {
            return;
        }
        // A stream may begin an epoch at any of its messages.
        let epoch = epoch_of(message).or(stand.map(|position| position.epoch));
        if let Some(epoch) = epoch {
            *stand = Some(Position { epoch, seq });
        }
    }

    /// The client has the whole beginning of a stream, and so stands here.
    pub(crate) fn began(&mut self, subscription: usize, position: Position) {
        if let Some(Some((_, stand))) = self.stands.get_mut(subscription)
            && stand.is_none()
            && position.seq != Seq::NONE
        {
            *stand = Some(position);
        }
    }

    /// Appends a line with the id of now.
    pub(crate) fn write_id(&self, out: &mut Vec<u8>) {
        let mut id = String::new();
        for (stream, position) in self.stands.iter().flatten() {
            let Some(Position { epoch, seq }) = position else {
                continue;
            };
            let Stream {
                instrument,
                channel,
                view,
            } = stream;
            let comma = if id.is_empty() { "" } else { "," };
            // Writing to a text cannot fail.
            let _written = write!(
                id,
                "{comma}{:x}.{}.{:x}.{:x}.{}",
                instrument.0,
                channel.name(),
                view.0,
                epoch.0,
                seq.0
            );
        }
        if !id.is_empty() {
            out.extend_from_slice(b"id: ");
            out.extend_from_slice(id.as_bytes());
            out.push(b'\n');
        }
    }
}

/// Appends a data message, without the empty line that ends its event.
pub(crate) fn write_data(out: &mut Vec<u8>, message: &[u8]) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(message);
    out.push(b'\n');
}

/// Appends what the node itself has to say, which a WebSocket would have in a frame of this kind.
pub(crate) fn write_own(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    match opcode {
        Opcode::Text => {
            if wire::control::Answer::is_answer(payload) {
                out.extend_from_slice(b"event: answer\n");
            }
            write_data(out, payload);
            out.push(b'\n');
        }
        Opcode::Close => {
            let (code, reason) = payload.split_first_chunk().unwrap_or((&[0, 0], &[]));
            let code = u16::from_be_bytes(*code);
            let reason = String::from_utf8_lossy(reason);
            out.extend_from_slice(b"event: close\n");
            let text = format!("data: {{\"code\":{code},\"reason\":{reason:?}}}\n\n");
            out.extend_from_slice(text.as_bytes());
        }
        // A comment keeps proxies from taking the connection for dead.
        Opcode::Ping => out.extend_from_slice(b":\n\n"),
        Opcode::Pong | Opcode::Binary => {}
    }
}

/// The epoch that a data message in JSON tells. Its name holds no quotes, so what reads like the
/// field is the field; all fields before the levels are within the first bytes.
fn epoch_of(message: &[u8]) -> Option<Epoch> {
    const FIELD: &[u8] = b"\"epoch\":";
    let head = message.get(..message.len().min(512))?;
    let at = head
        .windows(FIELD.len())
        .position(|window| window == FIELD)?;
    let digits = head.get(at + FIELD.len()..)?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(digits.get(..end)?)
        .ok()?
        .parse()
        .ok()
        .map(Epoch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::ViewParams;

    fn key(instrument: u64) -> StreamKey {
        StreamKey {
            instrument: InstrumentId(instrument),
            channel: Channel::Trades,
            params: ViewParams::default(),
        }
    }

    fn at(epoch: u32, seq: i64) -> Position {
        Position {
            epoch: Epoch(epoch),
            seq: Seq(seq),
        }
    }

    fn message(epoch: u32) -> Vec<u8> {
        format!(r#"{{"type":"Trades","seq":7,"epoch":{epoch},"view":0}}"#).into_bytes()
    }

    fn id(state: &SseState) -> String {
        let mut out = Vec::new();
        state.write_id(&mut out);
        let text = String::from_utf8(out).unwrap();
        text.trim().trim_start_matches("id: ").to_owned()
    }

    #[test]
    fn an_id_tells_where_every_stream_stands_and_a_beginning_counts_once_it_is_whole() {
        let mut state = SseState::new(LastEventId::default());
        state.joined(0, &key(10), None);
        state.joined(1, &key(11), Some(at(1, 5)));
        assert_eq!(id(&state), "b.trades.0.1.5");
        state.passed(0, &message(9), Seq(70), true);
        assert_eq!(id(&state), "b.trades.0.1.5");
        state.began(0, at(9, 70));
        state.passed(1, &message(2), Seq(6), false);
        assert_eq!(id(&state), "a.trades.0.9.70,b.trades.0.2.6");
        let last = LastEventId::parse(&id(&state)).unwrap();
        let back = SseState::new(last);
        assert_eq!(back.resume(&key(10)), Some(at(9, 70)));
        assert_eq!(back.resume(&key(11)), Some(at(2, 6)));
        assert_eq!(back.resume(&key(12)), None);
    }

    #[test]
    fn what_is_no_id_is_not_read_as_one() {
        for text in [
            "x",
            "1.trades.0.1",
            "1.trades.0.1.2.3",
            "1.news.0.1.2",
            "1.trades.0.g.2",
        ] {
            assert_eq!(LastEventId::parse(text), None, "{text}");
        }
        assert_eq!(LastEventId::parse(""), Some(LastEventId::default()));
        let many = vec!["1.trades.0.1.2"; MOST_STREAMS + 1].join(",");
        assert_eq!(LastEventId::parse(&many), None);
    }

    #[test]
    fn what_a_node_says_itself_is_an_event_of_its_own_kind() {
        let said = |opcode, payload: &[u8]| {
            let mut out = Vec::new();
            write_own(&mut out, opcode, payload);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            said(Opcode::Text, br#"{"op":"subscribed"}"#),
            "event: answer\ndata: {\"op\":\"subscribed\"}\n\n"
        );
        assert_eq!(
            said(Opcode::Text, br#"{"type":"GoAway"}"#),
            "data: {\"type\":\"GoAway\"}\n\n"
        );
        assert_eq!(
            said(
                Opcode::Close,
                &[&1012u16.to_be_bytes()[..], b"bye"].concat()
            ),
            "event: close\ndata: {\"code\":1012,\"reason\":\"bye\"}\n\n"
        );
        assert_eq!(said(Opcode::Ping, b""), ":\n\n");
    }
}
