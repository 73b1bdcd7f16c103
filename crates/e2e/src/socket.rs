//! A WebSocket client that sends any bytes, and reads only when the test does.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;
use testkit::websocket::{client_frame, take_server_frame};

use crate::wait;

/// No answer of a node takes longer.
const WITHIN: Duration = Duration::from_secs(20);
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;

/// A connection after its handshake.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    unread: Vec<u8>,
    /// Whether pings are answered.
    pub pongs: bool,
}

/// A frame of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// As RFC 6455 numbers them.
    pub opcode: u8,
    /// The payload.
    pub payload: Vec<u8>,
}

impl Frame {
    /// The text's JSON.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.payload).ok()
    }
}

/// A valid handshake with additional header lines.
#[must_use]
pub fn handshake(address: SocketAddr, more: &str) -> String {
    format!(
        "GET /ws HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}

impl Socket {
    /// Connects and asks for a subprotocol.
    #[must_use]
    pub fn connect(address: SocketAddr, protocol: &str) -> Self {
        Self::connect_chosen(address, protocol, protocol)
    }

    /// Connects, offers subprotocols, and has that one chosen.
    #[must_use]
    pub fn connect_chosen(address: SocketAddr, protocol: &str, chosen: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the node listens");
        stream
            .set_read_timeout(Some(WITHIN))
            .and_then(|()| stream.set_write_timeout(Some(WITHIN)))
            .expect("a socket has a time-out");
        let mut socket = Self {
            stream,
            unread: Vec::new(),
            pongs: true,
        };
        let protocol = format!("Sec-WebSocket-Protocol: {protocol}\r\n");
        socket.write(handshake(address, &protocol).as_bytes());
        let head = loop {
            if let Some(end) = find(&socket.unread, b"\r\n\r\n") {
                break socket.unread.drain(..end + 4).collect::<Vec<_>>();
            }
            assert!(socket.read(), "the node ends in its handshake");
        };
        let head = String::from_utf8_lossy(&head).into_owned();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let chosen = format!("\r\nsec-websocket-protocol: {chosen}\r\n");
        assert!(head.to_ascii_lowercase().contains(&chosen), "{head}");
        socket
    }

    /// Writes bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) {
        // If the node has closed already, what can still be read has the reason.
        let _closed = self.stream.write_all(bytes);
    }

    /// Writes bytes as they are; false when the node takes no more.
    pub fn try_write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends a frame with a mask, as a client should.
    pub fn send(&mut self, opcode: u8, payload: &[u8]) {
        let bytes = client_frame(0x80 | opcode, payload);
        self.write(&bytes);
    }

    /// Sends a request.
    pub fn request(&mut self, text: &str) {
        self.send(TEXT, text.as_bytes());
    }

    /// The next frame that is no ping; `None` when the node ended the connection.
    pub fn frame(&mut self) -> Option<Frame> {
        loop {
            while let Some(frame) = self.take() {
                if frame.opcode != PING {
                    return Some(frame);
                }
                if self.pongs {
                    self.send(10, &frame.payload);
                }
            }
            if !self.read() {
                return None;
            }
        }
    }

    /// The next control answer; skips data.
    pub fn answer(&mut self) -> Value {
        wait::until_read(WITHIN, "an answer", || {
            let frame = self.frame().expect("the node answers");
            assert!(frame.opcode != CLOSE, "closed with {:?}", code(&frame));
            let json = frame.json().filter(|_| frame.opcode == TEXT);
            json.filter(|json| json.get("op").is_some())
        })
    }

    /// Reads to the end and returns the close code; `None` if the node sent none.
    pub fn close_code(&mut self) -> Option<u16> {
        wait::until_read(WITHIN, "a close", || match self.frame() {
            Some(frame) if frame.opcode == CLOSE => Some(code(&frame)),
            Some(_) => None,
            None => Some(None),
        })
    }

    /// Reads more; false at the end.
    fn read(&mut self) -> bool {
        let mut bytes = vec![0; 64 << 10];
        match self.stream.read(&mut bytes) {
            Ok(0) => false,
            Ok(count) => {
                self.unread.extend_from_slice(&bytes[..count]);
                true
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                panic!("the node sent nothing for {WITHIN:?}")
            }
            Err(_) => false,
        }
    }

    fn take(&mut self) -> Option<Frame> {
        let frame = take_server_frame(&mut self.unread)?;
        Some(Frame {
            opcode: frame.opcode(),
            payload: frame.payload().to_vec(),
        })
    }
}

/// The close code of a close frame.
#[must_use]
pub fn code(frame: &Frame) -> Option<u16> {
    let bytes = frame.payload.get(..2)?;
    Some(u16::from_be_bytes([bytes[0], bytes[1]]))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
