use std::path::PathBuf;

use super::pace::Speed;

/// Send captures to Kafka, at the pace at which they were recorded or another
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PublishArgs {
    /// Kafka's brokers, as HOST:PORT, several separated by commas
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) brokers: String,
    /// The topic of files whose lines name none [default: binance-FOLDER, or tapecast]
    #[arg(long, value_name = "NAME", value_parser = topic_name)]
    pub(super) topic: Option<String>,
    /// The pace: 1 as recorded, 10 or 10x ten times as fast, max as fast as it goes
    #[arg(long, value_name = "FACTOR", default_value = "1")]
    pub(super) speed: Speed,
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
    /// Captures, plain or gzip: `<ns> <JSON>` lines of Binance, what cryptofeed's Kafka backend
    /// sends as JSON lines, or tapecast records as JSON lines
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
