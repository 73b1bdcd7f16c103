//! The dice of the simulation. `fastrand` gives even numbers below 1; what nature prefers is made
//! of these here.

use std::f64::consts::TAU;

/// A sequence of chances that depends on its seed alone.
#[derive(Debug, Clone)]
pub(super) struct Chance(fastrand::Rng);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// An independent one, so that what one instrument does moves no other.
    pub(super) fn fork(&mut self) -> Self {
        Self(self.0.fork())
    }

    /// Even in `0.0..1.0`.
    pub(super) fn even(&mut self) -> f64 {
        self.0.f64()
    }

    /// Even in `0..below`.
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

    /// A time between two things that happen at random.
    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.above_zero().ln()
    }

    /// A factor with median 1.
    pub(super) fn log_normal(&mut self, sigma: f64) -> f64 {
        (sigma * self.normal()).exp()
    }

    /// A whole number from 0 on, each one as likely as the last one times `again`; at most `most`.
    pub(super) fn geometric(&mut self, again: f64, most: usize) -> usize {
        let mut count = 0;
        while count < most && self.happens(again) {
            count += 1;
        }
        count
    }

    /// A distance up to `reach`, that thins out like a power law beyond `scale` (Lomax).
    pub(super) fn distance(&mut self, scale: f64, alpha: f64, reach: f64) -> f64 {
        let inside = 1.0 - (1.0 + reach / scale).powf(-alpha);
        scale * ((1.0 - inside * self.even()).powf(-1.0 / alpha) - 1.0)
    }

    fn above_zero(&mut self) -> f64 {
        1.0 - self.even()
    }
}

/// The whole part; saturates, which no price or size here comes near.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a float's cast to an integer saturates, and dropping the fraction is meant"
)]
pub(super) fn whole(number: f64) -> i64 {
    number as i64
}

/// A time of so many nanoseconds; none below zero.
pub(super) fn nanos(number: f64) -> u64 {
    u64::try_from(whole(number)).unwrap_or(0)
}
