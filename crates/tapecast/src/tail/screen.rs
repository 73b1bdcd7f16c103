//! The full screen: a panel for each instrument, with the latest notices below.

mod ladder;
mod panel;
mod styled_line;

use std::collections::VecDeque;
use std::time::Duration;

use client::session::Session;
use market::Nanos;

use super::latency::time_of_day;
use super::notice::Notice;
use super::terminal::Extent;
use super::watched::{StreamName, Watched};
use styled_line::{Style, StyledLine};

#[cfg(test)]
pub(super) use styled_line::plain as plain_text;

/// How many notices are remembered: as many as the screen has room for below the panels.
const NOTICES: usize = 6;
/// The narrowest panel that a ladder fits in; two stand side by side when there is room.
const PANEL: usize = 76;
/// What stands between two panels.
const BETWEEN: usize = 2;

/// What the screen remembers.
#[derive(Debug, Default)]
pub(super) struct Screen {
    /// The last one last.
    notices: VecDeque<(Nanos, String, Notice)>,
}

/// What is true of the whole client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole<'a> {
    /// What the connection is doing.
    pub(super) link: &'a str,
    pub(super) up: bool,
    pub(super) running: Duration,
    pub(super) reconnects: u64,
    /// Data messages a second, over the last one.
    pub(super) rate: u64,
}

impl Screen {
    pub(super) fn note(&mut self, now: Nanos, whose: Option<StreamName<'_>>, notice: Notice) {
        if self.notices.len() == NOTICES {
            self.notices.pop_front();
        }
        let name = whose.map_or(String::new(), |whose| {
            format!("{} {}: ", whose.name, whose.channel.name())
        });
        self.notices.push_back((now, name, notice));
    }

    /// The lines of a frame, each of at most so many columns.
    pub(super) fn render(
        &self,
        extent: Extent,
        watched: &[Watched],
        session: &Session,
        whole: Whole<'_>,
    ) -> Vec<String> {
        let mut lines = vec![head(whole), StyledLine::default()];
        let across = (extent.columns + BETWEEN) / (PANEL + BETWEEN);
        let across = across.clamp(1, watched.len().max(1));
        let width = (extent.columns + BETWEEN) / across - BETWEEN;
        let tall = watched.len().div_ceil(across);
        let notices = self.notices.len().min(NOTICES);
        let room = extent.rows.saturating_sub(lines.len() + notices);
        let height = room / tall.max(1);
        for row in watched.chunks(across) {
            let panels: Vec<Vec<StyledLine>> = row
                .iter()
                .map(|one| panel::panel(one, session, whole.reconnects, width, height))
                .collect();
            lines.extend(side_by_side(&panels, width));
        }
        lines.truncate(extent.rows.saturating_sub(notices).max(1));
        lines.extend(self.notices.iter().map(|(at, name, notice)| {
            let style = if notice.bad { Style::Warn } else { Style::Dim };
            StyledLine::default()
                .with(Style::Dim, format!(" {} ", time_of_day(*at)))
                .with(style, format!("{name}{}", notice.text))
        }));
        lines.truncate(extent.rows);
        lines
            .iter()
            .map(|line| line.render(extent.columns))
            .collect()
    }
}

fn head(whole: Whole<'_>) -> StyledLine {
    let running = whole.running.as_secs();
    let style = if whole.up { Style::Good } else { Style::Bad };
    StyledLine::default()
        .with(Style::Bold, " tapecast tail ".to_owned())
        .with(style, format!(" ● {} ", whole.link))
        .with(
            Style::Dim,
            format!(
                "  {:02}:{:02}:{:02}  {}/s  Ctrl-C ends",
                running / 3600,
                running / 60 % 60,
                running % 60,
                whole.rate,
            ),
        )
}

fn side_by_side(panels: &[Vec<StyledLine>], width: usize) -> Vec<StyledLine> {
    let height = panels.iter().map(Vec::len).max().unwrap_or_default();
    (0..height)
        .map(|row| {
            let mut line = StyledLine::default();
            for (column, panel) in panels.iter().enumerate() {
                let part = panel.get(row).cloned().unwrap_or_default();
                line = line.padded(column * (width + BETWEEN)).then(part);
            }
            line
        })
        .collect()
}
