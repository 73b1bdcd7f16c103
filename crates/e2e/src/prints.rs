//! Trades in the form in which they are compared with a venue's own files.

use client::event::TradesUpdate;
use market::Aggressor;

/// Price, size, aggressor, identifier.
pub type Print = (i64, i64, Aggressor, String);

/// The trades of a message.
pub fn of(update: &TradesUpdate) -> impl Iterator<Item = Print> {
    let trades = update.trades().expect("a message of trades has trades");
    trades.map(|trade| {
        let id = trade.id.to_owned();
        (trade.price.0, trade.size.0, trade.side, id)
    })
}
