//! A client's WebSocket: the handshake, the frames, and reading and writing them without waiting.
//!
//! Hyper speaks HTTP and fastwebsockets types what is sent; what is received is read here. The reader of
//! fastwebsockets 0.10 copies each payload, cannot be given up half-way, accepts control frames that are
//! too long, and has no bound for a message in fragments. In reading order:

mod handshake;

mod transport;

mod frames;
mod stream;

pub use frames::FrameError;
pub use handshake::HandshakeError;

pub(crate) use frames::Incoming;
pub(crate) use handshake::Connector;
pub(crate) use stream::Socket;
