use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fanout::Asker;
use metrics::HistoryMetrics;
use metrics::label::ReplayRefusal;

/// Limits of concurrent replays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) all: usize,
    pub(super) per_session: usize,
    pub(super) per_address: usize,
}

/// Counts replays: in total, per session and per address.
///
/// Invariants:
/// - None of the three exceeds its limit, so no client can hold all replays, however long they take.
/// - Cells have a single writer; replays take turns here, once per page.
pub(super) struct Tally {
    metrics: Arc<HistoryMetrics>,
    active: Mutex<Counts>,
    bounds: Bounds,
}

/// Running replays. The maps have entries only for clients with replays, so no more than there are replays.
#[derive(Debug, Default)]
struct Counts {
    all: usize,
    sessions: HashMap<u64, usize>,
    addresses: HashMap<IpAddr, usize>,
}

/// A running replay.
pub(super) struct Active<'a> {
    tally: &'a Tally,
    asker: Asker,
}

impl Tally {
    pub(super) fn new(metrics: Arc<HistoryMetrics>, bounds: Bounds) -> Self {
        Self {
            metrics,
            active: Mutex::default(),
            bounds,
        }
    }

    /// Counts one more replay of that client. Returns false if a limit is reached.
    pub(super) fn begin(&self, asker: &Asker) -> bool {
        let asker = by_network(asker);
        let mut active = self.lock();
        let refusal = if active.all >= self.bounds.all {
            Some(ReplayRefusal::Busy)
        } else if count(&active.sessions, asker.session) >= self.bounds.per_session
            || count(&active.addresses, asker.address) >= self.bounds.per_address
        {
            Some(ReplayRefusal::TooMany)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            self.metrics.refused[refusal].inc();
            return false;
        }
        active.all += 1;
        add(&mut active.sessions, asker.session);
        add(&mut active.addresses, asker.address);
        self.metrics.started.inc();
        self.metrics.active.set(active.all as u64);
        true
    }

    /// Counts the replay as ended when this is dropped.
    pub(super) const fn active(&self, asker: Asker) -> Active<'_> {
        Active { tally: self, asker }
    }

    pub(super) fn end(&self, asker: &Asker) {
        let asker = by_network(asker);
        let mut active = self.lock();
        active.all = active.all.saturating_sub(1);
        subtract(&mut active.sessions, asker.session);
        subtract(&mut active.addresses, asker.address);
        self.metrics.active.set(active.all as u64);
    }

    pub(super) fn refuse(&self, why: ReplayRefusal) {
        let _turn = self.lock();
        self.metrics.refused[why].inc();
    }

    /// A replay has read records; there are so many Kafka clients.
    pub(super) fn read(&self, records: u64, clients: usize) {
        let _turn = self.lock();
        self.metrics.records.add(records);
        self.metrics.clients.set(clients as u64);
    }

    pub(super) fn complete(&self) {
        let _turn = self.lock();
        self.metrics.completed.inc();
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // The counts are consistent even after a panic.
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An IPv6 client counts as its /64, as in the limits of connections.
fn by_network(asker: &Asker) -> Asker {
    let address = asker.address.map(|address| match address {
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => IpAddr::V4(mapped),
            None => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        },
        address => address,
    });
    Asker { address, ..*asker }
}

fn count<K: Hash + Eq>(counts: &HashMap<K, usize>, key: Option<K>) -> usize {
    let count = key.and_then(|key| counts.get(&key));
    count.copied().unwrap_or(0)
}

fn add<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: Option<K>) {
    if let Some(key) = key {
        *counts.entry(key).or_default() += 1;
    }
}

fn subtract<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: Option<K>) {
    let Some(key) = key else {
        return;
    };
    if let Some(count) = counts.get_mut(&key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.tally.end(&self.asker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        all: 6,
        per_session: 2,
        per_address: 4,
    };

    fn asker(session: u64, address: &str) -> Asker {
        Asker {
            session: Some(session),
            address: Some(address.parse().unwrap()),
        }
    }

    #[test]
    fn nobody_holds_all_replays() {
        let tally = Tally::new(Arc::default(), BOUNDS);
        let greedy = |session| asker(session, "10.0.0.1");
        assert!(tally.begin(&greedy(1)) && tally.begin(&greedy(1)));
        assert!(!tally.begin(&greedy(1)), "as many as a session may have");
        assert!(tally.begin(&greedy(2)) && tally.begin(&greedy(3)));
        assert!(!tally.begin(&greedy(4)), "as many as an address may have");
        let other = asker(5, "10.0.0.2");
        assert!(tally.begin(&other) && tally.begin(&other));
        assert!(
            !tally.begin(&asker(6, "10.0.0.3")),
            "as many as the node has"
        );
        let refused = &tally.metrics.refused;
        assert_eq!(refused[ReplayRefusal::TooMany].get(), 2);
        assert_eq!(refused[ReplayRefusal::Busy].get(), 1);

        drop(tally.active(greedy(1)));
        assert!(tally.begin(&greedy(1)), "one of its own has ended");
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let bounds = Bounds {
            per_address: 1,
            ..BOUNDS
        };
        let tally = Tally::new(Arc::default(), bounds);
        assert!(tally.begin(&asker(1, "2001:db8::1")));
        assert!(!tally.begin(&asker(2, "2001:db8::2:2")));
        assert!(tally.begin(&asker(3, "2001:db8:0:1::1")));
        assert!(tally.begin(&asker(4, "10.0.0.1")));
        assert!(!tally.begin(&asker(5, "::ffff:10.0.0.1")));
    }

    #[test]
    fn nothing_is_remembered_of_those_who_have_none() {
        let tally = Tally::new(Arc::default(), BOUNDS);
        for session in 0..100 {
            let asker = asker(session, "10.0.0.1");
            assert!(tally.begin(&asker));
            drop(tally.active(asker));
        }
        let active = tally.lock();
        assert!(active.all == 0 && active.sessions.is_empty() && active.addresses.is_empty());
    }
}
