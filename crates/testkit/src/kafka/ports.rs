//! Free ports that stay free.

use super::KafkaError;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};

/// Below the ephemeral range (from 32768 on Linux, 49152 elsewhere). A client could take a port of
/// that range while the broker restarts, and a client that reconnects to such a port on the same
/// machine can end up connected to itself.
const FROM: u16 = 20_000;
const TO: u16 = 32_000;

/// A loopback port without a listener.
///
/// The search starts at a random port, so that two simultaneous tests seldom find the same one; if
/// they do, the caller tries again.
pub fn free() -> Result<u16, KafkaError> {
    let span = u64::from(TO - FROM);
    let start = RandomState::new().hash_one(std::process::id()) % span;
    (0..span)
        .filter_map(|step| u16::try_from((start + step) % span).ok())
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
