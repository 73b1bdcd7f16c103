//! A capture: a file with one record per line, plain or gzip.
//!
//! Modules in reading order: [`lines`] reads a file, then there is a module for each kind of line:
//! [`hftbacktest`], [`session`], [`messages`], [`cryptofeed`], [`tardis`], [`tapecast`]; [`symbol`]
//! finds the key of a venue's message.

mod cryptofeed;
mod hftbacktest;
mod lines;
mod messages;
mod session;
mod symbol;
mod tapecast;
mod tardis;

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use market::Nanos;

use lines::Lines;

/// A record to send to Kafka.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) topic: Cow<'a, str>,
    pub(super) key: Option<Cow<'a, str>>,
    pub(super) partition: Option<i32>,
    pub(super) value: &'a [u8],
    /// When it was received, if the line says so.
    pub(super) time: Option<Nanos>,
}

/// An error in a capture, with its place.
#[derive(Debug, thiserror::Error)]
pub(super) enum CaptureError {
    #[error("cannot read {}: {source}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("no record in {}", path.display())]
    Empty { path: PathBuf },
    #[error(
        "none of the {lines} lines of {} is a record; all are requests of a client",
        path.display()
    )]
    OnlyBeside { path: PathBuf, lines: u64 },
    #[error("{}:{line}: cannot read: {source}", path.display())]
    Read {
        path: PathBuf,
        line: u64,
        source: io::Error,
    },
    #[error("{}:{line}: {error}", path.display())]
    Line {
        path: PathBuf,
        line: u64,
        error: LineError,
    },
}

impl CaptureError {
    /// Returns whether the lines after this one can still be read.
    pub(super) const fn is_of_one_line(&self) -> bool {
        matches!(self, Self::Line { .. })
    }
}

/// Why a line is not a record.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error(
        "is none of: `<ns> <JSON>`, a line of a recorded session, JSON of cryptofeed, of Tardis, or in our \
         own format"
    )]
    Unknown,
    #[error("does not start with a receive time in ns and a space")]
    NoTime,
    #[error(
        "is not a line of a session, such as `<seconds>: <JSON>` or `<url> -> <seconds>: <JSON>`"
    )]
    NoSession,
    #[error("is not JSON of the expected form: {0}")]
    Json(serde_json::Error),
    #[error("has no symbol, nor have the lines before it or the file name")]
    NoSymbol,
    #[error("has no symbol, and the lines before it have several")]
    ManySymbols,
}

impl From<serde_json::Error> for LineError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

/// The records of a file, in order.
#[derive(Debug)]
pub(super) struct Capture {
    path: PathBuf,
    lines: Lines,
    kind: Kind,
    /// Topic of records that name none.
    topic: String,
    /// The first line, read to determine the kind, is still to be returned.
    first_waits: bool,
}

#[derive(Debug)]
enum Kind {
    Hftbacktest(hftbacktest::Symbols),
    Session,
    Messages(messages::Topic),
    Cryptofeed,
    Tardis,
    Tapecast,
}

impl Kind {
    /// Determines the kind of a file by its first line, and the default topic of its records.
    fn of(first: &[u8], path: &Path, topic: Option<&str>) -> Option<(Self, String)> {
        Some(if hftbacktest::is_one(first) {
            let symbols = hftbacktest::Symbols::of_file(path);
            (Self::Hftbacktest(symbols), hftbacktest::topic_of(path))
        } else if session::is_one(first) {
            (Self::Session, session::topic_of(path))
        } else if cryptofeed::is_one(first) {
            (Self::Cryptofeed, String::new())
        } else if messages::is_one(first) {
            let topic = messages::Topic::new(topic, path);
            (Self::Messages(topic), String::new())
        } else if tardis::is_one(first) {
            (Self::Tardis, tardis::TOPIC.to_owned())
        } else if tapecast::is_one(first) {
            (Self::Tapecast, tapecast::TOPIC.to_owned())
        } else {
            return None;
        })
    }
}

impl Capture {
    /// Opens a file and determines its kind by its first line.
    pub(super) fn open(path: &Path, topic: Option<&str>) -> Result<Self, CaptureError> {
        let mut lines = Lines::open(path).map_err(|source| CaptureError::Open {
            path: path.to_owned(),
            source,
        })?;
        if !read(&mut lines, path)? {
            return Err(CaptureError::Empty {
                path: path.to_owned(),
            });
        }
        let Some((kind, default)) = Kind::of(lines.current(), path, topic) else {
            return Err(CaptureError::Line {
                path: path.to_owned(),
                line: lines.number(),
                error: LineError::Unknown,
            });
        };
        let mut capture = Self {
            path: path.to_owned(),
            lines,
            kind,
            topic: topic.map_or(default, str::to_owned),
            first_waits: true,
        };
        // Detects a file without records before anything is sent.
        if capture.is_beside() && !capture.advance_past_beside()? {
            return Err(CaptureError::OnlyBeside {
                path: path.to_owned(),
                lines: capture.lines.number(),
            });
        }
        Ok(capture)
    }

    /// The next record; `None` at the end.
    pub(super) fn next(&mut self) -> Option<Result<Record<'_>, CaptureError>> {
        match self.advance() {
            Ok(true) => Some(self.parse()),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }

    /// When the next record was received; `None` at the end or if its line does not say.
    pub(super) fn due(&mut self) -> Result<Option<Option<Nanos>>, CaptureError> {
        if !self.advance()? {
            return Ok(None);
        }
        self.first_waits = true;
        let time = self.parse().map_or(None, |record| record.time);
        Ok(Some(time))
    }

    /// Skips the lines before a number.
    pub(super) fn seek(&mut self, number: u64) -> Result<(), CaptureError> {
        while self.lines.number() < number {
            self.first_waits = false;
            if !self.advance()? {
                return Ok(());
            }
        }
        self.first_waits = true;
        Ok(())
    }

    fn advance(&mut self) -> Result<bool, CaptureError> {
        if std::mem::take(&mut self.first_waits) {
            return Ok(true);
        }
        if !read(&mut self.lines, &self.path)? {
            return Ok(false);
        }
        if self.is_beside() {
            return self.advance_past_beside();
        }
        Ok(true)
    }

    /// Returns whether the line is to be skipped: it is valid but not a record.
    fn is_beside(&self) -> bool {
        matches!(self.kind, Kind::Session) && session::is_beside(self.lines.current())
    }

    fn advance_past_beside(&mut self) -> Result<bool, CaptureError> {
        while read(&mut self.lines, &self.path)? {
            if !self.is_beside() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn parse(&mut self) -> Result<Record<'_>, CaptureError> {
        let line = self.lines.current();
        let parsed = match &mut self.kind {
            Kind::Hftbacktest(symbols) => hftbacktest::parse(line, &self.topic, symbols),
            Kind::Session => session::parse(line, &self.topic),
            Kind::Messages(topic) => messages::parse(line, topic),
            Kind::Cryptofeed => cryptofeed::parse(line),
            Kind::Tardis => tardis::parse(line, &self.topic),
            Kind::Tapecast => tapecast::parse(line, &self.topic),
        };
        parsed.map_err(|error| CaptureError::Line {
            path: self.path.clone(),
            line: self.lines.number(),
            error,
        })
    }
}

fn read(lines: &mut Lines, path: &Path) -> Result<bool, CaptureError> {
    lines.read().map_err(|source| CaptureError::Read {
        path: path.to_owned(),
        line: lines.number() + 1,
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const LINES: &str = concat!(
        r#"5 {"stream":"btcusdt@trade","data":{"p":"1"}}"#,
        "\n\r\n",
        r#"6 {"stream":"btcusdt@trade","data":{"p":"2"}}"#,
        "\nbad\n",
        r#"7 {"stream":"btcusdt@trade","data":{"p":"3"}}"#,
    );

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn times(capture: &mut Capture) -> Vec<Result<u64, String>> {
        let mut all = Vec::new();
        while let Some(record) = capture.next() {
            all.push(match record {
                Ok(record) => Ok(record.time.unwrap().0),
                Err(error) => Err(error.to_string()),
            });
        }
        all
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_bad_line_is_named_and_the_others_are_read() {
        let file = file(LINES.as_bytes());
        let mut capture = Capture::open(file.path(), None).unwrap();
        let all = times(&mut capture);
        assert_eq!(all.len(), 4);
        assert_eq!((&all[0], &all[1], &all[3]), (&Ok(5), &Ok(6), &Ok(7)));
        let place = format!("{}:4: ", file.path().display());
        assert!(all[2].as_ref().unwrap_err().starts_with(&place));
    }

    #[test]
    fn a_packed_file_reads_like_a_plain_one_in_several_members_too() {
        let (head, tail) = LINES.as_bytes().split_at(20);
        let file = file(&[gzip(head), gzip(tail)].concat());
        let mut capture = Capture::open(file.path(), None).unwrap();
        assert_eq!(times(&mut capture).len(), 4);
    }

    #[test]
    fn a_file_that_was_cut_off_is_not_taken_for_whole() {
        let packed = gzip(LINES.as_bytes());
        let file = file(&packed[..packed.len() - 4]);
        let mut capture = Capture::open(file.path(), None).unwrap();
        let last = times_until_fatal(&mut capture);
        assert!(last.is_some_and(|error| !error.is_of_one_line()));
    }

    fn times_until_fatal(capture: &mut Capture) -> Option<CaptureError> {
        loop {
            match capture.next()? {
                Ok(_) => {}
                Err(error) if error.is_of_one_line() => {}
                Err(error) => return Some(error),
            }
        }
    }

    #[test]
    fn a_start_within_the_file_passes_over_what_is_before() {
        let file = file(LINES.as_bytes());
        for (from, rest) in [(1, 4), (2, 3), (3, 3), (4, 2), (5, 1), (6, 0)] {
            let mut capture = Capture::open(file.path(), None).unwrap();
            capture.seek(from).unwrap();
            assert_eq!(times(&mut capture).len(), rest, "from line {from}");
        }
    }

    const SESSION: &str = concat!(
        "wss://x <-> 1.5\n",
        r#"wss://x <- 2: {"event":"subscribe"}"#,
        "\n",
        r#"3: {"product_id":"A-B"}"#,
        "\n",
        r#"https://x/products -> 4: [{"id":"A-B"}]"#,
        "\n",
        r#"5.25: {"product_id":"A-B"}"#,
        "\nbad\n",
        r#"configuration: {"trades":[]}"#,
        "\n",
    );

    #[test]
    fn of_a_session_only_what_was_received_is_sent() {
        let file = file(SESSION.as_bytes());
        let mut capture = Capture::open(file.path(), None).unwrap();
        let all = times(&mut capture);
        assert_eq!(all[..2], [Ok(3_000_000_000), Ok(5_250_000_000)]);
        assert!(all[2].as_ref().unwrap_err().contains(":6: "));
        assert_eq!(all.len(), 3);
        for (from, rest) in [(3, 3), (4, 2), (6, 1), (7, 0)] {
            let mut capture = Capture::open(file.path(), None).unwrap();
            capture.seek(from).unwrap();
            assert_eq!(times(&mut capture).len(), rest, "from line {from}");
        }
    }

    #[test]
    fn a_session_without_a_record_fails_to_open() {
        let (asked, _) = SESSION.split_at(SESSION.find("3: ").unwrap());
        let error = Capture::open(file(asked.as_bytes()).path(), None).unwrap_err();
        assert!(
            error.to_string().starts_with("none of the 2 lines of "),
            "{error}"
        );
    }

    #[test]
    fn looking_at_the_time_of_the_next_record_takes_nothing() {
        let file = file(LINES.as_bytes());
        let mut capture = Capture::open(file.path(), None).unwrap();
        for due in [Some(5), Some(6), None, Some(7)] {
            let due = Some(due.map(Nanos));
            assert_eq!(capture.due().unwrap(), due);
            assert_eq!(capture.due().unwrap(), due);
            let time = capture.next().unwrap().map_or(None, |record| record.time);
            assert_eq!(Some(time), due);
        }
        assert_eq!(capture.due().unwrap(), None);
    }

    #[test]
    fn the_first_line_determines_the_kind() {
        for (line, topic) in [
            (r#"5 {"s":"A"}"#, "binance-"),
            (r#"5.5: {"s":"A"}"#, ""),
            (
                r#"{"topic":"theirs","key":null,"partition":null,"value":{}}"#,
                "theirs",
            ),
            (r#"{"exchange":"okex","message":{}}"#, "okex"),
            (
                r#"{"type":"trade","exchange":"okex","symbol":"A-B"}"#,
                "tardis",
            ),
            (r#"{"type":"trade","symbol":"X:A"}"#, "tapecast"),
        ] {
            let file = file(line.as_bytes());
            let mut capture = Capture::open(file.path(), None).unwrap();
            let record = capture.next().unwrap().unwrap();
            assert!(record.topic.starts_with(topic), "{line}: {}", record.topic);
        }
    }

    #[test]
    fn a_file_that_is_not_a_capture_fails_to_open() {
        let error = |bytes: &[u8]| Capture::open(file(bytes).path(), None).unwrap_err();
        assert!(matches!(error(b""), CaptureError::Empty { .. }));
        assert!(matches!(error(b"\n\n"), CaptureError::Empty { .. }));
        assert!(matches!(
            error(b"hello\n"),
            CaptureError::Line { line: 1, .. }
        ));
        let missing = Capture::open(Path::new("/nowhere/at-all"), None).unwrap_err();
        assert!(matches!(missing, CaptureError::Open { .. }));
    }

    #[test]
    fn a_topic_that_is_asked_for_is_for_lines_that_name_none() {
        let binance = file(LINES.as_bytes());
        let mut capture = Capture::open(binance.path(), Some("mine")).unwrap();
        assert_eq!(capture.next().unwrap().unwrap().topic, "mine");

        let cryptofeed = file(br#"{"topic":"theirs","key":null,"partition":null,"value":{}}"#);
        let mut capture = Capture::open(cryptofeed.path(), Some("mine")).unwrap();
        assert_eq!(capture.next().unwrap().unwrap().topic, "theirs");
    }
}
