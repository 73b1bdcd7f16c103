//! `cargo xtask drill`: a real fleet, and what can happen to one.
//!
//! Three nodes of the shipped binary on a real Kafka, behind the real HAProxy and then the real
//! NGINX with the configurations of deploy/, and thousands of clients that verify all that they
//! get. The nodes are restarted one after another, one is killed, one cut off from Kafka, one
//! frozen. In the end every client has to have the book that the log has, and every record behind
//! where it began, once; and the longest pause that each saw is told.
//!
//! Modules in reading order: [`plan`] what is done and how much of it; [`fleet`] who takes part:
//! [`node`], [`cable`], [`balancer`] and [`witness`], each a [`program`] or in front of one;
//! [`ordeals`] how it is done; [`report`] what came of it.

mod balancer;
mod cable;
mod fleet;
mod node;
mod ordeals;
mod plan;
mod program;
mod report;
mod witness;

use crate::release;
use crate::tools;
use anyhow::Context;
use balancer::Balancer;
use fleet::Fleet;
use plan::{Ordeal, Plan};
use report::Report;
use std::process::ExitCode;
use std::time::Instant;

/// Restart, kill, cut off and freeze the nodes of a fleet under verifying clients; ten minutes
#[derive(Debug, clap::Args)]
pub(crate) struct DrillArgs {
    /// The balancer in front of the nodes
    #[arg(long, default_value = "both", value_name = "BALANCER", value_parser = Balancer::parse)]
    balancer: Balancers,
    /// Number of clients [default: 5000, or 60 with --brief]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    clients: Option<u32>,
    /// Run only this phase; may be repeated
    #[arg(long = "phase", value_name = "PHASE")]
    phases: Vec<Ordeal>,
    /// Run a short drill with few clients
    #[arg(long)]
    brief: bool,
}

/// Those that are drilled, one after another.
type Balancers = &'static [Balancer];

pub(crate) fn run(args: &DrillArgs) -> anyhow::Result<ExitCode> {
    let mut plan = if args.brief {
        Plan::brief()
    } else {
        Plan::whole()
    };
    if let Some(clients) = args.clients {
        plan.clients = usize::try_from(clients)?;
    }
    if !args.phases.is_empty() {
        plan.ordeals.clone_from(&args.phases);
    }
    tools::ensure([tools::BUILD, tools::KAFKA, tools::BALANCERS])?;
    release::build()?;
    let mut are_right = true;
    for balancer in args.balancer {
        are_right &= drill(*balancer, &plan)?;
    }
    Ok(if are_right {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Drills a fleet behind that balancer; whether all was as it should be.
fn drill(balancer: Balancer, plan: &Plan) -> anyhow::Result<bool> {
    let directory = fleet::directory(balancer)?;
    let (node, loadtest) = (release::binary("tapecast")?, release::binary("loadtest")?);
    let start = Instant::now();
    let at = || format!("{:>6.1} s", start.elapsed().as_secs_f64());
    let name = balancer.name();
    println!("== {name}: {} clients at three nodes", plan.clients);
    let mut fleet = Fleet::start(balancer, plan, &directory, (&node, &loadtest))?;
    let mut done = Vec::new();
    for ordeal in &plan.ordeals {
        println!("{} {name}: {}", at(), ordeal.name());
        done.push((*ordeal, ordeals::undergo(*ordeal, &mut fleet, plan)?));
    }
    println!("{} {name}: comparing with the log", at());
    let report = Report::new(balancer, done, fleet.end()?);
    println!("{} {name}: done\n\n{report}", at());
    let path = directory.join("result.json");
    let json = serde_json::to_string_pretty(&report)?;
    std::fs::write(&path, json + "\n").with_context(|| path.display().to_string())?;
    println!("logs and result.json are in {}", directory.display());
    Ok(report.is_right())
}
