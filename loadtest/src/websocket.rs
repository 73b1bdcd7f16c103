//! WebSocket for counting clients, which must cost so little that it is the server that is measured.
//!
//! A library's reader copies each frame and has a buffer for each connection; here the frames of all
//! clients are read in place, in one buffer. The verifying clients are those of the crate `client`.
//!
//! Modules in reading order: the [`handshake`], then [`frames`].

pub(crate) mod frames;
pub(crate) mod handshake;
