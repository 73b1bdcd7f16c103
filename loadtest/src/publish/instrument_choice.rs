use super::{PublishArgs, Zipf};

/// InstrumentChoice updates are of.
#[derive(Debug)]
pub(super) struct InstrumentChoice {
    zipf: Zipf,
    /// So many have updates in turn; by chance where there is none.
    turn: Option<u64>,
}

impl InstrumentChoice {
    pub(super) fn of(args: &PublishArgs) -> Self {
        Self {
            zipf: Zipf::new(args.active(), args.zipf),
            turn: args.in_turn.then(|| args.active() as u64),
        }
    }

    /// InstrumentChoice the update of that number is of.
    pub(super) fn choose(&self, number: u64, random: &mut fastrand::Rng) -> usize {
        match self.turn {
            Some(all) => usize::try_from(number % all).unwrap_or(0),
            None => self.zipf.choose(random),
        }
    }
}
