//! The demo's broker is librdkafka's mock, which supports less than a real one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ingest::{HistoryClients, HistoryReader, IngestConfig, Next, Start, Topics};
use market::Seq;
use metrics::label::BrokerError;
use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use crate::producing::Producing;
use crate::reader::{Reader, Told, config};

#[test]
fn the_mock_is_read_too() {
    let mock = MockCluster::new(1).unwrap();
    mock.create_topic("mocked", 2, 1).unwrap();
    let brokers = mock.bootstrap_servers();
    let producing = Producing::to(&brokers);
    producing.numbers("mocked", 0, 0..100);
    let reader = Reader::start(&config(&brokers, "mocked"));
    reader.expect("mocked", 0, 0, 0..100);
    let opened = reader.until("opened", |heard| heard.told("mocked", 0).first().cloned());
    // The mock has no controller to query.
    assert!(matches!(opened, Told::Opened(opened) if opened.identity.topic_id != [0; 16]));
    producing.numbers("mocked", 1, 0..100);
    reader.expect("mocked", 1, 0, 0..100);
    producing.numbers("mocked", 0, 100..200);
    reader.expect("mocked", 0, 0, 0..200);
}

#[test]
fn a_lookback_that_the_broker_does_not_know_begins_at_the_beginning() {
    let mock = MockCluster::new(1).unwrap();
    mock.create_topic("mocked", 1, 1).unwrap();
    let brokers = mock.bootstrap_servers();
    let producing = Producing::to(&brokers);
    producing.numbers("mocked", 0, 0..100);
    let reader = Reader::start(&IngestConfig {
        start: Start::Lookback(Duration::from_secs(3600)),
        ..config(&brokers, "mocked")
    });
    reader.expect("mocked", 0, 0, 0..100);
}

#[test]
fn a_broker_that_is_not_there_yet_is_waited_for() {
    let mock = MockCluster::new(1).unwrap();
    mock.create_topic("mocked", 1, 1).unwrap();
    mock.broker_down(1).unwrap();
    let brokers = mock.bootstrap_servers();
    let reader = Reader::start(&config(&brokers, "mocked"));
    mock.broker_up(1).unwrap();
    Producing::to(&brokers).numbers("mocked", 0, 0..100);
    reader.expect("mocked", 0, 0, 0..100);
}

#[test]
fn a_topic_that_may_not_be_read_is_counted_as_such() {
    let mock = MockCluster::new(1).unwrap();
    mock.create_topic("mocked", 1, 1).unwrap();
    let denied = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    mock.request_errors(RDKafkaApiKey::Fetch, &[denied, denied]);
    let reader = Reader::start(&config(&mock.bootstrap_servers(), "mocked"));
    reader.until("denied", |heard| {
        (heard.troubles[BrokerError::Authorization as usize] > 0).then_some(())
    });
}

#[test]
fn a_broker_that_is_away_is_counted_as_such() {
    let mock = MockCluster::new(1).unwrap();
    mock.create_topic("mocked", 1, 1).unwrap();
    mock.broker_down(1).unwrap();
    let reader = Reader::start(&config(&mock.bootstrap_servers(), "mocked"));
    reader.until("unreachable", |heard| {
        (heard.troubles[BrokerError::Transport as usize] > 0).then_some(())
    });
}

#[test]
fn a_pattern_that_matches_no_topic_is_told_until_one_appears() {
    let mock = MockCluster::new(1).unwrap();
    mock.create_topic("other", 1, 1).unwrap();
    let reader = Reader::start(&config(&mock.bootstrap_servers(), "mocked"));
    reader.until_discovered();
    let told = |heard: &crate::reader::Heard| heard.topics;
    let topics = reader.until("counted", told);
    assert_eq!(
        topics,
        Topics {
            listed: 1,
            matched: 0
        }
    );
    mock.create_topic("mocked", 1, 1).unwrap();
    reader.until("found", |heard| {
        let topics = heard.topics?;
        (topics.matched == 1 && topics.listed == 2).then_some(())
    });
}

#[test]
fn those_who_read_the_past_with_one_client_each_get_all_records_in_their_order() {
    let mock = MockCluster::new(1).unwrap();
    mock.create_topic("mocked", 2, 1).unwrap();
    let brokers = mock.bootstrap_servers();
    let producing = Producing::to(&brokers);
    producing.numbers("mocked", 0, 0..3_000);
    producing.numbers("mocked", 1, 0..1_000);
    let readers = Arc::new(HistoryClients::new(
        config(&brokers, "mocked"),
        1,
        64 * 1024,
    ));
    // Two of them read the same partition at different offsets.
    let mut reading: Vec<_> = [(0, 0), (0, 1_500), (1, 200)]
        .into_iter()
        .map(|(partition, from)| {
            let mut past = HistoryReader::open(&readers, "mocked", partition).unwrap();
            past.seek(Seq(from));
            (past, from, false)
        })
        .collect();
    let deadline = Instant::now() + Duration::from_secs(60);
    while reading.iter().any(|(.., ended)| !ended) {
        assert!(Instant::now() < deadline, "one of them gets nothing");
        for (past, expected, ended) in &mut reading {
            // It reads a page, and then yields its client.
            for _ in 0..500 {
                match past.next(Duration::from_millis(200)).unwrap() {
                    Next::Record { seq, .. } => {
                        assert_eq!(seq, Seq(*expected));
                        *expected += 1;
                        past.skip();
                    }
                    Next::End => *ended = true,
                    Next::Nothing => break,
                }
            }
            past.yield_client();
        }
    }
    let ends: Vec<_> = reading.iter().map(|(_, next, _)| *next).collect();
    assert_eq!(ends, [3_000, 3_000, 1_000]);
}
