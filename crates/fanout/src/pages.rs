//! The pages of the public port: everything but `/ws`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use fanout_core::SseRequest;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response};

/// A response body of the public port.
pub type Body = Full<Bytes>;

/// Serves every path but `/ws`. A request to `/v1` has an `Arc<Grant>` among its extensions: what it
/// may have.
///
/// Called on a shard's thread, which also sends the market, so anything slow belongs elsewhere.
pub type Pages = Arc<dyn Fn(Request<Incoming>) -> Serving + Send + Sync>;

/// A response being prepared.
pub type Serving = Pin<Box<dyn Future<Output = Served> + Send>>;

/// The answer to a request for a page.
#[derive(Debug)]
pub enum Served {
    /// A response.
    Page(Response<Body>),
    /// Server-Sent Events: the connection becomes a session.
    Sse(SseRequest),
}
