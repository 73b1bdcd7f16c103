//! HTTP on the public listener: snapshots of what the node publishes, and Server-Sent Events.
//!
//! Invariants:
//! - A response contains what a subscriber would receive, from the publisher that owns it, as of a
//!   single sequence number.
//! - Responses are built on their own thread: a shard only hands the request over, so writing or
//!   compressing a book here never delays one that is being sent.
//! - A request is counted against the limit of its address before any work is done for it.
//! - An error names the field, its value and the allowed values.
//!
//! Modules in reading order: [`error`], [`query`] and [`accept`] read a request; [`reply`] writes a response;
//! [`messages`], [`books`], [`trades`], [`bars`], [`reports`], [`stream`] and [`documents`] are the resources;
//! the paths are below.

mod accept;
mod bars;
mod books;
mod documents;
mod error;
mod messages;
mod query;
mod reply;
mod reports;
mod stream;
mod thread;
mod trades;

use std::sync::Arc;

use fanout::{Body, Fetcher, Grant, HttpAllowance, Served};
use hyper::header::{ALLOW, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use wire::Encoding;

use accept::Format;
use error::ApiError;
use query::Query;
use reply::{Reply, ResponseCache};
use reports::About;

pub(crate) use thread::ApiThread;

/// Prefix of all API paths.
pub(crate) const ROOT: &str = "/v1/";
const METHODS: &str = "GET, HEAD, OPTIONS";
/// Formats of messages, preferred first.
const FORMATS: &[Format] = &[Format::Json, Format::Messages(Encoding::Sbe)];

/// Cost of a full book, or of one grouped from all levels, in requests.
const DEEP_BOOK: u32 = 2;
/// Instruments of a list that count as one request.
const REPORTS_FOR_ONE: u32 = 250;

/// The paths below [`ROOT`], for errors.
const PATHS: &str = "/v1/instruments, /v1/instruments/{symbol}, /v1/books/{symbol}, \
    /v1/trades/{symbol}, /v1/bars/{symbol}, /v1/status, /v1/status/{symbol}, /v1/ledger, /v1/ledger/{symbol}, \
    /v1/stream, /v1/openapi.json, /v1/asyncapi.json";

/// Serves the paths below [`ROOT`].
pub(crate) struct Api {
    fetcher: Fetcher,
    shelf: ResponseCache,
}

impl Api {
    pub(crate) fn new(fetcher: Fetcher) -> Self {
        Self {
            fetcher,
            shelf: ResponseCache::default(),
        }
    }

    /// Answers a request for a path below [`ROOT`].
    pub(crate) async fn answer(&self, request: &Parts) -> Served {
        let response = match self.route(request).await {
            Ok(Answer::Reply(reply)) => self.shelf.respond(request, reply),
            Ok(Answer::Sse(sse)) => return Served::Sse(sse),
            Ok(Answer::Methods) => methods(),
            Err(error) => {
                let mut response = reply::error_response(&error);
                if error.status == StatusCode::METHOD_NOT_ALLOWED {
                    let allowed = HeaderValue::from_static(METHODS);
                    response.headers_mut().insert(ALLOW, allowed);
                }
                response
            }
        };
        Served::Page(response)
    }

    async fn route(&self, request: &Parts) -> Result<Answer, ApiError> {
        let path = request.uri.path();
        let below = path.strip_prefix(ROOT).unwrap_or_default();
        let (kind, symbol) = match below.split_once('/') {
            Some((kind, symbol)) => (kind, Some(query::decode(symbol, false)?)),
            None => (below, None),
        };
        let resource =
            Resource::of(kind, symbol.as_deref()).ok_or_else(|| ApiError::no_path(path, PATHS))?;
        match request.method {
            Method::GET | Method::HEAD => {}
            Method::OPTIONS => return Ok(Answer::Methods),
            ref other => return Err(ApiError::method(other.as_str(), METHODS)),
        }
        let grant = request.extensions.get::<Arc<Grant>>();
        let grant = grant.ok_or_else(|| ApiError::internal("the request has no grant"))?;
        let query = |allowed| {
            let query = Query::parse(request.uri.query(), allowed)?;
            let price = resource.price(&query)?;
            let allowance = request.extensions.get::<HttpAllowance>();
            let paid = allowance.map_or(Ok(()), |allowance| allowance.pay(price));
            paid.map_err(ApiError::too_many_requests)?;
            Ok::<_, ApiError>(query)
        };
        let format = |formats| accept::format(&request.headers, formats);
        let name = || query::name(symbol.as_deref().unwrap_or_default());
        let fetcher = &self.fetcher;
        let reply = match resource {
            Resource::List(about) => {
                let query = query(reports::PARAMETERS)?;
                reports::page(fetcher, grant, about, &query, format(about.formats())?).await?
            }
            Resource::One(about) => {
                query(&[])?;
                let format = format(about.formats())?;
                reports::one(fetcher, grant, about, &name()?, format).await?
            }
            Resource::Book => {
                let query = query(books::PARAMETERS)?;
                books::book(fetcher, grant, name()?, &query, format(FORMATS)?).await?
            }
            Resource::Trades => {
                let query = query(trades::PARAMETERS)?;
                trades::trades(fetcher, grant, name()?, &query, format(FORMATS)?).await?
            }
            Resource::Bars => {
                let query = query(bars::PARAMETERS)?;
                bars::bars(fetcher, grant, name()?, &query, format(FORMATS)?).await?
            }
            Resource::Document(text) => {
                query(&[])?;
                Reply::of(format(&[Format::Json])?, text.into())
            }
            Resource::Stream => {
                let query = query(stream::PARAMETERS)?;
                if request.method == Method::HEAD {
                    return Err(ApiError::method("HEAD", "GET, OPTIONS"));
                }
                let directory = fetcher.directory();
                let sse = stream::sse(directory, grant, &query, &request.headers)?;
                return Ok(Answer::Sse(sse));
            }
        };
        Ok(Answer::Reply(reply))
    }
}

/// What a request results in.
enum Answer {
    Reply(Reply),
    Sse(fanout::SseRequest),
    /// The response to `OPTIONS`.
    Methods,
}

/// What a path names.
enum Resource {
    List(About),
    One(About),
    Book,
    Trades,
    Bars,
    Stream,
    Document(&'static str),
}

impl Resource {
    /// The cost of a request, in units of the latest state of one instrument.
    fn price(&self, query: &Query) -> Result<u32, ApiError> {
        Ok(match self {
            Self::Document(_) => 0,
            Self::One(_) | Self::Trades | Self::Bars | Self::Stream => 1,
            Self::Book => {
                let depth = query.one("depth")?;
                let is_deep = depth.is_none_or(|depth| depth == "full");
                if is_deep || query.one("group")?.is_some() {
                    DEEP_BOOK
                } else {
                    1
                }
            }
            Self::List(_) => 1 + reports::limit(query)? / REPORTS_FOR_ONE,
        })
    }

    fn of(kind: &str, symbol: Option<&str>) -> Option<Self> {
        Some(match (kind, symbol) {
            ("instruments", None) => Self::List(About::Instrument),
            ("instruments", Some(_)) => Self::One(About::Instrument),
            ("status", None) => Self::List(About::Status),
            ("status", Some(_)) => Self::One(About::Status),
            ("ledger", None) => Self::List(About::Ledger),
            ("ledger", Some(_)) => Self::One(About::Ledger),
            ("books", Some(_)) => Self::Book,
            ("trades", Some(_)) => Self::Trades,
            ("bars", Some(_)) => Self::Bars,
            ("stream", None) => Self::Stream,
            ("openapi.json", None) => Self::Document(documents::OPENAPI),
            ("asyncapi.json", None) => Self::Document(documents::ASYNCAPI),
            _ => return None,
        })
    }
}

fn methods() -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let allowed = HeaderValue::from_static(METHODS);
    response.headers_mut().insert(ALLOW, allowed);
    response
}
