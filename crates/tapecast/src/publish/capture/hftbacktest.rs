//! Binance messages as recorded by hftbacktest: `<receive time, ns> <raw JSON>`.

use std::borrow::Cow;
use std::path::Path;

use market::Nanos;
use serde::Deserialize;

use super::{LineError, Record};

/// The fields with the symbol: the name of a combined stream, or a field of the message of a raw stream.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    stream: Option<Cow<'a, str>>,
    #[serde(borrow)]
    s: Option<Cow<'a, str>>,
}

/// The symbol of messages without one: REST responses of some markets have none.
#[derive(Debug)]
pub(super) struct Symbols {
    of_file: Option<String>,
    seen: Option<String>,
    several: bool,
}

impl Symbols {
    /// hftbacktest names its files `<symbol>_<yyyymmdd>`.
    pub(super) fn of_file(path: &Path) -> Self {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("");
        let stem = name.split('.').next().unwrap_or("");
        let symbol = stem.rsplit_once('_').and_then(|(symbol, date)| {
            let is_date = date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit());
            (is_date && !symbol.is_empty()).then(|| symbol.to_ascii_uppercase())
        });
        Self {
            of_file: symbol,
            seen: None,
            several: false,
        }
    }

    fn saw(&mut self, symbol: &str) {
        match &self.seen {
            Some(seen) => self.several |= seen != symbol,
            None => self.seen = Some(symbol.to_owned()),
        }
    }

    fn only(&self) -> Result<&str, LineError> {
        if self.several {
            return Err(LineError::ManySymbols);
        }
        let known = self.seen.as_deref().or(self.of_file.as_deref());
        known.ok_or(LineError::NoSymbol)
    }
}

/// `binance-` and the folder, which is the market: `binance-spot`, `binance-usdm`.
pub(super) fn topic_of(path: &Path) -> String {
    let folder = path
        .canonicalize()
        .ok()
        .and_then(|path| Some(path.parent()?.file_name()?.to_str()?.to_ascii_lowercase()))
        .unwrap_or_default();
    let market: String = folder
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(64)
        .collect();
    if market.is_empty() {
        "binance".to_owned()
    } else {
        format!("binance-{market}")
    }
}

pub(super) fn is_one(line: &[u8]) -> bool {
    split(line).is_ok_and(|(_, json)| json.starts_with(b"{"))
}

pub(super) fn parse<'a>(
    line: &'a [u8],
    topic: &'a str,
    symbols: &'a mut Symbols,
) -> Result<Record<'a>, LineError> {
    let (time, value) = split(line)?;
    let head: Head<'_> = serde_json::from_slice(value)?;
    let symbol = match (head.stream, head.s) {
        (Some(stream), _) => stream.split('@').next().map(str::to_ascii_uppercase),
        (None, symbol) => symbol.map(|symbol| symbol.to_ascii_uppercase()),
    };
    let key = match symbol {
        Some(symbol) => {
            symbols.saw(&symbol);
            Cow::Owned(symbol)
        }
        None => Cow::Borrowed(symbols.only()?),
    };
    Ok(Record {
        topic: Cow::Borrowed(topic),
        key: Some(key),
        partition: None,
        value,
        time: Some(time),
    })
}

fn split(line: &[u8]) -> Result<(Nanos, &[u8]), LineError> {
    let space = line
        .iter()
        .position(|byte| *byte == b' ')
        .ok_or(LineError::NoTime)?;
    let (time, json) = (&line[..space], &line[space + 1..]);
    let digits = time.iter().all(u8::is_ascii_digit);
    let time = std::str::from_utf8(time).ok().filter(|_| digits);
    let nanos = time.and_then(|time| time.parse().ok());
    Ok((Nanos(nanos.ok_or(LineError::NoTime)?), json))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str =
        r#"1723161255 {"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","s":"BTCUSDT"}}"#;
    const REST: &str = r#"1723161256 {"lastUpdateId":7,"bids":[],"asks":[]}"#;

    fn symbols(path: &str) -> Symbols {
        Symbols::of_file(Path::new(path))
    }

    fn key(line: &str, symbols: &mut Symbols) -> Result<String, String> {
        match parse(line.as_bytes(), "t", symbols) {
            Ok(record) => Ok(record.key.map(Cow::into_owned).unwrap_or_default()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn the_json_is_sent_byte_for_byte_with_its_symbol_as_key() {
        let mut symbols = symbols("x");
        let record = parse(DIFF.as_bytes(), "binance-spot", &mut symbols).unwrap();
        assert_eq!(record.value, &DIFF.as_bytes()[11..]);
        assert_eq!(record.key.as_deref(), Some("BTCUSDT"));
        assert_eq!(record.time, Some(Nanos(1_723_161_255)));
        assert_eq!(record.topic, "binance-spot");
    }

    #[test]
    fn a_message_of_a_raw_stream_names_its_symbol_itself() {
        let line = r#"1 {"e":"trade","s":"ethusdt"}"#;
        assert_eq!(key(line, &mut symbols("x")).as_deref(), Ok("ETHUSDT"));
    }

    #[test]
    fn a_rest_answer_belongs_to_the_symbol_of_its_file() {
        let mut by_name = symbols("cm/btcusd_perp_20240808.gz");
        assert_eq!(key(REST, &mut by_name).as_deref(), Ok("BTCUSD_PERP"));

        let mut by_lines = symbols("renamed.gz");
        assert!(key(REST, &mut by_lines).is_err());
        assert_eq!(key(DIFF, &mut by_lines).as_deref(), Ok("BTCUSDT"));
        assert_eq!(key(REST, &mut by_lines).as_deref(), Ok("BTCUSDT"));
    }

    #[test]
    fn a_rest_answer_is_never_given_to_one_of_several_symbols() {
        let mut several = symbols("btcusdt_20240808.gz");
        key(DIFF, &mut several).unwrap();
        key(r#"1 {"stream":"ethusdt@trade","data":{}}"#, &mut several).unwrap();
        assert!(key(REST, &mut several).unwrap_err().contains("several"));
    }

    #[test]
    fn a_line_without_time_or_json_is_an_error() {
        for wrong in ["{}", "12", "x {}", "-1 {}", "1 {", "1 [1]", "1 ", ""] {
            assert!(key(wrong, &mut symbols("btc_20240808")).is_err(), "{wrong}");
        }
    }
}
