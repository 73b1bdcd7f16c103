//! How a client connects and subscribes. Nothing is measured yet, so it may block on each answer.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use crate::websocket::frames::{self, Head};
use crate::websocket::handshake;

/// Time for a server to respond.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest response.
const MAX_ANSWER: usize = 1 << 20;

/// A connection on which client and server take turns.
#[derive(Debug)]
pub(super) struct Conversation {
    stream: TcpStream,
    /// Bytes that were read and not yet used.
    read: Vec<u8>,
}

impl Conversation {
    /// Opens a WebSocket on a new connection.
    pub(super) fn open(
        stream: TcpStream,
        path: &str,
        subprotocol: Option<&str>,
    ) -> anyhow::Result<Self> {
        let addr = stream.peer_addr()?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut conversation = Self {
            stream,
            read: Vec::new(),
        };
        let request = handshake::request(&addr.to_string(), path, subprotocol);
        conversation.stream.write_all(request.as_bytes())?;
        let end = loop {
            if let Some(end) = handshake::accepted(&conversation.read)? {
                break end;
            }
            conversation.fill()?;
        };
        conversation.read.drain(..end);
        Ok(conversation)
    }

    pub(super) fn send(&mut self, opcode: u8, payload: &[u8]) -> anyhow::Result<()> {
        let mut frame = Vec::new();
        frames::append_masked(&mut frame, opcode, payload);
        self.stream.write_all(&frame).context("cannot send")
    }

    /// The opcode and payload of the server's next message.
    pub(super) fn next(&mut self) -> anyhow::Result<(u8, Vec<u8>)> {
        loop {
            if let Some(head) = Head::read(&self.read)?
                && self.read.len() >= head.head + head.payload
            {
                let payload = self.read[head.head..head.head + head.payload].to_vec();
                self.read.drain(..head.head + head.payload);
                if head.opcode == frames::CLOSE {
                    bail!(
                        "closed by the server: {}",
                        String::from_utf8_lossy(&payload)
                    );
                }
                return Ok((head.opcode, payload));
            }
            self.fill()?;
        }
    }

    /// Reads messages until one is `wanted`, and returns it.
    pub(super) fn until(&mut self, wanted: impl Fn(u8, &[u8]) -> bool) -> anyhow::Result<Vec<u8>> {
        loop {
            let (opcode, payload) = self.next()?;
            if wanted(opcode, &payload) {
                return Ok(payload);
            }
        }
    }

    /// Returns the connection, and what was read and not used.
    pub(super) fn into_parts(self) -> anyhow::Result<(TcpStream, Vec<u8>)> {
        self.stream.set_nonblocking(true)?;
        Ok((self.stream, self.read))
    }

    fn fill(&mut self) -> anyhow::Result<()> {
        let mut buffer = [0; 16 * 1024];
        let len = self.stream.read(&mut buffer).context("no answer")?;
        ensure!(len > 0, "closed by the server");
        ensure!(self.read.len() < MAX_ANSWER, "the answer is too long");
        self.read.extend_from_slice(&buffer[..len]);
        Ok(())
    }
}
