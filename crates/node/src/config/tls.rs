//! The certificate of the public listener.

use std::path::{Path, PathBuf};

use ::fanout::TlsIdentity;

use super::key::Key;
use super::kind::{choice, text};
use super::reader::Reader;
use super::section::{Section as _, section};

/// A certificate chain has a few kilobytes.
const MAX_FILE: u64 = 1024 * 1024;

section! {
    Tls in "tls":
    /// Whether the public listener requires TLS (1.2 or 1.3).
    live mode: bool = choice(&[("off", false), ("on", true)]), default "off";
    /// The certificate, followed by its chain. It is reloaded when it changes; sessions stay.
    live certificate: String = text("a PEM file"), absent "required by `on`";
    /// Its private key.
    live key: String = text("a PEM file"), absent "required by `on`";
}

/// Reads the certificate if TLS is on; adds its files to the watched ones.
pub(super) fn read(reader: &mut Reader, files: &mut Vec<PathBuf>) -> Option<TlsIdentity> {
    let tls = Tls::read(reader);
    if !tls.mode {
        return None;
    }
    let mut file = |key: &Key<String>, name: &Option<String>| {
        let Some(name) = name else {
            tls.error(reader, key, key.kind.expected());
            return None;
        };
        let path = PathBuf::from(name);
        let content = content(&path)
            .map_err(|error| tls.error(reader, key, format!("cannot be read: {error}")));
        files.push(path);
        content.ok()
    };
    let certificate = file(&Tls::certificate, &tls.certificate);
    let key = file(&Tls::key, &tls.key);
    TlsIdentity::from_pem(&certificate?, &key?)
        .map_err(|error| tls.error(reader, &Tls::certificate, error.to_string()))
        .ok()
}

fn content(path: &Path) -> std::io::Result<Vec<u8>> {
    if std::fs::metadata(path)?.len() > MAX_FILE {
        return Err(std::io::Error::other("larger than 1 MiB"));
    }
    std::fs::read(path)
}
