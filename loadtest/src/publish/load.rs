use std::io::Write as _;

use market::decimal;

use super::PublishArgs;

/// The scale of all instruments: cents, and thousandths of a piece.
const PRICE_EXPONENT: i8 = -2;
const SIZE_EXPONENT: i8 = -3;
/// The largest size, as a mantissa.
const MAX_SIZE: u32 = 99_999;
/// How many of the changes behind the touch take a level away.
const DELETES: f64 = 0.1;

/// One instrument: prices that stay, sizes that change.
#[derive(Debug)]
pub(super) struct Book {
    name: String,
    /// The best bid's price; bids go down from it cent by cent, asks go up from the next cent.
    bid: i64,
    bids: Box<[u32]>,
    asks: Box<[u32]>,
    seq: u64,
    trades: u64,
}

/// How records are made.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) random: fastrand::Rng,
    changes: f64,
    trades: f64,
}

impl Book {
    pub(super) fn new(number: usize, depth: usize, random: &mut fastrand::Rng) -> Self {
        let mut sizes = || {
            (0..depth.max(1))
                .map(|_| random.u32(1..=MAX_SIZE))
                .collect()
        };
        let (bids, asks) = (sizes(), sizes());
        Self {
            name: format!("LOAD:I{number:05}"),
            bid: 100_000 + i64::try_from(depth).unwrap_or_default() + random.i64(0..900_000),
            bids,
            asks,
            seq: 0,
            trades: 0,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn definition(&self, out: &mut Vec<u8>, now: u64) {
        self.head(out, "instrument", now);
        put(
            out,
            format_args!(r#","price_exponent":{PRICE_EXPONENT},"size_exponent":{SIZE_EXPONENT}}}"#),
        );
    }

    pub(super) fn snapshot(&self, out: &mut Vec<u8>, now: u64) {
        self.head(out, "snapshot", now);
        put(out, format_args!(r#","seq":{},"bids":["#, self.seq));
        let levels = |out: &mut Vec<u8>, sizes: &[u32], step: i64, best: i64| {
            let mut first = true;
            for (rank, size) in (0..).zip(sizes).filter(|(_, size)| **size > 0) {
                level(out, best + step * rank, *size, &mut first);
            }
        };
        levels(out, &self.bids, -1, self.bid);
        put(out, format_args!(r#"],"asks":["#));
        levels(out, &self.asks, 1, self.bid + 1);
        put(out, format_args!("]}}"));
    }

    fn head(&self, out: &mut Vec<u8>, kind: &str, now: u64) {
        let name = &self.name;
        put(
            out,
            format_args!(r#"{{"type":"{kind}","symbol":"{name}","time":{now}"#),
        );
    }
}

impl Load {
    pub(super) fn new(args: &PublishArgs) -> Self {
        Self {
            random: fastrand::Rng::with_seed(args.seed),
            changes: args.changes.max(1.0),
            trades: args.trades,
        }
    }

    /// The next record of an instrument.
    pub(super) fn record(&mut self, book: &mut Book, out: &mut Vec<u8>, now: u64) {
        if self.random.f64() < self.trades {
            self.trade(book, out, now);
        } else {
            self.delta(book, out, now);
        }
    }

    fn trade(&mut self, book: &mut Book, out: &mut Vec<u8>, now: u64) {
        book.head(out, "trade", now);
        book.trades += 1;
        let buy = self.random.bool();
        put(out, format_args!(r#","trades":[{{"price":""#));
        decimal::write(out, book.bid + i64::from(buy), PRICE_EXPONENT);
        put(out, format_args!(r#"","size":""#));
        decimal::write(out, self.random.i64(1..=1_000), SIZE_EXPONENT);
        let side = if buy { "buy" } else { "sell" };
        put(
            out,
            format_args!(r#"","side":"{side}","id":"{}"}}]}}"#, book.trades),
        );
    }

    fn delta(&mut self, book: &mut Book, out: &mut Vec<u8>, now: u64) {
        book.head(out, "delta", now);
        put(
            out,
            format_args!(r#","prev_seq":{},"seq":{}"#, book.seq, book.seq + 1),
        );
        book.seq += 1;
        let again = 1.0 - 1.0 / self.changes;
        let mut left = 1;
        while self.random.f64() < again {
            left += 1;
        }
        // Both sides in turn, each from its touch on, so that no price stands twice.
        let bids = if self.random.bool() {
            left / 2
        } else {
            left - left / 2
        };
        put(out, format_args!(r#","bids":["#));
        self.change(out, &mut book.bids, bids, book.bid, -1);
        put(out, format_args!(r#"],"asks":["#));
        self.change(out, &mut book.asks, left - bids, book.bid + 1, 1);
        put(out, format_args!("]}}"));
    }

    /// Changes `count` levels of a side; the distances between them grow as a geometric series
    /// would, so that most are near the touch.
    fn change(&mut self, out: &mut Vec<u8>, sizes: &mut [u32], count: usize, best: i64, step: i64) {
        let mut first = true;
        let mut rank = 0;
        for _ in 0..count {
            while self.random.f64() < 0.6 {
                rank += 1;
            }
            let Some(size) = sizes.get_mut(rank) else {
                return;
            };
            // The touch stays, so that nothing is ever crossed or empty.
            let gone = rank > 0 && *size > 0 && self.random.f64() < DELETES;
            *size = if gone {
                0
            } else {
                self.random.u32(1..=MAX_SIZE)
            };
            let price = best + step * i64::try_from(rank).unwrap_or_default();
            level(out, price, *size, &mut first);
            rank += 1;
        }
    }
}

fn level(out: &mut Vec<u8>, price: i64, size: u32, first: &mut bool) {
    if !std::mem::take(first) {
        out.push(b',');
    }
    out.extend_from_slice(b"[\"");
    decimal::write(out, price, PRICE_EXPONENT);
    out.extend_from_slice(b"\",\"");
    decimal::write(out, i64::from(size), SIZE_EXPONENT);
    out.extend_from_slice(b"\"]");
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Memory takes everything.
    let _written = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use ingest::{Decoder, Format, Handle, RawRecord, Refusal, Resolve, Resolved, Source};
    use market::{
        BookBuilder, Changes, DeltaOutcome, Event, Exponents, Nanos, Seq, SnapshotOrigin,
        SnapshotOutcome,
    };

    use super::*;

    struct One;

    impl Resolve for One {
        fn resolve(&mut self, _: &str, _: &str) -> Result<Resolved, Refusal> {
            Ok(Resolved {
                handle: Handle(0),
                exponents: Exponents {
                    price: PRICE_EXPONENT,
                    size: SIZE_EXPONENT,
                },
            })
        }

        fn find(&mut self, _: &str, _: &str) -> Option<Handle> {
            Some(Handle(0))
        }
    }

    fn load(changes: f64) -> Load {
        Load {
            random: fastrand::Rng::with_seed(7),
            changes,
            trades: 0.1,
        }
    }

    fn check(text: &[u8], decoder: &mut Decoder, check: impl FnOnce(Event<'_>)) {
        let source = Source {
            topic: "t".to_owned(),
            format: Format::Tapecast,
            venue: "X".to_owned(),
            symbol: None,
        };
        let record = RawRecord {
            source: &source,
            key: None,
            payload: Some(text),
        };
        let decoded = decoder.decode(&record, &mut One).unwrap();
        check(decoded.event().unwrap().1);
    }

    #[test]
    fn every_record_is_chained_and_no_book_is_ever_crossed() {
        let mut load = load(4.0);
        let mut book = Book::new(1, 20, &mut load.random);
        let mut decoder = Decoder::new(1 << 20);
        let mut builder = BookBuilder::new();
        let mut changes = Changes::default();
        let (mut text, mut deltas) = (Vec::new(), 0);
        for step in 0..20_000 {
            text.clear();
            if step % 1_000 == 0 {
                book.snapshot(&mut text, step);
            } else {
                load.record(&mut book, &mut text, step);
            }
            check(&text, &mut decoder, |event| match event {
                Event::Snapshot {
                    seq, bids, asks, ..
                } => {
                    let known = builder.is_live();
                    let origin = SnapshotOrigin::InBand;
                    let outcome =
                        builder.snapshot(seq, origin, bids, asks, Seq::NONE, &mut changes);
                    assert_eq!(outcome, SnapshotOutcome::Applied);
                    assert!(
                        !known || changes.is_empty(),
                        "a whole book says what the deltas said"
                    );
                }
                Event::Delta {
                    link,
                    origin,
                    time,
                    bids,
                    asks,
                } => {
                    let outcome = builder.delta(
                        Seq(0),
                        Nanos(0),
                        link,
                        origin,
                        time,
                        bids,
                        asks,
                        &mut changes,
                    );
                    assert_eq!(outcome, DeltaOutcome::Applied);
                    deltas += 1;
                }
                Event::Trades { .. } => {}
                other => panic!("{other:?}"),
            });
        }
        assert!(deltas > 15_000);
        let mut text = Vec::new();
        book.definition(&mut text, 0);
        check(&text, &mut decoder, |event| {
            assert!(matches!(event, Event::Definition { .. }));
        });
    }
}
