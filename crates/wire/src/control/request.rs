use super::{RequestId, StreamError, StreamKey, StreamRequest, StreamUpdate, Symbol};
use crate::text::quote;

/// A request of a client. A malformed stream is an error in its place; it does not affect the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Subscribe to these streams.
    Subscribe {
        /// The id of the request.
        id: Option<RequestId>,
        /// The streams.
        streams: Vec<Result<StreamRequest, StreamError>>,
    },
    /// Unsubscribe from these streams.
    Unsubscribe {
        /// The id of the request.
        id: Option<RequestId>,
        /// The streams.
        streams: Vec<Result<StreamKey, StreamError>>,
    },
    /// Change these streams.
    Update {
        /// The id of the request.
        id: Option<RequestId>,
        /// The streams.
        streams: Vec<Result<StreamUpdate, StreamError>>,
    },
    /// List instruments.
    List {
        /// The id of the request.
        id: Option<RequestId>,
        /// Only those that match; all if absent.
        matching: Option<Symbol>,
        /// Only those after this name, where the previous page ended.
        after: Option<String>,
    },
    /// Check that the node is there, and read its clock.
    Ping {
        /// The id of the request.
        id: Option<RequestId>,
    },
}

impl Request {
    /// Subscribes to streams.
    pub fn subscribe(
        id: impl Into<RequestId>,
        streams: impl IntoIterator<Item = StreamRequest>,
    ) -> Self {
        Self::Subscribe {
            id: Some(id.into()),
            streams: streams.into_iter().map(Ok).collect(),
        }
    }

    /// Unsubscribes from streams.
    pub fn unsubscribe(
        id: impl Into<RequestId>,
        streams: impl IntoIterator<Item = StreamKey>,
    ) -> Self {
        Self::Unsubscribe {
            id: Some(id.into()),
            streams: streams.into_iter().map(Ok).collect(),
        }
    }

    /// Changes streams.
    pub fn update(
        id: impl Into<RequestId>,
        streams: impl IntoIterator<Item = StreamUpdate>,
    ) -> Self {
        Self::Update {
            id: Some(id.into()),
            streams: streams.into_iter().map(Ok).collect(),
        }
    }

    /// Lists the instruments that match.
    pub fn list(id: impl Into<RequestId>, matching: Option<Symbol>) -> Self {
        Self::List {
            id: Some(id.into()),
            matching,
            after: None,
        }
    }

    /// Asks for a `pong`.
    pub fn ping(id: impl Into<RequestId>) -> Self {
        Self::Ping {
            id: Some(id.into()),
        }
    }

    /// The id of the request.
    #[must_use]
    pub const fn id(&self) -> Option<&RequestId> {
        match self {
            Self::Subscribe { id, .. }
            | Self::Unsubscribe { id, .. }
            | Self::Update { id, .. }
            | Self::List { id, .. }
            | Self::Ping { id } => id.as_ref(),
        }
    }

    /// The value of `op`.
    #[must_use]
    pub const fn op(&self) -> &'static str {
        match self {
            Self::Subscribe { .. } => "subscribe",
            Self::Unsubscribe { .. } => "unsubscribe",
            Self::Update { .. } => "update",
            Self::List { .. } => "list",
            Self::Ping { .. } => "ping",
        }
    }

    /// The request as JSON. A node accepts at most [`MAX_REQUEST`](super::MAX_REQUEST) bytes.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(b"{\"op\":");
        quote(&mut out, self.op());
        if let Some(id) = self.id() {
            out.extend_from_slice(b",\"id\":");
            id.write(&mut out);
        }
        match self {
            Self::Subscribe { streams, .. } => {
                write_streams(&mut out, streams, StreamRequest::write);
            }
            Self::Unsubscribe { streams, .. } => write_streams(&mut out, streams, |key, out| {
                key.write_open(out);
                out.push(b'}');
            }),
            Self::Update { streams, .. } => write_streams(&mut out, streams, StreamUpdate::write),
            Self::List {
                matching, after, ..
            } => {
                if let Some(matching) = matching {
                    out.extend_from_slice(b",\"match\":");
                    quote(&mut out, matching.as_str());
                }
                if let Some(after) = after {
                    out.extend_from_slice(b",\"after\":");
                    quote(&mut out, after);
                }
            }
            Self::Ping { .. } => {}
        }
        out.push(b'}');
        String::from_utf8_lossy(&out).into_owned()
    }
}

fn write_streams<T>(
    out: &mut Vec<u8>,
    streams: &[Result<T, StreamError>],
    write: impl Fn(&T, &mut Vec<u8>),
) {
    out.extend_from_slice(b",\"streams\":[");
    for (i, stream) in streams.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        match stream {
            Ok(stream) => write(stream, out),
            Err(wrong) => out.extend_from_slice(wrong.stream.as_bytes()),
        }
    }
    out.push(b']');
}
