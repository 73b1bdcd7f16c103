//! Fields that several sections have. [`Reader`] reads the primitive ones.

use market::{Nanos, Seq};

use super::reader::Reader;
use super::{CheckpointError, SavedStamp};

pub(super) fn put_stamp(out: &mut Vec<u8>, stamp: &SavedStamp) {
    put_i64(out, stamp.seq.0);
    put_option(out, stamp.event_time, |out, Nanos(time)| put_u64(out, time));
    put_u64(out, stamp.log_time.0);
}

pub(super) fn stamp(reader: &mut Reader<'_>) -> Result<SavedStamp, CheckpointError> {
    Ok(SavedStamp {
        seq: Seq(reader.i64()?),
        event_time: reader.option("event time", Reader::u64)?.map(Nanos),
        log_time: Nanos(reader.u64()?),
    })
}

pub(super) fn put_option<T>(
    out: &mut Vec<u8>,
    value: Option<T>,
    write: impl FnOnce(&mut Vec<u8>, T),
) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        write(out, value);
    }
}

pub(super) fn put_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn put_count(out: &mut Vec<u8>, count: usize) {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    out.extend_from_slice(&count.to_le_bytes());
}
