use ingest::{IngestConfig, Start};
use std::time::Duration;

use crate::producing::Producing;
use crate::reader::{Reader, config};
use crate::shared_broker;

#[test]
fn new_topics_and_partitions_are_found_and_read_from_their_beginning() {
    let brokers = shared_broker().bootstrap();
    let producing = Producing::to(brokers);
    producing.create("found.first", 1);
    producing.create("notfound", 1);
    let reader = Reader::start(&IngestConfig {
        // Later topics are read from their start, however old their records are.
        start: Start::Lookback(Duration::ZERO),
        threads: 2,
        ..config(brokers, r"found\..*")
    });
    reader.until_discovered();
    producing.numbers("found.first", 0, 0..10);
    producing.numbers("notfound", 0, 0..10);
    reader.expect("found.first", 0, 0, 0..10);

    producing.create("found.second", 2);
    producing.numbers("found.second", 0, 100..110);
    producing.numbers("found.second", 1, 200..210);
    reader.expect("found.second", 0, 0, 100..110);
    reader.expect("found.second", 1, 0, 200..210);

    producing.grow("found.first", 2);
    // The producer has to learn of the topic, too.
    let producing = Producing::to(brokers);
    producing.numbers("found.first", 1, 300..310);
    reader.expect("found.first", 1, 0, 300..310);

    producing.numbers("found.first", 0, 10..20);
    reader.expect("found.first", 0, 0, 0..20);
    let (known, new_clients) = reader.until("all", |heard| {
        let known: Vec<_> = heard.partitions.keys().cloned().collect();
        Some((known, heard.new_clients))
    });
    assert_eq!(known.len(), 4, "{known:?}");
    assert_eq!(new_clients, 0, "nobody was disturbed");
}
