use std::io::{self, Write as _};

use rustix::termios::tcgetwinsize;

/// Size of a terminal that does not report one.
const USUAL: Extent = Extent {
    columns: 80,
    rows: 24,
};

/// Size in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// The terminal in full-screen mode; restored when dropped.
#[derive(Debug)]
pub(super) struct Terminal(());

impl Terminal {
    /// Switches to the alternate screen, without cursor and line wrapping.
    pub(super) fn open() -> io::Result<Self> {
        let mut out = io::stdout().lock();
        out.write_all(b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J")?;
        out.flush()?;
        Ok(Self(()))
    }

    pub(super) fn extent() -> Extent {
        match tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => Extent {
                columns: size.ws_col.into(),
                rows: size.ws_row.into(),
            },
            _ => USUAL,
        }
    }

    /// Shows these lines as one synchronised update, so that supporting terminals never show half a frame.
    pub(super) fn show(&mut self, lines: &[String]) -> io::Result<()> {
        let mut frame = String::with_capacity(8 * 1024);
        frame.push_str("\x1b[?2026h\x1b[H");
        for (index, line) in lines.iter().enumerate() {
            if index > 0 {
                frame.push_str("\r\n");
            }
            frame.push_str(line);
            frame.push_str("\x1b[K");
        }
        frame.push_str("\x1b[J\x1b[?2026l");
        let mut out = io::stdout().lock();
        out.write_all(frame.as_bytes())?;
        out.flush()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let mut out = io::stdout().lock();
        // The terminal may be gone.
        let _ = out.write_all(b"\x1b[?7h\x1b[?25h\x1b[?1049l");
        let _ = out.flush();
    }
}
