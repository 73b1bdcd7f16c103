use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

/// The end of a partition, as last reported to its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Watermark {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    /// The offset after the last record; negative if unknown.
    pub(crate) high: i64,
    /// The end that the client has fetched up to; negative if it has not reached one.
    pub(crate) fetched_to: i64,
}

/// The parts of the statistics that are used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BrokerReport {
    pub(super) watermarks: Vec<Watermark>,
    /// The time since a broker last responded; `None` if none has on an open connection.
    pub(super) silence: Option<Duration>,
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
    /// The microseconds since something was received; negative if nothing was on this connection.
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

/// Parses the statistics that librdkafka reports as JSON once a second.
pub(super) fn read(json: &[u8]) -> Result<BrokerReport, serde_json::Error> {
    let statistics: Statistics = serde_json::from_slice(json)?;
    let brokers = statistics.brokers.values();
    let silence = brokers.filter_map(|broker| u64::try_from(broker.rxidle).ok());
    let silence = silence.min().map(Duration::from_micros);
    let mut watermarks = Vec::new();
    for (name, topic) in statistics.topics {
        // Partition -1 stands for partitions that are not known yet.
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
    Ok(BrokerReport {
        watermarks,
        silence,
    })
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
        let report = read(json).unwrap();
        assert_eq!(report.watermarks, [expected]);
        assert_eq!(report.silence, Some(Duration::from_millis(7)));
        assert_eq!(read(b"{}").unwrap().silence, None);
        assert!(read(b"[").is_err());
    }
}
