//! HTTP on the public listener: what the node has, for those who ask once, and as events.
//!
//! Invariants:
//! - What is answered is what a subscriber would get, from the publisher that owns it, as of one
//!   sequence number.
//! - All of it is made on a thread of its own: a shard only hands the question over, so that no book
//!   that is written or compressed here holds up one that is sent.
//! - What an address asks is counted against what it may ask before anything is looked for.
//! - What is wrong with a request is told with the field, what it was and what it may be.
//!
//! In reading order: [`error`], [`query`] and [`accept`], which read a request; [`reply`],
//! which writes an answer; [`messages`], [`books`], [`trades`], [`bars`], [`reports`], [`stream`] and
//! [`documents`], which are what can be asked for; and the paths below.

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
use reply::{Reply, Shelf};
use reports::About;

pub(crate) use thread::ApiThread;

/// Where all of this is.
pub(crate) const ROOT: &str = "/v1/";
const METHODS: &str = "GET, HEAD, OPTIONS";
/// How messages can be had, best first.
const FORMATS: &[Format] = &[Format::Json, Format::Messages(Encoding::Sbe)];

/// What a book of all levels, or one that is grouped from them, counts for.
const DEEP_BOOK: u32 = 2;
/// How many instruments of a list count for one.
const REPORTS_FOR_ONE: u32 = 250;

/// What can be asked for, below [`ROOT`].
const PATHS: &str = "/v1/instruments, /v1/instruments/{symbol}, /v1/books/{symbol}, \
    /v1/trades/{symbol}, /v1/bars/{symbol}, /v1/status, /v1/status/{symbol}, /v1/ledger, /v1/ledger/{symbol}, \
    /v1/stream, /v1/openapi.json, /v1/asyncapi.json";

/// Answers questions about what the node has.
pub(crate) struct Api {
    fetcher: Fetcher,
    shelf: Shelf,
}

impl Api {
    pub(crate) fn new(fetcher: Fetcher) -> Self {
        Self {
            fetcher,
            shelf: Shelf::default(),
        }
    }

    /// Answers a request for a path below [`ROOT`].
    pub(crate) async fn answer(&self, request: &Parts) -> Served {
        let response = match self.route(request).await {
            Ok(Answer::Reply(reply)) => self.shelf.respond(request, reply),
            Ok(Answer::Sse(sse)) => return Served::Sse(sse),
            Ok(Answer::Methods) => methods(),
            Err(error) => {
                let mut response = reply::refuse(&error);
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
        let grant = grant.ok_or_else(|| ApiError::internal("nobody was let in"))?;
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

/// What a request is answered with.
enum Answer {
    Reply(Reply),
    Sse(fanout::SseRequest),
    /// By which methods the path can be asked for.
    Methods,
}

/// What a path stands for.
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
    /// What an answer counts for, where the latest state of one instrument counts for one.
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
