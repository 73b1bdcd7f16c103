use market::Aggressor;

use super::pointer::{EXPECTED, Pointer};
use super::tree::{Slot, Tree};
use crate::json::CutKey;
use crate::levels::LevelNames;

/// How records of any other JSON read, checked and ready for use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// All fields of a message.
    pub(super) message: Tree,
    /// What its lists of levels stand under.
    pub(super) lists: Vec<Vec<CutKey>>,
    /// All fields of a trade in a list of trades; none where the message is the trade.
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
    /// Both, where they are names.
    pub(super) level_names: LevelNames,
    pub(super) level_side: Option<LevelStep>,
    pub(super) sides: Vec<(String, Side)>,
    pub(super) takers: Vec<(String, Aggressor)>,
}

/// A mapping as it is configured. Pointers are JSON pointers (RFC 6901) into the message, which is
/// what `envelope` points to; behind `#`, into the record. Where messages differ, several with spaces
/// between them, of which a message has one. None and nothing are what is not given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MappingConfig {
    /// Where in the record the message is.
    pub envelope: Option<String>,
    /// Where the symbol comes from.
    pub symbol_from: SymbolFrom,
    /// Where it is, if it comes from the value.
    pub symbol: Option<String>,
    /// What tells messages apart.
    pub kind: Option<String>,
    /// The words for whole books.
    pub snapshot: Vec<String>,
    /// The words for changes.
    pub delta: Vec<String>,
    /// The words for trades.
    pub trade: Vec<String>,
    /// The words for what is not of interest.
    pub nothing: Vec<String>,
    /// What a message of another word, or of none, is.
    pub otherwise: Otherwise,
    /// Whether whole books were fetched beside the stream, so that changes before them come too.
    pub fetched: bool,
    /// When it happened.
    pub time: Option<String>,
    /// In what that is told.
    pub time_unit: TimeUnit,
    /// The number of a whole book or a change.
    pub seq: Option<String>,
    /// The number that a change builds on.
    pub prev_seq: Option<String>,
    /// The first number of a change that has several.
    pub first_seq: Option<String>,
    /// The bids.
    pub bids: Option<String>,
    /// The asks.
    pub asks: Option<String>,
    /// Both sides in one list.
    pub levels: Option<String>,
    /// The price in a level.
    pub level_price: Option<String>,
    /// The size in a level.
    pub level_size: Option<String>,
    /// The side in a level of one list.
    pub level_side: Option<String>,
    /// The words for bids.
    pub bid: Vec<String>,
    /// The words for asks.
    pub ask: Vec<String>,
    /// A list of trades.
    pub trades: Option<String>,
    /// The price in a trade.
    pub trade_price: Option<String>,
    /// The size in a trade.
    pub trade_size: Option<String>,
    /// Who took, in a trade.
    pub trade_side: Option<String>,
    /// The identifier in a trade.
    pub trade_id: Option<String>,
    /// When it happened, in a trade.
    pub trade_time: Option<String>,
    /// The words for a taker who bought.
    pub buy: Vec<String>,
    /// The words for a taker who sold.
    pub sell: Vec<String>,
}

/// One error in a [`MappingConfig`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {expected}")]
pub struct MappingError {
    /// The field.
    pub key: &'static str,
    /// What it may be.
    pub expected: String,
}

/// Where the symbol of a record comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SymbolFrom {
    /// A field of the value.
    #[default]
    Value,
    /// The record's key.
    Key,
    /// The group `symbol` of the topic's pattern, or the topic's configured symbol.
    Topic,
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole book.
    Snapshot,
    /// A change.
    Delta,
    /// Trades.
    Trades,
    /// Not of interest.
    Nothing,
}

/// What a message is whose kind no word tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Otherwise {
    /// A bad record.
    #[default]
    Refuse,
    /// This.
    Is(Kind),
}

/// In what a time is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeUnit {
    /// Seconds since 1970, with decimals.
    Seconds,
    /// Milliseconds since 1970, with decimals.
    #[default]
    Millis,
    /// Microseconds since 1970, with decimals.
    Micros,
    /// Nanoseconds since 1970.
    Nanos,
    /// `2019-08-01T00:00:03.816Z`.
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

/// A side of a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Bid,
    Ask,
}

/// The one step from a level to a field of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LevelStep {
    Index(usize),
    Name(String),
}

impl LevelStep {
    /// The name of a member; empty where it is an element.
    fn name(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Index(_) => "",
        }
    }
}

impl Mapping {
    /// What its lists of levels stand under.
    pub(crate) fn lists(&self) -> &[Vec<CutKey>] {
        &self.lists
    }

    /// Checks what is configured, and tells all errors together.
    pub fn new(config: &MappingConfig) -> Result<Self, Vec<MappingError>> {
        let mut check = Check::default();
        let envelope = check.envelope(config);
        let mut message = Tree::default();
        let trades_in_list = config.trades.is_some();
        let mut trade = trades_in_list.then(Tree::default);
        let several = fields(config)
            .flat_map(|(key, text, slot)| text.split(' ').map(move |text| (key, text, slot)));
        for (key, text, slot) in several {
            let Some(pointer) = check.pointer(key, text) else {
                continue;
            };
            let is_of_trade = key.starts_with("trade_") && trades_in_list;
            if is_of_trade && pointer.from_record {
                check.error(key, "a JSON pointer into a trade, such as \"/price\"");
                continue;
            }
            let is_new = match &mut trade {
                Some(trade) if is_of_trade => trade.add(&pointer.steps, slot),
                _ => {
                    let steps = pointer.within(&envelope);
                    if steps.is_empty() {
                        check.error(key, "a pointer to a part of the record");
                        continue;
                    }
                    message.add(&steps, slot)
                }
            };
            if !is_new {
                check.error(key, "a pos that no other key points to");
            }
        }
        check.symbol(config);
        let kinds = check.kinds(config);
        check.book(config, &kinds);
        check.trades(config, &kinds);
        let level_price = check.level("level_price", config.level_price.as_deref(), 0);
        let level_size = check.level("level_size", config.level_size.as_deref(), 1);
        let level_side = config.level_side.as_deref();
        let level_side = level_side.map(|text| check.level("level_side", Some(text), 0));
        let sides = check.words([
            ("bid", &config.bid, Side::Bid),
            ("ask", &config.ask, Side::Ask),
        ]);
        let takers = check.words([
            ("buy", &config.buy, Aggressor::Buy),
            ("sell", &config.sell, Aggressor::Sell),
        ]);
        if !check.errors.is_empty() {
            return Err(check.errors);
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

/// What the lists of levels stand under, where their levels are written as venues do: pairs, or
/// objects.
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

/// Every pointer but the envelope and those into levels.
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

/// Collects errors.
#[derive(Default)]
struct Check {
    errors: Vec<MappingError>,
}

impl Check {
    fn error(&mut self, key: &'static str, expected: impl Into<String>) {
        self.errors.push(MappingError {
            key,
            expected: expected.into(),
        });
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
                self.error("symbol", "needed where symbol_from is \"value\"");
            }
            (SymbolFrom::Key | SymbolFrom::Topic, Some(_)) => {
                self.error("symbol", "only where symbol_from is \"value\"");
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
                let expected = "only with words for it: snapshot, delta, trade or nothing";
                self.error("type", expected);
            }
            None if !kinds.is_empty() => {
                self.error("type", "needed where there are words for it");
            }
            None if config.otherwise == Otherwise::Refuse => {
                let expected = "needed, or `otherwise` says what all messages are";
                self.error("type", expected);
            }
            _ => {}
        }
        kinds
    }

    fn book(&mut self, config: &MappingConfig, kinds: &[(String, Kind)]) {
        let is = |kind| is_made(config, kinds, kind);
        let has_sides = config.bids.is_some() || config.asks.is_some();
        match (has_sides, &config.levels) {
            (false, None) if is(Kind::Snapshot) || is(Kind::Delta) => {
                self.error("bids", "needed with asks, or levels, for books");
            }
            (true, Some(_)) => self.error("levels", "only without bids and asks"),
            (true, None) => {
                for (key, side) in [("bids", &config.bids), ("asks", &config.asks)] {
                    if side.is_none() {
                        self.error(key, "needed with the other side");
                    }
                }
            }
            _ => {}
        }
        let has_words = !config.bid.is_empty() && !config.ask.is_empty();
        if config.levels.is_some() && (config.level_side.is_none() || !has_words) {
            self.error("level_side", "needed with levels, and with words: bid, ask");
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
        if is_made(config, kinds, Kind::Trades) {
            for (key, given) in [
                ("trade_price", &config.trade_price),
                ("trade_size", &config.trade_size),
            ] {
                if given.is_none() {
                    self.error(key, "needed for trades");
                }
            }
        }
        let has_words = !config.buy.is_empty() && !config.sell.is_empty();
        if config.trade_side.is_some() && !has_words {
            self.error("trade_side", "only with words for it: buy, sell");
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

    /// Words with what they mean, each with one meaning.
    fn words<T: Copy, const N: usize>(
        &mut self,
        lists: [(&'static str, &Vec<String>, T); N],
    ) -> Vec<(String, T)> {
        let mut words: Vec<(String, T)> = Vec::new();
        for (key, list, meaning) in lists {
            for word in list {
                if words.iter().any(|(known, _)| known == word) {
                    self.error(
                        key,
                        format!("words that mean one thing; {word:?} means two"),
                    );
                }
                words.push((word.clone(), meaning));
            }
        }
        words
    }
}

/// Whether messages of that kind can come.
fn is_made(config: &MappingConfig, kinds: &[(String, Kind)], kind: Kind) -> bool {
    config.otherwise == Otherwise::Is(kind) || kinds.iter().any(|(_, known)| *known == kind)
}
