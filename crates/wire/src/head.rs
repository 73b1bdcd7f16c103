use market::{Epoch, InstrumentId, Nanos, Seq};

use crate::View;

/// What every data message begins with: whose it is, where it stands in its stream, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The instrument; 0 in a message about the whole connection.
    pub instrument: InstrumentId,
    /// Names the numbering that the two sequence numbers belong to.
    pub epoch: Epoch,
    /// What of the channel the stream shows.
    pub view: View,
    /// The message follows on this one.
    pub prev_seq: Seq,
    /// The record that caused the message.
    pub seq: Seq,
    /// When it happened, by the venue's clock, where the venue says.
    pub event_time: Option<Nanos>,
    /// The timestamp of the Kafka record.
    pub log_time: Nanos,
    /// When this node published it: the one field that is the node's own.
    pub publish_time: Nanos,
}

impl Head {
    /// The head of a message about the whole connection: of no instrument and no stream.
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
