use std::hint::black_box;

use ingest::{Decoder, IngestConfig, RawRecord};

use super::resolver::Resolver;
use super::stage::Stage;

/// The decoder alone.
pub(super) struct Decode {
    decoder: Decoder,
    resolver: Resolver,
    events: u64,
    refused: u64,
}

impl Decode {
    pub(super) fn new() -> Self {
        Self {
            decoder: Decoder::new(IngestConfig::MAX_RECORD_BYTES),
            resolver: Resolver::new(),
            events: 0,
            refused: 0,
        }
    }
}

impl Stage for Decode {
    fn name(&self) -> String {
        "decode".to_owned()
    }

    fn begin(&mut self) {
        (self.events, self.refused) = (0, 0);
    }

    fn record(&mut self, _: usize, _: usize, record: &RawRecord<'_>) -> anyhow::Result<()> {
        match self.decoder.decode(record, &mut self.resolver) {
            Ok(decoded) => self.events += u64::from(black_box(decoded.event()).is_some()),
            Err(_) => self.refused += 1,
        }
        Ok(())
    }

    fn note(&self) -> String {
        format!("{} events, {} refused", self.events, self.refused)
    }
}
