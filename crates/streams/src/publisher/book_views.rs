//! The publication of book views.

use market::{Book, Channel, Epoch};
use wire::{Head, View};

use super::book_messages::{MAX_DELTA_CHANGES, write_delta, write_snapshot};
use super::identity::Identity;
use super::shared::Shared;
use crate::stamp::Stamp;
use crate::view::BookView;

/// The book that the views of an instrument show.
pub(super) struct ViewContext<'a> {
    pub(super) identity: &'a Identity,
    pub(super) epoch: Epoch,
    pub(super) book: &'a Book,
    /// Whether the book was invalid and is valid again.
    pub(super) recovers: bool,
    /// Whether this is the first snapshot of the stream; then `recovers` is set too.
    pub(super) is_first: bool,
}

/// Sends what a view has not sent yet, up to the record at `stamp`. Returns whether anything was
/// sent: changes that cancel out are not, unless the book recovers.
pub(super) fn send_view(
    view: &mut BookView,
    context: &ViewContext<'_>,
    stamp: &Stamp,
    shared: &mut Shared,
) -> bool {
    let Shared {
        scratch,
        out,
        throttles,
        ..
    } = shared;
    let identity = context.identity;
    view.take_unsent(context.book, &mut scratch.visible);
    if scratch.visible.is_empty() && !context.recovers {
        return false;
    }
    let head = Head {
        view: View::from(view.params),
        ..identity.head(context.epoch, view.last.seq, stamp)
    };
    view.last = *stamp;
    let book = view.sent(context.book);
    if context.is_first || scratch.visible.len() > MAX_DELTA_CHANGES {
        let (bids, asks) = (book.bids().iter(), book.asks().iter());
        write_snapshot(&head, book.checksum(), bids, asks, |has, write| {
            out.draft(write);
            out.emit_part(&view.streams, identity.text(), has);
        });
    } else {
        out.draft(|sbe| write_delta(sbe, &head, book.checksum(), &scratch.visible));
        out.emit(&view.streams, identity.text(), &head);
    }
    drop(book);
    let stream = (identity.handle, Channel::Book, view.params);
    throttles.published(&mut view.throttle, stream, out.now());
    true
}
