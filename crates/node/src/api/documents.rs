//! What describes the public listener to machines, as it stands in `docs/`; `build.rs` makes JSON of it.

/// OpenAPI: every path, parameter and answer of HTTP.
pub(super) const OPENAPI: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));
/// AsyncAPI: every message of a session.
pub(super) const ASYNCAPI: &str = include_str!(concat!(env!("OUT_DIR"), "/asyncapi.json"));
