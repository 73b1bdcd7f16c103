use ingest::{IngestConfig, OpenedPartition, Reset};
use market::Seq;

use crate::producing::Producing;
use crate::reader::{Heard, Reader, Told, config};
use crate::shared_broker;

/// The identity that a topic had when it was opened, and the causes of its restarts.
fn beginnings(heard: &Heard, topic: &str, partition: i32) -> Vec<(OpenedPartition, Option<Reset>)> {
    let told = heard.told(topic, partition).iter();
    told.filter_map(|told| match told {
        Told::Opened(opened) => Some((opened.clone(), None)),
        Told::Reset(opened, cause) => Some((opened.clone(), Some(*cause))),
        _ => None,
    })
    .collect()
}

/// A topic with `before` numbers is deleted while it is read, and recreated with `after` of them.
#[track_caller]
fn check_recreated(topic: &str, before: i64, after: i64) {
    let brokers = shared_broker().bootstrap();
    let other = format!("{topic}.other");
    let producing = Producing::to(brokers);
    producing.create(topic, 2);
    producing.create(&other, 1);
    let reader = Reader::start(&config(
        brokers,
        &format!("{}.*", topic.replace('.', r"\.")),
    ));
    for partition in 0..2 {
        producing.numbers(topic, partition, 0..before);
        reader.expect(topic, partition, 0, 0..before);
    }
    producing.numbers(&other, 0, 0..10);
    reader.expect(&other, 0, 0, 0..10);

    producing.delete(topic);
    // A producer keeps what it knows of the old topic.
    let producing = Producing::to(brokers);
    producing.create(topic, 2);
    for partition in 0..2 {
        producing.numbers(topic, partition, 5000..5000 + after);
    }
    for partition in 0..2 {
        let begun = reader.until("begun anew", |heard| {
            let begun = beginnings(heard, topic, partition);
            (begun.len() >= 2).then_some(begun)
        });
        reader.expect(topic, partition, 0, 5000..5000 + after);
        let [(old, None), (new, Some(Reset::TopicRecreated))] = &begun[..] else {
            panic!("{begun:?}");
        };
        assert_ne!(old.identity.topic_id, new.identity.topic_id);
        assert_eq!(new.start_offset, Seq(0));
        let before_it = reader.until("told", |heard| {
            let told = heard.told(topic, partition).iter();
            let before = told.take_while(|told| !matches!(told, Told::Reset(..)));
            Some(before.cloned().collect::<Vec<_>>())
        });
        let of_new = |told: &Told| matches!(told, Told::Number(_, number) if *number >= 5000);
        assert!(
            !before_it.iter().any(of_new),
            "the new one's are told for the old one's"
        );
        producing.numbers(topic, partition, 9000..9010);
        let numbers = reader.until("all numbers", |heard| {
            let numbers = heard.numbers(topic, partition);
            (numbers.len() as i64 >= after + 10).then_some(numbers)
        });
        assert_eq!(numbers.last(), Some(&(after + 9, 9009)));
        assert_eq!(numbers.len() as i64, after + 10);
    }

    producing.numbers(&other, 0, 10..20);
    reader.expect(&other, 0, 0, 0..20);
}

#[test]
fn a_topic_made_anew_with_less_is_read_from_its_beginning() {
    check_recreated("deleted.less", 100, 20);
}

#[test]
fn a_topic_made_anew_with_more_is_read_from_its_beginning() {
    check_recreated("deleted.more", 20, 1000);
}

#[test]
fn what_a_topic_made_anew_has_where_the_old_one_was_read_is_not_told_for_the_old_one() {
    // No offset is out of range here, so the client itself notices nothing.
    check_recreated("deleted.unread", 0, 1000);
}

#[test]
fn a_topic_made_anew_with_other_partitions_is_read_from_its_beginning() {
    let brokers = shared_broker().bootstrap();
    let topic = "deleted.partitions";
    let producing = Producing::to(brokers);
    producing.create(topic, 3);
    let reader = Reader::start(&config(brokers, r"deleted\.partitions"));
    for partition in 0..3 {
        producing.numbers(topic, partition, 0..10);
        reader.expect(topic, partition, 0, 0..10);
    }
    producing.delete(topic);
    let producing = Producing::to(brokers);
    producing.create(topic, 1);
    producing.numbers(topic, 0, 100..110);
    reader.until("begun anew", |heard| {
        (beginnings(heard, topic, 0).len() == 2).then_some(())
    });
    reader.expect(topic, 0, 0, 100..110);

    producing.grow(topic, 2);
    let producing = Producing::to(brokers);
    producing.numbers(topic, 1, 200..210);
    reader.until("begun anew", |heard| {
        (beginnings(heard, topic, 1).len() == 2).then_some(())
    });
    reader.expect(topic, 1, 0, 200..210);
}

#[test]
fn records_that_were_deleted_before_they_were_read_are_told() {
    let brokers = shared_broker().bootstrap();
    let topic = "deleted.records";
    // One record per batch, and a client that fetches few at a time.
    let producing = Producing::with(brokers, &[("batch.num.messages", "1")]);
    producing.create(topic, 1);
    let mut config = config(brokers, r"deleted\.records");
    let small = [
        ("queued.max.messages.kbytes", "1"),
        ("fetch.message.max.bytes", "1"),
    ];
    let small = small.map(|(key, value)| (key.to_owned(), value.to_owned()));
    config.properties.extend(small);
    let config = IngestConfig {
        batch: ingest::BatchLimits {
            records: 1,
            bytes: 1,
        },
        ..config
    };
    let reader = Reader::start(&config);
    reader.until_discovered();
    reader.held(|| {
        producing.numbers(topic, 0, 0..500);
        producing.delete_before(topic, 0, 400);
    });
    let told = reader.until("the last", |heard| {
        let told = heard.told(topic, 0);
        let last = told.contains(&Told::Number(499, 499));
        last.then(|| told.to_vec())
    });
    let at = told
        .iter()
        .position(|told| matches!(told, Told::Reset(..)))
        .unwrap();
    let Told::Reset(opened, Reset::Retention { lost_from, lost_to }) = &told[at] else {
        panic!("{:?}", told[at]);
    };
    assert_eq!((opened.start_offset, *lost_to), (Seq(400), Seq(400)));
    assert!(lost_from.0 < 400);
    let numbers = |told: &[Told]| {
        let numbers = told.iter().filter_map(|told| match told {
            Told::Number(offset, number) => Some((*offset, *number)),
            _ => None,
        });
        numbers.collect::<Vec<_>>()
    };
    let all = |range: std::ops::Range<i64>| range.map(|n| (n, n)).collect::<Vec<_>>();
    assert_eq!(
        numbers(&told[..at]),
        all(0..lost_from.0),
        "none is lost that is not told"
    );
    assert_eq!(numbers(&told[at..]), all(400..500));
}

#[test]
fn a_topic_that_is_gone_is_let_go_and_taken_up_again_when_it_comes_back() {
    let brokers = shared_broker().bootstrap();
    let topic = "deleted.gone";
    let producing = Producing::to(brokers);
    producing.create(topic, 2);
    let reader = Reader::start(&config(brokers, r"deleted\.gone"));
    for partition in 0..2 {
        producing.numbers(topic, partition, 0..10);
        reader.expect(topic, partition, 0, 0..10);
    }
    producing.delete(topic);
    for partition in 0..2 {
        reader.until("let go", |heard| {
            let progress = heard.progress.get(&(topic.to_owned(), partition))?;
            let is_told = heard.closed.contains(&(topic.to_owned(), partition));
            (progress.gone && is_told).then_some(())
        });
    }
    let producing = Producing::to(brokers);
    producing.create(topic, 2);
    for partition in 0..2 {
        producing.numbers(topic, partition, 100..110);
        reader.until("begun anew", |heard| {
            (beginnings(heard, topic, partition).len() == 2).then_some(())
        });
        reader.expect(topic, partition, 0, 100..110);
    }
}
