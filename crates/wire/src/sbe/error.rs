/// Why a message cannot be encoded. The buffer is left unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A group has too many entries.
    #[error("{message}.{group} has {len} entries, and may have {max}")]
    TooManyEntries {
        /// The message's name in the schema.
        message: &'static str,
        /// The group's name in the schema.
        group: &'static str,
        /// Its number of entries.
        len: usize,
        /// The most that it may have.
        max: usize,
    },
    /// A text is too long for its length byte.
    #[error("{message}.{field} has {len} bytes, and may have {max}")]
    TextTooLong {
        /// The message's name in the schema.
        message: &'static str,
        /// The field's name in the schema.
        field: &'static str,
        /// Its length in bytes.
        len: usize,
        /// The most that it may have.
        max: usize,
    },
}

/// Why bytes cannot be decoded: the message, the field and the offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{message}.{field} at byte {offset}: {fault}")]
pub struct DecodeError {
    /// The message's name in the schema; `messageHeader` if it is unknown.
    pub message: &'static str,
    /// The field's name in the schema.
    pub field: &'static str,
    /// The offset of the field in the payload.
    pub offset: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The payload ends within the field.
    #[error("needs {needed} bytes, and {left} are left")]
    Truncated {
        /// The bytes that the field has.
        needed: usize,
        /// The bytes that are left in the payload.
        left: usize,
    },
    /// A block or a group's entry is shorter than in version 0, which no valid peer sends.
    #[error("has {length} bytes, and has at least {least} in every version")]
    TooShort {
        /// The length in the message.
        length: u16,
        /// The length in version 0.
        least: usize,
    },
    /// The message belongs to another schema.
    #[error("schema {0} is not {ours}", ours = super::SCHEMA_ID)]
    OtherSchema(u16),
    /// The message is of a later version of the schema. An SBE message does not carry its own length, so
    /// the rest of the payload cannot be read either.
    #[error("template {0} is unknown, and so is its length: the rest of the payload is lost")]
    UnknownTemplate(u16),
    /// The enum has no such value in this version.
    #[error("{0} is not a value of its enum")]
    UnknownValue(u8),
    /// The text is not UTF-8.
    #[error("is not utf-8")]
    NotUtf8,
    /// Only one of a side's two fields is null.
    #[error("is null although its partner is not, or vice versa")]
    HalfNull,
    /// The number does not fit its field.
    #[error("is too large for the field")]
    TooLarge,
    /// A group or a text of a packed message is longer than its message allows.
    #[error("has {len}, and may have {max}")]
    TooMany {
        /// Its length.
        len: u64,
        /// The most that it may have.
        max: usize,
    },
    /// Reserved bits of a packed message are not 0.
    #[error("is reserved")]
    Reserved,
}

impl DecodeError {
    /// Returns whether the offset of the next message is unknown because of this error, so that the rest
    /// of the payload is lost too.
    #[must_use]
    pub const fn ends_payload(&self) -> bool {
        match self.fault {
            Fault::Truncated { .. }
            | Fault::TooShort { .. }
            | Fault::OtherSchema(_)
            | Fault::UnknownTemplate(_)
            | Fault::TooLarge
            | Fault::TooMany { .. }
            | Fault::Reserved => true,
            Fault::UnknownValue(_) | Fault::NotUtf8 | Fault::HalfNull => false,
        }
    }
}
