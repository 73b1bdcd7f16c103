use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::address_table::{AddressTable, BURST, Block};

/// HTTP request rates per address.
pub(crate) struct HttpRates {
    began: Instant,
    table: Mutex<AddressTable>,
}

/// What an address may request over HTTP; found in a request's extensions.
///
/// An answer costs tokens, which are paid before any work is done. An address gains
/// `limits.http_requests_per_second_per_address` tokens per second and can save five times as many.
#[derive(Clone)]
pub struct HttpAllowance {
    rates: Arc<HttpRates>,
    address: IpAddr,
    rate: Option<u32>,
}

/// An address has exceeded its request rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {rate} requests a second from this address")]
pub struct TooManyRequests {
    /// Tokens gained per second.
    pub rate: u32,
    /// Seconds after which the same request can be repeated.
    pub retry_after: u32,
}

impl HttpAllowance {
    pub(crate) const fn new(rates: Arc<HttpRates>, address: IpAddr, rate: Option<u32>) -> Self {
        Self {
            rates,
            address,
            rate,
        }
    }

    /// Pays for an answer, or returns when it can be paid for.
    pub fn pay(&self, tokens: u32) -> Result<(), TooManyRequests> {
        self.pay_at(tokens, Instant::now())
    }

    fn pay_at(&self, tokens: u32, now: Instant) -> Result<(), TooManyRequests> {
        let Some(rate) = self.rate else {
            return Ok(());
        };
        let now = self.rates.millis(now);
        self.rates.pay(self.address, tokens, rate, now)
    }
}

impl HttpRates {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            table: Mutex::default(),
        }
    }

    fn pay(
        &self,
        address: IpAddr,
        tokens: u32,
        rate: u32,
        now: u32,
    ) -> Result<(), TooManyRequests> {
        let burst = rate.saturating_mul(BURST);
        // A price above the capacity could never be paid.
        let tokens = tokens.min(burst);
        let too_many = |missing: u32| TooManyRequests {
            rate,
            retry_after: missing.div_ceil(rate).max(1),
        };
        let block = Block::of(address);
        // A panic elsewhere leaves the table consistent, since each change is made of single calls.
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = table.entry(block, burst, now) else {
            return Err(too_many(1));
        };
        if entry.bucket.take_many(tokens, rate, burst, now) {
            return Ok(());
        }
        Err(too_many(tokens.saturating_sub(entry.bucket.tokens())))
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
    use std::time::Duration;

    fn allowances(rates: &Arc<HttpRates>, text: &str, rate: u32) -> HttpAllowance {
        HttpAllowance::new(Arc::clone(rates), text.parse().unwrap(), Some(rate))
    }

    #[test]
    fn an_address_gets_its_burst_and_its_rate_and_others_are_not_concerned() {
        let rates = Arc::new(HttpRates::new());
        let one = allowances(&rates, "192.0.2.1", 10);
        let now = Instant::now();
        let paid = |allowance: &HttpAllowance, at| {
            (0..1_000)
                .filter(|_| allowance.pay_at(1, at).is_ok())
                .count()
        };
        assert_eq!(paid(&one, now), 50);
        let too_many = one.pay_at(25, now).unwrap_err();
        assert_eq!((too_many.rate, too_many.retry_after), (10, 3));
        assert_eq!(paid(&allowances(&rates, "192.0.2.2", 10), now), 50);
        let later = now + Duration::from_secs(2);
        assert_eq!(paid(&one, later), 20);
        // A /64 network counts as one user.
        let v6 = |last: u8| allowances(&rates, &format!("2001:db8::{last}"), 10);
        assert_eq!(paid(&v6(1), now) + paid(&v6(2), now), 50);
        let free = HttpAllowance {
            rate: None,
            ..one.clone()
        };
        assert_eq!(paid(&free, now), 1_000);
    }

    #[test]
    fn what_is_dearer_than_a_bucket_is_answered_when_it_is_full() {
        let rates = Arc::new(HttpRates::new());
        let one = allowances(&rates, "192.0.2.1", 1);
        let now = Instant::now();
        assert!(one.pay_at(100, now).is_ok());
        assert!(one.pay_at(100, now + Duration::from_secs(4)).is_err());
        assert!(one.pay_at(100, now + Duration::from_secs(5)).is_ok());
    }

    #[test]
    fn what_is_remembered_is_bounded_and_gives_nothing_away() {
        let rates = HttpRates::new();
        let pay = |number: u32, now| {
            rates
                .pay(IpAddr::from(number.to_be_bytes()), 5, 1, now)
                .is_ok()
        };
        for number in 0..200_000 {
            let _paid = pay(number, 0);
        }
        let len = || rates.table.lock().unwrap().len();
        assert_eq!(len(), MOST);
        assert!(!pay(300_000, 0) && !pay(0, 0));
        assert!(pay(300_000, 6_000));
        assert_eq!(len(), 1);
    }
}
