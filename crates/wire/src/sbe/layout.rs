//! All offsets and lengths in bytes, as in `schema/tapecast.xml`.

/// The schema's id.
pub const SCHEMA_ID: u16 = 7411;
/// The schema's version.
pub const SCHEMA_VERSION: u16 = 0;
/// The length of a message header.
pub const HEADER: usize = 8;
/// The offset of `publishTime` in every message: the only bytes that differ between two nodes.
pub const PUBLISH_TIME_OFFSET: usize = HEADER + head::PUBLISH_TIME;

/// The maximum number of levels per side in a `BookDelta`: 60,000 × 16 B = 960 kB. A larger change is
/// published as a `BookSnapshot`.
pub const MAX_DELTA_LEVELS: usize = 60_000;
/// The maximum number of levels per side in a chunk of a `BookSnapshot`: 2 × 1,000 × 16 B < 32 KiB.
pub const MAX_CHUNK_LEVELS: usize = 1_000;
/// The maximum number of trades in a `Trades`; the schema sets this bound to every group.
pub const MAX_TRADES: usize = 60_000;
/// The maximum length of a text, in bytes: the length is a single byte, and 255 is SBE's null.
pub const MAX_TEXT: usize = 254;

/// The length of a group's header: block length and number of entries.
pub(super) const GROUP_HEAD: usize = 4;
/// The length of a level.
pub(super) const LEVEL: usize = 16;
/// The length of a trade without its id.
pub(super) const TRADE: usize = 17;

/// A message of the schema: its names, and the length of its block in version 0.
pub(super) struct Template {
    pub(super) id: u16,
    pub(super) name: &'static str,
    pub(super) block: usize,
}

impl Template {
    /// The block's length, as the wire has it.
    pub(super) const fn block_length(&self) -> u16 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "blocks have at most 116 bytes"
        )]
        let length = self.block as u16;
        length
    }
}

const fn template(id: u16, name: &'static str, block: usize) -> Template {
    Template { id, name, block }
}

pub(super) const INSTRUMENT: Template = template(1, "Instrument", 76);
pub(super) const BOOK_SNAPSHOT: Template = template(2, "BookSnapshot", 64);
pub(super) const BOOK_DELTA: Template = template(3, "BookDelta", 60);
pub(super) const BBO: Template = template(4, "Bbo", 88);
pub(super) const TRADES: Template = template(5, "Trades", 56);
pub(super) const TICKER: Template = template(6, "Ticker", 116);
pub(super) const BAR: Template = template(7, "Bar", 113);
pub(super) const STATUS: Template = template(8, "Status", 59);
pub(super) const HEARTBEAT: Template = template(9, "Heartbeat", 57);
pub(super) const LAG: Template = template(10, "Lag", 94);
pub(super) const GO_AWAY: Template = template(11, "GoAway", 65);
pub(super) const REPLAY_COMPLETE: Template = template(12, "ReplayComplete", 65);

/// The head that every block begins with.
pub(super) mod head {
    pub(in crate::sbe) const INSTRUMENT_ID: usize = 0;
    pub(in crate::sbe) const PREV_SEQ: usize = 8;
    pub(in crate::sbe) const SEQ: usize = 16;
    pub(in crate::sbe) const EVENT_TIME: usize = 24;
    pub(in crate::sbe) const LOG_TIME: usize = 32;
    pub(in crate::sbe) const PUBLISH_TIME: usize = 40;
    pub(in crate::sbe) const EPOCH: usize = 48;
    pub(in crate::sbe) const VIEW: usize = 52;
    pub(in crate::sbe) const LENGTH: usize = 56;
}

/// The offsets of the other fields in their blocks and entries.
pub(super) mod at {
    pub(in crate::sbe) mod instrument {
        pub(in crate::sbe) const PRICE_EXPONENT: usize = 56;
        pub(in crate::sbe) const SIZE_EXPONENT: usize = 57;
        pub(in crate::sbe) const STATE: usize = 58;
        pub(in crate::sbe) const TICK_SIZE: usize = 60;
        pub(in crate::sbe) const LOT_SIZE: usize = 68;
    }
    pub(in crate::sbe) mod book_snapshot {
        pub(in crate::sbe) const CHECKSUM: usize = 56;
        pub(in crate::sbe) const CHUNK: usize = 60;
        pub(in crate::sbe) const CHUNKS: usize = 62;
    }
    pub(in crate::sbe) mod book_delta {
        pub(in crate::sbe) const CHECKSUM: usize = 56;
    }
    pub(in crate::sbe) mod bbo {
        pub(in crate::sbe) const BID_PRICE: usize = 56;
        pub(in crate::sbe) const BID_SIZE: usize = 64;
        pub(in crate::sbe) const ASK_PRICE: usize = 72;
        pub(in crate::sbe) const ASK_SIZE: usize = 80;
    }
    pub(in crate::sbe) mod level {
        pub(in crate::sbe) const PRICE: usize = 0;
        pub(in crate::sbe) const SIZE: usize = 8;
    }
    pub(in crate::sbe) mod trade {
        pub(in crate::sbe) const PRICE: usize = 0;
        pub(in crate::sbe) const SIZE: usize = 8;
        pub(in crate::sbe) const SIDE: usize = 16;
    }
    pub(in crate::sbe) mod ticker {
        pub(in crate::sbe) const OPEN: usize = 56;
        pub(in crate::sbe) const HIGH: usize = 64;
        pub(in crate::sbe) const LOW: usize = 72;
        pub(in crate::sbe) const LAST: usize = 80;
        pub(in crate::sbe) const VOLUME: usize = 88;
        pub(in crate::sbe) const VWAP: usize = 96;
        pub(in crate::sbe) const CHANGE: usize = 104;
        pub(in crate::sbe) const TRADES: usize = 112;
    }
    pub(in crate::sbe) mod bar {
        pub(in crate::sbe) const INTERVAL: usize = 56;
        pub(in crate::sbe) const OPEN_TIME: usize = 60;
        pub(in crate::sbe) const OPEN: usize = 68;
        pub(in crate::sbe) const HIGH: usize = 76;
        pub(in crate::sbe) const LOW: usize = 84;
        pub(in crate::sbe) const CLOSE: usize = 92;
        pub(in crate::sbe) const VOLUME: usize = 100;
        pub(in crate::sbe) const TRADES: usize = 108;
        pub(in crate::sbe) const CLOSED: usize = 112;
    }
    pub(in crate::sbe) mod status {
        pub(in crate::sbe) const CHANNEL: usize = 56;
        pub(in crate::sbe) const STATE: usize = 57;
        pub(in crate::sbe) const REASON: usize = 58;
    }
    pub(in crate::sbe) mod heartbeat {
        pub(in crate::sbe) const CHANNEL: usize = 56;
    }
    pub(in crate::sbe) mod lag {
        pub(in crate::sbe) const CHANNEL: usize = 56;
        pub(in crate::sbe) const KIND: usize = 57;
        pub(in crate::sbe) const FROM_SEQ: usize = 58;
        pub(in crate::sbe) const TO_SEQ: usize = 66;
        pub(in crate::sbe) const MESSAGES: usize = 74;
        pub(in crate::sbe) const BYTES: usize = 78;
        pub(in crate::sbe) const AGE: usize = 86;
    }
    pub(in crate::sbe) mod go_away {
        pub(in crate::sbe) const REASON: usize = 56;
        pub(in crate::sbe) const DELAY: usize = 57;
        pub(in crate::sbe) const CLOSE_AFTER: usize = 61;
    }
    pub(in crate::sbe) mod replay_complete {
        pub(in crate::sbe) const CHANNEL: usize = 56;
        pub(in crate::sbe) const MESSAGES: usize = 57;
    }
}

/// The null of an optional time.
pub(super) const NULL_TIME: u64 = u64::MAX;
/// The null of an optional mantissa.
pub(super) const NULL_MANTISSA: i64 = i64::MIN;

const _: () = assert!(
    PUBLISH_TIME_OFFSET == 48,
    "the protocol fixes the offset of publishTime"
);
const _: () = assert!(head::VIEW + 4 == head::LENGTH);
const _: () = assert!(
    HEADER + BOOK_SNAPSHOT.block + 2 * (GROUP_HEAD + MAX_CHUNK_LEVELS * LEVEL) <= 32 * 1024,
    "a chunk has at most 32 KiB"
);
const _: () = assert!(MAX_TEXT < u8::MAX as usize);

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = include_str!("../../schema/tapecast.xml");

    #[track_caller]
    fn check(text: &str) {
        assert!(SCHEMA.contains(text), "the schema lacks {text}");
    }

    #[test]
    fn the_schema_has_these_messages_and_blocks() {
        check(&format!("id=\"{SCHEMA_ID}\""));
        check(&format!("version=\"{SCHEMA_VERSION}\""));
        let templates = [
            INSTRUMENT,
            BOOK_SNAPSHOT,
            BOOK_DELTA,
            BBO,
            TRADES,
            TICKER,
            BAR,
            STATUS,
            HEARTBEAT,
            LAG,
            GO_AWAY,
            REPLAY_COMPLETE,
        ];
        assert_eq!(SCHEMA.matches("<sbe:message ").count(), templates.len());
        for Template { id, name, block } in templates {
            check(&format!(
                "<sbe:message name=\"{name}\" id=\"{id}\" blockLength=\"{block}\""
            ));
        }
    }

    #[test]
    fn the_schema_has_these_bounds_and_entries() {
        check(&format!(
            "name=\"numInGroup\" primitiveType=\"uint16\" maxValue=\"{MAX_TRADES}\""
        ));
        check(&format!(
            "name=\"length\" primitiveType=\"uint8\" maxValue=\"{MAX_TEXT}\""
        ));
        assert_eq!(MAX_TRADES, MAX_DELTA_LEVELS);
        let group = |name, length| {
            check(&format!(
                "<group name=\"{name}\" id=\"{}\" dimensionType=\"groupSizeEncoding\" blockLength=\"{length}\">",
                if name == "trades" { 9 } else { 10 },
            ));
        };
        group("trades", TRADE);
        group("bids", LEVEL);
    }

    #[test]
    fn every_message_of_the_schema_begins_with_the_head() {
        for (name, offset) in [
            ("instrumentId", head::INSTRUMENT_ID),
            ("prevSeq", head::PREV_SEQ),
            ("seq", head::SEQ),
            ("eventTime", head::EVENT_TIME),
            ("logTime", head::LOG_TIME),
            ("publishTime", head::PUBLISH_TIME),
            ("epoch", head::EPOCH),
            ("view", head::VIEW),
        ] {
            let fields: Vec<_> = SCHEMA
                .lines()
                .filter(|line| line.contains(&format!("<field name=\"{name}\"")))
                .collect();
            assert_eq!(fields.len(), 12, "{name}");
            for field in fields {
                assert!(
                    field.ends_with(&format!("offset=\"{offset}\"/>")),
                    "{field}"
                );
            }
        }
    }
}
