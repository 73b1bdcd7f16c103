//! From content to response: conditional requests, compression and a cache.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use fanout::Body;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, LINK,
    RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Response, StatusCode};

use super::accept::{self, Coding, Format};
use super::error::ApiError;
use super::query;

/// A smaller body is no larger than its head, and is not compressed.
const COMPRESSED_FROM: usize = 1024;
/// Cached bodies, and their bytes in total: what a few hundred open pages poll.
const KEPT: usize = 512;
const KEPT_BYTES: usize = 32 * 1024 * 1024;

/// A response that has not been written yet.
pub(super) struct Reply {
    pub(super) format: Format,
    /// Identifies the content: equal tags mean equal content.
    pub(super) tag: String,
    /// Where the next page is, relative to this one.
    pub(super) next: Option<String>,
    pub(super) body: Box<dyn FnOnce() -> Vec<u8> + Send>,
}

impl Reply {
    /// A finished body, tagged with its hash.
    pub(super) fn of(format: Format, body: Vec<u8>) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in &body {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Self {
            format,
            tag: format!("{hash:x}"),
            next: None,
            body: Box::new(move || body),
        }
    }

    pub(super) fn json(value: &serde_json::Value) -> Self {
        let mut body = value.to_string().into_bytes();
        body.push(b'\n');
        Self::of(Format::Json, body)
    }
}

/// Bodies as they were sent, reused until their content changes.
#[derive(Default)]
pub(super) struct ResponseCache(Mutex<HashMap<CacheKey, CachedBody>>);

type CacheKey = ((String, Vec<(String, String)>), Format, Coding);

struct CachedBody {
    tag: String,
    body: Bytes,
}

impl ResponseCache {
    /// Responds from the cache, or writes and caches the body.
    pub(super) fn respond(&self, request: &Parts, reply: Reply) -> Response<Body> {
        let next = reply.next.as_ref();
        let next = next.and_then(|next| format!("<{next}>; rel=\"next\"").parse().ok());
        let mut response = self.represent(request, reply);
        if let Some(next) = next {
            response.headers_mut().insert(LINK, next);
        }
        response
    }

    fn represent(&self, request: &Parts, reply: Reply) -> Response<Body> {
        // Weak, since bodies with the same tag may be compressed differently.
        let tag = format!("W/\"{}\"", reply.tag);
        if has(&request.headers, &tag) {
            let mut response = Response::new(Body::default());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            set_headers(response.headers_mut(), &tag);
            return response;
        }
        let coding = accept::coding(&request.headers);
        let key = (query::canonical(&request.uri), reply.format, coding);
        let format = reply.format;
        let (body, coding) = match self.find(&key, &tag) {
            Some(body) => (body, coding),
            None => {
                let body = (reply.body)();
                let coding = if body.len() < COMPRESSED_FROM {
                    Coding::Identity
                } else {
                    coding
                };
                let (body, coding) = compress(body, coding);
                // A body too small to compress would be cached under the wrong coding.
                if coding == key.2 {
                    self.insert(key, tag.clone(), &body);
                }
                (body, coding)
            }
        };
        let mut response = Response::new(Body::new(body));
        let headers = response.headers_mut();
        let media_type = HeaderValue::from_static(format.media_type());
        headers.insert(CONTENT_TYPE, media_type);
        if let Some(name) = coding.name() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
        }
        set_headers(headers, &tag);
        response
    }

    fn find(&self, key: &CacheKey, tag: &str) -> Option<Bytes> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.get(key).filter(|kept| kept.tag == tag)?;
        Some(kept.body.clone())
    }

    fn insert(&self, key: CacheKey, tag: String, body: &Bytes) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: usize = kept.values().map(|kept| kept.body.len()).sum();
        if kept.len() >= KEPT || bytes + body.len() > KEPT_BYTES {
            // Most entries are outdated and will not be requested again.
            kept.clear();
        }
        if body.len() <= KEPT_BYTES {
            let body = body.clone();
            kept.insert(key, CachedBody { tag, body });
        }
    }
}

/// Responds with an error.
pub(super) fn error_response(error: &ApiError) -> Response<Body> {
    let body = format!("{}\n", error.to_json());
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = error.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(accept::JSON));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(seconds) = error.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Returns whether the client already has the content with this tag.
fn has(headers: &HeaderMap, tag: &str) -> bool {
    let strong = tag.trim_start_matches("W/");
    let values = headers.get_all(IF_NONE_MATCH).into_iter();
    let mut tags = values.flat_map(|value| value.to_str().unwrap_or_default().split(','));
    tags.any(|known| {
        let known = known.trim();
        known == "*" || known.trim_start_matches("W/") == strong
    })
}

fn set_headers(headers: &mut HeaderMap, tag: &str) {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(ETAG, tag);
    }
    // Caches must revalidate: the next record may change the content.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let vary = HeaderValue::from_static("Accept, Accept-Encoding, Origin");
    headers.insert(VARY, vary);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// Falls back to the uncompressed body if compression fails.
fn compress(body: Vec<u8>, coding: Coding) -> (Bytes, Coding) {
    let compressed = match coding {
        Coding::Identity => None,
        // Level 4 compresses almost as well as 9, in a third of the time.
        Coding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::new(4));
            let written = encoder.write_all(&body);
            written.and_then(|()| encoder.finish()).ok()
        }
        Coding::Zstd => zstd::encode_all(body.as_slice(), 1).ok(),
    };
    match compressed {
        Some(compressed) => (compressed.into(), coding),
        None => (body.into(), Coding::Identity),
    }
}
