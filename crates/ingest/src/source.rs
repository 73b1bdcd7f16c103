use regex::Regex;

use crate::Format;

/// What some formats need to know beyond the record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FormatOptions {
    /// `binance`: the venue of the instruments; [`FormatOptions::VENUE`] when not given.
    pub venue: Option<String>,
    /// `binance`: the symbol of records that name none.
    pub symbol: Option<String>,
}

impl FormatOptions {
    /// The venue of `binance` topics that are not given another.
    pub const VENUE: &str = "BINANCE";
}

/// Which topics have which format. The first rule that matches a topic counts.
#[derive(Debug, Clone)]
pub struct TopicRule {
    /// Matches the whole name of a topic. A group named `symbol` gives the symbol of records that
    /// name none.
    pub pattern: Regex,
    /// How records of such topics read.
    pub format: Format,
    /// What the format needs to know.
    pub options: FormatOptions,
}

/// What a decoder knows of the topic that a record comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The topic's name.
    pub topic: String,
    /// How its records read.
    pub format: Format,
    /// The venue, for formats whose records name none.
    pub venue: String,
    /// The symbol, for records that name none.
    pub symbol: Option<String>,
}

impl TopicRule {
    /// What is known of a topic's records, if the rule is for this topic.
    #[must_use]
    pub fn source(&self, topic: &str) -> Option<Source> {
        let found = self.pattern.captures(topic)?;
        if found.get(0)?.len() != topic.len() {
            return None;
        }
        let symbol = found
            .name("symbol")
            .map(|group| group.as_str())
            .or(self.options.symbol.as_deref());
        let venue = self.options.venue.as_deref();
        Some(Source {
            topic: topic.to_owned(),
            format: self.format,
            venue: venue.unwrap_or(FormatOptions::VENUE).to_owned(),
            symbol: symbol.map(str::to_ascii_uppercase),
        })
    }
}
