use std::time::Instant;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;

use super::{AdminState, status};
use crate::threads::failure::ThreadFailure;

/// Partitions listed in a response, which always has their total.
const NAMED_PARTITIONS: usize = 100;

/// Query that asks for 404 instead of 503. To HAProxy, 404 means that the node gets no new sessions but keeps
/// those it has; any other failure means that the node and all of its sessions are gone.
const SOFT: &str = "else=404";

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const METRICS: HeaderValue = HeaderValue::from_static(metrics::CONTENT_TYPE);

pub(super) type Answer = Response<Full<Bytes>>;

pub(super) fn answer(state: &AdminState, request: &Request<Incoming>) -> Answer {
    let method = request.method();
    let is_read = method == Method::GET || method == Method::HEAD;
    match request.uri().path() {
        "/metrics" if is_read => metrics(state),
        "/healthz" if is_read => health(state),
        "/readyz" if is_read => readiness(state, request.uri().query()),
        "/drain" if method == Method::POST => drain(state),
        "/status" if is_read => status(state),
        "/reload" if method == Method::POST => reload(state),
        "/metrics" | "/healthz" | "/readyz" | "/status" => wrong_method("GET, HEAD"),
        "/drain" | "/reload" => wrong_method("POST"),
        _ => respond(
            StatusCode::NOT_FOUND,
            TEXT,
            "there are /status, /metrics, /healthz, /readyz, POST /drain and POST /reload\n",
        ),
    }
}

fn status(state: &AdminState) -> Answer {
    let mut answer = respond(StatusCode::OK, HTML, status::page(state));
    // No scripts, wherever a text came from.
    answer.headers_mut().insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"),
    );
    answer
}

/// Errors read as they do at startup, with secrets redacted.
fn reload(state: &AdminState) -> Answer {
    match (state.reload)() {
        Ok(restart) => {
            let body = json!({ "reloaded": true, "needs_restart": restart });
            respond(StatusCode::OK, JSON, line(&body))
        }
        Err(error) => {
            let body = json!({ "reloaded": false, "error": format!("{error:#}") });
            respond(StatusCode::UNPROCESSABLE_ENTITY, JSON, line(&body))
        }
    }
}

fn metrics(state: &AdminState) -> Answer {
    let report = state.readiness.report();
    let node = state.registry.node();
    node.ready.set(u64::from(report.ready));
    node.draining.set(u64::from(report.draining));
    let behind = u64::try_from(report.behind.len()).unwrap_or(u64::MAX);
    node.partitions_behind.set(behind);
    if let Some(topics) = report.topics {
        node.topics_listed.set(topics.listed);
        node.topics_matched.set(topics.matched);
    }
    match state.registry.render() {
        Ok(text) => respond(StatusCode::OK, METRICS, text),
        Err(error) => {
            tracing::error!(%error, "cannot render the metrics");
            let body = format!("cannot render the metrics: {error}\n");
            respond(StatusCode::INTERNAL_SERVER_ERROR, TEXT, body)
        }
    }
}

fn health(state: &AdminState) -> Answer {
    let stuck = state.readiness.stuck(Instant::now());
    let failed = state.readiness.report().failed;
    let healthy = stuck.is_empty() && failed.is_empty();
    let body = json!({
        "healthy": healthy,
        "stuck_publishers": stuck,
        "failed_threads": failed_threads(&failed),
    });
    respond(code(healthy), JSON, line(&body))
}

fn readiness(state: &AdminState, query: Option<&str>) -> Answer {
    let report = state.readiness.report();
    let named = report.behind.iter().take(NAMED_PARTITIONS);
    let named: Vec<_> = named
        .map(|(topic, partition)| json!({ "topic": &**topic, "partition": partition }))
        .collect();
    let body = json!({
        "ready": report.ready,
        "draining": report.draining,
        "publishers_starting": report.starting,
        "publishers_cut_off": report.cut_off,
        "partitions_behind": report.behind.len(),
        "behind": named,
        "topics_listed": report.topics.map(|topics| topics.listed),
        "topics_matched": report.topics.map(|topics| topics.matched),
        "failed_threads": failed_threads(&report.failed),
        "reasons": report.reasons(),
    });
    let status = match code(report.ready) {
        StatusCode::SERVICE_UNAVAILABLE if query == Some(SOFT) => StatusCode::NOT_FOUND,
        status => status,
    };
    respond(status, JSON, line(&body))
}

fn failed_threads(failed: &[ThreadFailure]) -> serde_json::Value {
    let failed = failed.iter();
    failed
        .map(|failure| json!({ "thread": failure.thread, "cause": failure.cause }))
        .collect()
}

fn drain(state: &AdminState) -> Answer {
    if state.readiness.drain() {
        tracing::info!("asked to drain");
        (state.drain)();
    }
    respond(
        StatusCode::ACCEPTED,
        JSON,
        line(&json!({ "draining": true })),
    )
}

fn wrong_method(allowed: &'static str) -> Answer {
    let body = format!("allowed: {allowed}\n");
    let mut answer = respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, body);
    answer
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

fn code(is_good: bool) -> StatusCode {
    if is_good {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

fn line(body: &serde_json::Value) -> String {
    format!("{body}\n")
}

fn respond(status: StatusCode, kind: HeaderValue, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    // The state of a node is stale as soon as it is cached.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
