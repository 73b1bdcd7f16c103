//! What each phase does to the fleet.

use super::fleet::Fleet;
use super::plan::{Phase, Plan};
use super::process::wait;
use rustix::process::Signal;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A client gives up a silent connection after 30 s, and then needs some more to reconnect.
const BACK_WITHIN: Duration = Duration::from_secs(90);
/// A client counts as up to date for 2 s after its last item, so that a failure shows only then.
const VISIBLE_AFTER: Duration = Duration::from_secs(3);
/// Time for a node to report that it is not ready.
const NOT_READY_WITHIN: Duration = Duration::from_secs(20);

/// The result of a phase, apart from what the clients observed.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Observations about nodes and the balancer.
    pub(crate) notes: Vec<String>,
    /// What should not have happened.
    pub(crate) faults: Vec<String>,
}

pub(crate) fn run(phase: Phase, fleet: &mut Fleet, plan: &Plan) -> anyhow::Result<Outcome> {
    fleet.clients.begin_phase(phase.name())?;
    let mut outcome = Outcome::default();
    match phase {
        Phase::Steady => sleep(plan.steady),
        Phase::Roll => roll(fleet, plan, &mut outcome)?,
        Phase::Kill => kill(fleet, &mut outcome)?,
        Phase::Cut => cut(fleet, plan, &mut outcome)?,
        Phase::Freeze => freeze(fleet, &mut outcome)?,
    }
    settle(fleet, "at the end", &mut outcome)?;
    Ok(outcome)
}

/// Waits until all clients are up to date, and returns how long that took.
fn settle(fleet: &mut Fleet, when: &str, outcome: &mut Outcome) -> anyhow::Result<Duration> {
    let start = Instant::now();
    sleep(VISIBLE_AFTER);
    let late = fleet.clients.wait_up_to_date(BACK_WITHIN)?;
    if late > 0 {
        let fault = format!("{late} clients were not up to date {when}");
        outcome.faults.push(fault);
    }
    Ok(start.elapsed())
}

fn roll(fleet: &mut Fleet, plan: &Plan, outcome: &mut Outcome) -> anyhow::Result<()> {
    for index in 0..fleet.nodes.len() {
        let node = &mut fleet.nodes[index];
        let number = node.number;
        let sessions = node.sessions()?;
        let start = Instant::now();
        node.signal(Signal::TERM)?;
        let within = plan.drain_for + plan.drain_delay + Duration::from_secs(20);
        if !node.wait_end(within)? {
            let fault = format!("node {number} did not end with success");
            outcome.faults.push(fault);
        }
        let ended = start.elapsed();
        node.start()?;
        node.wait_ready()?;
        outcome.notes.push(format!(
            "node {number} with {sessions} sessions ended after {ended:.1?}, was ready again after {:.1?}",
            start.elapsed()
        ));
        settle(fleet, "after a restart", outcome)?;
    }
    Ok(())
}

fn kill(fleet: &mut Fleet, outcome: &mut Outcome) -> anyhow::Result<()> {
    let index = fleet.busiest()?;
    let node = &mut fleet.nodes[index];
    let (number, sessions) = (node.number, node.sessions()?);
    node.signal(Signal::KILL)?;
    node.wait_end(Duration::from_secs(5))?;
    settle(fleet, "without the node", outcome)?;
    let node = &mut fleet.nodes[index];
    node.start()?;
    node.wait_ready()?;
    let note = format!("node {number} with {sessions} sessions");
    outcome.notes.push(note);
    Ok(())
}

fn cut(fleet: &mut Fleet, plan: &Plan, outcome: &mut Outcome) -> anyhow::Result<()> {
    let index = fleet.busiest()?;
    let (node, proxy) = (&fleet.nodes[index], &fleet.proxies[index]);
    let (number, sessions) = (node.number, node.sessions()?);
    let start = Instant::now();
    proxy.cut();
    let noticed = wait(NOT_READY_WITHIN, "end of readiness", || {
        Ok((!node.is_ready()).then_some(()))
    });
    let noticed_after = start.elapsed();
    if noticed.is_err() {
        let fault = format!("node {number} was ready without Kafka");
        outcome.faults.push(fault);
    }
    sleep(plan.cut.saturating_sub(start.elapsed()));
    proxy.restore();
    let (cut, restored) = (start.elapsed(), Instant::now());
    fleet.nodes[index].wait_ready()?;
    outcome.notes.push(format!(
        "node {number} with {sessions} sessions was cut off for {cut:.1?}, not ready after {noticed_after:.1?}, \
         ready again {:.1?} after the cut",
        restored.elapsed()
    ));
    Ok(())
}

fn freeze(fleet: &mut Fleet, outcome: &mut Outcome) -> anyhow::Result<()> {
    let index = fleet.busiest()?;
    let (number, sessions) = (fleet.nodes[index].number, fleet.nodes[index].sessions()?);
    fleet.nodes[index].signal(Signal::STOP)?;
    let settled = settle(fleet, "while a node was frozen", outcome);
    // Even after an error: a stopped process would not end.
    let node = &mut fleet.nodes[index];
    node.signal(Signal::CONT)?;
    let settled = settled?;
    node.wait_ready()?;
    outcome.notes.push(format!(
        "node {number} with {sessions} sessions; all clients resumed on other nodes after {settled:.1?}"
    ));
    Ok(())
}
