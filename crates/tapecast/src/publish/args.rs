use std::path::PathBuf;

use super::schedule::Speed;

/// Kinds of files, shown below the options; docs/formats.md has the same table.
const KINDS: &str = "\
Kinds of files, and the topic and key of their records:
  <ns> <JSON>                      Binance as hftbacktest records it: topic binance-FOLDER, key SYMBOL
  <seconds>: <JSON>                a venue's session as cryptofeed records it (VENUE.ws.1.0): topic
                                   venue, key the message's symbol; includes snapshots fetched by
                                   REST (<url> -> <seconds>: <JSON>), skips requests
  {\"topic\",\"key\",\"value\"}         output of cryptofeed's Kafka backend: topic and key of the line
  {\"exchange\",\"message\"}           a venue's messages from Tardis: topic exchange, key the
                                   message's symbol
  {\"type\",\"exchange\",\"symbol\"}   normalised messages from Tardis: topic tardis, key VENUE:SYMBOL
  {\"type\",\"symbol\"}              our own format: topic tapecast, key VENUE:SYMBOL
Missing topics are created with one partition. Records are timestamped with the current time, or
with the time they were received (--keep-time).";

/// Publish captures to Kafka, at the speed they were recorded or another
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = KINDS)]
pub(crate) struct PublishArgs {
    /// Kafka brokers, comma-separated
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) brokers: String,
    /// Topic of files whose lines name none [default: depends on the kind of file, see below]
    #[arg(long, value_name = "NAME", value_parser = topic_name)]
    pub(super) topic: Option<String>,
    /// Speed: 1 as recorded, 10 or 10x ten times as fast, max as fast as possible
    #[arg(long, value_name = "FACTOR", default_value = "1")]
    pub(super) speed: Speed,
    /// Interleave the files by receive time instead of sending them one after the other
    #[arg(long)]
    pub(super) merge: bool,
    /// Number of times to send the files
    #[arg(long = "loop", value_name = "TIMES", default_value_t = 1)]
    pub(super) rounds: u32,
    /// First line to send of each file
    #[arg(long, value_name = "LINE", default_value_t = 1)]
    pub(super) from: u64,
    /// Maximum number of lines to send of each file
    #[arg(long, value_name = "LINES")]
    pub(super) limit: Option<u64>,
    /// Timestamp records with the time they were received instead of the current time
    #[arg(long)]
    pub(super) keep_time: bool,
    /// Skip and report invalid lines instead of stopping
    #[arg(long)]
    pub(super) skip_bad: bool,
    /// Captures, plain or gzip; the first line determines the kind, see below
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,
}

/// Kafka's limit.
const MAX_TOPIC: usize = 249;

fn topic_name(text: &str) -> Result<String, String> {
    let fits = (1..=MAX_TOPIC).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && text != "."
        && text != "..";
    if fits {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "a topic is 1 to {MAX_TOPIC} of letters, digits, '.', '_' and '-'"
        ))
    }
}
