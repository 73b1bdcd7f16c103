//! Coinbase's own JSON, in a session of its Exchange.

use ingest::Format;

use crate::books::Session;
use crate::captures;

#[test]
fn a_session_makes_ten_books_that_are_never_crossed() {
    let Some(records) = captures::session("cryptofeed-raw/COINBASE.ws.28.0.gz") else {
        return;
    };
    // A crossed book would be rejected, and every delta must be applied.
    let session = Session::of(Format::Coinbase, &records);
    assert_eq!((session.books.len(), session.whole), (10, 10));
    assert_eq!((session.changes, session.trades), (9719, 97));
    assert_eq!(session.nothing, 120);
}
