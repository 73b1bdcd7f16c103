use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Lines kept for the status page: one screen.
const KEPT: usize = 40;
/// Characters of a line; records that cannot be read may be logged in full elsewhere.
const LONGEST: usize = 400;

/// The last warnings and errors of the log, for the status page.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recent(Arc<Mutex<VecDeque<RecentLine>>>);

#[derive(Debug, Clone)]
pub(crate) struct RecentLine {
    pub(crate) at: SystemTime,
    pub(crate) level: Level,
    pub(crate) text: String,
}

impl Recent {
    /// Newest first.
    pub(crate) fn lines(&self) -> Vec<RecentLine> {
        self.kept().iter().rev().cloned().collect()
    }

    /// A panic elsewhere leaves it consistent, since each change is a single call.
    fn kept(&self) -> MutexGuard<'_, VecDeque<RecentLine>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subscriber> Layer<S> for Recent {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = *event.metadata().level();
        if level > Level::WARN {
            return;
        }
        let mut line = EventText(String::new());
        event.record(&mut line);
        let mut kept = self.kept();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(RecentLine {
            at: SystemTime::now(),
            level,
            text: line.0,
        });
    }
}

/// The message first, then the fields.
struct EventText(String);

impl Visit for EventText {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if self.0.len() > LONGEST {
            return;
        }
        let text = if field.name() == "message" {
            format!("{value:?}{}", self.0)
        } else {
            let mut text = std::mem::take(&mut self.0);
            // Writing to a `String` cannot fail.
            let _ = write!(text, " {}={value:?}", field.name());
            text
        };
        self.0 = text.chars().take(LONGEST).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt as _;

    #[test]
    fn the_last_warnings_are_kept_and_what_is_usual_is_not() {
        let recent = Recent::default();
        let log = tracing_subscriber::registry().with(recent.clone());
        tracing::subscriber::with_default(log, || {
            tracing::info!("usual");
            for number in 0..100 {
                tracing::warn!(number, "something is off");
            }
            tracing::error!(text = "x".repeat(10_000), "much");
        });
        let lines = recent.lines();
        assert_eq!(lines.len(), KEPT);
        assert!(lines[0].text.starts_with("much") && lines[0].text.len() <= LONGEST);
        assert_eq!(lines[1].text, "something is off number=99");
    }
}
