use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::anyhow;
use ingest::{Format, Mapping, MappingConfig, Source};
use market::{Decimals, Level, decimal};

use super::checksums::Checksums;
use super::steps::Step;

/// The time of all events, in ms since 1970 and as a date, so that no record is costlier to parse
/// than another.
const MILLIS: &str = "1723161255208";
const DATE: &str = "2024-08-08T23:54:15.208000Z";

/// A record format, or a variant of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BookFormat {
    Tapecast,
    Binance,
    Bybit,
    CoinbaseExchange,
    CoinbaseAdvanced,
    CryptofeedFloats,
    CryptofeedStrings,
    Deribit,
    Kraken,
    Mapped,
    Okx,
    Tardis,
}

impl BookFormat {
    /// Ours first: the others are compared with it.
    pub(super) const ALL: [Self; 12] = [
        Self::Tapecast,
        Self::Binance,
        Self::Bybit,
        Self::CoinbaseExchange,
        Self::CoinbaseAdvanced,
        Self::CryptofeedFloats,
        Self::CryptofeedStrings,
        Self::Deribit,
        Self::Kraken,
        Self::Mapped,
        Self::Okx,
        Self::Tardis,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::CoinbaseExchange => "coinbase l2update",
            Self::CoinbaseAdvanced => "coinbase l2_data",
            Self::CryptofeedFloats => "cryptofeed floats",
            Self::CryptofeedStrings => "cryptofeed strings",
            Self::Kraken => "kraken v2, checked",
            other => other.format().name(),
        }
    }

    pub(super) const fn format(self) -> Format {
        match self {
            Self::Tapecast => Format::Tapecast,
            Self::Binance => Format::Binance,
            Self::Bybit => Format::Bybit,
            Self::CoinbaseExchange | Self::CoinbaseAdvanced => Format::Coinbase,
            Self::CryptofeedFloats | Self::CryptofeedStrings => Format::Cryptofeed,
            Self::Deribit => Format::Deribit,
            Self::Kraken => Format::Kraken,
            Self::Mapped => Format::Mapped,
            Self::Okx => Format::Okx,
            Self::Tardis => Format::Tardis,
        }
    }

    /// Returns whether each instrument has a topic of its own, since records do not name it.
    pub(super) fn has_topics(self) -> bool {
        self == Self::Binance
    }

    /// The source of a topic by its number.
    pub(super) fn source(self, topic: usize) -> anyhow::Result<Source> {
        let format = self.format();
        let mapping = match self {
            Self::Mapped => Some(Arc::new(mapping()?)),
            _ => None,
        };
        Ok(Source {
            topic: format!("{}-{topic}", format.name()),
            format,
            venue: format.venue().unwrap_or("VENUE").to_owned(),
            symbol: self.has_topics().then(|| symbol(topic)),
            mapping,
        })
    }

    /// Writes a step as its venue would.
    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each format, with the JSON of its venue"
    )]
    pub(super) fn write(self, step: &Step, checksums: &mut Checksums) -> String {
        let (symbol, seq, prev) = (symbol(step.instrument), step.seq, step.seq - 1);
        let is_whole = step.is_whole;
        let pairs = |levels: &[Level]| list(levels, step, |p, s| format!(r#"["{p}","{s}"]"#));
        let (bids, asks) = (&step.bids[..], &step.asks[..]);
        let kind = if is_whole { "snapshot" } else { "update" };
        match self {
            Self::Tapecast => {
                let (bids, asks) = (pairs(bids), pairs(asks));
                if is_whole {
                    format!(
                        r#"{{"type":"snapshot","symbol":"VENUE:{symbol}","seq":{seq},"time":{MILLIS}000000,"bids":{bids},"asks":{asks}}}"#
                    )
                } else {
                    format!(
                        r#"{{"type":"delta","symbol":"VENUE:{symbol}","prev_seq":{prev},"seq":{seq},"time":{MILLIS}000000,"bids":{bids},"asks":{asks}}}"#
                    )
                }
            }
            Self::Binance => {
                let (bids, asks) = (pairs(bids), pairs(asks));
                if is_whole {
                    format!(r#"{{"lastUpdateId":{seq},"bids":{bids},"asks":{asks}}}"#)
                } else {
                    format!(
                        r#"{{"e":"depthUpdate","E":{MILLIS},"s":"{symbol}","U":{seq},"u":{seq},"b":{bids},"a":{asks}}}"#
                    )
                }
            }
            Self::Bybit => {
                let kind = if is_whole { "snapshot" } else { "delta" };
                // Bybit numbers snapshots with 1.
                let (bids, asks, seq) = (pairs(bids), pairs(asks), seq + 1);
                format!(
                    r#"{{"topic":"orderbook.500.{symbol}","type":"{kind}","ts":{MILLIS},"data":{{"s":"{symbol}","b":{bids},"a":{asks},"u":{seq},"seq":{seq}}},"cts":{MILLIS}}}"#
                )
            }
            Self::CoinbaseExchange if is_whole => {
                let (bids, asks) = (pairs(bids), pairs(asks));
                format!(
                    r#"{{"type":"snapshot","product_id":"{symbol}","bids":{bids},"asks":{asks},"time":"{DATE}"}}"#
                )
            }
            Self::CoinbaseExchange => {
                let changes = both(step, ["buy", "sell"], |side, p, s| {
                    format!(r#"["{side}","{p}","{s}"]"#)
                });
                format!(
                    r#"{{"type":"l2update","product_id":"{symbol}","changes":{changes},"time":"{DATE}"}}"#
                )
            }
            Self::CoinbaseAdvanced => {
                let updates = both(step, ["bid", "offer"], |side, p, s| {
                    format!(
                        r#"{{"side":"{side}","event_time":"{DATE}","price_level":"{p}","new_quantity":"{s}"}}"#
                    )
                });
                format!(
                    r#"{{"channel":"l2_data","client_id":"","timestamp":"{DATE}","sequence_num":{seq},"events":[{{"type":"{kind}","product_id":"{symbol}","updates":{updates}}}]}}"#
                )
            }
            Self::CryptofeedFloats | Self::CryptofeedStrings => {
                let quote = if self == Self::CryptofeedFloats {
                    ""
                } else {
                    "\""
                };
                let side = |levels: &[Level]| {
                    if is_whole {
                        let text = list(levels, step, |p, s| format!(r#""{p}":{quote}{s}{quote}"#));
                        format!("{{{}}}", &text[1..text.len() - 1])
                    } else {
                        list(levels, step, |p, s| {
                            format!("[{quote}{p}{quote},{quote}{s}{quote}]")
                        })
                    }
                };
                let (key, bids, asks) = (
                    if is_whole { "book" } else { "delta" },
                    side(bids),
                    side(asks),
                );
                format!(
                    r#"{{"exchange":"VENUE","symbol":"{symbol}","{key}":{{"bid":{bids},"ask":{asks}}},"timestamp":1723161255.208,"receipt_timestamp":1723161255.3081}}"#
                )
            }
            Self::Deribit => {
                let side = |levels: &[Level]| {
                    list(levels, step, |p, s| {
                        let action = if s == "0" { "delete" } else { "change" };
                        format!(r#"["{action}",{p},{s}]"#)
                    })
                };
                let (bids, asks) = (side(bids), side(asks));
                let (kind, before) = if is_whole {
                    ("snapshot", String::new())
                } else {
                    ("change", format!(r#""prev_change_id":{prev},"#))
                };
                format!(
                    r#"{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"book.{symbol}.raw","data":{{"type":"{kind}","timestamp":{MILLIS},"instrument_name":"{symbol}",{before}"change_id":{seq},"bids":{bids},"asks":{asks}}}}}}}"#
                )
            }
            Self::Kraken => {
                let Decimals { price, size } = checksums.decimals();
                let side = |levels: &[Level]| {
                    list(levels, step, |p, s| {
                        format!(
                            r#"{{"price":{},"qty":{}}}"#,
                            padded(p, price),
                            padded(s, size)
                        )
                    })
                };
                let (bids, asks, checksum) = (side(bids), side(asks), checksums.kraken(step));
                format!(
                    r#"{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":{bids},"asks":{asks},"checksum":{checksum},"timestamp":"{DATE}"}}]}}"#
                )
            }
            Self::Mapped => {
                let (bids, asks) = (pairs(bids), pairs(asks));
                format!(
                    r#"{{"event":"{kind}","data":{{"market":"{symbol}","at":{MILLIS},"last":{seq},"buy":{bids},"sell":{asks}}}}}"#
                )
            }
            Self::Okx => {
                let side = |levels: &[Level]| {
                    list(levels, step, |p, s| format!(r#"["{p}","{s}","0","1"]"#))
                };
                let (bids, asks) = (side(bids), side(asks));
                let prev = if is_whole {
                    "-1".to_owned()
                } else {
                    prev.to_string()
                };
                format!(
                    r#"{{"arg":{{"channel":"books","instId":"{symbol}"}},"action":"{kind}","data":[{{"asks":{asks},"bids":{bids},"ts":"{MILLIS}","checksum":0,"prevSeqId":{prev},"seqId":{seq}}}]}}"#
                )
            }
            Self::Tardis => {
                let side = |levels: &[Level]| {
                    list(levels, step, |p, s| {
                        format!(r#"{{"price":{p},"amount":{s}}}"#)
                    })
                };
                let (bids, asks) = (side(bids), side(asks));
                format!(
                    r#"{{"type":"book_change","symbol":"{symbol}","exchange":"venue","isSnapshot":{is_whole},"bids":{bids},"asks":{asks},"timestamp":"{DATE}","localTimestamp":"{DATE}"}}"#
                )
            }
        }
    }
}

/// The mapping in the example of docs/formats.md.
fn mapping() -> anyhow::Result<Mapping> {
    let some = |text: &str| Some(text.to_owned());
    let config = MappingConfig {
        envelope: some("/data"),
        symbol: some("/market"),
        kind: some("#/event"),
        snapshot: vec!["snapshot".to_owned()],
        delta: vec!["update".to_owned()],
        time: some("/at"),
        seq: some("/last"),
        bids: some("/buy"),
        asks: some("/sell"),
        ..MappingConfig::default()
    };
    Mapping::new(&config).map_err(|mistakes| anyhow!("bad mapping: {mistakes:?}"))
}

fn symbol(instrument: usize) -> String {
    format!("S{instrument:04}-USD")
}

/// A JSON list of the levels of a side.
fn list(levels: &[Level], step: &Step, one: impl Fn(&str, &str) -> String) -> String {
    array(levels.iter().map(|level| {
        let price = decimal::to_string(level.price.0, step.exponents.price);
        one(
            &price,
            &decimal::to_string(level.size.0, step.exponents.size),
        )
    }))
}

/// A JSON list of the levels of both sides.
fn both(step: &Step, names: [&str; 2], one: impl Fn(&str, &str, &str) -> String) -> String {
    let side = |name: &str, levels: &[Level]| {
        let text = list(levels, step, |p, s| one(name, p, s));
        text[1..text.len() - 1].to_owned()
    };
    let sides = [side(names[0], &step.bids), side(names[1], &step.asks)];
    array(sides.into_iter().filter(|side| !side.is_empty()))
}

fn array(elements: impl Iterator<Item = String>) -> String {
    let mut text = String::from("[");
    for element in elements {
        // Writing to a string cannot fail.
        let _written = write!(text, "{}{element}", if text.len() > 1 { "," } else { "" });
    }
    text + "]"
}

/// Pads a number to that many decimals: Kraken's checksum includes trailing zeros.
fn padded(number: &str, decimals: u8) -> String {
    let (whole, behind) = number.split_once('.').unwrap_or((number, ""));
    match usize::from(decimals) {
        0 => whole.to_owned(),
        decimals => format!("{whole}.{behind:0<decimals$}"),
    }
}

#[cfg(test)]
mod tests {
    use ingest::{Decoder, IngestConfig, RawRecord};
    use market::{Event, Exponents, Price, Size};

    use super::super::resolver::Resolver;
    use super::*;

    fn step(instrument: usize, seq: u64, bids: &[(i64, i64)], asks: &[(i64, i64)]) -> Step {
        let side = |levels: &[(i64, i64)]| {
            let level = |(price, size): &(i64, i64)| Level {
                price: Price(*price),
                size: Size(*size),
            };
            levels.iter().map(level).collect()
        };
        Step {
            instrument,
            is_whole: seq == 1,
            seq,
            bids: side(bids),
            asks: side(asks),
            exponents: Exponents::default(),
        }
    }

    #[test]
    fn every_dialect_says_the_same() {
        let (one, tick) = (100_000_000, 1_000_000);
        let steps = [
            step(0, 1, &[(61_837 * one, 378_826)], &[(61_838 * one, one)]),
            step(1, 1, &[(tick, 5 * one)], &[]),
            step(0, 2, &[(61_837 * one, 0), (61_836 * one + tick, 7)], &[]),
            step(1, 2, &[], &[(3 * tick, 5 * one)]),
        ];
        for book_format in BookFormat::ALL {
            let mut decoder = Decoder::new(IngestConfig::MAX_RECORD_BYTES);
            let mut resolver = Resolver::new();
            let mut checksums = Checksums::new(Decimals { price: 2, size: 8 });
            for step in &steps {
                let value = book_format.write(step, &mut checksums);
                let record = RawRecord {
                    source: &book_format.source(step.instrument).unwrap(),
                    key: None,
                    payload: Some(value.as_bytes()),
                };
                let decoded = decoder.decode(&record, &mut resolver);
                let decoded = decoded.unwrap_or_else(|error| panic!("{value}: {error:?}"));
                let (handle, event) = decoded.event().unwrap();
                let (is_whole, bids, asks) = match event {
                    Event::Snapshot { bids, asks, .. } => (true, bids, asks),
                    Event::Delta { bids, asks, .. } => (false, bids, asks),
                    other => panic!("{value}: {other:?}"),
                };
                assert_eq!(handle.0 as usize, step.instrument, "{value}");
                assert_eq!(is_whole, step.is_whole, "{value}");
                assert_eq!((bids, asks), (&step.bids[..], &step.asks[..]), "{value}");
            }
        }
    }
}
