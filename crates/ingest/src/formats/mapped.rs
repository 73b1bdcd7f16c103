//! Any other JSON, described by a [`Mapping`] in the configuration.
//!
//! Modules in reading order: `pointer` names a position in a record, `mapping` validates the
//! configuration, `tree` finds all fields of a record in one walk, and `read_levels` and
//! `read_trades` read their values.

mod mapping;
mod pointer;
mod read_levels;
mod read_trades;
mod tree;

pub use mapping::{Kind, Mapping, MappingConfig, MappingError, Otherwise, SymbolFrom, TimeUnit};

use market::{Exponents, Nanos, Scope, SeqLink, SnapshotOrigin};
use simd_json::StaticNode;
use simd_json::tape::Node;

use crate::json::{Document, Fault, Field, ROOT, TapePos, Texts};
use crate::record_reader::{Parsed, RecordReader, link};
use crate::{ErrorKind, Resolve, levels, times};
use tree::Found;

/// Every mapping has its own keys.
pub(super) const LISTS: &[&[&str]] = &[];

pub(super) fn read<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Parsed, Fault> {
    // A rule without a mapping is an error of the configuration, with which no node starts.
    let Some(mapping) = reader.source.mapping.as_deref() else {
        return Err(Fault::at(ROOT, ErrorKind::UnknownKind));
    };
    let document = reader.document;
    let mut texts = Texts::new();
    let found = mapping.message.find(&document);
    let kind = kind(&document, mapping, &found, &mut texts)?;
    reader.subject.scope = match kind {
        Kind::Nothing => return Ok(Parsed::Nothing),
        Kind::Snapshot | Kind::Delta => Scope::Book,
        Kind::Trades => Scope::Trades,
    };
    let exponents = resolve(reader, instruments, mapping, &found)?;
    found.ensure_unique()?;
    if kind == Kind::Trades {
        return read_trades::read(reader, mapping, &found, exponents);
    }
    let time = time(&document, mapping.time_unit, found.time)?;
    read_levels::read(reader, mapping, &found, exponents)?;
    let seq = found.seq.not_null(&document);
    let number = seq.map(|pos| number(&document, pos)).transpose()?;
    let origin = if mapping.fetched {
        SnapshotOrigin::OutOfBand
    } else {
        SnapshotOrigin::InBand
    };
    if kind == Kind::Snapshot {
        return Ok(Parsed::Snapshot {
            seq: number,
            origin,
            time,
        });
    }
    let link = match (seq, number) {
        (Some(pos), Some(number)) => sequence(&document, mapping, &found, pos, number)?,
        _ if mapping.is_numbered => return Err(Fault::missing(ROOT, "seq")),
        _ => None,
    };
    Ok(Parsed::Delta { link, origin, time })
}

fn kind(
    document: &Document<'_, '_>,
    mapping: &Mapping,
    found: &Found,
    texts: &mut Texts,
) -> Result<Kind, Fault> {
    let pos = found.kind.get();
    let known = match pos {
        Some(pos) => {
            word(document, pos, texts).and_then(|word| find(&mapping.kinds, word).copied())
        }
        None => None,
    };
    match (known, mapping.otherwise) {
        (Some(kind), _) => Ok(kind),
        (None, Otherwise::Is(kind)) => Ok(kind),
        (None, Otherwise::Refuse) => {
            Err(Fault::at(pos.unwrap_or_default(), ErrorKind::UnknownKind))
        }
    }
}

/// Finds the meaning of a value in a configured list, which has a handful of values.
fn find<'m, T>(words: &'m [(String, T)], word: &str) -> Option<&'m T> {
    let known = words.iter().find(|(known, _)| known == word);
    known.map(|(_, meaning)| meaning)
}

/// A value as it is named in the configuration; `None` for containers.
fn word<'a>(document: &Document<'_, 'a>, pos: TapePos, texts: &mut Texts) -> Option<&'a str> {
    match document.node(pos) {
        Node::String(text) => Some(text),
        Node::Static(StaticNode::Bool(true)) => Some("true"),
        Node::Static(StaticNode::Bool(false)) => Some("false"),
        Node::Static(StaticNode::Null) => Some("null"),
        Node::Static(_) => std::str::from_utf8(texts.number(document, pos)).ok(),
        Node::Object { .. } | Node::Array { .. } => None,
    }
}

fn resolve<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
    mapping: &Mapping,
    found: &Found,
) -> Result<Exponents, Fault> {
    let (symbol, pos) = match mapping.symbol_from {
        SymbolFrom::Value => {
            let pos = found.symbol.needed(ROOT, "symbol")?;
            (Some(reader.document.text(pos)?), pos)
        }
        SymbolFrom::Key => {
            let key = reader.key.and_then(|key| std::str::from_utf8(key).ok());
            (key, ROOT)
        }
        SymbolFrom::Topic => (reader.source.symbol.as_deref(), ROOT),
    };
    let symbol = symbol.ok_or(Fault::at(pos, ErrorKind::MissingSymbol))?;
    let venue = reader.source.venue.as_str();
    let name = if venue.is_empty() {
        let no_colon = ErrorKind::BadName(market::NameError::NoColon);
        symbol.split_once(':').ok_or(Fault::at(pos, no_colon))?
    } else {
        (venue, symbol)
    };
    Ok(reader.resolve(instruments, name, pos)?.exponents)
}

/// The link of a delta. Its predecessor is the number that it states, else the one before its first
/// number, else the one before its own.
fn sequence(
    document: &Document<'_, '_>,
    mapping: &Mapping,
    found: &Found,
    pos: TapePos,
    seq: u64,
) -> Result<Option<SeqLink>, Fault> {
    let prev = match (
        found.prev_seq.not_null(document),
        found.first_seq.not_null(document),
    ) {
        (Some(prev), _) => number(document, prev)?,
        (None, Some(first)) => number(document, first)?.saturating_sub(1),
        (None, None) if mapping.has_first_seq => {
            return Err(Fault::missing(ROOT, "first_seq"));
        }
        (None, None) if mapping.has_prev_seq => {
            return Err(Fault::missing(ROOT, "prev_seq"));
        }
        (None, None) => seq.saturating_sub(1),
    };
    link(pos, prev, seq)
}

/// Reads a sequence number, which is a number or a string that contains one.
fn number(document: &Document<'_, '_>, pos: TapePos) -> Result<u64, Fault> {
    let Node::String(text) = document.node(pos) else {
        return document.unsigned(pos);
    };
    let expected = "a whole number from 0 to 2^63 - 1";
    text.parse()
        .ok()
        .filter(|number| i64::try_from(*number).is_ok())
        .ok_or(Fault::at(pos, ErrorKind::BadValue { expected }))
}

fn time(document: &Document<'_, '_>, unit: TimeUnit, field: Field) -> Result<Option<Nanos>, Fault> {
    let Some(pos) = field.not_null(document) else {
        return Ok(None);
    };
    if unit == TimeUnit::Date {
        return times::date(document, pos).map(Some);
    }
    let text = levels::decimal_text(document, pos, &mut Texts::new())?;
    times::scaled(text, unit.exponent(), pos).map(Some)
}
