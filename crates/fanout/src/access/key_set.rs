//! The keys of an issuer, in the form of RFC 7517 (JWKS).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::signature::{ED25519, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use serde_json::{Map, Value};

use super::Denied;
use super::algorithm::{Algorithm, Check};

/// The most keys in a set: an issuer has two or three while it rotates them.
const MAX_KEYS: usize = 64;
/// The shortest shared secret: as long as the hash (RFC 7518, section 3.2).
const MIN_SECRET: usize = 32;
/// 2048 bits, the minimum of ring and RFC 7518.
const MIN_MODULUS: usize = 256;

/// The keys that tokens may be signed with.
#[derive(Debug, Clone)]
pub struct KeySet(Vec<Key>);

/// Why a text is not a key set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// It is not JSON, or has no list of keys.
    #[error("is no key set; it must be JSON with a list \"keys\" (RFC 7517)")]
    NoSet,
    /// It has too many keys.
    #[error("has {0} keys; at most {MAX_KEYS} are allowed")]
    TooMany(usize),
    /// None of its keys is usable.
    #[error(
        "has no key to check signatures with; RSA, P-256, P-384, Ed25519 and oct are supported"
    )]
    NoKey,
    /// A key of a supported kind is invalid.
    #[error("keys[{0}]: {1}")]
    Key(usize, &'static str),
    /// Two keys have the same name, or one of several has none.
    #[error("keys[{0}]: each of several keys needs a \"kid\" of its own")]
    Name(usize),
}

#[derive(Clone)]
struct Key {
    name: Option<Box<str>>,
    /// The only algorithm that the key is for, if the set names one.
    only: Option<Algorithm>,
    material: Material,
}

#[derive(Clone)]
enum Material {
    Secret(Box<[u8]>),
    Rsa { n: Box<[u8]>, e: Box<[u8]> },
    P256(Box<[u8]>),
    P384(Box<[u8]>),
    Ed25519(Box<[u8]>),
}

/// Without the key material.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.name).finish()
    }
}

impl KeySet {
    /// Parses a JWKS. Keys for other uses and of unknown kinds are ignored.
    pub fn parse(text: &str) -> Result<Self, KeySetError> {
        let set: Value = serde_json::from_str(text).map_err(|_| KeySetError::NoSet)?;
        let list = set.get("keys").and_then(Value::as_array);
        let list = list.ok_or(KeySetError::NoSet)?;
        if list.len() > MAX_KEYS {
            return Err(KeySetError::TooMany(list.len()));
        }
        let mut keys: Vec<Key> = Vec::with_capacity(list.len());
        for (at, key) in list.iter().enumerate() {
            let key = key.as_object().ok_or(KeySetError::NoSet)?;
            let Some(key) = Key::parse(key).map_err(|why| KeySetError::Key(at, why))? else {
                continue;
            };
            if keys.iter().any(|other| other.name == key.name) {
                return Err(KeySetError::Name(at));
            }
            keys.push(key);
        }
        if keys.is_empty() {
            return Err(KeySetError::NoKey);
        }
        if let Some(at) = keys.iter().position(|key| key.name.is_none())
            && keys.len() > 1
        {
            return Err(KeySetError::Name(at));
        }
        Ok(Self(keys))
    }

    /// The number of keys.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether the set is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether one of the keys is for that algorithm.
    #[must_use]
    pub fn serves(&self, algorithm: Algorithm) -> bool {
        self.0.iter().any(|key| key.is_for(algorithm))
    }

    /// Verifies a signature with the key of that name, or with the only key if the token names none.
    pub(super) fn verify(
        &self,
        name: Option<&str>,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Denied> {
        let key = match (name, &self.0[..]) {
            (Some(name), keys) => keys.iter().find(|key| key.name.as_deref() == Some(name)),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        let key = key.ok_or(Denied::UnknownKey)?;
        if !key.is_for(algorithm) {
            return Err(Denied::Algorithm);
        }
        if key.fits(algorithm, message, signature) {
            Ok(())
        } else {
            Err(Denied::Signature)
        }
    }
}

impl Key {
    fn parse(key: &Map<String, Value>) -> Result<Option<Self>, &'static str> {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        let is_for_signatures = text("use").is_none_or(|usage| usage == "sig")
            && key
                .get("key_ops")
                .and_then(Value::as_array)
                .is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        let only = text("alg").map(Algorithm::from_name);
        if !is_for_signatures || only == Some(None) {
            return Ok(None);
        }
        let bytes = |name: &str, wrong| {
            let decoded = text(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
            decoded.map(Vec::into_boxed_slice).ok_or(wrong)
        };
        if key.contains_key("d") {
            return Err("is a private key; a node needs only the public part");
        }
        let point = |size: usize| -> Result<Box<[u8]>, &'static str> {
            let wrong = "\"x\" and \"y\" are not a point of the curve";
            let (x, y) = (bytes("x", wrong)?, bytes("y", wrong)?);
            if x.len() != size || y.len() != size {
                return Err(wrong);
            }
            // An uncompressed point (SEC 1, section 2.3.3).
            Ok([&[4], &*x, &*y].concat().into())
        };
        let material = match (text("kty"), text("crv")) {
            (Some("oct"), _) => Material::Secret(
                bytes("k", "")
                    .ok()
                    .filter(|secret| secret.len() >= MIN_SECRET)
                    .ok_or("\"k\" must be base64url of at least 32 bytes")?,
            ),
            (Some("RSA"), _) => {
                let n = bytes("n", "\"n\" is not base64url")?;
                // RFC 7518 forbids leading zeros, but some libraries write one.
                let zeros = n.iter().take_while(|byte| **byte == 0).count();
                let n: Box<[u8]> = n[zeros..].into();
                if n.len() < MIN_MODULUS {
                    return Err("\"n\" has fewer than 2048 bits");
                }
                Material::Rsa {
                    n,
                    e: bytes("e", "\"e\" is not base64url")?,
                }
            }
            (Some("EC"), Some("P-256")) => Material::P256(point(32)?),
            (Some("EC"), Some("P-384")) => Material::P384(point(48)?),
            (Some("OKP"), Some("Ed25519")) => Material::Ed25519(
                bytes("x", "")
                    .ok()
                    .filter(|x| x.len() == 32)
                    .ok_or("\"x\" must be base64url of 32 bytes")?,
            ),
            _ => return Ok(None),
        };
        Ok(Some(Self {
            name: text("kid").map(Into::into),
            only: only.flatten(),
            material,
        }))
    }

    /// Returns whether the algorithm fits the key's kind, so that a public key is never used as a shared
    /// secret.
    fn is_for(&self, algorithm: Algorithm) -> bool {
        use Algorithm as A;
        let fits = match &self.material {
            Material::Secret(secret) => match algorithm {
                A::HS256 => true,
                A::HS384 => secret.len() >= 48,
                A::HS512 => secret.len() >= 64,
                _ => false,
            },
            Material::Rsa { .. } => matches!(
                algorithm,
                A::RS256 | A::RS384 | A::RS512 | A::PS256 | A::PS384 | A::PS512
            ),
            Material::P256(_) => algorithm == A::ES256,
            Material::P384(_) => algorithm == A::ES384,
            Material::Ed25519(_) => algorithm == A::EdDSA,
        };
        fits && self.only.is_none_or(|only| only == algorithm)
    }

    fn fits(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let by = |how: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(how, key)
                .verify(message, signature)
                .is_ok()
        };
        match (&self.material, algorithm.check()) {
            (Material::Secret(secret), Check::Hmac(how)) => {
                hmac::verify(&hmac::Key::new(how, secret), message, signature).is_ok()
            }
            (Material::Rsa { n, e }, Check::Rsa(how)) => RsaPublicKeyComponents { n, e }
                .verify(how, message, signature)
                .is_ok(),
            (Material::P256(key) | Material::P384(key), Check::Ecdsa(how)) => by(how, key),
            (Material::Ed25519(key), Check::Ed25519) => by(&ED25519, key),
            _ => false,
        }
    }
}
