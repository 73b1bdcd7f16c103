/// The length of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum BarInterval {
    /// 1 second.
    S1,
    /// 5 seconds.
    S5,
    /// 15 seconds.
    S15,
    /// 30 seconds.
    S30,
    /// 1 minute.
    #[default]
    M1,
    /// 3 minutes.
    M3,
    /// 5 minutes.
    M5,
    /// 15 minutes.
    M15,
    /// 30 minutes.
    M30,
    /// 1 hour.
    H1,
    /// 2 hours.
    H2,
    /// 4 hours.
    H4,
    /// 6 hours.
    H6,
    /// 12 hours.
    H12,
    /// 1 day, in UTC.
    D1,
}

impl BarInterval {
    /// All intervals, in the order of their codes in a view.
    pub const ALL: [Self; 15] = [
        Self::S1,
        Self::S5,
        Self::S15,
        Self::S30,
        Self::M1,
        Self::M3,
        Self::M5,
        Self::M15,
        Self::M30,
        Self::H1,
        Self::H2,
        Self::H4,
        Self::H6,
        Self::H12,
        Self::D1,
    ];

    /// The name in requests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::S1 => "1s",
            Self::S5 => "5s",
            Self::S15 => "15s",
            Self::S30 => "30s",
            Self::M1 => "1m",
            Self::M3 => "3m",
            Self::M5 => "5m",
            Self::M15 => "15m",
            Self::M30 => "30m",
            Self::H1 => "1h",
            Self::H2 => "2h",
            Self::H4 => "4h",
            Self::H6 => "6h",
            Self::H12 => "12h",
            Self::D1 => "1d",
        }
    }

    /// The interval with that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|interval| interval.name() == name)
    }

    /// The length in seconds.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        match self {
            Self::S1 => 1,
            Self::S5 => 5,
            Self::S15 => 15,
            Self::S30 => 30,
            Self::M1 => 60,
            Self::M3 => 3 * 60,
            Self::M5 => 5 * 60,
            Self::M15 => 15 * 60,
            Self::M30 => 30 * 60,
            Self::H1 => 3_600,
            Self::H2 => 2 * 3_600,
            Self::H4 => 4 * 3_600,
            Self::H6 => 6 * 3_600,
            Self::H12 => 12 * 3_600,
            Self::D1 => 24 * 3_600,
        }
    }

    /// The code in a view: the index in [`ALL`](Self::ALL), from 1.
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32 + 1
    }
}
