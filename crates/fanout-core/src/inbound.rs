use wire::close;

/// Maximum length of a client's frame header: two bytes, eight for the length, four for the mask.
const MAX_HEAD: usize = 14;
/// Maximum payload of a control frame (RFC 6455, section 5.5).
const MAX_CONTROL: usize = 125;

/// A strict reader of client frames (RFC 6455): masked, no reserved bits, no extensions, properly
/// fragmented, messages within a limit.
///
/// Bytes in, events out, without IO. Holds no memory between frames.
#[derive(Debug)]
pub struct Inbound {
    /// Received but not parsed; at most one frame of maximum size and what arrived with it.
    bytes: Vec<u8>,
    /// Fragments of the current message so far.
    fragments: Vec<u8>,
    /// Length of the prefix known to be UTF-8; the rest is an incomplete character.
    checked: usize,
    /// Whether a fragmented message has started.
    fragmented: bool,
    max_message: usize,
}

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub enum InboundEvent {
    /// A complete text message.
    Text(String),
    /// A fragment of a text message that continues.
    Fragment,
    /// A ping, to be answered with the same payload.
    Ping(Vec<u8>),
    /// A pong.
    Pong,
    /// A close frame, with its code.
    Close(Option<u16>),
}

/// What a client may not send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A violation of the protocol.
    #[error("protocol error: {0}")]
    Protocol(&'static str),
    /// A binary message.
    #[error("requests are text")]
    Binary,
    /// Text that is not UTF-8.
    #[error("text is not utf-8")]
    BadText,
    /// A message over the limit.
    #[error("a message may have {max} bytes")]
    TooLarge {
        /// The limit in bytes.
        max: usize,
    },
}

impl Violation {
    /// Returns the close code for this violation.
    #[must_use]
    pub const fn close_code(self) -> u16 {
        match self {
            Self::Protocol(_) => close::PROTOCOL_ERROR,
            Self::Binary => close::UNSUPPORTED_DATA,
            Self::BadText => close::INVALID_TEXT,
            Self::TooLarge { .. } => close::TOO_LARGE,
        }
    }
}

struct FrameHead {
    fin: bool,
    opcode: u8,
    mask: [u8; 4],
    head: usize,
    len: usize,
}

impl Inbound {
    /// Creates a reader of messages of up to `max_message` bytes.
    #[must_use]
    pub const fn new(max_message: usize) -> Self {
        Self {
            bytes: Vec::new(),
            fragments: Vec::new(),
            checked: 0,
            fragmented: false,
            max_message,
        }
    }

    /// Appends received bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns whether no bytes are waiting.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns whether no frame or message has started.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.bytes.is_empty() && !self.fragmented
    }

    /// Returns whether it holds so much that parsing has to catch up before anything more is
    /// received.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.bytes.len() >= self.max_message + MAX_HEAD
    }

    /// Parses the next frame; returns `None` if more bytes are needed.
    pub fn read(&mut self) -> Result<Option<InboundEvent>, Violation> {
        let Some(head) = self.read_head()? else {
            return Ok(None);
        };
        let end = head.head + head.len;
        if self.bytes.len() < end {
            return Ok(None);
        }
        let mut payload = self.bytes[head.head..end].to_vec();
        for (byte, mask) in payload.iter_mut().zip(head.mask.iter().cycle()) {
            *byte ^= mask;
        }
        self.bytes.drain(..end);
        if self.bytes.is_empty() {
            // An idle session holds no buffer.
            self.bytes = Vec::new();
        }
        self.take_frame(&head, payload).map(Some)
    }

    fn read_head(&self) -> Result<Option<FrameHead>, Violation> {
        let [first, second, ref rest @ ..] = self.bytes[..] else {
            return Ok(None);
        };
        if first & 0x70 != 0 {
            return Err(Violation::Protocol("reserved bits are set"));
        }
        if second & 0x80 == 0 {
            return Err(Violation::Protocol("a frame is not masked"));
        }
        let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
        self.check_opcode(fin, opcode, second & 0x7f)?;
        let (len, mask) = match second & 0x7f {
            126 => {
                let Some((len, mask)) = rest.split_first_chunk::<2>() else {
                    return Ok(None);
                };
                let len = u64::from(u16::from_be_bytes(*len));
                if len < 126 {
                    return Err(Violation::Protocol("a length is not in its shortest form"));
                }
                (len, mask)
            }
            127 => {
                let Some((len, mask)) = rest.split_first_chunk::<8>() else {
                    return Ok(None);
                };
                let len = u64::from_be_bytes(*len);
                if len <= u64::from(u16::MAX) || len >> 63 != 0 {
                    return Err(Violation::Protocol("a length is not in its shortest form"));
                }
                (len, mask)
            }
            len => (u64::from(len), rest),
        };
        let too_large = Violation::TooLarge {
            max: self.max_message,
        };
        let len = usize::try_from(len).map_err(|_| too_large)?;
        let whole = len.saturating_add(self.fragments.len());
        if opcode < 0x8 && whole > self.max_message {
            return Err(too_large);
        }
        let Some(mask) = mask.first_chunk::<4>() else {
            return Ok(None);
        };
        let head = 2 + extended(second) + 4;
        Ok(Some(FrameHead {
            fin,
            opcode,
            mask: *mask,
            head,
            len,
        }))
    }

    const fn check_opcode(&self, fin: bool, opcode: u8, len: u8) -> Result<(), Violation> {
        match opcode {
            0x0 if !self.fragmented => Err(Violation::Protocol("nothing to continue")),
            0x1 | 0x2 if self.fragmented => {
                Err(Violation::Protocol("a message begins within another"))
            }
            0x2 => Err(Violation::Binary),
            0x0 | 0x1 => Ok(()),
            0x8..=0xA if !fin => Err(Violation::Protocol("a control frame is fragmented")),
            0x8..=0xA if len as usize > MAX_CONTROL => {
                Err(Violation::Protocol("a control frame is over 125 bytes"))
            }
            0x8..=0xA => Ok(()),
            _ => Err(Violation::Protocol("an unknown opcode")),
        }
    }

    fn take_frame(
        &mut self,
        head: &FrameHead,
        payload: Vec<u8>,
    ) -> Result<InboundEvent, Violation> {
        match head.opcode {
            0x8 => read_close(&payload),
            0x9 => Ok(InboundEvent::Ping(payload)),
            0xA => Ok(InboundEvent::Pong),
            _ => {
                self.fragments.extend_from_slice(&payload);
                self.check_text(head.fin)?;
                self.fragmented = !head.fin;
                if self.fragmented {
                    return Ok(InboundEvent::Fragment);
                }
                self.checked = 0;
                let whole = std::mem::take(&mut self.fragments);
                let text = String::from_utf8(whole).map_err(|_| Violation::BadText)?;
                Ok(InboundEvent::Text(text))
            }
        }
    }

    /// Fails as soon as the message so far cannot become UTF-8 (RFC 6455, section 8.1).
    fn check_text(&mut self, is_whole: bool) -> Result<(), Violation> {
        let rest = self.fragments.get(self.checked..).unwrap_or_default();
        match std::str::from_utf8(rest) {
            Ok(_) => self.checked = self.fragments.len(),
            Err(error) if error.error_len().is_some() || is_whole => {
                return Err(Violation::BadText);
            }
            Err(error) => self.checked += error.valid_up_to(),
        }
        Ok(())
    }
}

/// Returns the number of extended length bytes after the second byte.
const fn extended(second: u8) -> usize {
    match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    }
}

fn read_close(payload: &[u8]) -> Result<InboundEvent, Violation> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() {
            Ok(InboundEvent::Close(None))
        } else {
            Err(Violation::Protocol("a close code has two bytes"))
        };
    };
    let code = u16::from_be_bytes(*code);
    // RFC 6455, section 7.4, and the codes registered with IANA since.
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::Protocol("a close code that may not be sent"));
    }
    if std::str::from_utf8(reason).is_err() {
        return Err(Violation::BadText);
    }
    Ok(InboundEvent::Close(Some(code)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use testkit::websocket::client_frame as frame;

    const MAX: usize = 4096;

    fn read_all(bytes: &[u8]) -> Result<Vec<InboundEvent>, Violation> {
        let mut inbound = Inbound::new(MAX);
        inbound.push(bytes);
        let mut sse = Vec::new();
        while let Some(event) = inbound.read()? {
            sse.push(event);
        }
        Ok(sse)
    }

    #[track_caller]
    fn check_code(bytes: &[u8], code: u16) {
        assert_eq!(read_all(bytes).unwrap_err().close_code(), code);
    }

    #[test]
    fn a_message_is_read_however_it_is_cut() {
        let mut bytes = frame(0x81, b"{\"op\":\"ping\"}");
        bytes.extend(frame(0x01, b"ab"));
        bytes.extend(frame(0x89, b"hi"));
        bytes.extend(frame(0x80, b"cd"));
        let mut inbound = Inbound::new(MAX);
        let mut sse = Vec::new();
        for byte in bytes {
            inbound.push(&[byte]);
            sse.extend(inbound.read().unwrap());
        }
        assert_eq!(
            sse,
            [
                InboundEvent::Text("{\"op\":\"ping\"}".into()),
                InboundEvent::Fragment,
                InboundEvent::Ping(b"hi".to_vec()),
                InboundEvent::Text("abcd".into()),
            ]
        );
        assert_eq!(
            inbound.bytes.capacity(),
            0,
            "an idle session holds no buffer"
        );
    }

    #[test]
    fn every_violation_has_its_close_code() {
        check_code(&[0x81, 0x01, b'a'], 1002); // not masked
        check_code(&frame(0xC1, b"a"), 1002); // reserved bit
        check_code(&frame(0x83, b"a"), 1002); // unknown opcode
        check_code(&frame(0x80, b"a"), 1002); // nothing to continue
        check_code(&[frame(0x01, b"a"), frame(0x81, b"b")].concat(), 1002); // message in message
        check_code(&frame(0x09, b"a"), 1002); // fragmented ping
        check_code(&frame(0x89, &[0; 126]), 1002); // long ping
        check_code(&frame(0x88, &[3]), 1002); // short close
        check_code(&frame(0x88, &1005u16.to_be_bytes()), 1002); // reserved close code
        check_code(&[0x81, 0xFE, 0, 5, 0, 0, 0, 0], 1002); // longer length than needed
        check_code(&frame(0x82, b"a"), 1003); // binary
        check_code(&frame(0x81, &[0xff]), 1007); // not UTF-8
        check_code(&frame(0x81, &[b'a'; MAX + 1]), 1009); // too large
        let halves = [frame(0x01, &[b'a'; MAX]), frame(0x80, b"a")].concat();
        check_code(&halves, 1009); // too large in parts
    }

    #[test]
    fn text_that_is_not_utf_8_ends_with_the_fragment_that_shows_it() {
        for (fragments, fails_at) in [
            (vec![&b"\xff"[..], b"ok"], Some(0)),
            (vec![&b"ok"[..], b"a\xc0\xaf", b"ok"], Some(1)),
            // A character of three bytes in three fragments.
            (vec![&b"\xe2"[..], b"\x82", b"\xac"], None),
            (vec![&b"\xe2"[..], b"\x28", b"\xa1"], Some(1)),
            (vec![&b"ok"[..], b"\xe2\x82"], Some(1)),
            // A surrogate, which UTF-8 cannot encode.
            (vec![&b"\xed\xa0"[..], b"\x80"], Some(0)),
        ] {
            let mut inbound = Inbound::new(MAX);
            let last = fragments.len() - 1;
            let mut failed = None;
            for (at, part) in fragments.iter().enumerate() {
                let fin = if at == last { 0x80 } else { 0 };
                let opcode = u8::from(at == 0);
                inbound.push(&frame(fin | opcode, part));
                if inbound.read() == Err(Violation::BadText) {
                    failed = Some(at);
                    break;
                }
            }
            assert_eq!(failed, fails_at, "{fragments:?}");
        }
    }

    #[test]
    fn a_message_of_the_largest_size_is_read() {
        let sse = read_all(&frame(0x81, &[b'a'; MAX])).unwrap();
        assert_eq!(sse, [InboundEvent::Text("a".repeat(MAX))]);
    }

    #[test]
    fn a_too_large_message_is_refused_before_it_is_received() {
        check_code(&frame(0x81, &[0; 100_000])[..10], 1009);
    }

    proptest! {
        #[test]
        fn no_bytes_cause_a_panic_or_are_hoarded(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..50)) {
            let mut inbound = Inbound::new(256);
            'all: for chunk in chunks {
                inbound.push(&chunk);
                loop {
                    match inbound.read() {
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(_) => break 'all,
                    }
                }
                prop_assert!(inbound.bytes.len() < 256 + MAX_HEAD);
                prop_assert!(inbound.fragments.len() <= 256);
            }
        }
    }
}
