use crate::growth::push_closely;

/// Slots of the wheel. An entry due later than this many ticks goes round more than once.
const SLOTS: usize = 256;

/// A timer wheel (Varghese and Lauck, 1987, scheme 6). An entry is stored in the slot of its tick,
/// so that inserting takes constant time and a tick visits one slot only.
///
/// The owner counts the ticks. Entries keep the lowest 32 bits of theirs, which are unambiguous for
/// 34 years of 250 ms ticks.
#[derive(Debug)]
pub(crate) struct Wheel<T> {
    slots: Box<[Vec<(u32, T)>]>,
    /// The last tick processed.
    now: u64,
}

impl<T: Copy> Wheel<T> {
    /// Creates an empty wheel at tick 0.
    pub(crate) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Vec::new()).collect(),
            now: 0,
        }
    }

    /// Returns the last tick processed.
    pub(crate) const fn now(&self) -> u64 {
        self.now
    }

    /// Adds an entry due in `ticks` ticks, at least one.
    pub(crate) fn add(&mut self, ticks: u32, item: T) {
        let due = low(self.now.wrapping_add(u64::from(ticks.max(1))));
        push_closely(&mut self.slots[slot(due)], (due, item));
    }

    /// Returns a lower bound on the number of ticks until an entry is due.
    pub(crate) fn next(&self) -> Option<u32> {
        let ahead = (1..=SLOTS).find(|ahead| {
            let tick = low(self.now.wrapping_add(*ahead as u64));
            !self.slots[slot(tick)].is_empty()
        });
        ahead.and_then(|ahead| u32::try_from(ahead).ok())
    }

    /// Advances by one tick and returns the entries due. Sessions that connected together are due
    /// together, so an emptied slot keeps no memory.
    pub(crate) fn tick(&mut self) -> impl Iterator<Item = T> + use<T> {
        self.now = self.now.wrapping_add(1);
        let now = low(self.now);
        let slot = &mut self.slots[slot(now)];
        let mut due = std::mem::take(slot);
        due.retain(|entry| {
            let is_due = entry.0 == now;
            if !is_due {
                push_closely(slot, *entry);
            }
            is_due
        });
        due.into_iter().map(|(_, item)| item)
    }
}

/// Returns the bits of a tick that entries keep.
#[expect(clippy::cast_possible_truncation, reason = "a modulus")]
const fn low(tick: u64) -> u32 {
    tick as u32
}

const fn slot(tick: u32) -> usize {
    tick as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn everything_is_due_at_its_tick_and_once(
            waits in prop::collection::vec(0_u32..1_000, 0..50),
            start in prop::sample::select(vec![0, u64::from(u32::MAX) - 300, u64::MAX - 300]),
        ) {
            let mut wheel = Wheel::new();
            wheel.now = start;
            for (item, wait) in waits.iter().enumerate() {
                wheel.add(*wait, item);
            }
            let mut seen = vec![0; waits.len()];
            for tick in 1..=1_000 {
                for item in wheel.tick() {
                    prop_assert_eq!(waits[item].max(1), tick);
                    seen[item] += 1;
                }
            }
            prop_assert!(seen.iter().all(|times| *times == 1));
        }
    }
}
