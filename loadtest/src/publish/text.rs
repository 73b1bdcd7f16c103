use std::io::Write as _;

use market::{Aggressor, Event, InstrumentName, Level, Nanos, decimal};

use super::load::EXPONENTS;

/// Writes an event as a record of our own format.
pub(super) fn write(out: &mut Vec<u8>, name: &InstrumentName, event: &Event<'_>) {
    match event {
        Event::Definition { time, .. } => {
            head(out, "instrument", name, *time);
            let (price, size) = (EXPONENTS.price, EXPONENTS.size);
            put(
                out,
                format_args!(r#","price_exponent":{price},"size_exponent":{size}"#),
            );
        }
        Event::Snapshot {
            seq,
            time,
            bids,
            asks,
            ..
        } => {
            head(out, "snapshot", name, *time);
            if let Some(seq) = seq {
                put(out, format_args!(r#","seq":{seq}"#));
            }
            levels(out, bids, asks);
        }
        Event::Delta {
            link,
            time,
            bids,
            asks,
            ..
        } => {
            head(out, "delta", name, *time);
            if let Some(link) = link {
                let (prev, seq) = (link.prev, link.seq);
                put(out, format_args!(r#","prev_seq":{prev},"seq":{seq}"#));
            }
            levels(out, bids, asks);
        }
        Event::Trades { time, trades } => {
            head(out, "trade", name, *time);
            put(out, format_args!(r#","trades":["#));
            for (index, trade) in trades.iter().enumerate() {
                let comma = if index > 0 { "," } else { "" };
                put(out, format_args!(r#"{comma}{{"price":""#));
                decimal::write(out, trade.price.0, EXPONENTS.price);
                put(out, format_args!(r#"","size":""#));
                decimal::write(out, trade.size.0, EXPONENTS.size);
                let side = match trade.side {
                    Aggressor::Buy => "buy",
                    Aggressor::Sell => "sell",
                    Aggressor::Unknown => "unknown",
                };
                let id = trade.id;
                put(out, format_args!(r#"","side":"{side}","id":"{id}"}}"#));
            }
            out.push(b']');
        }
        Event::Status { .. } | Event::Nothing => return,
    }
    out.push(b'}');
}

fn head(out: &mut Vec<u8>, kind: &str, name: &InstrumentName, time: Option<Nanos>) {
    put(out, format_args!(r#"{{"type":"{kind}","symbol":"{name}""#));
    if let Some(Nanos(time)) = time {
        put(out, format_args!(r#","time":{time}"#));
    }
}

fn levels(out: &mut Vec<u8>, bids: &[Level], asks: &[Level]) {
    for (name, side) in [("bids", bids), ("asks", asks)] {
        put(out, format_args!(r#","{name}":["#));
        for (index, level) in side.iter().enumerate() {
            out.extend_from_slice(if index > 0 { b",[\"" } else { b"[\"" });
            decimal::write(out, level.price.0, EXPONENTS.price);
            out.extend_from_slice(b"\",\"");
            decimal::write(out, level.size.0, EXPONENTS.size);
            out.extend_from_slice(b"\"]");
        }
        out.push(b']');
    }
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to memory cannot fail.
    let _written = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use ingest::{Decoder, Format, RawRecord, Rejection, Resolve, Resolved, Source};
    use market::Handle;

    use super::super::Mix;
    use super::super::load::{Book, Load};
    use super::*;

    struct One;

    impl Resolve for One {
        fn resolve(&mut self, _: &str, _: &str) -> Result<Resolved, Rejection> {
            Ok(Resolved {
                handle: Handle(0),
                exponents: EXPONENTS,
            })
        }

        fn find(&mut self, _: &str, _: &str) -> Option<Handle> {
            Some(Handle(0))
        }
    }

    #[test]
    fn a_node_reads_what_was_said() {
        let source = Source {
            topic: "t".to_owned(),
            format: Format::Tapecast,
            venue: "X".to_owned(),
            symbol: None,
            mapping: None,
        };
        let mut decoder = Decoder::new(1 << 20);
        let mut check = |name: &InstrumentName, event: &Event<'_>| {
            let mut text = Vec::new();
            write(&mut text, name, event);
            let record = RawRecord {
                source: &source,
                key: None,
                payload: Some(&text),
            };
            let decoded = decoder.decode(&record, &mut One).unwrap();
            assert_eq!(decoded.event().unwrap().1, *event);
        };
        let mut load = Load::new(Mix::Market, 4.0, 0.1, 7);
        let mut book = Book::new(1, 20, &mut load.random).unwrap();
        check(book.name(), &Load::definition(1));
        for step in 0..500 {
            check(book.name(), &load.whole(&book, step));
            load.next(&mut book, step, &mut check);
        }
    }
}
