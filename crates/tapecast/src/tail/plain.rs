use client::session::Session;
use market::decimal::to_string;
use market::{Bbo, Exponents, Level, Nanos};

use super::latency::{millis, time_of_day};
use super::notice::Notice;
use super::watched::{StreamName, Watched};

/// The figures of one instrument on one line.
pub(super) fn figures(now: Nanos, one: &Watched, session: &Session, reconnects: u64) -> String {
    let stats = one.stats();
    let (state, _) = one.state(session);
    let (bid, ask) = best(one, session);
    let checksum = if stats.mismatches == 0 { "ok" } else { "WRONG" };
    format!(
        "{} {} {state} seq {} bid {bid} ask {ask} messages {} verified {} checksum {checksum} gaps {} \
         resyncs {} reconnects {reconnects} p50 {} p99 {}",
        time_of_day(now),
        one.name,
        one.seq.0,
        stats.messages,
        stats.verified,
        stats.gaps,
        stats.resyncs,
        millis(one.latency.quantile(0.5)),
        millis(one.latency.quantile(0.99)),
    )
}

/// A notice on one line.
pub(super) fn notice(now: Nanos, whose: Option<StreamName<'_>>, notice: &Notice) -> String {
    let Some(StreamName { name, channel }) = whose else {
        return format!("{} - {}", time_of_day(now), notice.text);
    };
    format!(
        "{} {name} {}: {}",
        time_of_day(now),
        channel.name(),
        notice.text
    )
}

/// The best bid and offer as `size@price`, from the book or the channel `bbo`.
fn best(one: &Watched, session: &Session) -> (String, String) {
    let kept = one.book().and_then(|id| session.book(id));
    let (bbo, exponents) = match kept {
        Some(kept) => (kept.book().bbo(), kept.exponents()),
        None => one.bbo.unwrap_or((
            Bbo {
                bid: None,
                ask: None,
            },
            Exponents::default(),
        )),
    };
    let text = |level: Option<Level>| match level {
        Some(level) => format!(
            "{}@{}",
            to_string(level.size.0, exponents.size),
            to_string(level.price.0, exponents.price)
        ),
        None => "-".to_owned(),
    };
    (text(bbo.bid), text(bbo.ask))
}
