use std::time::Duration;

use super::unit::{show_duration, show_size};
use super::value::quote;

/// How far back may be looked: a month, more than any market's topics hold.
pub(super) const LOOKBACK: Duration = Duration::from_secs(31 * 86_400);

/// One key of the configuration: what is documented, proposed, read and checked.
pub(super) struct Key {
    /// Where it stands; `[]` is any item of a list.
    pub(super) path: &'static str,
    /// What it may be.
    pub(super) kind: Kind,
    /// What it is when it is not given.
    pub(super) default: Fallback,
    /// What it means.
    #[cfg_attr(
        not(test),
        expect(
            dead_code,
            reason = "for the documentation, which a test holds against it"
        )
    )]
    pub(super) meaning: &'static str,
}

/// What a key is when it is not given.
pub(super) enum Fallback {
    /// It has to be given.
    Required,
    /// Nothing, which means this.
    #[cfg_attr(
        not(test),
        expect(
            dead_code,
            reason = "for the documentation, which a test holds against it"
        )
    )]
    None(&'static str),
    /// This value, as the environment would give it.
    Value(&'static str),
}

/// What a key may be.
pub(super) enum Kind {
    /// An IP address and a port.
    Address,
    /// Kafka's brokers.
    Brokers,
    /// `earliest`, or how far to look back.
    Start,
    /// Properties of librdkafka.
    Properties,
    /// A regular expression.
    Pattern,
    /// A venue.
    Venue,
    /// A venue's symbol.
    Symbol,
    /// Several symbols.
    Symbols,
    /// An instrument, or several with `*`.
    Match,
    /// A positive decimal number.
    Decimal,
    /// An integer in a range.
    Integer(i64, i64),
    /// An integer from 1 on, or as many as there are cores.
    Cores(i64),
    /// An integer in a range, or off.
    IntegerOrOff(i64, i64),
    /// A duration in a range.
    Duration(Duration, Duration),
    /// A duration in a range, or off.
    DurationOrOff(Duration, Duration),
    /// A size in a range.
    Size(u64, u64),
    /// A text that a rule of its own is for; what it may be.
    Text(&'static str),
    /// Several of them.
    Texts(&'static str),
    /// One of several words.
    Choice(&'static [&'static str]),
    /// Levels of the log.
    LogLevel,
}

impl Kind {
    /// What a key of this kind may be, for messages and the documentation.
    pub(super) fn expected(&self) -> String {
        match self {
            Self::Address => r#"an IP address and a port, such as "127.0.0.1:8080""#.into(),
            Self::Brokers => r#"HOST:PORT, or several with commas, such as "kafka:9092""#.into(),
            Self::Start => format!(
                r#""earliest", or a duration to look back of at most {}"#,
                quote(&show_duration(LOOKBACK))
            ),
            Self::Properties => "texts, integers and booleans by property name".into(),
            Self::Pattern => r#"a regular expression, such as "trades-.*""#.into(),
            Self::Venue => r#"1 to 32 of A-Z, 0-9, '_', '-' and '.', such as "BINANCE""#.into(),
            Self::Symbol => {
                r#"a symbol without white space, ':' and '*', such as "BTC-USDT""#.into()
            }
            Self::Symbols => r#"a list of symbols, such as ["BTCUSDT"]"#.into(),
            Self::Match => {
                r#"VENUE:SYMBOL, or a text with '*' for any characters, such as "HUOBI:*""#.into()
            }
            Self::Decimal => r#"a decimal number above 0, such as "0.01""#.into(),
            Self::Integer(min, max) => format!("an integer from {min} to {max}"),
            Self::IntegerOrOff(min, max) => format!(r#""off", or an integer from {min} to {max}"#),
            Self::Cores(max) => format!(r#""cores", or an integer from 1 to {max}"#),
            Self::Duration(min, max) => format!(
                "a duration from {} to {} (us, ms, s, m, h, d)",
                quote(&show_duration(*min)),
                quote(&show_duration(*max))
            ),
            Self::DurationOrOff(min, max) => format!(
                r#""off", or a duration from {} to {} (us, ms, s, m, h, d)"#,
                quote(&show_duration(*min)),
                quote(&show_duration(*max))
            ),
            Self::Size(min, max) => format!(
                "a size from {} to {} (bytes, KiB, MiB, GiB)",
                quote(&show_size(*min)),
                quote(&show_size(*max))
            ),
            Self::Text(expected) | Self::Texts(expected) => (*expected).into(),
            Self::Choice(words) => {
                let words: Vec<_> = words.iter().map(|word| quote(word)).collect();
                words.join(" or ")
            }
            Self::LogLevel => {
                r#"off, error, warn, info, debug or trace, or several such as "info,fanout=debug""#
                    .into()
            }
        }
    }

    /// A loose value as it would stand in the file.
    pub(super) fn literal(&self, loose: &str) -> String {
        let is_integer = loose.parse::<i64>().is_ok();
        match self {
            Self::Integer(..) | Self::IntegerOrOff(..) | Self::Cores(_) | Self::Size(..)
                if is_integer =>
            {
                loose.to_owned()
            }
            Self::Symbols | Self::Texts(_) => {
                let items = loose.split(',').filter(|item| !item.is_empty());
                let items: Vec<_> = items.map(|item| quote(item.trim())).collect();
                format!("[{}]", items.join(", "))
            }
            _ => quote(loose),
        }
    }
}
