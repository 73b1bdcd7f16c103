//! A producer that sends anything: any bytes, no bytes, any partition.
//!
//! It implements just enough of Kafka's protocol for one broker: CreateTopics version 2, Produce version 3 with
//! record batches of version 2.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::wait;

const PRODUCE: i16 = 0;
const CREATE_TOPICS: i16 = 19;
const DELETE_TOPICS: i16 = 20;
/// A broker on the same machine.
const WITHIN: Duration = Duration::from_secs(20);
const MILLIS: i32 = 20_000;
/// The topic has no leader yet.
const NOT_YET: [i16; 3] = [3, 5, 6];
/// What a topic of the tests takes.
const MAX_RECORD: &str = "16777216";

/// A connection to the only broker of a cluster.
#[derive(Debug)]
pub struct Kafka {
    stream: TcpStream,
}

/// A record; without a value it is a tombstone.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// The key, if any.
    pub key: Option<Vec<u8>>,
    /// The value, if any.
    pub value: Option<Vec<u8>>,
}

impl Record {
    /// A record without a key.
    pub fn of(value: impl Into<Vec<u8>>) -> Self {
        Self {
            key: None,
            value: Some(value.into()),
        }
    }

    /// A key without a value.
    pub fn tombstone(key: impl Into<Vec<u8>>) -> Self {
        Self {
            key: Some(key.into()),
            value: None,
        }
    }
}

impl Kafka {
    /// Connects.
    #[must_use]
    pub fn connect(bootstrap: &str) -> Self {
        let stream = TcpStream::connect(bootstrap).expect("the broker listens");
        stream
            .set_read_timeout(Some(WITHIN))
            .expect("a socket has a time-out");
        Self { stream }
    }

    /// Creates a topic that takes large records.
    pub fn create(&mut self, topic: &str, partitions: i32) {
        self.create_all(&[topic], partitions);
    }

    /// Creates topics that take large records, all at once.
    pub fn create_all(&mut self, topics: &[&str], partitions: i32) {
        let mut body = Vec::new();
        put_i32(&mut body, i32::try_from(topics.len()).expect("few topics"));
        for topic in topics {
            put_text(&mut body, topic);
            put_i32(&mut body, partitions);
            put_i16(&mut body, 1);
            put_i32(&mut body, 0);
            put_i32(&mut body, 1);
            put_text(&mut body, "max.message.bytes");
            put_text(&mut body, MAX_RECORD);
        }
        put_i32(&mut body, MILLIS);
        body.push(0);
        let answer = self.ask(CREATE_TOPICS, 2, &body);
        // throttle, count of topics; of each its name, its error and a message, if any
        let number = |at: usize| i16::from_be_bytes([answer[at], answer[at + 1]]);
        let mut at = 8;
        for _ in topics {
            let name = at + 2..at + 2 + usize::try_from(number(at)).expect("a topic has a name");
            let error = number(name.end);
            let topic = String::from_utf8_lossy(&answer[name.clone()]);
            assert!(error == 0, "topic {topic} cannot be created: error {error}");
            let message = usize::try_from(number(name.end + 2)).unwrap_or(0);
            at = name.end + 4 + message;
        }
    }

    /// Deletes a topic.
    pub fn delete(&mut self, topic: &str) {
        let mut body = Vec::new();
        put_i32(&mut body, 1);
        put_text(&mut body, topic);
        put_i32(&mut body, MILLIS);
        let answer = self.ask(DELETE_TOPICS, 1, &body);
        // throttle, count of topics, the name, its error
        let at = 4 + 4 + 2 + topic.len();
        let error = i16::from_be_bytes([answer[at], answer[at + 1]]);
        assert!(error == 0, "topic {topic} cannot be deleted: error {error}");
    }

    /// Appends records in their order; the offset of the first one.
    pub fn produce(&mut self, topic: &str, partition: i32, records: &[Record]) -> i64 {
        let mut body = Vec::new();
        put_i16(&mut body, -1);
        put_i16(&mut body, -1);
        put_i32(&mut body, MILLIS);
        put_i32(&mut body, 1);
        put_text(&mut body, topic);
        put_i32(&mut body, 1);
        put_i32(&mut body, partition);
        let batch = batch(records);
        put_i32(
            &mut body,
            i32::try_from(batch.len()).expect("a small batch"),
        );
        body.extend_from_slice(&batch);
        wait::until(WITHIN, "a leader of the topic", || {
            let answer = self.ask(PRODUCE, 3, &body);
            // one topic, its name, one partition, its number, its error, the offset
            let at = 4 + 2 + topic.len() + 4 + 4;
            let error = i16::from_be_bytes([answer[at], answer[at + 1]]);
            if NOT_YET.contains(&error) {
                return None;
            }
            assert!(error == 0, "records are rejected: error {error}");
            let offset = answer[at + 2..at + 10].try_into().expect("eight bytes");
            Some(i64::from_be_bytes(offset))
        })
    }

    fn ask(&mut self, key: i16, version: i16, body: &[u8]) -> Vec<u8> {
        let mut request = Vec::new();
        put_i16(&mut request, key);
        put_i16(&mut request, version);
        put_i32(&mut request, 7);
        put_text(&mut request, "e2e");
        request.extend_from_slice(body);
        let length = i32::try_from(request.len()).expect("a small request");
        let sent = self.stream.write_all(&length.to_be_bytes());
        sent.and_then(|()| self.stream.write_all(&request))
            .expect("a broker takes requests");
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).expect("an answer");
        let length = u32::from_be_bytes(length);
        let mut answer = vec![0; usize::try_from(length).expect("a small answer")];
        self.stream
            .read_exact(&mut answer)
            .expect("a complete answer");
        answer.split_off(4)
    }
}

fn batch(records: &[Record]) -> Vec<u8> {
    let count = i32::try_from(records.len()).expect("few records");
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(0));
    let mut checked = Vec::new();
    put_i16(&mut checked, 0);
    put_i32(&mut checked, count - 1);
    checked.extend_from_slice(&now.to_be_bytes());
    checked.extend_from_slice(&now.to_be_bytes());
    checked.extend_from_slice(&(-1_i64).to_be_bytes());
    put_i16(&mut checked, -1);
    put_i32(&mut checked, -1);
    put_i32(&mut checked, count);
    for (offset, record) in (0..).zip(records) {
        let mut one = vec![0];
        put_varint(&mut one, 0);
        put_varint(&mut one, offset);
        for field in [&record.key, &record.value] {
            match field {
                Some(bytes) => {
                    put_varint(&mut one, i64::try_from(bytes.len()).expect("few bytes"));
                    one.extend_from_slice(bytes);
                }
                None => put_varint(&mut one, -1),
            }
        }
        put_varint(&mut one, 0);
        put_varint(&mut checked, i64::try_from(one.len()).expect("few bytes"));
        checked.extend_from_slice(&one);
    }
    let mut batch = 0_i64.to_be_bytes().to_vec();
    put_i32(
        &mut batch,
        i32::try_from(checked.len() + 9).expect("few bytes"),
    );
    put_i32(&mut batch, -1);
    batch.push(2);
    batch.extend_from_slice(&crc32c(&checked).to_be_bytes());
    batch.extend_from_slice(&checked);
    batch
}

fn put_i16(out: &mut Vec<u8>, value: i16) {
    out.extend_from_slice(&value.to_be_bytes());
}

fn put_i32(out: &mut Vec<u8>, value: i32) {
    out.extend_from_slice(&value.to_be_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_i16(out, i16::try_from(text.len()).expect("a short text"));
    out.extend_from_slice(text.as_bytes());
}

/// Zigzag, then seven bits a byte.
fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push(u8::try_from(rest & 0x7f).unwrap_or(0) | 0x80);
        rest >>= 7;
    }
    out.push(u8::try_from(rest).unwrap_or(0));
}

/// Castagnoli's polynomial, bit by bit in the table's making.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut table = [0_u32; 256];
    for (index, entry) in (0_u32..).zip(&mut table) {
        *entry = (0..8).fold(index, |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0x82f6_3b78
            } else {
                crc >> 1
            }
        });
    }
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        let index = usize::from(crc.to_le_bytes()[0] ^ byte);
        (crc >> 8) ^ table[index]
    })
}

#[cfg(test)]
mod tests {
    use super::crc32c;

    #[test]
    fn the_checksum_is_castagnolis() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }
}
