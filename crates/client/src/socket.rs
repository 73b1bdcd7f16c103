//! A client's WebSocket: tungstenite over TCP or TLS.
//!
//! Not tokio-tungstenite: it registers two wakers for each message, which costs a third of the CPU time that the whole
//! client needs otherwise (`cargo bench -p client`).

mod connector;
mod transport;

pub(crate) use connector::Connector;

use std::io::ErrorKind;
use std::task::{Context, Poll};

use tungstenite::error::ProtocolError;
use tungstenite::protocol::CloseFrame;
use tungstenite::{Error, Message, Utf8Bytes, WebSocket};

use crate::event::Disconnect;
use transport::Transport;

/// An open WebSocket.
#[derive(Debug)]
pub(crate) struct Socket {
    socket: WebSocket<Transport>,
    /// Whether something was sent that the transport may not have accepted yet.
    unflushed: bool,
}

impl Socket {
    const fn new(socket: WebSocket<Transport>) -> Self {
        Self {
            socket,
            unflushed: false,
        }
    }

    /// Returns whether bytes have arrived since the last call.
    #[inline]
    pub(crate) fn take_heard(&mut self) -> bool {
        self.socket.get_mut().take_heard()
    }

    /// The next message, if it has been read already.
    #[inline]
    pub(crate) fn next_read(&mut self, cx: &Context<'_>) -> Poll<Result<Message, Error>> {
        self.socket.get_mut().wake_by(cx);
        self.socket.get_mut().set_open(false);
        or_pending(self.socket.read())
    }

    /// The next message. Pings are answered on the way.
    #[inline]
    pub(crate) fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Result<Message, Error>> {
        self.socket.get_mut().wake_by(cx);
        self.socket.get_mut().set_open(true);
        or_pending(self.socket.read())
    }

    pub(crate) fn send_text(&mut self, cx: &Context<'_>, text: String) -> Result<(), Error> {
        self.socket.get_mut().wake_by(cx);
        self.unflushed = true;
        match or_pending(self.socket.write(Message::text(text))) {
            // It waits in the socket's own buffer.
            Poll::Pending => Ok(()),
            Poll::Ready(result) => result,
        }
    }

    /// Writes whatever has been sent but not written.
    #[inline]
    pub(crate) fn poll_flush(&mut self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        if !self.unflushed {
            return Poll::Ready(Ok(()));
        }
        self.socket.get_mut().wake_by(cx);
        let flushed = or_pending(self.socket.flush());
        self.unflushed = flushed.is_pending();
        flushed
    }

    /// Ends the connection, with a close frame if the transport accepts one at once. A close frame of the node is
    /// answered with its own code.
    pub(crate) fn close(mut self, code: u16) {
        let close = CloseFrame {
            code: code.into(),
            reason: Utf8Bytes::default(),
        };
        // The connection is over, whether this succeeds or not.
        if self.socket.close(Some(close)).is_ok() {
            self.socket.get_mut().shut_down();
        }
    }
}

fn or_pending<T>(result: Result<T, Error>) -> Poll<Result<T, Error>> {
    match result {
        Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}

impl From<Error> for Disconnect {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => Self::Io(error),
            Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Ended,
            error => Self::WebSocket(error.into()),
        }
    }
}
