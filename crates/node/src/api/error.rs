use fanout::{NotEntitled, TooManyRequests};
use hyper::StatusCode;
use serde_json::{Value, json};

/// Characters of a wrong value that an error quotes.
const SHOWN: usize = 64;

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    /// Stable, for programs.
    pub(super) code: &'static str,
    /// The wrong part of the request.
    pub(super) field: Option<&'static str>,
    /// Its value.
    pub(super) was: Option<Box<str>>,
    /// Allowed values.
    pub(super) may_be: Option<Box<str>>,
    /// For people, if the fields do not say everything.
    message: Option<Box<str>>,
    /// Seconds to wait before a retry.
    pub(super) retry_after: Option<u32>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str) -> Self {
        Self {
            status,
            code,
            field: None,
            was: None,
            may_be: None,
            message: None,
            retry_after: None,
        }
    }

    pub(super) fn wrong(code: &'static str, field: &'static str, was: &str, may_be: &str) -> Self {
        Self {
            field: Some(field),
            was: Some(shorten(was).into()),
            may_be: Some(may_be.into()),
            ..Self::new(StatusCode::BAD_REQUEST, code)
        }
    }

    pub(super) fn missing(field: &'static str, may_be: &str) -> Self {
        Self {
            field: Some(field),
            may_be: Some(may_be.into()),
            ..Self::new(StatusCode::BAD_REQUEST, "bad_request")
        }
    }

    pub(super) fn no_path(path: &str, paths: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            ..Self::wrong("unknown_path", "path", path, paths)
        }
    }

    pub(super) fn no_symbol(symbol: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            ..Self::wrong(
                "unknown_symbol",
                "symbol",
                symbol,
                "one of those listed by /v1/instruments",
            )
        }
    }

    /// The path exists, but not with this method.
    pub(super) fn method(was: &str, may_be: &str) -> Self {
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            ..Self::wrong("bad_method", "method", was, may_be)
        }
    }

    /// No available format is acceptable to the client.
    pub(super) fn accept(was: &str, may_be: &str) -> Self {
        Self {
            status: StatusCode::NOT_ACCEPTABLE,
            ..Self::wrong("not_acceptable", "Accept", was, may_be)
        }
    }

    /// Try again soon.
    pub(super) fn later(code: &'static str, message: &str) -> Self {
        Self {
            message: Some(message.into()),
            retry_after: Some(1),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code)
        }
    }

    pub(super) fn too_many_requests(why: TooManyRequests) -> Self {
        Self {
            message: Some(why.to_string().into()),
            retry_after: Some(why.retry_after),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests")
        }
    }

    /// A limit is reached at the moment.
    pub(super) fn too_many(code: &'static str, field: &'static str, message: &str) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            retry_after: Some(1),
            ..Self::unsupported(code, field, message)
        }
    }

    /// The client's token does not cover this.
    pub(super) fn not_entitled(why: &NotEntitled) -> Self {
        let field = match why {
            NotEntitled::Instrument(_) => "symbol",
            NotEntitled::Channel(_) => "channel",
            NotEntitled::Depth(_) => "depth",
            NotEntitled::Group(_) => "group",
        };
        Self {
            field: Some(field),
            message: Some(why.to_string().into()),
            ..Self::new(StatusCode::FORBIDDEN, "not_entitled")
        }
    }

    /// The node does not offer this.
    pub(super) fn unsupported(code: &'static str, field: &'static str, message: &str) -> Self {
        Self {
            field: Some(field),
            message: Some(message.into()),
            ..Self::new(StatusCode::BAD_REQUEST, code)
        }
    }

    /// The node's own fault.
    pub(super) fn internal(message: &str) -> Self {
        Self {
            message: Some(message.into()),
            ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal")
        }
    }

    fn message(&self) -> String {
        if let Some(message) = &self.message {
            return message.to_string();
        }
        let field = self.field.unwrap_or("the request");
        let was = match &self.was {
            Some(was) => format!("is {was:?}"),
            None => "is missing".to_owned(),
        };
        let may_be = self.may_be.as_deref().unwrap_or_default();
        format!("{field} {was}, and may be {may_be}")
    }

    pub(super) fn to_json(&self) -> Value {
        json!({"error": {
            "code": self.code,
            "message": self.message(),
            "field": self.field,
            "was": self.was,
            "mayBe": self.may_be,
        }})
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}
