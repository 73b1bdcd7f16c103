use std::hint::black_box;

use anyhow::anyhow;
use ingest::RawRecord;
use simd_json::{Buffers, INPUT_PADDING, Tape};

use super::recording::Recording;
use super::stage::Stage;

/// simd-json's tape alone, which is the lower bound.
pub(super) struct Floor {
    padded: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
    values: usize,
}

impl Floor {
    pub(super) fn new(recording: &Recording) -> Self {
        let largest = recording.records().filter_map(|(_, record)| record.payload);
        let largest = largest.map(<[u8]>::len).max().unwrap_or(0);
        Self {
            padded: Vec::with_capacity(largest + INPUT_PADDING),
            buffers: Buffers::default(),
            tape: Tape(Vec::new()),
            values: 0,
        }
    }
}

impl Stage for Floor {
    fn name(&self) -> String {
        "tape parse alone".to_owned()
    }

    fn begin(&mut self) {
        self.values = 0;
    }

    fn record(&mut self, _: usize, _: usize, record: &RawRecord<'_>) -> anyhow::Result<()> {
        let payload = record.payload.unwrap_or_default();
        self.padded.clear();
        self.padded.extend_from_slice(payload);
        self.padded.extend_from_slice(&[0; INPUT_PADDING]);
        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        simd_json::fill_tape_padded(
            &mut self.padded,
            payload.len(),
            &mut self.buffers,
            &mut tape,
        )
        .map_err(|error| anyhow!("a record is not JSON: {error}"))?;
        self.values += black_box(&tape.0).len();
        self.tape = tape.reset();
        Ok(())
    }

    fn note(&self) -> String {
        format!("{} nodes", self.values)
    }
}
