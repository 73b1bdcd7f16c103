use bytes::{Buf, Bytes, BytesMut};

/// The longest payload of a control frame (RFC 6455, 5.5).
const MAX_CONTROL: usize = 125;
/// The code that stands for a close frame without one (RFC 6455, 7.4.1).
const NO_CODE: u16 = 1005;

/// What a node sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// A whole text message.
    Text(Bytes),
    /// A whole binary message.
    Binary(Bytes),
    /// It asks for a pong with these bytes.
    Ping(Bytes),
    /// It answers a ping.
    Pong,
    /// It closes the connection.
    Close {
        /// Why; 1005 when it does not say.
        code: u16,
        /// Its own words.
        reason: String,
    },
}

/// How a node broke RFC 6455, or this client's bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A bit is set that no negotiated extension uses.
    #[error("reserved bits are set")]
    Reserved,
    /// The opcode is none that RFC 6455 has.
    #[error("opcode {0} is unknown")]
    Opcode(u8),
    /// A server's frames are not masked.
    #[error("a server's frame is masked")]
    Masked,
    /// A control frame is fragmented or too long.
    #[error("a control frame is fragmented or longer than {MAX_CONTROL} bytes")]
    Control,
    /// A continuation without a beginning, or a beginning before the end.
    #[error("fragments do not follow on")]
    Fragments,
    /// A message is longer than this client reads.
    #[error("a message of {len} bytes is longer than {max}")]
    TooLong {
        /// How long it is, as far as is known.
        len: u64,
        /// How long it may be.
        max: usize,
    },
    /// A text message is not UTF-8.
    #[error("a text message is not utf-8")]
    Text,
    /// A close frame has one byte, where a code has two.
    #[error("a close frame has half a code")]
    Close,
}

/// Takes frames from the bytes as they come, and messages from the frames.
///
/// A message in one frame, which is nearly every one, is handed on where it lies.
#[derive(Debug)]
pub(crate) struct Frames {
    max_message: usize,
    /// The message whose fragments are coming: whether it is text, and what there is of it.
    fragments: Option<(bool, BytesMut)>,
}

/// A frame's head.
struct Head {
    fin: bool,
    opcode: u8,
    /// How long the head itself is.
    head: usize,
    payload: usize,
}

impl Frames {
    pub(crate) const fn new(max_message: usize) -> Self {
        Self {
            max_message,
            fragments: None,
        }
    }

    /// Takes the next message off `inbox`; `None` when it is not whole yet.
    pub(crate) fn next(&mut self, inbox: &mut BytesMut) -> Result<Option<Incoming>, FrameError> {
        loop {
            let Some(head) = self.head(inbox)? else {
                return Ok(None);
            };
            let len = head.head + head.payload;
            if inbox.len() < len {
                // All of it in one piece, so that it can be handed on where it lies.
                inbox.reserve(len - inbox.len());
                return Ok(None);
            }
            inbox.advance(head.head);
            let payload = inbox.split_to(head.payload).freeze();
            if let Some(incoming) = self.frame(&head, payload)? {
                return Ok(Some(incoming));
            }
        }
    }

    /// Reads the next frame's head, when it is there.
    fn head(&self, inbox: &BytesMut) -> Result<Option<Head>, FrameError> {
        let [first, second, rest @ ..] = &inbox[..] else {
            return Ok(None);
        };
        if first & 0x70 != 0 {
            return Err(FrameError::Reserved);
        }
        if second & 0x80 != 0 {
            return Err(FrameError::Masked);
        }
        let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
        let (head, len) = match (second & 0x7f, rest) {
            (126, [a, b, ..]) => (4, u64::from(u16::from_be_bytes([*a, *b]))),
            (127, [a, b, c, d, e, f, g, h, ..]) => {
                (10, u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]))
            }
            (126 | 127, _) => return Ok(None),
            (short, _) => (2, u64::from(short)),
        };
        let is_control = opcode & 0x8 != 0;
        if is_control && (!fin || len > MAX_CONTROL as u64) {
            return Err(FrameError::Control);
        }
        let before = self.fragments.as_ref().filter(|_| !is_control);
        let whole = len.saturating_add(before.map_or(0, |(_, bytes)| bytes.len() as u64));
        match usize::try_from(whole) {
            Ok(whole) if whole <= self.max_message => {}
            _ => {
                return Err(FrameError::TooLong {
                    len: whole,
                    max: self.max_message,
                });
            }
        }
        let payload = usize::try_from(len).unwrap_or(usize::MAX);
        Ok(Some(Head {
            fin,
            opcode,
            head,
            payload,
        }))
    }

    fn frame(&mut self, head: &Head, payload: Bytes) -> Result<Option<Incoming>, FrameError> {
        match (head.opcode, self.fragments.take()) {
            (0x1 | 0x2, None) if head.fin => Ok(Some(message(head.opcode == 0x1, payload))),
            (0x1 | 0x2, None) => {
                self.fragments = Some((head.opcode == 0x1, BytesMut::from(&payload[..])));
                Ok(None)
            }
            (0x0, Some((is_text, mut bytes))) => {
                bytes.extend_from_slice(&payload);
                if head.fin {
                    return Ok(Some(message(is_text, bytes.freeze())));
                }
                self.fragments = Some((is_text, bytes));
                Ok(None)
            }
            (0x0..=0x2, _) => Err(FrameError::Fragments),
            // Control frames may stand between fragments.
            (opcode, fragments) => {
                self.fragments = fragments;
                control(opcode, payload).map(Some)
            }
        }
    }
}

const fn message(is_text: bool, payload: Bytes) -> Incoming {
    if is_text {
        Incoming::Text(payload)
    } else {
        Incoming::Binary(payload)
    }
}

fn control(opcode: u8, payload: Bytes) -> Result<Incoming, FrameError> {
    match (opcode, &payload[..]) {
        (0x8, []) => Ok(Incoming::Close {
            code: NO_CODE,
            reason: String::new(),
        }),
        (0x8, [high, low, reason @ ..]) => Ok(Incoming::Close {
            code: u16::from_be_bytes([*high, *low]),
            reason: String::from_utf8_lossy(reason).into_owned(),
        }),
        (0x8, _) => Err(FrameError::Close),
        (0x9, _) => Ok(Incoming::Ping(payload)),
        (0xa, _) => Ok(Incoming::Pong),
        (other, _) => Err(FrameError::Opcode(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![first];
        match payload.len() {
            len @ ..126 => out.push(len.try_into().unwrap()),
            len @ ..65536 => {
                out.push(126);
                out.extend_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
            }
            len => {
                out.push(127);
                out.extend_from_slice(&(len as u64).to_be_bytes());
            }
        }
        out.extend_from_slice(payload);
        out
    }

    fn read_all(bytes: &[u8]) -> Result<Vec<Incoming>, FrameError> {
        let mut frames = Frames::new(1 << 20);
        let mut inbox = BytesMut::from(bytes);
        let mut all = Vec::new();
        while let Some(incoming) = frames.next(&mut inbox)? {
            all.push(incoming);
        }
        Ok(all)
    }

    #[test]
    fn lengths_of_every_form_are_read() {
        for len in [0, 1, 125, 126, 127, 65535, 65536, 100_000] {
            let payload = vec![7; len];
            let read = read_all(&frame(0x82, &payload)).unwrap();
            assert_eq!(read, [Incoming::Binary(payload.into())], "{len}");
        }
    }

    #[test]
    fn control_frames_may_stand_between_fragments() {
        let bytes = [
            frame(0x01, b"to"),
            frame(0x89, b"!"),
            frame(0x80, b"gether"),
        ]
        .concat();
        let read = read_all(&bytes).unwrap();
        let ping = Incoming::Ping(Bytes::from_static(b"!"));
        assert_eq!(
            read,
            [ping, Incoming::Text(Bytes::from_static(b"together"))]
        );
    }

    #[test]
    fn a_close_frame_tells_code_and_reason() {
        let close = |code, reason: &str| Incoming::Close {
            code,
            reason: reason.to_owned(),
        };
        assert_eq!(
            read_all(&frame(0x88, b"\x03\xf4bye")).unwrap(),
            [close(1012, "bye")]
        );
        assert_eq!(read_all(&frame(0x88, b"")).unwrap(), [close(1005, "")]);
    }

    #[track_caller]
    fn check_refused(bytes: &[u8], expected: FrameError) {
        assert_eq!(read_all(bytes), Err(expected));
    }

    #[test]
    fn what_breaks_the_protocol_is_refused() {
        check_refused(&frame(0xc2, b""), FrameError::Reserved);
        check_refused(&frame(0x83, b""), FrameError::Opcode(3));
        check_refused(&frame(0x8b, b""), FrameError::Opcode(11));
        check_refused(&[0x82, 0x80, 0, 0, 0, 0], FrameError::Masked);
        check_refused(&frame(0x09, b""), FrameError::Control);
        check_refused(&frame(0x89, &[0; 126]), FrameError::Control);
        check_refused(&frame(0x80, b"x"), FrameError::Fragments);
        check_refused(
            &[frame(0x01, b"a"), frame(0x81, b"b")].concat(),
            FrameError::Fragments,
        );
        check_refused(&frame(0x88, b"x"), FrameError::Close);
    }

    #[test]
    fn a_message_is_bounded_in_one_frame_and_in_fragments() {
        let too_long = |len| FrameError::TooLong { len, max: 1 << 20 };
        let huge = [0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        check_refused(&huge, too_long(u64::MAX));
        let half = vec![0; 600_000];
        let both = [frame(0x02, &half), frame(0x80, &half)].concat();
        check_refused(&both, too_long(1_200_000));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_all(&bytes);
        }

        #[test]
        fn it_does_not_matter_how_the_bytes_are_cut(
            cuts in proptest::collection::vec(0usize..40, 1..30),
            lens in proptest::collection::vec(0usize..300, 1..8),
        ) {
            let mut bytes = Vec::new();
            for (i, len) in lens.iter().enumerate() {
                bytes.extend(frame(if i % 2 == 0 { 0x82 } else { 0x81 }, &vec![b'a'; *len]));
            }
            let whole = read_all(&bytes).unwrap();
            let mut frames = Frames::new(1 << 20);
            let (mut inbox, mut read, mut at) = (BytesMut::new(), Vec::new(), 0);
            for cut in cuts.iter().cycle().chain([&0]) {
                let end = (at + cut + 1).min(bytes.len());
                inbox.extend_from_slice(&bytes[at..end]);
                at = end;
                while let Some(incoming) = frames.next(&mut inbox).unwrap() {
                    read.push(incoming);
                }
                if at == bytes.len() {
                    break;
                }
            }
            prop_assert_eq!(read, whole);
        }
    }
}
