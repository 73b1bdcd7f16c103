//! What a node is told: a TOML file, the environment and flags.
//!
//! A configuration is read once. Texts become values of the types that the crates work with, or
//! mistakes; all mistakes are reported together, each with its key, what was given, where, and what
//! it may be. So a node that starts has a configuration that is right as a whole.
//!
//! Invariants:
//! - Flags come before the environment, that before the file, that before the defaults.
//! - A key that nobody knows is a mistake, in the file and in the environment.
//! - [`keys::KEYS`] is the only description of a key: defaults, bounds, messages and the table in
//!   `docs/configuration.md` come from it.
//! - Secrets are never shown.
//!
//! In reading order: [`source`], then [`value`], [`mod@file`] and [`environment`], which make one tree
//! of all sources; [`key`] and [`keys`], which say what there may be; [`flat`] and [`suggest`],
//! which sort out what is unknown; [`reader`] with [`mod@unit`], [`mistake`] and [`effective`]; the
//! sections [`kafka`], [`instruments`], [`lists`], [`tls`], [`auth`], [`traces`] and [`log`]; and [`open_files`].

mod auth;
mod effective;
mod environment;
mod file;
mod flat;
mod instruments;
mod kafka;
mod key;
mod keys;
mod lists;
mod log;
mod mappings;
mod mistake;
mod open_files;
mod reader;
mod source;
mod suggest;
mod tls;
mod traces;
mod unit;
mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ingest::IngestConfig;

use crate::checkpoints::CheckpointSettings;
use crate::history::HistorySettings;
use crate::logging::Log;
use crate::traces::TraceSettings;

use flat::Flat;
use reader::Reader;

pub use effective::Effective;
pub(crate) use instruments::{Instrument, Instruments};
pub use log::log_filter;
pub use mistake::{Mistake, Mistakes};
pub(crate) use open_files::fit_sessions;
pub use source::Sources;
pub use value::Origin;

/// A configuration without mistakes.
pub struct Config {
    /// The admin listener.
    pub admin: SocketAddr,
    /// What is read from Kafka.
    pub(crate) ingest: IngestConfig,
    /// How long Kafka may say nothing before the node is not ready.
    pub(crate) lost_after: Duration,
    /// Exponents, aliases and bounds of instruments.
    pub(crate) instruments: Arc<Instruments>,
    /// The lists that clients may name.
    pub(crate) lists: fanout::Lists,
    /// The bounds and times of publishers.
    pub(crate) streams: streams::Settings,
    /// The bounds and times of the fan-out, and the public listener.
    pub fanout: fanout::Settings,
    /// Where checkpoints are, and who writes them.
    pub(crate) checkpoints: CheckpointSettings,
    /// The bounds of replays.
    pub(crate) history: HistorySettings,
    /// Which records are followed, and who is told.
    pub(crate) traces: TraceSettings,
    /// What is logged.
    pub log: Log,
    /// Certificates and key sets that are read again when they change.
    pub(crate) files: Vec<PathBuf>,
    /// All values in force, to be shown.
    pub effective: Effective,
}

impl Config {
    /// Reads everything, or says everything that is wrong.
    pub fn load(sources: Sources) -> Result<Self, Mistakes> {
        let name = sources.file.as_ref().map(|file| file.name.clone());
        let refuse = |list| Mistakes { file: name, list };
        let mut mistakes = Vec::new();
        let root = match merge(sources, &mut mistakes) {
            Ok(root) => root,
            Err(list) => return Err(refuse(list)),
        };
        let flat = Flat::of(root, &mut mistakes);
        let mut reader = Reader::new(flat, mistakes);
        let config = Self::read(&mut reader);
        if reader.mistakes.is_empty() {
            Ok(Self {
                effective: Effective(reader.settings),
                ..config
            })
        } else {
            Err(refuse(reader.mistakes))
        }
    }

    /// In the order of the documentation.
    fn read(reader: &mut Reader) -> Self {
        let listen = reader.address("public.listen");
        let origins = auth::origins(reader);
        let trusted_proxies = trusted_proxies(reader);
        let mut files = Vec::new();
        let admin = reader.address("admin.listen");
        if listen == admin && listen.port() != 0 {
            reader.mistake("admin.listen", "another address than public.listen");
        }
        let (ingest, lost_after) = kafka::read(reader);
        let instruments = Instruments::read(reader);
        let lists = lists::read(reader);
        let mut fanout = fanout::Settings {
            listen,
            sessions: reader.count("limits.sessions"),
            handshakes: reader.count("limits.handshakes"),
            connections_per_address: reader.integer_or_off("limits.connections_per_address"),
            connection_rate: reader.integer_or_off("limits.connections_per_second"),
            connection_rate_per_address: reader
                .integer_or_off("limits.connections_per_second_per_address"),
            http_rate_per_address: reader
                .integer_or_off("limits.http_requests_per_second_per_address"),
            session: fanout::SessionSettings {
                streams_per_session: reader.count("limits.streams_per_session"),
                streams_per_request: reader.count("limits.streams_per_request"),
                grouped_views_per_session: reader.count("limits.grouped_views_per_session"),
                instruments_per_answer: reader.count("limits.instruments_per_answer"),
                inbound_message_bytes: reader.size("limits.inbound_message_bytes"),
                inbound_rate: reader.integer("limits.inbound_messages_per_second"),
                inbound_burst: reader.integer("limits.inbound_burst"),
                idle_session_timeout: reader.duration("limits.idle_session_timeout"),
                ..fanout::SessionSettings::default()
            },
            handshake_timeout: reader.duration("limits.handshake_timeout"),
            handshake_delay: reader.duration("limits.handshake_delay"),
            trusted_proxies,
            ..fanout::Settings::default()
        };
        let book_levels = reader.count("limits.book_levels_per_side");
        fanout.session.ping_interval = reader.duration("session.ping_interval");
        fanout.session.pong_timeout = reader.duration("session.pong_timeout");
        let heartbeat = reader.duration("session.heartbeat_interval");
        fanout.send_buffer = Some(reader.size("session.send_buffer_bytes"));
        fanout.receive_buffer = Some(reader.size("session.receive_buffer_bytes"));
        let not_sent = reader.size("session.not_sent_bytes");
        fanout.not_sent = u32::try_from(not_sent).ok();
        fanout.drain_delay = reader.duration("session.drain_delay");
        fanout.drain_for = reader.duration("session.drain_for");
        let log_bytes = reader.size("streams.log_bytes_per_instrument");
        let log_budget = reader.size("streams.log_bytes");
        let grouped_views = reader.count("streams.grouped_views_per_instrument");
        let grouped_view_bytes = reader.size("streams.grouped_view_bytes");
        fanout.session.run_bytes = reader.size("streams.run_bytes_per_stream");
        fanout.session.ring_budget = reader.size("streams.run_bytes_per_shard");
        fanout.session.run_bytes_for_slow = reader.size("streams.run_bytes_for_slow");
        fanout.session.run_bytes_per_slow = reader.size("streams.run_bytes_per_slow_session");
        fanout.shards = reader.threads("fanout.shards", cores());
        fanout.flush_delay = reader.duration("fanout.flush_delay");
        fanout.busy_percent = reader.integer("fanout.busy_percent");
        fanout.batched_sends = reader.choice("fanout.send") == "batched";
        fanout.tls = tls::read(reader, &mut files);
        fanout.access = Arc::new(auth::read(reader, origins, &mut files));
        Self {
            admin,
            ingest,
            lost_after,
            streams: streams::Settings {
                log_bytes,
                log_budget,
                heartbeat_after: heartbeat,
                stale_after: instruments.stale_after,
                book_levels,
                grouped_views,
                grouped_view_bytes,
            },
            instruments: Arc::new(instruments),
            lists,
            fanout,
            checkpoints: CheckpointSettings {
                topic: reader.checked("checkpoints.topic", topic),
                write_every: reader.duration_or_off("checkpoints.write_every"),
                create: reader.choice("checkpoints.create") == "missing",
            },
            history: HistorySettings {
                replays: reader.count("history.replays"),
                per_session: reader.count("history.replays_per_session"),
                per_address: reader.count("history.replays_per_address"),
                stall_timeout: reader.duration("history.stall_timeout"),
                longest: reader.duration("history.longest"),
                look_back: reader.duration("history.look_back"),
                page_bytes: reader.size("history.page_bytes"),
                readers: reader.count("history.readers"),
                queue_bytes: reader.size("history.queue_bytes"),
            },
            traces: traces::read(reader),
            log: Log::read(reader),
            files,
            effective: Effective(Vec::new()),
        }
    }
}

/// A name that Kafka allows.
fn topic(text: &str) -> Result<String, String> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let fits = (1..=249).contains(&text.len()) && text.chars().all(is_allowed);
    if fits && !matches!(text, "." | "..") {
        Ok(text.to_owned())
    } else {
        Err(keys::TOPIC.to_owned())
    }
}

/// One tree of the file, the environment and the flags, each laid over what was before.
fn merge(
    sources: Sources,
    mistakes: &mut Vec<Mistake>,
) -> Result<BTreeMap<String, value::Node>, Vec<Mistake>> {
    let mut root = match &sources.file {
        Some(file) => file::read(&file.text)?,
        None => BTreeMap::new(),
    };
    environment::overlay(&mut root, &sources.environment, mistakes);
    for (path, value) in &sources.flags {
        environment::overlay_flag(&mut root, path, value);
    }
    Ok(root)
}

/// The balancers that are believed.
fn trusted_proxies(reader: &mut Reader) -> Vec<fanout::Network> {
    let parse = |texts: &[String]| {
        let parsed = texts
            .iter()
            .map(|text| fanout::Network::parse(text).map_err(|error| format!("{text:?}: {error}")));
        parsed.collect::<Result<Vec<_>, _>>()
    };
    reader
        .checked_texts("public.trusted_proxies", parse)
        .unwrap_or_default()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
