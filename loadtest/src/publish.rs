//! `loadtest publish`: makes a market, at a rate, and sends it to Kafka or straight to clients.
//!
//! The books are cheap ones, of fixed prices: what is measured stands behind them. They are right
//! all the same: chained, never crossed. Through Kafka the records are of our own format, and whole
//! books come again at intervals, for nodes that start late. In process there is no Kafka: a
//! publisher on a thread of its own and the fan-out, so that a profile shows nothing else.
//!
//! In reading order: [`load`] what is said, [`instrument_choice`] about instrument_choice, by [`zipf`] or in turn, [`pacer`] when; [`text`],
//! [`deliveries`], [`topic`] and [`kafka`] the way through Kafka; [`feed`] and [`in_process`] the
//! way without.

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

/// Make load: chained books and trades of many instruments, to Kafka or straight to clients
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PublishArgs {
    /// Kafka's brokers, as HOST:PORT
    #[arg(
        long,
        value_name = "HOST:PORT",
        required_unless_present = "in_process",
        conflicts_with = "in_process"
    )]
    brokers: Option<String>,
    /// Without Kafka: serve clients from this process
    #[arg(long)]
    in_process: bool,
    /// In process: where clients connect
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// In process: how many shards serve them, each a thread
    #[arg(long, default_value_t = 1)]
    shards: usize,
    /// In process: the sockets' send buffer; the fan-out's default when not given
    #[arg(long, value_name = "BYTES")]
    send_buffer: Option<usize>,
    /// In process: a system call for each send, not one by io_uring for many
    #[arg(long)]
    single_sends: bool,
    /// In process: how much of the time a busy shard works while its sends are small; a node's
    /// default when not given
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(10..=100))]
    busy_percent: Option<u32>,
    /// In process: what each book's log may have, which clients resume from; a node's default when
    /// not given
    #[arg(long, value_name = "BYTES")]
    log_bytes: Option<usize>,
    /// In process: begin when standard input has a line, end when it is over; for peers
    #[arg(long, hide = true)]
    on_order: bool,
    /// Kafka: where to; created when it is missing
    #[arg(long, default_value = "loadtest")]
    topic: String,
    /// Kafka: how many partitions a topic gets that is created
    #[arg(long, default_value_t = 4)]
    partitions: i32,
    /// Kafka: how long the producer waits for a batch to fill, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 5)]
    linger: u32,
    /// Kafka: how often each whole book is sent again, in seconds; 0 for never
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    refresh: u64,
    /// How many instruments there are, called LOAD:I00001 and so on
    #[arg(long, default_value_t = 1_000)]
    instruments: usize,
    /// How many of them, the first ones, have updates; the others are idle. All when not given
    #[arg(long, value_name = "INSTRUMENTS")]
    active: Option<usize>,
    /// Updates a second in all, or max
    #[arg(long, value_name = "UPDATES", default_value = "10000")]
    rate: Rate,
    /// How unlike the instruments are: the one of rank k has a share of 1 / k to the power of this
    #[arg(long, value_name = "EXPONENT", default_value_t = 1.0)]
    zipf: f64,
    /// Give each instrument its updates in turn, one as often as the other, in place of by chance
    #[arg(long, conflicts_with = "zipf")]
    in_turn: bool,
    /// For how long; 0 for until Ctrl-C
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Levels a side of each book
    #[arg(long, alias = "depth", default_value_t = 50)]
    levels: usize,
    /// What updates are: market, which is changes of books and trades; or bbo, where each is a new
    /// best bid or offer and nothing else, so that a stream `bbo` has one small message an update
    #[arg(long, default_value = "market")]
    mix: Mix,
    /// Market: the mean number of levels that a change has
    #[arg(long, value_name = "LEVELS", default_value_t = 3.0)]
    changes: f64,
    /// Market: how many of the updates are trades
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    trades: f64,
    /// Another seed is another load
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the result there, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What the updates are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mix {
    /// Changes of books, and trades.
    Market,
    /// New best bids and offers.
    Bbo,
}

impl FromStr for Mix {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "market" => Ok(Self::Market),
            "bbo" => Ok(Self::Bbo),
            _ => Err("a mix is market or bbo"),
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
            _ => Err("a rate is a number above 0, or the word max"),
        }
    }
}

impl PublishArgs {
    /// What is said, and of instrument_choice.
    fn market(&self) -> anyhow::Result<(Load, Vec<Book>)> {
        let mut load = Load::new(self.mix, self.changes, self.trades, self.seed);
        let books = (1..=self.instruments.max(1))
            .map(|number| Book::new(number, self.levels, &mut load.random))
            .collect::<Result<_, _>>()?;
        Ok((load, books))
    }

    /// How many instruments have updates.
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
