use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

/// Where a partition's log ends, as its client last heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Watermark {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    /// The offset behind the last record; below zero when it is not known.
    pub(crate) high: i64,
    /// The end that the client has fetched up to; below zero when it has not come to one.
    pub(crate) fetched_to: i64,
}

/// What the statistics say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) watermarks: Vec<Watermark>,
    /// How long ago a broker said anything; `None` where none has on a connection that stands.
    pub(super) silent: Option<Duration>,
}

#[derive(Deserialize)]
struct Statistics {
    #[serde(default)]
    brokers: BTreeMap<String, Broker>,
    #[serde(default)]
    topics: BTreeMap<String, Topic>,
}

#[derive(Deserialize)]
struct Broker {
    /// Microseconds since something was received; below zero where nothing was on this connection.
    #[serde(default = "never")]
    rxidle: i64,
}

const fn never() -> i64 {
    -1
}

#[derive(Deserialize)]
struct Topic {
    #[serde(default)]
    partitions: BTreeMap<String, Partition>,
}

#[derive(Deserialize)]
struct Partition {
    partition: i32,
    hi_offset: i64,
    eof_offset: i64,
}

/// Reads the statistics that librdkafka gives as JSON, once a second.
pub(super) fn read(json: &[u8]) -> Result<Told, serde_json::Error> {
    let statistics: Statistics = serde_json::from_slice(json)?;
    let brokers = statistics.brokers.values();
    let silent = brokers.filter_map(|broker| u64::try_from(broker.rxidle).ok());
    let silent = silent.min().map(Duration::from_micros);
    let mut watermarks = Vec::new();
    for (name, topic) in statistics.topics {
        // The partition -1 stands for those that are not known yet.
        for one in topic
            .partitions
            .into_values()
            .filter(|one| one.partition >= 0)
        {
            watermarks.push(Watermark {
                topic: name.clone(),
                partition: one.partition,
                high: one.hi_offset,
                fetched_to: one.eof_offset,
            });
        }
    }
    Ok(Told { watermarks, silent })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_partitions_and_the_silence_of_brokers_are_read() {
        let json = br#"{"name":"x","brokers":{
            "a:1/1":{"name":"a:1/1","state":"UP","rxidle":7000},
            "a:2/2":{"name":"a:2/2","state":"UP","rxidle":9000},
            "a:1/bootstrap":{"name":"a:1/bootstrap","state":"INIT","rxidle":-1}},"topics":{"t":{"topic":"t","partitions":{
            "0":{"partition":0,"hi_offset":7,"eof_offset":6,"lo_offset":1},
            "-1":{"partition":-1,"hi_offset":-1001,"eof_offset":-1001}}}}}"#;
        let expected = Watermark {
            topic: "t".to_owned(),
            partition: 0,
            high: 7,
            fetched_to: 6,
        };
        let told = read(json).unwrap();
        assert_eq!(told.watermarks, [expected]);
        assert_eq!(told.silent, Some(Duration::from_millis(7)));
        assert_eq!(read(b"{}").unwrap().silent, None);
        assert!(read(b"[").is_err());
    }
}
