//! Whoever follows the rules has what the publisher has, whatever happens.

use market::{Channel, Monotonic};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;
use wire::{BarInterval, Depth, Encoding, Speed, ViewParams};

use crate::client::Checked;
use crate::node::{self, Node, Phase, settings, view_key};
use crate::venue::{Act, PARTITIONS, Scribe, act};

/// Something that happens at a node.
#[derive(Debug, Clone)]
enum Step {
    Act(Act),
    Join {
        instrument: usize,
        channel: Channel,
        params: ViewParams,
        encoding: Encoding,
    },
    Leave(usize),
    Resume(usize),
    Slow(usize, bool),
    /// A slow one's socket takes so many bytes more.
    Read(usize, usize),
    Check,
    Speak,
    Tick(u64),
    Lose(u32, i64),
}

fn step() -> impl Strategy<Value = Step> {
    let depth = select(vec![
        Depth::Full,
        Depth::D1,
        Depth::D5,
        Depth::D10,
        Depth::D25,
        Depth::D50,
    ]);
    let channel = prop_oneof![
        4 => Just(Channel::Book),
        1 => Just(Channel::Bbo),
        1 => Just(Channel::Trades),
        1 => Just(Channel::Status),
        1 => Just(Channel::Ticker),
        2 => Just(Channel::Bars),
    ];
    let speed = prop_oneof![3 => Just(Speed::Raw), 2 => select(vec![Speed::Ms10, Speed::Ms100, Speed::Ms250, Speed::S1])];
    let group = prop_oneof![3 => Just(0u32), 3 => select(vec![1u32, 3, 7, 10, 20, 25, 30])];
    let params = (depth, speed, group);
    let encoding = prop_oneof![2 => Just(Encoding::Sbe), 1 => Just(Encoding::Packed), 1 => Just(Encoding::Json)];
    prop_oneof![
        60 => act().prop_map(Step::Act),
        10 => (0usize..4, channel, params, encoding).prop_map(|(instrument, channel, params, encoding)| {
            let (depth, speed, group) = params;
            let params = match channel {
                Channel::Book => node::params(depth, speed, group),
                Channel::Bbo | Channel::Ticker => node::params(Depth::Full, speed, 0),
                // What is a depth of others is an interval of these.
                Channel::Bars if depth == Depth::Full => node::bars(BarInterval::D1, speed),
                Channel::Bars => node::bars(BarInterval::S1, speed),
                _ => ViewParams::default(),
            };
            Step::Join { instrument, channel, params, encoding }
        }),
        4 => any::<usize>().prop_map(Step::Leave),
        6 => any::<usize>().prop_map(Step::Resume),
        4 => any::<(usize, bool)>().prop_map(|(seat, slow)| Step::Slow(seat, slow)),
        6 => (any::<usize>(), 0usize..900).prop_map(|(seat, bytes)| Step::Read(seat, bytes)),
        12 => Just(Step::Check),
        6 => Just(Step::Speak),
        3 => select(vec![1_000u64, 6_000, 40_000]).prop_map(Step::Tick),
        1 => (0..PARTITIONS, 1i64..4).prop_map(|(partition, lost)| Step::Lose(partition, lost)),
    ]
}

/// The seats behind the witnesses', which never leave.
fn pick(node: &Node, seat: usize) -> Option<usize> {
    let (first, end) = (16, node.seats.len());
    (end > first).then(|| first + seat % (end - first))
}

fn run(steps: &[Step], is_hindered: bool) -> Checked {
    let mut node = Node::new(settings());
    node.watch_all()?;
    node.is_hindered = is_hindered;
    let mut scribe = Scribe::new(false);
    for step in steps {
        match step {
            Step::Act(act) => {
                scribe.write(act);
                for entry in scribe.log.drain(..) {
                    node.read(&entry);
                }
            }
            Step::Join {
                instrument,
                channel,
                params,
                encoding,
            } => {
                let key = view_key(*instrument, *channel, *params);
                let may_be = node.publisher.open_stream(key, *encoding, Monotonic(0));
                // Where an instrument's scale is too coarse for a step it is refused.
                if let Ok(watch) = may_be {
                    node.publisher.close_stream(watch);
                    node.join(key, *encoding)?;
                }
            }
            Step::Leave(seat) => {
                if let Some(seat) = pick(&node, *seat) {
                    node.leave(seat)?;
                }
            }
            Step::Resume(seat) => {
                if let Some(seat) = pick(&node, *seat)
                    && node.seats[seat].phase == Phase::Away
                {
                    let from = node.seats[seat].client.mine;
                    node.enter(seat, from)?;
                }
            }
            Step::Slow(seat, slow) => {
                if let Some(seat) = pick(&node, *seat) {
                    node.seats[seat].slow = *slow;
                    node.seats[seat].holds = seat % 5 * 90;
                }
            }
            Step::Read(seat, bytes) => {
                if let Some(seat) = pick(&node, *seat) {
                    node.flush()?;
                    node.read_bytes(seat, *bytes)?;
                }
            }
            Step::Check => node.check()?,
            Step::Speak => node.speak(),
            Step::Tick(after) => node.tick(*after),
            Step::Lose(partition, lost) => {
                if let Some(next) = scribe.skip(*partition, *lost) {
                    node.lose(*partition, next);
                }
            }
        }
    }
    node.check()?;
    node.check_trades()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    #[test]
    fn whoever_follows_the_rules_has_what_the_publisher_has(
        steps in proptest::collection::vec(step(), 1..120),
        is_hindered: bool,
    ) {
        run(&steps, is_hindered)?;
    }
}
