//! An issuer of tokens, and one of certificates.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{CertificateParams, KeyPair};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING as ES256, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

/// An issuer with one P-256 key.
#[derive(Debug)]
pub struct Issuer {
    name: &'static str,
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

/// A certificate and its key, as PEM.
#[derive(Debug)]
pub struct Identity {
    /// For the node, and for clients that trust it.
    pub certificate: String,
    /// For the node.
    pub key: String,
}

impl Issuer {
    /// A new key of that name.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ES256, &random).expect("a key can be made");
        let pair = EcdsaKeyPair::from_pkcs8(&ES256, pkcs8.as_ref(), &random);
        Self {
            name,
            pair: pair.expect("a key that was made can be read"),
            random,
        }
    }

    /// The public key as a JSON Web Key.
    #[must_use]
    pub fn key(&self) -> Value {
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        json!({"kty": "EC", "crv": "P-256", "kid": self.name, "alg": "ES256", "x": encode(x), "y": encode(y)})
    }

    /// A token with these claims.
    #[must_use]
    pub fn token(&self, claims: &Value) -> String {
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": self.name});
        let message = message(&header, claims);
        let signature = self.pair.sign(&self.random, message.as_bytes());
        let signature = signature.expect("a message can be signed");
        format!("{message}.{}", encode(signature.as_ref()))
    }

    /// A token with HS256 and the public key as its secret, which a careless node accepts.
    #[must_use]
    pub fn confused(&self, claims: &Value) -> String {
        let header = json!({"alg": "HS256", "kid": self.name});
        let message = message(&header, claims);
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.pair.public_key().as_ref());
        let signature = hmac::sign(&key, message.as_bytes());
        format!("{message}.{}", encode(signature.as_ref()))
    }

    /// A token with the algorithm `none`, with a signature or without.
    #[must_use]
    pub fn unsigned(&self, claims: &Value) -> String {
        let header = json!({"alg": "none", "kid": self.name});
        format!("{}.", message(&header, claims))
    }
}

impl Identity {
    /// A new certificate of `localhost`, which signs itself.
    #[must_use]
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key can be made");
        let params = CertificateParams::new(vec!["localhost".to_owned()]);
        let certificate = params.and_then(|params| params.self_signed(&key));
        Self {
            certificate: certificate.expect("a certificate can be made").pem(),
            key: key.serialize_pem(),
        }
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self::new()
    }
}

/// Seconds since 1970.
#[must_use]
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn message(header: &Value, claims: &Value) -> String {
    format!(
        "{}.{}",
        encode(header.to_string()),
        encode(claims.to_string())
    )
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
