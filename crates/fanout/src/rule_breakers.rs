use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::address_table::{AddressTable, Block};

/// Maximum closes that count towards an address's delay.
pub(crate) const MOST_COUNTED: u32 = 3;
/// Closes forgotten per second.
const FORGOTTEN: u32 = 1;

/// Addresses whose clients have recently been closed for breaking a rule.
///
/// A handshake costs a shard more than a flood that is cut off after 64 KiB, so a client that
/// reconnects after each close would cost as much as if it had never been closed. Its next
/// handshakes are therefore delayed by `limits.handshake_delay` per remembered close. A
/// well-behaved client at the same address waits as long, which is less than a second.
pub(crate) struct RuleBreakers {
    began: Instant,
    /// Each bucket lacks one token per remembered close.
    table: Mutex<AddressTable>,
}

impl RuleBreakers {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            table: Mutex::default(),
        }
    }

    /// Records that a session was closed because its client broke a rule.
    pub(crate) fn closed(&self, address: IpAddr, now: Instant) {
        let now = self.millis(now);
        // A panic elsewhere leaves the table consistent, since each change is made of single calls.
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        // If the table is full, a new address is not delayed.
        if let Some(entry) = table.entry(Block::of(address), MOST_COUNTED, now) {
            entry.bucket.take(FORGOTTEN, MOST_COUNTED, now);
        }
    }

    /// Returns the delay of a handshake from an address.
    pub(crate) fn delay(&self, address: IpAddr, each: Duration, now: Instant) -> Duration {
        let now = self.millis(now);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = table.get(Block::of(address)) else {
            return Duration::ZERO;
        };
        let left = entry.bucket.refill(FORGOTTEN, MOST_COUNTED, now);
        each * MOST_COUNTED.saturating_sub(left)
    }

    #[expect(clippy::cast_possible_truncation, reason = "a modulus")]
    fn millis(&self, now: Instant) -> u32 {
        now.saturating_duration_since(self.began).as_millis() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address_table::MOST;

    const EACH: Duration = Duration::from_millis(250);

    fn v4(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn handshakes_of_an_address_are_delayed_longer_with_each_close_but_less_than_a_second() {
        let breakers = RuleBreakers::new();
        let now = Instant::now();
        assert_eq!(breakers.delay(v4(1), EACH, now), Duration::ZERO);
        for closes in 1..10 {
            breakers.closed(v4(1), now);
            let delay = breakers.delay(v4(1), EACH, now);
            assert_eq!(delay, EACH * closes.min(3));
            assert!(delay < Duration::from_secs(1));
        }
        assert_eq!(breakers.delay(v4(2), EACH, now), Duration::ZERO, "others");
        assert_eq!(breakers.delay(v4(1), Duration::ZERO, now), Duration::ZERO);
    }

    #[test]
    fn closes_are_forgotten_one_a_second() {
        let breakers = RuleBreakers::new();
        let now = Instant::now();
        for _ in 0..10 {
            breakers.closed(v4(1), now);
        }
        let after = |millis| breakers.delay(v4(1), EACH, now + Duration::from_millis(millis));
        assert_eq!(after(900), EACH * 3);
        assert_eq!(after(1_000), EACH * 2);
        assert_eq!(after(2_500), EACH);
        assert_eq!(after(3_000), Duration::ZERO);
    }

    #[test]
    fn a_client_that_comes_back_at_once_after_each_close_has_less_than_two_handshakes_a_second() {
        let breakers = RuleBreakers::new();
        let mut now = Instant::now();
        let end = now + Duration::from_secs(60);
        let mut handshakes = 0;
        while now < end {
            now += breakers.delay(v4(1), EACH, now) + Duration::from_millis(1);
            breakers.closed(v4(1), now);
            handshakes += 1;
        }
        assert!(handshakes < 120, "{handshakes}");
    }

    #[test]
    fn a_network_of_ipv6_is_one_client_and_what_is_remembered_is_bounded() {
        let breakers = RuleBreakers::new();
        let now = Instant::now();
        let of = |text: &str| text.parse().unwrap();
        breakers.closed(of("2001:db8::1"), now);
        assert_eq!(breakers.delay(of("2001:db8::2:2"), EACH, now), EACH);
        assert_eq!(
            breakers.delay(of("2001:db8:0:1::1"), EACH, now),
            Duration::ZERO
        );
        for number in 0..200_000_u32 {
            breakers.closed(IpAddr::from(number.to_be_bytes()), now);
        }
        assert_eq!(breakers.table.lock().unwrap().len(), MOST);
    }
}
