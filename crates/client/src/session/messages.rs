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
use crate::stream::{Fault, Missing, Taken};

impl Session {
    /// A data message came; `raw` are its bytes.
    pub fn on_message(&mut self, now: Instant, message: &Message<'_>, raw: Bytes) {
        if !self.link.is_up() {
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
        entry.heard = now;
        entry.stats.messages += 1;
        entry.stats.bytes += raw.len() as u64;
        let subscription = entry.id;
        let taken = entry.follower.take(message);
        if !entry.follower.is_ahead() {
            entry.level = now;
        }
        match taken {
            Taken::Held => entry.stats.held += 1,
            Taken::Partial => {}
            Taken::Noted => self.events.extend(event_of(entry, message, raw)),
            Taken::Applied(fault) => {
                if let Some(fault) = fault {
                    self.events.push_back(resync(entry, fault, &message.head));
                }
                self.events.extend(event_of(entry, message, raw));
            }
            Taken::Lost(missing, cause) => {
                self.events.extend(event_of(entry, message, raw));
                self.events.push_back(gap(entry, missing, cause));
            }
            Taken::Gap(missing) => {
                self.events
                    .push_back(gap(entry, missing, GapCause::Sequence));
                self.resubscribe(now, subscription);
            }
            Taken::Wrong(wrong) => {
                entry.stats.mismatches += 1;
                self.events.push_back(Event::ChecksumMismatch(Mismatch {
                    subscription,
                    head: message.head,
                    told: wrong.told,
                    computed: wrong.computed,
                }));
                self.resubscribe(now, subscription);
            }
        }
    }

    /// Bytes came that are no message of this version.
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
            Body::Instrument(told) => self.on_instrument(&message.head, told),
            Body::GoAway(told) => self.on_go_away(now, *told),
            _ => {}
        }
    }

    fn on_instrument(&mut self, head: &Head, told: &Instrument<'_>) {
        for entry in self.entries.iter_mut() {
            if entry.is_of(head.instrument) {
                entry.follower.announce(head.epoch, told.exponents);
            }
        }
        // A name that breaks the rules was not asked for, and cannot be shown.
        let Ok(name) = InstrumentName::new(told.venue, told.symbol) else {
            return;
        };
        self.events
            .push_back(Event::Instrument(Box::new(InstrumentInfo {
                head: *head,
                name,
                exponents: told.exponents,
                state: told.state,
                tick_size: told.tick_size,
                lot_size: told.lot_size,
            })));
    }

    fn on_go_away(&mut self, now: Instant, told: GoAway) {
        let spread = Duration::from_millis(u64::from(told.delay));
        let leave_in = self.random.below(spread);
        if self.link.leave_at(now + leave_in) {
            self.events.push_back(Event::GoAway(event::Leaving {
                reason: told.reason,
                leave_in,
                close_after: Duration::from_millis(u64::from(told.close_after)),
            }));
        }
    }
}

/// What the caller is told of a message that was taken.
#[inline]
fn event_of(entry: &mut Entry, message: &Message<'_>, raw: Bytes) -> Option<Event> {
    let Message { head, body } = *message;
    let subscription: SubscriptionId = entry.id;
    let exponents = entry.follower.exponents();
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
            entry.end_past();
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
