use market::Exponents;

use super::assets::Asset;

/// An instrument and the shape of its book.
#[derive(Debug)]
pub(super) struct Listing {
    /// `VENUE:SYMBOL`.
    pub(super) name: &'static str,
    /// The base asset.
    pub(super) asset: Asset,
    /// Exponents of its mantissas.
    pub(super) exponents: Exponents,
    /// The price step, as a mantissa.
    pub(super) tick: i64,
    /// The size step, as a mantissa.
    pub(super) lot: i64,
    /// Approximate levels per side.
    pub(super) depth: usize,
    /// Mean spread in ticks.
    pub(super) spread: f64,
    /// Approximate value at the best price in dollars.
    pub(super) touch: f64,
}

/// Busiest first.
#[rustfmt::skip]
pub(super) const INSTRUMENTS: [Listing; 20] = [
    list("BINANCE:BTC-USDT",  Asset::Btc,  (-2, -5), (1, 1),     500, 1.2, 90_000.0),
    list("BINANCE:ETH-USDT",  Asset::Eth,  (-2, -4), (1, 1),     500, 1.3, 60_000.0),
    list("COINBASE:BTC-USD",  Asset::Btc,  (-2, -8), (1, 1),     450, 3.0, 30_000.0),
    list("BINANCE:SOL-USDT",  Asset::Sol,  (-2, -3), (1, 1),     400, 1.2, 40_000.0),
    list("OKX:BTC-USDT",      Asset::Btc,  (-2, -8), (10, 1),    400, 1.2, 50_000.0),
    list("KRAKEN:BTC-USD",    Asset::Btc,  (-1, -8), (1, 1),     400, 1.5, 40_000.0),
    list("COINBASE:ETH-USD",  Asset::Eth,  (-2, -8), (1, 1),     400, 2.5, 25_000.0),
    list("BINANCE:XRP-USDT",  Asset::Xrp,  (-4,  0), (1, 1),     350, 1.1, 60_000.0),
    list("OKX:ETH-USDT",      Asset::Eth,  (-2, -6), (1, 1),     350, 1.4, 30_000.0),
    list("BINANCE:DOGE-USDT", Asset::Doge, (-5,  0), (1, 1),     350, 1.2, 35_000.0),
    list("COINBASE:SOL-USD",  Asset::Sol,  (-2, -8), (1, 1),     300, 1.6, 15_000.0),
    list("KRAKEN:ETH-USD",    Asset::Eth,  (-2, -8), (1, 1),     300, 2.0, 20_000.0),
    list("BINANCE:BNB-USDT",  Asset::Bnb,  (-2, -3), (10, 1),    300, 1.2, 25_000.0),
    list("OKX:SOL-USDT",      Asset::Sol,  (-2, -6), (1, 1),     300, 1.3, 20_000.0),
    list("BINANCE:ADA-USDT",  Asset::Ada,  (-4, -1), (1, 1),     250, 1.1, 30_000.0),
    list("BINANCE:AVAX-USDT", Asset::Avax, (-2, -2), (1, 1),     250, 1.1, 15_000.0),
    list("BINANCE:LINK-USDT", Asset::Link, (-3, -2), (10, 1),    250, 1.1, 15_000.0),
    list("KRAKEN:XRP-USD",    Asset::Xrp,  (-5, -8), (1, 1_000), 250, 2.5, 8_000.0),
    list("COINBASE:LTC-USD",  Asset::Ltc,  (-2, -8), (1, 1),     200, 1.8, 5_000.0),
    list("KRAKEN:DOT-USD",    Asset::Dot,  (-4, -8), (1, 1_000), 200, 2.2, 4_000.0),
];

const fn list(
    name: &'static str,
    asset: Asset,
    (price, size): (i8, i8),
    (tick, lot): (i64, i64),
    depth: usize,
    spread: f64,
    touch: f64,
) -> Listing {
    Listing {
        name,
        asset,
        exponents: Exponents { price, size },
        tick,
        lot,
        depth,
        spread,
        touch,
    }
}

impl Listing {
    /// Dollars per tick.
    pub(super) fn tick_value(&self) -> f64 {
        self.tick as f64 * 10f64.powi(i32::from(self.exponents.price))
    }

    /// Units per lot.
    pub(super) fn lot_value(&self) -> f64 {
        self.lot as f64 * 10f64.powi(i32::from(self.exponents.size))
    }
}
