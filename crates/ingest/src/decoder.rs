use market::Event;

use crate::{DecodeError, Handle, Resolve, Source};

/// A record as Kafka has it.
#[derive(Debug, Clone, Copy)]
pub struct RawRecord<'r> {
    /// What is known of its topic.
    pub source: &'r Source,
    /// Its key.
    pub key: Option<&'r [u8]>,
    /// Its value; none is a tombstone.
    pub payload: Option<&'r [u8]>,
}

/// Reads records of any format into buffers that it keeps.
pub struct Decoder {}

/// What a record says.
pub struct Decoded<'a> {
    instrument: Option<Handle>,
    event: Event<'a>,
}

impl<'a> Decoded<'a> {
    /// Whom it is about, and what it says of it; none when it says nothing that is published.
    #[must_use]
    pub fn event(&self) -> Option<(Handle, Event<'_>)> {
        Some((self.instrument?, self.event))
    }
}

impl Decoder {
    /// A decoder that refuses values of more than `max_record_bytes`.
    #[must_use]
    pub fn new(max_record_bytes: usize) -> Self {
        let _ = max_record_bytes;
        Self {}
    }

    /// Reads one record.
    ///
    /// What it returns borrows from the record and from this decoder's buffers.
    pub fn decode<'a, R: Resolve>(
        &'a mut self,
        record: &RawRecord<'a>,
        instruments: &mut R,
    ) -> Result<Decoded<'a>, DecodeError> {
        let _ = (record, instruments);
        Ok(Decoded {
            instrument: None,
            event: Event::Nothing,
        })
    }
}
