//! `loadtest publish`: generates a market at a given rate, and sends it to Kafka or directly to
//! clients.
//!
//! The books are cheap, with fixed prices, since it is what follows that is measured. They are
//! correct all the same: chained, and never crossed. Records for Kafka are in our own format, and
//! snapshots are repeated at intervals for nodes that start late. In process there is no Kafka: a
//! publisher on a thread of its own and the fan-out, so that a profile shows nothing else.
//!
//! Modules in reading order: [`load`] is what is published; [`instrument_choice`] picks
//! instruments, by [`zipf`] or in turn; [`pacer`] decides when; [`text`], [`deliveries`], [`topic`]
//! and [`kafka`] publish to Kafka; [`feed`] and [`in_process`] publish without it.

mod deliveries;
mod feed;
mod in_process;
mod instrument_choice;
mod kafka;
mod load;
mod pacer;
mod text;
mod topic;
mod zipf;

#[cfg(test)]
pub(crate) use feed::Made;
#[cfg(test)]
pub(crate) use in_process::Serving;

pub(crate) use zipf::Zipf;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use instrument_choice::InstrumentChoice;
use load::{Book, Load};

/// Publish books and trades of many instruments, to Kafka or directly to clients
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PublishArgs {
    /// Kafka brokers, as HOST:PORT
    #[arg(
        long,
        value_name = "HOST:PORT",
        required_unless_present = "in_process",
        conflicts_with = "in_process"
    )]
    brokers: Option<String>,
    /// Serve clients from this process, without Kafka
    #[arg(long)]
    in_process: bool,
    /// In process: address to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// In process: number of shards, each a thread
    #[arg(long, default_value_t = 1)]
    shards: usize,
    /// In process: send buffer of each socket [default: that of the fan-out]
    #[arg(long, value_name = "BYTES")]
    send_buffer: Option<usize>,
    /// In process: make one system call per send, instead of batching with io_uring
    #[arg(long)]
    single_sends: bool,
    /// In process: CPU share of a busy shard while its sends are small [default: that of a node]
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(10..=100))]
    busy_percent: Option<u32>,
    /// In process: size of each book's log, from which clients resume [default: that of a node]
    #[arg(long, value_name = "BYTES")]
    log_bytes: Option<usize>,
    /// In process: start at a line on standard input, and stop at its end; for peers
    #[arg(long, hide = true)]
    on_command: bool,
    /// Kafka: topic, created if missing
    #[arg(long, default_value = "loadtest")]
    topic: String,
    /// Kafka: number of partitions of a topic that is created
    #[arg(long, default_value_t = 4)]
    partitions: i32,
    /// Kafka: milliseconds that the producer waits to fill a batch
    #[arg(long, value_name = "MS", default_value_t = 5)]
    linger: u32,
    /// Kafka: seconds between snapshots of each book; 0 for none
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    refresh: u64,
    /// Number of instruments, named LOAD:I00001 and so on
    #[arg(long, default_value_t = 1_000)]
    instruments: usize,
    /// Number of instruments with updates, from the first; the others are idle [default: all]
    #[arg(long, value_name = "INSTRUMENTS")]
    active: Option<usize>,
    /// Updates per second in total, or max
    #[arg(long, value_name = "UPDATES", default_value = "10000")]
    rate: Rate,
    /// Exponent s of the distribution of updates: the instrument of rank k has a share of 1 / k^s
    #[arg(long, value_name = "EXPONENT", default_value_t = 1.0)]
    zipf: f64,
    /// Update the instruments in turn, each as often as the others, instead of at random
    #[arg(long, conflicts_with = "zipf")]
    in_turn: bool,
    /// Seconds to publish; 0 to publish until Ctrl-C
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Levels per side of each book
    #[arg(long, alias = "depth", default_value_t = 50)]
    levels: usize,
    /// Kind of updates: market for book deltas and trades, or bbo for a new best bid or offer each,
    /// so that a `bbo` stream has one small message per update
    #[arg(long, default_value = "market")]
    mix: Mix,
    /// Market: mean number of levels in a delta
    #[arg(long, value_name = "LEVELS", default_value_t = 3.0)]
    changes: f64,
    /// Market: share of trades in the updates
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    trades: f64,
    /// Seed for all random choices
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the result to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Kind of updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mix {
    /// Book deltas and trades.
    Market,
    /// A new best bid or offer each.
    Bbo,
}

impl FromStr for Mix {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "market" => Ok(Self::Market),
            "bbo" => Ok(Self::Bbo),
            _ => Err("must be market or bbo"),
        }
    }
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
            _ => Err("must be a number above 0, or max"),
        }
    }
}

impl PublishArgs {
    /// The generator and the instruments.
    fn market(&self) -> anyhow::Result<(Load, Vec<Book>)> {
        let mut load = Load::new(self.mix, self.changes, self.trades, self.seed);
        let books = (1..=self.instruments.max(1))
            .map(|number| Book::new(number, self.levels, &mut load.random))
            .collect::<Result<_, _>>()?;
        Ok((load, books))
    }

    /// Number of instruments with updates.
    fn active(&self) -> usize {
        let all = self.instruments.max(1);
        self.active.unwrap_or(all).clamp(1, all)
    }

    fn goes_on(&self, elapsed: Duration) -> bool {
        self.seconds == 0 || elapsed < Duration::from_secs(self.seconds)
    }
}

pub(crate) fn run(args: &PublishArgs) -> anyhow::Result<()> {
    let Some(brokers) = &args.brokers else {
        let result = in_process::run(args)?;
        print!("{result}");
        return crate::output::write_json(args.json.as_deref(), &result);
    };
    let result = kafka::run(args, brokers)?;
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
