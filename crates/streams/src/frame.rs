//! WebSocket frames as the node sends them.

/// The opcode of a WebSocket frame (RFC 6455, section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A text message: JSON.
    Text = 0x1,
    /// A binary message: SBE or the packed encoding.
    Binary = 0x2,
    /// Closes the connection; its last frame.
    Close = 0x8,
    /// Requests a pong.
    Ping = 0x9,
    /// Answers a ping.
    Pong = 0xA,
}

/// Appends one unfragmented, unmasked server frame (RFC 6455, section 5.2).
pub fn append_frame(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    /// The frame contains the whole message.
    const FIN: u8 = 0x80;
    out.push(FIN | opcode as u8);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(len @ ..126), _) => out.push(len),
        (_, Ok(len)) => {
            out.push(126);
            out.extend_from_slice(&len.to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

/// The payload of a frame made by [`append_frame`]; unspecified for other bytes.
#[must_use]
pub fn payload(frame: &[u8]) -> &[u8] {
    let head = match frame.get(1) {
        Some(126) => 4,
        Some(127) => 10,
        _ => 2,
    };
    frame.get(head..).unwrap_or_default()
}
