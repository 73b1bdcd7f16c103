use std::time::Duration;

/// The shortest interval between the updates of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Speed {
    /// An update for every record that changes it.
    #[default]
    Raw,
    /// At most one update in 10 ms.
    Ms10,
    /// At most one update in 100 ms.
    Ms100,
    /// At most one update in 250 ms.
    Ms250,
    /// At most one update a second.
    S1,
}

impl Speed {
    /// All speeds, in the order of their codes in a view.
    pub const ALL: [Self; 5] = [Self::Raw, Self::Ms10, Self::Ms100, Self::Ms250, Self::S1];

    /// The name in requests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Ms10 => "10ms",
            Self::Ms100 => "100ms",
            Self::Ms250 => "250ms",
            Self::S1 => "1s",
        }
    }

    /// The speed with that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|speed| speed.name() == name)
    }

    /// The interval; `None` means that every change is sent.
    #[must_use]
    pub const fn interval(self) -> Option<Duration> {
        match self {
            Self::Raw => None,
            Self::Ms10 => Some(Duration::from_millis(10)),
            Self::Ms100 => Some(Duration::from_millis(100)),
            Self::Ms250 => Some(Duration::from_millis(250)),
            Self::S1 => Some(Duration::from_secs(1)),
        }
    }

    /// The code in a view: the index in [`ALL`](Self::ALL).
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }
}
