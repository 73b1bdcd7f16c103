use std::fmt;

/// One origin, or all hosts of a domain: `https://app.example`, `https://*.example`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginPattern {
    /// Including `://`.
    scheme: Box<str>,
    /// If it starts with a dot, the required suffix of the host.
    host: Box<str>,
}

/// A text that is not an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an origin is SCHEME://HOST or SCHEME://HOST:PORT without a path; the host may start with \"*.\""
)]
pub struct OriginError;

impl OriginPattern {
    /// Parses an origin as browsers send it, optionally with `*.` before the host.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let (scheme, host) = split(text).ok_or(OriginError)?;
        let host = host.strip_prefix('*').unwrap_or(host);
        let is_wild = host.len() < text.len() - scheme.len();
        let fits = !host.contains(['*', '/', '?', '#', '@', ' '])
            && (!is_wild || host.len() > 1 && host.starts_with('.'));
        if host.is_empty() || !fits {
            return Err(OriginError);
        }
        Ok(Self {
            scheme: scheme.to_ascii_lowercase().into(),
            host: host.to_ascii_lowercase().into(),
        })
    }

    /// Returns whether the pattern matches a browser's `Origin`; `null` never matches.
    #[must_use]
    pub fn matches(&self, origin: &str) -> bool {
        let Some((scheme, host)) = split(origin) else {
            return false;
        };
        if !scheme.eq_ignore_ascii_case(&self.scheme) {
            return false;
        }
        if !self.host.starts_with('.') {
            return host.eq_ignore_ascii_case(&self.host);
        }
        let host = host.to_ascii_lowercase();
        host.strip_suffix(&*self.host)
            .is_some_and(|rest| !rest.is_empty() && !rest.contains(['/', '@', ':']))
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.host.starts_with('.') { "*" } else { "" };
        write!(f, "{}{star}{}", self.scheme, self.host)
    }
}

/// Splits into the scheme including `://`, and the rest.
fn split(text: &str) -> Option<(&str, &str)> {
    let end = text.find("://")? + 3;
    let (scheme, host) = text.split_at(end);
    (scheme.len() > 3).then_some((scheme, host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_met_as_a_whole() {
        let one = OriginPattern::parse("https://App.example:8443").unwrap();
        assert!(one.matches("https://app.example:8443"));
        let all = OriginPattern::parse("https://*.example.com").unwrap();
        assert!(all.matches("https://a.b.example.com"));
        for other in [
            "https://app.example",
            "http://app.example:8443",
            "https://app.example:8443.evil.com",
            "https://example.com",
            "https://evil-example.com",
            "https://a.example.com.evil.com",
            "https://evil.com/.example.com",
            "https://evil.com:1.example.com",
            "null",
            "",
        ] {
            assert!(!one.matches(other) && !all.matches(other), "{other}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "",
            "*",
            "app.example",
            "https://",
            "https://*",
            "https://*.",
            "https://a/b",
            "https://*a.example",
            "https://a.*.example",
            "://a",
        ] {
            assert_eq!(OriginPattern::parse(text), Err(OriginError), "{text}");
        }
    }
}
