//! HTTP on the public port: the WebSocket handshake, and whatever else the node serves there.

use std::cell::Cell;
use std::convert::Infallible;
use std::net::SocketAddr;
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
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::label::HandshakeRefusal;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use wire::Encoding;

use crate::access::{BEARER_PROTOCOL, Denied, Grant};
use crate::addresses::{Counted, TooMany};
use crate::connection::Connection;
use crate::proxy;
use crate::seats::{NoSeat, Seat};
use crate::session::About;
use crate::settings::Settings;
use crate::shard::Shard;

/// A response of the public port.
pub type Body = Full<Bytes>;

/// Serves every path but `/ws`. A request to `/v1` has an `Arc<Grant>` among its extensions: what it
/// may have.
pub type Pages = Arc<dyn Fn(&Request<Incoming>) -> Response<Body> + Send + Sync>;

/// The encodings that this node speaks, best first.
const SPOKEN: [Encoding; 3] = [Encoding::Sbe, Encoding::Packed, Encoding::Json];

/// A handshake that succeeded.
struct Accepted {
    encoding: Encoding,
    seat: Seat,
    upgraded: upgrade::UpgradeFut,
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
    let accepted = Cell::new(None);
    let asked = Cell::new(false);
    let service = service_fn(|mut request: Request<Incoming>| {
        asked.set(true);
        let response = if caller.refused {
            too_many()
        } else if request.uri().path() == "/ws" {
            match accept(shard, &mut request) {
                Ok((response, handshake)) => {
                    accepted.set(Some(handshake));
                    response
                }
                Err(refusal) => {
                    let (why, response) = *refusal;
                    shard.metrics().handshakes_refused[why].inc();
                    response
                }
            }
        } else {
            page(shard, &mut request)
        };
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let http = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(connection), service)
        .with_upgrades();
    let mut http = std::pin::pin!(http);
    // The first request has to come within the handshake's time, whatever it took until here.
    let mut served = tokio::time::timeout_at(deadline, http.as_mut()).await;
    if served.is_err() && asked.get() {
        served = tokio::time::timeout_at(deadline + HTTP_LIFETIME, http.as_mut()).await;
    }
    let ended = match served {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) if error.is_timeout() => Err(HandshakeRefusal::Timeout),
        Ok(Err(error)) if error.is_parse() => Err(HandshakeRefusal::BadRequest),
        Ok(Err(_)) => Err(HandshakeRefusal::Io),
        Err(_) => Err(HandshakeRefusal::Timeout),
    };
    if let Err(why) = ended {
        shard.metrics().handshakes_refused[why].inc();
        return false;
    }
    let Some(handshake) = accepted.take() else {
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
            let about = About {
                seat: handshake.seat,
                peer: caller.peer,
                tls,
                opened: std::time::Instant::now(),
                conflated: 0,
                _counted: caller.counted,
            };
            return shard.open(io, &parts.read_buf, handshake.encoding, about);
        }
        Ok(None) => shard.metrics().handshakes_refused[HandshakeRefusal::Io].inc(),
        Err(_) => shard.metrics().handshakes_refused[HandshakeRefusal::Timeout].inc(),
    }
    false
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
/// request's extensions; the page and its scripts are for anybody.
fn page(shard: &Shard, request: &mut Request<Incoming>) -> Response<Body> {
    let path = request.uri().path();
    if path == "/v1" || path.starts_with("/v1/") {
        match authorize(shard, request) {
            Ok(grant) => {
                request.extensions_mut().insert(grant);
            }
            Err(denied) => return denied.response(),
        }
    }
    (shard.pages())(request)
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
    if shard.is_draining() {
        let response = busy("this node is stopping; another one serves you\n");
        return Err(Box::new((HandshakeRefusal::Draining, response)));
    }
    let grant = authorize(shard, request)
        .map_err(|denied| Box::new((HandshakeRefusal::Denied, denied.response())))?;
    let seat = shard.seats().take(&grant).map_err(|full| match full {
        NoSeat::Node => {
            let response = busy("this node has as many sessions as it may\n");
            Box::new((HandshakeRefusal::Full, response))
        }
        NoSeat::Subject => {
            shard.metrics().auth_refused[Denied::Connections.label()].inc();
            let response = Denied::Connections.response();
            Box::new((HandshakeRefusal::Denied, response))
        }
    })?;
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
