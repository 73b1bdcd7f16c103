//! Free ports that stay free.

use super::KafkaError;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ephemeral range (from 32768 on Linux, 49152 elsewhere). A client could take a port of
/// that range while the broker restarts, and a client that reconnects to such a port on the same
/// machine can end up connected to itself.
const FROM: u16 = 20_000;
const TO: u16 = 32_000;

/// Ports that this process has taken.
static TAKEN: AtomicU16 = AtomicU16::new(0);

/// A loopback port without a listener, another one at each call.
///
/// The search starts at a port that depends on the process, so that two simultaneous tests seldom
/// find the same one; if they do, the caller tries again.
pub fn free() -> Result<u16, KafkaError> {
    let span = TO - FROM;
    let start = std::process::id().wrapping_mul(37);
    (0..span)
        .map(|_| start.wrapping_add(u32::from(TAKEN.fetch_add(1, Ordering::Relaxed))))
        .filter_map(|port| u16::try_from(port % u32::from(span)).ok())
        .map(|offset| FROM + offset)
        .find(|&port| is_free(port))
        .ok_or(KafkaError::NoPort { from: FROM, to: TO })
}

/// Returns whether nobody listens on the port.
pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_not_offered() {
        let port = free().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        assert!(!is_free(port));
        assert_eq!(listener.local_addr().unwrap().port(), port);
        assert!((FROM..TO).contains(&port));
    }
}
