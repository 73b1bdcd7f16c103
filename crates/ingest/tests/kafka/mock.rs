//! The demo's broker is librdkafka's mock, which knows less than a real one.

use std::time::Duration;

use ingest::{IngestConfig, Start};
use rdkafka::mocking::MockCluster;

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
    // The mock has no controller to ask.
    assert!(matches!(opened, Told::Opened(about) if about.topic_id != [0; 16]));
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
