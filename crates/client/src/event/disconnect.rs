use std::time::Duration;

use wire::control::{AnswerError, ControlError};

use crate::socket::{HandshakeError, WebSocketError};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Disconnect {
    /// The network failed, or nobody listens.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The node, or what listens in its place, refused the WebSocket.
    #[error("handshake: {0}")]
    Handshake(#[from] HandshakeError),
    /// Nobody answered in time.
    #[error("no connection after {0:?}")]
    ConnectTimeout(Duration),
    /// The node closed the connection.
    #[error("closed by the node: {code} {reason}")]
    Closed {
        /// The code of RFC 6455 or of `wire::close`; 1005 when the node gave none.
        code: u16,
        /// The node's own words.
        reason: String,
    },
    /// The connection ended without a word.
    #[error("connection ended without a close frame")]
    Ended,
    /// The node broke RFC 6455, or sent a message beyond [`Config::max_message`](crate::Config::max_message).
    #[error("websocket: {0}")]
    WebSocket(WebSocketError),
    /// The node answered what cannot be read.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The node could not read what this client sent.
    #[error("refused by the node: {0}")]
    Refused(ControlError),
    /// The connection stood, and nothing came.
    #[error("silent for {0:?}")]
    Mute(Duration),
    /// A request was not answered.
    #[error("a request was not answered in {0:?}")]
    Unanswered(Duration),
    /// The node had said that it would stop.
    #[error("the node stops")]
    GoAway,
}
