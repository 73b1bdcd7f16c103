use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use fanout_core::TokenBucket;

/// Maximum addresses in the table: 4 MiB at about 64 bytes each.
pub(crate) const MOST: usize = 65_536;
/// Burst of an address after a pause, in multiples of its rate: a browser that reopens its pages,
/// or a desk that starts its programs.
pub(crate) const BURST: u32 = 5;

/// Milliseconds between two searches for entries to drop. A search reads the whole table, so not
/// every rejected address may cause one.
const SEARCH_EVERY: u32 = 1000;

/// State per address.
///
/// Invariant: the table has at most [`MOST`] entries. An entry is dropped only when its address has
/// no connection and its bucket is full again, so nobody gains tokens by it.
#[derive(Default)]
pub(crate) struct AddressTable {
    by_block: HashMap<Block, Entry>,
    /// Time of the last search for entries to drop.
    searched: Option<u32>,
}

/// An IPv4 address, or the /64 network that a user of IPv6 is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Block(u64, bool);

pub(crate) struct Entry {
    /// Open connections that are counted.
    pub(crate) open: u32,
    pub(crate) bucket: TokenBucket,
    seen: u32,
}

impl AddressTable {
    /// Returns the entry of an address, adding it with a full bucket if there is room. So many
    /// addresses at once cannot be users; known ones are still served.
    pub(crate) fn entry(&mut self, block: Block, burst: u32, now: u32) -> Option<&mut Entry> {
        if self.by_block.len() >= MOST && !self.by_block.contains_key(&block) {
            self.forget_idle(now);
            if self.by_block.len() >= MOST {
                return None;
            }
        }
        let entry = self.by_block.entry(block).or_insert_with(|| Entry {
            open: 0,
            bucket: TokenBucket::full(burst, now),
            seen: now,
        });
        entry.seen = now;
        Some(entry)
    }

    /// Returns the entry of an address.
    pub(crate) fn get(&mut self, block: Block) -> Option<&mut Entry> {
        self.by_block.get_mut(&block)
    }

    /// Counts the end of a connection. The entry stays until room gets scarce or there is nothing
    /// left to remember.
    pub(crate) fn leave(&mut self, block: Block, now: impl FnOnce() -> u32) {
        let has_little_room = self.by_block.len() >= MOST / 2;
        let Some(entry) = self.by_block.get_mut(&block) else {
            return;
        };
        entry.open -= 1;
        if has_little_room && entry.is_idle(now()) {
            self.by_block.remove(&block);
        }
    }

    fn forget_idle(&mut self, now: u32) {
        let is_soon = |at| now.wrapping_sub(at) < SEARCH_EVERY;
        if self.searched.is_some_and(is_soon) {
            return;
        }
        self.searched = Some(now);
        self.by_block.retain(|_, entry| !entry.is_idle(now));
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_block.len()
    }
}

impl Entry {
    /// Returns whether it has no connection and has not been used for as long as its bucket takes
    /// to fill.
    const fn is_idle(&self, now: u32) -> bool {
        self.open == 0 && now.wrapping_sub(self.seen) >= BURST * 1000
    }
}

impl Block {
    pub(crate) fn of(address: IpAddr) -> Self {
        let short = |v4: std::net::Ipv4Addr| Self(u64::from(v4.to_bits()), true);
        match address {
            IpAddr::V4(v4) => short(v4),
            IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or_else(|| Self::network(v6), short),
        }
    }

    fn network(v6: Ipv6Addr) -> Self {
        let [a, b, c, d, ..] = v6.segments().map(u64::from);
        Self(a << 48 | b << 32 | c << 16 | d, false)
    }
}
