use std::time::Duration;

use super::kind::{GIB, HOUR, KIB, LOOKBACK, MIB, SECOND, duration, integer, size};
use super::reader::Reader;
use super::section::{Section as _, section};
use crate::history::HistorySettings;

section! {
    History in "history":
    // Each has a thread, its instrument's book, a page, and some records.
    /// The most replays at a time; further ones are rejected with `busy`. 0 turns replay off.
    fixed replays: usize = integer(0, 1024), default "16";
    // Book, bbo, trades and status of one instrument.
    /// The most replays of one session; further ones are rejected with `busy`.
    fixed replays_per_session: usize = integer(1, 1024), default "4";
    // Half of all, so that no address can hold them all.
    /// The most replays of one address, or one /64 of IPv6; further ones are rejected with `busy`.
    fixed replays_per_address: usize = integer(1, 1024), default "8";
    /// When a client has not read a page of its replay for this long, the replay ends, and the stream
    /// continues like that of a lagging client once it reads.
    fixed stall_timeout: Duration = duration(SECOND, HOUR), default "1m";
    // A session of a stock exchange in real time.
    /// How long a replay may take, whatever its `pace`; then the stream continues live, like that of a
    /// lagging client.
    fixed longest: Duration = duration(SECOND, LOOKBACK), default "8h";
    // Most feeds send a snapshot every minute or so.
    /// How far before its start a replay looks for the last snapshot; doubled each time there is none.
    fixed look_back: Duration = duration(Duration::from_millis(100), LOOKBACK), default "1m";
    // As much as one visit of a session sends.
    /// Replayed messages that a session is sent at a time; the next page follows when these are sent.
    fixed page_bytes: usize = size(KIB, 16 * MIB), default "64KiB";
    // Each costs some 10 MiB and four threads. Two keep one that reads far back from holding up the others.
    /// Kafka clients that all replays share in turns. They exist only while there are replays.
    fixed readers: usize = integer(1, 64), default "2";
    // A few pages ahead; brokers answer a fetch within milliseconds.
    /// Records waiting in each of these clients, plus one fetch of the same size (64 KiB to 1 MiB).
    fixed queue_bytes: usize = size(KIB, GIB), default "256KiB";
}

pub(super) fn read(reader: &mut Reader) -> HistorySettings {
    let history = History::read(reader);
    HistorySettings {
        replays: history.replays,
        per_session: history.replays_per_session,
        per_address: history.replays_per_address,
        stall_timeout: history.stall_timeout,
        longest: history.longest,
        look_back: history.look_back,
        page_bytes: history.page_bytes,
        readers: history.readers,
        queue_bytes: history.queue_bytes,
    }
}
