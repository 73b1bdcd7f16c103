//! What there is to know of instruments: what they are, how they are, and what became of their records.

use std::sync::Arc;

use fanout::{Directory, Fetcher, Grant, Listing, NotEntitled};
use market::{Channel, InstrumentName, Nanos, decimal};
use serde_json::{Map, Value, json};
use streams::{Ledger, Report, Source};
use wire::control::Symbol;
use wire::{Encoding, Head, Status, View, sbe};

use super::accept::Format;
use super::error::ApiError;
use super::messages::failed;
use super::query::{self, Query};
use super::reply::Reply;
use crate::clock::wall_clock;

/// The parameters of a list.
pub(super) const PARAMETERS: &[&str] = &["symbol", "after", "limit"];
/// As many reports as a publisher makes in half a millisecond.
const MOST: usize = 1000;

/// What of an instrument is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// What it is, and where it comes from.
    Instrument,
    /// How it is.
    Status,
    /// What became of its records and messages.
    Ledger,
}

impl About {
    /// What a list of them is called.
    const fn list(self) -> &'static str {
        match self {
            Self::Instrument => "instruments",
            Self::Status => "statuses",
            Self::Ledger => "ledger",
        }
    }

    /// How it can be told.
    pub(super) const fn formats(self) -> &'static [Format] {
        match self {
            Self::Ledger => &[Format::Json],
            _ => &[Format::Json, Format::Messages(Encoding::Sbe)],
        }
    }
}

/// How many instruments a list may have at most.
pub(super) fn limit(query: &Query) -> Result<u32, ApiError> {
    let limit = query.count("limit", MOST, MOST)?;
    Ok(u32::try_from(limit).unwrap_or(u32::MAX))
}

/// A list of instruments by name, as many as a page may have.
pub(super) async fn page(
    fetcher: &Fetcher,
    grant: &Grant,
    about: About,
    query: &Query,
    format: Format,
) -> Result<Reply, ApiError> {
    let symbol = query.one("symbol")?.map(query::symbol).transpose()?;
    let limit = query.count("limit", MOST, MOST)?;
    let after = query.one("after")?;
    let directory = fetcher.directory();
    let (listings, next) = collect(directory, symbol.as_ref(), after, limit, grant).await;
    let reports = fetch(fetcher, grant, &listings).await?;
    if let Format::Messages(_) = format {
        return Ok(encoded(about, &reports, format));
    }
    let all = reports.iter().zip(&listings);
    let all: Vec<_> = all
        .map(|(reports, listing)| tell(about, listing.name(), reports))
        .collect();
    let mut page = Map::new();
    page.insert(about.list().into(), all.into());
    page.insert(
        "next".into(),
        json!(next.as_ref().map(InstrumentName::as_str)),
    );
    Ok(Reply::json(&page.into()))
}

/// A full page, or what is left; and the last of it, where there are more. Looks through the directory
/// bit by bit, so that other requests are answered meanwhile.
async fn collect(
    directory: &Directory,
    symbol: Option<&Symbol>,
    after: Option<&str>,
    limit: usize,
    grant: &Grant,
) -> (Vec<Arc<Listing>>, Option<InstrumentName>) {
    let mut page = directory.page(symbol, after, limit, grant);
    let mut listings = page.listings;
    while listings.len() < limit
        && let Some(last) = page.next.take()
    {
        tokio::task::yield_now().await;
        page = directory.page(symbol, Some(last.as_str()), limit - listings.len(), grant);
        listings.append(&mut page.listings);
    }
    (listings, page.next)
}

/// One instrument.
pub(super) async fn one(
    fetcher: &Fetcher,
    grant: &Grant,
    about: About,
    name: &InstrumentName,
    format: Format,
) -> Result<Reply, ApiError> {
    let unknown = || ApiError::no_symbol(name.as_str());
    if !grant.may_see(name) {
        let why = NotEntitled::Instrument(name.to_string());
        return Err(ApiError::not_entitled(&why));
    }
    let listing = fetcher.directory().get(name).ok_or_else(unknown)?;
    let reports = fetch(fetcher, grant, &[listing]).await?;
    if let Format::Messages(_) = format {
        return Ok(encoded(about, &reports, format));
    }
    let reports = reports.first().map(Vec::as_slice).unwrap_or_default();
    Ok(Reply::json(&tell(about, name, reports)))
}

async fn fetch(
    fetcher: &Fetcher,
    grant: &Grant,
    listings: &[Arc<Listing>],
) -> Result<Vec<Vec<Report>>, ApiError> {
    let nobody = || ApiError::later("not_ready", "this node has read nothing yet");
    let name = listings.first().map(|listing| listing.name());
    match fetcher.reports(listings).await {
        Ok(mut reports) => {
            for report in reports.iter_mut().flatten() {
                let may_have = |source: &Source| grant.may_have(source.channel);
                report.channels.retain(may_have);
            }
            Ok(reports)
        }
        Err(error) => Err(name.map_or_else(nobody, |name| failed(error, name))),
    }
}

/// The report of the publisher that makes the book; the other's, where there is one, is of trades.
fn main(reports: &[Report]) -> Option<&Report> {
    let has_book = |report: &&Report| {
        let mut channels = report.channels.iter();
        channels.any(|source| source.channel == Channel::Book)
    };
    reports.iter().find(has_book).or_else(|| reports.first())
}

fn tell(about: About, name: &InstrumentName, reports: &[Report]) -> Value {
    let Some(report) = main(reports) else {
        // Listed, and its publisher has not made it yet.
        return json!({"symbol": name.as_str(), "instrumentId": name.id().0});
    };
    match about {
        About::Instrument => instrument(report, reports),
        About::Status => status(report),
        About::Ledger => ledger(report, reports),
    }
}

fn instrument(report: &Report, reports: &[Report]) -> Value {
    let exponents = report.exponents;
    let price = |price: market::Price| decimal::to_string(price.0, exponents.price);
    let size = |size: market::Size| decimal::to_string(size.0, exponents.size);
    let sources = reports.iter().flat_map(|report| &report.channels);
    // Each channel once: the state is told by the publisher of the book.
    let is_its = |source: &&Source| {
        source.channel != Channel::Status || report.channels.iter().any(|its| its == *source)
    };
    let channels: Vec<_> = sources.filter(is_its).map(lineage).collect();
    json!({
        "symbol": report.name.as_str(),
        "venue": report.name.venue(),
        "instrumentId": report.name.id().0,
        "priceExponent": exponents.price,
        "sizeExponent": exponents.size,
        "tickSize": report.tick_size.map(price),
        "lotSize": report.lot_size.map(size),
        "state": report.state.name(),
        "reason": report.reason.name(),
        "channels": channels,
    })
}

/// Where a channel's messages come from: `seq` is an offset of this partition, in this epoch.
fn lineage(source: &Source) -> Value {
    let partition = source.partition.as_ref();
    let topic_id = partition
        .map(|partition| partition.topic_id)
        .filter(|id| *id != [0; 16]);
    json!({
        "channel": source.channel.name(),
        "topic": partition.map(|partition| &*partition.topic),
        "topicId": topic_id.map(|id| id.map(|byte| format!("{byte:02x}")).concat()),
        "partition": partition.map(|partition| partition.partition),
        "epoch": source.epoch.0,
        "seq": source.last.seq.0,
        "logTime": source.last.log_time.0.to_string(),
    })
}

fn status_source(report: &Report) -> Option<&Source> {
    let mut channels = report.channels.iter();
    channels.find(|source| source.channel == Channel::Status)
}

fn status(report: &Report) -> Value {
    let source = status_source(report);
    json!({
        "symbol": report.name.as_str(),
        "instrumentId": report.name.id().0,
        "state": report.state.name(),
        "reason": report.reason.name(),
        "epoch": source.map(|source| source.epoch.0),
        "seq": source.map(|source| source.last.seq.0),
        "logTime": source.map(|source| source.last.log_time.0.to_string()),
    })
}

fn ledger(report: &Report, reports: &[Report]) -> Value {
    let sum = |count: fn(&Ledger) -> u64| -> u64 {
        reports.iter().map(|report| count(&report.ledger)).sum()
    };
    json!({
        "symbol": report.name.as_str(),
        "instrumentId": report.name.id().0,
        "state": report.state.name(),
        "records": sum(|ledger| ledger.records),
        "trades": sum(|ledger| ledger.trades),
        "chained": sum(|ledger| ledger.chained),
        "checked": sum(|ledger| ledger.checked),
        "upstreamGaps": sum(|ledger| ledger.upstream_gaps),
        "ownGaps": sum(|ledger| ledger.own_gaps),
        "refused": sum(|ledger| ledger.refused),
        "unusable": sum(|ledger| ledger.unusable),
        "resyncs": sum(|ledger| ledger.resyncs),
        "recoveries": sum(|ledger| ledger.recoveries),
        "conflated": sum(|ledger| ledger.conflated),
        "lostToSlowClients": sum(|ledger| ledger.lost_to_slow),
    })
}

/// The same as messages in SBE. What they say names them, and not when that was.
fn encoded(about: About, reports: &[Vec<Report>], format: Format) -> Reply {
    let written = |now| {
        let mut body = Vec::new();
        for reports in reports {
            encode(about, reports, now, &mut body);
        }
        body
    };
    let body = written(wall_clock());
    Reply {
        body: Box::new(move || body),
        ..Reply::of(format, written(Nanos(0)))
    }
}

fn encode(about: About, reports: &[Report], now: Nanos, out: &mut Vec<u8>) {
    let Some(report) = main(reports) else {
        return;
    };
    let Some(source) = status_source(report) else {
        return;
    };
    let head = Head {
        instrument: report.name.id(),
        epoch: source.epoch,
        view: View::FULL_RAW,
        prev_seq: source.last.seq,
        seq: source.last.seq,
        event_time: None,
        log_time: source.last.log_time,
        publish_time: now,
    };
    if about == About::Status {
        let status = Status {
            channel: Channel::Status,
            state: report.state,
            reason: report.reason,
        };
        sbe::status(out, &head, &status);
        return;
    }
    let instrument = sbe::Instrument {
        exponents: report.exponents,
        state: report.state,
        tick_size: report.tick_size,
        lot_size: report.lot_size,
        venue: report.name.venue(),
        symbol: report.name.symbol(),
    };
    // A checked name is far shorter than the encoder's bound; nothing is written of what fails.
    let _written = sbe::instrument(out, &head, &instrument);
}
