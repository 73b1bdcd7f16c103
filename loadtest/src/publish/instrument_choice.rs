use super::{PublishArgs, Zipf};

/// Chooses the instrument of each update.
#[derive(Debug)]
pub(super) struct InstrumentChoice {
    zipf: Zipf,
    /// The number of instruments that are updated in turn; `None` to choose at random.
    turn: Option<u64>,
}

impl InstrumentChoice {
    pub(super) fn of(args: &PublishArgs) -> Self {
        Self {
            zipf: Zipf::new(args.active(), args.zipf),
            turn: args.in_turn.then(|| args.active() as u64),
        }
    }

    /// The instrument of an update.
    pub(super) fn choose(&self, number: u64, random: &mut fastrand::Rng) -> usize {
        match self.turn {
            Some(all) => usize::try_from(number % all).unwrap_or(0),
            None => self.zipf.choose(random),
        }
    }
}
