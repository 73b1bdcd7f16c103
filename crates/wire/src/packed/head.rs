//! The head of a packed message: whole bytes, then its sequence in bits.
//!
//! `publishTime` comes right after the first byte, so that everything after it is identical on
//! two nodes.

use market::{Epoch, InstrumentId, Nanos, Seq};

use super::bits::{BitReader, BitWriter};
use super::codes::{append_varint, unzigzag, zigzag};
use crate::sbe::{DecodeError, Fault};
use crate::{Head, View};

/// The name in errors, since the message is not known yet.
const HEAD: &str = "head";

/// The form of the head: the low three bits of the first byte.
mod form {
    pub(super) const NO_EVENT_TIME: u8 = 0;
    pub(super) const MILLIS: u8 = 1;
    pub(super) const MICROS: u8 = 2;
    pub(super) const NANOS: u8 = 3;
    /// Every field at its full length.
    pub(super) const LONG: u8 = 4;
    /// The event time is relative to the era, as the log time is.
    pub(super) const FAR: u8 = 5;
}

/// In the first byte: a view other than 0 follows.
const HAS_VIEW: u8 = 8;

/// 2020-01-01T00:00:00Z in ms: log times are counted from it, in 40 bits, which last until 2054.
const ERA_MILLIS: u64 = 1_577_836_800_000;
const NANOS_A_MILLI: u64 = 1_000_000;
/// The units of event times, by their form.
const UNITS: [(u8, i64); 3] = [
    (form::MILLIS, 1_000_000),
    (form::MICROS, 1_000),
    (form::NANOS, 1),
];

/// How far from the log time an event time may be, in ms, before it is shorter relative to the era:
/// a varint of 5 bytes, zigzag.
const MAX_NEAR_MILLIS: i64 = 1 << 34;

/// A head that fits the short forms, as every usual one does.
struct Short {
    /// The highest byte is 0.
    instrument: [u8; 8],
    log: [u8; 5],
    seq: u64,
    distance: u64,
}

/// How an event time is written.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// Relative to the log time: the form, and the distance in its unit.
    Near(u8, i64),
    /// Relative to the era.
    Far([u8; 5]),
}

impl Event {
    fn of(time: Nanos, log: Nanos) -> Self {
        let after = since(time, log);
        let (form, unit) = UNITS
            .into_iter()
            .find(|(_, unit)| after % unit == 0)
            .unwrap_or((form::NANOS, 1));
        let units = after / unit;
        let is_far = form == form::MILLIS && !(-MAX_NEAR_MILLIS..MAX_NEAR_MILLIS).contains(&units);
        match in_era(time).filter(|_| is_far) {
            Some(millis) => Self::Far(millis),
            None => Self::Near(form, units),
        }
    }
}

/// A time in ms since the era, if it fits 40 bits.
fn in_era(time: Nanos) -> Option<[u8; 5]> {
    let millis = (time.0 / NANOS_A_MILLI).checked_sub(ERA_MILLIS)?;
    let [a, b, c, d, e, 0, 0, 0] = millis.to_le_bytes() else {
        return None;
    };
    let is_whole = time.0.is_multiple_of(NANOS_A_MILLI);
    is_whole.then_some([a, b, c, d, e])
}

/// The inverse of [`in_era`].
const fn from_era([a, b, c, d, e]: [u8; 5]) -> Nanos {
    let millis = ERA_MILLIS + u64::from_le_bytes([a, b, c, d, e, 0, 0, 0]);
    Nanos(millis * NANOS_A_MILLI)
}

/// The order of the code for the distance from `prevSeq` to `seq`.
const DISTANCE_ORDER: u32 = 2;

/// Appends the head. Returns the writer for the body.
pub(super) fn append<'a>(out: &'a mut Vec<u8>, kind: u8, head: &Head) -> BitWriter<'a> {
    let Some(short) = short(head) else {
        append_long(out, kind, head);
        return BitWriter::new(out);
    };
    append_short(out, kind, head, &short);
    let mut bits = BitWriter::new(out);
    bits.wide(short.seq);
    bits.golomb(short.distance, DISTANCE_ORDER);
    bits
}

fn short(head: &Head) -> Option<Short> {
    let instrument = head.instrument.0.to_le_bytes();
    let log = in_era(head.log_time)?;
    let is_short = instrument[7] == 0
        && head.prev_seq >= Seq::NONE
        && head.event_time != Some(Nanos(u64::MAX));
    if !is_short {
        return None;
    }
    Some(Short {
        instrument,
        log,
        seq: u64::try_from(head.seq.0.checked_add(1)?).ok()?,
        distance: u64::try_from(head.seq.0.checked_sub(head.prev_seq.0)?).ok()?,
    })
}

fn append_short(out: &mut Vec<u8>, kind: u8, head: &Head, short: &Short) {
    let log = head.log_time;
    let event = head.event_time.map(|time| Event::of(time, log));
    let form = match event {
        None => form::NO_EVENT_TIME,
        Some(Event::Near(form, _)) => form,
        Some(Event::Far(_)) => form::FAR,
    };
    let has_view = head.view != View::FULL_RAW;
    out.push(kind << 4 | if has_view { HAS_VIEW } else { 0 } | form);
    append_varint(out, zigzag(since(head.publish_time, log)));
    out.extend_from_slice(&short.instrument[..7]);
    out.extend_from_slice(&head.epoch.0.to_le_bytes());
    if has_view {
        out.extend_from_slice(&head.view.0.to_le_bytes());
    }
    out.extend_from_slice(&short.log);
    match event {
        None => {}
        Some(Event::Near(_, units)) => append_varint(out, zigzag(units)),
        Some(Event::Far(millis)) => out.extend_from_slice(&millis),
    }
}

fn append_long(out: &mut Vec<u8>, kind: u8, head: &Head) {
    let event = head.event_time.map_or(u64::MAX, |time| time.0);
    out.push(kind << 4 | form::LONG);
    out.extend_from_slice(&head.publish_time.0.to_le_bytes());
    out.extend_from_slice(&head.instrument.0.to_le_bytes());
    out.extend_from_slice(&head.epoch.0.to_le_bytes());
    out.extend_from_slice(&head.view.0.to_le_bytes());
    out.extend_from_slice(&head.log_time.0.to_le_bytes());
    out.extend_from_slice(&event.to_le_bytes());
    out.extend_from_slice(&head.seq.0.to_le_bytes());
    out.extend_from_slice(&head.prev_seq.0.to_le_bytes());
}

/// The time after `base`; overflow wraps, and wraps back when read.
const fn since(time: Nanos, base: Nanos) -> i64 {
    time.0.wrapping_sub(base.0).cast_signed()
}

const fn after(base: Nanos, nanos: i64) -> Nanos {
    Nanos(base.0.wrapping_add(nanos.cast_unsigned()))
}

/// Reads the first byte and the head. Returns the template and the reader for the body as well.
pub(super) fn read(payload: &[u8], begin: usize) -> Result<(u8, Head, BitReader<'_>), DecodeError> {
    let mut bytes = Bytes { payload, at: begin };
    let [first] = bytes.array("kind")?;
    let (kind, form) = (first >> 4, first & 7);
    let has_view = first & HAS_VIEW != 0;
    let mut head = match form {
        form::LONG if !has_view => read_long(&mut bytes)?,
        form::NO_EVENT_TIME | form::MILLIS | form::MICROS | form::NANOS | form::FAR => {
            read_short(&mut bytes, form, has_view)?
        }
        _ => return Err(error("kind", begin, Fault::Reserved)),
    };
    let mut bits = BitReader::new(payload, bytes.at, HEAD);
    if form != form::LONG {
        let seq = bits.wide("seq")?;
        let seq = i64::try_from(seq).map_err(|_| bits.error("seq", Fault::TooLarge))? - 1;
        let distance = bits.golomb("prevSeq", DISTANCE_ORDER)?;
        let distance =
            i64::try_from(distance).map_err(|_| bits.error("prevSeq", Fault::TooLarge))?;
        head.seq = Seq(seq);
        head.prev_seq = Seq(seq.wrapping_sub(distance));
    }
    Ok((kind, head, bits))
}

fn read_short(bytes: &mut Bytes<'_>, form: u8, has_view: bool) -> Result<Head, DecodeError> {
    let publish = unzigzag(bytes.varint("publishTime")?);
    let [a, b, c, d, e, f, g] = bytes.array("instrumentId")?;
    let instrument = u64::from_le_bytes([a, b, c, d, e, f, g, 0]);
    let epoch = u32::from_le_bytes(bytes.array("epoch")?);
    let view = if has_view {
        View(u32::from_le_bytes(bytes.array("view")?))
    } else {
        View::FULL_RAW
    };
    let log_time = from_era(bytes.array("logTime")?);
    let event_time = match UNITS.into_iter().find(|(known, _)| *known == form) {
        Some((_, unit)) => {
            let begin = bytes.at;
            let units = unzigzag(bytes.varint("eventTime")?);
            let nanos = units.checked_mul(unit);
            Some(after(
                log_time,
                nanos.ok_or_else(|| error("eventTime", begin, Fault::TooLarge))?,
            ))
        }
        None if form == form::FAR => Some(from_era(bytes.array("eventTime")?)),
        None => None,
    };
    Ok(Head {
        instrument: InstrumentId(instrument),
        epoch: Epoch(epoch),
        view,
        // These two are in bits.
        prev_seq: Seq::NONE,
        seq: Seq::NONE,
        event_time,
        log_time,
        publish_time: after(log_time, publish),
    })
}

fn read_long(bytes: &mut Bytes<'_>) -> Result<Head, DecodeError> {
    let publish_time = Nanos(u64::from_le_bytes(bytes.array("publishTime")?));
    let instrument = InstrumentId(u64::from_le_bytes(bytes.array("instrumentId")?));
    let epoch = Epoch(u32::from_le_bytes(bytes.array("epoch")?));
    let view = View(u32::from_le_bytes(bytes.array("view")?));
    let log_time = Nanos(u64::from_le_bytes(bytes.array("logTime")?));
    let event = u64::from_le_bytes(bytes.array("eventTime")?);
    let seq = Seq(i64::from_le_bytes(bytes.array("seq")?));
    let prev_seq = Seq(i64::from_le_bytes(bytes.array("prevSeq")?));
    Ok(Head {
        instrument,
        epoch,
        view,
        prev_seq,
        seq,
        event_time: (event != u64::MAX).then_some(Nanos(event)),
        log_time,
        publish_time,
    })
}

const fn error(field: &'static str, offset: usize, fault: Fault) -> DecodeError {
    DecodeError {
        message: HEAD,
        field,
        offset,
        fault,
    }
}

/// Reads the bytes of a head.
struct Bytes<'a> {
    payload: &'a [u8],
    at: usize,
}

impl Bytes<'_> {
    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let rest = self.payload.get(self.at..).unwrap_or_default();
        let Some(array) = rest.first_chunk::<N>() else {
            let fault = Fault::Truncated {
                needed: N,
                left: rest.len(),
            };
            return Err(error(field, self.at, fault));
        };
        self.at += N;
        Ok(*array)
    }

    /// An LEB128 varint of at most 10 bytes, the tenth at most 1.
    fn varint(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        let begin = self.at;
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array(field)?;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(error(field, begin, Fault::TooLarge))
    }
}
