use std::collections::HashMap;
use std::time::Duration;

use ingest::Refusal;
use market::{Exponents, InstrumentName};
use wire::control::Symbol;

/// What is configured of instruments.
///
/// An instrument is configured by the first rule that matches its name, alone: what that rule does
/// not say comes from `[instruments]`, not from later rules. So the outcome for one instrument can
/// be read off one place.
pub(crate) struct Instruments {
    /// How many instruments the node may have.
    pub(crate) max: usize,
    /// Whether instruments that no rule matches are refused.
    pub(crate) refuse_unknown: bool,
    /// Where no rule matches.
    pub(crate) default: Exponents,
    /// An instrument without records for so long is stale; `None` is never.
    pub(crate) stale_after: Option<Duration>,
    pub(crate) rules: Vec<Rule>,
    /// Instruments by `VENUE:ALIAS`.
    pub(crate) aliases: HashMap<String, InstrumentName>,
}

/// What is configured of one instrument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Instrument {
    /// Its name, after aliases.
    pub(crate) name: InstrumentName,
    /// Its fixed-point scale.
    pub(crate) exponents: Exponents,
    /// The mantissa of its smallest step of prices, as far as configured.
    pub(crate) tick_size: Option<i64>,
    /// The mantissa of its smallest step of sizes, as far as configured.
    pub(crate) lot_size: Option<i64>,
}

/// What is configured of the instruments that match.
pub(crate) struct Rule {
    pub(crate) matching: Symbol,
    pub(crate) exponents: Exponents,
    pub(crate) tick_size: Option<i64>,
    pub(crate) lot_size: Option<i64>,
}

impl Instruments {
    /// The instrument that a venue's records call `symbol`.
    ///
    /// A look-up among all rules: for the first time that a name is seen.
    pub(crate) fn find(&self, venue: &str, symbol: &str) -> Result<Instrument, Refusal> {
        let name = match self.aliases.get(&format!("{venue}:{symbol}")) {
            Some(name) => name.clone(),
            None => InstrumentName::new(venue, symbol)?,
        };
        let rule = self.rules.iter().find(|rule| rule.matching.matches(&name));
        match rule {
            Some(rule) => Ok(Instrument {
                name,
                exponents: rule.exponents,
                tick_size: rule.tick_size,
                lot_size: rule.lot_size,
            }),
            None if self.refuse_unknown => Err(Refusal::UnknownInstrument),
            None => Ok(Instrument {
                name,
                exponents: self.default,
                tick_size: None,
                lot_size: None,
            }),
        }
    }

    /// The instruments that a rule names one by one, which exist before their first record.
    pub(crate) fn named(&self) -> impl Iterator<Item = Instrument> {
        let names = self.rules.iter();
        names.filter_map(|rule| {
            let name = rule.matching.name()?;
            self.find(name.venue(), name.symbol()).ok()
        })
    }
}
