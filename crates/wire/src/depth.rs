/// The number of levels per side that a book stream covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Depth {
    /// All levels.
    #[default]
    Full,
    /// The best level.
    D1,
    /// The best 5 levels.
    D5,
    /// The best 10 levels.
    D10,
    /// The best 25 levels.
    D25,
    /// The best 50 levels.
    D50,
    /// The best 100 levels.
    D100,
    /// The best 500 levels.
    D500,
    /// The best 1000 levels.
    D1000,
}

impl Depth {
    /// All depths, in the order of their codes in a view.
    pub const ALL: [Self; 9] = [
        Self::Full,
        Self::D1,
        Self::D5,
        Self::D10,
        Self::D25,
        Self::D50,
        Self::D100,
        Self::D500,
        Self::D1000,
    ];

    /// The number of levels per side; `None` means all.
    #[must_use]
    pub const fn levels(self) -> Option<usize> {
        match self {
            Self::Full => None,
            Self::D1 => Some(1),
            Self::D5 => Some(5),
            Self::D10 => Some(10),
            Self::D25 => Some(25),
            Self::D50 => Some(50),
            Self::D100 => Some(100),
            Self::D500 => Some(500),
            Self::D1000 => Some(1000),
        }
    }

    /// The depth with that many levels, if there is one.
    #[must_use]
    pub fn from_levels(levels: u64) -> Option<Self> {
        let levels = usize::try_from(levels).ok()?;
        Self::ALL
            .into_iter()
            .find(|depth| depth.levels() == Some(levels))
    }

    /// The code in a view: the index in [`ALL`](Self::ALL).
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }
}
