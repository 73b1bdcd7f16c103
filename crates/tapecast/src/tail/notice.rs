use client::Event;
use client::event::{Gap, GapCause, Resync};
use market::{Position, Seq};

/// A message for people, and whether it is bad news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) text: String,
    pub(super) bad: bool,
}

impl Notice {
    #[expect(clippy::too_many_lines, reason = "an arm for each kind of event")]
    pub(super) fn of(event: &Event) -> Option<Self> {
        let (text, bad) = match event {
            Event::Connected { endpoint } => (format!("connected to {endpoint}"), false),
            Event::Reconnecting {
                attempt,
                delay,
                cause,
            } => {
                let delay = delay.as_secs_f64();
                (
                    format!("reconnect: attempt {attempt} in {delay:.2}s: {cause}"),
                    true,
                )
            }
            Event::GoAway(leaving) => {
                let (reason, delay) = (leaving.reason.name(), leaving.leave_in.as_secs_f64());
                (
                    format!("the node is going away ({reason}); reconnecting in {delay:.2}s"),
                    false,
                )
            }
            Event::Closed { cause: Some(cause) } => (format!("closed: {cause}"), true),
            Event::Subscribed(subscribed) => {
                let reason = subscribed.reason.map_or("", |reason| reason.name());
                let how = subscribed.start.name();
                match reason {
                    "" => (format!("subscribed: {how}"), false),
                    reason => (format!("subscribed: {how}, not resumed: {reason}"), false),
                }
            }
            Event::Rejected(rejected) => match rejected.retry {
                Some(delay) => {
                    let delay = delay.as_secs_f64();
                    (
                        format!("rejected: {}; retrying in {delay:.2}s", rejected.error),
                        true,
                    )
                }
                None => (format!("rejected: {}", rejected.error), true),
            },
            Event::Status(update) => {
                let status = update.status;
                let state = status.state;
                (
                    format!("state: {} {}", state.name(), status.reason.name()),
                    state.is_broken(),
                )
            }
            Event::ReplayComplete(complete) => (
                format!("live after replaying {} messages", complete.messages),
                false,
            ),
            Event::Lag(notice) => {
                let lag = notice.lag;
                let (kind, age) = (lag.kind.name(), lag.age / 1_000_000);
                (
                    format!("lag: {kind} {} messages, {age}ms behind", lag.messages),
                    true,
                )
            }
            Event::Gap(gap) => (gap_text(gap), true),
            Event::ChecksumMismatch(wrong) => (
                format!(
                    "checksum mismatch at seq {}: expected {:08x}, computed {:08x}",
                    wrong.head.seq.0, wrong.received, wrong.computed
                ),
                true,
            ),
            Event::Resync(resync) => (resync_text(resync), false),
            Event::Undecodable { error } => (format!("cannot decode a message: {error}"), true),
            _ => return None,
        };
        Some(Self { text, bad })
    }
}

fn gap_text(gap: &Gap) -> String {
    let from = seq(gap.from);
    let to = gap
        .to
        .map_or_else(|| "?".to_owned(), |Seq(to)| to.to_string());
    let becomes = match gap.cause {
        GapCause::Sequence | GapCause::Silent => "resuming",
        GapCause::Skipped | GapCause::NotResumed(_) => "lost",
        GapCause::Upstream(_) => "lost before it reached the node",
    };
    format!("gap: ({from}, {to}] {}: {becomes}", gap.cause)
}

fn resync_text(resync: &Resync) -> String {
    let (from, to) = (seq(resync.from), resync.to.seq.0);
    format!(
        "resync: recovered, {from} to {to}, after: {}",
        resync.reason
    )
}

fn seq(position: Option<Position>) -> String {
    position.map_or_else(|| "-".to_owned(), |position| position.seq.0.to_string())
}
