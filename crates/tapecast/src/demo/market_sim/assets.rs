use market::Monotonic;

use super::chance::Chance;

/// Base assets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asset {
    Btc,
    Eth,
    Sol,
    Xrp,
    Doge,
    Bnb,
    Ada,
    Avax,
    Link,
    Ltc,
    Dot,
}

/// Price process of an asset: (initial value in dollars, its beta to the market, its own volatility in basis points
/// per square root of a second).
const CHARACTERS: [(Asset, f64, f64, f64); 11] = [
    (Asset::Btc, 61_800.0, 1.0, 0.15),
    (Asset::Eth, 2_650.0, 1.15, 0.25),
    (Asset::Sol, 155.0, 1.4, 0.45),
    (Asset::Xrp, 0.605, 0.9, 0.5),
    (Asset::Doge, 0.105, 1.3, 0.5),
    (Asset::Bnb, 512.0, 0.8, 0.2),
    (Asset::Ada, 0.345, 1.1, 0.45),
    (Asset::Avax, 22.4, 1.3, 0.5),
    (Asset::Link, 10.6, 1.2, 0.5),
    (Asset::Ltc, 61.2, 0.9, 0.35),
    (Asset::Dot, 4.62, 1.1, 0.45),
];

/// Interval of the walk in ns, finer than any book follows it.
const STEP: u64 = 50_000_000;
const STEP_SECONDS: f64 = 0.05;
/// Volatility of the whole market in basis points per square root of a second: 25 % a year.
const MARKET_MOVES: f64 = 0.45;
/// Values revert to their start within hours, so that a demo left running stays plausible.
const REVERSION_SECONDS: f64 = 6.0 * 3600.0;
/// Volatility regimes last about a minute.
const VOLATILITY_SECONDS: f64 = 60.0;
/// Spread of the volatility: the standard deviation of its logarithm.
const VOLATILITY_SPREAD: f64 = 0.55;

/// The values of all assets: a common walk and one per asset, with volatility that changes over time.
#[derive(Debug)]
pub(super) struct Assets {
    chance: Chance,
    start: Monotonic,
    steps: u64,
    market: Walk,
    own: [Walk; CHARACTERS.len()],
}

/// Deviation from the start in basis points, and log-volatility.
#[derive(Debug, Clone, Copy, Default)]
struct Walk {
    position: f64,
    log_volatility: f64,
}

impl Assets {
    pub(super) fn new(chance: Chance, start: Monotonic) -> Self {
        Self {
            chance,
            start,
            steps: 0,
            market: Walk::default(),
            own: [Walk::default(); CHARACTERS.len()],
        }
    }

    /// When the walk started.
    pub(super) const fn start(&self) -> Monotonic {
        self.start
    }

    /// Walks until `now`.
    pub(super) fn advance(&mut self, now: Monotonic) {
        let due = now.nanos_since(self.start) / STEP;
        while self.steps < due {
            self.steps += 1;
            self.market.step(MARKET_MOVES, &mut self.chance);
            for (walk, (_, _, _, moves)) in self.own.iter_mut().zip(&CHARACTERS) {
                walk.step(*moves, &mut self.chance);
            }
        }
    }

    /// The value of an asset in dollars.
    pub(super) fn value(&self, asset: Asset) -> f64 {
        let (_, first, share, _) = CHARACTERS[asset as usize];
        let points = share * self.market.position + self.own[asset as usize].position;
        first * (points * 1e-4).exp()
    }

    /// Factor of activity: volatile times are busy times.
    pub(super) fn excitement(&self, asset: Asset) -> f64 {
        let log_volatility =
            self.market.log_volatility + 0.5 * self.own[asset as usize].log_volatility;
        (0.6 * log_volatility).exp().clamp(0.4, 3.0)
    }
}

impl Walk {
    fn step(&mut self, moves: f64, chance: &mut Chance) {
        let back = STEP_SECONDS / VOLATILITY_SECONDS;
        self.log_volatility +=
            -back * self.log_volatility + VOLATILITY_SPREAD * (2.0 * back).sqrt() * chance.normal();
        // With this offset, the mean of the squared steps does not depend on the spread of the volatility.
        let moves = moves * (self.log_volatility - VOLATILITY_SPREAD * VOLATILITY_SPREAD).exp();
        self.position += -self.position * STEP_SECONDS / REVERSION_SECONDS
            + moves * STEP_SECONDS.sqrt() * chance.normal();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_asset_stands_at_its_own_place() {
        for (index, (asset, ..)) in CHARACTERS.iter().enumerate() {
            assert_eq!(*asset as usize, index);
        }
    }

    #[test]
    fn values_do_not_depend_on_how_often_they_are_asked_for() {
        let mut often = Assets::new(Chance::new(1), Monotonic(0));
        let mut once = Assets::new(Chance::new(1), Monotonic(0));
        for second in 0..600 {
            often.advance(Monotonic(second * 1_000_000_000));
        }
        once.advance(Monotonic(599_000_000_000));
        assert_eq!(often.value(Asset::Eth), once.value(Asset::Eth));
    }

    #[test]
    fn bitcoin_and_ether_move_together() {
        let mut assets = Assets::new(Chance::new(7), Monotonic(0));
        let (mut both, mut btc, mut eth) = (0.0, 0.0, 0.0);
        let mut last = (assets.value(Asset::Btc), assets.value(Asset::Eth));
        for second in 1..3_600 {
            assets.advance(Monotonic(second * 1_000_000_000));
            let now = (assets.value(Asset::Btc), assets.value(Asset::Eth));
            let (a, b) = ((now.0 / last.0).ln(), (now.1 / last.1).ln());
            both += a * b;
            btc += a * a;
            eth += b * b;
            last = now;
        }
        let correlation = both / (btc * eth).sqrt();
        assert!((0.7..0.99).contains(&correlation), "{correlation}");
    }
}
