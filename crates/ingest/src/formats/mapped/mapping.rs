use market::Aggressor;

use super::pointer::{EXPECTED, Pointer};
use super::tree::{Slot, Tree};
use crate::json::CutKey;
use crate::levels::LevelNames;

/// The validated description of the records of other JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The fields of a message.
    pub(super) message: Tree,
    /// The keys of the lists of levels.
    pub(super) lists: Vec<Vec<CutKey>>,
    /// The fields of a trade in a list; `None` if each message is one trade.
    pub(super) trade: Option<Tree>,
    pub(super) symbol_from: SymbolFrom,
    pub(super) kinds: Vec<(String, Kind)>,
    pub(super) otherwise: Otherwise,
    pub(super) fetched: bool,
    pub(super) time_unit: TimeUnit,
    pub(super) is_numbered: bool,
    pub(super) has_first_seq: bool,
    pub(super) has_prev_seq: bool,
    pub(super) has_one_list: bool,
    pub(super) level_price: LevelStep,
    pub(super) level_size: LevelStep,
    /// The names of price and size, if levels are objects.
    pub(super) level_names: LevelNames,
    pub(super) level_side: Option<LevelStep>,
    pub(super) sides: Vec<(String, Side)>,
    pub(super) takers: Vec<(String, Aggressor)>,
}

/// A mapping as it is configured. Pointers are JSON pointers (RFC 6901) into the message, which is
/// at `envelope`, or with a leading `#` into the record. If messages differ, several pointers may
/// be given, separated by spaces; each message has one of them. Keys that are not configured are
/// `None` or empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MappingConfig {
    /// The position of the message in the record.
    pub envelope: Option<String>,
    /// The source of the symbol.
    pub symbol_from: SymbolFrom,
    /// The symbol's field, if it is in the value.
    pub symbol: Option<String>,
    /// The field that distinguishes types of messages (the key `type`).
    pub kind: Option<String>,
    /// The types of messages that are snapshots.
    pub snapshot: Vec<String>,
    /// The types of messages that are deltas.
    pub delta: Vec<String>,
    /// The types of messages that are trades.
    pub trade: Vec<String>,
    /// The types of messages that are ignored.
    pub nothing: Vec<String>,
    /// How to treat messages of another type or without one.
    pub otherwise: Otherwise,
    /// Whether snapshots are fetched out of band, so that deltas from before them may follow.
    pub fetched: bool,
    /// The venue's timestamp.
    pub time: Option<String>,
    /// The unit of timestamps.
    pub time_unit: TimeUnit,
    /// The sequence number of a snapshot or a delta.
    pub seq: Option<String>,
    /// The sequence number of the message before a delta.
    pub prev_seq: Option<String>,
    /// The first sequence number of a delta that has several.
    pub first_seq: Option<String>,
    /// The list of bids.
    pub bids: Option<String>,
    /// The list of asks.
    pub asks: Option<String>,
    /// The list of levels of both sides.
    pub levels: Option<String>,
    /// The price of a level.
    pub level_price: Option<String>,
    /// The size of a level.
    pub level_size: Option<String>,
    /// The side of a level, if both sides are in one list.
    pub level_side: Option<String>,
    /// The values of `level_side` that mean a bid.
    pub bid: Vec<String>,
    /// The values of `level_side` that mean an ask.
    pub ask: Vec<String>,
    /// The list of trades, if a message has several.
    pub trades: Option<String>,
    /// The price of a trade.
    pub trade_price: Option<String>,
    /// The size of a trade.
    pub trade_size: Option<String>,
    /// The taker's side of a trade.
    pub trade_side: Option<String>,
    /// The venue's ID of a trade.
    pub trade_id: Option<String>,
    /// The venue's timestamp of a trade.
    pub trade_time: Option<String>,
    /// The values of `trade_side` that mean that the taker bought.
    pub buy: Vec<String>,
    /// The values of `trade_side` that mean that the taker sold.
    pub sell: Vec<String>,
}

/// An error in a [`MappingConfig`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {expected}")]
pub struct MappingError {
    /// The configuration key.
    pub key: &'static str,
    /// The values that are accepted.
    pub expected: String,
}

/// The source of a record's symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SymbolFrom {
    /// A field of the record's value.
    #[default]
    Value,
    /// The key of the record.
    Key,
    /// The group `symbol` of the topic's pattern, or the topic's configured symbol.
    Topic,
}

/// The type of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A snapshot of the book.
    Snapshot,
    /// A delta of the book.
    Delta,
    /// One or more trades.
    Trades,
    /// A message that is ignored.
    Nothing,
}

/// How to treat messages of an unknown type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Otherwise {
    /// Reject the record.
    #[default]
    Refuse,
    /// Treat it as this type.
    Is(Kind),
}

/// The unit of timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeUnit {
    /// Seconds since 1970, with optional decimals.
    Seconds,
    /// Milliseconds since 1970, with optional decimals.
    #[default]
    Millis,
    /// Microseconds since 1970, with optional decimals.
    Micros,
    /// Nanoseconds since 1970.
    Nanos,
    /// Dates such as `2019-08-01T00:00:03.816Z`.
    Date,
}

impl TimeUnit {
    /// The exponent of nanoseconds in this unit.
    pub(super) const fn exponent(self) -> i8 {
        match self {
            Self::Seconds => -9,
            Self::Millis => -6,
            Self::Micros => -3,
            Self::Nanos | Self::Date => 0,
        }
    }
}

/// A side of the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Bid,
    Ask,
}

/// The position of a field in a level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LevelStep {
    Index(usize),
    Name(String),
}

impl LevelStep {
    /// The name of the member; empty for an element of an array.
    fn name(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Index(_) => "",
        }
    }
}

impl Mapping {
    /// The keys of the lists of levels.
    pub(crate) fn lists(&self) -> &[Vec<CutKey>] {
        &self.lists
    }

    /// Validates a configuration. Returns all errors together.
    pub fn new(config: &MappingConfig) -> Result<Self, Vec<MappingError>> {
        let mut validator = Validator::default();
        let (message, trade) = validator.fields(config);
        validator.symbol(config);
        let kinds = validator.kinds(config);
        validator.book(config, &kinds);
        validator.trades(config, &kinds);
        let level_price = validator.level("level_price", config.level_price.as_deref(), 0);
        let level_size = validator.level("level_size", config.level_size.as_deref(), 1);
        let level_side = config.level_side.as_deref();
        let level_side = level_side.map(|text| validator.level("level_side", Some(text), 0));
        let sides = validator.words([
            ("bid", &config.bid, Side::Bid),
            ("ask", &config.ask, Side::Ask),
        ]);
        let takers = validator.words([
            ("buy", &config.buy, Aggressor::Buy),
            ("sell", &config.sell, Aggressor::Sell),
        ]);
        if !validator.errors.is_empty() {
            return Err(validator.errors);
        }
        Ok(Self {
            lists: lists(config, [&level_price, &level_size]),
            message,
            trade,
            symbol_from: config.symbol_from,
            kinds,
            otherwise: config.otherwise,
            fetched: config.fetched,
            time_unit: config.time_unit,
            is_numbered: config.seq.is_some(),
            has_first_seq: config.first_seq.is_some(),
            has_prev_seq: config.prev_seq.is_some(),
            has_one_list: config.levels.is_some(),
            level_names: LevelNames::new(level_price.name(), level_size.name()),
            level_price,
            level_size,
            level_side,
            sides,
            takers,
        })
    }
}

/// The keys of the lists of levels that [`Scan`](crate::levels::Scan) can read: pairs or objects.
fn lists(config: &MappingConfig, level: [&LevelStep; 2]) -> Vec<Vec<CutKey>> {
    match level {
        [LevelStep::Index(0), LevelStep::Index(1)] | [LevelStep::Name(_), LevelStep::Name(_)] => {
            let pointers = [&config.bids, &config.asks].into_iter().flatten();
            let names = pointers
                .flat_map(|text| text.split(' '))
                .filter_map(|text| Pointer::parse(text)?.steps.pop());
            vec![names.map(|name| CutKey::new(&name)).collect()]
        }
        _ => Vec::new(),
    }
}

/// All pointers except the envelope and those into levels.
fn fields(config: &MappingConfig) -> impl Iterator<Item = (&'static str, &str, Slot)> {
    let all = [
        ("symbol", &config.symbol, Slot::Symbol),
        ("type", &config.kind, Slot::Kind),
        ("time", &config.time, Slot::Time),
        ("seq", &config.seq, Slot::Seq),
        ("prev_seq", &config.prev_seq, Slot::PrevSeq),
        ("first_seq", &config.first_seq, Slot::FirstSeq),
        ("bids", &config.bids, Slot::Bids),
        ("asks", &config.asks, Slot::Asks),
        ("levels", &config.levels, Slot::Levels),
        ("trades", &config.trades, Slot::Trades),
        ("trade_price", &config.trade_price, Slot::TradePrice),
        ("trade_size", &config.trade_size, Slot::TradeSize),
        ("trade_side", &config.trade_side, Slot::TradeSide),
        ("trade_id", &config.trade_id, Slot::TradeId),
        ("trade_time", &config.trade_time, Slot::TradeTime),
    ];
    all.into_iter()
        .filter_map(|(key, text, slot)| Some((key, text.as_deref()?, slot)))
}

/// Collects the errors of a configuration.
#[derive(Default)]
struct Validator {
    errors: Vec<MappingError>,
}

impl Validator {
    fn error(&mut self, key: &'static str, expected: impl Into<String>) {
        self.errors.push(MappingError {
            key,
            expected: expected.into(),
        });
    }

    /// The fields of a message and those of a trade in a list.
    fn fields(&mut self, config: &MappingConfig) -> (Tree, Option<Tree>) {
        let envelope = self.envelope(config);
        let mut message = Tree::default();
        let trades_in_list = config.trades.is_some();
        let mut trade = trades_in_list.then(Tree::default);
        let pointers = fields(config)
            .flat_map(|(key, text, slot)| text.split(' ').map(move |text| (key, text, slot)));
        for (key, text, slot) in pointers {
            let Some(pointer) = self.pointer(key, text) else {
                continue;
            };
            let is_of_trade = key.starts_with("trade_") && trades_in_list;
            if is_of_trade && pointer.from_record {
                self.error(key, "a JSON pointer into a trade, such as \"/price\"");
                continue;
            }
            let is_new = match &mut trade {
                Some(trade) if is_of_trade => trade.add(&pointer.steps, slot),
                _ => {
                    let steps = pointer.within(&envelope);
                    if steps.is_empty() {
                        self.error(key, "a pointer to a part of the record");
                        continue;
                    }
                    message.add(&steps, slot)
                }
            };
            if !is_new {
                self.error(key, "a position that no other key points to");
            }
        }
        (message, trade)
    }

    fn pointer(&mut self, key: &'static str, text: &str) -> Option<Pointer> {
        let pointer = Pointer::parse(text);
        if pointer.is_none() {
            self.error(key, EXPECTED);
        }
        pointer
    }

    fn envelope(&mut self, config: &MappingConfig) -> Vec<String> {
        let text = config.envelope.as_deref().unwrap_or_default();
        let pointer = Pointer::parse(text).filter(|pointer| !pointer.from_record);
        if pointer.is_none() {
            self.error(
                "envelope",
                "a JSON pointer into the record, such as \"/data\"",
            );
        }
        pointer.map(|pointer| pointer.steps).unwrap_or_default()
    }

    fn symbol(&mut self, config: &MappingConfig) {
        match (config.symbol_from, &config.symbol) {
            (SymbolFrom::Value, None) => {
                self.error("symbol", "required if symbol_from is \"value\"");
            }
            (SymbolFrom::Key | SymbolFrom::Topic, Some(_)) => {
                self.error("symbol", "only if symbol_from is \"value\"");
            }
            _ => {}
        }
    }

    fn kinds(&mut self, config: &MappingConfig) -> Vec<(String, Kind)> {
        let kinds = self.words([
            ("snapshot", &config.snapshot, Kind::Snapshot),
            ("delta", &config.delta, Kind::Delta),
            ("trade", &config.trade, Kind::Trades),
            ("nothing", &config.nothing, Kind::Nothing),
        ]);
        match &config.kind {
            Some(_) if kinds.is_empty() => {
                let expected = "only with values for it: snapshot, delta, trade or nothing";
                self.error("type", expected);
            }
            None if !kinds.is_empty() => {
                self.error("type", "required with snapshot, delta, trade or nothing");
            }
            None if config.otherwise == Otherwise::Refuse => {
                let expected = "required, unless `otherwise` gives the type of all messages";
                self.error("type", expected);
            }
            _ => {}
        }
        kinds
    }

    fn book(&mut self, config: &MappingConfig, kinds: &[(String, Kind)]) {
        let is = |kind| may_occur(config, kinds, kind);
        let has_sides = config.bids.is_some() || config.asks.is_some();
        match (has_sides, &config.levels) {
            (false, None) if is(Kind::Snapshot) || is(Kind::Delta) => {
                self.error("bids", "required for books, with asks; or levels instead");
            }
            (true, Some(_)) => self.error("levels", "only without bids and asks"),
            (true, None) => {
                for (key, side) in [("bids", &config.bids), ("asks", &config.asks)] {
                    if side.is_none() {
                        self.error(key, "required with the other side");
                    }
                }
            }
            _ => {}
        }
        let has_values = !config.bid.is_empty() && !config.ask.is_empty();
        if config.levels.is_some() && (config.level_side.is_none() || !has_values) {
            self.error(
                "level_side",
                "required with levels, with values for it: bid, ask",
            );
        }
        if config.levels.is_none() && config.level_side.is_some() {
            self.error("level_side", "only with levels");
        }
        if config.seq.is_none() {
            for (key, given) in [
                ("prev_seq", &config.prev_seq),
                ("first_seq", &config.first_seq),
            ] {
                if given.is_some() {
                    self.error(key, "only with seq");
                }
            }
        }
    }

    fn trades(&mut self, config: &MappingConfig, kinds: &[(String, Kind)]) {
        if may_occur(config, kinds, Kind::Trades) {
            for (key, given) in [
                ("trade_price", &config.trade_price),
                ("trade_size", &config.trade_size),
            ] {
                if given.is_none() {
                    self.error(key, "required for trades");
                }
            }
        }
        let has_values = !config.buy.is_empty() && !config.sell.is_empty();
        if config.trade_side.is_some() && !has_values {
            self.error("trade_side", "only with values for it: buy, sell");
        }
    }

    fn level(&mut self, key: &'static str, text: Option<&str>, default: usize) -> LevelStep {
        let step = text.map(|text| {
            let pointer = Pointer::parse(text).filter(|pointer| !pointer.from_record)?;
            let [step] = &pointer.steps[..] else {
                return None;
            };
            Some(match step.parse() {
                Ok(index) => LevelStep::Index(index),
                Err(_) => LevelStep::Name(step.clone()),
            })
        });
        match step {
            None => LevelStep::Index(default),
            Some(Some(step)) => step,
            Some(None) => {
                self.error(key, "one step into a level, such as \"/0\" or \"/price\"");
                LevelStep::Index(default)
            }
        }
    }

    /// Joins lists of values with their meanings. Each value must have one meaning.
    fn words<T: Copy, const N: usize>(
        &mut self,
        lists: [(&'static str, &Vec<String>, T); N],
    ) -> Vec<(String, T)> {
        let mut words: Vec<(String, T)> = Vec::new();
        for (key, list, meaning) in lists {
            for word in list {
                if words.iter().any(|(known, _)| known == word) {
                    self.error(key, format!("values with one meaning; {word:?} has two"));
                }
                words.push((word.clone(), meaning));
            }
        }
        words
    }
}

/// Returns whether messages of this type may occur.
fn may_occur(config: &MappingConfig, kinds: &[(String, Kind)], kind: Kind) -> bool {
    config.otherwise == Otherwise::Is(kind) || kinds.iter().any(|(_, known)| *known == kind)
}
