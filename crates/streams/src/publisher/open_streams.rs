//! Opening and closing streams.

use market::{Channel, Monotonic};
use wire::{Encoding, View, ViewParams};

use super::Publisher;
use super::instrument::Instrument;
use super::outbox::LEVEL_WORK;
use super::rejected::{Rejected, ViewsOf, check};
use super::shared::ViewTotals;
use crate::throttle::Throttle;
use crate::view::BookView;
use crate::{Settings, StreamId, StreamKey};

impl Publisher {
    /// Opens a stream in an encoding; subscriptions then enter it by [`Publisher::join`].
    pub fn open_stream(
        &mut self,
        key: StreamKey,
        encoding: Encoding,
        now: Monotonic,
    ) -> Result<StreamId, Rejected> {
        self.shared.advance_to(now);
        let handle = self
            .by_id
            .get(&key.instrument)
            .copied()
            .ok_or(Rejected::UnknownInstrument)?;
        let instrument = &mut self.instruments[handle.0 as usize];
        check(&key, instrument.exponents())?;
        if let Err(rejected) = admit(instrument, &key, &self.settings, &self.shared.views) {
            self.shared.stats.views_rejected += 1;
            return Err(rejected);
        }
        let id = self.shared.out.add(key, encoding, handle);
        let start = || self.shared.throttles.start(key.params.speed);
        let streams = match key.channel {
            Channel::Bbo if key.params.view() == View::FULL_RAW => &mut instrument.book.bbo.streams,
            Channel::Bbo => {
                let bbo = &mut instrument.book.bbo;
                bbo.views.streams_mut(key.params, bbo.bbo, bbo.last, start)
            }
            Channel::Trades => &mut instrument.trades.streams,
            Channel::Ticker => {
                let ticker = &mut instrument.trades.ticker;
                let (latest, at) = (ticker.latest, ticker.at);
                ticker.views.streams_mut(key.params, latest, at, start)
            }
            Channel::Bars => instrument.trades.bars.streams_mut(key.params, start),
            Channel::Status => &mut instrument.status.streams,
            _ if key.params.view() == View::FULL_RAW => &mut instrument.book.full,
            _ => {
                let (view, levels) = view_of(instrument, key.params, start);
                self.shared.out.work += (levels * LEVEL_WORK) as u64;
                &mut view.streams
            }
        };
        streams.push(id);
        instrument.count_views(&mut self.shared);
        Ok(id)
    }

    /// Takes the streams that have ended since the last call: grouped books whose step is invalid at
    /// the instrument's new scale. Nothing is published in them any more. Each must be closed with
    /// [`Publisher::close_stream`] before the next [`Publisher::flush`].
    pub fn take_ended(&mut self) -> Vec<StreamId> {
        std::mem::take(&mut self.shared.ended)
    }

    /// Closes a stream that nobody is subscribed to.
    pub fn close_stream(&mut self, id: StreamId) {
        let Some(stream) = self.shared.out.remove(id) else {
            return;
        };
        let instrument = &mut self.instruments[stream.handle.0 as usize];
        for streams in [
            &mut instrument.book.full,
            &mut instrument.book.bbo.streams,
            &mut instrument.trades.streams,
            &mut instrument.status.streams,
        ] {
            streams.retain(|other| *other != id);
        }
        for view in &mut instrument.book.views {
            view.streams.retain(|other| *other != id);
        }
        instrument.trades.ticker.views.close_stream(id);
        instrument.trades.bars.close_stream(id);
        // A view exists only while it has open streams.
        let book = &mut instrument.book;
        book.views.retain(|view| !view.streams.is_empty());
        book.bbo.views.close_stream(id);
        instrument.count_views(&mut self.shared);
    }
}

/// Checks the limits of grouped views. Other views are always admitted: a book has at most 44 of
/// them, of at most 1,000 levels per side. So whoever uses up the room of grouped views keeps nobody
/// from the others.
fn admit(
    instrument: &Instrument,
    key: &StreamKey,
    settings: &Settings,
    totals: &ViewTotals,
) -> Result<(), Rejected> {
    let (Channel::Book, Some(step)) = (key.channel, key.params.group) else {
        return Ok(());
    };
    let views = &instrument.book.views;
    if views.iter().any(|view| view.params == key.params) {
        return Ok(());
    }
    let too_many = |of| Err(Rejected::TooManyViews { step, of });
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

/// Finds or creates a view. Returns it with the number of levels that were read to create it.
fn view_of(
    instrument: &mut Instrument,
    params: ViewParams,
    start: impl FnOnce() -> Throttle,
) -> (&mut BookView, usize) {
    let price_exponent = instrument.exponents().price;
    let book = &mut instrument.book;
    let index = book.views.iter().position(|view| view.params == params);
    let mut levels = 0;
    let index = index.unwrap_or_else(|| {
        let view = BookView::new(params, price_exponent, book.book(), book.last, start());
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
