use std::time::{Duration, SystemTime};

use ingest::{IngestConfig, Start};
use metrics::label::DecodeOutcome;

use crate::producing::{Producing, trade};
use crate::reader::{Reader, Told, config};
use crate::shared_broker;

#[test]
fn everything_is_read_in_order_by_whoever_reads_it() {
    let brokers = shared_broker().bootstrap();
    let producing = Producing::to(brokers);
    producing.create("read.order", 3);
    for number in 0..3000 {
        for partition in 0..3 {
            producing.number("read.order", partition, number * 10 + i64::from(partition));
        }
    }
    producing.flush();

    let reader = Reader::start(&IngestConfig {
        threads: 2,
        ..config(brokers, r"read\.order")
    });
    reader.until_discovered();
    for partition in 0..3 {
        let got = reader.until("all numbers", |heard| {
            let got = heard.numbers("read.order", partition);
            (got.len() == 3000).then_some(got)
        });
        let expected = (0..3000).map(|number| (number, number * 10 + i64::from(partition)));
        assert_eq!(got, expected.collect::<Vec<_>>());
    }
    let told = reader.until("caught up", |heard| {
        let told = heard.told("read.order", 2);
        told.contains(&Told::CaughtUp).then(|| told.to_vec())
    });
    let Told::Opened(opened) = &told[0] else {
        panic!("{:?}", told[0]);
    };
    assert_ne!(opened.identity.topic_id, [0; 16]);
    assert_eq!((opened.start_offset.0, opened.end_offset.0), (0, 3000));
    assert_eq!(told[3001], Told::CaughtUp);
}

#[test]
fn what_comes_later_is_read_when_it_comes() {
    let brokers = shared_broker().bootstrap();
    let producing = Producing::to(brokers);
    producing.create("read.later", 1);
    let reader = Reader::start(&config(brokers, r"read\.later"));
    reader.until("caught up", |heard| {
        heard
            .told("read.later", 0)
            .contains(&Told::CaughtUp)
            .then_some(())
    });
    producing.numbers("read.later", 0, 0..10);
    reader.expect("read.later", 0, 0, 0..10);
    let progress = reader.until("the progress", |heard| {
        let progress = heard.progress.get(&("read.later".to_owned(), 0))?;
        (progress.position == 10).then(|| progress.clone())
    });
    assert_eq!(progress.outcomes[DecodeOutcome::Event as usize], 10);
    assert_eq!((progress.records(), progress.lag()), (10, 0));
    assert!(progress.bytes > 10 * 60 && progress.last_log_time.0 > 0);
}

#[test]
fn a_record_that_cannot_be_read_is_told_and_the_partition_goes_on() {
    let brokers = shared_broker().bootstrap();
    let producing = Producing::to(brokers);
    producing.create("read.bad", 1);
    let huge = format!("{{\"a\":\"{}\"}}", "x".repeat(10 << 20));
    let good = |number| producing.number("read.bad", 0, number);
    good(0);
    producing.record("read.bad", 0, None, None);
    producing.record("read.bad", 0, Some(b""), None);
    producing.record("read.bad", 0, Some(huge.as_bytes()), None);
    producing.record("read.bad", 0, Some(b"{\"type\":"), None);
    producing.record("read.bad", 0, Some(b"[]"), None);
    good(6);
    producing.flush();

    let reader = Reader::start(&config(brokers, r"read\.bad"));
    reader.expect("read.bad", 0, 0, 0..1);
    let told = reader.until("all", |heard| {
        let told = heard.told("read.bad", 0);
        told.contains(&Told::CaughtUp).then(|| told.to_vec())
    });
    let expected = [
        Told::Number(0, 0),
        Told::Refused(1, DecodeOutcome::Tombstone),
        Told::Refused(2, DecodeOutcome::Empty),
        Told::Refused(3, DecodeOutcome::TooLarge),
        Told::Refused(4, DecodeOutcome::MalformedJson),
        Told::Refused(5, DecodeOutcome::WrongShape),
        Told::Number(6, 6),
        Told::CaughtUp,
    ];
    assert_eq!(told[1..], expected);
}

#[test]
fn a_partition_that_ends_in_the_mark_of_a_transaction_is_caught_up() {
    let brokers = shared_broker().bootstrap();
    let producing = Producing::with(brokers, &[("transactional.id", "read.transaction")]);
    producing.create("read.transaction", 1);
    producing.transaction("read.transaction", 0..5);
    let reader = Reader::start(&config(brokers, r"read\.transaction"));
    let told = reader.until("caught up", |heard| {
        let told = heard.told("read.transaction", 0);
        told.contains(&Told::CaughtUp).then(|| told.to_vec())
    });
    let Told::Opened(opened) = &told[0] else {
        panic!("{:?}", told[0]);
    };
    assert_eq!(opened.end_offset.0, 6, "five records and a mark");
    assert_eq!(told[5..], [Told::Number(4, 4), Told::CaughtUp]);
}

#[test]
fn a_lookback_begins_at_the_first_record_that_is_young_enough() {
    let brokers = shared_broker().bootstrap();
    let producing = Producing::to(brokers);
    producing.create("read.back", 2);
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    let now = i64::try_from(now.as_millis()).unwrap();
    for (number, age_minutes) in [(0, 120), (1, 90), (2, 10), (3, 5)] {
        let payload = trade(number);
        let timestamp = Some(now - age_minutes * 60_000);
        producing.record("read.back", 0, Some(payload.as_bytes()), timestamp);
        // No record of this partition is recent enough, but it has a book that is needed.
        let old = Some(now - (age_minutes + 120) * 60_000);
        producing.record("read.back", 1, Some(payload.as_bytes()), old);
        producing.flush();
    }
    let reader = Reader::start(&IngestConfig {
        start: Start::Lookback(Duration::from_secs(3600)),
        ..config(brokers, r"read\.back")
    });
    reader.expect("read.back", 0, 2, 2..4);
    reader.expect("read.back", 1, 0, 0..4);
}
