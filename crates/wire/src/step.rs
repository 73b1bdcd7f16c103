use std::fmt;

use market::decimal::{self, DecimalError};

/// The finest step: what a price exponent can express.
const FINEST: i8 = *market::Exponents::RANGE.start();

/// The price step that a grouped book rounds its levels to: a positive decimal number.
///
/// Kept without trailing zeros, so that `"0.50"` and `"0.5"` are one step and one view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PriceStep {
    mantissa: i64,
    exponent: i8,
}

/// Why a text is not a price step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// It is not a number, or is too fine or too large.
    #[error(transparent)]
    Decimal(#[from] DecimalError),
    /// It is zero or less.
    #[error("is not above zero")]
    NotPositive,
}

impl PriceStep {
    /// Parses a positive decimal number.
    pub fn parse(text: &str) -> Result<Self, StepError> {
        // The finest exponent leaves no room for large steps, so the coarsest exponent that fits is used.
        let mut exponent = 0;
        let mut mantissa = decimal::parse(text.as_bytes(), exponent);
        while matches!(mantissa, Err(DecimalError::TooFine { .. })) && exponent > FINEST {
            exponent -= 1;
            mantissa = decimal::parse(text.as_bytes(), exponent);
        }
        let mantissa = mantissa?;
        if mantissa <= 0 {
            return Err(StepError::NotPositive);
        }
        Ok(Self { mantissa, exponent })
    }

    /// The step as a price mantissa with that exponent; an error if it cannot be represented
    /// exactly.
    pub fn at(self, price_exponent: i8) -> Result<i64, DecimalError> {
        decimal::parse(self.to_string().as_bytes(), price_exponent)
    }
}

impl fmt::Display for PriceStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal::to_string(self.mantissa, self.exponent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_has_one_value_however_it_is_written() {
        for text in ["0.5", "0.50", "5e-1", "0.5000000000000000000000"] {
            assert_eq!(PriceStep::parse(text), PriceStep::parse("0.5"), "{text}");
        }
        assert_eq!(PriceStep::parse("100").unwrap().to_string(), "100");
        assert_eq!(
            PriceStep::parse("1e2").unwrap(),
            PriceStep::parse("100").unwrap()
        );
        assert_eq!(
            PriceStep::parse("0.00000001").unwrap().to_string(),
            "0.00000001"
        );
    }

    #[test]
    fn a_step_is_above_zero_and_fits() {
        assert_eq!(PriceStep::parse("0"), Err(StepError::NotPositive));
        assert_eq!(PriceStep::parse("-1"), Err(StepError::NotPositive));
        for text in ["", "x", "1e-19", "1e30"] {
            assert!(
                matches!(PriceStep::parse(text), Err(StepError::Decimal(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn a_step_is_a_mantissa_of_the_instrument() {
        assert_eq!(PriceStep::parse("0.5").unwrap().at(-8), Ok(50_000_000));
        assert_eq!(
            PriceStep::parse("0.5").unwrap().at(0),
            Err(DecimalError::TooFine { exponent: 0 })
        );
    }
}
