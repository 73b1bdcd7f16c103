/// The subprotocol of FIX Simple Binary Encoding; the normative one.
pub const SUBPROTOCOL_SBE: &str = "tapecast.sbe.v1";
/// The subprotocol of the JSON twin, for eyes and `wscat`; also when a client asks for none.
pub const SUBPROTOCOL_JSON: &str = "tapecast.json.v1";
/// The subprotocol of varint ticks and lots.
pub const SUBPROTOCOL_PACKED: &str = "tapecast.packed.v1";

/// How data messages are written; control messages are JSON text in every encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Encoding {
    /// Simple Binary Encoding, in binary WebSocket messages.
    Sbe,
    /// JSON, in text WebSocket messages.
    Json,
    /// Varint ticks and lots, in binary WebSocket messages.
    Packed,
}

impl Encoding {
    /// All encodings.
    pub const ALL: [Self; 3] = [Self::Sbe, Self::Json, Self::Packed];

    /// What stands in `Sec-WebSocket-Protocol`.
    #[must_use]
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Sbe => SUBPROTOCOL_SBE,
            Self::Json => SUBPROTOCOL_JSON,
            Self::Packed => SUBPROTOCOL_PACKED,
        }
    }

    /// The encoding of that subprotocol.
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
