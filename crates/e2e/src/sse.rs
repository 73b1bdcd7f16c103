//! A client of Server-Sent Events that reads only when the test does.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::wait;

/// No answer of a node takes longer.
const WITHIN: Duration = Duration::from_secs(20);

/// A connection after the head of its response.
#[derive(Debug)]
pub struct EventSource {
    stream: BufReader<TcpStream>,
    /// The head, in lower case.
    pub head: String,
    /// The id of the last event that had one, as a browser keeps it.
    pub last_id: String,
    /// Comments that were read.
    pub comments: usize,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its kind; `message` where it has none.
    pub kind: String,
    /// Its data, as JSON.
    pub data: Value,
}

impl EventSource {
    /// Asks for a path below `/v1/stream`, resuming after `last_id` unless it is empty.
    #[must_use]
    pub fn open(address: SocketAddr, query: &str, last_id: &str) -> Self {
        let mut stream = TcpStream::connect(address).expect("the node listens");
        stream
            .set_read_timeout(Some(WITHIN))
            .expect("a socket has a time-out");
        let resume = if last_id.is_empty() {
            String::new()
        } else {
            format!("Last-Event-ID: {last_id}\r\n")
        };
        let request = format!(
            "GET /v1/stream?{query} HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n{resume}\r\n"
        );
        stream
            .write_all(request.as_bytes())
            .expect("the node takes a request");
        let mut events = Self {
            stream: BufReader::new(stream),
            head: String::new(),
            last_id: last_id.to_owned(),
            comments: 0,
        };
        while !events.head.ends_with("\r\n\r\n") {
            let mut line = String::new();
            let read = events.stream.read_line(&mut line);
            assert!(read.is_ok_and(|read| read > 0), "no head: {}", events.head);
            events.head.push_str(&line.to_ascii_lowercase());
        }
        events
    }

    /// The next event; none when the node ended the connection.
    pub fn event(&mut self) -> Option<Event> {
        let (mut kind, mut data) = ("message".to_owned(), String::new());
        loop {
            let mut line = String::new();
            let read = self.stream.read_line(&mut line).expect("an event in time");
            if read == 0 {
                return None;
            }
            let line = line.trim_end_matches('\n');
            match line.split_once(": ").unwrap_or((line, "")) {
                ("", "") if data.is_empty() => {}
                ("", "") => {
                    let data = serde_json::from_str(&data).expect("the data is json");
                    return Some(Event { kind, data });
                }
                ("id", id) => self.last_id = id.to_owned(),
                ("event", name) => name.clone_into(&mut kind),
                ("data", text) => data.push_str(text),
                (":", _) => self.comments += 1,
                ("retry", _) => {}
                (other, _) => panic!("no field of an event: {other:?}"),
            }
        }
    }

    /// The next message that matches; skips others.
    pub fn message(&mut self, of: impl Fn(&Value) -> bool) -> Option<Value> {
        wait::until_read(WITHIN, "a message", || {
            let Some(event) = self.event() else {
                return Some(None);
            };
            (event.kind == "message" && of(&event.data)).then_some(Some(event.data))
        })
    }

    /// The answer to the request, which is the first event.
    pub fn answer(&mut self) -> Value {
        let event = self.event().expect("the node answers");
        assert_eq!(event.kind, "answer", "{event:?}");
        event.data
    }

    /// All that is left, as bytes.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.stream
            .read_to_end(&mut rest)
            .expect("the node ends the connection");
        rest
    }
}
