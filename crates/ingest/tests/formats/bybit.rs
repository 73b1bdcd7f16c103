//! Bybit's own JSON from before v5, in a session.

use ingest::Format;
use market::VenueBook;

use crate::books::Session;
use crate::captures;

#[test]
fn a_session_of_before_v5_makes_books_of_25_levels_a_side() {
    let Some(records) = captures::session("cryptofeed-raw/BYBIT.ws.25.0.gz") else {
        return;
    };
    let session = Session::of(Format::Bybit, &records);
    assert_eq!((session.whole, session.changes), (8, 3252));
    assert_eq!((session.trades, session.nothing), (101, 16));
    for book in session.books.values().map(VenueBook::book) {
        // Two instruments have trades only.
        assert!(book.is_empty() || (book.bids().len(), book.asks().len()) == (25, 25));
    }
}
