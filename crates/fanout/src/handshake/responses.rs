//! Responses that the fan-out itself sends on the public port.

use hyper::header::{
    CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{HeaderMap, Response, StatusCode};
use metrics::label::HandshakeRefusal;

use super::head::HeadError;
use crate::pages::Body;

/// Marks a response as the last of its connection.
pub(super) fn last(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    let close = if headers.contains_key(UPGRADE) {
        // RFC 9110, section 7.8: a sender of `Upgrade` lists it in `Connection`.
        HeaderValue::from_static("upgrade, close")
    } else {
        HeaderValue::from_static("close")
    };
    headers.insert(CONNECTION, close);
    response
}

/// The response to a connection over the limits of its address. It does not depend on the request,
/// so a flood costs one write per connection.
pub(super) const TOO_MANY: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\n\
    content-type: text/plain; charset=utf-8\r\ncontent-length: 57\r\nretry-after: 1\r\n\
    connection: close\r\n\r\n\
    too many connections come from this address, or too fast\n";

/// Returns the response to a request with a malformed head.
pub(super) fn reject(error: HeadError) -> Response<Body> {
    let mut response = refuse(error.status(), format!("{error}\n"));
    let headers = response.headers_mut();
    if error.status() == StatusCode::UPGRADE_REQUIRED {
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    }
    response
}

/// Below `/v1` every error is JSON.
pub(super) fn in_json(why: HandshakeRefusal, mut response: Response<Body>) -> Response<Body> {
    let error = match why {
        HandshakeRefusal::Draining => {
            r#"{"error":{"code":"draining","message":"this node is stopping; another one serves you"}}"#
        }
        HandshakeRefusal::NotReady => {
            r#"{"error":{"code":"not_ready","message":"this node has not caught up with the market; another one serves you"}}"#
        }
        HandshakeRefusal::Full => {
            r#"{"error":{"code":"full","message":"this node has as many sessions as it may"}}"#
        }
        HandshakeRefusal::Bodies => {
            r#"{"error":{"code":"busy","message":"too many responses wait for clients that read slowly"}}"#
        }
        HandshakeRefusal::BadRequest => {
            r#"{"error":{"code":"bad_request","message":"the request has no Host header, or more than one"}}"#
        }
        _ => return response,
    };
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    *response.body_mut() = Body::from(error);
    response
}

pub(super) fn refuse(status: StatusCode, text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

pub(super) fn busy(text: &'static str) -> Response<Body> {
    let mut response = refuse(StatusCode::SERVICE_UNAVAILABLE, text);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// Reconnection time suggested to browsers, in milliseconds.
const RETRY: u32 = 1000;

/// Returns the head of an SSE response, with additional headers, and the first line of its body.
/// The body ends with the connection, so that there is no chunked framing between events.
pub(super) fn sse_head(more: &HeaderMap) -> Vec<u8> {
    let mut head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
        cache-control: no-store\r\nx-accel-buffering: no\r\nx-content-type-options: nosniff\r\n\
        connection: close\r\n"
        .to_vec();
    for (name, value) in more {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(format!("\r\nretry: {RETRY}\n\n").as_bytes());
    head
}
