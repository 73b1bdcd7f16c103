use market::Seq;

/// Why an event was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Skipped {
    /// The partition was never opened.
    #[error("partition index {0} was not opened")]
    NotOpened(u32),
    /// The channel is read from another partition.
    #[error("the instrument's {channel} is read from another partition")]
    OtherPartition {
        /// The channel's name.
        channel: &'static str,
    },
    /// The record, or a later one, was applied before.
    #[error("offset {} is not after the last one", .0.0)]
    Repeated(Seq),
    /// There is no such instrument.
    #[error("no instrument has handle {0}")]
    NoInstrument(u32),
}
