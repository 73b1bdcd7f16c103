use super::CheckpointError;

/// Reads fields from untrusted bytes.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
}

type Read<T> = Result<T, CheckpointError>;

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) const fn left(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn take(&mut self, count: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(count)
            .ok_or(CheckpointError::Truncated)?;
        self.bytes = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| CheckpointError::Truncated)
    }

    pub(super) fn u8(&mut self) -> Read<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn i8(&mut self) -> Read<i8> {
        self.array().map(i8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Read<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Read<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn i32(&mut self) -> Read<i32> {
        self.array().map(i32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Read<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Read<i64> {
        self.array().map(i64::from_le_bytes)
    }

    pub(super) fn i128(&mut self) -> Read<i128> {
        self.array().map(i128::from_le_bytes)
    }

    /// A number of variable length: seven bits per byte, lowest first.
    pub(super) fn varint(&mut self, field: &'static str) -> Read<u128> {
        let mut value = 0;
        for shift in (0..u128::BITS).step_by(7) {
            let byte = self.u8()?;
            let bits = u128::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(CheckpointError::Value(field))
    }

    /// A Boolean, encoded as 0 or 1.
    pub(super) fn flag(&mut self, field: &'static str) -> Read<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(CheckpointError::Value(field)),
        }
    }

    /// An optional field, preceded by a flag.
    pub(super) fn option<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&mut Self) -> Read<T>,
    ) -> Read<Option<T>> {
        if self.flag(field)? {
            read(self).map(Some)
        } else {
            Ok(None)
        }
    }

    pub(super) fn text(&mut self, field: &'static str) -> Read<&'a str> {
        let length = usize::from(self.u16()?);
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map_err(|_| CheckpointError::Value(field))
    }

    /// The number of entries that follow, of at least `entry` bytes each. Never more than fit the
    /// remaining bytes, so that it is safe to allocate for them.
    pub(super) fn count(&mut self, entry: usize) -> Read<usize> {
        let count = usize::try_from(self.u32()?).map_err(|_| CheckpointError::Truncated)?;
        if count
            .checked_mul(entry)
            .is_none_or(|bytes| bytes > self.left())
        {
            return Err(CheckpointError::Truncated);
        }
        Ok(count)
    }
}
