use std::collections::HashMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use market::Nanos;

use super::capture::Record;

/// How often the progress line changes: as fast as a person can read it.
const SHOW_EVERY: Duration = Duration::from_millis(250);

/// Progress and summary: a line that is updated while sending, and a table at the end.
#[derive(Debug)]
pub(super) struct Report {
    start: Instant,
    topics: HashMap<String, Sent>,
    total: Sent,
    left_out: u64,
    line: Option<StatusLine>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    records: u64,
    bytes: u64,
}

/// The progress line, only if standard error is a terminal.
#[derive(Debug)]
struct StatusLine {
    shown: Instant,
    /// Records sent by then.
    records: u64,
    /// Time of the file's first record.
    first: Option<Nanos>,
}

impl Report {
    pub(super) fn start() -> Self {
        let now = Instant::now();
        Self {
            start: now,
            topics: HashMap::new(),
            total: Sent::default(),
            left_out: 0,
            line: io::stderr().is_terminal().then_some(StatusLine {
                shown: now,
                records: 0,
                first: None,
            }),
        }
    }

    /// Starts another file.
    pub(super) fn restart(&mut self) {
        if let Some(line) = &mut self.line {
            line.first = None;
        }
    }

    /// Counts a sent record.
    pub(super) fn sent(&mut self, record: &Record<'_>) {
        let one = Sent {
            records: 1,
            bytes: record.value.len() as u64,
        };
        self.total.add(one);
        match self.topics.get_mut(record.topic.as_ref()) {
            Some(sent) => sent.add(one),
            None => {
                self.topics.insert(record.topic.clone().into_owned(), one);
            }
        }
    }

    /// Updates the progress line if it is time to.
    pub(super) fn show(&mut self, at: Option<Nanos>, now: Instant) {
        let Some(line) = &mut self.line else { return };
        let first = match (line.first, at) {
            (Some(first), _) => Some(first),
            (None, at) => {
                line.first = at;
                at
            }
        };
        let since = now.saturating_duration_since(line.shown);
        if since < SHOW_EVERY {
            return;
        }
        let rate = (self.total.records - line.records) as f64 / since.as_secs_f64();
        line.shown = now;
        line.records = self.total.records;
        let position = match (first, at) {
            (Some(first), Some(at)) => clock(Duration::from_nanos(at.since(first))),
            _ => "-".to_owned(),
        };
        // A failure to show progress is no reason to stop.
        let _shown = write!(
            io::stderr(),
            "\r{} records  {rate:.0}/s  {position} of recorded time\x1b[K",
            self.total.records
        );
    }

    /// Reports a skipped line.
    pub(super) fn left_out(&mut self, why: &dyn std::fmt::Display) {
        self.left_out += 1;
        self.clear();
        let _shown = writeln!(io::stderr(), "skipped: {why}");
    }

    /// Prints the summary.
    pub(super) fn finish(&self, acknowledged: u64) -> io::Result<()> {
        self.clear();
        let mut out = io::stdout().lock();
        let mut topics: Vec<_> = self.topics.iter().collect();
        topics.sort_by_key(|(name, _)| *name);
        for (name, sent) in topics {
            writeln!(
                out,
                "{name}: {} records, {} bytes",
                sent.records, sent.bytes
            )?;
        }
        let seconds = self.start.elapsed().as_secs_f64();
        writeln!(
            out,
            "{} records, {} bytes in {seconds:.3} s; {acknowledged} acknowledged, {} lines skipped",
            self.total.records, self.total.bytes, self.left_out
        )
    }

    fn clear(&self) {
        if self.line.is_some() {
            let _shown = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

impl Sent {
    fn add(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
    }
}

/// Formats hours, minutes and seconds.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}
