//! fastwebsockets: a task for each client, over hyper's upgrade and a buffered writer, so that
//! pending messages are one write.

use std::net::TcpListener;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use fastwebsockets::{Frame, OpCode, Payload, Role, WebSocket, upgrade};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper::{Request as HttpRequest, Response};
use hyper_util::rt::TokioIo;
use tokio::io::BufWriter;
use tokio::net::TcpStream;
use tokio::sync::mpsc::Receiver;

use super::Request;
use super::hub::{self, Hub};
use super::pacer::{Command, Source};

/// Write buffer of a client: some 60 small messages.
const WRITE_BUFFER: usize = 4 * 1024;
/// Messages to write before a flush.
const BATCH: usize = 512;

pub(super) async fn run(
    listener: TcpListener,
    source: Source,
    commands: Receiver<Command>,
) -> anyhow::Result<()> {
    hub::run(listener, source, commands, handshake).await
}

async fn handshake(stream: TcpStream, hub: Arc<Hub>) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let service = service_fn(move |mut request: HttpRequest<Incoming>| {
        let hub = Arc::clone(&hub);
        async move {
            let (response, upgraded) = upgrade::upgrade(&mut request)?;
            tokio::spawn(async move {
                let socket = upgraded.await?.into_inner();
                serve(socket, hub).await
            });
            Ok::<Response<Empty<Bytes>>, fastwebsockets::WebSocketError>(response)
        }
    });
    http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await?;
    Ok(())
}

async fn serve(stream: TokioIo<Upgraded>, hub: Arc<Hub>) -> anyhow::Result<()> {
    let stream = BufWriter::with_capacity(WRITE_BUFFER, stream);
    let mut socket = WebSocket::after_handshake(stream, Role::Server);
    let first = socket.read_frame().await?;
    let request = Request::parse(&first.payload, hub.topics())?;
    let mut feed = hub.subscribe(&request.subscribe);
    let answer = request.answer();
    socket
        .write_frame(Frame::text(Payload::Borrowed(answer.as_bytes())))
        .await?;
    socket.flush().await?;
    loop {
        // A client sends nothing more, so that a cancelled read has lost nothing.
        let next = tokio::select! {
            biased;
            message = feed.next() => message,
            said = socket.read_frame() => {
                ensure!(said?.opcode != OpCode::Close, "it left");
                continue;
            }
        };
        let mut next = Some(next.context("the publisher has ended")?);
        let mut written = 0;
        while let Some(message) = next {
            socket
                .write_frame(Frame::binary(Payload::Borrowed(&message)))
                .await?;
            written += 1;
            next = if written < BATCH { feed.now() } else { None };
        }
        socket.flush().await?;
    }
}
