/// Settings of traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TraceSettings {
    /// The collector, as `http://HOST:PORT`; `None` disables traces.
    pub(crate) endpoint: Option<String>,
    /// One record out of this many is traced.
    pub(crate) one_in: u64,
    /// The service name of the node.
    pub(crate) service: String,
}
