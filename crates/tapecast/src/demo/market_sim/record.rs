//! Events as records in our own format. Written by hand: it runs up to 130,000 times a second.

use std::io::Write as _;

use market::{Book, Change, Changes, Level, Nanos, decimal};

use super::catalogue::Listing;
use super::instrument::Print;

pub(super) fn definition(out: &mut Vec<u8>, listing: &Listing, time: Nanos) {
    head(out, "instrument", listing, time);
    let exponents = listing.exponents;
    put(
        out,
        format_args!(
            r#","price_exponent":{},"size_exponent":{},"tick_size":""#,
            exponents.price, exponents.size
        ),
    );
    decimal::write(out, listing.tick, exponents.price);
    put(out, format_args!(r#"","lot_size":""#));
    decimal::write(out, listing.lot, exponents.size);
    put(out, format_args!(r#""}}"#));
}

pub(super) fn snapshot(out: &mut Vec<u8>, listing: &Listing, time: Nanos, seq: u64, book: &Book) {
    head(out, "snapshot", listing, time);
    put(out, format_args!(r#","seq":{seq},"bids":"#));
    levels(out, listing, book.bids().iter());
    put(out, format_args!(r#","asks":"#));
    levels(out, listing, book.asks().iter());
    out.push(b'}');
}

/// The delta from `prev` to `seq`.
pub(super) fn delta(
    out: &mut Vec<u8>,
    listing: &Listing,
    time: Nanos,
    (prev, seq): (u64, u64),
    changes: &Changes,
) {
    head(out, "delta", listing, time);
    put(
        out,
        format_args!(r#","prev_seq":{prev},"seq":{seq},"bids":"#),
    );
    levels(
        out,
        listing,
        changes.bids.iter().copied().map(Change::level),
    );
    put(out, format_args!(r#","asks":"#));
    levels(
        out,
        listing,
        changes.asks.iter().copied().map(Change::level),
    );
    out.push(b'}');
}

pub(super) fn trades(out: &mut Vec<u8>, listing: &Listing, time: Nanos, prints: &[Print]) {
    head(out, "trade", listing, time);
    put(out, format_args!(r#","trades":["#));
    for (index, print) in prints.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        put(out, format_args!(r#"{{"price":""#));
        decimal::write(out, print.level.price.0, listing.exponents.price);
        put(out, format_args!(r#"","size":""#));
        decimal::write(out, print.level.size.0, listing.exponents.size);
        let side = if print.buy { "buy" } else { "sell" };
        put(
            out,
            format_args!(r#"","side":"{side}","id":"{}"}}"#, print.id),
        );
    }
    put(out, format_args!("]}}"));
}

fn head(out: &mut Vec<u8>, kind: &str, listing: &Listing, time: Nanos) {
    put(
        out,
        format_args!(
            r#"{{"type":"{kind}","symbol":"{}","time":{}"#,
            listing.name, time.0
        ),
    );
}

fn levels(out: &mut Vec<u8>, listing: &Listing, levels: impl Iterator<Item = Level>) {
    out.push(b'[');
    for (index, level) in levels.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        put(out, format_args!(r#"[""#));
        decimal::write(out, level.price.0, listing.exponents.price);
        put(out, format_args!(r#"",""#));
        decimal::write(out, level.size.0, listing.exponents.size);
        put(out, format_args!(r#""]"#));
    }
    out.push(b']');
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to memory cannot fail.
    let _written = out.write_fmt(text);
}
