/// The subprotocol of FIX Simple Binary Encoding, the normative encoding.
pub const SUBPROTOCOL_SBE: &str = "tapecast.sbe.v1";
/// The JSON subprotocol, for debugging and `wscat`; also used if a client requests none.
pub const SUBPROTOCOL_JSON: &str = "tapecast.json.v1";
/// The subprotocol of bit-packed messages.
pub const SUBPROTOCOL_PACKED: &str = "tapecast.packed.v1";

/// The encoding of data messages; control messages are always JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Encoding {
    /// Simple Binary Encoding, in binary WebSocket messages.
    Sbe,
    /// JSON, in text WebSocket messages.
    Json,
    /// Bit-packed ticks and lots, in binary WebSocket messages.
    Packed,
}

impl Encoding {
    /// All encodings.
    pub const ALL: [Self; 3] = [Self::Sbe, Self::Json, Self::Packed];

    /// The value of `Sec-WebSocket-Protocol`.
    #[must_use]
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Sbe => SUBPROTOCOL_SBE,
            Self::Json => SUBPROTOCOL_JSON,
            Self::Packed => SUBPROTOCOL_PACKED,
        }
    }

    /// The encoding with that subprotocol.
    #[must_use]
    pub fn from_subprotocol(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|encoding| encoding.subprotocol() == name)
    }

    /// A short name for logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sbe => "sbe",
            Self::Json => "json",
            Self::Packed => "packed",
        }
    }
}
