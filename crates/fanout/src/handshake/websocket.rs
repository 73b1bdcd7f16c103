//! The WebSocket handshake.

use fastwebsockets::upgrade;
use hyper::body::Incoming;
use hyper::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use hyper::{Request, Response, StatusCode};
use metrics::label::HandshakeRefusal;
use wire::Encoding;

use super::admission::{Rejection, authorize, take_permit};
use super::head::{self, HeadError};
use super::responses::{refuse, reject};
use crate::access::BEARER_PROTOCOL;
use crate::pages::Body;
use crate::permits::Permit;
use crate::shard::Shard;

/// Encodings in order of preference.
const ENCODINGS: [Encoding; 3] = [Encoding::Sbe, Encoding::Packed, Encoding::Json];

/// A successful handshake.
pub(super) struct Accepted {
    pub(super) encoding: Encoding,
    pub(super) permit: Permit,
    pub(super) upgraded: upgrade::UpgradeFut,
}

/// Accepts a WebSocket handshake, or returns the response that rejects it.
pub(super) fn accept(
    shard: &Shard,
    request: &mut Request<Incoming>,
) -> Result<(Response<Body>, Accepted), Rejection> {
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
    let permit = take_permit(shard, &grant)?;
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

/// Returns the client's first subprotocol that is supported; JSON if it names none.
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
