use std::time::Duration;

use super::kind::{HOUR, KIB, MIB, duration, size};
use super::section::section;

section! {
    Session in "session":
    // As Binance; shorter than the idle time-out of every common proxy (60 s).
    /// How often a client is pinged.
    live ping_interval: Duration = duration(Duration::from_millis(100), HOUR), default "20s";
    /// How long a client may take to answer a ping; then it is closed with 4001.
    live pong_timeout: Duration = duration(Duration::from_millis(100), HOUR), default "10s";
    /// A subscribed stream that was quiet for this long sends its last sequence number.
    fixed heartbeat_interval: Duration = duration(Duration::from_millis(100), HOUR), default "5s";
    // The kernel doubles it. Half a second of a busy full book, so that a short stall is not lag.
    /// `SO_SNDBUF` of a client's socket: what the kernel holds before the socket counts as full.
    live send_buffer_bytes: usize = size(4 * KIB, 64 * MIB), default "64KiB";
    // The kernel doubles it. Four requests of the largest size; anything beyond them waits in the
    // client.
    /// `SO_RCVBUF` of a client's socket: what the kernel holds of a client's data that the node has not
    /// read yet.
    fixed receive_buffer_bytes: usize = size(4 * KIB, 64 * MIB), default "16KiB";
    // What is buffered there can no longer be conflated. Small enough for some milliseconds of any book, large
    // enough not to slow down a core that sends a gigabyte a second.
    /// `TCP_NOTSENT_LOWAT` of a client's socket: what the kernel may hold unsent; beyond that, messages are
    /// conflated instead.
    live not_sent_bytes: u32 = size(KIB, 64 * MIB), default "32KiB";
    // Ctrl-C stops a node within two seconds.
    /// The time between `GoAway` and the close of the sessions when the node stops.
    live drain_delay: Duration = duration(Duration::ZERO, HOUR), default "1s";
    /// How long the waves of `GoAway` take when the node stops; each session is closed `drain_delay` after
    /// its `GoAway`. With 0 all sessions get it at once.
    live drain_for: Duration = duration(Duration::ZERO, HOUR), default "0s";
}
