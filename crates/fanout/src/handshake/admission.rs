//! Who may have a session, and who may read data.

use std::sync::Arc;

use fanout_core::Grant;
use hyper::body::Incoming;
use hyper::{Request, Response};
use metrics::label::HandshakeRefusal;

use super::responses::busy;
use crate::access::Denied;
use crate::pages::Body;
use crate::permits::{NoPermit, Permit};
use crate::shard::Shard;

/// Why a handshake is rejected, and the response; boxed because it is rare.
pub(super) type Rejection = Box<(HandshakeRefusal, Response<Body>)>;

/// Returns what a request is entitled to, or counts its rejection.
pub(super) fn authorize(shard: &Shard, request: &Request<Incoming>) -> Result<Arc<Grant>, Denied> {
    let access = Arc::clone(&shard.settings().access);
    access
        .authorize(request.headers())
        .inspect_err(|denied| shard.metrics().auth_refused[denied.label()].inc())
}

/// Takes a permit for a new session.
pub(super) fn take_permit(shard: &Shard, grant: &Arc<Grant>) -> Result<Permit, Rejection> {
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
