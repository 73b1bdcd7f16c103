use market::{Epoch, InstrumentId, Nanos, Seq};

use crate::View;

/// The fields that every data message begins with: its stream, its position there, and its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The instrument; 0 in a message about the whole connection.
    pub instrument: InstrumentId,
    /// Identifies the numbering of the two sequence numbers.
    pub epoch: Epoch,
    /// The view of the stream.
    pub view: View,
    /// The `seq` of the message that this one follows.
    pub prev_seq: Seq,
    /// The offset of the record that caused the message.
    pub seq: Seq,
    /// When it happened, by the venue's clock, if the venue says.
    pub event_time: Option<Nanos>,
    /// The timestamp of the Kafka record.
    pub log_time: Nanos,
    /// When this node published it: the only field that depends on the node.
    pub publish_time: Nanos,
}

impl Head {
    /// The head of a message about the whole connection, with no instrument and no stream.
    #[must_use]
    pub const fn of_connection(publish_time: Nanos) -> Self {
        Self {
            instrument: InstrumentId(0),
            epoch: Epoch(0),
            view: View::FULL_RAW,
            prev_seq: Seq::NONE,
            seq: Seq::NONE,
            event_time: None,
            log_time: Nanos(0),
            publish_time,
        }
    }
}
