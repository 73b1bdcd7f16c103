use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, COOKIE, SEC_WEBSOCKET_PROTOCOL};

use super::Denied;

/// The prefix of a subprotocol that carries a token: the only header that a script in a browser can
/// set. It is never selected, so never echoed.
pub(crate) const BEARER_PROTOCOL: &str = "tapecast.bearer.";
/// The longest accepted token: the head of a request may have 16 KiB, and claims that need half of it
/// are a mistake.
const MAX_TOKEN: usize = 8 * 1024;

/// A token as a request carries it. It has no `Debug`, so that it is never logged.
pub(crate) struct Credential<'a>(&'a str);

impl<'a> Credential<'a> {
    /// Finds the token of a request: in `Authorization`, else in the subprotocols, else in the cookie.
    pub(crate) fn find(headers: &'a HeaderMap, cookie: Option<&str>) -> Result<Self, Denied> {
        let found = match bearer(headers)? {
            Some(token) => Some(token),
            None => match protocol(headers)? {
                Some(token) => Some(token),
                None => cookie.map_or(Ok(None), |name| cookie_of(headers, name))?,
            },
        };
        let token = found.ok_or(Denied::Missing)?;
        if token.is_empty() || token.len() > MAX_TOKEN {
            return Err(Denied::Malformed);
        }
        Ok(Self(token))
    }

    pub(crate) const fn token(&self) -> &'a str {
        self.0
    }
}

fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Denied> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| Denied::Malformed)?;
    let (scheme, token) = text.split_once(' ').ok_or(Denied::Malformed)?;
    if !scheme.eq_ignore_ascii_case("bearer") || values.next().is_some() {
        return Err(Denied::Malformed);
    }
    Ok(Some(token.trim()))
}

fn protocol(headers: &HeaderMap) -> Result<Option<&str>, Denied> {
    let mut found = None;
    for value in headers.get_all(SEC_WEBSOCKET_PROTOCOL) {
        let names = value.to_str().map_err(|_| Denied::Malformed)?.split(',');
        for token in names.filter_map(|name| name.trim().strip_prefix(BEARER_PROTOCOL)) {
            if found.replace(token).is_some() {
                return Err(Denied::Malformed);
            }
        }
    }
    Ok(found)
}

fn cookie_of<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Denied> {
    let mut found = None;
    for value in headers.get_all(COOKIE) {
        let pairs = value.to_str().map_err(|_| Denied::Malformed)?.split(';');
        let pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
        for (_, value) in pairs.filter(|(given, _)| *given == name) {
            if found.replace(value.trim_matches('"')).is_some() {
                return Err(Denied::Malformed);
            }
        }
    }
    Ok(found)
}
