/// Who is told of which records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TraceSettings {
    /// The collector's address, as `http://HOST:PORT`; without one nothing is followed.
    pub(crate) endpoint: Option<String>,
    /// One record of so many is followed.
    pub(crate) one_in: u64,
    /// What the node calls its service.
    pub(crate) service: String,
}
