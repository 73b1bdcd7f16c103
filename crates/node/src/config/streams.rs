use super::kind::{GIB, KIB, MIB, integer, size};
use super::section::section;

section! {
    Streams in "streams":
    // At 24 bytes a change, about 170,000 changes: a minute of the busiest book, an hour of most.
    /// The log of recent deltas of each book, from which clients resume and catch up; the logs of trades
    /// and of the best bid and offer have a quarter of it each.
    fixed log_bytes_per_instrument: usize = size(4 * KIB, GIB), default "4MiB";
    /// All logs of a publisher together; beyond that, each is cut to its share.
    fixed log_bytes: usize = size(MIB, 64 * GIB), default "128MiB";
    // A trading page has a handful of steps, in two or three speeds.
    /// Distinct grouped streams of one book, however many sessions share each; further ones are rejected
    /// with `too_many_views`. Streams without `group` are not limited.
    fixed grouped_views_per_instrument: usize = integer(1, 1024), default "32";
    // 16 to 32 bytes a grouped level: some 250 views of books of 10,000 levels by a very small step.
    /// Memory for the grouped streams of all books of a publisher; further ones are rejected with
    /// `too_many_views`.
    fixed grouped_view_bytes: usize = size(MIB, 64 * GIB), default "64MiB";
    // How far a client may lag: some seconds of the busiest book at the speed of a replay.
    /// Recent frames of each subscribed stream in each shard; a client that is further behind is caught up
    /// by a net change or a snapshot.
    fixed run_bytes_per_stream: usize = size(4 * KIB, GIB), default "8MiB";
    /// Recent frames of all streams of a shard; beyond that, each stream keeps 64 KiB.
    fixed run_bytes_per_shard: usize = size(MIB, 64 * GIB), default "256MiB";
    // A burst of one second of the busiest market, for clients that pause.
    /// Recent frames that a shard keeps for all clients whose sockets are full. Clients that need more are
    /// caught up by a net change or a snapshot once their socket has room. A client that keeps reading is
    /// not affected.
    fixed run_bytes_for_slow: usize = size(64 * KIB, 64 * GIB), default "1MiB";
    /// What a shard keeps in addition for each client whose socket is full, so that a lagging client costs
    /// a constant.
    fixed run_bytes_per_slow_session: usize = size(KIB, GIB), default "32KiB";
}
