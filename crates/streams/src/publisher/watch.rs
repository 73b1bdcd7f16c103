use market::{Channel, Nanos};
use wire::{Encoding, Speed, View, ViewParams};

use super::Publisher;
use super::instrument::Instrument;
use crate::view::BookView;
use crate::{StreamKey, WatchId};

/// Why a stream cannot be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// This publisher has no such instrument.
    #[error("no such instrument")]
    UnknownInstrument,
    /// This channel is not made yet.
    #[error("channel {0} is not served")]
    Channel(&'static str),
    /// This speed is not made yet.
    #[error("speed {0} is not served")]
    Speed(&'static str),
    /// Grouping is not made yet.
    #[error("grouping is not served")]
    Group,
}

impl Publisher {
    /// Begins to make a stream in an encoding; [`Publisher::join`] then lets subscribers in.
    pub fn watch(
        &mut self,
        key: StreamKey,
        encoding: Encoding,
        now: Nanos,
    ) -> Result<WatchId, Refused> {
        check(&key)?;
        let handle = self
            .by_id
            .get(&key.instrument)
            .copied()
            .ok_or(Refused::UnknownInstrument)?;
        let instrument = &mut self.instruments[handle.0 as usize];
        let id = self.desk.out.add(key, encoding, handle, now);
        match key.channel {
            Channel::Bbo => instrument.book.bbo.watches.push(id),
            Channel::Trades => instrument.trades.watches.push(id),
            Channel::Status => instrument.status.watches.push(id),
            _ if key.params.view() == View::FULL_RAW => instrument.book.full.push(id),
            _ => view_of(instrument, key.params).watches.push(id),
        }
        Ok(id)
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
        // A view that nobody watches costs nothing.
        instrument
            .book
            .views
            .retain(|view| !view.watches.is_empty());
    }
}

fn check(key: &StreamKey) -> Result<(), Refused> {
    match key.channel {
        Channel::Ticker | Channel::Bars => Err(Refused::Channel(key.channel.name())),
        _ if key.params.speed != Speed::Raw => Err(Refused::Speed(key.params.speed.name())),
        _ if key.params.group.is_some() => Err(Refused::Group),
        _ => Ok(()),
    }
}

fn view_of(instrument: &mut Instrument, params: ViewParams) -> &mut BookView {
    let book = &mut instrument.book;
    let index = book.views.iter().position(|view| view.params == params);
    let index = index.unwrap_or_else(|| {
        let view = BookView::new(params, book.book(), book.last);
        book.views.push(view);
        book.views.len() - 1
    });
    &mut book.views[index]
}
