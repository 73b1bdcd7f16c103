use std::sync::Arc;

use regex::Regex;

use crate::{Format, Mapping};

/// What some formats need to know beyond the record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FormatOptions {
    /// The venue of the instruments, for formats whose records name none; [`Format::venue`] when
    /// not given.
    pub venue: Option<String>,
    /// The symbol of records that name none: all of `binance`'s may, of other venues those that
    /// cannot be read.
    pub symbol: Option<String>,
    /// How records of the format `mapped` read.
    pub mapping: Option<Arc<Mapping>>,
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
    /// How records of the format `mapped` read.
    pub mapping: Option<Arc<Mapping>>,
}

impl TopicRule {
    /// What is known of a topic's records, if the rule is for this topic.
    #[must_use]
    pub fn source(&self, topic: &str) -> Option<Source> {
        let symbol = self.symbol(topic)?;
        let venue = self.options.venue.as_deref().or(self.format.venue());
        Some(Source {
            topic: topic.to_owned(),
            format: self.format,
            venue: venue.unwrap_or_default().to_owned(),
            // Binance's symbols are in upper case, and its streams write them in lower case.
            symbol: symbol.map(|symbol| match self.format {
                Format::Binance => symbol.to_ascii_uppercase(),
                _ => symbol.to_owned(),
            }),
            mapping: self.options.mapping.clone(),
        })
    }

    /// The symbol that a topic stands for, if the rule is for it, and if it stands for one.
    fn symbol<'s>(&'s self, topic: &'s str) -> Option<Option<&'s str>> {
        let mut found = self.pattern.captures(topic)?;
        if found.get_match().len() != topic.len() {
            // Part of it was found first; the whole may be found by another branch of the pattern.
            let whole = Regex::new(&format!("^(?:{})$", self.pattern)).ok()?;
            found = whole.captures(topic)?;
        }
        let group = found.name("symbol").map(|group| group.as_str());
        Some(group.or(self.options.symbol.as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(pattern: &str, options: FormatOptions) -> TopicRule {
        TopicRule {
            pattern: pattern.parse().unwrap(),
            format: Format::Binance,
            options,
        }
    }

    #[test]
    fn a_rule_is_for_whole_names() {
        let rule = rule("depth|depth-.*", FormatOptions::default());
        assert!(rule.source("depth").is_some());
        assert!(rule.source("depth-btc").is_some());
        assert_eq!(rule.source("my-depth"), None);
        assert_eq!(rule.source("depths"), None);
    }

    #[test]
    fn the_group_goes_before_the_option() {
        let options = FormatOptions {
            venue: Some("BINANCE_FUTURES".to_owned()),
            symbol: Some("ETHUSDT".to_owned()),
            mapping: None,
        };
        let rule = rule(r"depth(\.(?<symbol>\w+))?", options);
        let source = rule.source("depth.btcusdt").unwrap();
        assert_eq!(source.symbol.as_deref(), Some("BTCUSDT"));
        assert_eq!(source.venue, "BINANCE_FUTURES");
        let source = rule.source("depth").unwrap();
        assert_eq!(source.symbol.as_deref(), Some("ETHUSDT"));
    }
}
