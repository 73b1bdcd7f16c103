use crate::growth::push_closely;

/// Ticks of one turn of the wheel; what is due later goes round more than once.
const SLOTS: usize = 256;

/// A timer wheel (Varghese and Lauck, 1987, scheme 6): what is due at a tick stands in that tick's
/// slot, so that adding costs the same however many there are, and a tick looks at its own slot only.
///
/// Ticks are counted by its owner. Entries keep the lowest 32 bits of their tick, which tell it from
/// all others within 34 years of ticks of 250 ms.
#[derive(Debug)]
pub(crate) struct Wheel<T> {
    slots: Box<[Vec<(u32, T)>]>,
    /// The last tick that was looked at.
    now: u64,
}

impl<T: Copy> Wheel<T> {
    /// An empty wheel at tick 0.
    pub(crate) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Vec::new()).collect(),
            now: 0,
        }
    }

    /// The last tick that was looked at.
    pub(crate) const fn now(&self) -> u64 {
        self.now
    }

    /// Adds something that is due so many ticks from now, at least one.
    pub(crate) fn add(&mut self, ticks: u32, item: T) {
        let due = low(self.now.wrapping_add(u64::from(ticks.max(1))));
        push_closely(&mut self.slots[slot(due)], (due, item));
    }

    /// How many ticks from now something may be due: nothing is due earlier.
    pub(crate) fn next(&self) -> Option<u32> {
        let ahead = (1..=SLOTS).find(|ahead| {
            let tick = low(self.now.wrapping_add(*ahead as u64));
            !self.slots[slot(tick)].is_empty()
        });
        ahead.and_then(|ahead| u32::try_from(ahead).ok())
    }

    /// The next tick, and what is due at it. Those who came together go round together, so a slot
    /// keeps no memory of what it had.
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

/// The bits of a tick that entries keep.
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
