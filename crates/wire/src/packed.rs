//! `tapecast.packed.v1`: the same messages in a quarter of the bytes or less.
//!
//! Every message is self-contained: reading it takes nothing from another message, so all subscriptions
//! to a stream share its bytes wherever they begin. It is made from SBE and converts back to the
//! same SBE, byte for byte. `docs/protocol.md` specifies every bit. In reading order:

mod bits;
mod codes;
mod golomb_order;
mod power;

mod head;
mod levels;
mod numbers;
mod trades;

mod pack;
mod read;

pub use pack::Packer;
pub use read::Messages;

/// The template of a packed message, as in SBE: the high half of its first byte.
mod kind {
    pub(super) const INSTRUMENT: u8 = 1;
    pub(super) const BOOK_SNAPSHOT: u8 = 2;
    pub(super) const BOOK_DELTA: u8 = 3;
    pub(super) const BBO: u8 = 4;
    pub(super) const TRADES: u8 = 5;
    pub(super) const TICKER: u8 = 6;
    pub(super) const BAR: u8 = 7;
    pub(super) const STATUS: u8 = 8;
    pub(super) const HEARTBEAT: u8 = 9;
    pub(super) const LAG: u8 = 10;
    pub(super) const GO_AWAY: u8 = 11;
    pub(super) const REPLAY_COMPLETE: u8 = 12;
}
