//! Random distributions, derived from the uniform one of `fastrand`.

use std::f64::consts::TAU;

/// A sequence of random numbers that depends only on its seed.
#[derive(Debug, Clone)]
pub(super) struct Chance(fastrand::Rng);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// An independent sequence, so that instruments do not affect each other.
    pub(super) fn fork(&mut self) -> Self {
        Self(self.0.fork())
    }

    /// Uniform in `0.0..1.0`.
    pub(super) fn even(&mut self) -> f64 {
        self.0.f64()
    }

    /// Uniform in `0..below`.
    pub(super) fn below(&mut self, below: usize) -> usize {
        if below == 0 { 0 } else { self.0.usize(..below) }
    }

    pub(super) fn happens(&mut self, probability: f64) -> bool {
        self.even() < probability
    }

    /// Standard normal (Box and Muller).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.above_zero().ln()).sqrt();
        radius * (TAU * self.even()).cos()
    }

    /// Time between two events of a Poisson process.
    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.above_zero().ln()
    }

    /// A log-normal factor with median 1.
    pub(super) fn log_normal(&mut self, sigma: f64) -> f64 {
        (sigma * self.normal()).exp()
    }

    /// Geometric: each number is `again` times as likely as the one before it; at most `most`.
    pub(super) fn geometric(&mut self, again: f64, most: usize) -> usize {
        let mut count = 0;
        while count < most && self.happens(again) {
            count += 1;
        }
        count
    }

    /// A distance up to `reach`, with a power-law tail beyond `scale` (Lomax).
    pub(super) fn distance(&mut self, scale: f64, alpha: f64, reach: f64) -> f64 {
        let inside = 1.0 - (1.0 + reach / scale).powf(-alpha);
        scale * ((1.0 - inside * self.even()).powf(-1.0 / alpha) - 1.0)
    }

    fn above_zero(&mut self) -> f64 {
        1.0 - self.even()
    }
}

/// The integer part; saturates far beyond any price or size here.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a float's cast to an integer saturates, and dropping the fraction is meant"
)]
pub(super) fn whole(number: f64) -> i64 {
    number as i64
}

/// Nanoseconds, at least 0.
pub(super) fn nanos(number: f64) -> u64 {
    u64::try_from(whole(number)).unwrap_or(0)
}
