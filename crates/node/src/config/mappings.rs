use std::sync::Arc;

use ingest::{MappedKind, Mapping, MappingConfig, Otherwise, SymbolFrom, TimeUnit};

use super::kind::{choice, text, texts};
use super::reader::Reader;
use super::section::{Section as _, section};

const POINTER: &str = r##"a JSON pointer into the message, such as "/data/bids", or into the record, such as "#/type"; several are separated by spaces"##;

section! {
    MappingTable in "mappings[]":
    /// The name for `topics[].mapping`.
    fixed name: String = text("a string"), required;
    /// Where the message is in the record; other pointers are relative to it, and those that start with `#`
    /// to the record.
    fixed envelope: String = text(r#"a JSON pointer into the record, such as "/data""#), absent "the whole record";
    /// Where the symbol comes from: a field, the record's key, or the topic (the group `symbol` of its
    /// pattern, or its `symbol`).
    fixed symbol_from: SymbolFrom = choice(&[
        ("value", SymbolFrom::Value),
        ("key", SymbolFrom::Key),
        ("topic", SymbolFrom::Topic),
    ]), absent "`value`";
    /// The symbol, if it comes from the value.
    fixed symbol: String = text(POINTER), absent "none";
    /// The kind of a message.
    fixed kind as "type": String = text(POINTER), absent "none";
    /// The words at `type` for a snapshot; numbers, `true`, `false` and `null` are words too.
    fixed snapshot: Vec<String> = texts(r#"a list of strings, such as ["snapshot"]"#), absent "none";
    /// The words for a delta.
    fixed delta: Vec<String> = texts(r#"a list of strings, such as ["update"]"#), absent "none";
    /// The words for trades.
    fixed trade: Vec<String> = texts(r#"a list of strings, such as ["trade"]"#), absent "none";
    /// The words for messages to ignore.
    fixed nothing: Vec<String> = texts(r#"a list of strings, such as ["ticker"]"#), absent "none";
    /// What a message with none of these words is.
    fixed otherwise: Otherwise = choice(&[
        ("refuse", Otherwise::Refuse),
        ("snapshot", Otherwise::Is(MappedKind::Snapshot)),
        ("delta", Otherwise::Is(MappedKind::Delta)),
        ("trade", Otherwise::Is(MappedKind::Trades)),
        ("nothing", Otherwise::Is(MappedKind::Nothing)),
    ]), absent "`refuse`";
    /// Whether snapshots are in the stream, or were fetched separately, so that older deltas may follow
    /// them.
    fixed snapshots: bool = choice(&[("in_band", false), ("fetched", true)]), absent "`in_band`";
    /// The event time.
    fixed time: String = text(POINTER), absent "none";
    /// The unit of times: since 1970, with decimals or without, or as `2026-08-01T00:00:03.816Z`.
    fixed time_unit: TimeUnit = choice(&[
        ("s", TimeUnit::Seconds),
        ("ms", TimeUnit::Millis),
        ("us", TimeUnit::Micros),
        ("ns", TimeUnit::Nanos),
        ("date", TimeUnit::Date),
    ]), absent "`ms`";
    /// The sequence number of a snapshot or a delta; without `prev_seq` and `first_seq` each delta has the
    /// next one.
    fixed seq: String = text(POINTER), absent "none";
    /// The sequence number that a delta applies to.
    fixed prev_seq: String = text(POINTER), absent "none";
    /// The first sequence number of a delta that has several; it applies to the number before that.
    fixed first_seq: String = text(POINTER), absent "none";
    /// The bids: a list of lists or of objects, or an object of sizes by price.
    fixed bids: String = text(POINTER), absent "none";
    /// The asks.
    fixed asks: String = text(POINTER), absent "none";
    /// Both sides in one list, instead of `bids` and `asks`.
    fixed levels: String = text(POINTER), absent "none";
    /// The price in a level.
    fixed level_price: String = text(r#"one step into a level, such as "/0" or "/price""#), absent "`/0`";
    /// The size in a level; 0 deletes it.
    fixed level_size: String = text(r#"one step into a level, such as "/1" or "/size""#), absent "`/1`";
    /// The side in a level of `levels`.
    fixed level_side: String = text(r#"one step into a level, such as "/side""#), absent "none";
    /// The words at `level_side` for a bid.
    fixed bid: Vec<String> = texts(r#"a list of strings, such as ["bid"]"#), absent "none";
    /// The words for an ask.
    fixed ask: Vec<String> = texts(r#"a list of strings, such as ["ask"]"#), absent "none";
    /// A list of trades; the pointers below are relative to each.
    fixed trades: String = text(POINTER), absent "the message is one";
    /// The price of a trade.
    fixed trade_price: String = text(POINTER), absent "none";
    /// Its size.
    fixed trade_size: String = text(POINTER), absent "none";
    /// The taker's side.
    fixed trade_side: String = text(POINTER), absent "unknown";
    /// Its id.
    fixed trade_id: String = text(POINTER), absent "none";
    /// Its event time; of several, the last applies.
    fixed trade_time: String = text(POINTER), absent "`time`";
    /// The words at `trade_side` for a buyer.
    fixed buy: Vec<String> = texts(r#"a list of strings, such as ["buy"]"#), absent "none";
    /// The words for a seller.
    fixed sell: Vec<String> = texts(r#"a list of strings, such as ["sell"]"#), absent "none";
}

/// The mappings by name; `None` if one is invalid.
pub(super) struct Mappings(Vec<(String, Option<Arc<Mapping>>)>);

impl Mappings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let mut mappings = Self(Vec::new());
        for at in 0..MappingTable::count(reader) {
            let table = MappingTable::item(reader, at);
            let mapping = match Mapping::new(&table.config()) {
                Ok(mapping) => Some(Arc::new(mapping)),
                Err(errors) => {
                    for error in errors {
                        reader.error(&format!("{}.{}", table.path(), error.key), error.expected);
                    }
                    None
                }
            };
            let Some(name) = &table.name else { continue };
            if mappings.0.iter().any(|(known, _)| known == name) {
                let expected = "a name that no other mapping has";
                table.error(reader, &MappingTable::name, expected);
            }
            mappings.0.push((name.clone(), mapping));
        }
        mappings
    }

    /// The mapping of that name; `None` if it is invalid, which has been reported.
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

impl MappingTable {
    fn config(&self) -> MappingConfig {
        let words = |words: &Option<Vec<String>>| words.clone().unwrap_or_default();
        MappingConfig {
            envelope: self.envelope.clone(),
            symbol_from: self.symbol_from.unwrap_or_default(),
            symbol: self.symbol.clone(),
            kind: self.kind.clone(),
            snapshot: words(&self.snapshot),
            delta: words(&self.delta),
            trade: words(&self.trade),
            nothing: words(&self.nothing),
            otherwise: self.otherwise.unwrap_or_default(),
            fetched: self.snapshots.unwrap_or_default(),
            time: self.time.clone(),
            time_unit: self.time_unit.unwrap_or_default(),
            seq: self.seq.clone(),
            prev_seq: self.prev_seq.clone(),
            first_seq: self.first_seq.clone(),
            bids: self.bids.clone(),
            asks: self.asks.clone(),
            levels: self.levels.clone(),
            level_price: self.level_price.clone(),
            level_size: self.level_size.clone(),
            level_side: self.level_side.clone(),
            bid: words(&self.bid),
            ask: words(&self.ask),
            trades: self.trades.clone(),
            trade_price: self.trade_price.clone(),
            trade_size: self.trade_size.clone(),
            trade_side: self.trade_side.clone(),
            trade_id: self.trade_id.clone(),
            trade_time: self.trade_time.clone(),
            buy: words(&self.buy),
            sell: words(&self.sell),
        }
    }
}
