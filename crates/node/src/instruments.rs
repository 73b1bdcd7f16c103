use std::collections::HashMap;
use std::time::Duration;

use ingest::Rejection;
use market::{Exponents, InstrumentName};
use wire::control::Symbol;

/// The configured instruments.
///
/// Only the first rule that matches an instrument applies; what it does not set comes from `[instruments]`, not
/// from later rules. So the configuration of an instrument can be read in one place.
pub(crate) struct Instruments {
    /// Maximum number of instruments of the node.
    pub(crate) max: usize,
    /// Whether instruments that match no rule are rejected.
    pub(crate) refuse_unknown: bool,
    /// The exponents of instruments that match no rule.
    pub(crate) default: Exponents,
    /// Silence after which an instrument is stale; `None` is never.
    pub(crate) stale_after: Option<Duration>,
    pub(crate) rules: Vec<Rule>,
    /// Instruments by `VENUE:ALIAS`.
    pub(crate) aliases: HashMap<String, InstrumentName>,
}

/// The configuration of one instrument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Instrument {
    /// Its name, with aliases resolved.
    pub(crate) name: InstrumentName,
    pub(crate) exponents: Exponents,
    /// Mantissa of the price step, if configured.
    pub(crate) tick_size: Option<i64>,
    /// Mantissa of the size step, if configured.
    pub(crate) lot_size: Option<i64>,
}

/// The configuration of all instruments that match.
pub(crate) struct Rule {
    pub(crate) matching: Symbol,
    pub(crate) exponents: Exponents,
    pub(crate) tick_size: Option<i64>,
    pub(crate) lot_size: Option<i64>,
}

impl Instruments {
    /// The instrument whose name or alias in a venue's records is `symbol`.
    ///
    /// Searches all rules, so this is for the first time a name is seen.
    pub(crate) fn find(&self, venue: &str, symbol: &str) -> Result<Instrument, Rejection> {
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
            None if self.refuse_unknown => Err(Rejection::UnknownInstrument),
            None => Ok(Instrument {
                name,
                exponents: self.default,
                tick_size: None,
                lot_size: None,
            }),
        }
    }

    /// The instruments that have a rule of their own; they exist before their first record.
    pub(crate) fn named(&self) -> impl Iterator<Item = Instrument> {
        let names = self.rules.iter();
        names.filter_map(|rule| {
            let name = rule.matching.name()?;
            self.find(name.venue(), name.symbol()).ok()
        })
    }
}
