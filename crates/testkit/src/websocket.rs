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
