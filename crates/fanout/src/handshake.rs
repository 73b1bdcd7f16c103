//! HTTP on the public port: the WebSocket handshake, and whatever else the node serves there.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fastwebsockets::upgrade;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::label::HandshakeRefusal;
use tokio::net::TcpStream;
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::Instant;
use wire::Encoding;

use crate::access::{BEARER_PROTOCOL, Denied, Grant};
use crate::addresses::{Counted, TooMany};
use crate::connection::Connection;
use crate::events::{self, EventStart, Events};
use crate::http_rates::HttpAllowance;
use crate::proxy;
use crate::seats::{NoSeat, Seat};
use crate::session::About;
use crate::settings::Settings;
use crate::shard::Shard;
use crate::tls::Tls;

/// A response of the public port.
pub type Body = Full<Bytes>;

/// Serves every path but `/ws`. A request to `/v1` has an `Arc<Grant>` among its extensions: what it
/// may have.
///
/// It is called on a shard's thread, which sends the market: whatever takes long belongs elsewhere.
pub type Pages = Arc<dyn Fn(Request<Incoming>) -> Serving + Send + Sync>;

/// An answer in the making.
pub type Serving = Pin<Box<dyn Future<Output = Served> + Send>>;

/// What a request for a page is answered with.
#[derive(Debug)]
pub enum Served {
    /// A response, and that is all.
    Page(Response<Body>),
    /// Messages as events, from now on: the connection becomes a session.
    Events(Events),
}

/// The encodings that this node speaks, best first.
const SPOKEN: [Encoding; 3] = [Encoding::Sbe, Encoding::Packed, Encoding::Json];

/// A handshake that succeeded.
struct Accepted {
    encoding: Encoding,
    seat: Seat,
    upgraded: upgrade::UpgradeFut,
}

/// What a connection was answered that makes it a session.
#[derive(Default)]
struct Answered {
    accepted: Cell<Option<Accepted>>,
    events: Cell<Option<(EventStart, Seat)>>,
    /// There are events to be sent, and nothing else from now on.
    are_events: Notify,
}

/// How long a connection may last that does not become a session: pages, scripts and answers are
/// small, and who reads them slowly takes the place of others.
const HTTP_LIFETIME: Duration = Duration::from_secs(60);

/// Who is at the other end of a connection.
struct Caller {
    peer: SocketAddr,
    counted: Option<Counted>,
    /// Its connection is too much, which it is told.
    refused: bool,
}

/// Serves one connection until it is a session, or has ended; whether it is one.
pub(crate) async fn serve(shard: &Shard, io: TcpStream, permit: OwnedSemaphorePermit) -> bool {
    let settings = shard.settings();
    let deadline = Instant::now() + settings.handshake_timeout;
    let arrived = tokio::time::timeout_at(deadline, arrive(shard, &settings, io)).await;
    match arrived.unwrap_or(Err(HandshakeRefusal::Timeout)) {
        Ok((connection, caller)) => {
            serve_http(shard, &settings, connection, caller, deadline, permit).await
        }
        Err(why) => {
            shard.metrics().handshakes_refused[why].inc();
            false
        }
    }
}

/// Learns who connects, and whether that is too much; then speaks TLS, where that is spoken.
async fn arrive(
    shard: &Shard,
    settings: &Settings,
    mut io: TcpStream,
) -> Result<(Connection, Caller), HandshakeRefusal> {
    let mut peer = io.peer_addr().map_err(|_| HandshakeRefusal::Io)?;
    let trusted = &settings.trusted_proxies;
    if trusted.iter().any(|network| network.contains(peer.ip())) {
        match proxy::read(&mut io).await {
            Ok(told) => peer = told.unwrap_or(peer),
            Err(error) => {
                tracing::debug!(%error, balancer = %peer, "no PROXY header");
                return Err(HandshakeRefusal::Proxy);
            }
        }
    }
    let now = std::time::Instant::now();
    let (counted, refused) = match shard.addresses().enter(peer.ip(), settings, now) {
        Ok(counted) => (counted, false),
        Err(too_many) => {
            let why = match too_many {
                TooMany::OfAddress => HandshakeRefusal::Address,
                TooMany::FromAddress | TooMany::FromAll => HandshakeRefusal::Rate,
            };
            if settings.tls.is_some() {
                // A TLS handshake costs a hundred times what a refusal may.
                return Err(why);
            }
            shard.metrics().handshakes_refused[why].inc();
            (None, true)
        }
    };
    let caller = Caller {
        peer,
        counted,
        refused,
    };
    let Some(identity) = &settings.tls else {
        return Ok((Connection::Plain(io), caller));
    };
    match identity.acceptor().accept(io).await {
        Ok(stream) => Ok((Connection::Tls(Box::new(stream)), caller)),
        Err(error) => {
            tracing::debug!(%error, %peer, "no TLS");
            Err(HandshakeRefusal::Tls)
        }
    }
}

/// Answers requests until one has made the connection a session, or it has ended.
async fn serve_http(
    shard: &Shard,
    settings: &Settings,
    connection: Connection,
    caller: Caller,
    deadline: Instant,
    permit: OwnedSemaphorePermit,
) -> bool {
    let timeout = settings.handshake_timeout;
    let answered = Rc::new(Answered::default());
    let asked = Cell::new(false);
    let service = service_fn(|mut request: Request<Incoming>| {
        asked.set(true);
        let allowance = HttpAllowance::new(
            Arc::clone(shard.addresses()),
            caller.peer.ip(),
            settings.http_rate_per_address,
        );
        request.extensions_mut().insert(allowance);
        answer(shard, request, caller.refused, Rc::clone(&answered))
    });
    let mut http = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(connection), service)
        .with_upgrades();
    // The first request has to come within the handshake's time, whatever it took until here.
    let mut until = deadline;
    let served = loop {
        tokio::select! {
            served = &mut http => break Some(served),
            () = answered.are_events.notified() => {
                let (Some(parts), Some((events, seat))) =
                    (http.into_parts(), answered.events.take())
                else {
                    return false;
                };
                drop(permit);
                let (io, tls) = parts.io.into_inner().into_parts();
                return shard.open_events(io, events, caller.about(seat, tls));
            }
            () = tokio::time::sleep_until(until) => {
                if !asked.get() || until > deadline {
                    break None;
                }
                until = deadline + HTTP_LIFETIME;
            }
        }
    };
    let ended = match served {
        Some(Ok(())) => Ok(()),
        Some(Err(error)) if error.is_timeout() => Err(HandshakeRefusal::Timeout),
        Some(Err(error)) if error.is_parse() => Err(HandshakeRefusal::BadRequest),
        Some(Err(_)) => Err(HandshakeRefusal::Io),
        None => Err(HandshakeRefusal::Timeout),
    };
    if let Err(why) = ended {
        shard.metrics().handshakes_refused[why].inc();
        return false;
    }
    let Some(handshake) = answered.accepted.take() else {
        return false;
    };
    let parts = async {
        let websocket = handshake.upgraded.await.ok()?;
        let upgraded = websocket.into_inner().into_inner();
        upgraded.downcast::<TokioIo<Connection>>().ok()
    };
    let parts = tokio::time::timeout(timeout, parts).await;
    drop(permit);
    match parts {
        Ok(Some(parts)) => {
            let (io, tls) = parts.io.into_inner().into_parts();
            let about = caller.about(handshake.seat, tls);
            return shard.open(io, &parts.read_buf, handshake.encoding, about);
        }
        Ok(None) => shard.metrics().handshakes_refused[HandshakeRefusal::Io].inc(),
        Err(_) => shard.metrics().handshakes_refused[HandshakeRefusal::Timeout].inc(),
    }
    false
}

impl Caller {
    /// What its session is to know of it.
    fn about(self, seat: Seat, tls: Option<Box<Tls>>) -> About {
        About {
            seat,
            peer: self.peer,
            tls,
            opened: std::time::Instant::now(),
            conflated: 0,
            events: None,
            _counted: self.counted,
        }
    }
}

/// Answers one request; one for events never, since the connection is theirs then.
async fn answer(
    shard: &Shard,
    mut request: Request<Incoming>,
    is_too_much: bool,
    answered: Rc<Answered>,
) -> Result<Response<Body>, Infallible> {
    let refused = |why: HandshakeRefusal, response| {
        shard.metrics().handshakes_refused[why].inc();
        Ok(response)
    };
    if is_too_much {
        return Ok(too_many());
    }
    if request.uri().path() == "/ws" {
        return match accept(shard, &mut request) {
            Ok((response, handshake)) => {
                answered.accepted.set(Some(handshake));
                Ok(response)
            }
            Err(refusal) => refused(refusal.0, refusal.1),
        };
    }
    match page(shard, request).await {
        Ok(response) => Ok(response),
        Err((events, seat)) => {
            answered.events.set(Some((events, seat)));
            answered.are_events.notify_one();
            std::future::pending().await
        }
    }
}

/// The address makes too many connections; this one is closed behind the answer.
fn too_many() -> Response<Body> {
    let mut response = refuse(
        StatusCode::TOO_MANY_REQUESTS,
        "too many connections come from this address, or too fast\n",
    );
    let headers = response.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Why a handshake is refused, and what its client is told; in a box, since it is the rare way.
type Refusal = Box<(HandshakeRefusal, Response<Body>)>;

/// What a request may have; who is not let in is counted.
fn authorize(shard: &Shard, request: &Request<Incoming>) -> Result<Arc<Grant>, Denied> {
    let access = Arc::clone(&shard.settings().access);
    access
        .authorize(request.headers())
        .inspect_err(|denied| shard.metrics().auth_refused[denied.label()].inc())
}

/// Any path but `/ws`. What is data needs what a session needs, and finds its [`Grant`] among the
/// request's extensions; the page and its scripts are for anybody. Events are no response but a
/// session.
async fn page(
    shard: &Shard,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, (EventStart, Seat)> {
    let path = request.uri().path();
    let is_page = path != "/v1" && !path.starts_with("/v1/");
    let access = Arc::clone(&shard.settings().access);
    let (asked, is_preflight) = (
        request.headers().clone(),
        request.method() == Method::OPTIONS,
    );
    let mut told = HeaderMap::new();
    if !is_page {
        access.tell_origin(&asked, &mut told, is_preflight);
    }
    let with_origin = |mut response: Response<Body>| {
        response.headers_mut().extend(told.clone());
        Ok(response)
    };
    // A browser's question before a request shows nothing of who asks, and is told nothing of data.
    let grant = if is_page || is_preflight {
        None
    } else {
        match authorize(shard, &request) {
            Ok(grant) => {
                request.extensions_mut().insert(Arc::clone(&grant));
                Some(grant)
            }
            Err(denied) => return with_origin(denied.response()),
        }
    };
    let asked = match (shard.pages())(request).await {
        Served::Page(response) => {
            let is_too_much = response.status() == StatusCode::TOO_MANY_REQUESTS;
            shard.metrics().http_rejected.add(u64::from(is_too_much));
            return with_origin(response);
        }
        Served::Events(events) => events,
    };
    let Some(grant) = grant else {
        return with_origin(Denied::Missing.response());
    };
    match take_seat(shard, &grant) {
        Ok(seat) => {
            let head = events::head(&told);
            Err((EventStart { asked, head }, seat))
        }
        Err(refusal) => {
            let (why, response) = *refusal;
            shard.metrics().handshakes_refused[why].inc();
            with_origin(in_json(why, response))
        }
    }
}

fn accept(
    shard: &Shard,
    request: &mut Request<Incoming>,
) -> Result<(Response<Body>, Accepted), Refusal> {
    if request.method() != hyper::Method::GET || !upgrade::is_upgrade_request(request) {
        let mut response = refuse(
            StatusCode::UPGRADE_REQUIRED,
            "this path speaks WebSocket: send an upgrade request, version 13\n",
        );
        response
            .headers_mut()
            .insert(UPGRADE, HeaderValue::from_static("websocket"));
        return Err(Box::new((HandshakeRefusal::Upgrade, response)));
    }
    let (encoding, protocol) = choose(request).ok_or_else(|| {
        let text = "none of the subprotocols asked for is spoken here; tapecast.sbe.v1, tapecast.packed.v1 and tapecast.json.v1 are\n";
        Box::new((
            HandshakeRefusal::Subprotocol,
            refuse(StatusCode::BAD_REQUEST, text),
        ))
    })?;
    let grant = authorize(shard, request)
        .map_err(|denied| Box::new((HandshakeRefusal::Denied, denied.response())))?;
    let seat = take_seat(shard, &grant)?;
    let (response, upgraded) =
        upgrade::upgrade(request).map_err(|error| Box::new(refused(&error)))?;
    let mut response = response.map(|_| Body::default());
    if let Some(protocol) = protocol {
        response
            .headers_mut()
            .insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    }
    let accepted = Accepted {
        encoding,
        seat,
        upgraded,
    };
    Ok((response, accepted))
}

/// A new session's seat, where there is one.
fn take_seat(shard: &Shard, grant: &Arc<Grant>) -> Result<Seat, Refusal> {
    if shard.is_draining() {
        let response = busy("this node is stopping; another one serves you\n");
        return Err(Box::new((HandshakeRefusal::Draining, response)));
    }
    shard.seats().take(grant).map_err(|full| match full {
        NoSeat::NotReady => {
            let response =
                busy("this node has not caught up with the market; another one serves you\n");
            Box::new((HandshakeRefusal::NotReady, response))
        }
        NoSeat::Node => {
            let response = busy("this node has as many sessions as it may\n");
            Box::new((HandshakeRefusal::Full, response))
        }
        NoSeat::Subject => {
            shard.metrics().auth_refused[Denied::Connections.label()].inc();
            let response = Denied::Connections.response();
            Box::new((HandshakeRefusal::Denied, response))
        }
    })
}

/// What a wrong handshake is answered.
fn refused(error: &fastwebsockets::WebSocketError) -> (HandshakeRefusal, Response<Body>) {
    if matches!(
        error,
        fastwebsockets::WebSocketError::InvalidSecWebsocketVersion
    ) {
        let mut response = refuse(
            StatusCode::UPGRADE_REQUIRED,
            "the WebSocket version is 13\n",
        );
        response
            .headers_mut()
            .insert("sec-websocket-version", HeaderValue::from_static("13"));
        return (HandshakeRefusal::Upgrade, response);
    }
    let text = "the WebSocket handshake lacks its key\n";
    (
        HandshakeRefusal::BadRequest,
        refuse(StatusCode::BAD_REQUEST, text),
    )
}

/// The first subprotocol of the client's that is spoken here; JSON where it names none.
fn choose(request: &Request<Incoming>) -> Option<(Encoding, Option<&'static str>)> {
    let mut asked = false;
    for header in request.headers().get_all(SEC_WEBSOCKET_PROTOCOL) {
        for name in header.to_str().unwrap_or_default().split(',') {
            let name = name.trim();
            if name.starts_with(BEARER_PROTOCOL) {
                continue;
            }
            asked = true;
            let encoding = Encoding::from_subprotocol(name);
            if let Some(encoding) = encoding.filter(|encoding| SPOKEN.contains(encoding)) {
                return Some((encoding, Some(encoding.subprotocol())));
            }
        }
    }
    (!asked).then_some((Encoding::Json, None))
}

/// Below `/v1` every error is JSON.
fn in_json(why: HandshakeRefusal, mut response: Response<Body>) -> Response<Body> {
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
        _ => return response,
    };
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    *response.body_mut() = Body::from(error);
    response
}

fn refuse(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

fn busy(text: &'static str) -> Response<Body> {
    let mut response = refuse(StatusCode::SERVICE_UNAVAILABLE, text);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
