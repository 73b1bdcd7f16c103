use std::fmt;

use market::{Channel, Exponents, Monotonic};
use wire::{Encoding, PriceStep, Speed, View, ViewParams};

use super::Publisher;
use super::desk::ViewTotals;
use super::instrument::Instrument;
use super::outbox::LEVEL_WORK;
use crate::pace::Pace;
use crate::view::{BookView, fits};
use crate::{Settings, StreamKey, WatchId};

/// Why a stream cannot be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// This publisher has no such instrument.
    #[error("no such instrument")]
    UnknownInstrument,
    /// There is no such stream of the channel.
    #[error("channel {0} is not served")]
    Channel(&'static str),
    /// The channel has no such speed.
    #[error(
        "speed {speed} is not served for channel {channel}, which tells every record: it may be raw"
    )]
    Speed {
        /// The speed.
        speed: &'static str,
        /// The channel, which has no such speed.
        channel: &'static str,
    },
    /// The instrument's prices cannot be rounded to this step.
    #[error(
        "group {step} is no whole number of the instrument's smallest price, which is 1e{price_exponent}, or is beyond what a price may be"
    )]
    Group {
        /// The step.
        step: PriceStep,
        /// The scale of the instrument's prices.
        price_exponent: i8,
    },
    /// There are as many grouped views as there may be.
    #[error(
        "group {step}: {of} has reached its limit of grouped streams; use a step that is in use, or try again later"
    )]
    TooManyViews {
        /// The step.
        step: PriceStep,
        /// What has so many.
        of: ViewsOf,
    },
}

/// Of what there are as many views as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewsOf {
    /// The instrument, by their number.
    Instrument,
    /// The publisher, by their bytes.
    Publisher,
}

impl fmt::Display for ViewsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Instrument => "the instrument",
            Self::Publisher => "the node",
        })
    }
}

impl Publisher {
    /// Begins to make a stream in an encoding; [`Publisher::join`] then lets subscribers in.
    pub fn watch(
        &mut self,
        key: StreamKey,
        encoding: Encoding,
        now: Monotonic,
    ) -> Result<WatchId, Refused> {
        self.desk.advance_to(now);
        let handle = self
            .by_id
            .get(&key.instrument)
            .copied()
            .ok_or(Refused::UnknownInstrument)?;
        let instrument = &mut self.instruments[handle.0 as usize];
        check(&key, instrument.exponents())?;
        if let Err(refused) = admit(instrument, &key, &self.settings, &self.desk.views) {
            self.desk.stats.views_rejected += 1;
            return Err(refused);
        }
        let id = self.desk.out.add(key, encoding, handle);
        let begin = || self.desk.paces.begin(key.params.speed);
        let watches = match key.channel {
            Channel::Bbo if key.params.view() == View::FULL_RAW => &mut instrument.book.bbo.watches,
            Channel::Bbo => {
                let bbo = &mut instrument.book.bbo;
                bbo.views.watches_of(key.params, bbo.bbo, bbo.last, begin)
            }
            Channel::Trades => &mut instrument.trades.watches,
            Channel::Ticker => {
                let ticker = &mut instrument.trades.ticker;
                let (latest, at) = (ticker.latest, ticker.at);
                ticker.views.watches_of(key.params, latest, at, begin)
            }
            Channel::Bars => instrument.trades.bars.watches_of(key.params, begin),
            Channel::Status => &mut instrument.status.watches,
            _ if key.params.view() == View::FULL_RAW => &mut instrument.book.full,
            _ => {
                let (view, levels) = view_of(instrument, key.params, begin);
                self.desk.out.work += (levels * LEVEL_WORK) as u64;
                &mut view.watches
            }
        };
        watches.push(id);
        instrument.count_views(&mut self.desk);
        Ok(id)
    }

    /// Takes the streams that ended since the last call: grouped books whose step the instrument's
    /// new scale no longer holds. Nothing is published in them any more; each is to be given up with
    /// [`Publisher::unwatch`] before the next [`Publisher::flush`].
    pub fn take_ended(&mut self) -> Vec<WatchId> {
        std::mem::take(&mut self.desk.ended)
    }

    /// Nobody watches the stream in this encoding any more.
    pub fn unwatch(&mut self, id: WatchId) {
        let Some(watch) = self.desk.out.remove(id) else {
            return;
        };
        let instrument = &mut self.instruments[watch.handle.0 as usize];
        for list in [
            &mut instrument.book.full,
            &mut instrument.book.bbo.watches,
            &mut instrument.trades.watches,
            &mut instrument.status.watches,
        ] {
            list.retain(|other| *other != id);
        }
        for view in &mut instrument.book.views {
            view.watches.retain(|other| *other != id);
        }
        instrument.trades.ticker.views.unwatch(id);
        instrument.trades.bars.unwatch(id);
        // A view that nobody watches costs nothing.
        let book = &mut instrument.book;
        book.views.retain(|view| !view.watches.is_empty());
        book.bbo.views.unwatch(id);
        instrument.count_views(&mut self.desk);
    }
}

/// Whether a view that there is not yet may be made. Those without a group are at most 44 of an
/// instrument's book, hold at most 1,000 levels a side and are always let in; so whoever fills the
/// room of grouped views keeps nobody from the others.
fn admit(
    instrument: &Instrument,
    key: &StreamKey,
    settings: &Settings,
    totals: &ViewTotals,
) -> Result<(), Refused> {
    let (Channel::Book, Some(step)) = (key.channel, key.params.group) else {
        return Ok(());
    };
    let views = &instrument.book.views;
    if views.iter().any(|view| view.params == key.params) {
        return Ok(());
    }
    let too_many = |of| Err(Refused::TooManyViews { step, of });
    let grouped = views.iter().filter(|view| view.is_grouped()).count();
    if grouped >= settings.grouped_views {
        return too_many(ViewsOf::Instrument);
    }
    let price_exponent = instrument.exponents().price;
    let more = BookView::memory_of(key.params, price_exponent, instrument.book.book());
    if totals.grouped_bytes.saturating_add(more) > settings.grouped_view_bytes {
        return too_many(ViewsOf::Publisher);
    }
    Ok(())
}

pub(super) fn check(key: &StreamKey, exponents: Exponents) -> Result<(), Refused> {
    let ViewParams { speed, group, .. } = key.params;
    match key.channel {
        Channel::Bars if key.params.interval.is_none() => {
            return Err(Refused::Channel(key.channel.name()));
        }
        Channel::Trades | Channel::Status if speed != Speed::Raw => {
            return Err(Refused::Speed {
                speed: speed.name(),
                channel: key.channel.name(),
            });
        }
        _ => {}
    }
    let price_exponent = exponents.price;
    match group {
        Some(step) if !fits(key.params, price_exponent) => Err(Refused::Group {
            step,
            price_exponent,
        }),
        _ => Ok(()),
    }
}

/// The view of these parameters, and how many levels were read to make it.
fn view_of(
    instrument: &mut Instrument,
    params: ViewParams,
    begin: impl FnOnce() -> Pace,
) -> (&mut BookView, usize) {
    let price_exponent = instrument.exponents().price;
    let book = &mut instrument.book;
    let index = book.views.iter().position(|view| view.params == params);
    let mut levels = 0;
    let index = index.unwrap_or_else(|| {
        let view = BookView::new(params, price_exponent, book.book(), book.last, begin());
        levels = if view.is_grouped() {
            book.book().len()
        } else {
            view.len(book.book())
        };
        book.views.push(view);
        book.views.len() - 1
    });
    (&mut book.views[index], levels)
}
