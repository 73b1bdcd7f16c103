//! The requirements of RFC 9112 on every request head, and of RFC 6455 on a WebSocket handshake.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hyper::header::{
    AsHeaderName, CONNECTION, CONTENT_LENGTH, HOST, HeaderValue, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use hyper::{HeaderMap, Method, Request, StatusCode, Version};
use metrics::label::HandshakeRefusal;

/// A key is 16 bytes. Some clients generate all 22 digits, so that the last one has spare bits.
const KEY: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true),
);
const KEY_BYTES: usize = 16;

/// Why a request head is rejected. The texts are sent to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeadError {
    /// RFC 9112, section 3.2.
    #[error("the request has no Host header")]
    NoHost,
    /// RFC 9112, section 3.2.
    #[error("the request has more than one Host header")]
    Hosts,
    /// Not an upgrade.
    #[error("this path is a WebSocket: send a GET with `Upgrade: websocket`, version 13")]
    NoUpgrade,
    /// RFC 6455, section 4.2.1: HTTP/1.1 or later.
    #[error("a WebSocket handshake needs HTTP/1.1")]
    Http,
    /// A handshake has no body; frames follow its head.
    #[error("a WebSocket handshake has no body")]
    Body,
    /// The version is missing or unsupported.
    #[error("the WebSocket version is 13: send `Sec-WebSocket-Version: 13`")]
    Version,
    /// RFC 6455, section 11.3.5.
    #[error("the request has more than one Sec-WebSocket-Version header")]
    Versions,
    /// RFC 6455, section 4.2.1.
    #[error("the request has no Sec-WebSocket-Key header")]
    NoKey,
    /// RFC 6455, section 11.3.1.
    #[error("the request has more than one Sec-WebSocket-Key header")]
    Keys,
    /// RFC 6455, section 4.2.1.
    #[error("the Sec-WebSocket-Key is not 16 bytes in base64")]
    Key,
}

impl HeadError {
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::NoUpgrade | Self::Version => StatusCode::UPGRADE_REQUIRED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    pub(super) const fn label(self) -> HandshakeRefusal {
        match self {
            Self::NoUpgrade | Self::Version => HandshakeRefusal::Upgrade,
            _ => HandshakeRefusal::BadRequest,
        }
    }
}

/// Checks the requirements on every request.
pub(super) fn check_request<B>(request: &Request<B>) -> Result<(), HeadError> {
    match all(request.headers(), HOST).count() {
        1 => Ok(()),
        // HTTP/1.0 has no Host; balancers probe with it.
        0 if request.version() < Version::HTTP_11 => Ok(()),
        0 => Err(HeadError::NoHost),
        _ => Err(HeadError::Hosts),
    }
}

/// Checks the further requirements on a WebSocket handshake.
pub(super) fn check_handshake<B>(request: &Request<B>) -> Result<(), HeadError> {
    let headers = request.headers();
    let is_upgrade = lists(headers, CONNECTION, "upgrade") && lists(headers, UPGRADE, "websocket");
    if request.method() != Method::GET || !is_upgrade {
        return Err(HeadError::NoUpgrade);
    }
    if request.version() < Version::HTTP_11 {
        return Err(HeadError::Http);
    }
    let has_length = all(headers, CONTENT_LENGTH).any(|length| length.as_bytes() != b"0");
    if has_length || headers.contains_key(TRANSFER_ENCODING) {
        return Err(HeadError::Body);
    }
    match one(headers, SEC_WEBSOCKET_VERSION) {
        One::Value(version) if version.as_bytes() == b"13" => {}
        One::Value(_) | One::Missing => return Err(HeadError::Version),
        One::Several => return Err(HeadError::Versions),
    }
    match one(headers, SEC_WEBSOCKET_KEY) {
        One::Value(key) if is_key(key.as_bytes()) => Ok(()),
        One::Value(_) => Err(HeadError::Key),
        One::Missing => Err(HeadError::NoKey),
        One::Several => Err(HeadError::Keys),
    }
}

fn is_key(text: &[u8]) -> bool {
    KEY.decode(text).is_ok_and(|key| key.len() == KEY_BYTES)
}

/// The value of a header that may occur once.
enum One<'a> {
    Missing,
    Value(&'a HeaderValue),
    Several,
}

fn one(headers: &HeaderMap, name: impl AsHeaderName) -> One<'_> {
    let mut values = all(headers, name);
    match (values.next(), values.next()) {
        (None, _) => One::Missing,
        (Some(value), None) => One::Value(value),
        (Some(_), Some(_)) => One::Several,
    }
}

fn all(headers: &HeaderMap, name: impl AsHeaderName) -> impl Iterator<Item = &HeaderValue> {
    headers.get_all(name).into_iter()
}

/// Returns whether a comma-separated list, possibly spread over several headers, contains a token.
fn lists(headers: &HeaderMap, name: impl AsHeaderName, token: &str) -> bool {
    let mut items =
        all(headers, name).flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    items.any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A valid handshake, in which `headers` replace those of the same name.
    fn request(headers: &[(&str, &str)]) -> Request<()> {
        let right = [
            ("Host", "node:8080"),
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let is_other = |name: &str| headers.iter().all(|(other, _)| *other != name);
        let mut request = Request::builder().uri("/ws");
        for (name, value) in right.iter().filter(|(name, _)| is_other(name)) {
            request = request.header(*name, *value);
        }
        // A header without a value is left out.
        for (name, value) in headers.iter().filter(|(_, value)| *value != "-") {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    #[track_caller]
    fn check(headers: &[(&str, &str)], expected: Result<(), HeadError>) {
        let request = request(headers);
        let checked = check_request(&request).and_then(|()| check_handshake(&request));
        assert_eq!(checked, expected, "{headers:?}");
    }

    #[test]
    fn a_request_names_one_host() {
        check(&[], Ok(()));
        check(&[("Host", "")], Ok(()));
        check(&[("Host", "-")], Err(HeadError::NoHost));
        check(&[("Host", "a"), ("Host", "b")], Err(HeadError::Hosts));
        check(&[("Host", "a"), ("Host", "a")], Err(HeadError::Hosts));
        let mut old = request(&[("Host", "-")]);
        *old.version_mut() = Version::HTTP_10;
        assert_eq!(check_request(&old), Ok(()));
        let mut old = request(&[("Host", "a"), ("Host", "b")]);
        *old.version_mut() = Version::HTTP_10;
        assert_eq!(check_request(&old), Err(HeadError::Hosts));
    }

    #[test]
    fn an_upgrade_is_asked_for_in_any_case_and_among_other_tokens() {
        for connection in [
            "upgrade",
            "UPGRADE",
            "keep-alive, Upgrade",
            "keep-alive,upgrade ,x",
        ] {
            check(&[("Connection", connection)], Ok(()));
        }
        for upgrade in ["WebSocket", "WEBSOCKET", "h2c, websocket"] {
            check(&[("Upgrade", upgrade)], Ok(()));
        }
        check(
            &[("Connection", "keep-alive"), ("Connection", "upgrade")],
            Ok(()),
        );
        check(&[("Upgrade", "h2c"), ("Upgrade", "websocket")], Ok(()));
        for (name, value) in [
            ("Connection", "-"),
            ("Connection", ""),
            ("Connection", "keep-alive"),
            ("Connection", "upgraded"),
            ("Upgrade", "-"),
            ("Upgrade", "h2c"),
            ("Upgrade", "websocket/13"),
            ("Upgrade", "web socket"),
        ] {
            check(&[(name, value)], Err(HeadError::NoUpgrade));
        }
    }

    #[test]
    fn a_handshake_is_a_get_of_http_1_1_without_a_body() {
        for method in [Method::POST, Method::HEAD, Method::OPTIONS] {
            let mut request = request(&[]);
            *request.method_mut() = method;
            assert_eq!(check_handshake(&request), Err(HeadError::NoUpgrade));
        }
        let mut old = request(&[]);
        *old.version_mut() = Version::HTTP_10;
        assert_eq!(check_handshake(&old), Err(HeadError::Http));
        check(&[("Content-Length", "0")], Ok(()));
        check(&[("Content-Length", "5")], Err(HeadError::Body));
        check(&[("Transfer-Encoding", "chunked")], Err(HeadError::Body));
    }

    #[test]
    fn the_version_is_13_once() {
        for version in ["-", "", "12", "8", "013", "13, 8", "13,13"] {
            check(
                &[("Sec-WebSocket-Version", version)],
                Err(HeadError::Version),
            );
        }
        for other in ["13", "8"] {
            check(
                &[
                    ("Sec-WebSocket-Version", "13"),
                    ("Sec-WebSocket-Version", other),
                ],
                Err(HeadError::Versions),
            );
        }
    }

    #[test]
    fn the_key_is_16_bytes_once() {
        check(&[("Sec-WebSocket-Key", "-")], Err(HeadError::NoKey));
        for key in [
            "",
            "x",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZQ=",
            "dGhlIHNhbXBsZSBub25jZQ===",
            "dGhlIHNhbXBsZSBub25jZR==x",
            "dGhlIHNhbXBsZSBub25jZ!==",
            "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
            // 15, 17 and 24 bytes.
            "dGhlIHNhbXBsZSBub25j",
            "dGhlIHNhbXBsZSBub25jZWU=",
            "dGhlIHNhbXBsZSBub25jZQAAAAAAAAAA",
        ] {
            check(&[("Sec-WebSocket-Key", key)], Err(HeadError::Key));
        }
        check(&[("Sec-WebSocket-Key", "zzzzzzzzzzzzzzzzzzzzzz==")], Ok(()));
        let same = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        check(&[same, same], Err(HeadError::Keys));
    }

    #[test]
    fn subprotocols_may_be_spread_over_several_headers() {
        let protocol = |name| ("Sec-WebSocket-Protocol", name);
        check(&[protocol("a"), protocol("tapecast.sbe.v1")], Ok(()));
    }

    #[test]
    fn a_target_may_be_a_whole_url() {
        let mut request = request(&[]);
        *request.uri_mut() = "http://node:8080/ws".parse().unwrap();
        assert_eq!(check_handshake(&request), Ok(()));
        assert_eq!(request.uri().path(), "/ws");
    }
}
