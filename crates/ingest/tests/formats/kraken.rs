//! Kraken's own JSON, compared with the exchange's own checksums.

use ingest::Format;

use crate::books::Session;
use crate::captures;

#[test]
fn every_checksum_of_the_session_is_found_over_our_books() {
    let Some(records) = captures::session("cryptofeed-raw/KRAKEN.ws.50.0.gz") else {
        return;
    };
    let session = Session::of(Format::Kraken, &records);
    assert_eq!((session.books.len(), session.whole), (10, 10));
    // Every delta is verified, and besides there is only the exchange's own status.
    assert_eq!((session.changes, session.proven), (4269, 4269));
    assert_eq!((session.trades, session.nothing), (0, 42));
}
