//! Authentication and authorization.
//!
//! A request is authorized once, in its handshake: [`Access::authorize`] returns a [`Grant`] or a
//! [`Denied`]. From then on the grant decides what a session may have.
//!
//! Invariants:
//! - The algorithm of a token is one of those configured and fits the kind of its key: a token
//!   selects among the allowed algorithms and never extends them.
//! - A token or key appears nowhere: not in logs, metrics, answers or errors.
//! - What cannot be parsed is rejected.
//!
//! In reading order: [`credential`], where a request carries its token; [`keys`], configured tokens;
//! [`algorithm`], [`key_set`], [`jwt`] and [`claim`], tokens signed by an issuer; [`origin`] and
//! [`cors`], the pages that may connect; [`denied`], the reasons for a rejection.

mod algorithm;
mod claim;
mod cors;
mod credential;
mod denied;
mod jwt;
mod key_set;
mod keys;
mod origin;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use fanout_core::Grant;
use hyper::HeaderMap;
use hyper::header::ORIGIN;

pub use algorithm::Algorithm;
pub use denied::Denied;
pub use jwt::JwtRules;
pub use key_set::{KeySet, KeySetError};
pub use keys::{KeyDigest, KeyEntry, StaticKeys};
pub use origin::{OriginError, OriginPattern};

pub(crate) use credential::{BEARER_PROTOCOL, Credential};

/// How clients authenticate.
#[derive(Debug, Clone)]
pub enum Mode {
    /// They do not.
    None,
    /// With a configured key.
    Keys(StaticKeys),
    /// With a signed token.
    Jwt(JwtRules),
}

/// The rules by which requests are authorized.
#[derive(Debug, Clone)]
pub struct Access {
    /// How clients authenticate.
    pub mode: Mode,
    /// The cookie that may carry the token.
    pub cookie: Option<Box<str>>,
    /// The origins whose pages may connect; all if empty.
    pub origins: Vec<OriginPattern>,
    /// The grant of everyone where clients do not authenticate.
    anybody: Arc<Grant>,
}

impl Default for Access {
    fn default() -> Self {
        Self::new(Mode::None, None, Vec::new())
    }
}

impl Access {
    /// Creates the rules for all requests.
    #[must_use]
    pub fn new(mode: Mode, cookie: Option<Box<str>>, origins: Vec<OriginPattern>) -> Self {
        Self {
            mode,
            cookie,
            origins,
            anybody: Arc::new(Grant::default()),
        }
    }

    /// Authorizes a request by its head alone; the only check, for `/ws` and `/v1` alike.
    pub fn authorize(&self, headers: &HeaderMap) -> Result<Arc<Grant>, Denied> {
        self.authorize_at(headers, now())
    }

    /// As [`Self::authorize`], at `now` in seconds since 1970.
    fn authorize_at(&self, headers: &HeaderMap, now: u64) -> Result<Arc<Grant>, Denied> {
        self.check_origin(headers)?;
        match &self.mode {
            Mode::None => Ok(Arc::clone(&self.anybody)),
            Mode::Keys(keys) => keys.find(self.credential(headers)?.token()),
            Mode::Jwt(rules) => rules
                .verify(self.credential(headers)?.token(), now)
                .map(Arc::new),
        }
    }

    fn credential<'a>(&self, headers: &'a HeaderMap) -> Result<Credential<'a>, Denied> {
        Credential::find(headers, self.cookie.as_deref())
    }

    /// A browser sends the origin of the page whose script connects. A client that sends none is not
    /// a browser, so no other page can make it connect with the user's cookies.
    fn check_origin(&self, headers: &HeaderMap) -> Result<(), Denied> {
        if self.origins.is_empty() {
            return Ok(());
        }
        let mut given = headers.get_all(ORIGIN).iter();
        let Some(origin) = given.next() else {
            return Ok(());
        };
        let origin = origin.to_str().map_err(|_| Denied::Origin)?;
        let allowed = self.origins.iter().any(|pattern| pattern.matches(origin));
        if allowed && given.next().is_none() {
            Ok(())
        } else {
            Err(Denied::Origin)
        }
    }
}

/// The current time in seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
