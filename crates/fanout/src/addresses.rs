use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::address_table::{AddressTable, BURST, Block};
use crate::settings::Settings;
use fanout_core::TokenBucket;

/// Limits the connections of each address, the rate at which it makes them, and the rate of all
/// together.
pub(crate) struct Addresses {
    began: Instant,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    each: AddressTable,
    all: Option<TokenBucket>,
}

/// A counted connection; counted out when dropped.
pub(crate) struct Counted {
    addresses: Arc<Addresses>,
    block: Block,
}

/// Why a connection is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TooMany {
    /// Its address has as many connections as it may.
    OfAddress,
    /// Its address makes connections too fast.
    FromAddress,
    /// All addresses together make connections too fast.
    FromAll,
}

impl Addresses {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            table: Mutex::default(),
        }
    }

    /// Counts a new connection, if any limit is on.
    pub(crate) fn enter(
        self: &Arc<Self>,
        address: IpAddr,
        settings: &Settings,
        now: Instant,
    ) -> Result<Option<Counted>, TooMany> {
        let (most, rate) = (
            settings.connections_per_address,
            settings.connection_rate_per_address,
        );
        let millis = self.millis(now);
        let mut table = self.table();
        if let Some(rate) = settings.connection_rate {
            let burst = rate.saturating_mul(BURST);
            let all = table
                .all
                .get_or_insert_with(|| TokenBucket::full(burst, millis));
            if !all.take(rate, burst, millis) {
                return Err(TooMany::FromAll);
            }
        }
        if most.is_none() && rate.is_none() {
            return Ok(None);
        }
        let block = Block::of(address);
        let burst = rate.unwrap_or(1).saturating_mul(BURST);
        let Some(entry) = table.each.entry(block, burst, millis) else {
            return Err(TooMany::FromAll);
        };
        if rate.is_some_and(|rate| !entry.bucket.take(rate, burst, millis)) {
            return Err(TooMany::FromAddress);
        }
        if most.is_some_and(|most| entry.open >= most) {
            return Err(TooMany::OfAddress);
        }
        entry.open += 1;
        Ok(Some(Counted {
            addresses: Arc::clone(self),
            block,
        }))
    }

    /// A panic elsewhere leaves the table consistent, since each change is made of single calls.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[expect(clippy::cast_possible_truncation, reason = "a modulus")]
    fn millis(&self, now: Instant) -> u32 {
        now.saturating_duration_since(self.began).as_millis() as u32
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let now = || self.addresses.millis(Instant::now());
        self.addresses.table().each.leave(self.block, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address_table::MOST;
    use std::time::Duration;

    fn v4(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn why<T>(entered: Result<T, TooMany>) -> Option<TooMany> {
        entered.err()
    }

    #[test]
    fn an_address_has_as_many_connections_as_it_may_and_others_are_not_concerned() {
        let addresses = Arc::new(Addresses::new());
        let settings = Settings {
            connections_per_address: Some(2),
            ..Settings::default()
        };
        let now = Instant::now();
        let enter = |address| addresses.enter(address, &settings, now);
        let first = enter(v4(1)).unwrap();
        let _second = enter(v4(1)).unwrap();
        assert_eq!(why(enter(v4(1))), Some(TooMany::OfAddress));
        assert!(enter(v4(2)).is_ok());
        drop(first);
        assert!(enter(v4(1)).is_ok());
        // A user of IPv6 has a whole network.
        let of = |text: &str| text.parse().unwrap();
        let _both = [
            enter(of("2001:db8::1")).unwrap(),
            enter(of("2001:db8::2")).unwrap(),
        ];
        assert_eq!(why(enter(of("2001:db8::ffff:3"))), Some(TooMany::OfAddress));
        assert!(enter(of("2001:db8:0:1::1")).is_ok());
        let _mapped = [
            enter(of("::ffff:192.0.2.9")).unwrap(),
            enter(v4(9)).unwrap(),
        ];
        assert_eq!(why(enter(v4(9))), Some(TooMany::OfAddress));
    }

    #[test]
    fn connections_come_no_faster_than_they_may() {
        let addresses = Arc::new(Addresses::new());
        let settings = Settings {
            connection_rate_per_address: Some(2),
            connection_rate: Some(3),
            ..Settings::default()
        };
        let now = Instant::now();
        let come = |address, at, times: usize| {
            let entered = (0..times).map(|_| why(addresses.enter(address, &settings, at)));
            entered.filter(Option::is_none).count()
        };
        assert_eq!(come(v4(1), now, 12), 10);
        assert_eq!(come(v4(2), now, 12), 3, "the rest of what all may");
        let later = now + Duration::from_secs(1);
        assert_eq!(come(v4(1), later, 9), 2);
        assert_eq!(come(v4(3), later + Duration::from_secs(60), 99), 10);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_known_addresses_stay() {
        let addresses = Arc::new(Addresses::new());
        let settings = Settings {
            connections_per_address: Some(1),
            connection_rate_per_address: Some(1),
            ..Settings::default()
        };
        let now = Instant::now();
        let enter =
            |number: u32, at| addresses.enter(IpAddr::from(number.to_be_bytes()), &settings, at);
        let known = enter(0, now).unwrap();
        for number in 1..200_000 {
            drop(enter(number, now));
        }
        assert_eq!(addresses.table().each.len(), MOST);
        assert_eq!(why(enter(300_000, now)), Some(TooMany::FromAll));
        assert_eq!(why(enter(0, now)), Some(TooMany::OfAddress));
        assert!(enter(300_000, now + Duration::from_secs(6)).is_ok());
        assert!(addresses.table().each.len() < 10);
        drop(known);
    }
}
