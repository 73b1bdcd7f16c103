//! `loadtest peers`: the same work for us and for other servers, one after another, on one machine.
//!
//! Each server is a small program that publishes by itself what standard input asks of it, so that
//! all do equal work; clients, counts and times are those of one light loop on another core.
//!
//! In reading command: the [`peer`]s, how they are [`install`]ed and run as a [`child`]; the
//! [`protocol`] that each one protocol, over [`frames`] and a [`handshake`], and the [`driver`] that
//! counts; the [`scenario`]s with their [`schedule`] of topics; the [`measure`]ment of one and the
//! [`rounds`] of all, and their [`outcome`]; [`serve`], the servers that are in this binary.

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

/// Run the same work against other servers and Tapecast, and compare
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct PeersArgs {
    #[command(subcommand)]
    serve: Option<serve::Serve>,
    /// Tell which servers are installed, and how each one is
    #[arg(long)]
    list: bool,
    /// Install those of --servers that need no rights of an administrator
    #[arg(long, conflicts_with = "list")]
    install: bool,
    /// Which servers, separated by commas; all when not given
    #[arg(long, value_enum, value_delimiter = ',')]
    servers: Vec<Peer>,
    /// What is measured, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_value = "light")]
    scenarios: Vec<Kind>,
    /// How often every server has its turn; medians are told
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// For how long each one is measured
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// For how long it publishes before that
    #[arg(long, default_value_t = 2)]
    warmup: u64,
    /// Bytes of a message, its time of 8 bytes among them
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(8..=65_536))]
    size: u32,
    /// How many clients; a scenario's own number, or numbers, when not given
    #[arg(long, value_delimiter = ',')]
    clients: Vec<usize>,
    /// Messages a second in all; a scenario's own when not given
    #[arg(long, value_delimiter = ',')]
    rate: Vec<u64>,
    /// Another seed is another choice of topics
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Let the system choose the cores; else the servers have the first, the clients the last
    #[arg(long)]
    no_pin: bool,
    /// Where other servers are installed
    #[arg(long, value_name = "DIRECTORY", default_value = "target/peers")]
    cache: PathBuf,
    /// Write the result there, as JSON
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
    anyhow::ensure!(!outcome.runs.is_empty(), "nothing could be measured");
    Ok(())
}
