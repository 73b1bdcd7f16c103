/// Why bytes are not a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// They do not start like one.
    #[error("not a checkpoint")]
    Magic,
    /// Their version is unknown.
    #[error("version {0} is unknown; only 1 is supported")]
    Version(u16),
    /// They end too early.
    #[error("truncated")]
    Truncated,
    /// They are damaged.
    #[error("its checksum is {expected:08x}, but that of its body is {found:08x}")]
    Checksum {
        /// The checksum in the header.
        expected: u32,
        /// The checksum of the body.
        found: u32,
    },
    /// A field has an invalid value.
    #[error("its field {0} has an invalid value")]
    Value(&'static str),
    /// A section is missing.
    #[error("its section {0} is missing")]
    Missing(&'static str),
}
