use std::fmt;

use tungstenite::Error;

/// A violation of RFC 6455 by the node, or a message larger than [`Config::max_message`](crate::Config::max_message).
#[derive(thiserror::Error)]
#[error(transparent)]
pub struct WebSocketError(Box<Error>);

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The response is not `101 Switching Protocols`: 401 means that the token is missing or wrong, 503 that the
    /// node is full or not ready.
    #[error("answered with status {0}")]
    Status(u16),
    /// The response is not a WebSocket handshake in the requested subprotocol.
    #[error(transparent)]
    Response(WebSocketError),
}

impl From<Error> for WebSocketError {
    fn from(error: Error) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Debug for WebSocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
