//! A connection of a counting client: no more than a socket, and a handshake by hand.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};

use anyhow::{Context as _, bail};
use client::Endpoint;
use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};
use wire::SUBPROTOCOL_SBE;

/// Any 16 bytes in base64: what a node makes of it is checked by the verifying clients.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The longest answer to a handshake that is waited for.
const MAX_HEAD: usize = 16 * 1024;

/// A node, and what asks it to become a WebSocket.
#[derive(Debug, Clone)]
pub(super) struct Node {
    addr: SocketAddr,
    request: Vec<u8>,
}

/// What a node answered to a handshake.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// Not all of it is here yet.
    Partly,
    /// It is a WebSocket from this byte on.
    Accepted(usize),
}

impl Node {
    pub(super) fn find(endpoint: &Endpoint) -> anyhow::Result<Self> {
        let (host, port) = (endpoint.host(), endpoint.port());
        let mut found = (host, port)
            .to_socket_addrs()
            .with_context(|| format!("{host} cannot be looked up"))?;
        let addr = found
            .next()
            .with_context(|| format!("{host} has no address"))?;
        let url = endpoint.as_str();
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let path = if path.is_empty() { "/" } else { path };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\
             Sec-WebSocket-Protocol: {SUBPROTOCOL_SBE}\r\n\r\n"
        );
        Ok(Self {
            addr,
            request: request.into_bytes(),
        })
    }

    pub(super) fn request(&self) -> &[u8] {
        &self.request
    }

    pub(super) const fn is_local(&self) -> bool {
        match self.addr.ip() {
            IpAddr::V4(ip) => ip.is_loopback(),
            IpAddr::V6(_) => false,
        }
    }

    /// Begins to connect, from that address where one is given.
    pub(super) fn connect(&self, source: Option<IpAddr>) -> io::Result<TcpStream> {
        let domain = Domain::for_address(self.addr);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if let Some(source) = source {
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        match socket.connect(&self.addr.into()) {
            Ok(()) => {}
            Err(error) if is_under_way(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(TcpStream::from_std(socket.into()))
    }
}

fn is_under_way(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}

/// What has come of an answer to a handshake.
pub(super) fn answered(head: &[u8]) -> anyhow::Result<Answered> {
    let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") else {
        anyhow::ensure!(
            head.len() <= MAX_HEAD,
            "the handshake's answer does not end"
        );
        return Ok(Answered::Partly);
    };
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    if line.starts_with(b"HTTP/1.1 101 ") {
        Ok(Answered::Accepted(end + 4))
    } else {
        bail!(
            "the handshake is refused: {}",
            String::from_utf8_lossy(line)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_is_over_with_its_empty_line() {
        let head = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n\x81\x02hi";
        let end = head.len() - 4;
        assert_eq!(answered(head).unwrap(), Answered::Accepted(end));
        assert_eq!(answered(&head[..end - 1]).unwrap(), Answered::Partly);
        let refused = answered(b"HTTP/1.1 503 Service Unavailable\r\n\r\n");
        assert!(refused.unwrap_err().to_string().contains("503"));
        assert!(answered(&[b'x'; MAX_HEAD + 1]).is_err());
    }

    #[test]
    fn what_is_asked_for_is_the_path_of_the_url() {
        let request = |url: &str| {
            let node = Node::find(&Endpoint::parse(url).unwrap()).unwrap();
            String::from_utf8(node.request).unwrap()
        };
        let text = request("ws://127.0.0.1:8080/ws");
        assert!(text.starts_with("GET /ws HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"));
        assert!(text.ends_with("\r\n\r\n"));
        assert!(request("ws://127.0.0.1:1").starts_with("GET / HTTP/1.1\r\n"));
    }
}
