//! A measurement: all clients connect, are measured, may be disconnected and reconnect, and leave.

use std::time::{Duration, Instant};

use super::SubscribeArgs;
use super::streams::Choice;
use super::swarm::Swarm;
use super::tally::Tally;
use super::verifying::Verifiers;
use crate::clock::process_time;
use crate::progress::Progress;

/// If no client becomes live for this long, the measurement starts without the others.
const PATIENCE: Duration = Duration::from_secs(30);

/// Synchronizes a measurement with others.
pub(super) trait Coordinator {
    /// Called when all clients are live. Returns whether to measure now; until then clients keep
    /// reading.
    fn may_measure(&mut self) -> anyhow::Result<bool>;
    /// Returns whether the measurement is over.
    fn is_over(&mut self, elapsed: Duration, length: Duration, _seen: &Tally) -> bool {
        elapsed >= length
    }
    /// Called after the measurement.
    fn measured(&mut self) -> anyhow::Result<()>;
}

pub(super) fn run(
    args: &SubscribeArgs,
    coordinator: &mut dyn Coordinator,
) -> anyhow::Result<Tally> {
    let mut choice = Choice::new(args)?;
    let verifiers = Verifiers::start(args, &mut choice)?;
    let mut swarm = Swarm::new(args, choice, Tally::new()?)?;
    let joined = join(&mut swarm, verifiers.as_ref(), "connecting", args)?;
    swarm.tally().clock.all_live_ms = joined.as_secs_f64() * 1e3;
    while !coordinator.may_measure()? {
        swarm.turn()?;
    }

    let worked = process_time();
    let all = Duration::from_secs(args.seconds);
    let before = args.storm.map_or(all, Duration::from_secs).min(all);
    let mut seconds = measure(&mut swarm, verifiers.as_ref(), before, args, coordinator)?;
    if args.storm.is_some() {
        swarm.cut();
        let back = join(&mut swarm, verifiers.as_ref(), "coming back", args)?;
        swarm.tally().clock.all_back_ms = Some(back.as_secs_f64() * 1e3);
        seconds += measure(
            &mut swarm,
            verifiers.as_ref(),
            all - before,
            args,
            coordinator,
        )?;
    }
    let core = process_time().saturating_sub(worked).as_secs_f64() / seconds;
    coordinator.measured()?;

    let clock = &mut swarm.tally().clock;
    (clock.seconds, clock.core) = (seconds, core);
    swarm.leave();
    let mut tally = swarm.into_tally();
    if let Some(verifiers) = verifiers {
        tally.add(&verifiers.end()?)?;
    }
    Ok(tally)
}

/// Runs until all clients are live. Returns how long that took.
fn join(
    swarm: &mut Swarm,
    verifiers: Option<&Verifiers>,
    what: &'static str,
    args: &SubscribeArgs,
) -> anyhow::Result<Duration> {
    let mut progress = Progress::quiet_where(args.is_quiet(), what, swarm.len() as u64);
    let begun = Instant::now();
    let others_are_there = || verifiers.is_none_or(Verifiers::is_settled);
    while !swarm.is_settled() || !others_are_there() {
        swarm.turn()?;
        progress.show(swarm.live() as u64, "clients are live");
        if swarm.quiet() > PATIENCE && begun.elapsed() > PATIENCE {
            let missing = swarm.len() - swarm.live();
            swarm.tally().trouble(format_args!(
                "{missing} clients did not become live in time"
            ));
            break;
        }
    }
    Ok(swarm.took())
}

fn measure(
    swarm: &mut Swarm,
    verifiers: Option<&Verifiers>,
    length: Duration,
    args: &SubscribeArgs,
    coordinator: &mut dyn Coordinator,
) -> anyhow::Result<f64> {
    let mut progress = Progress::quiet_where(args.is_quiet(), "measuring", length.as_secs());
    let start = Instant::now();
    set_measuring(swarm, verifiers, true);
    while !coordinator.is_over(start.elapsed(), length, swarm.tally()) {
        swarm.turn()?;
        let frames = swarm.tally().counts.frames;
        let note = format_args!("s, {frames} messages");
        progress.show(start.elapsed().as_secs(), note);
    }
    set_measuring(swarm, verifiers, false);
    Ok(start.elapsed().as_secs_f64())
}

fn set_measuring(swarm: &mut Swarm, verifiers: Option<&Verifiers>, measuring: bool) {
    swarm.tally().measuring = measuring;
    if let Some(verifiers) = verifiers {
        verifiers.measure(measuring);
    }
}
