//! Reports on instruments: definitions, statuses, and the ledger of what became of their records.

use std::sync::Arc;

use fanout::{Directory, Fetcher, Grant, Listing, NotEntitled};
use market::{Channel, InstrumentName, Nanos, decimal};
use serde_json::{Value, json};
use streams::{ChannelReport, Ledger, Report};
use wire::control::Symbol;
use wire::{Encoding, Head, Status, View, sbe};

use super::accept::Format;
use super::error::ApiError;
use super::messages::failed;
use super::query::{self, Query};
use super::reply::Reply;
use crate::clock::wall_clock;

pub(super) const PARAMETERS: &[&str] = &["symbol", "after", "limit"];
/// A publisher makes as many reports in half a millisecond.
const MOST: usize = 1000;
/// Bytes of a page, so that a client that does not read it costs little, however many instruments there are.
pub(super) const PAGE_BYTES: usize = 56 * 1024;
/// Instruments that publishers are asked about at once: of some kinds a page holds hardly more.
const ASKED_AT_ONCE: usize = 128;
/// Steps in which the directory is scanned for one page, of about 1 ms each: a pattern with many `*`, or a
/// token with many, that matches little would otherwise scan all of it.
const LOOKS: usize = 16;

/// Kinds of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// Its definition and source.
    Instrument,
    /// Its current state.
    Status,
    /// What became of its records and messages, counted.
    Ledger,
}

impl About {
    /// The field of a list of them.
    const fn list(self) -> &'static str {
        match self {
            Self::Instrument => "instruments",
            Self::Status => "statuses",
            Self::Ledger => "ledger",
        }
    }

    pub(super) const fn formats(self) -> &'static [Format] {
        match self {
            Self::Ledger => &[Format::Json],
            _ => &[Format::Json, Format::Messages(Encoding::Sbe)],
        }
    }
}

/// The requested maximum of instruments in a list.
pub(super) fn limit(query: &Query) -> Result<u32, ApiError> {
    let limit = query.count("limit", MOST, MOST)?;
    Ok(u32::try_from(limit).unwrap_or(u32::MAX))
}

/// One page of a list of instruments, sorted by name.
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
    let (listings, more) = collect(directory, symbol.as_ref(), after, limit, grant).await;
    let mut page = Page::new(about, format);
    'all: for asked in listings.chunks(ASKED_AT_ONCE) {
        let reports = fetch(fetcher, grant, asked).await?;
        for (reports, listing) in reports.iter().zip(asked) {
            if !page.add(listing.name(), reports) {
                break 'all;
            }
        }
    }
    let next = page.next(&listings, more);
    let link = next.as_ref().map(|next| link(query, next));
    Ok(Reply {
        next: link,
        ..page.reply(next)
    })
}

/// A page of a list under construction.
///
/// Invariant: it has at most [`PAGE_BYTES`], or one entry.
struct Page {
    about: About,
    format: Format,
    entries: usize,
    body: Vec<u8>,
    /// Like `body` but without the time of the report: identifies the content.
    undated: Vec<u8>,
}

impl Page {
    const fn new(about: About, format: Format) -> Self {
        Self {
            about,
            format,
            entries: 0,
            body: Vec::new(),
            undated: Vec::new(),
        }
    }

    /// Adds an instrument. Returns false if it does not fit: it belongs to the next page.
    fn add(&mut self, name: &InstrumentName, reports: &[Report]) -> bool {
        let mut entry = Vec::new();
        match self.format {
            Format::Messages(_) => encode(self.about, reports, wall_clock(), &mut entry),
            Format::Json => {
                let comma = if self.entries > 0 { "," } else { "" };
                entry = format!("{comma}{}", report_json(self.about, name, reports)).into_bytes();
            }
        }
        if self.entries > 0 && self.body.len() + entry.len() > PAGE_BYTES {
            return false;
        }
        self.entries += 1;
        self.body.append(&mut entry);
        if matches!(self.format, Format::Messages(_)) {
            encode(self.about, reports, Nanos(0), &mut self.undated);
        }
        true
    }

    /// The last instrument of the page, if others follow it.
    fn next(
        &self,
        listings: &[Arc<Listing>],
        more: Option<InstrumentName>,
    ) -> Option<InstrumentName> {
        if self.entries == listings.len() {
            return more;
        }
        let last = listings.get(self.entries.checked_sub(1)?)?;
        Some(last.name().clone())
    }

    fn reply(self, next: Option<InstrumentName>) -> Reply {
        let Self {
            about,
            format,
            body,
            undated,
            ..
        } = self;
        if matches!(format, Format::Messages(_)) {
            return dated(format, body, undated);
        }
        let next = json!(next.as_ref().map(InstrumentName::as_str));
        let list = about.list();
        let mut page = format!("{{\"{list}\":[").into_bytes();
        page.extend(body);
        page.extend(format!("],\"next\":{next}}}\n").into_bytes());
        Reply::of(format, page)
    }
}

/// The query of the next page, relative to this one's path.
fn link(query: &Query, next: &InstrumentName) -> String {
    let mut link = format!("?after={}", query::encode(next.as_str()));
    for (name, value) in query.all().filter(|(name, _)| *name != "after") {
        link.push_str(&format!("&{name}={}", query::encode(value)));
    }
    link
}

/// The next instruments, and where the next page continues if more may follow. Scans the directory in
/// steps, so that other requests are served in between.
async fn collect(
    directory: &Directory,
    symbol: Option<&Symbol>,
    after: Option<&str>,
    limit: usize,
    grant: &Grant,
) -> (Vec<Arc<Listing>>, Option<InstrumentName>) {
    let mut page = directory.page(symbol, after, limit, grant);
    let mut listings = page.listings;
    for _ in 1..LOOKS {
        let Some(last) = page.next.take_if(|_| listings.len() < limit) else {
            break;
        };
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
    let reports = reports.first().map(Vec::as_slice).unwrap_or_default();
    if let Format::Messages(_) = format {
        return Ok(encoded(about, reports, format));
    }
    Ok(Reply::json(&report_json(about, name, reports)))
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
                let may_have = |source: &ChannelReport| grant.may_have(source.channel);
                report.channels.retain(may_have);
            }
            Ok(reports)
        }
        Err(error) => Err(name.map_or_else(nobody, |name| failed(error, name))),
    }
}

/// The report of the book's publisher; a second one, if any, covers trades.
fn main(reports: &[Report]) -> Option<&Report> {
    let has_book = |report: &&Report| {
        let mut channels = report.channels.iter();
        channels.any(|source| source.channel == Channel::Book)
    };
    reports.iter().find(has_book).or_else(|| reports.first())
}

fn report_json(about: About, name: &InstrumentName, reports: &[Report]) -> Value {
    let Some(report) = main(reports) else {
        // Listed, but its publisher has not created it yet.
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
    // Each channel once; the book's publisher reports the state.
    let is_its = |source: &&ChannelReport| {
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

/// The source of a channel's messages: `seq` is an offset of this partition in this epoch.
fn lineage(source: &ChannelReport) -> Value {
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

fn status_source(report: &Report) -> Option<&ChannelReport> {
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
        "refused": sum(|ledger| ledger.rejected),
        "unusable": sum(|ledger| ledger.unusable),
        "resyncs": sum(|ledger| ledger.resyncs),
        "recoveries": sum(|ledger| ledger.recoveries),
        "conflated": sum(|ledger| ledger.conflated),
        "lostToSlowClients": sum(|ledger| ledger.lost_to_slow),
    })
}

/// Writes one instrument as SBE messages.
fn encoded(about: About, reports: &[Report], format: Format) -> Reply {
    let written = |now| {
        let mut body = Vec::new();
        encode(about, reports, now, &mut body);
        body
    };
    dated(format, written(wall_clock()), written(Nanos(0)))
}

/// Messages, tagged by their content without the time of the report.
fn dated(format: Format, body: Vec<u8>, undated: Vec<u8>) -> Reply {
    Reply {
        body: Box::new(move || body),
        ..Reply::of(format, undated)
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
    // Cannot fail: a valid name is far shorter than the encoder's limit.
    let _written = sbe::instrument(out, &head, &instrument);
}

#[cfg(test)]
mod tests;
