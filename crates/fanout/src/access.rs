//! Who may come in, and what for.
//!
//! A request is looked at once, in its handshake: [`Access::authorize`] makes a [`Grant`] of it or a
//! [`Denied`]. What a session may have is asked of its grant from then on.
//!
//! Invariants:
//! - The algorithm of a token is one of those configured, and fits the kind of its key: a token
//!   chooses among what is allowed, and never what that is.
//! - A token or key is neither kept nor told: not in logs, metrics, answers or errors.
//! - What cannot be understood is refused.
//!
//! In reading order: [`credential`], where in a request a token
//! stands; [`keys`], tokens that are configured; [`algorithm`], [`key_set`], [`jwt`] and [`claim`], tokens
//! that somebody else signs; [`origin`] and [`cors`], the pages that may connect; [`denied`], why not.

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

/// How whoever connects has to show who it is.
#[derive(Debug, Clone)]
pub enum Mode {
    /// Not at all.
    None,
    /// By a key that is configured.
    Keys(StaticKeys),
    /// By a token that is signed.
    Jwt(JwtRules),
}

/// Who may come in.
#[derive(Debug, Clone)]
pub struct Access {
    /// How they show who they are.
    pub mode: Mode,
    /// The cookie that may have the token.
    pub cookie: Option<Box<str>>,
    /// The pages whose scripts may connect; all where there is none.
    pub origins: Vec<OriginPattern>,
    /// What everybody has who need not show anything.
    anybody: Arc<Grant>,
}

impl Default for Access {
    fn default() -> Self {
        Self::new(Mode::None, None, Vec::new())
    }
}

impl Access {
    /// Rules for all requests.
    #[must_use]
    pub fn new(mode: Mode, cookie: Option<Box<str>>, origins: Vec<OriginPattern>) -> Self {
        Self {
            mode,
            cookie,
            origins,
            anybody: Arc::new(Grant::default()),
        }
    }

    /// What a request may have, by its head alone: the one look at it, for `/ws` and `/v1` alike.
    pub fn authorize(&self, headers: &HeaderMap) -> Result<Arc<Grant>, Denied> {
        self.authorize_at(headers, now())
    }

    /// Likewise, at so many seconds since 1970.
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

    /// A browser says which page's script it is that connects. What says nothing is no browser, and
    /// has no cookies of somebody else.
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

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
