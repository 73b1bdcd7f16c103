//! All servers and all scenarios, in rounds, so that a machine that changes meanwhile changes for
//! all.

use std::time::Duration;

use anyhow::Context as _;

use super::PeersArgs;
use super::child::Cores;
use super::install::Cache;
use super::measure::Bench;
use super::outcome::{Missing, Outcome, Run};
use super::peer::Peer;
use super::scenario::{Kind, Scenario, period};
use super::signal::Stop;
use crate::open_files::raise_open_files;
use crate::progress::Progress;

/// Maximum time of one step of a search.
const STEP: Duration = Duration::from_secs(4);
/// A search ends when two rates differ by less than this share.
const CLOSE: f64 = 0.1;
/// Upper limit of a search, in messages per second.
const MOST: u64 = 1_000_000;

pub(super) fn run(args: &PeersArgs, cache: &Cache, wanted: &[Peer]) -> anyhow::Result<Outcome> {
    raise_open_files();
    let stop = Stop::on_signals()?;
    let cores = if args.no_pin { None } else { Cores::divide()? };
    let dir = cache.dir("logs");
    std::fs::create_dir_all(&dir).context("cannot create the cache")?;
    let mut outcome = Outcome {
        rounds: args.rounds,
        seconds: args.seconds,
        size: args.size,
        pinned: cores.is_some(),
        runs: Vec::new(),
        missing: Vec::new(),
    };
    let (there, missing): (Vec<Peer>, Vec<Peer>) = wanted
        .iter()
        .partition(|peer| cache.missing(**peer).is_none());
    outcome.missing = missing
        .into_iter()
        .map(|peer| Missing {
            peer,
            work: None,
            reason: cache.missing(peer).unwrap_or_default(),
        })
        .collect();
    let bench = Bench {
        args,
        cache,
        cores,
        schedule: &dir.join("schedule"),
        stop: &stop,
    };
    let scenarios = Scenario::all(args);
    let all = scenarios.len() * there.len() * args.rounds as usize;
    let mut progress = Progress::new("measuring", all as u64);
    let mut done = 0;
    for scenario in &scenarios {
        for round in 0..args.rounds {
            for peer in &there {
                let note = format_args!(
                    "{}, {} clients: {}, round {} of {}",
                    scenario.kind.name(),
                    scenario.clients,
                    peer.name(),
                    round + 1,
                    args.rounds
                );
                progress.show(done, note);
                bench.turn(&mut outcome, *peer, scenario, round);
                // An interrupted run still reports what was measured.
                if stop.is_asked() {
                    return Ok(outcome);
                }
                done += 1;
            }
        }
    }
    Ok(outcome)
}

impl Bench<'_> {
    fn turn(&self, outcome: &mut Outcome, peer: Peer, scenario: &Scenario, round: u32) {
        let seconds = Duration::from_secs(self.args.seconds);
        let run = if scenario.kind == Kind::Search {
            search(scenario, |step| {
                self.measure(peer, step, round, seconds.min(STEP))
            })
        } else {
            self.measure(peer, scenario, round, seconds)
        };
        match run {
            Ok(run) => outcome.runs.push(run),
            Err(error) if !self.stop.is_asked() => {
                let work = super::outcome::Work {
                    scenario: scenario.kind,
                    clients: scenario.clients,
                    topics_each: scenario.topics_each,
                    period: scenario.period.filter(|_| scenario.kind != Kind::Search),
                };
                let missing = Missing {
                    peer,
                    work: Some(work),
                    reason: format!("{error:#}"),
                };
                if !outcome.missing.contains(&missing) {
                    outcome.missing.push(missing);
                }
            }
            Err(_) => {}
        }
    }
}

/// Searches the highest rate that is delivered in full: doubles it until it is not, then bisects.
fn search(
    scenario: &Scenario,
    mut measure: impl FnMut(&Scenario) -> anyhow::Result<Run>,
) -> anyhow::Result<Run> {
    let mut at = |rate: u64| {
        let mut step = scenario.clone();
        step.period = Some(period(rate));
        measure(&step).map(|mut run| {
            run.work.period = None;
            run
        })
    };
    let first = scenario.period.map_or(1.0, super::scenario::rate);
    let mut rate = crate::clock::floor(first).max(1);
    let mut best = None;
    let (mut full, mut broken) = (0_u64, None);
    let apart = |full, broken| broken - full > 1 && (broken - full) as f64 > CLOSE * full as f64;
    while broken.is_none_or(|broken| apart(full, broken)) && rate <= MOST {
        let run = at(rate)?;
        if run.is_full() {
            full = rate;
            best = Some(run);
        } else {
            broken = Some(rate);
        }
        rate = match broken {
            None => rate * 2,
            Some(broken) if full == 0 => broken / 4,
            Some(broken) => u64::midpoint(full, broken),
        }
        .max(1);
    }
    best.context("it does not deliver even one message per second in full")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::schedule::Schedule;

    fn searched(limit: f64) -> anyhow::Result<f64> {
        let scenario = Scenario {
            kind: Kind::Search,
            clients: 1,
            topics_each: 1,
            period: Some(period(100)),
            schedule: Schedule::single(),
        };
        let found = search(&scenario, |step| {
            let rate = step.period.map_or(0.0, crate::peers::scenario::rate);
            Ok(crate::peers::tests::run(rate, rate.min(limit)))
        });
        found.map(|run| run.rate)
    }

    #[test]
    fn a_search_ends_close_below_the_limit() {
        for limit in [3.0, 90.0, 1_000.0, 123_456.0] {
            let found = searched(limit).unwrap();
            assert!(
                found <= limit * 1.02 && found >= limit * 0.6,
                "{found} of {limit}"
            );
        }
        assert!(searched(0.1).is_err());
    }
}
