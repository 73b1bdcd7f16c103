use market::{Epoch, InstrumentId, Nanos, Price, Seq, Size};

use super::layout::{GROUP_HEAD, NULL_MANTISSA, NULL_TIME, head};
use super::{DecodeError, Fault};
use crate::codes::Code;
use crate::{Head, View};

/// Reads a payload. Every call says which field it reads, so that an error can name it.
pub(super) struct Reader<'a> {
    payload: &'a [u8],
    at: usize,
    message: &'static str,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(payload: &'a [u8]) -> Self {
        Self {
            payload,
            at: 0,
            message: "messageHeader",
        }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// The rest of the payload.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.payload.get(self.at..).unwrap_or_default()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.at >= self.payload.len()
    }

    /// From here on, errors name that message.
    pub(super) const fn begin(&mut self, message: &'static str) {
        self.message = message;
    }

    pub(super) const fn error(
        &self,
        field: &'static str,
        offset: usize,
        fault: Fault,
    ) -> DecodeError {
        DecodeError {
            message: self.message,
            field,
            offset,
            fault,
        }
    }

    pub(super) fn bytes(
        &mut self,
        field: &'static str,
        len: usize,
    ) -> Result<&'a [u8], DecodeError> {
        let left = self.rest();
        let Some(bytes) = left.get(..len) else {
            let fault = Fault::Truncated {
                needed: len,
                left: left.len(),
            };
            return Err(self.error(field, self.at, fault));
        };
        self.at += len;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(field, N)?);
        Ok(array)
    }

    /// Reads a block of `length` bytes, of which this version knows the first `N`.
    pub(super) fn block<const N: usize>(
        &mut self,
        length: u16,
    ) -> Result<Block<'a, N>, DecodeError> {
        let begin = self.at;
        let bytes = self.bytes("block", usize::from(length))?;
        let Some(known) = bytes.first_chunk::<N>() else {
            return Err(self.error("block", begin, Fault::TooShort { length, least: N }));
        };
        Ok(Block {
            bytes: known,
            begin,
            message: self.message,
        })
    }

    /// Reads a group's header: the length of its entries, at least `least`, and their number.
    pub(super) fn group(
        &mut self,
        field: &'static str,
        least: usize,
    ) -> Result<(usize, usize), DecodeError> {
        let begin = self.at;
        let [a, b, c, d] = self.array::<GROUP_HEAD>(field)?;
        let length = u16::from_le_bytes([a, b]);
        let len = usize::from(u16::from_le_bytes([c, d]));
        if len > 0 && usize::from(length) < least {
            return Err(self.error(field, begin, Fault::TooShort { length, least }));
        }
        Ok((usize::from(length), len))
    }

    /// Reads a text as bytes; whether they are UTF-8 is checked later.
    pub(super) fn text(&mut self, field: &'static str) -> Result<Text<'a>, DecodeError> {
        let begin = self.at;
        let [len] = self.array(field)?;
        let bytes = self.bytes(field, usize::from(len))?;
        Ok(Text { bytes, begin })
    }

    pub(super) fn check<'t>(
        &self,
        field: &'static str,
        text: &Text<'t>,
    ) -> Result<&'t str, DecodeError> {
        std::str::from_utf8(text.bytes).map_err(|_| self.error(field, text.begin, Fault::NotUtf8))
    }
}

/// The bytes of a text, and the offset of its length.
pub(super) struct Text<'a> {
    bytes: &'a [u8],
    begin: usize,
}

/// The known part of a block. Offsets are constants, checked at compile time.
pub(super) struct Block<'a, const N: usize> {
    bytes: &'a [u8; N],
    begin: usize,
    message: &'static str,
}

impl<const N: usize> Block<'_, N> {
    pub(super) fn get<const AT: usize, const LEN: usize>(&self) -> [u8; LEN] {
        const { assert!(AT + LEN <= N, "the field is within the block") }
        let mut field = [0; LEN];
        field.copy_from_slice(&self.bytes[AT..AT + LEN]);
        field
    }

    pub(super) fn u32<const AT: usize>(&self) -> u32 {
        u32::from_le_bytes(self.get::<AT, _>())
    }

    pub(super) fn u64<const AT: usize>(&self) -> u64 {
        u64::from_le_bytes(self.get::<AT, _>())
    }

    pub(super) fn i64<const AT: usize>(&self) -> i64 {
        i64::from_le_bytes(self.get::<AT, _>())
    }

    pub(super) fn price<const AT: usize>(&self) -> Option<Price> {
        Some(self.i64::<AT>())
            .filter(|mantissa| *mantissa != NULL_MANTISSA)
            .map(Price)
    }

    pub(super) fn size<const AT: usize>(&self) -> Option<Size> {
        Some(self.i64::<AT>())
            .filter(|mantissa| *mantissa != NULL_MANTISSA)
            .map(Size)
    }

    pub(super) fn code<T: Code, const AT: usize>(
        &self,
        field: &'static str,
    ) -> Result<T, DecodeError> {
        let [code] = self.get::<AT, 1>();
        T::from_code(code).ok_or_else(|| self.error::<AT>(field, Fault::UnknownValue(code)))
    }

    pub(super) const fn error<const AT: usize>(
        &self,
        field: &'static str,
        fault: Fault,
    ) -> DecodeError {
        DecodeError {
            message: self.message,
            field,
            offset: self.begin + AT,
            fault,
        }
    }

    pub(super) fn head(&self) -> Head {
        let event_time = self.u64::<{ head::EVENT_TIME }>();
        Head {
            instrument: InstrumentId(self.u64::<{ head::INSTRUMENT_ID }>()),
            epoch: Epoch(self.u32::<{ head::EPOCH }>()),
            view: View(self.u32::<{ head::VIEW }>()),
            prev_seq: Seq(self.i64::<{ head::PREV_SEQ }>()),
            seq: Seq(self.i64::<{ head::SEQ }>()),
            event_time: (event_time != NULL_TIME).then_some(Nanos(event_time)),
            log_time: Nanos(self.u64::<{ head::LOG_TIME }>()),
            publish_time: Nanos(self.u64::<{ head::PUBLISH_TIME }>()),
        }
    }
}
