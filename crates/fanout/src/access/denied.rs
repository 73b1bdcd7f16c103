use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use metrics::label::AuthRefusal;

/// Why somebody may not come in. Its code is stable, and told; its texts hold nothing of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// There is no token.
    #[error("no token; send one as `Authorization: Bearer`, cookie or subprotocol")]
    Missing,
    /// What is there is none, or stands there twice.
    #[error("the token cannot be read")]
    Malformed,
    /// It is signed by an algorithm that is not allowed, or not with that key.
    #[error("the token's algorithm is not one that this node accepts")]
    Algorithm,
    /// The key that it names, or that it is, is not known.
    #[error("the key is not known")]
    UnknownKey,
    /// The signature does not fit.
    #[error("the token's signature does not fit")]
    Signature,
    /// It comes from somebody else.
    #[error("the token's issuer is not the one that this node trusts")]
    Issuer,
    /// It is for somebody else.
    #[error("the token is for another audience")]
    Audience,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYet,
    /// A claim is missing or of a wrong type.
    #[error("a claim of the token is missing or cannot be read")]
    Claims,
    /// The page that connects is not allowed to.
    #[error("the page's origin may not connect to this node")]
    Origin,
    /// The subject has as many sessions as it may.
    #[error("the subject has as many connections as it may")]
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

    /// What the client is told.
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
            // RFC 6750, section 3: without a token there is no error to tell.
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
