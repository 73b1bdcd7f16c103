//! Producers may compress in any way.

use rdkafka::mocking::MockCluster;

use crate::producing::Producing;
use crate::reader::{Reader, config};

#[test]
fn compressed_records_are_read_whatever_their_codec() {
    let mock = MockCluster::new(1).unwrap();
    let brokers = mock.bootstrap_servers();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        mock.create_topic(codec, 1, 1).unwrap();
        // A codec that librdkafka was built without fails here.
        let properties = [("compression.type", codec), ("linger.ms", "20")];
        Producing::with(&brokers, &properties).numbers(codec, 0, 0..1000);
    }
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let reader = Reader::start(&config(&brokers, codec));
        reader.expect(codec, 0, 0, 0..1000);
    }
}
