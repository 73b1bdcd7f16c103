//! How each thing is done to a fleet.

use super::fleet::Fleet;
use super::plan::{Ordeal, Plan};
use super::program::wait;
use super::witness::wait_fresh;
use rustix::process::Signal;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A client that hears nothing gives its connection up after 30 s, and needs some more to come back.
const BACK_WITHIN: Duration = Duration::from_secs(90);
/// A client counts as up to date for 2 s after its last item: before that nothing can be seen.
const SEEN_AFTER: Duration = Duration::from_secs(3);
/// How long a node may take to say that it is not ready.
const NOTICED_WITHIN: Duration = Duration::from_secs(20);

/// What was done, beside what the clients saw of it.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// What was seen of nodes and balancer.
    pub(super) notes: Vec<String>,
    /// What should not have been.
    pub(super) faults: Vec<String>,
}

pub(super) fn undergo(ordeal: Ordeal, fleet: &mut Fleet, plan: &Plan) -> anyhow::Result<Done> {
    fleet.begin(ordeal.name())?;
    let mut done = Done::default();
    match ordeal {
        Ordeal::Steady => sleep(plan.steady),
        Ordeal::Roll => roll(fleet, plan, &mut done)?,
        Ordeal::Kill => kill(fleet, &mut done)?,
        Ordeal::Cut => cut(fleet, plan, &mut done)?,
        Ordeal::Freeze => freeze(fleet, &mut done)?,
    }
    settle(fleet, "in the end", &mut done)?;
    Ok(done)
}

/// Waits until all clients are up to date.
fn settle(fleet: &mut Fleet, when: &str, done: &mut Done) -> anyhow::Result<Duration> {
    let start = Instant::now();
    sleep(SEEN_AFTER);
    let late = wait_fresh(&mut fleet.witnesses, BACK_WITHIN)?;
    if late > 0 {
        done.faults
            .push(format!("{late} clients were not up to date {when}"));
    }
    Ok(start.elapsed())
}

fn roll(fleet: &mut Fleet, plan: &Plan, done: &mut Done) -> anyhow::Result<()> {
    for index in 0..fleet.nodes.len() {
        let node = &mut fleet.nodes[index];
        let number = node.number;
        let sessions = node.sessions()?;
        let start = Instant::now();
        node.signal(Signal::TERM)?;
        let within = plan.drain_for + plan.drain_delay + Duration::from_secs(20);
        if !node.wait_end(within)? {
            done.faults
                .push(format!("node {number} did not end in order"));
        }
        let ended = start.elapsed();
        node.start()?;
        node.wait_ready()?;
        done.notes.push(format!(
            "node {number} with {sessions} sessions ended after {ended:.1?}, was ready again after {:.1?}",
            start.elapsed()
        ));
        settle(fleet, "after a restart", done)?;
    }
    Ok(())
}

fn kill(fleet: &mut Fleet, done: &mut Done) -> anyhow::Result<()> {
    let index = fleet.busiest()?;
    let node = &mut fleet.nodes[index];
    let (number, sessions) = (node.number, node.sessions()?);
    node.signal(Signal::KILL)?;
    node.wait_end(Duration::from_secs(5))?;
    settle(fleet, "without the node", done)?;
    let node = &mut fleet.nodes[index];
    node.start()?;
    node.wait_ready()?;
    done.notes
        .push(format!("node {number} with {sessions} sessions"));
    Ok(())
}

fn cut(fleet: &mut Fleet, plan: &Plan, done: &mut Done) -> anyhow::Result<()> {
    let index = fleet.busiest()?;
    let (node, cable) = (&fleet.nodes[index], &fleet.cables[index]);
    let sessions = node.sessions()?;
    let start = Instant::now();
    cable.cut();
    let noticed = wait(NOTICED_WITHIN, "not ready", || {
        Ok((!node.is_ready()).then_some(()))
    });
    let noticed_after = start.elapsed();
    if noticed.is_err() {
        let number = node.number;
        done.faults
            .push(format!("node {number} was ready without Kafka"));
    }
    sleep(plan.cut.saturating_sub(start.elapsed()));
    cable.mend();
    let (cut, mended) = (start.elapsed(), Instant::now());
    fleet.nodes[index].wait_ready()?;
    done.notes.push(format!(
        "node {} with {sessions} sessions was cut off for {cut:.1?}, not ready after {noticed_after:.1?}, ready {:.1?} after it was joined again",
        fleet.nodes[index].number,
        mended.elapsed()
    ));
    Ok(())
}

fn freeze(fleet: &mut Fleet, done: &mut Done) -> anyhow::Result<()> {
    let index = fleet.busiest()?;
    let sessions = fleet.nodes[index].sessions()?;
    fleet.nodes[index].signal(Signal::STOP)?;
    // Whatever happens, it has to go on.
    let settled = settle(fleet, "while a node is frozen", done);
    let node = &mut fleet.nodes[index];
    node.signal(Signal::CONT)?;
    let settled = settled?;
    node.wait_ready()?;
    done.notes.push(format!(
        "node {} with {sessions} sessions; all clients went on elsewhere after {settled:.1?}",
        node.number
    ));
    Ok(())
}
