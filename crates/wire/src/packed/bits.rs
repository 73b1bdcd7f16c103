use crate::sbe::{DecodeError, Fault};

/// Appends bits to bytes, the highest bit of each byte first.
pub(super) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    /// The bits that do not fill a word yet, in the low end.
    pending: u64,
    /// The number of these bits; below 32.
    len: u32,
}

impl<'a> BitWriter<'a> {
    pub(super) const fn new(out: &'a mut Vec<u8>) -> Self {
        Self {
            out,
            pending: 0,
            len: 0,
        }
    }

    /// Appends the low `count` bits of `value`, whose other bits are 0.
    #[inline]
    pub(super) fn bits(&mut self, value: u64, count: u32) {
        debug_assert!(count <= 64 && (count == 64 || value >> count == 0));
        if count > 32 {
            self.few(value >> 32, count - 32);
            self.few(value & u64::from(u32::MAX), 32);
        } else {
            self.few(value, count);
        }
    }

    pub(super) fn bit(&mut self, value: bool) {
        self.few(u64::from(value), 1);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.few(u64::from(*byte), 8);
        }
    }

    /// Appends at most 32 bits.
    #[inline]
    fn few(&mut self, value: u64, count: u32) {
        self.pending = self.pending << count | value;
        self.len += count;
        if self.len >= 32 {
            self.len -= 32;
            let [.., a, b, c, d] = (self.pending >> self.len).to_be_bytes();
            self.out.extend_from_slice(&[a, b, c, d]);
        }
    }

    /// Fills the last byte up with zeros.
    pub(super) fn finish(self) {
        let padded = self.pending << (32 - self.len);
        let [.., a, b, c, d] = padded.to_be_bytes();
        let whole = self.len.div_ceil(8) as usize;
        self.out.extend_from_slice(&[a, b, c, d][..whole]);
    }
}

/// Reads bits from bytes, the highest bit of each byte first. Every call says which field it reads, so
/// that an error can name it.
#[derive(Debug)]
pub(super) struct BitReader<'a> {
    payload: &'a [u8],
    /// In bits.
    at: usize,
    message: &'static str,
}

impl<'a> BitReader<'a> {
    /// Begins at that byte of the payload; errors name that message.
    pub(super) const fn new(payload: &'a [u8], at: usize, message: &'static str) -> Self {
        Self {
            payload,
            at: at * 8,
            message,
        }
    }

    /// From here on, errors name that message.
    pub(super) const fn begin(&mut self, message: &'static str) {
        self.message = message;
    }

    /// The byte of the next bit.
    pub(super) const fn byte(&self) -> usize {
        self.at / 8
    }

    pub(super) const fn error(&self, field: &'static str, fault: Fault) -> DecodeError {
        DecodeError {
            message: self.message,
            field,
            offset: self.byte(),
            fault,
        }
    }

    fn left(&self) -> usize {
        (self.payload.len() * 8).saturating_sub(self.at)
    }

    fn check(&self, field: &'static str, count: usize) -> Result<(), DecodeError> {
        if count <= self.left() {
            return Ok(());
        }
        let fault = Fault::Truncated {
            needed: count.div_ceil(8),
            left: self.left() / 8,
        };
        Err(self.error(field, fault))
    }

    /// The following bits in the high end: at least 57 of them, zeros after the payload.
    #[inline]
    fn window(&self) -> u64 {
        let rest = self.payload.get(self.at / 8..).unwrap_or_default();
        let word = match rest.first_chunk::<8>() {
            Some(bytes) => u64::from_be_bytes(*bytes),
            None => {
                let mut bytes = [0; 8];
                bytes[..rest.len()].copy_from_slice(rest);
                u64::from_be_bytes(bytes)
            }
        };
        word << (self.at % 8)
    }

    /// Reads at most 64 bits.
    #[inline]
    pub(super) fn bits(&mut self, field: &'static str, count: u32) -> Result<u64, DecodeError> {
        if count > 32 {
            let high = self.few(field, count - 32)?;
            return Ok(high << 32 | self.few(field, 32)?);
        }
        self.few(field, count)
    }

    /// Reads at most 32 bits.
    #[inline]
    fn few(&mut self, field: &'static str, count: u32) -> Result<u64, DecodeError> {
        self.check(field, count as usize)?;
        if count == 0 {
            return Ok(0);
        }
        let value = self.window() >> (64 - count);
        self.at += count as usize;
        Ok(value)
    }

    pub(super) fn bit(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        Ok(self.few(field, 1)? == 1)
    }

    pub(super) fn byte_value(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        let [.., byte] = self.few(field, 8)?.to_be_bytes();
        Ok(byte)
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        let [.., a, b, c, d] = self.few(field, 32)?.to_be_bytes();
        Ok(u32::from_be_bytes([a, b, c, d]))
    }

    /// Skips zeros up to the next one, which stays; no number begins with more than 63.
    #[inline]
    pub(super) fn zeros(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        let mut count = 0;
        loop {
            let zeros = self.window().leading_zeros().min(32);
            self.check(field, zeros as usize + 1)?;
            self.at += zeros as usize;
            count += zeros;
            if count > 63 {
                return Err(self.error(field, Fault::TooLarge));
            }
            if zeros < 32 {
                return Ok(count);
            }
        }
    }

    /// Ends the message: the other bits of the byte are zeros.
    pub(super) fn finish(&mut self) -> Result<(), DecodeError> {
        let padding = (8 - self.at % 8) % 8;
        let value = self.few("padding", u32::try_from(padding).unwrap_or_default())?;
        if value != 0 {
            return Err(self.error("padding", Fault::Reserved));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bits_come_back_in_order(fields in proptest::collection::vec((any::<u64>(), 0u32..=64), 0..40)) {
            let fields: Vec<_> = fields
                .into_iter()
                .map(|(value, count)| (value.checked_shr(64 - count).unwrap_or(0), count))
                .collect();
            let mut out = vec![0xff];
            let mut writer = BitWriter::new(&mut out);
            for (value, count) in &fields {
                writer.bits(*value, *count);
            }
            writer.finish();
            let bits: u32 = fields.iter().map(|(_, count)| count).sum();
            prop_assert_eq!(out.len(), 1 + bits.div_ceil(8) as usize);
            let mut reader = BitReader::new(&out, 1, "test");
            for (value, count) in &fields {
                prop_assert_eq!(reader.bits("field", *count).unwrap(), *value);
            }
            reader.finish().unwrap();
            prop_assert!(reader.bit("field").is_err());
        }
    }

    #[test]
    fn bits_stand_highest_first() {
        let mut out = Vec::new();
        let mut writer = BitWriter::new(&mut out);
        writer.bits(0b101, 3);
        writer.bits(0b1, 2);
        writer.bits(0b1111_0000, 8);
        writer.finish();
        assert_eq!(out, [0b1010_1111, 0b1000_0000]);
    }
}
