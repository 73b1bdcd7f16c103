//! `tapecast demo`: a market, a Kafka broker and a node in one process.
//!
//! Only the market is simulated: its records go through Kafka's protocol into librdkafka's mock broker, and
//! from there into a regular node.
//!
//! Modules in reading order: [`market_sim`] the market, [`broker`] the Kafka broker, [`publisher`] from the one
//! to the other, [`listeners`] and [`banner`] for the person at the terminal.

mod banner;
mod broker;
mod listeners;
mod market_sim;
mod publisher;

use node::Sources;

use broker::DemoBroker;
use publisher::DemoPublisher;

/// Options of the demo.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DemoArgs {
    /// Seed of the market; the same seed repeats the same market
    #[arg(long, value_name = "NUMBER", default_value_t = Self::SEED)]
    seed: u64,
    /// Market activity; 1 is about 650 records a second
    #[arg(long, value_name = "FACTOR", default_value_t = Self::RATE, value_parser = rate)]
    rate: f64,
}

impl DemoArgs {
    const SEED: u64 = 1;
    const RATE: f64 = 1.0;
    /// 130,000 records a second: more than the mock broker and a node can process on two cores.
    const MAX_RATE: f64 = 200.0;
}

impl Default for DemoArgs {
    fn default() -> Self {
        Self {
            seed: Self::SEED,
            rate: Self::RATE,
        }
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let max = DemoArgs::MAX_RATE;
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= max => Ok(rate),
        _ => Err(format!("a rate is a number above 0 and at most {max}")),
    }
}

/// Runs the demo until a signal stops it.
pub(crate) fn run(args: DemoArgs, sources: Sources) -> anyhow::Result<()> {
    let broker = DemoBroker::start()?;
    let sources = broker.configure(sources);
    let (mut config, log) = node::prepare(sources.clone())?;
    listeners::settle(&mut config)?;
    let publisher = DemoPublisher::start(&broker, args.seed, args.rate)?;
    banner::show(&config, &broker);
    // The demo has no configuration file, so a reload finds the same.
    let ran = node::run(config, log, Box::new(move || Ok(sources.clone())));
    let stopped = publisher.stop();
    ran.and(stopped)
}
