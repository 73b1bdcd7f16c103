use client::LocalBook;
use market::decimal::to_string;
use market::{Level, Side};

use super::styled_line::{Style, StyledLine};

/// Eighths of a block, from the left.
const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// The best levels of both sides, bids left and asks right, with bars proportional to their sizes.
pub(super) fn ladder(kept: &LocalBook, rows: usize, width: usize) -> Vec<StyledLine> {
    let exponents = kept.exponents();
    let sides = Side::BOTH.map(|side| {
        let levels: Vec<Level> = kept.book().side(side).top(rows).collect();
        levels
    });
    let largest = sides.iter().flatten().map(|level| level.size.0).max();
    let texts = |text: &dyn Fn(&Level) -> String| {
        sides
            .each_ref()
            .map(|side| side.iter().map(text).collect::<Vec<_>>())
    };
    let prices = aligned(texts(&|level| to_string(level.price.0, exponents.price)));
    let sizes = aligned(texts(&|level| to_string(level.size.0, exponents.size)));
    let widest =
        |texts: &[Vec<String>; 2]| texts.iter().flatten().map(String::len).max().unwrap_or(1);
    let (price, size) = (widest(&prices), widest(&sizes));
    // ` bar size  price │ price  size bar `
    let bar = (width / 2).saturating_sub(price + size + 6);
    (0..rows)
        .map(|row| {
            let cell = |side: usize| {
                let level = sides[side].get(row)?;
                let part = part_of(level.size.0, largest.unwrap_or(1), bar);
                Some((part, &sizes[side][row], &prices[side][row]))
            };
            let mut line = StyledLine::default();
            line = match cell(0) {
                Some((part, text, at)) => line
                    .with(Style::Bid, format!(" {} ", right_bar(part, bar)))
                    .with(Style::Plain, format!("{text:>size$}  "))
                    .with(Style::Bid, format!("{at:>price$}")),
                None => line.padded(bar + size + price + 4),
            };
            line = line.with(Style::Dim, " │ ".to_owned());
            match cell(1) {
                Some((part, text, at)) => line
                    .with(Style::Ask, format!("{at:<price$}"))
                    .with(Style::Plain, format!("  {text:<size$} "))
                    .with(Style::Ask, left_bar(part, bar)),
                None => line,
            }
        })
        .collect()
}

/// Pads all numbers to the same decimals, so that decimal points align.
fn aligned(mut texts: [Vec<String>; 2]) -> [Vec<String>; 2] {
    let decimals = |text: &String| {
        text.split_once('.')
            .map_or(0, |(_, decimals)| decimals.len())
    };
    let most = texts.iter().flatten().map(decimals).max().unwrap_or(0);
    for text in texts.iter_mut().flatten() {
        let has = decimals(text);
        if has == 0 && most > 0 {
            text.push('.');
        }
        text.push_str(&"0".repeat(most - has));
    }
    texts
}

/// The length of a bar in eighths of a character, at least one.
fn part_of(size: i64, largest: i64, bar: usize) -> usize {
    let eighths = (bar * 8) as u128;
    let size = u128::from(size.unsigned_abs());
    let largest = u128::from(largest.unsigned_abs()).max(1);
    let part = usize::try_from(size * eighths / largest).unwrap_or_default();
    part.clamp(1, (bar * 8).max(1))
}

/// A bar growing to the right.
fn left_bar(eighths: usize, width: usize) -> String {
    let mut bar = "█".repeat((eighths / 8).min(width));
    if eighths / 8 < width && !eighths.is_multiple_of(8) {
        bar.push(EIGHTHS[eighths % 8]);
    }
    bar
}

/// A bar growing to the left; there are only half blocks for that.
fn right_bar(eighths: usize, width: usize) -> String {
    let halves = eighths.div_ceil(4).min(width * 2);
    let mut bar = String::new();
    if !halves.is_multiple_of(2) {
        bar.push('▐');
    }
    bar.push_str(&"█".repeat(halves / 2));
    format!("{bar:>width$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_stand_below_points() {
        let texts = [["1", "0.25"], ["10.5", "0"]].map(|side| side.map(str::to_owned).to_vec());
        assert_eq!(aligned(texts), [["1.00", "0.25"], ["10.50", "0.00"]]);
        let whole = [vec!["1".to_owned()], vec!["20".to_owned()]];
        assert_eq!(aligned(whole.clone()), whole);
    }

    #[test]
    fn bars_are_as_long_as_their_sizes() {
        assert_eq!(left_bar(part_of(50, 100, 10), 10), "█████");
        assert_eq!(right_bar(part_of(50, 100, 10), 10), "     █████");
        assert_eq!(left_bar(part_of(100, 100, 4), 4), "████");
        assert_eq!(left_bar(part_of(1, 1_000_000, 4), 4), "▏");
        assert_eq!(right_bar(part_of(1, 1_000_000, 4), 4), "   ▐");
        assert_eq!(left_bar(part_of(i64::MAX, i64::MAX, 4), 4), "████");
        assert_eq!(left_bar(part_of(5, 5, 0), 0), "");
    }
}
