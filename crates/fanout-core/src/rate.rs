/// A token bucket: a sustained rate, and a burst after a pause.
///
/// Time is in milliseconds of the owner's clock, which may wrap: a bucket fills up long before
/// that.
#[derive(Debug, Clone, Copy)]
pub struct TokenBucket {
    /// Thousandths of a token.
    level: u32,
    at: u32,
}

/// Largest possible capacity: thousandths are kept in 32 bits.
const MOST: u32 = u32::MAX / WHOLE;
/// One token, in thousandths.
const WHOLE: u32 = 1000;

impl TokenBucket {
    /// Creates a full bucket.
    #[must_use]
    pub const fn full(burst: u32, now: u32) -> Self {
        let level = if burst < MOST { burst } else { MOST } * WHOLE;
        Self { level, at: now }
    }

    /// Takes one token. Returns false if there is none.
    pub fn take(&mut self, rate: u32, burst: u32, now: u32) -> bool {
        self.take_part(WHOLE, rate, burst, now)
    }

    /// Returns the number of whole tokens at the last update.
    #[must_use]
    pub const fn tokens(&self) -> u32 {
        self.level / WHOLE
    }

    /// Refills the bucket and returns the whole tokens in it.
    pub fn refill(&mut self, rate: u32, burst: u32, now: u32) -> u32 {
        self.take_part(0, rate, burst, now);
        self.tokens()
    }

    /// Takes `tokens` tokens, or none. Returns false if there are too few.
    pub fn take_many(&mut self, tokens: u32, rate: u32, burst: u32, now: u32) -> bool {
        self.take_part(tokens.saturating_mul(WHOLE), rate, burst, now)
    }

    /// Takes thousandths of a token, or none. Returns false if there are too few.
    pub fn take_part(&mut self, thousandths: u32, rate: u32, burst: u32, now: u32) -> bool {
        let gained = now.wrapping_sub(self.at).saturating_mul(rate);
        if gained > 0 {
            let most = burst.min(MOST) * WHOLE;
            self.level = self.level.saturating_add(gained).min(most);
            self.at = now;
        }
        let taken = self.level.checked_sub(thousandths);
        self.level = taken.unwrap_or(self.level);
        taken.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate_is_let_through() {
        let start = u32::MAX - 50;
        let mut bucket = TokenBucket::full(5, start);
        let taken = |bucket: &mut TokenBucket, ms: u32| {
            let now = start.wrapping_add(ms);
            (0..100).filter(|_| bucket.take(10, 5, now)).count()
        };
        assert_eq!(taken(&mut bucket, 0), 5);
        assert_eq!(taken(&mut bucket, 99), 0);
        assert_eq!(taken(&mut bucket, 300), 3);
        assert_eq!(taken(&mut bucket, 60_000), 5);
    }
}
