//! `loadtest subscribe`: a swarm of clients on one thread.
//!
//! Most only count: they read frame heads, and of each message its times. Some may verify: they are
//! whole clients, that keep books and prove them. Some of these may stall: they subscribe, read
//! nothing for a while, and then prove that they were led on rightly.
//!
//! In reading order: [`streams`] who subscribes to what; [`handshake`] and [`frames`] WebSocket as
//! light as it goes; [`tally`] what is counted; the clients [`counting`] and [`verifying`]; the
//! [`swarm`] and its [`report`].

mod counting;
mod frames;
mod handshake;
mod report;
mod streams;
mod swarm;
mod tally;
mod verifying;

use std::path::PathBuf;

use client::Endpoint;
use wire::control::Policy;

use streams::StreamSpec;

/// Connect many clients, and measure what reaches them
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SubscribeArgs {
    /// The node
    #[arg(long, default_value = "ws://127.0.0.1:8080/ws", value_parser = endpoint)]
    url: Endpoint,
    /// How many clients
    #[arg(long, default_value_t = 100)]
    clients: usize,
    /// Of these, how many verify chain and checksum of all that they get
    #[arg(long, value_name = "CLIENTS", default_value_t = 0)]
    verifying: usize,
    /// Of these, how many stop reading once they are subscribed
    #[arg(long, value_name = "CLIENTS", default_value_t = 0)]
    stalled: usize,
    /// For how long they do not read; then they go on, and verify. For good when not given
    #[arg(long, value_name = "SECONDS")]
    stall: Option<u64>,
    /// What is subscribed to: `CHANNEL[@DEPTH]:VENUE:SYMBOL`, several separated by commas; {i} stands
    /// for the numbers of --instruments, with five digits
    #[arg(long, value_delimiter = ',', default_value = "book:BINANCE:BTC-USDT")]
    streams: Vec<StreamSpec>,
    /// How many instruments {i} stands for
    #[arg(long, default_value_t = 1)]
    instruments: usize,
    /// How many of the streams each client chooses; all when not given
    #[arg(long, value_name = "STREAMS")]
    pick: Option<usize>,
    /// How much more popular the first streams are than the others
    #[arg(long, value_name = "EXPONENT", default_value_t = 1.0)]
    zipf: f64,
    /// What the node does with a client that is too slow: conflate or disconnect
    #[arg(long, default_value = "conflate", value_parser = policy)]
    policy: Policy,
    /// How many clients connect a second
    #[arg(long, value_name = "CLIENTS", default_value_t = 1_000)]
    connect_rate: u32,
    /// How long to measure, once all are subscribed
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Another seed is another choice of streams
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the result there, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn endpoint(text: &str) -> Result<Endpoint, String> {
    Endpoint::parse(text).map_err(|error| error.to_string())
}

fn policy(text: &str) -> Result<Policy, String> {
    match text {
        "conflate" => Ok(Policy::Conflate),
        "disconnect" => Ok(Policy::Disconnect),
        _ => Err("a policy is conflate or disconnect".to_owned()),
    }
}

pub(crate) fn run(args: SubscribeArgs) -> anyhow::Result<()> {
    anyhow::ensure!(
        args.verifying + args.stalled <= args.clients,
        "there are {} clients, and {} are to verify and {} to stall",
        args.clients,
        args.verifying,
        args.stalled
    );
    let json = args.json.clone();
    let report = swarm::run(args)?;
    print!("{report}");
    crate::output::write_json(json.as_deref(), &report)?;
    anyhow::ensure!(report.is_right(), "something that was verified was wrong");
    Ok(())
}
