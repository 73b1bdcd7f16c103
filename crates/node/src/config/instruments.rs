use std::collections::HashMap;
use std::time::Duration;

use market::decimal::{self, DecimalError};
use market::{Exponents, InstrumentName};
use wire::control::Symbol;

use super::key::Key;
use super::kind::{DAY, SECOND, checked, choice, decimal, duration_or_off, integer, texts};
use super::reader::Reader;
use super::section::{Section as _, section};
use crate::instruments::{Instruments, Rule};

section! {
    InstrumentsTable in "instruments":
    /// What happens to instruments that no rule matches.
    fixed unknown: bool = choice(&[("accept", false), ("refuse", true)]), default "accept";
    // Twice the instruments of the largest aggregators; at 300 bytes each without a book, 60 MB.
    /// The most instruments of a node; records of further ones are rejected and counted.
    fixed max: usize = integer(1, 1_000_000), default "200000";
    // Eight decimals: the most that most venues quote.
    /// A price is an integer times ten to this power, unless a rule overrides it.
    fixed price_exponent: i8 = integer(-18, 9), default "-8";
    /// A size is an integer times ten to this power, unless a rule overrides it.
    fixed size_exponent: i8 = integer(-18, 9), default "-8";
    // Liquid books change every second; others are quiet for minutes, and STALE does no harm.
    /// An instrument without records for this long is `STALE`.
    fixed stale_after: Option<Duration> = duration_or_off(SECOND, DAY), default "30s";
}

section! {
    RuleTable in "instruments.rules[]":
    /// The instruments of this rule. Only the first rule that matches applies.
    fixed matching as "match": Symbol = checked(
        r#"VENUE:SYMBOL, or a text with '*' for any characters, such as "HUOBI:*""#,
        |text| Symbol::parse(text).map_err(|error| error.to_string()),
    ), required;
    /// A price is an integer times ten to this power. Changing it starts a new epoch.
    fixed price_exponent: i8 = integer(-18, 9), absent "`instruments.price_exponent`";
    /// A size is an integer times ten to this power. Changing it starts a new epoch.
    fixed size_exponent: i8 = integer(-18, 9), absent "`instruments.size_exponent`";
    /// The venue's own symbols for this instrument; only if `match` is a single instrument.
    fixed aliases: Vec<String> = texts(r#"a list of symbols, such as ["BTCUSDT"]"#), absent "none";
    /// The smallest price step, sent to clients.
    fixed tick_size: String = decimal(), absent "none";
    /// The smallest size step, sent to clients.
    fixed lot_size: String = decimal(), absent "none";
}

pub(super) fn read(reader: &mut Reader) -> Instruments {
    let table = InstrumentsTable::read(reader);
    let mut rules = Rules {
        default: Exponents {
            price: table.price_exponent,
            size: table.size_exponent,
        },
        list: Vec::new(),
        aliases: HashMap::new(),
    };
    for at in 0..RuleTable::count(reader) {
        let rule = rules.read(reader, at);
        // An invalid rule keeps its place, so that errors have the right numbers.
        rules.list.push(rule);
    }
    rules.check_aliases(reader);
    Instruments {
        max: table.max,
        refuse_unknown: table.unknown,
        default: rules.default,
        stale_after: table.stale_after,
        rules: rules.list.into_iter().flatten().collect(),
        aliases: rules.aliases,
    }
}

/// Rules read so far.
struct Rules {
    default: Exponents,
    list: Vec<Option<Rule>>,
    /// Instruments by `VENUE:ALIAS`.
    aliases: HashMap<String, InstrumentName>,
}

impl Rules {
    fn read(&mut self, reader: &mut Reader, at: usize) -> Option<Rule> {
        let table = RuleTable::item(reader, at);
        let exponents = Exponents {
            price: table.price_exponent.unwrap_or(self.default.price),
            size: table.size_exponent.unwrap_or(self.default.size),
        };
        let tick_size = step(
            reader,
            &table,
            (&RuleTable::tick_size, &table.tick_size),
            exponents.price,
        );
        let lot_size = step(
            reader,
            &table,
            (&RuleTable::lot_size, &table.lot_size),
            exponents.size,
        );
        let matching = table.matching.clone()?;
        if let Some(at) = self.position_of(&matching) {
            let expected = format!("never reached, since instruments.rules[{at}] matches first");
            table.error(reader, &RuleTable::matching, expected);
        }
        let aliases = table.aliases.as_deref().unwrap_or_default();
        match matching.name() {
            Some(name) => self.add_aliases(reader, &table, name, aliases),
            None if !aliases.is_empty() => {
                let expected = "only where `match` is one instrument, without '*'";
                table.error(reader, &RuleTable::aliases, expected);
            }
            None => {}
        }
        Some(Rule {
            matching,
            exponents,
            tick_size,
            lot_size,
        })
    }

    /// The earlier rule that matches everything this one does.
    fn position_of(&self, matching: &Symbol) -> Option<usize> {
        self.list.iter().position(|rule| {
            rule.as_ref().is_some_and(|rule| {
                rule.matching == *matching
                    || matching
                        .name()
                        .is_some_and(|name| rule.matching.matches(name))
            })
        })
    }

    fn add_aliases(
        &mut self,
        reader: &mut Reader,
        table: &RuleTable,
        name: &InstrumentName,
        aliases: &[String],
    ) {
        for alias in aliases {
            let expected = match InstrumentName::new(name.venue(), alias) {
                Ok(other) => match self.aliases.insert(other.as_str().to_owned(), name.clone()) {
                    Some(taken) => format!("{other} is an alias of {taken} already"),
                    None => continue,
                },
                Err(error) => format!("{alias:?}: {error}"),
            };
            table.error(reader, &RuleTable::aliases, expected);
        }
    }

    /// Rejects a rule for a name that is an alias of another instrument.
    fn check_aliases(&self, reader: &mut Reader) {
        for (at, rule) in self.list.iter().enumerate() {
            let name = rule.as_ref().and_then(|rule| rule.matching.name());
            let meant = name.and_then(|name| Some((name, self.aliases.get(name.as_str())?)));
            if let Some((name, meant)) = meant {
                let key = format!("{}[{at}].{}", RuleTable::list(), RuleTable::matching.name());
                reader.error(&key, format!("{name} is an alias of {meant}"));
            }
        }
    }
}

/// Parses the mantissa of a step.
fn step(
    reader: &mut Reader,
    table: &RuleTable,
    (key, given): (&Key<String>, &Option<String>),
    exponent: i8,
) -> Option<i64> {
    let expected = match decimal::parse(given.as_ref()?.as_bytes(), exponent) {
        Ok(mantissa) if mantissa > 0 => return Some(mantissa),
        Ok(_) | Err(DecimalError::Malformed) => key.kind.expected(),
        Err(error) => format!("{}; {error}", key.kind.expected()),
    };
    table.error(reader, key, expected);
    None
}
