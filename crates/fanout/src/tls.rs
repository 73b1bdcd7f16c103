//! TLS on the public listener.
//!
//! During the handshake a connection belongs to tokio, afterwards to its session, which holds its
//! [`Tls`] in a box, so that a session without TLS pays nothing for it.

mod expiry;

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};

/// How many bytes of records a session may hold that its socket has not taken: two full records.
/// For a lagging session this is what `session.not_sent_bytes` is without TLS.
const HELD: usize = 32 * 1024;

/// A certificate, its key and the TLS configuration: versions 1.2 and 1.3, with the cipher suites of
/// rustls, all of which provide forward secrecy and authenticated encryption.
#[derive(Clone)]
pub struct TlsIdentity {
    config: Arc<ServerConfig>,
    expires: u64,
}

/// Why a certificate and a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificates cannot be parsed.
    #[error("the certificate file is not PEM with certificates: {0}")]
    Certificates(rustls::pki_types::pem::Error),
    /// There is no certificate.
    #[error("the certificate file has no certificate")]
    NoCertificate,
    /// The certificate has no readable end of validity.
    #[error("the first certificate cannot be parsed")]
    Unreadable,
    /// The key cannot be parsed.
    #[error("the key file is not PEM with a private key: {0}")]
    Key(rustls::pki_types::pem::Error),
    /// The certificate and the key do not match, or the key is of an unsupported kind.
    #[error("the certificate and the key do not match: {0}")]
    Mismatch(rustls::Error),
    /// There is no randomness for session tickets.
    #[error("cannot generate keys for session tickets: {0}")]
    Tickets(rustls::Error),
}

impl TlsIdentity {
    /// Parses two PEM files: the certificate with its chain, and its key.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<Vec<_>, _>>()
            .map_err(TlsError::Certificates)?;
        let first = chain.first().ok_or(TlsError::NoCertificate)?;
        let expires = expiry::not_after(first).ok_or(TlsError::Unreadable)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(TlsError::Key)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(TlsError::Mismatch)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(TlsError::Mismatch)?;
        // HTTP/2 has no use here: each connection becomes one long WebSocket.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A returning client resumes its TLS session, and the node keeps no state for it.
        config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(TlsError::Tickets)?;
        config.send_tls13_tickets = 1;
        Ok(Self {
            config: Arc::new(config),
            expires,
        })
    }

    /// When the certificate expires, in seconds since 1970.
    #[must_use]
    pub const fn expires(&self) -> u64 {
        self.expires
    }

    pub(crate) fn acceptor(&self) -> tokio_rustls::TlsAcceptor {
        Arc::clone(&self.config).into()
    }
}

/// Without the key.
impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity")
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// The TLS state of a session, over its non-blocking socket.
pub(crate) struct Tls(ServerConnection);

impl Tls {
    pub(crate) fn new(mut connection: ServerConnection) -> Self {
        connection.set_buffer_limit(Some(HELD));
        Self(connection)
    }

    /// Returns whether records are held that the socket has not taken.
    pub(crate) fn holds_records(&self) -> bool {
        self.0.wants_write()
    }

    /// Sends as a socket would: returns how many bytes were taken, or `WouldBlock` if none were.
    /// Bytes that were taken may still be held: see [`Self::holds_records`].
    pub(crate) fn send(&mut self, io: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        loop {
            if !self.flush(io)? {
                return match taken {
                    0 => Err(io::ErrorKind::WouldBlock.into()),
                    taken => Ok(taken),
                };
            }
            let rest = bytes.get(taken..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(taken);
            }
            match self.0.writer().write(rest)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                more => taken += more,
            }
        }
    }

    /// Writes held records to the socket. Returns whether the socket took all of them.
    pub(crate) fn flush(&mut self, mut io: &TcpStream) -> io::Result<bool> {
        while self.0.wants_write() {
            match self.0.write_tls(&mut io) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Receives as a socket would: 0 means the end of the stream.
    pub(crate) fn receive(&mut self, mut io: &TcpStream, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.reader().read(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
            if self.0.read_tls(&mut io)? == 0 {
                return Ok(0);
            }
            if let Err(error) = self.0.process_new_packets() {
                // The alert that names the error, as far as the socket takes it.
                let _alert = self.flush(io);
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
    }

    /// Sends `close_notify`: no more data follows.
    pub(crate) fn send_end(&mut self) {
        self.0.send_close_notify();
    }
}

#[cfg(test)]
mod tests;
