use std::fmt;
use std::sync::Arc;

use tungstenite::http::Uri;

/// The ports of `ws://` and `wss://` URLs without one.
const DEFAULT_PORT: u16 = 80;
const DEFAULT_TLS_PORT: u16 = 443;

/// The address of a node: `ws://host:port/path`, or `wss://` for TLS.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    text: Arc<str>,
    host: Arc<str>,
    port: u16,
    tls: bool,
    uri: Uri,
}

/// Why a text is not an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// It is not a URL.
    #[error("is not a url; expected ws://host:port/ws")]
    Url,
    /// The scheme is neither `ws` nor `wss`.
    #[error("has a scheme other than ws:// and wss://")]
    Scheme,
    /// There is no host.
    #[error("has no host; expected ws://host:port/ws")]
    Host,
}

impl Endpoint {
    /// Parses `ws://host[:port][/path]`, or the same with `wss`.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let uri: Uri = text.parse().map_err(|_| EndpointError::Url)?;
        let tls = match uri.scheme_str() {
            Some("ws") => false,
            Some("wss") => true,
            Some(_) => return Err(EndpointError::Scheme),
            None => return Err(EndpointError::Url),
        };
        let default_port = if tls { DEFAULT_TLS_PORT } else { DEFAULT_PORT };
        let host = uri.host().unwrap_or_default();
        // IPv6 addresses are in brackets in URLs only.
        let host = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(host);
        if host.is_empty() {
            return Err(EndpointError::Host);
        }
        Ok(Self {
            text: text.into(),
            host: host.into(),
            port: uri.port_u16().unwrap_or(default_port),
            tls,
            uri,
        })
    }

    /// The text that was parsed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host name or address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns whether the endpoint uses TLS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.tls
    }

    pub(crate) const fn uri(&self) -> &Uri {
        &self.uri
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, host: &str, port: u16) {
        let endpoint = Endpoint::parse(text).unwrap();
        assert_eq!((endpoint.host(), endpoint.port()), (host, port));
    }

    #[test]
    fn an_endpoint_is_split_into_what_a_connection_needs() {
        check("ws://127.0.0.1:8080/ws", "127.0.0.1", 8080);
        check("ws://node-1/ws?a=b", "node-1", 80);
        check("ws://[::1]:9000", "::1", 9000);
        check("wss://node-1/ws", "node-1", 443);
        assert!(Endpoint::parse("wss://x/ws").unwrap().is_tls());
        assert!(!Endpoint::parse("ws://x/ws").unwrap().is_tls());
    }

    #[test]
    fn a_wrong_endpoint_says_what_is_wrong() {
        assert_eq!(Endpoint::parse("http://x/ws"), Err(EndpointError::Scheme));
        assert_eq!(Endpoint::parse("localhost:8080"), Err(EndpointError::Url));
        assert_eq!(Endpoint::parse(""), Err(EndpointError::Url));
        assert_eq!(Endpoint::parse("ws:// x"), Err(EndpointError::Url));
    }
}
