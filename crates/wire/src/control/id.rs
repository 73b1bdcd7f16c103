/// The id of a request; the answer repeats it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestId {
    /// Any JSON number.
    Number(serde_json::Number),
    /// Any JSON string.
    Text(String),
}

impl From<u64> for RequestId {
    fn from(id: u64) -> Self {
        Self::Number(id.into())
    }
}

impl From<&str> for RequestId {
    fn from(id: &str) -> Self {
        Self::Text(id.to_owned())
    }
}

impl RequestId {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Self::Text(text) => crate::text::quote(out, text),
        }
    }

    /// The value of `id`; `null` if the client gave none.
    pub(super) fn write_or_null(id: Option<&Self>, out: &mut Vec<u8>) {
        match id {
            Some(id) => id.write(out),
            None => out.extend_from_slice(b"null"),
        }
    }
}
