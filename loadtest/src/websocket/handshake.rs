//! The opening handshake of a client.

use anyhow::{bail, ensure};

/// Any 16 bytes in base64: the verifying clients check what a node makes of theirs.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The longest response that is waited for.
const MAX_RESPONSE: usize = 16 * 1024;

pub(crate) fn request(host: &str, path: &str, subprotocol: Option<&str>) -> String {
    let subprotocol = subprotocol
        .map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n"))
        .unwrap_or_default();
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{subprotocol}\r\n"
    )
}

/// Returns the length of a complete response that accepts the handshake, or `None` if it is
/// incomplete.
pub(crate) fn accepted(response: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(end) = response.windows(4).position(|four| four == b"\r\n\r\n") else {
        ensure!(
            response.len() <= MAX_RESPONSE,
            "the response to the handshake is too long"
        );
        return Ok(None);
    };
    let line = response
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    if !line.starts_with(b"HTTP/1.1 101 ") {
        bail!(
            "the handshake was rejected: {}",
            String::from_utf8_lossy(line)
        );
    }
    Ok(Some(end + 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_ends_with_its_empty_line() {
        let response = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n\x81\x02hi";
        let end = response.len() - 4;
        assert_eq!(accepted(response).unwrap(), Some(end));
        assert_eq!(accepted(&response[..end - 1]).unwrap(), None);
        let rejected = accepted(b"HTTP/1.1 503 Service Unavailable\r\n\r\n");
        assert!(rejected.unwrap_err().to_string().contains("503"));
        assert!(accepted(&[b'x'; MAX_RESPONSE + 1]).is_err());
    }
}
