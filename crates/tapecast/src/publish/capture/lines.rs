use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

/// Maximum length of a line: the largest record the test broker accepts. The deepest snapshot seen has 64 KiB; a
/// file without line ends must not fill the memory.
const MAX_LINE: u64 = 32 << 20;
/// Each gzip member starts with these two bytes, and no text does.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The non-blank lines of a file, decompressed if necessary.
pub(super) struct Lines {
    reader: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = BufReader::new(File::open(path)?);
        let packed = file.fill_buf()?.starts_with(&GZIP);
        let reader: Box<dyn BufRead + Send> = if packed {
            Box::new(BufReader::new(MultiGzDecoder::new(file)))
        } else {
            Box::new(file)
        };
        Ok(Self {
            reader,
            line: Vec::new(),
            number: 0,
        })
    }

    /// Advances to the next line. Returns false at the end.
    pub(super) fn read(&mut self) -> io::Result<bool> {
        loop {
            self.line.clear();
            let read = (&mut self.reader)
                .take(MAX_LINE)
                .read_until(b'\n', &mut self.line)?;
            if read == 0 {
                return Ok(false);
            }
            if self.line.len() as u64 == MAX_LINE && self.line.last() != Some(&b'\n') {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("the line is longer than {MAX_LINE} bytes"),
                ));
            }
            self.number += 1;
            while matches!(self.line.last(), Some(b'\n' | b'\r')) {
                self.line.pop();
            }
            if !self.line.is_empty() {
                return Ok(true);
            }
        }
    }

    /// The line without its line end.
    pub(super) fn current(&self) -> &[u8] {
        &self.line
    }

    /// The number of the line, from 1.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}
