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
