use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use flate2::read::GzDecoder;

/// The lines of a capture; `None`, with a note, if there are no captures on this machine.
pub(crate) fn lines(path: &str) -> Option<Vec<String>> {
    let captures = std::env::var_os("TAPECAST_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    if !captures.is_dir() {
        println!("captures absent: no folder {}", captures.display());
        return None;
    }
    let file = std::fs::File::open(captures.join(path)).unwrap();
    let lines = BufReader::new(GzDecoder::new(file)).lines();
    Some(lines.map(Result::unwrap).collect())
}

/// The received text, without the time before it.
pub(crate) fn received(path: &str) -> Option<Vec<String>> {
    let without_time = |line: String| line.split_once(' ').unwrap().1.to_owned();
    Some(lines(path)?.into_iter().map(without_time).collect())
}

/// What the client of a raw session received, as lines of `<seconds>: <JSON>` among those that it
/// sent.
pub(crate) fn session(path: &str) -> Option<Vec<String>> {
    let received = |line: String| {
        let (time, json) = line.split_once(": ")?;
        time.parse::<f64>().ok().map(|_| json.to_owned())
    };
    Some(lines(path)?.into_iter().filter_map(received).collect())
}
