//! `loadtest publish`: sends records of our own format to Kafka, at a rate.
//!
//! The books are cheap ones, of fixed prices: what is measured stands behind Kafka, not before it.
//! They are right all the same: chained, never crossed, whole books at the start and at intervals.
//!
//! In reading order: [`load`] what is said, [`zipf`] about whom, [`deliveries`] and [`topic`]
//! Kafka's side, [`pace`] the loop.

mod deliveries;
mod load;
mod pace;
mod topic;
mod zipf;

pub(crate) use zipf::Zipf;

use std::path::PathBuf;
use std::str::FromStr;

/// Send load to Kafka: chained books and trades of many instruments
#[derive(Debug, clap::Args)]
pub(crate) struct PublishArgs {
    /// Kafka's brokers, as HOST:PORT
    #[arg(long, value_name = "HOST:PORT")]
    brokers: String,
    /// Where to; created when it is missing
    #[arg(long, default_value = "loadtest")]
    topic: String,
    /// How many partitions a topic gets that is created
    #[arg(long, default_value_t = 4)]
    partitions: i32,
    /// How many instruments there are, called LOAD:I00001 and so on
    #[arg(long, default_value_t = 1_000)]
    instruments: usize,
    /// Records a second in all, or max
    #[arg(long, value_name = "RECORDS", default_value = "10000")]
    rate: Rate,
    /// How unlike the instruments are: the one of rank k has a share of 1 / k to the power of this
    #[arg(long, value_name = "EXPONENT", default_value_t = 1.0)]
    zipf: f64,
    /// For how long
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Levels a side
    #[arg(long, value_name = "LEVELS", default_value_t = 50)]
    depth: usize,
    /// The mean number of levels that a delta changes
    #[arg(long, value_name = "LEVELS", default_value_t = 3.0)]
    changes: f64,
    /// How many of the records are trades
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    trades: f64,
    /// How often each whole book is sent again, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    refresh: u64,
    /// Another seed is another load
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the result there, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy)]
enum Rate {
    PerSecond(f64),
    Max,
}

impl FromStr for Rate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<f64>() {
            _ if text == "max" => Ok(Self::Max),
            Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(Self::PerSecond(rate)),
            _ => Err("a rate is a number above 0, or the word max"),
        }
    }
}

pub(crate) fn run(args: &PublishArgs) -> anyhow::Result<()> {
    let result = pace::run(args)?;
    println!(
        "{} records, {} bytes in {:.2} s: {:.0} records/s, {:.1} MB/s; {} acknowledged, {} failed",
        result.records,
        result.bytes,
        result.seconds,
        result.records as f64 / result.seconds,
        result.bytes as f64 / result.seconds / 1e6,
        result.acknowledged,
        result.failed
    );
    crate::output::write_json(args.json.as_deref(), &result)?;
    anyhow::ensure!(
        result.failed == 0,
        "{} records were not delivered",
        result.failed
    );
    Ok(())
}
