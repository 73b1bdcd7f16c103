//! Server-Sent Events, for clients that cannot use a WebSocket.
//!
//! An SSE session is a JSON session whose messages are framed as events instead of WebSocket
//! frames. They are framed for each session, since an event's ID states the session's position in
//! all its streams.

use std::fmt::Write as _;

use market::{Channel, Epoch, InstrumentId, Position, Seq};
use streams::{Opcode, StreamKey};
use wire::View;
use wire::control::StreamRequest;

/// Maximum streams of an SSE session: an ID holds as many positions, of up to 47 bytes each, within
/// 6 KiB. It comes back as a header, which proxies limit to 8 KiB.
pub(crate) const MOST_STREAMS: usize = 128;
/// Up to this many streams every event has an ID; with more, only the last event of each send has,
/// so that IDs do not outweigh the data.
const EACH_ID: usize = 4;
/// A request for an SSE session.
#[derive(Debug)]
pub struct SseRequest {
    /// Streams to subscribe to.
    pub streams: Vec<StreamRequest>,
    /// Positions that the client already has.
    pub last: LastEventId,
}

/// An SSE session to open.
#[derive(Debug)]
pub struct SseStart {
    /// What the client requests.
    pub asked: SseRequest,
    /// The response head, to be sent as it is.
    pub head: Vec<u8>,
}

/// Positions in all streams of a session at an event: the content of the event's ID, which a client
/// returns when it reconnects.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LastEventId(Vec<(Stream, Position)>);

/// A stream as IDs name it, the same on every node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stream {
    instrument: InstrumentId,
    channel: Channel,
    view: View,
}

/// State of an SSE session beyond that of any session.
#[derive(Debug, Default)]
pub(crate) struct SseState {
    /// Positions that the client came with.
    last: LastEventId,
    /// By subscription: its stream, and the client's position once it has been sent its whole
    /// initial state.
    positions: Vec<Option<(Stream, Option<Position>)>>,
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
    /// Parses an event ID.
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
        let positions: Option<Vec<_>> = all.map(read).collect();
        positions
            .filter(|positions| positions.len() <= MOST_STREAMS)
            .map(Self)
    }

    fn find(&self, stream: &Stream) -> Option<Position> {
        let found = self.0.iter().find(|(other, _)| other == stream);
        found.map(|(_, position)| *position)
    }
}

impl SseState {
    /// Creates the state for a client that has these positions.
    pub(crate) const fn new(last: LastEventId) -> Self {
        Self {
            last,
            positions: Vec::new(),
        }
    }

    /// Returns the client's position in a stream.
    pub(crate) fn resume(&self, key: &StreamKey) -> Option<Position> {
        self.last.find(&key.into())
    }

    /// Adds a subscription whose client has this position.
    pub(crate) fn joined(&mut self, subscription: usize, key: &StreamKey, has: Option<Position>) {
        if self.positions.len() <= subscription {
            self.positions.resize(subscription + 1, None);
        }
        self.positions[subscription] = Some((key.into(), has));
    }

    /// Removes a subscription.
    pub(crate) fn left(&mut self, subscription: usize) {
        if let Some(position) = self.positions.get_mut(subscription) {
            *position = None;
        }
    }

    /// Returns whether every event has an ID.
    pub(crate) fn each_has_id(&self) -> bool {
        self.positions.iter().flatten().count() <= EACH_ID
    }

    /// Records that a message was sent, which takes the client to `seq`. Until its initial state
    /// has been sent completely, a subscription has no position.
    pub(crate) fn passed(&mut self, subscription: usize, message: &[u8], seq: Seq, begins: bool) {
        let Some(Some((_, position))) = self.positions.get_mut(subscription) else {
            return;
        };
        if seq == Seq::NONE || begins && position.is_none() {
            return;
        }
        // Any message of a stream may start an epoch.
        let epoch = epoch_of(message).or(position.map(|position| position.epoch));
        if let Some(epoch) = epoch {
            *position = Some(Position { epoch, seq });
        }
    }

    /// Records that the initial state was sent completely, which takes the client to `position`.
    pub(crate) fn began(&mut self, subscription: usize, position: Position) {
        if let Some(Some((_, known))) = self.positions.get_mut(subscription)
            && known.is_none()
            && position.seq != Seq::NONE
        {
            *known = Some(position);
        }
    }

    /// Appends an ID line with the current positions.
    pub(crate) fn write_id(&self, out: &mut Vec<u8>) {
        let mut id = String::new();
        for (stream, position) in self.positions.iter().flatten() {
            let Some(Position { epoch, seq }) = position else {
                continue;
            };
            let Stream {
                instrument,
                channel,
                view,
            } = stream;
            let comma = if id.is_empty() { "" } else { "," };
            // Writing to a string cannot fail.
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

/// Appends a message of the node's own, which a WebSocket would receive in a frame of this opcode.
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
        // A comment keeps proxies from assuming that the connection is dead.
        Opcode::Ping => out.extend_from_slice(b":\n\n"),
        Opcode::Pong | Opcode::Binary => {}
    }
}

/// Returns the epoch of a JSON data message. No name contains quotes, so whatever looks like the
/// field is the field, and all fields before the levels are within the first bytes.
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
