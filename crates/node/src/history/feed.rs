use ingest::{DecodeError, HistorySink, Rejection, Resolve, Resolved};
use market::{Event, Handle, InstrumentName, Nanos, Seq};
use streams::Replay;

use crate::clock::now;
use crate::instruments::Instruments;

/// The one instrument of a replay.
const WANTED: Handle = Handle(0);

/// Feeds a replay with the records of its instrument.
pub(super) struct Feed<'a> {
    pub(super) replay: &'a mut Replay,
    pub(super) names: &'a mut Names,
    pub(super) instruments: &'a Instruments,
}

/// What the instrument is called in records.
pub(super) struct Names {
    name: InstrumentName,
    /// The last matching name: a log uses the same one throughout.
    known: Option<(String, String)>,
}

impl Names {
    pub(super) const fn of(name: InstrumentName) -> Self {
        Self { name, known: None }
    }

    fn mean(&mut self, instruments: &Instruments, venue: &str, symbol: &str) -> bool {
        if venue != self.name.venue() {
            return false;
        }
        if let Some((known_venue, known)) = &self.known
            && known_venue == venue
            && known == symbol
        {
            return true;
        }
        let found = instruments.find(venue, symbol);
        let is_it = found.is_ok_and(|instrument| instrument.name == self.name);
        if is_it {
            self.known = Some((venue.to_owned(), symbol.to_owned()));
        }
        is_it
    }
}

impl Resolve for Feed<'_> {
    fn resolve(&mut self, venue: &str, symbol: &str) -> Result<Resolved, Rejection> {
        if self.names.mean(self.instruments, venue, symbol) {
            Ok(Resolved {
                handle: WANTED,
                exponents: self.replay.exponents(),
            })
        } else {
            // Skips the rest of the record.
            Err(Rejection::UnknownInstrument)
        }
    }

    fn find(&mut self, venue: &str, symbol: &str) -> Option<Handle> {
        let is_it = self.names.mean(self.instruments, venue, symbol);
        is_it.then_some(WANTED)
    }
}

impl HistorySink for Feed<'_> {
    fn event(&mut self, seq: Seq, log_time: Nanos, _: Handle, event: &Event<'_>) {
        self.replay.event(seq, log_time, event, now());
    }

    fn rejected(&mut self, seq: Seq, log_time: Nanos, error: &DecodeError) {
        if error.instrument != Some(WANTED) {
            return;
        }
        self.replay.bad_record(seq, log_time, error.scope, now());
    }
}
