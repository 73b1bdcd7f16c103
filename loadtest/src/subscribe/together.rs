//! What is published in process reaches every client, complete.

use std::time::Duration;

use clap::Parser;
use tokio::sync::oneshot::Receiver;

use super::SubscribeArgs;
use super::measurement::{self, Coordinator};
use super::tally::Tally;
use crate::publish::{Made, PublishArgs, Serving};

/// How long a test waits before it fails.
const AT_MOST: Duration = Duration::from_secs(60);

#[derive(Debug, Parser)]
enum Line {
    Publish(PublishArgs),
    Subscribe(SubscribeArgs),
}

fn serve(line: &str) -> (Serving, Receiver<Made>) {
    let base = "x publish --in-process --listen=127.0.0.1:0 --instruments=3 --levels=5 --mix=bbo";
    let words = base.split(' ').chain(line.split(' '));
    let Line::Publish(args) = Line::parse_from(words) else {
        panic!("no publish");
    };
    Serving::start(&args).unwrap()
}

fn swarm(serving: &Serving, line: &str) -> SubscribeArgs {
    let url = format!("--url=ws://{}/ws", serving.addr());
    let base =
        "x subscribe --connect-rate=0 --instruments=3 --streams=bbo:LOAD:I{i},book:LOAD:I{i}";
    let words = base.split(' ').chain([url.as_str()]).chain(line.split(' '));
    let Line::Subscribe(args) = Line::parse_from(words) else {
        panic!("no subscribe");
    };
    args.check().unwrap();
    args
}

/// Starts to publish when all clients are live, and ends when the test has seen enough.
struct Until<'a, F> {
    serving: &'a Serving,
    enough: F,
}

impl<F: FnMut(&Tally) -> bool> Coordinator for Until<'_, F> {
    fn may_measure(&mut self) -> anyhow::Result<bool> {
        self.serving.begin();
        Ok(true)
    }

    fn is_over(&mut self, elapsed: Duration, _: Duration, seen: &Tally) -> bool {
        (self.enough)(seen) || elapsed > AT_MOST
    }

    fn measured(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// Template ids of what is published.
const DELTA: usize = 3;
const BBO: usize = 4;

#[test]
fn every_client_gets_every_update_once() {
    let (serving, mut done) = serve("--rate=2000 --seconds=1");
    let args = swarm(&serving, "--clients=22 --verifying=2 --seconds=1");
    let mut made = None;
    let enough = |seen: &Tally| {
        made = made.or_else(|| done.try_recv().ok().map(|made| made.updates));
        made.is_some_and(|made| {
            let least = seen.templates[DELTA].min(seen.templates[BBO]);
            least >= made * 20
        })
    };
    let course = &mut Until {
        serving: &serving,
        enough,
    };
    let tally = measurement::run(&args, course).unwrap();
    serving.end().unwrap();
    let made = made.unwrap();
    assert!(made > 0);
    assert_eq!(tally.templates[DELTA], made * 20);
    assert_eq!(tally.templates[BBO], made * 20);
    let counts = tally.counts;
    assert_eq!((counts.live, counts.failed, counts.refused), (22, 0, 0));
    assert_eq!((counts.mismatches, counts.losses, counts.gaps), (0, 0, 0));
    assert!(counts.verified > 0);
    let timed = tally.stages.publish_to_read.percentiles().count;
    assert!(timed >= made * 40, "each has its times: {timed}");
}

#[test]
fn clients_that_are_cut_off_miss_nothing() {
    let (serving, _done) = serve("--rate=2000 --seconds=0");
    let args = swarm(&serving, "--clients=20 --storm=1 --seconds=2");
    let mut goal = 20_000;
    let enough = |seen: &Tally| {
        let reached = seen.counts.frames >= goal;
        goal += if reached { 20_000 } else { 0 };
        reached
    };
    let course = &mut Until {
        serving: &serving,
        enough,
    };
    let tally = measurement::run(&args, course).unwrap();
    serving.end().unwrap();
    let counts = tally.counts;
    assert_eq!((counts.live, counts.failed), (20, 0));
    assert_eq!(tally.rejoin.len(), 20);
    assert_eq!(counts.resumed + counts.snapshots, 20 * 6);
    assert_eq!(counts.resumed, 20 * 6, "the log reaches back a second");
    assert_eq!(counts.breaks, 0);
}
