use std::sync::Arc;

use ingest::{MappedKind, Mapping, MappingConfig, Otherwise, SymbolFrom, TimeUnit};

use super::reader::Reader;

/// The mappings of the configuration, by their names.
pub(super) struct Mappings(Vec<(String, Option<Arc<Mapping>>)>);

impl Mappings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let mut mappings = Self(Vec::new());
        for at in 0..reader.items("mappings") {
            let path = format!("mappings[{at}]");
            let name = reader.checked(&format!("{path}.name"), |name| Ok(name.to_owned()));
            let config = config(reader, &path);
            let mapping = match Mapping::new(&config) {
                Ok(mapping) => Some(Arc::new(mapping)),
                Err(mistakes) => {
                    for mistake in mistakes {
                        let key = format!("{path}.{}", mistake.key);
                        reader.mistake(&key, mistake.expected);
                    }
                    None
                }
            };
            let Some(name) = name else { continue };
            if mappings.0.iter().any(|(known, _)| *known == name) {
                let expected = "a name that no other mapping has";
                reader.mistake(&format!("{path}.name"), expected);
            }
            mappings.0.push((name, mapping));
        }
        mappings
    }

    /// The mapping of that name; of one that is wrong, nothing, and more has been said already.
    pub(super) fn find(&self, name: &str) -> Result<Option<Arc<Mapping>>, String> {
        let known = self.0.iter().find(|(known, _)| known == name);
        match known {
            Some((_, mapping)) => Ok(mapping.clone()),
            None if self.0.is_empty() => {
                Err("the name of a mapping, and there is none: [[mappings]]".to_owned())
            }
            None => {
                let names: Vec<_> = self.0.iter().map(|(name, _)| format!("{name:?}")).collect();
                Err(format!("the name of a mapping: {}", names.join(" or ")))
            }
        }
    }
}

fn config(reader: &mut Reader, path: &str) -> MappingConfig {
    let key = |name: &str| format!("{path}.{name}");
    let text = |reader: &mut Reader, name: &str| {
        reader.checked(&key(name), |text| Ok::<_, String>(text.to_owned()))
    };
    MappingConfig {
        envelope: text(reader, "envelope"),
        symbol_from: match reader.choice(&key("symbol_from")) {
            "key" => SymbolFrom::Key,
            "topic" => SymbolFrom::Topic,
            _ => SymbolFrom::Value,
        },
        symbol: text(reader, "symbol"),
        kind: text(reader, "type"),
        snapshot: reader.texts(&key("snapshot")),
        delta: reader.texts(&key("delta")),
        trade: reader.texts(&key("trade")),
        nothing: reader.texts(&key("nothing")),
        otherwise: match reader.choice(&key("otherwise")) {
            "snapshot" => Otherwise::Is(MappedKind::Snapshot),
            "delta" => Otherwise::Is(MappedKind::Delta),
            "trade" => Otherwise::Is(MappedKind::Trades),
            "nothing" => Otherwise::Is(MappedKind::Nothing),
            _ => Otherwise::Refuse,
        },
        fetched: reader.choice(&key("snapshots")) == "fetched",
        time: text(reader, "time"),
        time_unit: match reader.choice(&key("time_unit")) {
            "s" => TimeUnit::Seconds,
            "us" => TimeUnit::Micros,
            "ns" => TimeUnit::Nanos,
            "date" => TimeUnit::Date,
            _ => TimeUnit::Millis,
        },
        seq: text(reader, "seq"),
        prev_seq: text(reader, "prev_seq"),
        first_seq: text(reader, "first_seq"),
        bids: text(reader, "bids"),
        asks: text(reader, "asks"),
        levels: text(reader, "levels"),
        level_price: text(reader, "level_price"),
        level_size: text(reader, "level_size"),
        level_side: text(reader, "level_side"),
        bid: reader.texts(&key("bid")),
        ask: reader.texts(&key("ask")),
        trades: text(reader, "trades"),
        trade_price: text(reader, "trade_price"),
        trade_size: text(reader, "trade_size"),
        trade_side: text(reader, "trade_side"),
        trade_id: text(reader, "trade_id"),
        trade_time: text(reader, "trade_time"),
        buy: reader.texts(&key("buy")),
        sell: reader.texts(&key("sell")),
    }
}
