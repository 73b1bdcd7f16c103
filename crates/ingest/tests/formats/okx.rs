//! OKX's own JSON, compared with the exchange's own checksums.

use ingest::Format;

use crate::books::Session;
use crate::captures;

#[test]
fn every_checksum_of_the_session_is_found_over_our_books() {
    let Some(records) = captures::session("cryptofeed-raw/OKX.ws.1.0.gz") else {
        return;
    };
    let session = Session::of(Format::Okx, &records);
    assert_eq!((session.whole, session.changes), (3, 287));
    assert_eq!(session.proven, 290);
    // One trade per message; the rest are tickers and responses to subscriptions.
    assert_eq!((session.trades, session.nothing), (74, 46));
}
