/// How far an instrument's data can be trusted now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// The book is valid.
    Live,
    /// The book is invalid until the next snapshot.
    Resyncing,
    /// Nothing has arrived for longer than configured; the book was valid at the last update.
    Stale,
    /// The venue halted trading.
    Halted,
    /// The venue's own sequence broke; the book is invalid until the next snapshot.
    UpstreamGap,
}

impl State {
    /// All states, in the order of their wire codes.
    pub const ALL: [Self; 5] = [
        Self::Live,
        Self::Resyncing,
        Self::Stale,
        Self::Halted,
        Self::UpstreamGap,
    ];

    /// The name used by clients, metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "LIVE",
            Self::Resyncing => "RESYNCING",
            Self::Stale => "STALE",
            Self::Halted => "HALTED",
            Self::UpstreamGap => "UPSTREAM_GAP",
        }
    }

    /// Returns whether the last published book must not be trusted.
    #[must_use]
    pub const fn is_broken(self) -> bool {
        matches!(self, Self::Resyncing | Self::UpstreamGap)
    }
}

/// Why an instrument is in its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// There is nothing to explain.
    None,
    /// No snapshot has been received yet.
    Starting,
    /// Sequence numbers are missing.
    Gap,
    /// The best bid was above the best ask.
    Crossed,
    /// A record could not be read.
    BadRecord,
    /// The topic was recreated, or its offsets went back.
    TopicReset,
    /// Nothing has arrived for longer than configured.
    Quiet,
    /// The venue reports it.
    Venue,
    /// A snapshot or a valid delta ended an invalid state.
    Recovered,
    /// Kafka deleted records before this node had read them.
    Retention,
}

impl Reason {
    /// All reasons, in the order of their wire codes.
    pub const ALL: [Self; 10] = [
        Self::None,
        Self::Starting,
        Self::Gap,
        Self::Crossed,
        Self::BadRecord,
        Self::TopicReset,
        Self::Quiet,
        Self::Venue,
        Self::Recovered,
        Self::Retention,
    ];

    /// The name used by clients, metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Starting => "STARTING",
            Self::Gap => "GAP",
            Self::Crossed => "CROSSED",
            Self::BadRecord => "BAD_RECORD",
            Self::TopicReset => "TOPIC_RESET",
            Self::Quiet => "QUIET",
            Self::Venue => "VENUE",
            Self::Recovered => "RECOVERED",
            Self::Retention => "RETENTION",
        }
    }
}
