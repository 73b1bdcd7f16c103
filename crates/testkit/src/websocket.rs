//! WebSocket frames byte by byte, for tests that break the rules.

/// Any mask will do.
const MASK: [u8; 4] = [0x11, 0x22, 0x33, 0x44];

/// A frame as a client has to send it, masked. `first` is its first byte: FIN, reserved bits and opcode.
#[must_use]
pub fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, Some(MASK))
}

/// A frame as a server has to send it, and no client may.
#[must_use]
pub fn unmasked_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, None)
}

/// A frame that a server sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFrame {
    /// Its head and its payload.
    pub bytes: Vec<u8>,
    head: usize,
}

impl ServerFrame {
    /// Its opcode, as RFC 6455 numbers them.
    #[must_use]
    pub fn opcode(&self) -> u8 {
        self.bytes[0] & 0x0f
    }

    /// Its payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.bytes[self.head..]
    }
}

/// Takes the first complete frame out of what was received. Panics if the frame is masked or a fragment.
pub fn take_server_frame(received: &mut Vec<u8>) -> Option<ServerFrame> {
    let [first, second, ..] = received[..] else {
        return None;
    };
    assert!(first & 0xf0 == 0x80, "a node fragments no message");
    assert!(second & 0x80 == 0, "a node masks no frame");
    let (head, len) = match second {
        126 => {
            let len = received.get(2..)?.first_chunk()?;
            (4, usize::from(u16::from_be_bytes(*len)))
        }
        127 => {
            let len = received.get(2..)?.first_chunk()?;
            (10, usize::try_from(u64::from_be_bytes(*len)).ok()?)
        }
        len => (2, usize::from(len)),
    };
    let is_complete = received.len() >= head + len;
    is_complete.then(|| ServerFrame {
        bytes: received.drain(..head + len).collect(),
        head,
    })
}

fn frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let mut frame = vec![first];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(len @ ..126), _) => frame.push(masked | len),
        (_, Ok(len)) => {
            frame.push(masked | 126);
            frame.extend(len.to_be_bytes());
        }
        _ => {
            frame.push(masked | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend(mask.into_iter().flatten());
    let mask = mask.unwrap_or_default();
    frame.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}
