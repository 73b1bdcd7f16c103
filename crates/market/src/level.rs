/// A price mantissa. The price is `mantissa * 10^exponent`, with the instrument's price exponent.
///
/// Negative prices are legal: spreads and some futures have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Price(pub i64);

/// A size mantissa. The size is `mantissa * 10^exponent`, with the instrument's size exponent.
///
/// Never negative in a book; zero in a delta deletes the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Size(pub i64);

impl Size {
    /// No size: the level does not exist.
    pub const ZERO: Self = Self(0);

    /// Returns whether the size is zero, which means that the level does not exist.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// A price and the total size at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(C)]
pub struct Level {
    /// The level's price.
    pub price: Price,
    /// The total size at the price; absolute, never an increment.
    pub size: Size,
}

impl Level {
    /// Creates a level from two mantissas.
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
