//! Codes for whole numbers, short for small ones.

use super::bits::{BitReader, BitWriter};
use super::power::{POWERS, power_of_ten, shared_power};
use crate::sbe::{DecodeError, Fault, MAX_TEXT};

/// Maps signed to unsigned numbers, small to small: 0, -1, 1, -2 become 0, 1, 2, 3.
#[inline]
pub(super) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// The inverse of [`zigzag`].
#[inline]
pub(super) const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// The number of significant bits.
#[inline]
pub(super) const fn bit_length(value: u64) -> u32 {
    64 - value.leading_zeros()
}

impl BitWriter<'_> {
    /// An Exp-Golomb code of an order below 64; `value` is below 2^64 - 1.
    ///
    /// `(value >> order) + 1` is written after as many zeros as it has bits, less one; then
    /// the low bits follow. So a number of up to `order` bits takes one bit more than those.
    #[inline]
    pub(super) fn golomb(&mut self, value: u64, order: u32) {
        let high = (value >> order) + 1;
        let length = bit_length(high);
        self.bits(0, length - 1);
        self.bits(high, length);
        self.bits(value & ((1 << order) - 1), order);
    }

    /// A number of any length: its count of significant bits, in 6 bits; then these bits
    /// without the leading one. 64, which 6 bits cannot express, is 63 and another bit.
    pub(super) fn wide(&mut self, value: u64) {
        let length = bit_length(value);
        self.bits(u64::from(length.min(63)), 6);
        if length >= 63 {
            self.bit(length == 64);
        }
        if let Some(below) = length.checked_sub(1) {
            self.bits(value & !(1 << below), below);
        }
    }

    /// A number that often ends in decimal zeros: 4 bits for the power of ten, then the rest.
    pub(super) fn number(&mut self, value: i64) {
        let power = shared_power([value].into_iter());
        self.bits(power as u64, 4);
        self.wide(zigzag(value / POWERS[power]));
    }

    /// 8 bits for the length in bytes, then the bytes. Texts from SBE have at most 255.
    pub(super) fn text(&mut self, text: &str) {
        let bytes = text.as_bytes();
        self.bits(bytes.len() as u64, 8);
        self.bytes(bytes);
    }
}

impl BitReader<'_> {
    #[inline]
    pub(super) fn golomb(&mut self, field: &'static str, order: u32) -> Result<u64, DecodeError> {
        let zeros = self.zeros(field)?;
        let high = self.bits(field, zeros + 1)? - 1;
        let low = self.bits(field, order)?;
        if bit_length(high) + order > 64 {
            return Err(self.error(field, Fault::TooLarge));
        }
        // Nothing is left of the high part if the order is 64, which no field has.
        Ok(high.checked_shl(order).unwrap_or_default() | low)
    }

    pub(super) fn wide(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        let mut length = u32::from(self.bits(field, 6)?.to_le_bytes()[0]);
        if length == 63 {
            length += u32::from(self.bit(field)?);
        }
        match length.checked_sub(1) {
            None => Ok(0),
            Some(below) => Ok(1 << below | self.bits(field, below)?),
        }
    }

    /// A power of ten, in 4 bits.
    pub(super) fn power(&mut self, field: &'static str) -> Result<i64, DecodeError> {
        Ok(power_of_ten(self.bits(field, 4)?))
    }

    pub(super) fn number(&mut self, field: &'static str) -> Result<i64, DecodeError> {
        let power = self.power(field)?;
        let value = unzigzag(self.wide(field)?);
        value
            .checked_mul(power)
            .ok_or_else(|| self.error(field, Fault::TooLarge))
    }

    /// The bytes of a text; whether they are UTF-8 is checked later.
    pub(super) fn text(&mut self, field: &'static str) -> Result<Vec<u8>, DecodeError> {
        let length = self.byte_value(field)?;
        if usize::from(length) > MAX_TEXT {
            let fault = Fault::TooMany {
                len: u64::from(length),
                max: MAX_TEXT,
            };
            return Err(self.error(field, fault));
        }
        (0..length).map(|_| self.byte_value(field)).collect()
    }
}

/// Appends an LEB128 varint: 7 bits per byte, the lowest first; the high bit says that more follow.
pub(super) fn append_varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = value.to_le_bytes()[0];
        value >>= 7;
        if value == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = u64> {
        (any::<u64>(), 0u32..64).prop_map(|(value, shift)| value >> shift)
    }

    proptest! {
        #[test]
        fn numbers_come_back(value in values(), order in 0u32..64) {
            let mut out = Vec::new();
            let mut writer = BitWriter::new(&mut out);
            let signed = unzigzag(value);
            prop_assert_eq!(zigzag(signed), value);
            writer.wide(value);
            writer.number(signed);
            let small = value & (u64::MAX >> 1);
            writer.golomb(small, order);
            writer.finish();
            let mut reader = BitReader::new(&out, 0, "test");
            prop_assert_eq!(reader.wide("wide").unwrap(), value);
            prop_assert_eq!(reader.number("number").unwrap(), signed);
            prop_assert_eq!(reader.golomb("golomb", order).unwrap(), small);
            reader.finish().unwrap();
        }

        #[test]
        fn no_bits_can_make_a_number_panic(bytes in proptest::collection::vec(any::<u8>(), 0..20), order in 0u32..64) {
            let mut reader = BitReader::new(&bytes, 0, "test");
            let _ = reader.golomb("golomb", order);
            let _ = reader.number("number");
            let _ = reader.wide("wide");
            let _ = reader.text("text");
        }
    }

    #[test]
    fn codes_are_as_documented() {
        let mut out = Vec::new();
        let mut writer = BitWriter::new(&mut out);
        writer.golomb(0, 0); // 1
        writer.golomb(1, 0); // 010
        writer.golomb(2, 0); // 011
        writer.golomb(3, 0); // 00100
        writer.golomb(5, 2); // 010 01
        writer.finish();
        assert_eq!(out, [0b1010_0110, 0b0100_0100, 0b1000_0000]);
        out.clear();
        let mut writer = BitWriter::new(&mut out);
        writer.wide(5); // 000011 01
        writer.number(-300); // 0010, then 5: 000011 01
        writer.finish();
        assert_eq!(out, [0b0000_1101, 0b0010_0000, 0b1101_0000]);
    }
}
