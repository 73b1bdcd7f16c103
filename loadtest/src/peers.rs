//! `loadtest peers`: the same work for Tapecast and for other servers, one after another, on one
//! machine.
//!
//! Each server is a small program that publishes by itself what standard input requests, so that
//! all do the same work. Clients, counts and times are those of one light loop on another core.
//!
//! Modules in reading order: the [`peer`]s, how they are [`install`]ed and run as a [`child`]; the
//! [`protocol`] of each, which a client opens in a [`conversation`], and the [`driver`] of all
//! clients with their [`tally`]; the [`scenario`]s with their [`schedule`] of topics; the
//! [`measure`]ment of one, the [`rounds`] of all, and their [`outcome`]; [`serve`], the servers in
//! this binary.

mod child;
mod conversation;
mod driver;
mod install;
mod measure;
pub(crate) mod outcome;
pub(crate) mod peer;
mod protocol;
mod rounds;
pub(crate) mod scenario;
mod schedule;
mod serve;
mod signal;
mod tally;

#[cfg(test)]
pub(crate) mod tests;

use std::path::PathBuf;

use peer::Peer;
use scenario::Kind;

/// Compare Tapecast with other servers under the same work
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct PeersArgs {
    #[command(subcommand)]
    serve: Option<serve::Serve>,
    /// List the servers, and whether each is installed
    #[arg(long)]
    list: bool,
    /// Install those of --servers that can be installed without root
    #[arg(long, conflicts_with = "list")]
    install: bool,
    /// Servers to measure, separated by commas [default: all]
    #[arg(long, value_enum, value_delimiter = ',')]
    servers: Vec<Peer>,
    /// Scenarios to run, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_value = "light")]
    scenarios: Vec<Kind>,
    /// Rounds; the results are medians over rounds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Seconds to measure each server
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Seconds that it publishes before that
    #[arg(long, default_value_t = 2)]
    warmup: u64,
    /// Bytes of a message, including its timestamp of 8 bytes
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(8..=65_536))]
    size: u32,
    /// Number of clients [default: set by each scenario]
    #[arg(long, value_delimiter = ',')]
    clients: Vec<usize>,
    /// Messages per second in total [default: set by each scenario]
    #[arg(long, value_delimiter = ',')]
    rate: Vec<u64>,
    /// Seed for the choice of topics
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Do not pin the servers to the first core and the clients to the last
    #[arg(long)]
    no_pin: bool,
    /// Directory in which other servers are installed
    #[arg(long, value_name = "DIRECTORY", default_value = "target/peers")]
    cache: PathBuf,
    /// Write the result to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) fn run(args: &PeersArgs) -> anyhow::Result<()> {
    if let Some(serve) = &args.serve {
        return serve::run(serve);
    }
    let wanted = if args.servers.is_empty() {
        Peer::all()
    } else {
        args.servers.clone()
    };
    let cache = install::Cache::new(&args.cache)?;
    if args.list {
        wanted
            .iter()
            .for_each(|peer| println!("{}", cache.tell(*peer)));
        return Ok(());
    }
    if args.install {
        return cache.install(&wanted);
    }
    let outcome = rounds::run(args, &cache, &wanted)?;
    print!("{}", crate::report::text(&outcome));
    crate::output::write_json(args.json.as_deref(), &outcome)?;
    anyhow::ensure!(!outcome.runs.is_empty(), "nothing was measured");
    Ok(())
}
