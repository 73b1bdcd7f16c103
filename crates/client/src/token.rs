use std::fmt;
use std::io;
use std::sync::Arc;

use tungstenite::http::HeaderValue;

/// Where the node's token comes from. It is called before each connection attempt, since a token may have
/// expired since the last one.
#[derive(Clone)]
pub(crate) struct TokenSource(Arc<dyn Fn() -> io::Result<String> + Send + Sync>);

impl TokenSource {
    pub(crate) fn new(source: impl Fn() -> io::Result<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }

    /// The token as the value of `Authorization`.
    pub(crate) fn header(&self) -> io::Result<HeaderValue> {
        let token = (self.0)()?;
        let text = format!("Bearer {}", token.trim());
        let mut value = HeaderValue::from_str(&text).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidData, "the token is no header text")
        })?;
        // Keeps the token out of `Debug`.
        value.set_sensitive(true);
        Ok(value)
    }
}

/// Does not show the token.
impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSource")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_sent_and_never_shown() {
        let source = TokenSource::new(|| Ok("secret-1\n".into()));
        let value = source.header().unwrap();
        assert_eq!(value.to_str().unwrap(), "Bearer secret-1");
        assert!(!format!("{source:?} {value:?}").contains("secret-1"));
        let wrong = TokenSource::new(|| Ok("secret\n1".into()));
        assert!(!wrong.header().unwrap_err().to_string().contains("secret\n"));
    }
}
