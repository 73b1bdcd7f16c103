use std::sync::atomic::Ordering;

use rdkafka::mocking::MockCluster;

use super::*;
use crate::config::Sources;
use crate::pipeline;

/// The whole node in this process, on ports that the system chooses.
fn node(brokers: &str) -> Config {
    let text = format!(
        "public.listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\n\
         [kafka]\nbrokers = \"{brokers}\"\ntopic_ids = \"none\"\n\
         [session]\ndrain_delay = \"0s\"\n[fanout]\nshards = 1\n\
         [[topics]]\npattern = \"t\"\nformat = \"tapecast\"\n"
    );
    match Config::load(Sources::default().text("test.toml", text)) {
        Ok(config) => config,
        Err(errors) => panic!("{errors}"),
    }
}

#[test]
fn a_publisher_that_panics_ends_the_node_with_an_error() {
    let mock = MockCluster::new(1).unwrap();
    mock.create_topic("t", 1, 1).unwrap();
    let config = node(&mock.bootstrap_servers());
    pipeline::PLANTED.store(true, Ordering::SeqCst);
    let reread = Box::new(|| Ok(Sources::default()));
    let ended = run(config, LogHandle::silent(), reread);
    assert_eq!(
        ended.unwrap_err().to_string(),
        "thread publisher-0 has ended: panicked: planted"
    );
}
