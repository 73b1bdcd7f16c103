/// A price as a mantissa; its value is `mantissa * 10^price_exponent` of its instrument.
///
/// Negative prices are legal: spreads and some futures have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Price(pub i64);

/// A size as a mantissa; its value is `mantissa * 10^size_exponent` of its instrument.
///
/// Never negative in a book; zero in a delta deletes the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Size(pub i64);

impl Size {
    /// The size that means "no such level".
    pub const ZERO: Self = Self(0);

    /// Whether this size means "no such level".
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// A price and the whole size that stands at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(C)]
pub struct Level {
    /// Where it stands.
    pub price: Price,
    /// How much stands there; absolute, never an increment.
    pub size: Size,
}

impl Level {
    /// A level from its two mantissas.
    #[must_use]
    pub const fn new(price: i64, size: i64) -> Self {
        Self {
            price: Price(price),
            size: Size(size),
        }
    }
}

const _: () = assert!(
    size_of::<Level>() == 16,
    "a level is two mantissas, on the wire as in memory"
);
