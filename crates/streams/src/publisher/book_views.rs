//! What the views of a book say.

use market::{Book, Channel, Epoch};
use wire::{Head, View};

use super::book_messages::{MAX_DELTA_CHANGES, write_delta, write_snapshot};
use super::desk::Desk;
use super::identity::Identity;
use crate::place::Place;
use crate::view::BookView;

/// The book that the views of an instrument are told from.
pub(super) struct Telling<'a> {
    pub(super) identity: &'a Identity,
    pub(super) epoch: Epoch,
    pub(super) book: &'a Book,
    /// The book was lost, and is right again.
    pub(super) recovers: bool,
    /// No whole book was told before; then it recovers too.
    pub(super) founds: bool,
}

/// Tells what a view has not told, up to the record at `place`. Whether it told anything: changes
/// that cancel out are nothing, but where a lost book is right again.
pub(super) fn tell_view(
    view: &mut BookView,
    telling: &Telling<'_>,
    place: &Place,
    desk: &mut Desk,
) -> bool {
    let Desk {
        bench, out, paces, ..
    } = desk;
    let identity = telling.identity;
    view.settle(telling.book, &mut bench.seen);
    if bench.seen.is_empty() && !telling.recovers {
        return false;
    }
    let head = Head {
        view: View::from(view.params),
        ..identity.head(telling.epoch, view.last.seq, place)
    };
    view.last = *place;
    let told = view.told(telling.book);
    if telling.founds || bench.seen.len() > MAX_DELTA_CHANGES {
        let (bids, asks) = (told.bids().iter(), told.asks().iter());
        write_snapshot(&head, told.checksum(), bids, asks, |has, write| {
            out.draft(write);
            out.emit_part(&view.watches, identity.text(), has);
        });
    } else {
        out.draft(|sbe| write_delta(sbe, &head, told.checksum(), &bench.seen));
        out.emit(&view.watches, identity.text(), &head);
    }
    drop(told);
    let what = (identity.handle, Channel::Book, view.params);
    paces.speaks(&mut view.pace, what, out.now());
    true
}
