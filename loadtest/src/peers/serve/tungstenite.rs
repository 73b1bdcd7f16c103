//! tokio-tungstenite: a task for each client. Pending messages are fed, and flushed once.

use std::net::TcpListener;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::Receiver;
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::Request;
use super::hub::{self, Hub};
use super::pacer::{Command, Source};

/// Enough for a client that sends little; the default is 128 KiB per client.
const READ_BUFFER: usize = 4 * 1024;
/// Bytes to feed before a flush.
const WRITE_BUFFER: usize = 64 * 1024;
/// Messages to feed before a flush.
const BATCH: usize = 512;

pub(super) async fn run(
    listener: TcpListener,
    source: Source,
    commands: Receiver<Command>,
) -> anyhow::Result<()> {
    hub::run(listener, source, commands, serve).await
}

async fn serve(stream: TcpStream, hub: Arc<Hub>) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER);
    let mut socket = accept_async_with_config(stream, Some(config)).await?;
    let first = socket.next().await.context("it left")??;
    let request = Request::parse(&first.into_data(), hub.topics())?;
    let mut feed = hub.subscribe(&request.subscribe);
    socket.send(Message::text(request.answer())).await?;
    loop {
        tokio::select! {
            biased;
            message = feed.next() => {
                let mut next = Some(message.context("the publisher has ended")?);
                let mut fed = 0;
                while let Some(message) = next {
                    socket.feed(Message::Binary(message)).await?;
                    fed += 1;
                    next = if fed < BATCH { feed.now() } else { None };
                }
                socket.flush().await?;
            }
            // Reading answers pings; a client sends nothing else.
            said = socket.next() => ensure!(!said.context("it left")??.is_close(), "it left"),
        }
    }
}
