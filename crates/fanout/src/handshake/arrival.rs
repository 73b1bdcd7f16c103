//! Identifying the client of a new connection and checking its limits.

use std::net::SocketAddr;

use metrics::label::HandshakeRefusal;
use tokio::net::TcpStream;

use crate::addresses::{Counted, TooMany};
use crate::connection::Connection;
use crate::connection_slot::ConnectionSlot;
use crate::permits::Permit;
use crate::proxy;
use crate::settings::Settings;
use crate::shard::{ClientInfo, Shard};
use crate::tls::Tls;

/// The client of a connection.
pub(super) struct Caller {
    pub(super) peer: SocketAddr,
    pub(super) counted: Option<Counted>,
}

/// Why a connection does not reach HTTP.
pub(super) enum Rejected {
    /// It is closed.
    Away(HandshakeRefusal),
    /// It is sent a 429 and closed.
    TooMany(TcpStream),
}

/// A new connection that has sent nothing yet.
pub(crate) struct Arrival {
    pub(super) peer: SocketAddr,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    /// A client, counted if any limit is on.
    Client(Option<Counted>),
    /// A balancer that has yet to report its client.
    Balancer,
    /// A client over its limits.
    TooMany,
}

impl Arrival {
    /// Counts a new connection. Returns `None` if it has to be closed at once.
    pub(crate) fn new(shard: &Shard, settings: &Settings, peer: SocketAddr) -> Option<Self> {
        let trusted = &settings.trusted_proxies;
        if trusted.iter().any(|network| network.contains(peer.ip())) {
            let kind = Kind::Balancer;
            return Some(Self { peer, kind });
        }
        let kind = match count(shard, settings, peer) {
            Ok(counted) => Kind::Client(counted),
            // A TLS handshake costs a hundred times as much as a rejection may.
            Err(TooMuch) if settings.tls.is_some() => return None,
            Err(TooMuch) => Kind::TooMany,
        };
        Some(Self { peer, kind })
    }

    /// Returns whether it will be rejected, whatever it sends.
    pub(crate) fn is_too_much(&self) -> bool {
        matches!(self.kind, Kind::TooMany)
    }
}

impl Caller {
    /// Returns the details to keep with the session's socket.
    pub(super) fn client(self, permit: Permit, tls: Option<Box<Tls>>) -> ClientInfo {
        ClientInfo {
            permit,
            peer: self.peer,
            tls,
            _counted: self.counted,
        }
    }
}

/// An address is over its limits; this has been counted.
struct TooMuch;

/// Counts a connection of an address, unless that is over its limits.
fn count(shard: &Shard, settings: &Settings, peer: SocketAddr) -> Result<Option<Counted>, TooMuch> {
    let entered = shard
        .addresses()
        .enter(peer.ip(), settings, std::time::Instant::now());
    entered.map_err(|too_many| {
        let why = match too_many {
            TooMany::OfAddress => HandshakeRefusal::Address,
            TooMany::FromAddress | TooMany::FromAll => HandshakeRefusal::Rate,
        };
        shard.metrics().handshakes_refused[why].inc();
        TooMuch
    })
}

/// Reads the client's address from a balancer and checks its limits; then performs the TLS
/// handshake, if TLS is on.
pub(super) async fn arrive(
    shard: &Shard,
    settings: &Settings,
    mut io: TcpStream,
    mut caller: Caller,
    is_balancer: bool,
    slot: &ConnectionSlot,
) -> Result<(Connection, Caller), Rejected> {
    if is_balancer {
        match proxy::read(&mut io).await {
            Ok(address) => caller.peer = address.unwrap_or(caller.peer),
            Err(error) => {
                tracing::debug!(%error, balancer = %caller.peer, "no PROXY header");
                return Err(Rejected::Away(HandshakeRefusal::Proxy));
            }
        }
        slot.move_to(caller.peer.ip());
        match count(shard, settings, caller.peer) {
            Ok(counted) => caller.counted = counted,
            Err(TooMuch) => return Err(Rejected::TooMany(io)),
        }
        super::delay(shard, settings, caller.peer.ip(), slot).await;
    }
    let Some(identity) = &settings.tls else {
        return Ok((Connection::plain(io), caller));
    };
    match identity.acceptor().accept(io).await {
        Ok(stream) => Ok((Connection::tls(stream), caller)),
        Err(error) => {
            tracing::debug!(%error, peer = %caller.peer, "no TLS");
            Err(Rejected::Away(HandshakeRefusal::Tls))
        }
    }
}
