//! What a publisher counts and holds, for metrics.

use market::State;
use wire::Encoding;

use super::instrument::Instrument;
use super::{Encoded, Publisher, Stats};

impl Publisher {
    /// The counters of everything that happened.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.shared.stats
    }

    /// How much has been encoded in one encoding.
    #[must_use]
    pub const fn encoded(&self, encoding: Encoding) -> Encoded {
        self.shared.out.encoded(encoding)
    }

    /// How much has been encoded in all encodings together.
    #[must_use]
    pub fn encoded_in_all(&self) -> Encoded {
        let mut all = Encoded::default();
        for encoding in Encoding::ALL {
            let encoded = self.encoded(encoding);
            all.messages += encoded.messages;
            all.bytes += encoded.bytes;
        }
        all
    }

    /// The number of open streams.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        self.shared.out.open_streams()
    }

    /// The work done for single subscriptions and fetches, in units of about a nanosecond: levels
    /// read and bytes written, each weighted by its cost. Whoever serves requests limits its turn
    /// by this.
    #[must_use]
    pub const fn work(&self) -> u64 {
        self.shared.out.work
    }

    /// The number of views, which are the streams other than the full raw ones; each counts once
    /// for all encodings.
    #[must_use]
    pub const fn views(&self) -> usize {
        self.shared.views.open
    }

    /// The memory of book views, in bytes.
    #[must_use]
    pub const fn view_bytes(&self) -> usize {
        self.shared.views.bytes
    }

    /// The memory of all logs, views and books, in bytes. Visits every instrument.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.instruments.iter().map(Instrument::memory).sum()
    }

    /// The number of instruments in each state, in the order of [`State::ALL`].
    #[must_use]
    pub fn states(&self) -> [usize; State::ALL.len()] {
        let mut counts = [0; State::ALL.len()];
        for instrument in &self.instruments {
            for (count, state) in counts.iter_mut().zip(State::ALL) {
                *count += usize::from(instrument.state().0 == state);
            }
        }
        counts
    }
}
