//! The real client against the real core, in virtual time.

use std::time::{Duration, Instant};

use bytes::Bytes;
use client::event::{Disconnect, Event, GapCause};
use client::session::{Action, Session};
use client::{Config, Endpoint, Subscription, SubscriptionId};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;
use streams::Settings;
use wire::{Depth, Encoding, GoAwayReason, sbe};

use crate::client::Checked;
use crate::connection::{Frame, payload};
use crate::log::NAMES;
use crate::node::{Node, session_settings};
use crate::venue::{Act, Scribe, act};

const TICK: Duration = Duration::from_millis(100);

/// The bounds of the tests, and the times of a node.
fn sessions() -> fanout_core::Settings {
    let times = fanout_core::Settings::default();
    fanout_core::Settings {
        ping_interval: times.ping_interval,
        idle_session_timeout: times.idle_session_timeout,
        ..session_settings()
    }
}

/// A client and the node that it is connected to.
struct Rig {
    node: Node,
    scribe: Scribe,
    session: Session,
    start: Instant,
    passed: Duration,
    connection: Option<usize>,
    /// The shard that it connects to next.
    next_shard: usize,
    /// How many bytes its socket holds while it does not read.
    stalled: Option<usize>,
    /// The shards that are being drained.
    drains: [bool; 2],
    changes_epochs: bool,
}

const fn is_of_trades(id: SubscriptionId) -> bool {
    id.0 % 3 == 1
}

impl Rig {
    fn new(seed: u64) -> Result<Self, TestCaseError> {
        let start = Instant::now();
        let config = Config::default();
        let endpoints = [Endpoint::parse("ws://node/ws").unwrap()];
        let mut session = Session::new(config, endpoints, Some(seed), start);
        for (number, name) in NAMES.into_iter().enumerate() {
            for (kind, subscription) in [
                Subscription::book(name),
                Subscription::trades(name),
                Subscription::book(name).depth(Depth::D10),
            ]
            .into_iter()
            .enumerate()
            {
                let id = SubscriptionId((number * 3 + kind) as u64);
                session.subscribe(start, id, &subscription).unwrap();
            }
        }
        let mut node = Node::new(Settings {
            book_levels: 60,
            ..Settings::default()
        });
        for shard in 0..2 {
            node.restart_shard(shard, sessions())?;
        }
        Ok(Self {
            node,
            scribe: Scribe::new(true),
            session,
            start,
            passed: Duration::ZERO,
            connection: None,
            next_shard: 0,
            stalled: None,
            drains: [false; 2],
            changes_epochs: false,
        })
    }

    fn now(&self) -> Instant {
        self.start + self.passed
    }

    fn write(&mut self, act: &Act) {
        self.changes_epochs |= matches!(act, Act::Reopen { .. } | Act::Define { .. });
        self.scribe.write(act);
        for entry in self.scribe.log.drain(..) {
            self.node.read_now(&entry);
        }
    }

    /// Lets time pass and everything that is due happen.
    fn pass(&mut self, time: Duration) -> Checked {
        let end = self.passed + time;
        while self.passed < end {
            self.passed += TICK;
            self.node.fine += TICK;
            self.node.publisher.advance(self.node.present());
            self.node.hand_over();
            // A few turns each, so that requests and answers cross what is published.
            for _ in 0..4 {
                self.node.update_sockets();
                self.node.turn()?;
                self.turn_client()?;
            }
            for shard in 0..2 {
                if self.drains[shard] && self.node.shards[shard].core.is_drained() {
                    self.drains[shard] = false;
                    self.lose(Disconnect::Ended, Some(shard));
                    self.node.restart_shard(shard, sessions())?;
                }
            }
        }
        Ok(())
    }

    /// The connection is gone, if it is one to that shard.
    fn lose(&mut self, cause: Disconnect, shard: Option<usize>) {
        let Some(connection) = self.connection else {
            return;
        };
        if shard.is_some_and(|shard| shard != self.node.connections[connection].shard) {
            return;
        }
        self.connection = None;
        self.node.cut(connection);
        self.session.on_disconnected(self.now(), cause);
    }

    fn turn_client(&mut self) -> Checked {
        let now = self.now();
        if self.session.timeout().is_some_and(|due| due <= now) {
            self.session.on_timeout(now);
        }
        while self.stalled.is_none()
            && let Some(connection) = self.connection
            && let Some(frame) = self.node.connections[connection].next_frame()
        {
            self.session.on_heard(now);
            match frame {
                Frame::Answer(text) => self.session.on_text(now, &text),
                Frame::Data(frame) => {
                    let bytes = payload(&frame);
                    let (message, _) = sbe::Message::decode(bytes).unwrap();
                    let raw = Bytes::copy_from_slice(bytes);
                    self.session.on_message(now, &message, raw);
                }
                Frame::Ping => self.node.connections[connection].send(0x8a, b""),
                Frame::Close(code) => {
                    let reason = String::new();
                    self.lose(Disconnect::Closed { code, reason }, None);
                }
            }
            self.sse()?;
            self.actions();
        }
        self.sse()?;
        self.actions();
        Ok(())
    }

    fn actions(&mut self) {
        while let Some(action) = self.session.poll_action() {
            match action {
                Action::Connect(_) => {
                    let connection = self.node.connect(self.next_shard, Encoding::Sbe);
                    self.next_shard = 1 - self.next_shard;
                    self.node.connections[connection].held =
                        Some(self.stalled.unwrap_or(usize::MAX));
                    self.connection = Some(connection);
                    self.session.on_connected(self.now());
                }
                Action::Send(text) => {
                    if let Some(connection) = self.connection {
                        self.node.connections[connection].send(0x81, text.as_bytes());
                    }
                }
                Action::Disconnect { .. } => {
                    if let Some(connection) = self.connection.take() {
                        self.node.cut(connection);
                    }
                }
            }
        }
    }

    fn sse(&mut self) -> Checked {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::ChecksumMismatch(_) | Event::Undecodable { .. } | Event::Closed { .. } => {
                    return Err(TestCaseError::fail(format!("{event:?}")));
                }
                // A loss that reaches into another epoch makes it subscribe again.
                Event::Gap(gap)
                    if gap.cause == GapCause::Sequence
                        && !(self.changes_epochs && is_of_trades(gap.subscription)) =>
                {
                    return Err(TestCaseError::fail(format!("{gap:?}")));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn set_stalled(&mut self, stalled: Option<usize>) {
        self.stalled = stalled;
        if let Some(connection) = self.connection {
            let connection = &mut self.node.connections[connection];
            connection.held = Some(stalled.unwrap_or(usize::MAX));
            // A socket that is read has room again.
            connection.room = connection.held.unwrap_or(usize::MAX);
        }
    }

    /// Checks that the client, left alone, has every book right.
    fn check(&mut self) -> Checked {
        self.set_stalled(None);
        self.pass(Duration::from_secs(40))?;
        for instrument in 0..NAMES.len() {
            let model = &self.node.models[instrument];
            for (kind, depth) in [(0, None), (2, Some(10))] {
                let id = SubscriptionId((instrument * 3 + kind) as u64);
                let kept = self.session.book(id);
                let live = kept.is_some_and(client::LocalBook::is_live);
                prop_assert_eq!(live, model.live, "{} {:?}: {:?}", instrument, depth, kept);
                if model.live {
                    let book = model.book.top(depth);
                    prop_assert_eq!(kept.unwrap().book().checksum(), book.checksum());
                }
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone)]
enum Step {
    Act(Act),
    Pass(u64),
    Cut,
    Stall(Option<usize>),
    Drain(usize),
    /// The node is paused for this many seconds while the client waits, or both are.
    Stop(u64, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        60 => act().prop_map(Step::Act),
        30 => (1u64..10).prop_map(Step::Pass),
        2 => Just(Step::Cut),
        3 => (0usize..2_000).prop_map(|holds| Step::Stall(Some(holds))),
        4 => Just(Step::Stall(None)),
        1 => (0usize..2).prop_map(Step::Drain),
        1 => (select(vec![3u64, 45, 600]), any::<bool>()).prop_map(|(time, both)| Step::Stop(time, both)),
    ]
}

fn run(steps: &[Step], seed: u64) -> Checked {
    let mut rig = Rig::new(seed)?;
    for step in steps {
        match step {
            Step::Act(act) => rig.write(act),
            Step::Pass(ticks) => rig.pass(TICK * u32::try_from(*ticks).unwrap())?,
            Step::Cut => rig.lose(Disconnect::Ended, None),
            Step::Stall(holds) => rig.set_stalled(*holds),
            Step::Drain(shard) => {
                if !rig.drains[*shard] {
                    rig.drains[*shard] = true;
                    let (now, delay) = (rig.node.present(), Duration::from_secs(3));
                    let core = &mut rig.node.shards[*shard].core;
                    core.drain(GoAwayReason::Shutdown, delay, Duration::from_secs(1), now);
                }
            }
            Step::Stop(seconds, both) => {
                let time = Duration::from_secs(*seconds);
                rig.node.fine += time;
                rig.passed += if *both { time } else { Duration::ZERO };
                if !both {
                    // The client notices a node that is silent for too long.
                    for _ in 0..*seconds * 2 {
                        rig.passed += Duration::from_millis(500);
                        let now = rig.now();
                        if rig.session.timeout().is_some_and(|due| due <= now) {
                            rig.session.on_timeout(now);
                        }
                        rig.sse()?;
                        rig.actions();
                    }
                }
            }
        }
    }
    rig.check()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(4),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_client_that_is_cut_off_drained_stopped_and_lagging_ends_with_every_book(
        steps in vec(step(), 1..120),
        seed: u64,
    ) {
        run(&steps, seed)?;
    }
}
