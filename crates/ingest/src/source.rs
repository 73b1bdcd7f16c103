use std::sync::Arc;

use regex::Regex;

use crate::{Format, Mapping};

/// The options of a topic's format.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FormatOptions {
    /// The venue of the instruments, for formats whose records do not name it; [`Format::venue`] if
    /// not given.
    pub venue: Option<String>,
    /// The symbol of records that do not name it. Such records are valid in the format `binance`;
    /// in other venues' formats only records that cannot be decoded lack it.
    pub symbol: Option<String>,
    /// The mapping of the format `mapped`.
    pub mapping: Option<Arc<Mapping>>,
}

/// Assigns a format to topics. The first rule that matches a topic applies.
#[derive(Debug, Clone)]
pub struct TopicRule {
    /// Matches the whole name of a topic. A group named `symbol` is the symbol of records that do
    /// not name it.
    pub pattern: Regex,
    /// The format of the topic's records.
    pub format: Format,
    /// The options of the format.
    pub options: FormatOptions,
}

/// The topic of records, as far as the decoder needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The name of the topic.
    pub topic: String,
    /// The format of its records.
    pub format: Format,
    /// The venue, for formats whose records do not name it.
    pub venue: String,
    /// The symbol of records that do not name it.
    pub symbol: Option<String>,
    /// The mapping of the format `mapped`.
    pub mapping: Option<Arc<Mapping>>,
}

impl TopicRule {
    /// The source of a topic's records, if the rule matches the topic.
    #[must_use]
    pub fn source(&self, topic: &str) -> Option<Source> {
        let symbol = self.symbol(topic)?;
        let venue = self.options.venue.as_deref().or(self.format.venue());
        Some(Source {
            topic: topic.to_owned(),
            format: self.format,
            venue: venue.unwrap_or_default().to_owned(),
            // Binance's symbols are in upper case, but its streams have them in lower case.
            symbol: symbol.map(|symbol| match self.format {
                Format::Binance => symbol.to_ascii_uppercase(),
                _ => symbol.to_owned(),
            }),
            mapping: self.options.mapping.clone(),
        })
    }

    /// The symbol of a topic, if the rule matches it: the outer `None` means that it does not.
    fn symbol<'s>(&'s self, topic: &'s str) -> Option<Option<&'s str>> {
        let mut found = self.pattern.captures(topic)?;
        if found.get_match().len() != topic.len() {
            // The first match is a part of the name; another alternative of the pattern may match
            // all of it.
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
