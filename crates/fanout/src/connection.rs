use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::tls::Tls;

/// A connection that is not a session yet, with or without TLS.
pub(crate) struct Connection {
    stream: Stream,
    writes: Arc<Writes>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What has been written to a connection. Atomic because hyper requires connections that could move
/// to another thread, though none ever does.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    bytes: AtomicU64,
    blocked: AtomicBool,
}

impl Writes {
    /// Returns the bytes that the socket has taken.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Returns whether the socket was full at the last write.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed)
    }

    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &written {
            let bytes = u64::try_from(*bytes).unwrap_or(u64::MAX);
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        self.blocked.store(written.is_pending(), Ordering::Relaxed);
        written
    }
}

impl Connection {
    pub(crate) fn plain(io: TcpStream) -> Self {
        Self::of(Stream::Plain(io))
    }

    pub(crate) fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self::of(Stream::Tls(Box::new(stream)))
    }

    fn of(stream: Stream) -> Self {
        Self {
            stream,
            writes: Arc::default(),
        }
    }

    /// Returns the counters of what is written.
    pub(crate) fn writes(&self) -> Arc<Writes> {
        Arc::clone(&self.writes)
    }

    /// Returns the parts that a session continues with.
    pub(crate) fn into_parts(self) -> (TcpStream, Option<Box<Tls>>) {
        match self.stream {
            Stream::Plain(io) => (io, None),
            Stream::Tls(stream) => {
                let (io, connection) = stream.into_inner();
                (io, Some(Box::new(Tls::new(connection))))
            }
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(io) => Pin::new(io).poll_read(cx, into),
            Stream::Tls(io) => Pin::new(io).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, writes } = self.get_mut();
        writes.note(match stream {
            Stream::Plain(io) => Pin::new(io).poll_write(cx, bytes),
            Stream::Tls(io) => Pin::new(io).poll_write(cx, bytes),
        })
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, writes } = self.get_mut();
        writes.note(match stream {
            Stream::Plain(io) => Pin::new(io).poll_write_vectored(cx, slices),
            Stream::Tls(io) => Pin::new(io).poll_write_vectored(cx, slices),
        })
    }

    /// Otherwise hyper would copy each body after its head, and a body shared by many would be held
    /// once for each of them.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, writes } = self.get_mut();
        let flushed = match stream {
            Stream::Plain(io) => Pin::new(io).poll_flush(cx),
            Stream::Tls(io) => Pin::new(io).poll_flush(cx),
        };
        // TLS takes more than the socket does.
        writes
            .blocked
            .store(flushed.is_pending(), Ordering::Relaxed);
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Stream::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}
