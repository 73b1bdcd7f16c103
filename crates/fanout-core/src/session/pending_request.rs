use market::Position;
use wire::control::{Outcome, RequestId, StreamKey, Subscribed};

/// A `subscribe` or `update` request whose streams are being joined.
pub(crate) struct PendingRequest {
    pub(crate) id: Option<RequestId>,
    pub(crate) op: PendingOp,
    pub(crate) results: Vec<PendingResult>,
    pub(crate) joining: Vec<PendingJoin>,
    pub(crate) waiting: usize,
}

/// Operation of a pending request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PendingOp {
    Subscribe,
    Update,
}

/// A subscription that its publisher has been asked to join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PendingJoin {
    pub(crate) subscription: u16,
    /// Index of its result.
    pub(crate) result: usize,
    /// The subscription that ends when this one starts.
    pub(crate) replaces: Option<u16>,
    /// The client's last position, if it resumes.
    pub(crate) resume: Option<Position>,
}

/// The result for one stream of a request.
pub(crate) enum PendingResult {
    /// Its publisher has not answered yet.
    Waiting(StreamKey),
    /// Its publisher has answered.
    Done(Outcome<Subscribed>),
}

impl PendingRequest {
    pub(crate) fn new(id: Option<RequestId>, op: PendingOp, streams: usize) -> Self {
        Self {
            id,
            op,
            results: Vec::with_capacity(streams),
            joining: Vec::new(),
            waiting: 0,
        }
    }
}
