use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The certificate authorities that a client trusts.
#[derive(Clone)]
pub(crate) struct RootCertificates(TlsConnector);

/// Why TLS could not be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootCertificatesError {
    /// The text is not PEM with certificates.
    #[error("root certificates are not valid PEM: {0}")]
    Pem(String),
    /// There is no usable certificate.
    #[error("no root certificates; name a file that has some")]
    Empty,
    /// The TLS library failed.
    #[error("tls: {0}")]
    Tls(String),
}

impl RootCertificates {
    /// Trusts the certificates of a PEM text.
    pub(crate) fn of_pem(pem: &[u8]) -> Result<Self, RootCertificatesError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate =
                certificate.map_err(|error| RootCertificatesError::Pem(error.to_string()))?;
            roots
                .add(certificate)
                .map_err(|error| RootCertificatesError::Pem(error.to_string()))?;
        }
        Self::of(roots)
    }

    /// Trusts the authorities of the operating system.
    pub(crate) fn of_system() -> Result<Self, RootCertificatesError> {
        let mut roots = RootCertStore::empty();
        // Certificates that rustls cannot parse are skipped.
        let _counts =
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self::of(roots)
    }

    fn of(roots: RootCertStore) -> Result<Self, RootCertificatesError> {
        if roots.is_empty() {
            return Err(RootCertificatesError::Empty);
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| RootCertificatesError::Tls(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config).into()))
    }

    /// Completes a TLS handshake with a host.
    pub(crate) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        self.0.connect(name, stream).await
    }
}

impl fmt::Debug for RootCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootCertificates")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_certificate_nobody_is_believed() {
        assert_eq!(
            RootCertificates::of_pem(b"").unwrap_err(),
            RootCertificatesError::Empty
        );
        assert_eq!(
            RootCertificates::of_pem(b"hello").unwrap_err(),
            RootCertificatesError::Empty
        );
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(
            RootCertificates::of_pem(broken),
            Err(RootCertificatesError::Pem(_))
        ));
    }
}
