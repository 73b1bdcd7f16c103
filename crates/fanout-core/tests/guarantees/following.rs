//! A client that follows the protocol has what the publisher has, whatever happens.

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
    Stall(usize, bool),
    /// A stalled one's socket takes this many bytes more.
    Read(usize, usize),
    Check,
    PublishThrottled,
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
        4 => any::<(usize, bool)>().prop_map(|(subscriber, stalled)| Step::Stall(subscriber, stalled)),
        6 => (any::<usize>(), 0usize..900).prop_map(|(subscriber, bytes)| Step::Read(subscriber, bytes)),
        12 => Just(Step::Check),
        6 => Just(Step::PublishThrottled),
        3 => select(vec![1_000u64, 6_000, 40_000]).prop_map(Step::Tick),
        1 => (0..PARTITIONS, 1i64..4).prop_map(|(partition, lost)| Step::Lose(partition, lost)),
    ]
}

/// The subscribers after the witnesses, which never unsubscribe.
fn pick(node: &Node, subscriber: usize) -> Option<usize> {
    let (first, end) = (16, node.subscribers.len());
    (end > first).then(|| first + subscriber % (end - first))
}

fn run(steps: &[Step], has_short_queues: bool) -> Checked {
    let mut node = Node::new(settings());
    node.subscribe_witnesses()?;
    node.has_short_queues = has_short_queues;
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
                // A step that is too fine for the instrument's scale is rejected.
                if let Ok(watch) = may_be {
                    node.publisher.close_stream(watch);
                    node.subscribe_new(key, *encoding)?;
                }
            }
            Step::Leave(subscriber) => {
                if let Some(subscriber) = pick(&node, *subscriber) {
                    node.unsubscribe(subscriber)?;
                }
            }
            Step::Resume(subscriber) => {
                if let Some(subscriber) = pick(&node, *subscriber)
                    && node.subscribers[subscriber].phase == Phase::Unsubscribed
                {
                    let from = node.subscribers[subscriber].client.mine;
                    node.subscribe(subscriber, from)?;
                }
            }
            Step::Stall(subscriber, stalled) => {
                if let Some(subscriber) = pick(&node, *subscriber) {
                    node.subscribers[subscriber].stalled = *stalled;
                    node.subscribers[subscriber].holds = subscriber % 5 * 90;
                }
            }
            Step::Read(subscriber, bytes) => {
                if let Some(subscriber) = pick(&node, *subscriber) {
                    node.flush()?;
                    node.read_bytes(subscriber, *bytes)?;
                }
            }
            Step::Check => node.check()?,
            Step::PublishThrottled => node.publish_throttled(),
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
    fn a_client_that_follows_the_protocol_has_what_the_publisher_has(
        steps in proptest::collection::vec(step(), 1..120),
        has_short_queues: bool,
    ) {
        run(&steps, has_short_queues)?;
    }
}
