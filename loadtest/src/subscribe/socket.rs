//! The socket of a counting client, and the node that it connects to.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};

use anyhow::Context as _;
use client::Endpoint;
use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};
use wire::SUBPROTOCOL_SBE;

use crate::websocket::handshake;

/// A node, and the request that opens a WebSocket on it.
#[derive(Debug, Clone)]
pub(super) struct Node {
    addr: SocketAddr,
    request: Vec<u8>,
}

impl Node {
    pub(super) fn find(endpoint: &Endpoint) -> anyhow::Result<Self> {
        let (host, port) = (endpoint.host(), endpoint.port());
        let mut found = (host, port)
            .to_socket_addrs()
            .with_context(|| format!("cannot resolve {host}"))?;
        let addr = found
            .next()
            .with_context(|| format!("{host} has no address"))?;
        let url = endpoint.as_str();
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let path = if path.is_empty() { "/" } else { path };
        let request = handshake::request(authority, path, Some(SUBPROTOCOL_SBE));
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

    /// Starts to connect, from `source` if given.
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
            Err(error) if is_in_progress(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(TcpStream::from_std(socket.into()))
    }
}

fn is_in_progress(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_has_the_path_of_the_url() {
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
