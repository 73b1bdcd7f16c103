use std::time::Duration;

use super::kind::{HOUR, KIB, MIB, duration, size};
use super::section::section;

section! {
    Session in "session":
    // As Binance; shorter than the idle time-out of every common proxy (60 s).
    /// Interval of pings to a client.
    live ping_interval: Duration = duration(Duration::from_millis(100), HOUR), default "20s";
    /// Time for a client to answer a ping; then it is closed with 4001.
    live pong_timeout: Duration = duration(Duration::from_millis(100), HOUR), default "10s";
    /// A subscribed stream without messages for this long repeats its last sequence number.
    fixed heartbeat_interval: Duration = duration(Duration::from_millis(100), HOUR), default "5s";
    // The kernel doubles it. Half a second of a busy full book, so that a short stall is not lag.
    /// `SO_SNDBUF` of client sockets: what the kernel buffers for a client before it counts as lagging.
    live send_buffer_bytes: usize = size(4 * KIB, 64 * MIB), default "64KiB";
    // The kernel doubles it. Four requests of the largest size; anything beyond them waits in the
    // client.
    /// `SO_RCVBUF` of client sockets: what the kernel buffers from a client before the node reads it.
    fixed receive_buffer_bytes: usize = size(4 * KIB, 64 * MIB), default "16KiB";
    // What is buffered there can no longer be conflated. Small enough for some milliseconds of any book, large
    // enough not to slow down a core that sends a gigabyte a second.
    /// `TCP_NOTSENT_LOWAT` of client sockets: what the kernel may buffer without having sent it; anything beyond
    /// is conflated instead.
    live not_sent_bytes: u32 = size(KIB, 64 * MIB), default "32KiB";
    // Ctrl-C stops a node within two seconds.
    /// Time between `GoAway` and closing the sessions when the node stops.
    live drain_delay: Duration = duration(Duration::ZERO, HOUR), default "1s";
    /// Duration over which sessions get their `GoAway` when the node stops, in waves; each is closed
    /// `drain_delay` later. With 0, all get it at once.
    live drain_for: Duration = duration(Duration::ZERO, HOUR), default "0s";
}
