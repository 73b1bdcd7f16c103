/// How far an instrument can be trusted at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// The book is right.
    Live,
    /// The book is being rebuilt; it waits for a whole book.
    Resyncing,
    /// Nothing has come for longer than configured; the book was right when last heard of.
    Stale,
    /// The venue halted trading.
    Halted,
    /// The venue's own sequence broke; the book waits for a whole book.
    UpstreamGap,
}

impl State {
    /// All states, in the order of their codes on the wire.
    pub const ALL: [Self; 5] = [
        Self::Live,
        Self::Resyncing,
        Self::Stale,
        Self::Halted,
        Self::UpstreamGap,
    ];

    /// The name that clients, metrics and logs use.
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

    /// Whether the last published book must not be trusted.
    #[must_use]
    pub const fn is_broken(self) -> bool {
        matches!(self, Self::Resyncing | Self::UpstreamGap)
    }
}

/// Why an instrument is in its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No reason is needed.
    None,
    /// No whole book has been seen yet.
    Starting,
    /// A sequence number is missing.
    Gap,
    /// The best bid was above the best ask.
    Crossed,
    /// A record could not be read.
    BadRecord,
    /// The topic was made anew, or its offsets went back.
    TopicReset,
    /// Nothing has come for longer than configured.
    Quiet,
    /// The venue said so.
    Venue,
    /// A whole book ended what went before.
    Recovered,
    /// Kafka deleted records before this node had read them.
    Retention,
}

impl Reason {
    /// All reasons, in the order of their codes on the wire.
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

    /// The name that clients, metrics and logs use.
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
