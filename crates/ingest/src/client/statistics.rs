use std::collections::BTreeMap;

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

#[derive(Deserialize)]
struct Statistics {
    #[serde(default)]
    topics: BTreeMap<String, Topic>,
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
pub(super) fn watermarks(json: &[u8]) -> Result<Vec<Watermark>, serde_json::Error> {
    let statistics: Statistics = serde_json::from_slice(json)?;
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
    Ok(watermarks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_partitions_are_read() {
        let json = br#"{"name":"x","brokers":{},"topics":{"t":{"topic":"t","partitions":{
            "0":{"partition":0,"hi_offset":7,"eof_offset":6,"lo_offset":1},
            "-1":{"partition":-1,"hi_offset":-1001,"eof_offset":-1001}}}}}"#;
        let expected = Watermark {
            topic: "t".to_owned(),
            partition: 0,
            high: 7,
            fetched_to: 6,
        };
        assert_eq!(watermarks(json).unwrap(), [expected]);
        assert_eq!(watermarks(b"{}").unwrap(), []);
        assert!(watermarks(b"[").is_err());
    }
}
