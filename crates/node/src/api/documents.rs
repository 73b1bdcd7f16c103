//! Machine-readable descriptions of the public listener, converted to JSON from `docs/` by `build.rs`.

/// OpenAPI: all paths, parameters and responses.
pub(super) const OPENAPI: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));
/// AsyncAPI: all messages of a session.
pub(super) const ASYNCAPI: &str = include_str!(concat!(env!("OUT_DIR"), "/asyncapi.json"));
