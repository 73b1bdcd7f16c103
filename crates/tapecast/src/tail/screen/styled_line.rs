/// Style of a piece of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Bold,
    Dim,
    Good,
    Warn,
    Bad,
    Bid,
    Ask,
}

impl Style {
    /// The escape sequence; uses the 16 basic colours, which follow the terminal's theme.
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Bold => "1",
            Self::Dim => "90",
            Self::Good | Self::Bid => "32",
            Self::Warn => "33",
            Self::Bad => "1;31",
            Self::Ask => "31",
        }
    }
}

/// A line of the screen, in styled pieces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct StyledLine(Vec<(Style, String)>);

impl StyledLine {
    pub(super) fn with(mut self, style: Style, text: String) -> Self {
        self.0.push((style, text));
        self
    }

    pub(super) fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Its width in columns. Every character used here has one.
    pub(super) fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.chars().count()).sum()
    }

    /// Pads it to at least this width.
    pub(super) fn padded(self, width: usize) -> Self {
        let missing = width.saturating_sub(self.width());
        self.with(Style::Plain, " ".repeat(missing))
    }

    /// Cuts it to this width; with colours.
    pub(super) fn render(&self, columns: usize) -> String {
        let mut out = String::new();
        let mut left = columns;
        for (style, text) in &self.0 {
            let piece: String = text.chars().take(left).collect();
            left -= piece.chars().count();
            if piece.is_empty() {
                continue;
            }
            out.push_str("\x1b[");
            out.push_str(style.code());
            out.push('m');
            out.push_str(&piece);
            out.push_str("\x1b[0m");
        }
        out
    }
}

/// The text of a line without its colours.
#[cfg(test)]
pub(in crate::tail) fn plain(rendered: &str) -> String {
    let mut out = String::new();
    let mut rest = rendered;
    while let Some((text, escape)) = rest.split_once("\x1b[") {
        out.push_str(text);
        rest = escape.split_once('m').map_or("", |(_, rest)| rest);
    }
    out + rest
}
