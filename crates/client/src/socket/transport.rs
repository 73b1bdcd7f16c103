use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// TCP, or TLS over TCP.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The bytes under a WebSocket, in the form that tungstenite needs: an operation that would have to wait is an error,
/// and the waker is called when it is worth trying again.
pub(super) struct Transport {
    stream: Box<dyn Stream>,
    waker: Waker,
    /// Whether reads reach the stream; otherwise they end where the socket's own buffer does.
    open: bool,
    /// Whether bytes have arrived: a long message on a slow link is a sign of life before it is complete.
    heard: bool,
}

impl Transport {
    pub(super) fn new(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            waker: Waker::noop().clone(),
            open: true,
            heard: false,
        }
    }

    /// Registers the task to wake.
    #[inline]
    pub(super) fn wake_by(&mut self, cx: &Context<'_>) {
        self.waker.clone_from(cx.waker());
    }

    /// Lets reads reach the stream, or not.
    #[inline]
    pub(super) const fn set_open(&mut self, open: bool) {
        self.open = open;
    }

    /// Returns whether bytes have arrived since the last call.
    #[inline]
    pub(super) fn take_heard(&mut self) -> bool {
        std::mem::take(&mut self.heard)
    }

    pub(super) fn shut_down(&mut self) {
        // A peer that does not hear of it notices by itself.
        let _ = Pin::new(&mut self.stream).poll_shutdown(&mut Context::from_waker(&self.waker));
    }
}

impl Read for Transport {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if !self.open {
            return Err(ErrorKind::WouldBlock.into());
        }
        let mut into = ReadBuf::new(into);
        let mut cx = Context::from_waker(&self.waker);
        or_would_block(Pin::new(&mut self.stream).poll_read(&mut cx, &mut into))?;
        self.heard = true;
        Ok(into.filled().len())
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut cx = Context::from_waker(&self.waker);
        or_would_block(Pin::new(&mut self.stream).poll_write(&mut cx, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut cx = Context::from_waker(&self.waker);
        or_would_block(Pin::new(&mut self.stream).poll_flush(&mut cx))
    }
}

fn or_would_block<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}
