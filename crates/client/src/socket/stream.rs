use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use fastwebsockets::{Frame, Payload};
use tokio::io::{AsyncReadExt, AsyncWrite};

use super::frames::Frames;
use super::transport::Transport;
use super::{FrameError, Incoming};
use crate::event::Disconnect;

/// How much room a read has at least: a burst of some hundred deltas.
const READ: usize = 64 * 1024;
/// The most that waits to be written. Requests are few; a node that pings without reading the pongs gets no
/// more of them.
const MAX_OUTBOX: usize = 64 * 1024;
/// The longest reason of a close frame is what a control frame holds, less the code.
const MAX_REASON: usize = 123;

/// A WebSocket that stands.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: Transport,
    frames: Frames,
    inbox: BytesMut,
    outbox: BytesMut,
}

impl Socket {
    /// `read_ahead`: what the handshake read behind its own end.
    pub(crate) fn new(stream: Transport, read_ahead: &[u8], max_message: usize) -> Self {
        Self {
            stream,
            frames: Frames::new(max_message),
            inbox: BytesMut::from(read_ahead),
            outbox: BytesMut::new(),
        }
    }

    /// The next message that was read already, if there is one.
    pub(crate) fn next_read(&mut self) -> Result<Option<Incoming>, FrameError> {
        self.frames.next(&mut self.inbox)
    }

    /// Reads some bytes; 0 is the end.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.inbox.capacity() - self.inbox.len() < READ / 4 {
            self.inbox.reserve(READ);
        }
        // The future holds nothing of its own: dropped before it is ready, nothing is lost.
        pin!(self.stream.read_buf(&mut self.inbox)).poll(cx)
    }

    pub(crate) fn send_text(&mut self, text: &str) {
        self.push(Frame::text(Payload::Borrowed(text.as_bytes())));
    }

    pub(crate) fn send_pong(&mut self, payload: &[u8]) {
        if self.outbox.len() < MAX_OUTBOX {
            self.push(Frame::pong(Payload::Borrowed(payload)));
        }
    }

    /// Writes what it can at once of a close frame and of what waits before it; then the connection is over.
    pub(crate) fn close(mut self, cx: &mut Context<'_>, code: u16, reason: &str) {
        let reason = reason.get(..MAX_REASON).unwrap_or(reason);
        // 1005 and 1006 stand for "no code", and are never sent.
        if matches!(code, 1005 | 1006) {
            self.push(Frame::close_raw(Payload::Borrowed(&[])));
        } else {
            self.push(Frame::close(code, reason.as_bytes()));
        }
        if let Poll::Ready(Ok(())) = self.poll_flush(cx) {
            let _ = Pin::new(&mut self.stream).poll_shutdown(cx);
        }
    }

    fn push(&mut self, mut frame: Frame<'_>) {
        frame.mask();
        let mut bytes = Vec::new();
        self.outbox.extend_from_slice(frame.write(&mut bytes));
    }

    /// Writes what waits to be written.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Disconnect>> {
        while !self.outbox.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.outbox) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(Disconnect::Ended)),
                Poll::Ready(Ok(written)) => self.outbox.advance(written),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Pending => return Poll::Pending,
            }
        }
        // What TLS has taken may not have gone yet.
        Pin::new(&mut self.stream)
            .poll_flush(cx)
            .map_err(Disconnect::from)
    }
}
