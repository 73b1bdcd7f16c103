use std::fmt::Display;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Interval between lines without a terminal.
const SAY_EVERY: Duration = Duration::from_secs(10);
/// Interval between redraws on a terminal.
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// Shows progress: a bar on a terminal, otherwise a line now and then.
pub(crate) struct Progress {
    what: &'static str,
    length: u64,
    bar: Option<ProgressBar>,
    quiet: bool,
    shown: Instant,
}

impl Progress {
    /// Of work with `total` parts; 0 if unknown.
    pub(crate) fn new(what: &'static str, length: u64) -> Self {
        Self::quiet_where(false, what, length)
    }

    /// Likewise; shows nothing if `quiet`, since another process shows the same.
    pub(crate) fn quiet_where(quiet: bool, what: &'static str, length: u64) -> Self {
        let draws = !quiet && std::io::stderr().is_terminal();
        let bar = draws.then(|| {
            let template = if length > 0 {
                "{prefix:12} {bar:30} {pos}/{len}  {msg}"
            } else {
                "{prefix:12} {spinner} {pos}  {msg}"
            };
            // A template that cannot be parsed leaves the default bar.
            let style = ProgressStyle::with_template(template);
            let bar = ProgressBar::new(length).with_prefix(what);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Self {
            what,
            length,
            bar,
            quiet,
            shown: Instant::now(),
        }
    }

    /// Shows that `done` parts are done.
    pub(crate) fn show(&mut self, done: u64, note: impl Display) {
        let every = if self.bar.is_some() {
            DRAW_EVERY
        } else {
            SAY_EVERY
        };
        if self.quiet || self.shown.elapsed() < every {
            return;
        }
        self.shown = Instant::now();
        match (&self.bar, self.length) {
            (Some(bar), _) => {
                bar.set_message(note.to_string());
                bar.set_position(done);
            }
            (None, 0) => eprintln!("{} {done}  {note}", self.what),
            (None, length) => eprintln!("{} {done}/{length}  {note}", self.what),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
