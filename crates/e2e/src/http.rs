//! What operators ask: plain HTTP/1.1, one request a connection.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An answer that takes longer is none.
const WITHIN: Duration = Duration::from_secs(5);

/// The status and the body of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Such as 200.
    pub status: u16,
    /// Everything after the head.
    pub body: String,
}

/// Requests a path; `None` without a response.
#[must_use]
pub fn get(address: SocketAddr, path: &str) -> Option<Answer> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    ask(address, &request)
}

/// Sends any request; `None` without a response.
#[must_use]
pub fn ask(address: SocketAddr, request: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, WITHIN).ok()?;
    stream.set_read_timeout(Some(WITHIN)).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut bytes = Vec::new();
    // A node that leaves the connection open has answered all the same.
    let _end = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer {
        status,
        body: body.to_owned(),
    })
}

/// An answer with its head, and its body as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Such as 200.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// Everything after the head.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header; its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }
}

/// Sends a request with any method and headers, each `Name: value`.
#[must_use]
pub fn fetch(address: SocketAddr, method: &str, path: &str, headers: &[&str]) -> Response {
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    let mut stream = TcpStream::connect_timeout(&address, WITHIN).expect("the node listens");
    stream
        .set_read_timeout(Some(WITHIN))
        .expect("a socket has a time-out");
    stream
        .write_all(request.as_bytes())
        .expect("the node takes a request");
    let mut bytes = Vec::new();
    // Of a response that does not end, such as events, this reads what came in time.
    let _end = stream.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.expect("an answer has a head");
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(": "));
    Response {
        status: status.expect("an answer has a status"),
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
        body: bytes[end + 4..].to_vec(),
    }
}

/// The sum of a family's samples whose labels have all of these texts in them.
#[must_use]
pub fn metric(metrics: &str, family: &str, labels: &[&str]) -> f64 {
    let samples = metrics.lines().filter(|line| {
        line.strip_prefix(family)
            .is_some_and(|rest| rest.starts_with(['{', ' ']))
            && labels.iter().all(|label| line.contains(label))
    });
    samples
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// The records of a topic by what became of them, those of which there are any.
#[must_use]
pub fn outcomes(metrics: &str, topic: &str) -> BTreeMap<String, u32> {
    let label = format!("topic=\"{topic}\"");
    let lines = metrics
        .lines()
        .filter(|line| line.starts_with("tapecast_records_total{") && line.contains(&label));
    let outcomes = lines.filter_map(|line| {
        let outcome = line.split("outcome=\"").nth(1)?.split('"').next()?;
        let count = line.rsplit(' ').next()?.parse().ok()?;
        Some((outcome.to_owned(), count))
    });
    outcomes.filter(|(_, count)| *count > 0).collect()
}
