//! Heartbeats: the positions of streams that have been quiet for long.

use market::{Channel, Nanos, Position};
use wire::{Head, View, ViewParams, sbe};

use super::Publisher;
use super::instrument::Instrument;
use super::last_heartbeat::LastHeartbeat;
use super::shared::Shared;
use crate::StreamId;

/// The most heartbeats between two batches, some tens of microseconds of work, unless they are
/// late.
const HEARTBEATS_AT_ONCE: usize = 256;

impl Publisher {
    /// Sends the heartbeats that are due, but only a few at a time, so that those of a hundred
    /// thousand streams do not delay the market's messages. The others stay due.
    pub(super) fn send_heartbeats(&mut self, now: Nanos) {
        let mut left = HEARTBEATS_AT_ONCE;
        while left > 0 || self.shared.out.is_late() {
            let Some((stream, handle, key)) = self.shared.out.next_quiet() else {
                return;
            };
            if let Some(instrument) = self.instruments.get(handle.0 as usize) {
                instrument.repeat_heartbeat(stream, key.channel, key.params, now, &mut self.shared);
                self.shared.stats.heartbeats += 1;
            }
            left = left.saturating_sub(1);
        }
    }
}

impl Instrument {
    /// Sends the position of streams with these parameters.
    pub(super) fn heartbeat(
        &self,
        streams: &[StreamId],
        channel: Channel,
        params: ViewParams,
        now: Nanos,
        shared: &mut Shared,
    ) {
        let heartbeat = self.next_heartbeat(channel, params);
        self.send_heartbeat(streams, channel, params, &heartbeat, now, shared);
    }

    /// Sends the heartbeat of one open stream, from memory if nothing has changed since the last
    /// one.
    fn repeat_heartbeat(
        &self,
        id: StreamId,
        channel: Channel,
        params: ViewParams,
        now: Nanos,
        shared: &mut Shared,
    ) {
        let last = shared.out.last_heartbeat(id, self.revision());
        let heartbeat = last.unwrap_or_else(|| self.next_heartbeat(channel, params));
        debug_assert_eq!(
            heartbeat,
            self.next_heartbeat(channel, params),
            "a quiet stream stays where it is"
        );
        self.send_heartbeat(&[id], channel, params, &heartbeat, now, shared);
        shared.out.set_last_heartbeat(id, heartbeat);
    }

    fn next_heartbeat(&self, channel: Channel, params: ViewParams) -> LastHeartbeat {
        let (epoch, last) = self.last(channel, params);
        LastHeartbeat {
            revision: self.revision(),
            position: Position {
                epoch,
                seq: last.seq,
            },
            log_time: last.log_time,
        }
    }

    fn send_heartbeat(
        &self,
        streams: &[StreamId],
        channel: Channel,
        params: ViewParams,
        heartbeat: &LastHeartbeat,
        now: Nanos,
        shared: &mut Shared,
    ) {
        let seq = heartbeat.position.seq;
        let head = Head {
            instrument: self.identity.id,
            epoch: heartbeat.position.epoch,
            view: View::from(params),
            prev_seq: seq,
            seq,
            event_time: None,
            log_time: heartbeat.log_time,
            publish_time: now,
        };
        shared.out.draft(|sbe| sbe::heartbeat(sbe, &head, channel));
        shared.out.emit(streams, self.identity.text(), &head);
    }
}
