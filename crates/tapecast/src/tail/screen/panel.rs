use client::LocalBook;
use client::session::Session;
use market::Aggressor;
use market::decimal::to_string;

use super::ladder::ladder;
use super::styled_line::{Style, StyledLine};
use crate::tail::latency::{millis, time_of_day};
use crate::tail::watched::{Printed, Watched};

/// Lines of a panel besides levels and trades: title, two lines of figures, an empty line.
const FRAME: usize = 4;
/// Maximum trades below a ladder.
const TRADES: usize = 4;
/// Maximum levels per side.
const LEVELS: usize = 25;

/// The panel of one instrument.
pub(super) fn panel(
    one: &Watched,
    session: &Session,
    reconnects: u64,
    width: usize,
    height: usize,
) -> Vec<StyledLine> {
    let kept = one.book().and_then(|id| session.book(id));
    let mut lines = vec![title(one, session, kept, width)];
    let room = height.saturating_sub(FRAME);
    let levels = kept.map_or(0, |kept| {
        kept.book().bids().len().max(kept.book().asks().len())
    });
    let trades = one.trades.len().min(TRADES).min(room / 3);
    let rows = levels.min(LEVELS).min(room.saturating_sub(trades));
    if let Some(kept) = kept {
        lines.extend(ladder(kept, rows, width));
    } else if let Some((bbo, exponents)) = one.bbo {
        let text = |level: market::Level| {
            let size = to_string(level.size.0, exponents.size);
            (size, to_string(level.price.0, exponents.price))
        };
        let (bid, ask) = (bbo.bid.map(text), bbo.ask.map(text));
        let mut line = StyledLine::default();
        if let Some((size, price)) = bid {
            line = line
                .with(Style::Plain, format!(" {size}  "))
                .with(Style::Bid, price);
        }
        line = line.with(Style::Dim, " │ ".to_owned());
        if let Some((size, price)) = ask {
            line = line
                .with(Style::Ask, price)
                .with(Style::Plain, format!("  {size}"));
        }
        lines.push(line);
    }
    lines.extend(one.trades.iter().take(trades).map(trade));
    lines.extend(figures(one, reconnects));
    lines.push(StyledLine::default());
    lines.truncate(height.max(1));
    lines
}

/// Name, state and sequence number, and the spread if there is one.
fn title(one: &Watched, session: &Session, kept: Option<&LocalBook>, width: usize) -> StyledLine {
    let (state, well) = one.state(session);
    let style = if well { Style::Good } else { Style::Bad };
    let left = StyledLine::default()
        .with(Style::Bold, format!(" {}", one.name))
        .with(style, format!("  {state}"));
    let mut right = format!("seq {} ", one.seq.0);
    let bbo = kept.map(|kept| (kept.book().bbo(), kept.exponents()));
    if let Some((bbo, exponents)) = bbo
        && let (Some(bid), Some(ask)) = (bbo.bid, bbo.ask)
        && let Some(spread) = ask.price.0.checked_sub(bid.price.0)
    {
        right = format!("spread {}   {right}", to_string(spread, exponents.price));
    }
    let place = width.saturating_sub(right.chars().count());
    left.padded(place).with(Style::Dim, right)
}

fn trade(trade: &Printed) -> StyledLine {
    let (side, style) = match trade.side {
        Aggressor::Buy => ("buy ", Style::Bid),
        Aggressor::Sell => ("sell", Style::Ask),
        Aggressor::Unknown => ("    ", Style::Plain),
    };
    StyledLine::default()
        .with(Style::Dim, format!(" {} ", time_of_day(trade.time)))
        .with(style, format!("{side} {} ", trade.price))
        .with(Style::Plain, format!("× {}", trade.size))
}

/// Two lines: verification and faults.
fn figures(one: &Watched, reconnects: u64) -> [StyledLine; 2] {
    let stats = one.stats();
    let label = |text: &str| format!(" {text} ");
    let count = |line: StyledLine, name: &str, number: u64, bad: Style| {
        let style = if number == 0 { Style::Plain } else { bad };
        line.with(Style::Dim, label(name))
            .with(style, thousands(number))
    };
    let proof = StyledLine::default()
        .with(Style::Dim, label("messages"))
        .with(Style::Plain, thousands(stats.messages))
        .with(Style::Dim, label(" verified"))
        .with(Style::Plain, thousands(stats.verified));
    let proof = match (stats.mismatches, stats.verified) {
        (0, 0) => proof,
        (0, _) => proof.with(Style::Good, "  checksum ok".to_owned()),
        (wrong, _) => proof.with(Style::Bad, format!("  {wrong} checksum mismatches")),
    };
    let proof = proof
        .with(Style::Dim, label("  latency p50"))
        .with(Style::Plain, millis(one.latency.quantile(0.5)))
        .with(Style::Dim, label("p99"))
        .with(Style::Plain, millis(one.latency.quantile(0.99)));
    let mut faults = count(StyledLine::default(), "gaps", stats.gaps, Style::Warn);
    faults = count(faults, " lost", stats.losses, Style::Bad);
    faults = count(faults, " resyncs", stats.resyncs, Style::Warn);
    faults = count(faults, " reconnects", reconnects, Style::Warn);
    [proof, count(faults, " lags", stats.lags, Style::Warn)]
}

/// `1,234,567`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_parted() {
        let all = [0, 999, 1000, 1_234_567].map(thousands);
        assert_eq!(all, ["0", "999", "1,000", "1,234,567"]);
    }
}
