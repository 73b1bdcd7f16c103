use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use metrics::label::AuthRefusal;

/// Why a request is not authorized. Clients receive the code, which is stable; no text contains any part
/// of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// There is no token.
    #[error("no token; send one as `Authorization: Bearer`, cookie or subprotocol")]
    Missing,
    /// The token cannot be parsed, or there are two.
    #[error("the token cannot be parsed")]
    Malformed,
    /// The algorithm is not allowed, or not with that key.
    #[error("this node does not accept the token's algorithm")]
    Algorithm,
    /// The key, or the key that the token names, is unknown.
    #[error("the key is unknown")]
    UnknownKey,
    /// The signature is invalid.
    #[error("the token's signature is invalid")]
    Signature,
    /// The token has another issuer.
    #[error("this node does not trust the token's issuer")]
    Issuer,
    /// The token is for another audience.
    #[error("the token is for another audience")]
    Audience,
    /// The token has expired.
    #[error("the token has expired")]
    Expired,
    /// The token is not valid yet.
    #[error("the token is not valid yet")]
    NotYet,
    /// A claim is missing or invalid.
    #[error("a claim of the token is missing or invalid")]
    Claims,
    /// The page's origin is not allowed.
    #[error("the page's origin may not connect to this node")]
    Origin,
    /// The subject is at its connection limit.
    #[error("the subject is at its connection limit")]
    Connections,
}

impl Denied {
    /// The stable code, which is also the metric's label.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.label().name()
    }

    /// The label that it is counted under.
    #[must_use]
    pub const fn label(self) -> AuthRefusal {
        match self {
            Self::Missing => AuthRefusal::Missing,
            Self::Malformed => AuthRefusal::Malformed,
            Self::Algorithm => AuthRefusal::Algorithm,
            Self::UnknownKey => AuthRefusal::UnknownKey,
            Self::Signature => AuthRefusal::Signature,
            Self::Issuer => AuthRefusal::Issuer,
            Self::Audience => AuthRefusal::Audience,
            Self::Expired => AuthRefusal::Expired,
            Self::NotYet => AuthRefusal::NotYet,
            Self::Claims => AuthRefusal::Claims,
            Self::Origin => AuthRefusal::Origin,
            Self::Connections => AuthRefusal::Connections,
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::Origin => StatusCode::FORBIDDEN,
            Self::Connections => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::UNAUTHORIZED,
        }
    }

    /// The response to the client.
    #[must_use]
    pub fn response(self) -> Response<Full<Bytes>> {
        let body = format!(
            "{{\"error\":{{\"code\":\"{}\",\"message\":\"{self}\"}}}}\n",
            self.code()
        );
        let mut response = Response::new(Full::new(Bytes::from(body)));
        let status = self.status();
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            // RFC 6750, section 3: a request without a token gets no error code.
            let challenge = match self {
                Self::Missing => "Bearer realm=\"tapecast\"".to_owned(),
                _ => format!(
                    "Bearer realm=\"tapecast\", error=\"invalid_token\", error_description=\"{}\"",
                    self.code()
                ),
            };
            if let Ok(challenge) = HeaderValue::from_str(&challenge) {
                headers.insert(WWW_AUTHENTICATE, challenge);
            }
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
