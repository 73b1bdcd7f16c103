//! The certificate of the public listener.

use std::path::{Path, PathBuf};

use fanout::TlsIdentity;

use super::keys;
use super::reader::Reader;

/// A chain of certificates has some kilobytes.
const MAX_FILE: u64 = 1024 * 1024;

/// The certificate, where TLS is on; its files are added to those that are watched.
pub(super) fn read(reader: &mut Reader, files: &mut Vec<PathBuf>) -> Option<TlsIdentity> {
    let is_on = reader.choice("tls.mode") == "on";
    let mut file = |path: &str| {
        let name = reader.checked(path, |text| Ok(PathBuf::from(text)));
        if !is_on {
            return None;
        }
        let Some(name) = name else {
            let expected = keys::find(path).map(|key| key.kind.expected());
            reader.mistake(path, expected.unwrap_or_default());
            return None;
        };
        files.push(name.clone());
        content(&name)
            .map_err(|error| reader.mistake(path, format!("cannot be read: {error}")))
            .ok()
    };
    let (certificate, key) = (file("tls.certificate"), file("tls.key"));
    match TlsIdentity::from_pem(&certificate?, &key?) {
        Ok(identity) => Some(identity),
        Err(error) => {
            reader.mistake("tls.certificate", error.to_string());
            None
        }
    }
}

fn content(path: &Path) -> std::io::Result<Vec<u8>> {
    if std::fs::metadata(path)?.len() > MAX_FILE {
        return Err(std::io::Error::other("larger than 1 MiB"));
    }
    std::fs::read(path)
}
