use std::path::PathBuf;

use super::schedule::Speed;

/// What a file may be, below the options of `--help`. The table of docs/formats.md has the same.
const KINDS: &str = "\
Kinds of files, and where their records go:
  <ns> <JSON>                      Binance as hftbacktest records it: topic binance-FOLDER, key SYMBOL
  <seconds>: <JSON>                a venue's session as cryptofeed records it (VENUE.ws.1.0): topic
                                   venue, key the message's symbol. Whole books that were fetched
                                   (<url> -> <seconds>: <JSON>) go along, requests do not
  {\"topic\",\"key\",\"value\"}         what cryptofeed's Kafka backend sends: as the line says
  {\"exchange\",\"message\"}           a venue's messages of Tardis: topic exchange, key the
                                   message's symbol
  {\"type\",\"exchange\",\"symbol\"}   what Tardis makes of them: topic tardis, key VENUE:SYMBOL
  {\"type\",\"symbol\"}              our own: topic tapecast, key VENUE:SYMBOL
A topic that is not there is created with one partition. A record's time is now, or when it was
received with --keep-time.";

/// Send captures to Kafka, at the pace at which they were recorded or another
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = KINDS)]
pub(crate) struct PublishArgs {
    /// Kafka's brokers, as HOST:PORT, several separated by commas
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) brokers: String,
    /// The topic of files whose lines name none [default: by the kind of file, see below]
    #[arg(long, value_name = "NAME", value_parser = topic_name)]
    pub(super) topic: Option<String>,
    /// The pace: 1 as recorded, 10 or 10x ten times as fast, max as fast as it goes
    #[arg(long, value_name = "FACTOR", default_value = "1")]
    pub(super) speed: Speed,
    /// Send several files together, by the times at which their records were received, instead of
    /// one after the other
    #[arg(long)]
    pub(super) merge: bool,
    /// How often to send the files, over and over
    #[arg(long = "loop", value_name = "TIMES", default_value_t = 1)]
    pub(super) rounds: u32,
    /// The first line of each file to send
    #[arg(long, value_name = "LINE", default_value_t = 1)]
    pub(super) from: u64,
    /// How many lines of each file to send at the most
    #[arg(long, value_name = "LINES")]
    pub(super) limit: Option<u64>,
    /// Give records the time at which they were recorded, instead of now
    #[arg(long)]
    pub(super) keep_time: bool,
    /// Leave out lines that cannot be read, and say so, instead of stopping there
    #[arg(long)]
    pub(super) skip_bad: bool,
    /// Captures, plain or gzip; their kind is told by the first line, see below
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,
}

/// The longest topic name that Kafka takes.
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
