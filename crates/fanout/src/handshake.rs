//! HTTP on the public port: the WebSocket handshake, and whatever else the node serves there.

mod arrival;
mod closing;
mod exchange;
mod head;
mod responses;

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fanout_core::{Grant, SseStart};
use fastwebsockets::upgrade;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::label::HandshakeRefusal;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;
use wire::Encoding;

use crate::access::{BEARER_PROTOCOL, Denied};
use crate::clock::monotonic;
use crate::connection::Connection;
use crate::connection_slot::ConnectionSlot;
use crate::http_rates::HttpAllowance;
use crate::pages::{Body, Served};
use crate::permits::{NoPermit, Permit};
use crate::rule_breakers::MOST_COUNTED;
use crate::settings::Settings;
use crate::shard::Shard;
use crate::slots::Stage;
use arrival::{Caller, Standing, Turned, arrive};
use exchange::Exchange;
use head::HeadError;
use responses::{TOO_MANY, busy, in_json, last, refuse, reject, sse_head};

pub(crate) use arrival::Arrival;

/// The encodings that this node speaks, best first.
const ENCODINGS: [Encoding; 3] = [Encoding::Sbe, Encoding::Packed, Encoding::Json];

/// A handshake that succeeded.
struct Accepted {
    encoding: Encoding,
    permit: Permit,
    upgraded: upgrade::UpgradeFut,
}

/// What a connection was answered that makes it a session.
#[derive(Default)]
struct Answered {
    accepted: Cell<Option<Accepted>>,
    sse: Cell<Option<(SseStart, Permit)>>,
    /// There are events to be sent, and nothing else from now on.
    is_sse: Notify,
}

/// How long a connection may last that does not become a session: pages, scripts and answers are
/// small, and who reads them slowly takes the place of others.
const HTTP_LIFETIME: Duration = Duration::from_secs(60);
/// How often a connection that has sent a request is checked.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How long a connection may stay open between two requests, where a handshake has no less.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// The smallest body that is counted against what a shard's responses may hold.
const COUNTED_BODY: usize = 64 * 1024;

/// Serves one connection until it is a session, or has ended; whether it is one.
pub(crate) async fn serve(
    shard: &Shard,
    settings: Arc<Settings>,
    io: TcpStream,
    arrival: Arrival,
    slot: ConnectionSlot,
) -> bool {
    let Arrival { peer, standing } = arrival;
    let (counted, is_balancer) = match standing {
        Standing::Client(counted) => {
            delay(shard, &settings, peer.ip(), &slot).await;
            (counted, false)
        }
        Standing::Balancer => (None, true),
        Standing::TooMany => {
            closing::refuse(&io, TOO_MANY).await;
            return false;
        }
    };
    let deadline = Instant::now() + settings.handshake_timeout;
    // A connection that says nothing costs a socket and this; what it says next has a box.
    match tokio::time::timeout_at(deadline, io.readable()).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => return reject_as(shard, HandshakeRefusal::Io),
        Err(_) => return reject_as(shard, HandshakeRefusal::Timeout),
    }
    let caller = Caller { peer, counted };
    Box::pin(serve_speaking(
        shard,
        settings,
        io,
        caller,
        is_balancer,
        deadline,
        slot,
    ))
    .await
}

/// Lets a connection wait whose address broke rules lately. Nothing of it is read meanwhile.
async fn delay(shard: &Shard, settings: &Settings, address: IpAddr, slot: &ConnectionSlot) {
    let delay = shard.handshake_delay(address, settings);
    if !delay.is_zero() {
        slot.mark(Stage::Delayed);
        tokio::time::sleep(delay).await;
        slot.mark(Stage::Silent);
    }
}

/// Serves a connection that has sent something.
async fn serve_speaking(
    shard: &Shard,
    settings: Arc<Settings>,
    io: TcpStream,
    caller: Caller,
    is_balancer: bool,
    deadline: Instant,
    slot: ConnectionSlot,
) -> bool {
    let mut deadline = deadline;
    if is_balancer {
        deadline += settings.handshake_delay * MOST_COUNTED;
    }
    let arriving = arrive(shard, &settings, io, caller, is_balancer, &slot);
    let arrived = tokio::time::timeout_at(deadline, arriving).await;
    match arrived.unwrap_or(Err(Turned::Away(HandshakeRefusal::Timeout))) {
        Ok((connection, caller)) => {
            serve_http(shard, &settings, connection, caller, deadline, slot).await
        }
        Err(Turned::Away(why)) => reject_as(shard, why),
        Err(Turned::TooMany(io)) => {
            slot.mark(Stage::Leaving);
            // Where TLS is on, the client could not read it.
            if settings.tls.is_none() {
                closing::refuse(&io, TOO_MANY).await;
            }
            false
        }
    }
}

fn reject_as(shard: &Shard, why: HandshakeRefusal) -> bool {
    shard.metrics().handshakes_refused[why].inc();
    false
}

/// Answers requests until one has made the connection a session, or it has ended.
async fn serve_http(
    shard: &Shard,
    settings: &Settings,
    connection: Connection,
    caller: Caller,
    deadline: Instant,
    slot: ConnectionSlot,
) -> bool {
    let timeout = settings.handshake_timeout;
    let answered = Rc::new(Answered::default());
    let exchange = RefCell::new(Exchange::new(monotonic()));
    let slot = &slot;
    let service = service_fn(|mut request: Request<Incoming>| {
        exchange.borrow_mut().asked(monotonic());
        slot.mark(Stage::Busy);
        let allowance = HttpAllowance::new(
            Arc::clone(shard.http_rates()),
            caller.peer.ip(),
            settings.http_rate_per_address,
        );
        request.extensions_mut().insert(allowance);
        let answer = answer(shard, request, slot, Rc::clone(&answered));
        let exchange = &exchange;
        async move {
            let response = answer.await;
            exchange.borrow_mut().answered(monotonic());
            response
        }
    });
    let writes = connection.writes();
    // Requests that come before the response to the one before has gone out wait in 16 KiB.
    let mut http = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeout.min(KEEP_ALIVE))
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(connection), service)
        .with_upgrades();
    // The first request has to come within the handshake's time, whatever it took until here.
    let mut until = deadline;
    let served = loop {
        // Tells the slot, each time hyper has done what it can, how far that is.
        let serving = std::future::poll_fn(|cx| {
            let served = Pin::new(&mut http).poll(cx);
            if served.is_pending() {
                let mut exchange = exchange.borrow_mut();
                let wrote = exchange.wrote(writes.bytes(), writes.is_blocked(), monotonic());
                if let Some(stage) = wrote {
                    slot.mark(stage);
                }
            }
            served
        });
        tokio::select! {
            served = serving => break Some(served),
            () = answered.is_sse.notified() => {
                let (Some(parts), Some((sse, permit))) =
                    (http.into_parts(), answered.sse.take())
                else {
                    return false;
                };
                slot.leave();
                let (io, tls) = parts.io.into_inner().into_parts();
                return shard.open_sse(io, sse, caller.client(permit, tls));
            }
            () = tokio::time::sleep_until(until) => {
                let last = deadline + HTTP_LIFETIME;
                let is_over = Instant::now() >= last;
                if is_over || exchange.borrow().is_overdue(monotonic()) {
                    break None;
                }
                until = (Instant::now() + CHECK_INTERVAL).min(last);
            }
        }
    };
    let is_idle = exchange.borrow().is_idle();
    let ended = match served {
        Some(Ok(())) => Ok(()),
        Some(Err(error)) if error.is_timeout() => Err(HandshakeRefusal::Timeout),
        Some(Err(error)) if error.is_parse() => Err(HandshakeRefusal::BadRequest),
        Some(Err(_)) => Err(HandshakeRefusal::Io),
        None => Err(HandshakeRefusal::Timeout),
    };
    // A client that has been answered and then sends nothing more has got all it came for.
    if is_idle && ended == Err(HandshakeRefusal::Timeout) {
        return false;
    }
    if let Err(why) = ended {
        shard.metrics().handshakes_refused[why].inc();
    }
    // hyper answers what it cannot read, too.
    let had_response = matches!(ended, Ok(()) | Err(HandshakeRefusal::BadRequest));
    let Some(handshake) = answered.accepted.take().filter(|_| ended.is_ok()) else {
        if let Some(parts) = http.into_parts().filter(|_| had_response) {
            slot.mark(Stage::Leaving);
            let (io, _tls) = parts.io.into_inner().into_parts();
            closing::linger(&io).await;
        }
        return false;
    };
    let parts = async {
        let websocket = handshake.upgraded.await.ok()?;
        let upgraded = websocket.into_inner().into_inner();
        upgraded.downcast::<TokioIo<Connection>>().ok()
    };
    let parts = tokio::time::timeout(timeout, parts).await;
    slot.leave();
    match parts {
        Ok(Some(parts)) => {
            let (io, tls) = parts.io.into_inner().into_parts();
            let client = caller.client(handshake.permit, tls);
            shard.open(io, &parts.read_buf, handshake.encoding, client)
        }
        Ok(None) => reject_as(shard, HandshakeRefusal::Io),
        Err(_) => reject_as(shard, HandshakeRefusal::Timeout),
    }
}

/// Answers one request; one for events never, since the connection is theirs then.
async fn answer(
    shard: &Shard,
    mut request: Request<Incoming>,
    slot: &ConnectionSlot,
    answered: Rc<Answered>,
) -> Result<Response<Body>, Infallible> {
    let is_socket = request.uri().path() == "/ws";
    if let Err(error) = head::check_request(&request) {
        let refusal = (error.label(), reject(error));
        let below_v1 = !is_socket && is_data(request.uri().path());
        return Ok(last(refused(shard, refusal, below_v1)));
    }
    if is_socket {
        return match accept(shard, &mut request) {
            Ok((response, handshake)) => {
                answered.accepted.set(Some(handshake));
                Ok(response)
            }
            Err(refusal) => Ok(last(refused(shard, *refusal, false))),
        };
    }
    let response = match page(shard, request).await {
        Ok(response) => response,
        Err((sse, permit)) => {
            answered.sse.set(Some((sse, permit)));
            answered.is_sse.notify_one();
            return std::future::pending().await;
        }
    };
    // A rejected client may reconnect; until then it takes nobody's place.
    if response.status().is_client_error() || response.status().is_server_error() {
        return Ok(last(response));
    }
    Ok(hold(shard, slot, response).await)
}

/// Counts and returns the response to a request that is rejected.
fn refused(
    shard: &Shard,
    (why, response): (HandshakeRefusal, Response<Body>),
    in_json_too: bool,
) -> Response<Body> {
    shard.metrics().handshakes_refused[why].inc();
    if in_json_too {
        in_json(why, response)
    } else {
        response
    }
}

/// Counts the body of a response against what all responses of the shard may hold.
async fn hold(shard: &Shard, slot: &ConnectionSlot, response: Response<Body>) -> Response<Body> {
    let (head, mut body) = response.into_parts();
    // A body of these is one piece, and there at once.
    let bytes = match body.frame().await {
        Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        _ => Bytes::new(),
    };
    if bytes.len() >= COUNTED_BODY && !slot.hold_body(&bytes) {
        let text = "too many responses wait for clients that read slowly\n";
        let refusal = (HandshakeRefusal::Bodies, busy(text));
        return last(refused(shard, refusal, true));
    }
    Response::from_parts(head, Body::new(bytes))
}

/// Returns whether a path is one of data, not of the page.
fn is_data(path: &str) -> bool {
    path == "/v1" || path.starts_with("/v1/")
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
) -> Result<Response<Body>, (SseStart, Permit)> {
    let is_page = !is_data(request.uri().path());
    let access = Arc::clone(&shard.settings().access);
    let (asked, is_preflight) = (
        request.headers().clone(),
        request.method() == Method::OPTIONS,
    );
    let mut cors_headers = HeaderMap::new();
    if !is_page {
        access.allow_origin(&asked, &mut cors_headers, is_preflight);
    }
    let with_origin = |mut response: Response<Body>| {
        response.headers_mut().extend(cors_headers.clone());
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
        Served::Sse(sse) => sse,
    };
    let Some(grant) = grant else {
        return with_origin(Denied::Missing.response());
    };
    match take_seat(shard, &grant) {
        Ok(permit) => {
            let head = sse_head(&cors_headers);
            Err((SseStart { asked, head }, permit))
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
    head::check_handshake(request).map_err(|error| Box::new((error.label(), reject(error))))?;
    let (encoding, protocol) = choose(request).ok_or_else(|| {
        let text = "none of the subprotocols asked for is spoken here; tapecast.sbe.v1, tapecast.packed.v1 and tapecast.json.v1 are\n";
        Box::new((
            HandshakeRefusal::Subprotocol,
            refuse(StatusCode::BAD_REQUEST, text),
        ))
    })?;
    let grant = authorize(shard, request)
        .map_err(|denied| Box::new((HandshakeRefusal::Denied, denied.response())))?;
    let permit = take_seat(shard, &grant)?;
    // Everything that it could reject has been checked.
    let (response, upgraded) = upgrade::upgrade(request)
        .map_err(|_| Box::new((HeadError::Key.label(), reject(HeadError::Key))))?;
    let mut response = response.map(|_| Body::default());
    if let Some(protocol) = protocol {
        response
            .headers_mut()
            .insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    }
    let accepted = Accepted {
        encoding,
        permit,
        upgraded,
    };
    Ok((response, accepted))
}

/// A new session's seat, where there is one.
fn take_seat(shard: &Shard, grant: &Arc<Grant>) -> Result<Permit, Refusal> {
    if shard.is_draining() {
        let response = busy("this node is stopping; another one serves you\n");
        return Err(Box::new((HandshakeRefusal::Draining, response)));
    }
    shard.permits().take(grant).map_err(|full| match full {
        NoPermit::NotReady => {
            let response =
                busy("this node has not caught up with the market; another one serves you\n");
            Box::new((HandshakeRefusal::NotReady, response))
        }
        NoPermit::Node => {
            let response = busy("this node has as many sessions as it may\n");
            Box::new((HandshakeRefusal::Full, response))
        }
        NoPermit::Subject => {
            shard.metrics().auth_refused[Denied::Connections.label()].inc();
            let response = Denied::Connections.response();
            Box::new((HandshakeRefusal::Denied, response))
        }
    })
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
            if let Some(encoding) = encoding.filter(|encoding| ENCODINGS.contains(encoding)) {
                return Some((encoding, Some(encoding.subprotocol())));
            }
        }
    }
    (!asked).then_some((Encoding::Json, None))
}
