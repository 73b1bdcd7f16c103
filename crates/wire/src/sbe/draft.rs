use market::{Price, Size};

use super::layout::{HEADER, NULL_MANTISSA, NULL_TIME, SCHEMA_ID, SCHEMA_VERSION, Template, head};
use crate::Head;

/// The header and block of a message being written: `N` bytes on the stack, appended to the
/// buffer in one copy. Offsets are constants within the block, checked at compile time.
pub(super) struct Draft<const N: usize>([u8; N]);

impl<const N: usize> Draft<N> {
    pub(super) fn new(template: &Template, head: &Head) -> Self {
        debug_assert_eq!(N, HEADER + template.block);
        let mut draft = Self([0; N]);
        draft.0[0..2].copy_from_slice(&template.block_length().to_le_bytes());
        draft.0[2..4].copy_from_slice(&template.id.to_le_bytes());
        draft.0[4..6].copy_from_slice(&SCHEMA_ID.to_le_bytes());
        draft.0[6..8].copy_from_slice(&SCHEMA_VERSION.to_le_bytes());
        let event_time = head.event_time.map_or(NULL_TIME, |time| time.0);
        draft.put::<{ head::INSTRUMENT_ID }, _>(head.instrument.0.to_le_bytes());
        draft.put::<{ head::PREV_SEQ }, _>(head.prev_seq.0.to_le_bytes());
        draft.put::<{ head::SEQ }, _>(head.seq.0.to_le_bytes());
        draft.put::<{ head::EVENT_TIME }, _>(event_time.to_le_bytes());
        draft.put::<{ head::LOG_TIME }, _>(head.log_time.0.to_le_bytes());
        draft.put::<{ head::PUBLISH_TIME }, _>(head.publish_time.0.to_le_bytes());
        draft.put::<{ head::EPOCH }, _>(head.epoch.0.to_le_bytes());
        draft.put::<{ head::VIEW }, _>(head.view.0.to_le_bytes());
        draft
    }

    pub(super) fn put<const AT: usize, const LEN: usize>(&mut self, bytes: [u8; LEN]) {
        const { assert!(HEADER + AT + LEN <= N, "the field is within the block") }
        self.0[HEADER + AT..HEADER + AT + LEN].copy_from_slice(&bytes);
    }

    pub(super) fn put_price<const AT: usize>(&mut self, price: Option<Price>) {
        self.put::<AT, _>(price.map_or(NULL_MANTISSA, |price| price.0).to_le_bytes());
    }

    pub(super) fn put_size<const AT: usize>(&mut self, size: Option<Size>) {
        self.put::<AT, _>(size.map_or(NULL_MANTISSA, |size| size.0).to_le_bytes());
    }

    pub(super) const fn bytes(&self) -> &[u8; N] {
        &self.0
    }
}
