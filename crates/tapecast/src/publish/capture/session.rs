//! A venue's session as recorded by cryptofeed: requests, responses and messages.
//!
//! | line | meaning |
//! |---|---|
//! | `<seconds>: <JSON>` | a received message: a record |
//! | `<url> -> <seconds>: <JSON>` | an HTTP response: a record if it is a snapshot |
//! | `<url> <-> <seconds>`, `<url> <- <seconds>: <JSON>`, `configuration: <JSON>` | no record |

use std::borrow::Cow;
use std::path::Path;

use market::{Nanos, decimal};

use super::{LineError, Record, symbol};

/// Kinds of lines.
#[derive(Debug, PartialEq, Eq)]
enum SessionLine<'a> {
    Received {
        time: Nanos,
        message: &'a [u8],
    },
    /// A snapshot fetched by REST.
    Fetched {
        time: Nanos,
        symbol: String,
        message: &'a [u8],
    },
    /// A request or setting of the client.
    Beside,
}

/// The venue in lower case, from the start of the file name: `kraken` of `KRAKEN.ws.50.0`.
pub(super) fn topic_of(path: &Path) -> String {
    let name = path.file_name().and_then(|name| name.to_str());
    let venue = name.unwrap_or_default().split('.').next().unwrap_or("");
    let topic: String = venue
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .take(64)
        .collect();
    if topic.is_empty() {
        "session".to_owned()
    } else {
        topic
    }
}

pub(super) fn is_one(line: &[u8]) -> bool {
    split(line).is_ok()
}

/// Returns whether a line is to be skipped: it is valid but not a record.
pub(super) fn is_beside(line: &[u8]) -> bool {
    matches!(split(line), Ok(SessionLine::Beside))
}

pub(super) fn parse<'a>(line: &'a [u8], topic: &'a str) -> Result<Record<'a>, LineError> {
    let (time, key, value) = match split(line)? {
        SessionLine::Received { time, message } => (time, symbol::of(message), message),
        SessionLine::Fetched {
            time,
            symbol,
            message,
        } => (time, Some(Cow::Owned(symbol)), message),
        SessionLine::Beside => return Err(LineError::NoSession),
    };
    Ok(Record {
        topic: Cow::Borrowed(topic),
        key,
        partition: None,
        value,
        time: Some(time),
    })
}

fn split(line: &[u8]) -> Result<SessionLine<'_>, LineError> {
    if let Some((time, message)) = received(line) {
        return Ok(SessionLine::Received { time, message });
    }
    if line.starts_with(b"configuration: ") {
        return Ok(SessionLine::Beside);
    }
    let space = line.iter().position(|byte| *byte == b' ');
    let (url, rest) = line.split_at(space.ok_or(LineError::NoSession)?);
    let url = std::str::from_utf8(url).map_err(|_| LineError::NoSession)?;
    if !url.contains("://") {
        return Err(LineError::NoSession);
    }
    if rest.starts_with(b" <-> ") || rest.starts_with(b" <- ") {
        return Ok(SessionLine::Beside);
    }
    let answer = rest.strip_prefix(b" -> ").and_then(received);
    let (time, message) = answer.ok_or(LineError::NoSession)?;
    let fetched = book_of(url).map(|symbol| SessionLine::Fetched {
        time,
        symbol,
        message,
    });
    Ok(fetched.unwrap_or(SessionLine::Beside))
}

/// `<seconds>: <JSON>`.
fn received(line: &[u8]) -> Option<(Nanos, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (time, rest) = line.split_at(colon);
    let message = rest.strip_prefix(b": ")?;
    if !matches!(message.first(), Some(b'{' | b'[')) {
        return None;
    }
    let is_number = time
        .iter()
        .all(|byte| byte.is_ascii_digit() || *byte == b'.');
    // The seconds are a double: digits beyond nanoseconds are noise.
    let dot = time.iter().position(|byte| *byte == b'.');
    let end = dot.map_or(time.len(), |dot| time.len().min(dot + 10));
    let nanos = decimal::parse(&time[..end], -9)
        .ok()
        .filter(|_| is_number)?;
    Some((Nanos(u64::try_from(nanos).ok()?), message))
}

/// The symbol of a snapshot from Binance's REST API: `https://…/depth?symbol=BTCUSDT&limit=1000`. No other venue's
/// snapshots come by REST.
fn book_of(url: &str) -> Option<String> {
    let (path, query) = url.split_once('?')?;
    let mut fields = query.split('&').filter_map(|field| field.split_once('='));
    let symbol = fields.find(|(name, _)| *name == "symbol")?.1;
    let is_depth = path.ends_with("/depth") && !symbol.is_empty();
    is_depth.then(|| symbol.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str) -> Result<Record<'_>, LineError> {
        parse(line.as_bytes(), "t")
    }

    #[test]
    fn what_was_received_is_sent_byte_for_byte_with_its_symbol_as_key() {
        let record = check(r#"1618678132.8258188: [1,{"b":[]},"book-10","XBT/USD"]"#).unwrap();
        assert_eq!(record.value, br#"[1,{"b":[]},"book-10","XBT/USD"]"#);
        assert_eq!(record.key.as_deref(), Some("XBT/USD"));
        assert_eq!(record.time, Some(Nanos(1_618_678_132_825_818_800)));
        let record = check(r#"7: {"event":"heartbeat"}"#).unwrap();
        assert_eq!(
            (record.key, record.time),
            (None, Some(Nanos(7_000_000_000)))
        );
    }

    #[test]
    fn a_whole_book_that_was_fetched_belongs_to_the_symbol_that_was_asked_for() {
        let line = r#"https://x/api/v3/depth?limit=9&symbol=nknusdt -> 5.5: {"lastUpdateId":7}"#;
        let record = check(line).unwrap();
        assert_eq!(record.key.as_deref(), Some("NKNUSDT"));
        assert_eq!(record.value, br#"{"lastUpdateId":7}"#);
        assert_eq!(record.time, Some(Nanos(5_500_000_000)));
    }

    #[test]
    fn requests_and_settings_are_skipped() {
        for line in [
            "wss://ws.kraken.com <-> 1618678132.3858151",
            r#"wss://ws.kraken.com <- 1618678132.8: {"event":"subscribe"}"#,
            r#"https://x/v2/public/symbols -> 1618677785.48: {"result":[]}"#,
            r#"configuration: {"trades":[]}"#,
        ] {
            assert!(
                is_one(line.as_bytes()) && is_beside(line.as_bytes()),
                "{line}"
            );
        }
    }

    #[test]
    fn other_lines_are_errors() {
        for line in [
            "",
            "{}",
            "x: {}",
            "5 {}",
            "5: ",
            "5: 7",
            "-5: {}",
            "1e3: {}",
            "https://x -> {}",
            "ws.kraken.com <- 5: {}",
        ] {
            assert!(!is_one(line.as_bytes()) && check(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_topic_is_the_venue_of_the_files_name() {
        for (path, topic) in [
            ("data/KRAKEN.ws.50.0.gz", "kraken"),
            ("BINANCE_FUTURES.http.0.0", "binance-futures"),
            (".hidden", "session"),
        ] {
            assert_eq!(topic_of(Path::new(path)), topic);
        }
    }
}
