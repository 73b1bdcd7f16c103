use std::time::Duration;

use wire::control::{AnswerError, ControlError};

use crate::{HandshakeError, WebSocketError};

/// Why a connection ended, or could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Disconnect {
    /// An I/O error, such as a refused connection.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The WebSocket handshake failed.
    #[error("handshake: {0}")]
    Handshake(#[from] HandshakeError),
    /// The connection attempt took too long.
    #[error("no connection after {0:?}")]
    ConnectTimeout(Duration),
    /// The node closed the connection.
    #[error("closed by the node: {code} {reason}")]
    Closed {
        /// The code of RFC 6455 or of `wire::close`; 1005 if the node gave none.
        code: u16,
        /// The node's reason.
        reason: String,
    },
    /// The connection ended without a close frame.
    #[error("connection ended without a close frame")]
    Ended,
    /// The node broke RFC 6455, or sent a message longer than [`Config::max_message`](crate::Config::max_message).
    #[error("websocket: {0}")]
    WebSocket(WebSocketError),
    /// The node sent an answer that cannot be parsed.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The node could not parse a request of this client.
    #[error("request rejected by the node: {0}")]
    Rejected(ControlError),
    /// Nothing was received for too long.
    #[error("silent for {0:?}")]
    Silent(Duration),
    /// A request was not answered in time.
    #[error("a request was not answered in {0:?}")]
    Unanswered(Duration),
    /// The node had announced that it would stop.
    #[error("the node is stopping")]
    GoAway,
}
