//! `cargo xtask drill`: a real fleet, and the failures that it has to survive.
//!
//! Three nodes of the release binary on a real Kafka, behind a real HAProxy and then a real NGINX
//! with the configurations of `deploy/`, and thousands of clients that verify everything they
//! receive. The nodes are restarted one after another; one is killed, one is cut off from Kafka, one
//! is frozen. In the end every client must have the book that Kafka's log has, and must have received
//! every record after its first exactly once. The report shows each client's longest pause.
//!
//! Modules in reading order: [`plan`] is what is done, for how long and with how many clients;
//! [`fleet`] is everything that runs: [`node`], [`tcp_proxy`] between a node and Kafka, [`balancer`],
//! each a [`process`] or in front of one, and the [`clients`]; [`phases`] does it to the fleet;
//! [`kafka_log`] is what the clients are checked against; [`report`] is the result.
#![allow(
    clippy::print_stdout,
    reason = "output is for the person who runs the drill"
)]

mod balancer;
mod clients;
mod fleet;
mod kafka_log;
mod node;
mod phases;
mod plan;
mod process;
mod report;
mod tcp_proxy;

use anyhow::Context;
use balancer::Balancer;
use clap::Parser;
use fleet::Fleet;
use plan::{Phase, Plan};
use report::Report;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// Restart, kill, cut off and freeze the nodes of a fleet under verifying clients
///
/// Takes some ten minutes, or one with --brief.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask drill")]
struct Args {
    /// Balancer in front of the nodes: haproxy, nginx or both
    #[arg(long, default_value = "both", value_name = "BALANCER", value_parser = Balancer::parse)]
    balancer: Balancers,
    /// Number of clients [default: 5000, or 60 with --brief]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    clients: Option<u32>,
    /// Run only this phase; may be repeated
    #[arg(long = "phase", value_name = "PHASE")]
    phases: Vec<Phase>,
    /// Run a short drill with few clients
    #[arg(long)]
    brief: bool,
}

/// Drilled one after another.
type Balancers = &'static [Balancer];

fn main() -> ExitCode {
    let args = Args::parse();
    let plan = args.plan();
    let mut has_passed = true;
    for balancer in args.balancer {
        match drill(*balancer, &plan) {
            Ok(passed) => has_passed &= passed,
            Err(error) => {
                println!("error: {error:#}");
                return ExitCode::FAILURE;
            }
        }
    }
    if has_passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

impl Args {
    fn plan(&self) -> Plan {
        let mut plan = if self.brief {
            Plan::brief()
        } else {
            Plan::full()
        };
        if let Some(clients) = self.clients {
            plan.clients = clients as usize;
        }
        if !self.phases.is_empty() {
            plan.phases.clone_from(&self.phases);
        }
        plan
    }
}

/// Drills a fleet behind one balancer. Returns whether it passed.
fn drill(balancer: Balancer, plan: &Plan) -> anyhow::Result<bool> {
    let directory = log_directory(balancer)?;
    let start = Instant::now();
    let at = || format!("{:>6.1} s", start.elapsed().as_secs_f64());
    let name = balancer.name();
    println!("== {name}: {} clients on three nodes", plan.clients);
    let mut fleet = Fleet::start(balancer, plan, &directory)?;
    let mut outcomes = Vec::new();
    for phase in &plan.phases {
        println!("{} {name}: {}", at(), phase.name());
        outcomes.push((*phase, phases::run(*phase, &mut fleet, plan)?));
    }
    println!("{} {name}: comparing with the log", at());
    let report = Report::new(balancer, outcomes, fleet.end()?);
    println!("{} {name}: done\n\n{report}", at());
    let path = directory.join("result.json");
    let json = serde_json::to_string_pretty(&report)?;
    std::fs::write(&path, json + "\n").with_context(|| path.display().to_string())?;
    println!("logs and result.json are in {}", directory.display());
    Ok(report.has_passed())
}

/// Creates `target/drill/BALANCER`, empty.
fn log_directory(balancer: Balancer) -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe()?;
    let target = this
        .ancestors()
        .nth(2)
        .context("not in a target directory")?;
    let directory = target.join("drill").join(balancer.name());
    if directory.exists() {
        std::fs::remove_dir_all(&directory)?;
    }
    std::fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
    Ok(directory)
}
