//! A publisher restored from checkpoints publishes what one that read everything does.

use std::sync::Arc;

use market::{Channel, Exponents, Handle, Monotonic, Nanos, Now, PartitionIndex, Position, Seq};
use proptest::collection::vec;
use proptest::prelude::*;
use streams::{
    Checkpoint, CheckpointError, Publisher, RestoreError, Run, Runs, Start, StreamId, StreamKey,
};
use wire::{BarInterval, Depth, Encoding, Speed};

use crate::log::{Entry, NAMES, identity};
use crate::node::{bars, key, name, settings};
use crate::script::{A, at, definition, delta, snapshot, trade};
use crate::venue::{PARTITIONS, Scribe, act};

const NOW: Now = Now {
    monotonic: Monotonic(5_000),
    wall: Nanos(5_000),
};

/// Reads entries, and keeps which turn each partition is in.
fn read(publisher: &mut Publisher, entries: &[Entry], turns: &mut [u32]) {
    for entry in entries {
        match entry {
            Entry::Record(record) => record.read(publisher, NOW),
            Entry::Reopen {
                partition,
                turns: turn,
            } => {
                turns[*partition as usize] = *turn;
                publisher.reopen(
                    PartitionIndex(*partition),
                    identity(*partition, *turn),
                    Seq(0),
                    NOW,
                );
            }
        }
    }
}

fn publisher(turns: &[u32]) -> Publisher {
    let mut publisher = Publisher::new(settings());
    for instrument in 0..NAMES.len() {
        publisher
            .add_instrument(&name(instrument), Exponents::default(), NOW.monotonic)
            .unwrap();
    }
    for (partition, turns) in (0..).zip(turns) {
        publisher.open(
            PartitionIndex(partition),
            identity(partition, *turns),
            Seq(0),
        );
    }
    publisher
}

/// Another publisher, restored from all checkpoints of this one as bytes.
fn restored(complete: &Publisher, turns: &[u32]) -> Publisher {
    let mut restored = publisher(turns);
    for handle in (0..).map(Handle).take(NAMES.len()) {
        let Some(checkpoint) = complete.checkpoint(handle, |_| Seq::NONE) else {
            continue;
        };
        let mut bytes = Vec::new();
        checkpoint.encode(&mut bytes);
        let read = Checkpoint::decode(&bytes).unwrap();
        assert_eq!(read, checkpoint);
        for partition in 0..PARTITIONS {
            match restored.restore(PartitionIndex(partition), handle, &read, NOW) {
                Ok(()) | Err(RestoreError::OtherPartition) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }
    restored
}

/// Watches every kind of stream; returns what each starts with.
fn watch(publisher: &mut Publisher) -> Vec<(StreamId, Position, Option<Arc<Run>>)> {
    let mut started = Vec::new();
    for instrument in 0..NAMES.len() {
        let streams = [
            (Channel::Book, Depth::Full),
            (Channel::Book, Depth::D5),
            (Channel::Bbo, Depth::Full),
            (Channel::Trades, Depth::Full),
            (Channel::Ticker, Depth::Full),
            (Channel::Status, Depth::Full),
        ];
        let streams = streams.map(|(channel, depth)| key(instrument, channel, depth));
        let bars = BarInterval::ALL.map(|interval| StreamKey {
            params: bars(interval, Speed::Raw),
            ..key(instrument, Channel::Bars, Depth::Full)
        });
        for key in streams.into_iter().chain(bars) {
            let watch = publisher
                .open_stream(key, Encoding::Sbe, NOW.monotonic)
                .unwrap();
            let joined = publisher.join(watch, None, NOW).unwrap();
            started.push((watch, joined.position, joined.run));
        }
    }
    started
}

fn output(publisher: &mut Publisher) -> Arc<Runs> {
    publisher.flush(NOW.monotonic)
}

proptest! {
    #[test]
    fn a_publisher_restored_from_checkpoints_publishes_what_one_that_read_everything_does(
        acts in vec(act(), 1..100),
        orderly in any::<bool>(),
        (cut, back) in (0.0f64..1.0, 0usize..30),
    ) {
        let entries = Scribe::write_all(&acts, orderly);
        #[expect(clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a part of few")]
        let cut = (entries.len() as f64 * cut) as usize;
        let mut turns = vec![0; PARTITIONS as usize];
        let mut complete = publisher(&turns);
        read(&mut complete, &entries[..cut], &mut turns);
        let mut other = restored(&complete, &turns);
        // What a checkpoint includes is passed over when it is read again.
        let begun_anew = entries[..cut]
            .iter()
            .rposition(|entry| matches!(entry, Entry::Reopen { .. }))
            .map_or(0, |at| at + 1);
        let from = cut.saturating_sub(back).max(begun_anew);
        read(&mut other, &entries[from..cut], &mut turns.clone());
        output(&mut complete);
        prop_assert_eq!(watch(&mut complete), watch(&mut other));
        for entry in &entries[cut..] {
            let entry = std::slice::from_ref(entry);
            read(&mut complete, entry, &mut turns.clone());
            read(&mut other, entry, &mut turns.clone());
            prop_assert_eq!(output(&mut complete), output(&mut other));
            prop_assert_eq!(complete.states(), other.states());
        }
    }

    #[test]
    fn arbitrary_bytes_cause_an_error_at_most(
        bytes in vec(any::<u8>(), 0..200),
        (place, value) in (any::<prop::sample::Index>(), any::<u8>()),
    ) {
        let _error = Checkpoint::decode(&bytes);
        let mut publisher = publisher(&[0; PARTITIONS as usize]);
        read(&mut publisher, &script(), &mut [0; PARTITIONS as usize]);
        let mut bytes = Vec::new();
        publisher.checkpoint(Handle(0), |_| Seq::NONE).unwrap().encode(&mut bytes);
        let place = place.index(bytes.len());
        prop_assume!(bytes[place] != value && !(10..12).contains(&place));
        bytes[place] = value;
        prop_assert!(Checkpoint::decode(&bytes).is_err());
        prop_assert!(Checkpoint::decode(&bytes[..place]).is_err());
    }
}

fn script() -> Vec<Entry> {
    vec![
        at(0, snapshot(Some(10), &[(100, 1), (99, 2)], &[(101, 3)])),
        at(1, trade("a")),
        at(2, delta(Some((10, 11)), &[(100, 5)], &[])),
        at(3, trade("b")),
    ]
}

#[test]
fn no_client_resumes_from_before_a_checkpoint() {
    let mut turns = [0; PARTITIONS as usize];
    let mut complete = publisher(&turns);
    read(&mut complete, &script(), &mut turns);
    let mut other = restored(&complete, &turns);
    for (channel, before, last) in [(Channel::Book, 0, 2), (Channel::Trades, 1, 3)] {
        let key = key(A, channel, Depth::Full);
        let watch = other
            .open_stream(key, Encoding::Sbe, NOW.monotonic)
            .unwrap();
        let epoch = other.position(watch).unwrap().epoch;
        let mut resume = |seq| {
            let from = Position {
                epoch,
                seq: Seq(seq),
            };
            other.join(watch, Some(from), NOW).unwrap().start
        };
        assert!(
            matches!(resume(before), Start::Snapshot(Some(_))),
            "{channel:?}"
        );
        assert_eq!(resume(last), Start::Resumed, "{channel:?}");
    }
}

#[test]
fn a_checkpoint_that_does_not_match_is_rejected() {
    let mut turns = [0; PARTITIONS as usize];
    let mut complete = publisher(&turns);
    read(&mut complete, &script(), &mut turns);
    let checkpoint = complete.checkpoint(Handle(0), |_| Seq::NONE).unwrap();
    let mut bytes = Vec::new();
    checkpoint.encode(&mut bytes);
    bytes[8] = 2;
    assert_eq!(Checkpoint::decode(&bytes), Err(CheckpointError::Version(2)));
    // A recreated topic.
    let mut other = publisher(&turns);
    let mut recreated = identity(0, 0);
    recreated.topic_id = [8; 16];
    other.open(PartitionIndex(0), recreated, Seq(0));
    let refused = other.restore(PartitionIndex(0), Handle(0), &checkpoint, NOW);
    assert_eq!(refused, Err(RestoreError::OtherPartition));
    // Another scale in the configuration; but a scale from the log wins.
    let finer = Exponents {
        price: -9,
        size: -8,
    };
    let mut other = Publisher::new(settings());
    other
        .add_instrument(&name(A), finer, NOW.monotonic)
        .unwrap();
    other.open(PartitionIndex(0), identity(0, 0), Seq(0));
    let refused = other.restore(PartitionIndex(0), Handle(0), &checkpoint, NOW);
    assert_eq!(refused, Err(RestoreError::OtherScale));
    read(&mut complete, &[at(4, definition(-2, 5))], &mut turns);
    let checkpoint = complete.checkpoint(Handle(0), |_| Seq::NONE).unwrap();
    assert_eq!(
        other.restore(PartitionIndex(0), Handle(0), &checkpoint, NOW),
        Ok(())
    );
    assert_eq!(other.exponents(Handle(0)), complete.exponents(Handle(0)));
}
