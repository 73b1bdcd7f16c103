//! HTTP on the public port: the WebSocket handshake, and the pages that the node serves.

mod admission;
mod arrival;
mod closing;
mod exchange;
mod head;
mod responses;
mod websocket;

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fanout_core::SseStart;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::label::HandshakeRefusal;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::access::Denied;
use crate::clock::monotonic;
use crate::connection::Connection;
use crate::connection_slot::ConnectionSlot;
use crate::http_rates::HttpAllowance;
use crate::pages::{Body, Served};
use crate::permits::Permit;
use crate::rule_breakers::MOST_COUNTED;
use crate::settings::Settings;
use crate::shard::Shard;
use crate::slots::Stage;
use admission::{authorize, take_permit};
use arrival::{Caller, Kind, Rejected, arrive};
use exchange::Exchange;
use responses::{TOO_MANY, busy, in_json, last, reject, sse_head};
use websocket::{Accepted, accept};

pub(crate) use arrival::Arrival;

/// An answer that turns the connection into a session.
#[derive(Default)]
struct Answered {
    accepted: Cell<Option<Accepted>>,
    sse: Cell<Option<(SseStart, Permit)>>,
    /// Notified when the connection becomes an SSE session.
    is_sse: Notify,
}

/// Maximum lifetime of a connection that does not become a session. Pages, scripts and answers are
/// small, and a client that reads them slowly occupies a slot.
const HTTP_LIFETIME: Duration = Duration::from_secs(60);
/// Interval at which a connection that has sent a request is checked.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How long a connection may stay open between two requests, if that is more than the handshake
/// timeout.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Smallest body that counts against the limit of the shard's responses.
const COUNTED_BODY: usize = 64 * 1024;

/// Serves a connection until it becomes a session or ends. Returns whether it became a session.
pub(crate) async fn serve(
    shard: &Shard,
    settings: Arc<Settings>,
    io: TcpStream,
    arrival: Arrival,
    slot: ConnectionSlot,
) -> bool {
    let Arrival { peer, kind } = arrival;
    let (counted, is_balancer) = match kind {
        Kind::Client(counted) => {
            delay(shard, &settings, peer.ip(), &slot).await;
            (counted, false)
        }
        Kind::Balancer => (None, true),
        Kind::TooMany => {
            closing::refuse(&io, TOO_MANY).await;
            return false;
        }
    };
    let deadline = Instant::now() + settings.handshake_timeout;
    // A silent connection costs a socket and this future; the rest is boxed.
    match tokio::time::timeout_at(deadline, io.readable()).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => return reject_as(shard, HandshakeRefusal::Io),
        Err(_) => return reject_as(shard, HandshakeRefusal::Timeout),
    }
    let caller = Caller { peer, counted };
    Box::pin(serve_client(
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

/// Delays a connection whose address has broken rules recently. Nothing is read from it meanwhile.
async fn delay(shard: &Shard, settings: &Settings, address: IpAddr, slot: &ConnectionSlot) {
    let delay = shard.handshake_delay(address, settings);
    if !delay.is_zero() {
        slot.mark(Stage::Delayed);
        tokio::time::sleep(delay).await;
        slot.mark(Stage::Silent);
    }
}

/// Serves a connection that has sent something.
async fn serve_client(
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
    match arrived.unwrap_or(Err(Rejected::Away(HandshakeRefusal::Timeout))) {
        Ok((connection, caller)) => {
            serve_http(shard, &settings, connection, caller, deadline, slot).await
        }
        Err(Rejected::Away(why)) => reject_as(shard, why),
        Err(Rejected::TooMany(io)) => {
            slot.mark(Stage::Leaving);
            // With TLS on, the client could not read it.
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

/// Answers requests until one turns the connection into a session, or it ends.
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
    // Pipelined requests wait in 16 KiB.
    let mut http = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeout.min(KEEP_ALIVE))
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(connection), service)
        .with_upgrades();
    // The first request has to arrive within the handshake timeout, however long the steps before
    // it took.
    let mut until = deadline;
    let served = loop {
        // Reports the connection's progress to its slot whenever hyper has done what it can.
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
    // A client that has been answered and sends nothing more is done.
    if is_idle && ended == Err(HandshakeRefusal::Timeout) {
        return false;
    }
    if let Err(why) = ended {
        shard.metrics().handshakes_refused[why].inc();
    }
    // hyper also answers what it cannot parse.
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

/// Answers a request; never returns for one that starts an SSE session, which takes over the
/// connection.
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
    // A rejected client may reconnect; until then it occupies no slot.
    if response.status().is_client_error() || response.status().is_server_error() {
        return Ok(last(response));
    }
    Ok(hold(shard, slot, response).await)
}

/// Counts and returns the response to a rejected request.
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

/// Counts the body of a response against the limit of the shard.
async fn hold(shard: &Shard, slot: &ConnectionSlot, response: Response<Body>) -> Response<Body> {
    let (head, mut body) = response.into_parts();
    // These bodies are a single frame that is available at once.
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

/// Returns whether a path serves data rather than the page.
fn is_data(path: &str) -> bool {
    path == "/v1" || path.starts_with("/v1/")
}

/// Serves any path but `/ws`. Data requires the same credentials as a session, and finds its
/// [`Grant`] in the request's extensions; the page and its scripts are open to everybody. SSE
/// becomes a session instead of a response.
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
    // A preflight request carries no credentials, so its response reveals nothing about data.
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
    match take_permit(shard, &grant) {
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
