/// Why a message cannot be encoded. Nothing of it is left in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A group has more entries than its message may have.
    #[error("{message}.{group} has {len} entries, and may have {max}")]
    TooManyEntries {
        /// The message's name in the schema.
        message: &'static str,
        /// The group's name in the schema.
        group: &'static str,
        /// How many there are.
        len: usize,
        /// How many there may be.
        max: usize,
    },
    /// A text is longer than its length byte can say.
    #[error("{message}.{field} has {len} bytes, and may have {max}")]
    TextTooLong {
        /// The message's name in the schema.
        message: &'static str,
        /// The field's name in the schema.
        field: &'static str,
        /// How long it is.
        len: usize,
        /// How long it may be.
        max: usize,
    },
}

/// Why bytes are no message: which message and field, and where in the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{message}.{field} at byte {offset}: {fault}")]
pub struct DecodeError {
    /// The message's name in the schema; `messageHeader` while it is not known.
    pub message: &'static str,
    /// The field's name in the schema.
    pub field: &'static str,
    /// Where in the payload the field begins.
    pub offset: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The payload ends within it.
    #[error("needs {needed} bytes, and {left} are left")]
    Truncated {
        /// How many bytes the field has.
        needed: usize,
        /// How many bytes the payload still has.
        left: usize,
    },
    /// A block or a group's entry is shorter than this version's, which only a broken peer sends.
    #[error("has {length} bytes, and has at least {least} in every version")]
    TooShort {
        /// The length that the message tells.
        length: u16,
        /// The length in version 0.
        least: usize,
    },
    /// The message belongs to another schema.
    #[error("schema {0} is not {ours}", ours = super::SCHEMA_ID)]
    OtherSchema(u16),
    /// The message is of a later version of the schema. A message of SBE does not tell its length, so
    /// the rest of the payload cannot be read either.
    #[error("template {0} is not known, so neither is its length: the rest of the payload is lost")]
    UnknownTemplate(u16),
    /// The enum has no such value in this version.
    #[error("{0} is no value of its enum")]
    UnknownValue(u8),
    /// The text is not UTF-8.
    #[error("is not utf-8")]
    NotUtf8,
    /// One field of a side is null and the other is not.
    #[error("is null, and its partner is not, or the other way round")]
    HalfNull,
    /// The number does not fit its field.
    #[error("is larger than the field may be")]
    TooLarge,
    /// A group or a text of a packed message has more than its message may have.
    #[error("has {len}, and may have {max}")]
    TooMany {
        /// How many there are.
        len: u64,
        /// How many there may be.
        max: usize,
    },
    /// Bits of a packed message that mean nothing in this version are not 0.
    #[error("is reserved")]
    Reserved,
}

impl DecodeError {
    /// Whether the place of the next message is unknown because of this error, so that the rest
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
