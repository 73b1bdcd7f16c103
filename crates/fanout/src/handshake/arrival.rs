//! Who connects, and whether that is too much.

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

/// Who is at the other end of a connection.
pub(super) struct Caller {
    pub(super) peer: SocketAddr,
    pub(super) counted: Option<Counted>,
}

/// Why a connection does not get as far as HTTP.
pub(super) enum Turned {
    /// It is closed.
    Away(HandshakeRefusal),
    /// It gets a 429, and is then closed.
    TooMany(TcpStream),
}

/// What is known of a connection before it has sent anything.
pub(crate) struct Arrival {
    pub(super) peer: SocketAddr,
    pub(super) standing: Standing,
}

pub(super) enum Standing {
    /// A client, counted where anything is limited.
    Client(Option<Counted>),
    /// A balancer, which has yet to report for whom it connects.
    Balancer,
    /// A client that is too much.
    TooMany,
}

impl Arrival {
    /// Counts a new connection. `None` if it is to be closed at once.
    pub(crate) fn new(shard: &Shard, settings: &Settings, peer: SocketAddr) -> Option<Self> {
        let trusted = &settings.trusted_proxies;
        if trusted.iter().any(|network| network.contains(peer.ip())) {
            let standing = Standing::Balancer;
            return Some(Self { peer, standing });
        }
        let standing = match count(shard, settings, peer) {
            Ok(counted) => Standing::Client(counted),
            // A TLS handshake costs a hundred times what a rejection may.
            Err(TooMuch) if settings.tls.is_some() => return None,
            Err(TooMuch) => Standing::TooMany,
        };
        Some(Self { peer, standing })
    }

    /// Returns whether it is going to be rejected, whatever it sends.
    pub(crate) fn is_too_much(&self) -> bool {
        matches!(self.standing, Standing::TooMany)
    }
}

impl Caller {
    /// What its session's socket is kept with.
    pub(super) fn client(self, permit: Permit, tls: Option<Box<Tls>>) -> ClientInfo {
        ClientInfo {
            permit,
            peer: self.peer,
            tls,
            _counted: self.counted,
        }
    }
}

/// An address has too many connections, or makes them too fast; it has been counted as that.
struct TooMuch;

/// Counts a connection among those of its address, if that is not too much.
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

/// Learns who is behind a balancer, and whether that is too much; then does TLS, where it is on.
pub(super) async fn arrive(
    shard: &Shard,
    settings: &Settings,
    mut io: TcpStream,
    mut caller: Caller,
    is_balancer: bool,
    slot: &ConnectionSlot,
) -> Result<(Connection, Caller), Turned> {
    if is_balancer {
        match proxy::read(&mut io).await {
            Ok(address) => caller.peer = address.unwrap_or(caller.peer),
            Err(error) => {
                tracing::debug!(%error, balancer = %caller.peer, "no PROXY header");
                return Err(Turned::Away(HandshakeRefusal::Proxy));
            }
        }
        slot.move_to(caller.peer.ip());
        match count(shard, settings, caller.peer) {
            Ok(counted) => caller.counted = counted,
            Err(TooMuch) => return Err(Turned::TooMany(io)),
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
            Err(Turned::Away(HandshakeRefusal::Tls))
        }
    }
}
