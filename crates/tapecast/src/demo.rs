//! `tapecast` alone: a market, a Kafka and a node in one process, to look at.
//!
//! The market is simulated, everything behind it is real: the records go through Kafka's protocol
//! into librdkafka's mock broker, and from there into a node like any other.
//!
//! Modules in reading order: [`market_sim`] what happens, [`broker`] the Kafka, [`publisher`] what
//! brings the one to the other, [`listeners`] and [`banner`] what the person at the terminal is told.

mod banner;
mod broker;
mod listeners;
mod market_sim;
mod publisher;

use node::Sources;

use broker::DemoBroker;
use publisher::DemoPublisher;

/// What can be chosen of the demo.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DemoArgs {
    /// Another seed is another market; the same seed does the same again
    #[arg(long, value_name = "NUMBER", default_value_t = Self::SEED)]
    seed: u64,
    /// How busy the market is: 1 is about 650 records a second
    #[arg(long, value_name = "FACTOR", default_value_t = Self::RATE, value_parser = rate)]
    rate: f64,
}

impl DemoArgs {
    const SEED: u64 = 1;
    const RATE: f64 = 1.0;
    /// 130,000 records a second, more than the mock broker and a node share two cores for.
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

/// Runs the demo until a signal ends it.
pub(crate) fn run(args: DemoArgs, sources: Sources) -> anyhow::Result<()> {
    let broker = DemoBroker::start()?;
    let sources = broker.configure(sources);
    let (mut config, log) = node::prepare(sources.clone())?;
    listeners::settle(&mut config)?;
    let publisher = DemoPublisher::start(&broker, args.seed, args.rate)?;
    banner::show(&config, &broker);
    // The demo has no file that could change.
    let ran = node::run(config, log, Box::new(move || Ok(sources.clone())));
    let stopped = publisher.stop();
    ran.and(stopped)
}
