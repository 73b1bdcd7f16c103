//! The real data, which is not part of the project.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

/// A capture by its path within the folder; prints a line if there is none.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("TAPECAST_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let path = folder.join(name);
    if path.is_file() {
        return Some(path);
    }
    println!("captures absent: {}", path.display());
    None
}

/// The lines of a packed capture.
#[must_use]
pub fn lines(path: &Path) -> Vec<String> {
    let file = File::open(path).expect("a capture can be opened");
    let lines: Result<Vec<_>, _> = BufReader::new(MultiGzDecoder::new(file)).lines().collect();
    lines.expect("a capture is text")
}
