//! Free ports that stay free.

use super::KafkaError;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};

/// Below the range that systems hand out to outgoing connections (Linux 32768, others 49152). A
/// port from that range could be taken by a client while the broker restarts, and a client that
/// reconnects to such a port on its own machine can end up connected to itself.
const FROM: u16 = 20_000;
const TO: u16 = 32_000;

/// A loopback port on which nobody listens now.
///
/// The search begins anywhere, so that two tests that look at the same time seldom meet; the caller
/// tries again when they do.
pub fn free() -> Result<u16, KafkaError> {
    let span = u64::from(TO - FROM);
    let start = RandomState::new().hash_one(std::process::id()) % span;
    (0..span)
        .filter_map(|step| u16::try_from((start + step) % span).ok())
        .map(|offset| FROM + offset)
        .find(|&port| is_free(port))
        .ok_or(KafkaError::NoPort { from: FROM, to: TO })
}

/// Whether a broker could listen on this port now.
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
