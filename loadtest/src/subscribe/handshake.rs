use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use client::Endpoint;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::header::{
    CONNECTION, HOST, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use wire::SUBPROTOCOL_SBE;

/// Any 16 bytes in base64: what a node makes of it is checked by the verifying clients.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// Connects and becomes a WebSocket; returns the stream, and what was read behind the handshake.
pub(super) async fn connect(endpoint: &Endpoint) -> anyhow::Result<(TcpStream, Bytes)> {
    let stream = TcpStream::connect((endpoint.host(), endpoint.port()))
        .await
        .context("cannot connect")?;
    stream.set_nodelay(true)?;
    let uri: Uri = endpoint.as_str().parse().context("is no URL")?;
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let request = Request::get(target)
        .header(HOST, authority)
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "Upgrade")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, KEY)
        .header(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL_SBE)
        .body(Empty::<Bytes>::new())?;

    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut connection = pin!(connection.without_shutdown());
    let mut sending = pin!(sender.send_request(request));
    // The connection moves only while it is polled, and may end together with the answer.
    let mut ended = None;
    let response = poll_fn(|cx| {
        if ended.is_none()
            && let Poll::Ready(parts) = connection.as_mut().poll(cx)
        {
            ended = Some(parts);
        }
        sending.as_mut().poll(cx)
    });
    let status = response
        .await
        .context("no answer to the handshake")?
        .status();
    ensure!(
        status == StatusCode::SWITCHING_PROTOCOLS,
        "the handshake is refused: {status}"
    );
    let parts = match ended {
        Some(parts) => parts?,
        None => connection.await?,
    };
    Ok((parts.io.into_inner(), parts.read_buf))
}
