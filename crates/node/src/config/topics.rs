use ingest::{Format, FormatOptions, TopicRule};
use market::InstrumentName;
use regex::Regex;

use super::kind::{checked, choice, parsed, text};
use super::mappings::Mappings;
use super::reader::Reader;
use super::section::{Section as _, section};

const PATTERN: &str = r#"a regular expression, such as "trades-.*""#;

/// The words of `topics[].format`.
const FORMATS: [(&str, Format); Format::ALL.len()] = {
    let mut words = [("", Format::Tapecast); Format::ALL.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = (Format::ALL[at].name(), Format::ALL[at]);
        at += 1;
    }
    words
};

section! {
    Topic in "topics[]":
    /// Matches whole topic names; the first item that matches a topic applies. A group named `symbol`
    /// provides the symbol of records that contain none.
    fixed pattern: Regex = checked(PATTERN, pattern), required;
    /// The format of the topics' records.
    fixed format: Format = choice(&FORMATS), required;
    /// For a venue's own format and for `mapped`: the venue of the instruments.
    fixed venue: String = parsed(
        r#"1 to 32 of A-Z, 0-9, '_', '-' and '.', such as "BINANCE""#,
        |text| InstrumentName::new(text, "ANY").is_ok().then(|| text.to_owned()),
    ), absent "the format's own, such as `BINANCE`";
    /// For a venue's own format and for `mapped`: the symbol of records that contain none.
    fixed symbol: String = parsed(
        r#"a symbol without white space, ':' and '*', such as "BTC-USDT""#,
        |text| InstrumentName::new("ANY", text).is_ok().then(|| text.to_owned()),
    ), absent "the pattern's group `symbol`";
    /// Required by the format `mapped`: the name of the mapping.
    fixed mapping: String = text("the `name` of one of `[[mappings]]`"), absent "none";
}

/// The rules; empty if one of them is invalid.
pub(super) fn read(reader: &mut Reader) -> Vec<TopicRule> {
    let mappings = Mappings::read(reader);
    let count = Topic::count(reader);
    if count == 0 && !reader.is_wrong(Topic::list()) {
        let expected = "a list of tables, at least one, headed by [[topics]]";
        reader.error(Topic::list(), expected);
    }
    let rules: Vec<_> = (0..count).map(|at| rule(reader, &mappings, at)).collect();
    rules.into_iter().collect::<Option<_>>().unwrap_or_default()
}

fn rule(reader: &mut Reader, mappings: &Mappings, at: usize) -> Option<TopicRule> {
    let topic = Topic::item(reader, at);
    if topic.format.is_some_and(|format| !format.takes_names()) {
        let given = [
            (&Topic::venue, topic.venue.is_some()),
            (&Topic::symbol, topic.symbol.is_some()),
        ];
        for (key, _) in given.into_iter().filter(|(_, is_given)| *is_given) {
            let expected = "only for topics of a venue's own format, such as \"binance\"";
            topic.error(reader, key, expected);
        }
    }
    let mapping = match topic.mapping.as_deref().map(|name| mappings.find(name)) {
        // The mapping is invalid, which has been reported.
        Some(Ok(None)) if topic.format == Some(Format::Mapped) => return None,
        Some(Ok(mapping)) => mapping,
        Some(Err(expected)) => {
            topic.error(reader, &Topic::mapping, expected);
            None
        }
        None => None,
    };
    Some(TopicRule {
        pattern: topic.pattern?,
        format: topic.format?,
        options: FormatOptions {
            venue: topic.venue,
            symbol: topic.symbol,
            mapping,
        },
    })
}

/// Anchors the pattern at both ends, so that alternatives are tried until one matches the whole name.
fn pattern(text: &str) -> Result<Regex, String> {
    let explain = |error: regex::Error| {
        // The error has several lines; the last one says what is wrong.
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim();
        let reason = reason.strip_prefix("error: ").unwrap_or(reason);
        format!("{PATTERN}; {reason}")
    };
    Regex::new(text).map_err(explain)?;
    Regex::new(&format!("^(?:{text})$")).map_err(explain)
}
