//! WebSocket close codes. Each is sent with a short reason, and has a single meaning.

/// Normal closure by either side.
pub const NORMAL: u16 = 1000;
/// The client is going away; never sent by a node.
pub const GOING_AWAY: u16 = 1001;
/// The client broke RFC 6455: an unmasked frame, reserved bits, an unknown opcode, wrong
/// fragmentation, or a control frame that is fragmented or over 125 bytes.
pub const PROTOCOL_ERROR: u16 = 1002;
/// The client sent a binary message; requests are JSON text in every subprotocol.
pub const UNSUPPORTED_DATA: u16 = 1003;
/// The client sent text that is not UTF-8.
pub const INVALID_TEXT: u16 = 1007;
/// The client sent a message over [`MAX_REQUEST`](crate::control::MAX_REQUEST).
pub const TOO_LARGE: u16 = 1009;
/// The node stops, after `GoAway`: reconnect, preferably to another node, and resume.
pub const RESTART: u16 = 1012;
/// The client lagged, and its policy for the stream was `disconnect`.
pub const TOO_SLOW: u16 = 4000;
/// The client did not answer a ping in time.
pub const HEARTBEAT: u16 = 4001;
/// The client sent too many messages.
pub const RATE_EXCEEDED: u16 = 4002;
/// The client's token has expired: reconnect with another one, and resume.
pub const EXPIRED: u16 = 4003;
/// The session had no stream for too long.
pub const IDLE: u16 = 4004;
