use std::fmt;

use market::decimal;

/// The pace of a replay: a multiple of real time, in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pace(u32);

impl Pace {
    /// A hundredth of real time.
    pub const SLOWEST: Self = Self(1);
    /// Ten thousand times real time: three hours in a second.
    pub const FASTEST: Self = Self(1_000_000);

    /// Parses a number from 0.01 to 10000 with at most two decimals.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hundredths = decimal::parse(text.as_bytes(), -2).ok()?;
        let pace = Self(u32::try_from(hundredths).ok()?);
        (Self::SLOWEST..=Self::FASTEST)
            .contains(&pace)
            .then_some(pace)
    }

    /// Scales an interval to this pace: how far apart to send two events that happened `nanos`
    /// apart.
    #[must_use]
    pub fn stretch(self, nanos: u64) -> u64 {
        let stretched = u128::from(nanos) * 100 / u128::from(self.0);
        u64::try_from(stretched).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal::to_string(i64::from(self.0), -2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_a_positive_number_within_its_bounds() {
        for (text, shown) in [("1", "1"), ("0.5", "0.5"), ("10", "10"), ("10000", "10000")] {
            assert_eq!(Pace::parse(text).unwrap().to_string(), shown);
        }
        for text in ["0", "-1", "0.001", "10001", "x", ""] {
            assert_eq!(Pace::parse(text), None, "{text}");
        }
        assert_eq!(Pace::parse("10").unwrap().stretch(1_000), 100);
        assert_eq!(Pace::parse("0.5").unwrap().stretch(1_000), 2_000);
    }
}
