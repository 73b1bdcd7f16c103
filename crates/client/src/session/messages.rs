use std::time::{Duration, Instant};

use bytes::Bytes;
use market::InstrumentName;
use wire::sbe::{Body, DecodeError, Instrument, Message};
use wire::{GoAway, Head};

use super::Session;
use super::entry::{Address, Entry};
use crate::SubscriptionId;
use crate::event::{
    self, BarUpdate, BboUpdate, BookUpdate, Event, Gap, GapCause, Heartbeat, InstrumentInfo,
    LagNotice, Mismatch, ReplayComplete, Resync, StatusUpdate, TickerUpdate, TradesUpdate,
};
use crate::stream::{Effect, Fault, Missing};

impl Session {
    /// A data message arrived; `raw` are its bytes.
    pub fn on_message(&mut self, now: Instant, message: &Message<'_>, raw: Bytes) {
        if !self.connection.is_up() {
            return;
        }
        self.stats.messages += 1;
        self.stats.bytes += raw.len() as u64;
        let Some(channel) = message.body.channel() else {
            self.on_connection_message(now, message, raw);
            return;
        };
        let address = Address {
            instrument: message.head.instrument,
            view: message.head.view,
            channel,
        };
        let entry = self.entries.at(&address);
        if self.config.raw {
            self.events.push_back(Event::Raw {
                subscription: entry.as_ref().map(|entry| entry.id),
                bytes: raw.clone(),
            });
        }
        let Some(entry) = entry else {
            self.stats.unrouted += 1;
            return;
        };
        entry.last_message = now;
        entry.stats.messages += 1;
        entry.stats.bytes += raw.len() as u64;
        let subscription = entry.id;
        let effect = entry.tracker.apply(message);
        if !entry.tracker.is_ahead_of_node() {
            entry.caught_up = now;
        }
        match effect {
            Effect::Duplicate => entry.stats.duplicates += 1,
            Effect::Incomplete => {}
            Effect::Noted => self.events.extend(event_of(entry, message, raw)),
            Effect::Applied(fault) => {
                if let Some(fault) = fault {
                    self.events.push_back(resync(entry, fault, &message.head));
                }
                self.events.extend(event_of(entry, message, raw));
            }
            Effect::Lost(missing, cause) => {
                self.events.extend(event_of(entry, message, raw));
                self.events.push_back(gap(entry, missing, cause));
            }
            Effect::Gap(missing) => {
                self.events
                    .push_back(gap(entry, missing, GapCause::Sequence));
                self.resubscribe(now, subscription);
            }
            Effect::Mismatch(checksums) => {
                entry.stats.mismatches += 1;
                self.events.push_back(Event::ChecksumMismatch(Mismatch {
                    subscription,
                    head: message.head,
                    received: checksums.received,
                    computed: checksums.computed,
                }));
                self.resubscribe(now, subscription);
            }
        }
    }

    /// Bytes arrived that cannot be decoded.
    pub fn on_undecodable(&mut self, error: DecodeError) {
        self.stats.undecodable += 1;
        self.events.push_back(Event::Undecodable { error });
    }

    /// A message that belongs to no single stream.
    fn on_connection_message(&mut self, now: Instant, message: &Message<'_>, raw: Bytes) {
        if self.config.raw {
            self.events.push_back(Event::Raw {
                subscription: None,
                bytes: raw,
            });
        }
        match &message.body {
            Body::Instrument(instrument) => self.on_instrument(&message.head, instrument),
            Body::GoAway(go_away) => self.on_go_away(now, *go_away),
            _ => {}
        }
    }

    fn on_instrument(&mut self, head: &Head, instrument: &Instrument<'_>) {
        for entry in self.entries.iter_mut() {
            if entry.is_of(head.instrument) {
                entry.tracker.announce(head.epoch, instrument.exponents);
            }
        }
        // A name that is not valid was not subscribed to, and cannot be shown.
        let Ok(name) = InstrumentName::new(instrument.venue, instrument.symbol) else {
            return;
        };
        self.events
            .push_back(Event::Instrument(Box::new(InstrumentInfo {
                head: *head,
                name,
                exponents: instrument.exponents,
                state: instrument.state,
                tick_size: instrument.tick_size,
                lot_size: instrument.lot_size,
            })));
    }

    fn on_go_away(&mut self, now: Instant, go_away: GoAway) {
        let spread = Duration::from_millis(u64::from(go_away.delay));
        let leave_in = self.random.below(spread);
        if self.connection.leave_at(now + leave_in) {
            self.events.push_back(Event::GoAway(event::GoAwayNotice {
                reason: go_away.reason,
                leave_in,
                close_after: Duration::from_millis(u64::from(go_away.close_after)),
            }));
        }
    }
}

/// The event for an applied message.
#[inline]
fn event_of(entry: &mut Entry, message: &Message<'_>, raw: Bytes) -> Option<Event> {
    let Message { head, body } = *message;
    let subscription: SubscriptionId = entry.id;
    let exponents = entry.tracker.exponents();
    Some(match body {
        Body::BookDelta(delta) => {
            entry.stats.verified += 1;
            Event::Book(BookUpdate::new(
                subscription,
                head,
                exponents,
                delta.checksum,
                raw,
            ))
        }
        Body::BookSnapshot(chunk) => {
            entry.stats.verified += 1;
            Event::Book(BookUpdate::new(
                subscription,
                head,
                exponents,
                chunk.checksum,
                raw,
            ))
        }
        Body::Bbo(bbo) => Event::Bbo(BboUpdate {
            subscription,
            head,
            exponents,
            bbo,
        }),
        Body::Trades(_) => Event::Trades(TradesUpdate::new(subscription, head, exponents, raw)),
        Body::Ticker(ticker) => Event::Ticker(Box::new(TickerUpdate {
            subscription,
            head,
            exponents,
            ticker,
        })),
        Body::Bar(bar) => Event::Bar(Box::new(BarUpdate {
            subscription,
            head,
            exponents,
            bar,
        })),
        Body::Status(status) => Event::Status(StatusUpdate {
            subscription,
            head,
            status,
        }),
        Body::Heartbeat(_) => Event::Heartbeat(Heartbeat { subscription, head }),
        Body::Lag(lag) => {
            entry.stats.lags += 1;
            Event::Lag(Box::new(LagNotice {
                subscription,
                head,
                lag,
            }))
        }
        Body::ReplayComplete(complete) => {
            entry.end_replay();
            Event::ReplayComplete(ReplayComplete {
                subscription,
                head,
                messages: complete.messages,
            })
        }
        Body::Instrument(_) | Body::GoAway(_) => return None,
    })
}

fn resync(entry: &mut Entry, fault: Fault, head: &Head) -> Event {
    entry.stats.resyncs += 1;
    Event::Resync(Resync {
        subscription: entry.id,
        reason: fault.reason,
        from: fault.from,
        to: market::Position {
            epoch: head.epoch,
            seq: head.seq,
        },
    })
}

fn gap(entry: &mut Entry, missing: Missing, cause: GapCause) -> Event {
    entry.stats.gaps += 1;
    if cause.is_loss() {
        entry.stats.losses += 1;
    }
    Event::Gap(Gap {
        subscription: entry.id,
        from: missing.from,
        to: missing.to,
        cause,
    })
}
