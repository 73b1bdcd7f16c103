//! Content negotiation: the formats and codings a client accepts, each with its quality.

use hyper::HeaderMap;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};
use wire::Encoding;

use super::error::ApiError;

/// The media type of SBE: concatenated messages.
pub(super) const SBE: &str = "application/vnd.tapecast.sbe";
pub(super) const JSON: &str = "application/json";
pub(super) const EVENTS: &str = "text/event-stream";

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Format {
    Json,
    Messages(Encoding),
}

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Zstd,
}

impl Format {
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Json => JSON,
            Self::Messages(_) => SBE,
        }
    }

    /// The encoding to request from a publisher; JSON is written from SBE.
    pub(super) const fn encoding(self) -> Encoding {
        match self {
            Self::Json => Encoding::Sbe,
            Self::Messages(encoding) => encoding,
        }
    }
}

impl Coding {
    pub(super) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }
}

/// The client's preferred format of `formats`; the first one if it does not say.
pub(super) fn format(headers: &HeaderMap, formats: &[Format]) -> Result<Format, ApiError> {
    let types: Vec<_> = formats.iter().map(|format| format.media_type()).collect();
    let best = best(headers, ACCEPT, &types)?;
    Ok(formats.get(best).copied().unwrap_or(Format::Json))
}

/// Fails if the client does not accept this media type.
pub(super) fn takes(headers: &HeaderMap, media_type: &str) -> Result<(), ApiError> {
    best(headers, ACCEPT, &[media_type]).map(|_| ())
}

/// The index of the media type the client prefers.
fn best(headers: &HeaderMap, name: HeaderName, types: &[&str]) -> Result<usize, ApiError> {
    let asked = list(headers, &name);
    if asked.is_empty() {
        return Ok(0);
    }
    // The most specific range applies: RFC 9110, section 12.5.1.
    let quality_of = |media_type: &str| {
        let fits = |asked: &str| match asked.strip_suffix('*') {
            Some("*/") => Some(1),
            Some(start) if media_type.starts_with(start) => Some(2),
            _ => (asked == media_type).then_some(3),
        };
        let mut found = (0, 0);
        for (asked, quality) in &asked {
            if let Some(exactness) = fits(asked).filter(|exactness| *exactness > found.0) {
                found = (exactness, *quality);
            }
        }
        found.1
    };
    let mut best = (0, None);
    for (index, media_type) in types.iter().enumerate() {
        let quality = quality_of(media_type);
        if quality > best.0 {
            best = (quality, Some(index));
        }
    }
    best.1.ok_or_else(|| {
        let was: Vec<_> = asked.iter().map(|(text, _)| text.as_str()).collect();
        ApiError::accept(&was.join(", "), &types.join(", "))
    })
}

/// The client's preferred coding; zstd, which is smaller and faster, if it likes both as much.
pub(super) fn coding(headers: &HeaderMap) -> Coding {
    let asked = list(headers, &ACCEPT_ENCODING);
    let quality_of = |coding: &str| {
        let named = asked.iter().find(|(name, _)| name == coding);
        let any = asked.iter().find(|(name, _)| name == "*");
        named.or(any).map_or(0, |(_, quality)| *quality)
    };
    match (quality_of("zstd"), quality_of("gzip")) {
        (0, 0) => Coding::Identity,
        (zstd, gzip) if zstd >= gzip => Coding::Zstd,
        _ => Coding::Gzip,
    }
}

/// The items of a header in lower case, each with its quality in thousandths.
fn list(headers: &HeaderMap, name: &HeaderName) -> Vec<(String, u32)> {
    let values = headers.get_all(name).into_iter();
    let items = values.flat_map(|value| value.to_str().unwrap_or_default().split(','));
    let read = |item: &str| {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts.find_map(|part| part.strip_prefix("q="));
        (name, quality.map_or(1000, thousandths))
    };
    let read = items.map(read);
    read.filter(|(name, _)| !name.is_empty()).collect()
}

/// `0.5` as 500; anything malformed as 0.
fn thousandths(text: &str) -> u32 {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let decimals = format!("{decimals:0<3}");
    match (
        whole,
        decimals.get(..3).and_then(|three| three.parse().ok()),
    ) {
        ("1", _) => 1000,
        ("0", Some(decimals)) => decimals,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, text: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, hyper::header::HeaderValue::from_static(text));
        headers
    }

    #[test]
    fn what_the_client_likes_best_is_chosen() {
        let sbe = Format::Messages(Encoding::Sbe);
        for (accept, expected) in [
            ("*/*", Some(Format::Json)),
            ("application/vnd.tapecast.sbe", Some(sbe)),
            (
                "application/json;q=0.5, application/vnd.tapecast.sbe",
                Some(sbe),
            ),
            ("application/*, application/json;q=0", Some(sbe)),
            ("text/html, application/*;q=0.1", Some(Format::Json)),
            ("text/html", None),
            ("application/json;q=0", None),
        ] {
            let chosen = format(&headers(ACCEPT, accept), &[Format::Json, sbe]);
            assert_eq!(chosen.ok(), expected, "{accept}");
        }
        assert_eq!(
            format(&HeaderMap::new(), &[Format::Json, sbe]).unwrap(),
            Format::Json
        );
        let error = takes(&headers(ACCEPT, "image/png"), EVENTS).unwrap_err();
        assert_eq!(
            (error.was.as_deref(), error.may_be.as_deref()),
            (Some("image/png"), Some(EVENTS))
        );
    }

    #[test]
    fn a_body_is_compressed_as_the_client_says() {
        for (accept, expected) in [
            ("gzip, deflate, br", Coding::Gzip),
            ("gzip, deflate, br, zstd", Coding::Zstd),
            ("zstd;q=0.5, gzip", Coding::Gzip),
            ("zstd;q=0, *", Coding::Gzip),
            ("br", Coding::Identity),
            ("identity, *;q=0", Coding::Identity),
        ] {
            assert_eq!(
                coding(&headers(ACCEPT_ENCODING, accept)),
                expected,
                "{accept}"
            );
        }
        assert_eq!(coding(&HeaderMap::new()), Coding::Identity);
    }
}
