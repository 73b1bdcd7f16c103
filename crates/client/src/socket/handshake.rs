use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::header::{
    AUTHORIZATION, CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use sha1::{Digest, Sha1};
use tokio::net::TcpStream;
use wire::Encoding;

use super::Socket;
use super::transport::Transport;
use crate::Endpoint;
use crate::authorities::Authorities;
use crate::event::Disconnect;
use crate::token::TokenSource;

/// What a server adds to the key to show that it speaks WebSocket (RFC 6455, 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// What came is not HTTP, or broke off.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// The request could not be written down: the endpoint has characters that HTTP does not.
    #[error("the endpoint makes no request: {0}")]
    Request(#[from] hyper::http::Error),
    /// The answer is not `101 Switching Protocols`: 401 is a token that is missing or wrong, 503 a node
    /// that is full or not ready.
    #[error("answered with status {0}")]
    Status(u16),
    /// A header of the answer is missing or wrong.
    #[error("header {0} is missing or wrong")]
    Header(&'static str),
}

/// What makes connections.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    pub(crate) encoding: Encoding,
    pub(crate) max_message: usize,
    pub(crate) token: Option<TokenSource>,
    /// Whom to believe, where an endpoint is `wss`.
    pub(crate) authorities: Option<Authorities>,
}

impl Connector {
    /// Makes a TCP connection and a WebSocket of it, in the subprotocol of the encoding.
    pub(crate) async fn connect(self, endpoint: Endpoint) -> Result<Socket, Disconnect> {
        let stream = TcpStream::connect((endpoint.host(), endpoint.port())).await?;
        stream.set_nodelay(true)?;
        let stream = match &self.authorities {
            Some(authorities) if endpoint.is_tls() => {
                let stream = authorities.connect(endpoint.host(), stream).await?;
                Transport::Tls(Box::new(stream))
            }
            _ => Transport::Plain(stream),
        };
        let key = fastwebsockets::handshake::generate_key();
        let mut request =
            request(&endpoint, self.encoding, &key).map_err(HandshakeError::Request)?;
        if let Some(token) = &self.token {
            request.headers_mut().insert(AUTHORIZATION, token.header()?);
        }
        let (response, parts) = exchange(stream, request).await?;
        check(&response, self.encoding, &key)?;
        let stream = parts.io.into_inner();
        Ok(Socket::new(stream, &parts.read_buf, self.max_message))
    }
}

fn request(
    endpoint: &Endpoint,
    encoding: Encoding,
    key: &str,
) -> Result<Request<Empty<Bytes>>, hyper::http::Error> {
    Request::get(endpoint.target())
        .header(HOST, endpoint.authority())
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "Upgrade")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, key)
        .header(SEC_WEBSOCKET_PROTOCOL, encoding.subprotocol())
        .body(Empty::new())
}

type Io = TokioIo<Transport>;

/// Sends the request and takes the stream back, with what was read behind the answer.
async fn exchange(
    stream: Transport,
    request: Request<Empty<Bytes>>,
) -> Result<(Response<hyper::body::Incoming>, http1::Parts<Io>), Disconnect> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(HandshakeError::Http)?;
    let mut connection = pin!(connection.without_shutdown());
    let mut sending = pin!(sender.send_request(request));
    let mut ended = None;
    let response = poll_fn(|cx| {
        if ended.is_none()
            && let Poll::Ready(parts) = connection.as_mut().poll(cx)
        {
            ended = Some(parts);
        }
        sending.as_mut().poll(cx)
    });
    let response = response.await.map_err(HandshakeError::Http)?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(HandshakeError::Status(response.status().as_u16()).into());
    }
    let parts = match ended {
        Some(parts) => parts,
        None => connection.await,
    };
    Ok((response, parts.map_err(HandshakeError::Http)?))
}

fn check<T>(response: &Response<T>, encoding: Encoding, key: &str) -> Result<(), HandshakeError> {
    let headers = response.headers();
    let checks = [
        (
            "upgrade",
            has(headers, "upgrade", |value| {
                value.eq_ignore_ascii_case("websocket")
            }),
        ),
        ("connection", has(headers, "connection", names_upgrade)),
        (
            "sec-websocket-accept",
            has(headers, SEC_WEBSOCKET_ACCEPT.as_str(), |value| {
                value == accept(key)
            }),
        ),
        (
            "sec-websocket-protocol",
            has(headers, SEC_WEBSOCKET_PROTOCOL.as_str(), |value| {
                value == encoding.subprotocol()
            }),
        ),
    ];
    match checks.into_iter().find(|(_, right)| !right) {
        Some((name, _)) => Err(HandshakeError::Header(name)),
        None => Ok(()),
    }
}

fn has(headers: &HeaderMap, name: &str, right: impl Fn(&str) -> bool) -> bool {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| right(value.trim()))
}

fn names_upgrade(value: &str) -> bool {
    value
        .split(',')
        .any(|token| token.trim().eq_ignore_ascii_case("upgrade"))
}

/// What a server that speaks WebSocket answers to the key.
fn accept(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(GUID);
    STANDARD.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_key_is_that_of_the_rfc() {
        assert_eq!(
            accept("dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }

    fn answer(without: &str) -> Result<(), HandshakeError> {
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let mut response = Response::new(());
        for (name, value) in [
            ("upgrade", "WebSocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            ("sec-websocket-protocol", "tapecast.sbe.v1"),
        ] {
            if name != without {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
        }
        check(&response, Encoding::Sbe, key)
    }

    #[test]
    fn an_answer_without_any_of_its_headers_is_refused() {
        assert!(answer("").is_ok());
        for name in [
            "upgrade",
            "connection",
            "sec-websocket-accept",
            "sec-websocket-protocol",
        ] {
            assert!(
                matches!(answer(name), Err(HandshakeError::Header(n)) if n == name),
                "{name}"
            );
        }
    }
}
