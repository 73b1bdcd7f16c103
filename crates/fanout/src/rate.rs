use std::time::{Duration, Instant};

/// A token bucket: so many a second for long, so many at once after a pause.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenBucket {
    /// In thousandths of a token.
    level: u64,
    at: Instant,
}

impl TokenBucket {
    pub(crate) fn full(burst: u32, now: Instant) -> Self {
        Self {
            level: u64::from(burst) * 1000,
            at: now,
        }
    }

    /// Takes a token; `false` when there is none.
    pub(crate) fn take(&mut self, rate: u32, burst: u32, now: Instant) -> bool {
        let elapsed = now
            .saturating_duration_since(self.at)
            .min(Duration::from_secs(3600));
        let gained = u64::try_from(elapsed.as_millis()).unwrap_or(0) * u64::from(rate);
        if gained > 0 {
            self.level = (self.level + gained).min(u64::from(burst) * 1000);
            self.at = now;
        }
        let taken = self.level.checked_sub(1000);
        self.level = taken.unwrap_or(self.level);
        taken.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate_is_let_through() {
        let start = Instant::now();
        let mut bucket = TokenBucket::full(5, start);
        let taken = |bucket: &mut TokenBucket, ms: u64| {
            let now = start + Duration::from_millis(ms);
            (0..100).filter(|_| bucket.take(10, 5, now)).count()
        };
        assert_eq!(taken(&mut bucket, 0), 5);
        assert_eq!(taken(&mut bucket, 99), 0);
        assert_eq!(taken(&mut bucket, 300), 3);
        assert_eq!(taken(&mut bucket, 60_000), 5);
    }
}
