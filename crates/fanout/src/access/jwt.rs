//! JSON Web Tokens (RFC 7519, hardened as RFC 8725 requires) in the compact form of RFC 7515.
//!
//! Why this is not a library is in docs/architecture.md, "Libraries, and where we wrote our own".

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use fanout_core::{Grant, Rights};

use super::claim::rights_of;
use super::{Algorithm, Denied, KeySet};

/// What a valid token is.
#[derive(Debug, Clone)]
pub struct JwtRules {
    /// The algorithms that it may be signed with.
    pub algorithms: Vec<Algorithm>,
    /// The required `iss`.
    pub issuer: String,
    /// The required `aud`, or one of several.
    pub audience: String,
    /// The issuer's keys.
    pub keys: KeySet,
    /// How far clocks may be apart.
    pub leeway: Duration,
    /// The claim that holds the rights; a token without it has all rights.
    pub claim: String,
}

impl JwtRules {
    /// Verifies a token at `now`, in seconds since 1970. No claim is read before the signature has been
    /// verified.
    pub(super) fn verify(&self, token: &str, now: u64) -> Result<Grant, Denied> {
        let (message, signature) = token.rsplit_once('.').ok_or(Denied::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(Denied::Malformed)?;
        if claims.contains('.') {
            return Err(Denied::Malformed);
        }
        let header = object(header)?;
        let algorithm = header
            .get("alg")
            .and_then(Value::as_str)
            .ok_or(Denied::Malformed)?;
        let algorithm = Algorithm::from_name(algorithm)
            .filter(|algorithm| self.algorithms.contains(algorithm))
            .ok_or(Denied::Algorithm)?;
        // An extension that must be understood, and none is (RFC 7515, section 4.1.11).
        if header.contains_key("crit") {
            return Err(Denied::Malformed);
        }
        let name = match header.get("kid") {
            Some(Value::String(name)) => Some(name.as_str()),
            Some(_) => return Err(Denied::Malformed),
            None => None,
        };
        let signature = decode(signature)?;
        self.keys
            .verify(name, algorithm, message.as_bytes(), &signature)?;
        self.grant(&object(claims)?, now)
    }

    fn grant(&self, claims: &Map<String, Value>, now: u64) -> Result<Grant, Denied> {
        let issuer = claims.get("iss").and_then(Value::as_str);
        if issuer != Some(self.issuer.as_str()) {
            return Err(Denied::Issuer);
        }
        let is_ours = match claims.get("aud") {
            Some(Value::String(audience)) => *audience == self.audience,
            Some(Value::Array(list)) => list.iter().any(|one| *one == *self.audience),
            _ => false,
        };
        if !is_ours {
            return Err(Denied::Audience);
        }
        let leeway = self.leeway.as_secs();
        let expires = time(claims.get("exp").ok_or(Denied::Claims)?)?.saturating_add(leeway);
        if expires <= now {
            return Err(Denied::Expired);
        }
        if let Some(begins) = claims.get("nbf")
            && time(begins)? > now.saturating_add(leeway)
        {
            return Err(Denied::NotYet);
        }
        let subject = match claims.get("sub") {
            Some(Value::String(subject)) => subject.as_str(),
            None => "",
            Some(_) => return Err(Denied::Claims),
        };
        let rights = match claims.get(&self.claim) {
            Some(claim) => rights_of(claim).map_err(|_| Denied::Claims)?,
            None => Rights::default(),
        };
        Grant::new(subject, rights, Some(expires)).map_err(|_| Denied::Claims)
    }
}

fn object(part: &str) -> Result<Map<String, Value>, Denied> {
    serde_json::from_slice(&decode(part)?).map_err(|_| Denied::Malformed)
}

/// Strict: no padding and no trailing bits, so that a token has exactly one form.
fn decode(part: &str) -> Result<Vec<u8>, Denied> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Denied::Malformed)
}

/// Reads a `NumericDate`: seconds since 1970; a fraction is truncated.
fn time(value: &Value) -> Result<u64, Denied> {
    if let Some(seconds) = value.as_u64() {
        return Ok(seconds);
    }
    let seconds = value.as_f64().ok_or(Denied::Claims)?;
    // 2^53: beyond it a double cannot represent every second.
    if !(0.0..9_007_199_254_740_992.0).contains(&seconds) {
        return Err(Denied::Claims);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked above"
    )]
    Ok(seconds as u64)
}
