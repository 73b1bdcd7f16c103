use std::fmt;

/// The longest venue name, in bytes.
const MAX_VENUE: usize = 32;
/// The longest symbol, in bytes. The longest option symbols seen have 30.
const MAX_SYMBOL: usize = 64;

/// The name of an instrument: `VENUE:SYMBOL`, such as `BINANCE:BTC-USDT`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstrumentName {
    text: Box<str>,
    colon: u8,
}

/// Why a text is not an instrument name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The colon is missing.
    #[error("an instrument is named VENUE:SYMBOL, and there is no colon")]
    NoColon,
    /// The venue is empty, too long, or contains other characters.
    #[error("a venue is 1 to {MAX_VENUE} of A-Z, 0-9, '_', '-' and '.'")]
    Venue,
    /// The symbol is empty, too long, or contains forbidden characters.
    #[error(
        "a symbol is 1 to {MAX_SYMBOL} bytes without white space, control characters, quotes, '\\', '*' and ':'"
    )]
    Symbol,
}

impl InstrumentName {
    /// Creates a name from its two parts, which are validated.
    pub fn new(venue: &str, symbol: &str) -> Result<Self, NameError> {
        let venue_fits = (1..=MAX_VENUE).contains(&venue.len())
            && venue
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b"_-.".contains(&b));
        if !venue_fits {
            return Err(NameError::Venue);
        }
        let symbol_fits = (1..=MAX_SYMBOL).contains(&symbol.len())
            && symbol
                .chars()
                .all(|c| !c.is_whitespace() && !c.is_control() && !"\"'\\*:".contains(c));
        if !symbol_fits {
            return Err(NameError::Symbol);
        }
        let colon = u8::try_from(venue.len()).map_err(|_| NameError::Venue)?;
        Ok(Self {
            text: format!("{venue}:{symbol}").into(),
            colon,
        })
    }

    /// Parses `VENUE:SYMBOL`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let (venue, symbol) = text.split_once(':').ok_or(NameError::NoColon)?;
        Self::new(venue, symbol)
    }

    /// The full name, `VENUE:SYMBOL`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before the colon.
    #[must_use]
    pub fn venue(&self) -> &str {
        &self.text[..usize::from(self.colon)]
    }

    /// The part after the colon.
    #[must_use]
    pub fn symbol(&self) -> &str {
        &self.text[usize::from(self.colon) + 1..]
    }

    /// The instrument's id, which is the same on every node.
    #[must_use]
    pub fn id(&self) -> InstrumentId {
        InstrumentId::of(&self.text)
    }
}

impl fmt::Display for InstrumentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for InstrumentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// An instrument's id: a pure function of its name, below 2^53 so that every language's numbers
/// represent it exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct InstrumentId(pub u64);

impl InstrumentId {
    /// Computes the top 53 bits of the finalized FNV-1a hash of the name.
    ///
    /// FNV-1a (64 bits; offset basis and prime from RFC 9923) mixes the high bits of short texts
    /// poorly, hence the finalizer of MurmurHash3 (`fmix64`). Among 100,000 instruments the odds of
    /// a collision are one in two million; the second instrument is then rejected.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in name.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Self(crate::checksum::fmix64(hash) >> 11)
    }
}

/// The fixed-point scale of an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Exponents {
    /// The power of ten by which price mantissas are multiplied.
    pub price: i8,
    /// The power of ten by which size mantissas are multiplied.
    pub size: i8,
}

impl Exponents {
    /// The range of useful exponents, finest to coarsest: outside it, an `i64` mantissa cannot hold
    /// realistic prices or sizes.
    pub const RANGE: std::ops::RangeInclusive<i8> = -18..=9;
}

impl Default for Exponents {
    /// Eight decimals each, the most that most venues quote.
    fn default() -> Self {
        Self {
            price: -8,
            size: -8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_split_at_its_colon() {
        let name = InstrumentName::parse("BINANCE:BTC-USDT").unwrap();
        assert_eq!((name.venue(), name.symbol()), ("BINANCE", "BTC-USDT"));
    }

    #[test]
    fn a_wrong_name_says_which_part_is_wrong() {
        assert_eq!(InstrumentName::parse("BTC"), Err(NameError::NoColon));
        assert_eq!(InstrumentName::parse("binance:BTC"), Err(NameError::Venue));
        assert_eq!(InstrumentName::parse(":BTC"), Err(NameError::Venue));
        assert_eq!(InstrumentName::parse("BINANCE:"), Err(NameError::Symbol));
        assert_eq!(InstrumentName::parse("BINANCE:B C"), Err(NameError::Symbol));
        assert_eq!(InstrumentName::parse("BINANCE:B*"), Err(NameError::Symbol));
    }

    #[test]
    fn an_id_is_the_same_everywhere_and_fits_a_double() {
        let id = InstrumentId::of("BINANCE:BTC-USDT");
        assert_eq!(id, InstrumentName::parse("BINANCE:BTC-USDT").unwrap().id());
        assert!(id.0 < 1 << 53);
        assert_ne!(id, InstrumentId::of("BINANCE:BTC-USDC"));
    }
}
