use hyper::Uri;

use super::kind::{filled, integer, parsed};
use super::reader::Reader;
use super::section::{Section as _, section};
use crate::traces::TraceSettings;

section! {
    Traces in "traces":
    /// An OpenTelemetry collector that accepts OTLP over HTTP, at `/v1/traces` below this;
    /// `OTEL_EXPORTER_OTLP_HEADERS` adds headers.
    fixed endpoint: String = parsed(
        "an http URL without a path, such as \"http://127.0.0.1:4318\"",
        collector,
    ), absent "none: nothing is traced";
    // Ten per second at 100,000 records a second, which is plenty.
    /// One record in this many is traced from Kafka to the sockets; every node traces the same ones.
    fixed one_in: u64 = integer(1, 1_000_000_000), default "10000";
    /// The node's `service.name`.
    fixed service: String = filled("a name"), default "tapecast";
}

pub(super) fn read(reader: &mut Reader) -> TraceSettings {
    let traces = Traces::read(reader);
    TraceSettings {
        endpoint: traces.endpoint,
        one_in: traces.one_in,
        service: traces.service,
    }
}

fn collector(text: &str) -> Option<String> {
    let uri: Uri = text.parse().ok()?;
    let is_bare = uri.path() == "/" && uri.query().is_none();
    let is_one = uri.scheme_str() == Some("http") && uri.authority().is_some() && is_bare;
    is_one.then(|| text.to_owned())
}
