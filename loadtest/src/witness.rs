//! `loadtest witness`: many whole clients that tell what a fleet did to them.
//!
//! Each has the book, the trades and the state of one instrument, keeps the book and proves it,
//! reconnects and resumes by itself, as the clients of users do. Beside it stands what the client
//! does not judge itself: whether the items that it was given are a chain without a hole and
//! without a repetition, whether all clients heard the same bytes, and in the end whether that is
//! what Kafka's log has, record by record and level by level.
//!
//! It is led by lines on its standard input, and tells how it stands by lines of JSON on its
//! standard output: `phase NAME` begins another phase, which what is seen from then on belongs to;
//! `end` ends it, once nothing is published any more.
//!
//! In reading order: the [`chain`] of a stream; the [`wire`] that all clients listen to; the
//! [`phase`] that what they see belongs to; the [`ledger`] that has all of it; a [`guest`], which is
//! one client; the [`log`] that they are held against.

mod chain;
mod guest;
mod ledger;
mod log;
mod phase;
mod wire;

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use client::Endpoint;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, LocalSet};

use crate::open_files::raise_open_files;
use guest::Guest;
use ledger::Ledger;
use log::Log;

/// How often it is told how all stand.
const TELL_EVERY: Duration = Duration::from_millis(500);
/// How long the last messages may take to reach everybody.
const LAST_WITHIN: Duration = Duration::from_secs(60);
/// Orders that wait: a person or a drill gives one a minute.
const ORDERS: usize = 16;

/// Have many clients verify all that a fleet sends them, while its nodes come and go
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct WitnessArgs {
    /// Where the clients connect: a balancer
    #[arg(long, default_value = "ws://127.0.0.1:8080/ws")]
    url: String,
    /// Certificates, as PEM, of whom to believe where the URL is wss://
    #[arg(long, value_name = "FILE")]
    authorities: Option<PathBuf>,
    /// How many clients
    #[arg(long, default_value_t = 100)]
    clients: usize,
    /// How many instruments, LOAD:I00001 and so on; each client has one of them
    #[arg(long, default_value_t = 20)]
    instruments: usize,
    /// How many clients connect a second
    #[arg(long, value_name = "CLIENTS", default_value_t = 500)]
    connect_rate: u32,
    /// Kafka's brokers, to read in the end what was to be told
    #[arg(long, value_name = "HOST:PORT")]
    brokers: String,
    /// The topic that is published to
    #[arg(long, default_value = "loadtest")]
    topic: String,
}

/// What is to be done.
enum Order {
    Phase(String),
    End,
}

pub(crate) fn run(args: &WitnessArgs) -> anyhow::Result<()> {
    ensure!(args.clients > 0, "clients is 0, and must be more");
    ensure!(args.instruments > 0, "instruments is 0, and must be more");
    ensure!(args.connect_rate > 0, "connect-rate is 0, and must be more");
    Endpoint::parse(&args.url).with_context(|| format!("url {:?}", args.url))?;
    raise_open_files();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    LocalSet::new().block_on(&runtime, witness(args))
}

async fn witness(args: &WitnessArgs) -> anyhow::Result<()> {
    let ledger = Rc::new(RefCell::new(Ledger::new(args.clients, args.instruments)));
    let (end, ended) = watch::channel(None);
    let authorities = match &args.authorities {
        Some(path) => {
            Some(std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?)
        }
        None => None,
    };
    let mut guests = JoinSet::new();
    for number in 0..args.clients {
        let guest = Guest::new(
            &args.url,
            authorities.as_deref(),
            number,
            Rc::clone(&ledger),
        )?;
        let comes = Duration::from_secs_f64(number as f64 / f64::from(args.connect_rate));
        guests.spawn_local(guest.run(comes, ended.clone()));
    }
    let mut orders = orders()?;
    let mut tell = tokio::time::interval(TELL_EVERY);
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Phase(name)) => ledger.borrow_mut().begin(name),
                Some(Order::End) => break,
                None => anyhow::bail!("nobody says any more what to do"),
            },
            _ = tell.tick() => println!("{}", serde_json::to_string(&ledger.borrow().now())?),
        }
    }

    let (brokers, topic) = (args.brokers.clone(), args.topic.clone());
    let instruments = args.instruments;
    let log = tokio::task::spawn_blocking(move || Log::read(&brokers, &topic, instruments));
    let log = Arc::new(log.await.context("the log's reader panicked")??);
    ensure!(
        log.is_whole(),
        "the log has not a right book of each of {instruments} instruments"
    );
    let everybody = async {
        while !ledger.borrow().all_have(&log) {
            tokio::time::sleep(TELL_EVERY / 5).await;
        }
    };
    // Who has not all by then is told of below.
    let _late = tokio::time::timeout(LAST_WITHIN, everybody).await;
    end.send_replace(Some(Arc::clone(&log)));
    while guests.join_next().await.is_some() {}
    println!("{}", serde_json::to_string(&ledger.borrow().seen(&log))?);
    Ok(())
}

/// What standard input says, line by line.
fn orders() -> anyhow::Result<mpsc::Receiver<Order>> {
    let (give, take) = mpsc::channel(ORDERS);
    std::thread::Builder::new()
        .name("listening".to_owned())
        .spawn(move || {
            for line in std::io::stdin().lines().map_while(Result::ok) {
                let order = match line.trim().split_once(' ') {
                    Some(("phase", name)) => Order::Phase(name.to_owned()),
                    None if line.trim() == "end" => Order::End,
                    _ => {
                        eprintln!("{line:?} is no order: there are `phase NAME` and `end`");
                        continue;
                    }
                };
                if give.blocking_send(order).is_err() {
                    break;
                }
            }
        })
        .context("cannot listen for orders")?;
    Ok(take)
}
