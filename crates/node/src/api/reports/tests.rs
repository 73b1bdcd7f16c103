use super::*;

use market::{Epoch, Exponents, PartitionIdentity, Reason, Seq, State};
use streams::LastMessage;

fn report(name: &InstrumentName) -> Report {
    let source = |channel| ChannelReport {
        channel,
        partition: Some(PartitionIdentity {
            topic: "binance-market-data".into(),
            topic_id: [7; 16],
            partition: 11,
            turns: 0,
        }),
        epoch: Epoch(u32::MAX),
        last: LastMessage {
            seq: Seq(1 << 40),
            log_time: Nanos(1_723_075_200_125_000_000),
        },
    };
    Report {
        name: name.clone(),
        exponents: Exponents::default(),
        tick_size: None,
        lot_size: None,
        state: State::Live,
        reason: Reason::None,
        channels: Channel::ALL.map(source).to_vec(),
        ledger: Ledger::default(),
    }
}

#[test]
fn a_page_has_a_bounded_size_however_many_instruments_are_asked_for_and_names_the_next() {
    let directory = Directory::new(1);
    for number in 0..MOST {
        let name = InstrumentName::parse(&format!("VENUE:COIN{number:04}-USDT")).unwrap();
        let _listing = directory.list(&name, Exponents::default());
    }
    let grant = Grant::default();
    for about in [About::Instrument, About::Status, About::Ledger] {
        for format in about.formats() {
            let (mut after, mut seen, mut pages) = (None::<InstrumentName>, Vec::new(), 0);
            loop {
                let after_name = after.as_ref().map(InstrumentName::as_str);
                let found = directory.page(None, after_name, MOST, &grant);
                let mut page = Page::new(about, *format);
                let listings = &found.listings;
                for listing in listings {
                    if !page.add(listing.name(), &[report(listing.name())]) {
                        break;
                    }
                }
                let names = listings.iter().map(|listing| listing.name().clone());
                seen.extend(names.take(page.entries));
                let next = page.next(listings, found.next);
                let body = (page.reply(next.clone()).body)();
                assert!(body.len() <= PAGE_BYTES + 100, "{about:?}: {}", body.len());
                pages += 1;
                let Some(next) = next else { break };
                assert_eq!(Some(&next), seen.last());
                after = Some(next);
            }
            assert_eq!(seen.len(), MOST, "{about:?} in {pages} pages");
            assert!(seen.is_sorted_by_key(|name| name.as_str().to_owned()));
        }
    }
}

#[test]
fn a_page_that_finds_little_ends_and_the_next_one_continues() {
    let directory = Directory::new(1);
    for number in 0..50_000 {
        let name = InstrumentName::parse(&format!("VENUE:COIN{number:05}-USDT")).unwrap();
        let _listing = directory.list(&name, Exponents::default());
    }
    let pattern = format!("{}49999*", "*".repeat(80));
    let symbol = Symbol::parse(&pattern).unwrap();
    let grant = Grant::default();
    let (mut after, mut found, mut pages) = (None::<InstrumentName>, 0, 0);
    loop {
        let after_name = after.as_ref().map(InstrumentName::as_str);
        let page = collect(&directory, Some(&symbol), after_name, MOST, &grant);
        let page = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(page);
        found += page.0.len();
        pages += 1;
        after = page.1;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, 1);
    assert_eq!(pages, 50_000 * 83 / (LOOKS * 32 * 1024) + 1);
}

#[test]
fn the_link_to_the_next_page_asks_for_the_same() {
    let query = Query::parse(Some("symbol=A:*&after=A:B&limit=7"), PARAMETERS).unwrap();
    let next = InstrumentName::parse("A:X").unwrap();
    assert_eq!(link(&query, &next), "?after=A%3AX&symbol=A%3A%2A&limit=7");
}
