//! Where streams stand that have been quiet for long.

use market::{Channel, Nanos, Position};
use wire::{Head, View, ViewParams, sbe};

use super::Publisher;
use super::desk::Desk;
use super::instrument::Instrument;
use crate::WatchId;

/// Heartbeats between two batches, some tens of microseconds of work; more only where they are late.
const HEARTBEATS_AT_ONCE: usize = 256;

/// Where a stream stood at its last heartbeat; right until its next message or the instrument's
/// next revision. So whoever says it again needs not look at the instrument, of which there may be
/// a hundred thousand that say nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stands {
    pub(super) revision: u64,
    position: Position,
    log_time: Nanos,
}

impl Publisher {
    /// Sends the heartbeats of streams that have been quiet for long, some of them at a time: so
    /// those of a hundred thousand streams come between the market's messages and not before them.
    /// The others stay due.
    pub(super) fn send_heartbeats(&mut self, now: Nanos) {
        let mut left = HEARTBEATS_AT_ONCE;
        while left > 0 || self.desk.out.is_late() {
            let Some((watch, handle, key)) = self.desk.out.next_quiet() else {
                return;
            };
            if let Some(instrument) = self.instruments.get(handle.0 as usize) {
                instrument.tell_quiet(watch, key.channel, key.params, now, &mut self.desk);
                self.desk.stats.heartbeats += 1;
            }
            left = left.saturating_sub(1);
        }
    }
}

impl Instrument {
    /// Tells where a stream stands.
    pub(super) fn heartbeat(
        &self,
        watches: &[WatchId],
        channel: Channel,
        params: ViewParams,
        now: Nanos,
        desk: &mut Desk,
    ) {
        let stands = self.stands(channel, params);
        self.tell_stands(watches, channel, params, &stands, now, desk);
    }

    /// A watched stream that has been quiet for long tells where it stands.
    fn tell_quiet(
        &self,
        id: WatchId,
        channel: Channel,
        params: ViewParams,
        now: Nanos,
        desk: &mut Desk,
    ) {
        let known = desk.out.stands(id, self.revision());
        let stands = known.unwrap_or_else(|| self.stands(channel, params));
        debug_assert_eq!(
            stands,
            self.stands(channel, params),
            "a stream that said nothing stands where it stood"
        );
        self.tell_stands(&[id], channel, params, &stands, now, desk);
        desk.out.remember(id, stands);
    }

    fn stands(&self, channel: Channel, params: ViewParams) -> Stands {
        let (epoch, last) = self.place(channel, params);
        Stands {
            revision: self.revision(),
            position: Position {
                epoch,
                seq: last.seq,
            },
            log_time: last.log_time,
        }
    }

    fn tell_stands(
        &self,
        watches: &[WatchId],
        channel: Channel,
        params: ViewParams,
        stands: &Stands,
        now: Nanos,
        desk: &mut Desk,
    ) {
        let seq = stands.position.seq;
        let head = Head {
            instrument: self.identity.id,
            epoch: stands.position.epoch,
            view: View::from(params),
            prev_seq: seq,
            seq,
            event_time: None,
            log_time: stands.log_time,
            publish_time: now,
        };
        desk.out.draft(|sbe| sbe::heartbeat(sbe, &head, channel));
        desk.out.emit(watches, self.identity.text(), &head);
    }
}
