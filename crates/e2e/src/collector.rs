//! An OpenTelemetry collector that keeps the spans it receives.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

/// A span, and the node that reported it.
#[derive(Debug, Clone)]
pub struct Reported {
    /// `service.instance.id`.
    pub instance: String,
    /// The span.
    pub span: Span,
}

/// Listens until the process ends.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    reported: Arc<Mutex<Vec<Reported>>>,
}

impl Collector {
    /// Listens on a port of its own.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let reported = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&reported);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let reported = Arc::clone(&all);
                std::thread::spawn(move || serve(stream, &reported));
            }
        });
        Self { address, reported }
    }

    /// What a node is configured with.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All spans so far.
    #[must_use]
    pub fn reported(&self) -> Vec<Reported> {
        let reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        reported.clone()
    }
}

/// The value of an attribute, as text.
#[must_use]
pub fn attribute(of: &[KeyValue], name: &str) -> Option<String> {
    let found = of.iter().find(|one| one.key == name)?;
    match &found.value {
        Some(AnyValue {
            value: Some(Value::StringValue(text)),
        }) => Some(text.clone()),
        Some(AnyValue {
            value: Some(Value::IntValue(number)),
        }) => Some(number.to_string()),
        _ => None,
    }
}

/// Requests on one connection, until it ends.
fn serve(stream: TcpStream, reported: &Mutex<Vec<Reported>>) {
    let mut answers = stream.try_clone().expect("a socket can be cloned");
    let mut requests = BufReader::new(stream);
    while let Some(body) = read(&mut requests) {
        let request = ExportTraceServiceRequest::decode(&*body).expect("it is OTLP");
        let mut reported = reported.lock().unwrap_or_else(PoisonError::into_inner);
        for resource in request.resource_spans {
            let about = resource.resource.unwrap_or_default().attributes;
            let instance = attribute(&about, "service.instance.id").unwrap_or_default();
            let spans = resource.scope_spans.into_iter().flat_map(|one| one.spans);
            reported.extend(spans.map(|span| Reported {
                instance: instance.clone(),
                span,
            }));
        }
        drop(reported);
        let answer =
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
        if answers.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// The body of the next request; none when there is no other.
fn read(requests: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut line = String::new();
    requests.read_line(&mut line).ok()?;
    if line.is_empty() {
        return None;
    }
    assert!(line.starts_with("POST /v1/traces "), "{line}");
    let mut length = None;
    loop {
        line.clear();
        requests.read_line(&mut line).ok()?;
        let header = line.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok();
        }
    }
    let mut body = vec![0; length.expect("a request has a length")];
    requests.read_exact(&mut body).ok()?;
    Some(body)
}
