use std::time::Duration;

/// How often a stream speaks at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Speed {
    /// Once for every record that changes it.
    #[default]
    Raw,
    /// Once in 10 ms.
    Ms10,
    /// Once in 100 ms.
    Ms100,
    /// Once in 250 ms.
    Ms250,
    /// Once a second.
    S1,
}

impl Speed {
    /// All speeds, in the order of their codes in a view.
    pub const ALL: [Self; 5] = [Self::Raw, Self::Ms10, Self::Ms100, Self::Ms250, Self::S1];

    /// The name that requests use.
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

    /// The speed of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|speed| speed.name() == name)
    }

    /// The time between two messages; `None` is no limit.
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

    /// The code in a view: the place in [`ALL`](Self::ALL).
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }
}
