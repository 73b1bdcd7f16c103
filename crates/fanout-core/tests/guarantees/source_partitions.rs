//! The source partition of an instrument.

use market::{Channel, Handle, Monotonic, Nanos, PartitionIndex, Scope, Seq, State};
use streams::Skipped;
use wire::{Depth, Encoding};

use crate::client::Checked;
use crate::log::{Content, Entry, identity};
use crate::node::{Node, key, present, settings};
use crate::script::{A, at, definition, delta, of, snapshot, trade};

fn refusal(node: &mut Node, entry: &Entry) -> Option<Skipped> {
    let Entry::Record(record) = entry else {
        unreachable!()
    };
    node.now += 1;
    let now = present(node.now);
    record.offer(&mut node.publisher, Handle(0), now).err()
}

#[test]
fn of_two_partitions_the_first_by_topic_and_number_wins() -> Checked {
    let mut node = Node::new(settings());
    node.subscribe_witnesses()?;
    assert_eq!(
        refusal(&mut node, &of(A, 1, 5, snapshot(Some(1), &[(1, 1)], &[]))),
        None
    );
    node.flush()?;
    let first = node.witness(A, Channel::Book).mine.unwrap().epoch;
    // It has precedence, though it is seen later.
    assert_eq!(
        refusal(&mut node, &of(A, 0, 9, snapshot(Some(7), &[(2, 2)], &[]))),
        None
    );
    node.flush()?;
    let book = node.witness(A, Channel::Book);
    assert_ne!(book.mine.unwrap().epoch, first);
    assert_eq!(book.book.bids.len(), 1);
    let refused = refusal(&mut node, &of(A, 1, 6, delta(Some((1, 2)), &[(3, 3)], &[])));
    assert_eq!(refused, Some(Skipped::OtherPartition { channel: "book" }));
    node.publisher.bad_record(
        market::At {
            partition: PartitionIndex(1),
            seq: Seq(7),
            log_time: Nanos(0),
        },
        Handle(0),
        Scope::Unknown,
        present(0),
    );
    node.flush()?;
    let book = node.witness(A, Channel::Book);
    assert_eq!((book.book.bids.get(&2), book.broken), (Some(&2), None));
    // Each channel has its own source partition.
    assert_eq!(refusal(&mut node, &of(A, 1, 8, trade("1"))), None);
    Ok(())
}

#[test]
fn a_repeated_record_is_rejected() -> Checked {
    let mut node = Node::new(settings());
    node.subscribe_witnesses()?;
    assert_eq!(
        refusal(&mut node, &at(4, snapshot(None, &[(1, 1)], &[]))),
        None
    );
    for offset in [4, 3] {
        let again = refusal(&mut node, &at(offset, delta(None, &[(2, 2)], &[])));
        assert_eq!(again, Some(Skipped::Repeated(Seq(offset))));
    }
    // The same record with content of another channel is no repetition.
    assert_eq!(refusal(&mut node, &at(4, trade("1"))), None);
    assert_eq!(
        refusal(&mut node, &at(5, delta(None, &[(3, 3)], &[]))),
        None
    );
    node.flush()?;
    assert_eq!(node.witness(A, Channel::Book).book.bids.len(), 2);
    Ok(())
}

#[test]
fn states_and_definitions_claim_no_book() -> Checked {
    let mut node = Node::new(settings());
    node.subscribe_witnesses()?;
    // They come from a partition with precedence, before the book is seen elsewhere.
    node.read(&of(A, 0, 5_000, definition(-4, 5)));
    node.read(&of(A, 0, 5_001, Content::State(State::Halted)));
    node.read(&of(A, 1, 3, snapshot(Some(1), &[(1, 1)], &[(9, 1)])));
    node.read(&of(A, 1, 4, delta(Some((1, 2)), &[(2, 2)], &[])));
    node.check()?;
    assert_eq!(node.witness(A, Channel::Book).book.bids.len(), 2);
    let status = node.witness(A, Channel::Status);
    assert_eq!(status.state.unwrap().0, State::Halted);
    node.read(&of(A, 0, 5_002, Content::State(State::Live)));
    node.check()?;
    let status = node.witness(A, Channel::Status);
    assert_eq!(status.state.unwrap().0, State::Live);
    assert_eq!(
        status.mine.unwrap().seq,
        Seq(3),
        "in the numbering of the book"
    );
    node.read(&of(A, 0, 5_003, definition(-5, 5)));
    node.read(&of(A, 1, 5, snapshot(Some(9), &[(7, 1)], &[(9, 1)])));
    node.check()
}

#[test]
fn the_position_of_a_status_never_goes_back() -> Checked {
    let mut node = Node::new(settings());
    node.subscribe_witnesses()?;
    node.read(&at(7, trade("1")));
    // Its book starts in the same numbering, before everything else.
    node.read(&at(9, delta(None, &[(1, 1)], &[])));
    node.check()?;
    let status = node.witness(A, Channel::Status);
    assert_eq!(status.state.unwrap().0, State::Resyncing);
    node.read(&at(10, snapshot(None, &[(1, 1)], &[])));
    node.check()
}

#[test]
fn an_instrument_may_move_when_its_topic_is_recreated() -> Checked {
    let mut node = Node::new(settings());
    node.subscribe_witnesses()?;
    node.read(&of(A, 0, 3, snapshot(Some(1), &[(1, 1)], &[(9, 1)])));
    node.read(&of(A, 0, 4, trade("1")));
    for partition in [0, 1] {
        node.read(&Entry::Reopen {
            partition,
            turns: 1,
        });
    }
    node.check()?;
    // With other partitions, its key leads elsewhere.
    node.read(&of(A, 1, 0, snapshot(Some(1), &[(2, 2)], &[(9, 1)])));
    node.read(&of(A, 1, 1, trade("2")));
    node.check()?;
    node.check_trades()?;
    let epoch = identity(1, 1).epoch(market::Exponents::default());
    assert_eq!(node.witness(A, Channel::Book).mine.unwrap().epoch, epoch);
    // From here on it stays.
    let refused = refusal(&mut node, &of(A, 2, 0, snapshot(Some(1), &[(3, 3)], &[])));
    assert_eq!(refused, Some(Skipped::OtherPartition { channel: "book" }));
    Ok(())
}

#[test]
fn an_instrument_with_trades_only_has_a_status_too() -> Checked {
    let mut node = Node::new(settings());
    node.subscribe_witnesses()?;
    node.read(&at(0, trade("1")));
    node.read(&at(1, Content::State(State::Halted)));
    node.check()?;
    assert_eq!(
        node.witness(A, Channel::Status).state.unwrap().0,
        State::Halted
    );
    node.read(&at(2, Content::State(State::Live)));
    node.read(&at(3, definition(-3, 5)));
    node.check()?;
    assert_eq!(
        node.witness(A, Channel::Status).state.unwrap().0,
        State::Live
    );
    node.read(&Entry::Reopen {
        partition: 0,
        turns: 1,
    });
    node.check()?;
    assert_eq!(
        node.witness(A, Channel::Status).state.unwrap().0,
        State::Resyncing
    );
    node.read(&at(0, trade("2")));
    node.check()?;
    assert_eq!(
        node.witness(A, Channel::Status).state.unwrap().0,
        State::Live
    );
    node.check_trades()
}

#[test]
fn a_name_added_twice_is_one_instrument() {
    let mut publisher = streams::Publisher::new(settings());
    let name = crate::node::name(A);
    let scale = market::Exponents {
        price: -2,
        size: -2,
    };
    let first = publisher
        .add_instrument(&name, scale, Monotonic(0))
        .unwrap();
    let other = market::Exponents::default();
    let again = publisher
        .add_instrument(&name, other, Monotonic(5))
        .unwrap();
    assert_eq!(first, again);
    assert_eq!(publisher.instruments(), 1);
    assert_eq!(publisher.exponents(first), Some(scale), "as it was");
    assert_eq!(publisher.take_changed(), [first]);
    let id = publisher
        .open_stream(
            key(A, Channel::Book, Depth::D5),
            Encoding::Sbe,
            Monotonic(0),
        )
        .unwrap();
    publisher.close_stream(id);
    publisher.close_stream(id);
    assert!(publisher.join(id, None, present(0)).is_none());
    assert!(publisher.open_streams() == 0 && publisher.take_changed().is_empty());
}

/// The topic was deleted, and its producers write to another one that sorts after it.
#[test]
fn an_instrument_whose_partition_is_gone_moves_to_the_next_that_carries_it() -> Checked {
    let mut node = Node::new(settings());
    node.subscribe_witnesses()?;
    node.read(&of(A, 0, 3, snapshot(Some(1), &[(1, 1)], &[(9, 1)])));
    node.read(&of(A, 0, 4, trade("1")));
    let elsewhere = of(A, 1, 7, delta(Some((1, 2)), &[(5, 5)], &[]));
    let refused = Some(Skipped::OtherPartition { channel: "book" });
    assert_eq!(refusal(&mut node, &elsewhere), refused);
    node.publisher.close(PartitionIndex(0));
    node.read(&of(A, 1, 8, snapshot(Some(1), &[(2, 2)], &[(9, 1)])));
    node.read(&of(A, 1, 9, trade("2")));
    node.check()?;
    node.check_trades()?;
    let epoch = identity(1, 0).epoch(market::Exponents::default());
    let book = node.witness(A, Channel::Book);
    assert_eq!(book.mine.unwrap().epoch, epoch);
    assert_eq!(book.book.bids.get(&2), Some(&2));
    let status = node.witness(A, Channel::Status);
    assert_eq!(status.state.unwrap().0, State::Live);
    Ok(())
}

/// A partition that was unavailable for a while and returns is not given up.
#[test]
fn a_partition_that_delivers_records_again_is_not_gone() {
    let mut node = Node::new(settings());
    node.read(&of(A, 0, 3, snapshot(Some(1), &[(1, 1)], &[(9, 1)])));
    node.publisher.close(PartitionIndex(0));
    let again = of(A, 0, 4, delta(Some((1, 2)), &[(2, 2)], &[]));
    assert_eq!(refusal(&mut node, &again), None);
    let refused = refusal(&mut node, &of(A, 1, 5, delta(Some((2, 3)), &[(5, 5)], &[])));
    assert_eq!(refused, Some(Skipped::OtherPartition { channel: "book" }));
}

/// The topic got more partitions, or its producers another topic, and the old one is still there.
#[test]
fn an_instrument_that_continues_elsewhere_moves_once_its_partition_has_been_silent_for_a_minute()
-> Checked {
    let mut node = Node::new(settings());
    node.subscribe_witnesses()?;
    // Records are 0.7 s apart: offset 100 is 69 s after offset 1.
    node.read(&of(A, 0, 1, snapshot(Some(1), &[(1, 1)], &[(9, 1)])));
    let elsewhere = |offset| of(A, 1, offset, snapshot(Some(1), &[(2, 2)], &[(9, 1)]));
    let refused = Some(Skipped::OtherPartition { channel: "book" });
    assert_eq!(refusal(&mut node, &elsewhere(200)), refused, "one alone");
    for offset in 2..18 {
        assert_eq!(refusal(&mut node, &elsewhere(offset + 200)), refused);
        if offset == 10 {
            let here = of(A, 0, 2, delta(Some((1, 2)), &[(3, 3)], &[]));
            assert_eq!(refusal(&mut node, &here), None, "it is alive");
        }
    }
    for offset in 218..227 {
        assert_eq!(refusal(&mut node, &elsewhere(offset)), refused);
    }
    node.read(&elsewhere(227));
    node.check()?;
    let epoch = identity(1, 0).epoch(market::Exponents::default());
    let book = node.witness(A, Channel::Book).mine.unwrap();
    assert_eq!((book.epoch, book.seq), (epoch, Seq(227)));
    Ok(())
}

/// The result does not depend on which of two partitions is read first.
#[test]
fn the_log_alone_decides_which_partition_an_instrument_ends_with() {
    let snapshot = || snapshot(Some(1), &[(1, 1)], &[(9, 1)]);
    // In the first log both continue; in the second 0 ends long before 1; in the third 1 before 0.
    for (zero, one, ends_with) in [(0..400, 0..400, 0), (0..40, 0..400, 1), (0..400, 0..40, 0)] {
        let zero: Vec<_> = zero.map(|offset| of(A, 0, offset, snapshot())).collect();
        let one: Vec<_> = one.map(|offset| of(A, 1, offset, snapshot())).collect();
        let mut mixed = Vec::new();
        for at in 0..400 {
            mixed.extend(zero.get(at).cloned());
            mixed.extend(one.get(at).cloned());
        }
        for log in [
            [zero.clone(), one.clone()].concat(),
            [one.clone(), zero.clone()].concat(),
            mixed,
        ] {
            let mut node = Node::new(settings());
            node.subscribe_witnesses().unwrap();
            for entry in &log {
                node.read(entry);
            }
            node.check().unwrap();
            let epoch = identity(ends_with, 0).epoch(market::Exponents::default());
            let book = node.witness(A, Channel::Book).mine.unwrap();
            assert_eq!(book.epoch, epoch, "{ends_with}");
        }
    }
}
