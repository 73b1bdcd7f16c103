//! Random scripts: whatever is lost, repeated or broken, a book that is called right is right.

use std::time::Duration;

use market::{Channel, Reason, State};
use proptest::prelude::*;
use wire::LagKind;
use wire::control::{ErrorCode, StartReason};

use super::rig::{Answers, Rig, config};

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    /// A record, and its message arrives.
    Deliver {
        price: i64,
        size: i64,
        ask: bool,
    },
    /// A record, and its message is lost.
    Lose {
        price: i64,
        size: i64,
        ask: bool,
    },
    /// A record, and its message arrives with a bit turned.
    Damage {
        price: i64,
        size: i64,
        bit: usize,
    },
    /// A message of before arrives again.
    Repeat(usize),
    Heartbeat,
    /// Records, and then their net change.
    Conflate(Vec<(i64, i64)>),
    /// Records, and then a snapshot, of which so many chunks arrive.
    Snapshot {
        records: Vec<(i64, i64)>,
        announced: bool,
        chunks: usize,
    },
    /// The node does not trust its own book; and the next message may be lost.
    Break {
        lost: bool,
    },
    Restate,
    NewEpoch {
        told: bool,
    },
    Cut,
    /// How the node answers from now on.
    Answer(Answers),
    Accept(bool),
    Wait(u64),
}

fn level() -> impl Strategy<Value = (i64, i64)> + Clone {
    (90i64..110, 0i64..4)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let deliver = (level(), any::<bool>());
    let step = prop_oneof![
        8 => deliver.clone().prop_map(|((price, size), ask)| Step::Deliver { price, size, ask }),
        1 => deliver.prop_map(|((price, size), ask)| Step::Lose { price, size, ask }),
        1 => (level(), 64usize * 8..1000).prop_map(|((price, size), bit)| Step::Damage { price, size, bit }),
        1 => (0usize..20).prop_map(Step::Repeat),
        1 => Just(Step::Heartbeat),
        1 => proptest::collection::vec(level(), 1..5).prop_map(Step::Conflate),
        1 => (proptest::collection::vec(level(), 0..5), any::<bool>(), 0usize..30)
            .prop_map(|(records, announced, chunks)| Step::Snapshot { records, announced, chunks }),
        1 => any::<bool>().prop_map(|lost| Step::Break { lost }),
        1 => Just(Step::Restate),
        1 => any::<bool>().prop_map(|told| Step::NewEpoch { told }),
        1 => Just(Step::Cut),
        1 => prop_oneof![
            3 => Just(Answers::Well),
            1 => Just(Answers::Anew(StartReason::LogExceeded)),
            1 => Just(Answers::NotAtAll),
            1 => Just(Answers::Refuse(ErrorCode::NotReady)),
        ].prop_map(Step::Answer),
        1 => any::<bool>().prop_map(Step::Accept),
        2 => (1u64..20_000).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 1..120)
}

fn record(rig: &mut Rig, price: i64, size: i64, ask: bool) -> Vec<u8> {
    let level = [(price, size)];
    if ask {
        rig.origin.set(&[], &level)
    } else {
        rig.origin.set(&level, &[])
    }
}

/// The node sends to those who subscribed.
fn send(rig: &mut Rig, message: &[u8]) {
    if rig.subscribed {
        rig.deliver(message);
    }
}

#[expect(clippy::too_many_lines, reason = "one arm for each step of a script")]
fn play(rig: &mut Rig, step: Step) {
    match step {
        Step::Deliver { price, size, ask } => {
            let message = record(rig, price, size, ask);
            send(rig, &message);
        }
        Step::Lose { price, size, ask } => {
            record(rig, price, size, ask);
        }
        Step::Damage { price, size, bit } => {
            let mut message = record(rig, price, size, false);
            // Levels and checksum; a transport that damages heads is no matter for a checksum of levels.
            let byte = (bit / 8).min(message.len() - 1);
            let is_content = (64..68).contains(&byte) || (72..88).contains(&byte);
            if is_content && message.len() > 80 {
                message[byte] ^= 1 << (bit % 8);
            }
            send(rig, &message);
        }
        Step::Repeat(back) => {
            let log = &rig.origin.log;
            if let Some(index) = log.len().checked_sub(back + 1) {
                let message = log[index].1.clone();
                send(rig, &message);
            }
        }
        Step::Heartbeat => {
            let beat = rig.origin.heartbeat();
            send(rig, &beat);
        }
        Step::Conflate(records) => {
            let from = rig.origin.seq;
            for (price, size) in records {
                record(rig, price, size, false);
            }
            let lag = rig.origin.lag(LagKind::Conflated, from);
            let net = rig.origin.net_since(from);
            send(rig, &[lag, net].concat());
        }
        Step::Snapshot {
            records,
            announced,
            chunks,
        } => {
            let from = rig.origin.seq;
            for (price, size) in records {
                record(rig, price, size, true);
            }
            if announced {
                let lag = rig.origin.lag(LagKind::Snapshot, from);
                send(rig, &lag);
            }
            let some: Vec<u8> = rig
                .origin
                .snapshot(1)
                .into_iter()
                .take(chunks)
                .flatten()
                .collect();
            send(rig, &some);
        }
        Step::Break { lost } => {
            let status = rig.origin.break_off(Reason::Gap);
            if !lost {
                send(rig, &status);
            }
        }
        Step::Restate => {
            let status = rig.origin.status(State::Resyncing, Reason::Gap);
            send(rig, &status);
        }
        Step::NewEpoch { told } => {
            rig.origin.new_epoch();
            if told {
                let whole = [rig.origin.definition(), rig.origin.snapshot(1).concat()].concat();
                send(rig, &whole);
            }
        }
        Step::Cut => {
            if rig.up {
                rig.cut();
            }
        }
        Step::Answer(answers) => rig.answers = answers,
        Step::Accept(accepts) => rig.accepts = Some(accepts),
        Step::Wait(millis) => rig.advance(Duration::from_millis(millis)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// [`Rig::see`] compares the book with the truth at every event.
    #[test]
    fn a_book_that_is_called_right_is_right_and_it_becomes_right_again(
        script in steps(),
        seed in any::<u64>(),
        chunk in 1usize..4,
    ) {
        let mut rig = Rig::seeded(Channel::Book, config(), seed);
        rig.chunk = chunk;
        rig.pump();
        for step in script {
            play(&mut rig, step);
        }
        // Whatever went wrong: with a node that does well again, so does the client.
        rig.answers = Answers::Well;
        rig.accepts = Some(true);
        rig.live_on(Duration::from_secs(60));
        let message = rig.origin.set(&[(1, 1)], &[]);
        send(&mut rig, &message);
        rig.live_on(Duration::from_secs(2));
        rig.check_right();
    }
}
