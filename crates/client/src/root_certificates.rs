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

/// Whom a client believes when a node says who it is.
#[derive(Clone)]
pub(crate) struct Authorities(TlsConnector);

/// Why there is nobody to believe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthoritiesError {
    /// The text is no PEM with certificates.
    #[error("the authorities are no PEM with certificates: {0}")]
    Pem(String),
    /// There is no certificate that can be used.
    #[error("there is no authority to believe; name a file of certificates")]
    Nobody,
    /// TLS cannot be set up.
    #[error("tls: {0}")]
    Tls(String),
}

impl Authorities {
    /// Believes the certificates of a PEM text.
    pub(crate) fn of_pem(pem: &[u8]) -> Result<Self, AuthoritiesError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate =
                certificate.map_err(|error| AuthoritiesError::Pem(error.to_string()))?;
            roots
                .add(certificate)
                .map_err(|error| AuthoritiesError::Pem(error.to_string()))?;
        }
        Self::of(roots)
    }

    /// Believes whom the system believes.
    pub(crate) fn of_system() -> Result<Self, AuthoritiesError> {
        let mut roots = RootCertStore::empty();
        // Some of them may be of forms that are not known; the others do.
        let _counts =
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self::of(roots)
    }

    fn of(roots: RootCertStore) -> Result<Self, AuthoritiesError> {
        if roots.is_empty() {
            return Err(AuthoritiesError::Nobody);
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| AuthoritiesError::Tls(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config).into()))
    }

    /// Makes TLS of a connection to a host.
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

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorities")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_certificate_nobody_is_believed() {
        assert_eq!(
            Authorities::of_pem(b"").unwrap_err(),
            AuthoritiesError::Nobody
        );
        assert_eq!(
            Authorities::of_pem(b"hello").unwrap_err(),
            AuthoritiesError::Nobody
        );
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(
            Authorities::of_pem(broken),
            Err(AuthoritiesError::Pem(_))
        ));
    }
}
