use std::collections::HashMap;
use std::time::Duration;

use ingest::Rejection;
use market::decimal::{self, DecimalError};
use market::{Exponents, InstrumentName};
use wire::control::Symbol;

use super::key::Kind;
use super::reader::Reader;

/// What is configured of instruments.
///
/// An instrument is configured by the first rule that matches its name, alone: what that rule does
/// not say comes from `[instruments]`, not from later rules. So the outcome for one instrument can
/// be read off one place.
pub(crate) struct Instruments {
    /// How many instruments the node may have.
    pub(crate) max: usize,
    /// Whether instruments that no rule matches are refused.
    refuse_unknown: bool,
    default: Exponents,
    /// An instrument without records for so long is stale; `None` is never.
    pub(crate) stale_after: Option<Duration>,
    /// Rules that were read; one that was wrong has its place.
    rules: Vec<Option<Rule>>,
    /// Instruments by `VENUE:ALIAS`.
    aliases: HashMap<String, InstrumentName>,
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

struct Rule {
    matching: Symbol,
    exponents: Exponents,
    tick_size: Option<i64>,
    lot_size: Option<i64>,
}

impl Instruments {
    /// The instrument that a venue's records call `symbol`.
    ///
    /// A look-up among all rules: for the first time that a name is seen.
    pub(crate) fn find(&self, venue: &str, symbol: &str) -> Result<Instrument, Rejection> {
        let name = match self.aliases.get(&format!("{venue}:{symbol}")) {
            Some(name) => name.clone(),
            None => InstrumentName::new(venue, symbol)?,
        };
        let rule = self
            .rules
            .iter()
            .flatten()
            .find(|rule| rule.matching.matches(&name));
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

    /// The instruments that a rule names one by one, which exist before their first record.
    pub(crate) fn named(&self) -> impl Iterator<Item = Instrument> {
        let names = self.rules.iter().flatten();
        names.filter_map(|rule| {
            let name = rule.matching.name()?;
            self.find(name.venue(), name.symbol()).ok()
        })
    }

    pub(super) fn read(reader: &mut Reader) -> Self {
        let mut instruments = Self {
            refuse_unknown: reader.choice("instruments.unknown") == "refuse",
            max: reader.count("instruments.max"),
            default: Exponents {
                price: reader.integer("instruments.price_exponent"),
                size: reader.integer("instruments.size_exponent"),
            },
            stale_after: reader.duration_or_off("instruments.stale_after"),
            rules: Vec::new(),
            aliases: HashMap::new(),
        };
        for at in 0..reader.items("instruments.rules") {
            instruments.read_rule(reader, &format!("instruments.rules[{at}]"));
        }
        instruments.check_aliases(reader);
        instruments
    }

    fn read_rule(&mut self, reader: &mut Reader, path: &str) {
        let key = |name: &str| format!("{path}.{name}");
        let matching = reader.checked(&key("match"), |text| {
            Symbol::parse(text).map_err(|error| error.to_string())
        });
        let price = reader.optional_integer(&key("price_exponent"));
        let size = reader.optional_integer(&key("size_exponent"));
        let exponents = Exponents {
            price: price.unwrap_or(self.default.price),
            size: size.unwrap_or(self.default.size),
        };
        let aliases = reader.texts(&key("aliases"));
        let tick_size = step(reader, &key("tick_size"), exponents.price);
        let lot_size = step(reader, &key("lot_size"), exponents.size);
        let Some(matching) = matching else {
            // Its place is kept, so that the numbers of later rules are right.
            return self.rules.push(None);
        };
        self.check_reached(reader, &key("match"), &matching);
        match matching.name() {
            Some(name) => self.read_aliases(reader, &key("aliases"), name, aliases),
            None if !aliases.is_empty() => reader.mistake(
                &key("aliases"),
                "only where `match` is one instrument, without '*'",
            ),
            None => {}
        }
        self.rules.push(Some(Rule {
            matching,
            exponents,
            tick_size,
            lot_size,
        }));
    }

    /// A rule that never comes to its turn is somebody's mistake.
    fn check_reached(&self, reader: &mut Reader, key: &str, matching: &Symbol) {
        let earlier = self.rules.iter().position(|rule| {
            rule.as_ref().is_some_and(|rule| {
                rule.matching == *matching
                    || matching
                        .name()
                        .is_some_and(|name| rule.matching.matches(name))
            })
        });
        if let Some(at) = earlier {
            reader.mistake(
                key,
                format!("never reached, since instruments.rules[{at}] matches first"),
            );
        }
    }

    fn read_aliases(
        &mut self,
        reader: &mut Reader,
        key: &str,
        name: &InstrumentName,
        aliases: Vec<String>,
    ) {
        for alias in aliases {
            let other = match InstrumentName::new(name.venue(), &alias) {
                Ok(other) => other,
                Err(error) => {
                    reader.mistake(key, format!("{alias:?}: {error}"));
                    continue;
                }
            };
            if let Some(taken) = self.aliases.insert(other.as_str().to_owned(), name.clone()) {
                reader.mistake(key, format!("{other} is an alias of {taken} already"));
            }
        }
    }

    /// A name that means two instruments would mean neither.
    fn check_aliases(&self, reader: &mut Reader) {
        for (at, rule) in self.rules.iter().enumerate() {
            let name = rule.as_ref().and_then(|rule| rule.matching.name());
            let meant = name.and_then(|name| Some((name, self.aliases.get(name.as_str())?)));
            if let Some((name, meant)) = meant {
                reader.mistake(
                    &format!("instruments.rules[{at}].match"),
                    format!("{name} is an alias of {meant}"),
                );
            }
        }
    }
}

/// The mantissa of a smallest step.
fn step(reader: &mut Reader, key: &str, exponent: i8) -> Option<i64> {
    let text = reader.decimal(key)?;
    match decimal::parse(text.as_bytes(), exponent) {
        Ok(mantissa) if mantissa > 0 => Some(mantissa),
        Ok(_) | Err(DecimalError::Malformed) => {
            reader.mistake(key, Kind::Decimal.expected());
            None
        }
        Err(error) => {
            reader.mistake(key, format!("{}; {error}", Kind::Decimal.expected()));
            None
        }
    }
}
