//! What a node is given: a TOML file, the environment and flags.
//!
//! A configuration is parsed once, into the types that the crates work with. All errors are reported together,
//! each with the key, its value, where it was set and what is allowed. So a node that starts has a
//! configuration that is valid as a whole.
//!
//! Invariants:
//! - Precedence, highest first: flags, environment variables, the file, defaults.
//! - An unknown key is an error, in the file and in the environment.
//! - A key is declared once, by [`section!`], in the file of its section: its type, bounds, default,
//!   whether a reload applies it, its error text and its row in `docs/configuration.md` come from there.
//! - Secrets are never shown.
//!
//! Modules in reading order: [`source`], [`value`], [`mod@file`] and [`environment`] merge all sources into one tree;
//! [`key`], [`kind`] and [`mod@section`] declare keys, and [`schema`] has all of them; [`flat`] finds unknown
//! keys; [`reader`] reads known ones, with [`mod@unit`], [`mod@error`] and [`effective`]; then the sections; and
//! [`open_files`].

mod effective;
mod environment;
mod error;
mod file;
mod flat;
mod key;
mod kind;
mod open_files;
mod reader;
mod schema;
mod section;
mod source;
mod unit;
mod value;

mod auth;
mod checkpoints;
mod fanout;
mod history;
mod instruments;
mod kafka;
mod limits;
mod lists;
mod log;
mod mappings;
mod public;
mod session;
mod streams;
mod tls;
mod topics;
mod traces;

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
use crate::instruments::Instruments;
use crate::logging::Log;
use crate::traces::TraceSettings;

use self::fanout::Fanout;
use flat::Flat;
use limits::Limits;
use public::{Admin, Public};
use reader::Reader;
use schema::Schema;
use section::Section as _;
use session::Session;
use streams::Streams;

pub use effective::Effective;
pub use error::{ConfigError, ConfigErrors};
pub use log::log_filter;
pub(crate) use open_files::fit_sessions;
pub use source::{Flag, Sources};
pub use value::Origin;

/// In the order of the documentation.
const SCHEMA: Schema = Schema(&[
    Public::KEYS,
    Admin::KEYS,
    kafka::Kafka::KEYS,
    topics::Topic::KEYS,
    mappings::MappingTable::KEYS,
    instruments::InstrumentsTable::KEYS,
    instruments::RuleTable::KEYS,
    lists::List::KEYS,
    Limits::KEYS,
    Session::KEYS,
    Streams::KEYS,
    Fanout::KEYS,
    checkpoints::Checkpoints::KEYS,
    history::History::KEYS,
    tls::Tls::KEYS,
    auth::Auth::KEYS,
    auth::Jwt::KEYS,
    auth::StaticKey::KEYS,
    traces::Traces::KEYS,
    log::LogTable::KEYS,
]);

/// A valid configuration.
pub struct Config {
    /// Address of the admin listener.
    pub admin: SocketAddr,
    /// What is read from Kafka, and how.
    pub(crate) ingest: IngestConfig,
    /// Silence of all brokers after which the node is not ready.
    pub(crate) lost_after: Duration,
    /// Exponents, aliases and limits of instruments.
    pub(crate) instruments: Arc<Instruments>,
    /// Lists of instruments that clients may subscribe to.
    pub(crate) lists: ::fanout::Lists,
    /// Limits and times of publishers.
    pub(crate) streams: ::streams::Settings,
    /// Limits and times of the fan-out, and the public listener.
    pub fanout: ::fanout::Settings,
    pub(crate) checkpoints: CheckpointSettings,
    pub(crate) history: HistorySettings,
    pub(crate) traces: TraceSettings,
    /// Levels and format of the log.
    pub log: Log,
    /// Certificates and key sets to reload when they change.
    pub(crate) files: Vec<PathBuf>,
    /// All values in effect.
    pub effective: Effective,
}

impl Config {
    /// Reads everything, or reports all errors.
    pub fn load(sources: Sources) -> Result<Self, ConfigErrors> {
        let file = sources.file.as_ref().map(|file| file.name.clone());
        let mut errors = Vec::new();
        let root = match merge(sources, &mut errors) {
            Ok(root) => root,
            Err(list) => return Err(ConfigErrors { file, list }),
        };
        let flat = Flat::of(root, SCHEMA, &mut errors);
        let mut reader = Reader::new(flat, errors);
        let config = Self::read(&mut reader);
        if reader.errors.is_empty() {
            Ok(Self {
                effective: Effective(reader.settings),
                ..config
            })
        } else {
            let list = reader.errors;
            Err(ConfigErrors { file, list })
        }
    }

    /// In the order of the documentation.
    fn read(reader: &mut Reader) -> Self {
        let mut files = Vec::new();
        let public = Public::read(reader);
        let admin = Admin::read(reader);
        if public.listen == admin.listen && admin.listen.port() != 0 {
            admin.error(reader, &Admin::listen, "another address than public.listen");
        }
        let (ingest, lost_after) = kafka::read(reader);
        let instruments = instruments::read(reader);
        let lists = lists::read(reader);
        let limits = Limits::read(reader);
        let session = Session::read(reader);
        let streams = Streams::read(reader);
        let fanout = Fanout::read(reader);
        let checkpoints = checkpoints::read(reader);
        let history = history::read(reader);
        let tls = tls::read(reader, &mut files);
        let origins = public.origins.clone().unwrap_or_default();
        let access = auth::read(reader, origins, &mut files);
        let traces = traces::read(reader);
        let log = log::read(reader);
        let sections = (&public, &limits, &session, &streams, &fanout);
        Self {
            admin: admin.listen,
            ingest,
            lost_after,
            streams: ::streams::Settings {
                log_bytes: streams.log_bytes_per_instrument,
                log_budget: streams.log_bytes,
                heartbeat_after: session.heartbeat_interval,
                stale_after: instruments.stale_after,
                book_levels: limits.book_levels_per_side,
                grouped_views: streams.grouped_views_per_instrument,
                grouped_view_bytes: streams.grouped_view_bytes,
            },
            fanout: fanout::settings(sections, access, tls),
            instruments: Arc::new(instruments),
            lists,
            checkpoints,
            history,
            traces,
            log,
            files,
            effective: Effective(Vec::new()),
        }
    }
}

/// Merges the file, the environment and the flags, each of which overrides the ones before.
fn merge(
    sources: Sources,
    errors: &mut Vec<ConfigError>,
) -> Result<BTreeMap<String, value::Node>, Vec<ConfigError>> {
    let mut root = match &sources.file {
        Some(file) => file::read(&file.text)?,
        None => BTreeMap::new(),
    };
    environment::overlay(&mut root, &sources.environment, SCHEMA, errors);
    for (flag, value) in &sources.flags {
        environment::overlay_flag(&mut root, flag.path(), value);
    }
    Ok(root)
}
