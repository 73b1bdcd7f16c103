use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Config;

/// Descriptors other than client connections: connections to brokers (a few for each of up to 64 consumer
/// threads), listeners, event queues and wakers of up to 256 shards, 64 admin connections, the log, and up to 32
/// evicted connections per shard that are about to be closed.
const RESERVED: u64 = 1_024;

/// The limit of open files, and the connections that it allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpenFiles {
    /// The effective limit; `None` is unlimited.
    limit: Option<u64>,
}

/// Connections, each of which needs a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Connections {
    /// `limits.sessions`.
    pub(super) sessions: usize,
    /// `limits.handshakes`.
    pub(super) handshakes: usize,
}

impl OpenFiles {
    /// Raises the soft limit as far as needed and the hard limit allows.
    ///
    /// Most systems default to 1,024 for the sake of `select`, which is not used here.
    pub(super) fn raise_for(connections: Connections) -> Self {
        let now = getrlimit(Resource::Nofile);
        let needed = needed(connections);
        let wanted = now.maximum.map_or(needed, |hard| hard.min(needed));
        if now.current.is_none_or(|soft| soft >= wanted) {
            return Self { limit: now.current };
        }
        let raised = Rlimit {
            current: Some(wanted),
            maximum: now.maximum,
        };
        let limit = match setrlimit(Resource::Nofile, raised) {
            Ok(()) => Some(wanted),
            Err(_) => now.current,
        };
        Self { limit }
    }

    /// Lowers the connections to what fits, but not below one of each.
    pub(super) fn fit(self, connections: Connections) -> Connections {
        let Some(limit) = self.limit.filter(|limit| *limit < needed(connections)) else {
            return connections;
        };
        // Of a small limit, half is for connections.
        let fit = limit.saturating_sub(RESERVED).max(limit / 2);
        let fit = usize::try_from(fit).unwrap_or(usize::MAX);
        // A quarter is enough for handshakes.
        let handshakes = connections.handshakes.min(fit / 4).max(1);
        let sessions = fit.saturating_sub(handshakes);
        Connections {
            sessions: connections.sessions.min(sessions).max(1),
            handshakes,
        }
    }

    /// The effective limit; `None` is unlimited.
    pub(super) fn limit(self) -> Option<u64> {
        self.limit
    }
}

/// Lowers the limits of sessions and handshakes to what the process may have open.
pub(crate) fn fit_sessions(config: &mut Config) {
    let configured = Connections {
        sessions: config.fanout.sessions,
        handshakes: config.fanout.handshakes,
    };
    let files = OpenFiles::raise_for(configured);
    let fit = files.fit(configured);
    if fit != configured {
        tracing::warn!(
            configured = configured.sessions,
            sessions = fit.sessions,
            handshakes = fit.handshakes,
            open_files = files.limit(),
            "the process may not open as many files as limits.sessions and limits.handshakes need; raise RLIMIT_NOFILE"
        );
        config.fanout.sessions = fit.sessions;
        config.fanout.handshakes = fit.handshakes;
    }
}

fn needed(connections: Connections) -> u64 {
    let clients = connections.sessions.saturating_add(connections.handshakes);
    u64::try_from(clients).map_or(u64::MAX, |clients| clients.saturating_add(RESERVED))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn of(sessions: usize, handshakes: usize) -> Connections {
        Connections {
            sessions,
            handshakes,
        }
    }

    #[track_caller]
    fn check(limit: Option<u64>, configured: Connections, expected: Connections) {
        let fit = OpenFiles { limit }.fit(configured);
        assert_eq!(fit, expected);
        if let Some(limit) = limit.filter(|limit| *limit >= 8) {
            let all = u64::try_from(fit.sessions + fit.handshakes).unwrap();
            let rest = limit - all;
            assert!(rest >= RESERVED.min(limit / 2), "{rest} are left");
        }
    }

    #[test]
    fn connections_never_need_more_files_than_may_be_open() {
        let usual = of(20_000, 2_048);
        check(None, usual, usual);
        check(Some(100_000), usual, usual);
        check(Some(23_072), usual, usual);
        check(Some(23_071), usual, of(19_999, 2_048));
        check(Some(4_096), usual, of(2_304, 768));
        check(Some(1_024), usual, of(384, 128));
        check(Some(300), usual, of(113, 37));
        check(Some(1_024), of(100, 16), of(100, 16));
        check(Some(1), usual, of(1, 1));
    }

    #[test]
    fn the_effective_limit_is_what_the_connections_are_measured_by() {
        let files = OpenFiles::raise_for(of(100, 16));
        let now = getrlimit(Resource::Nofile).current;
        assert_eq!(files.limit(), now);
    }
}
