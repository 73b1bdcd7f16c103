/// Why a subscription could not resume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResumeFailure {
    /// Its sequence number belongs to another epoch.
    EpochChanged,
    /// What follows its sequence number is no longer retained, or was never read here.
    LogExceeded,
    /// This node has not read that far.
    AheadOfLog,
    /// The instrument has had no valid state here yet.
    NoState,
}

impl ResumeFailure {
    /// The name used by clients.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EpochChanged => "epoch_changed",
            Self::LogExceeded => "log_exceeded",
            Self::AheadOfLog => "ahead_of_log",
            Self::NoState => "no_state",
        }
    }
}
