use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are no sessions: connections to brokers (a few for each of up to 64 consumer
/// threads), listeners, event queues and wakers of up to 256 shards, the log, scrapes.
const RESERVED: u64 = 1_024;

/// How many files this process may have open, and what that means for sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OpenFiles {
    /// The limit in force; `None` is no limit.
    limit: Option<u64>,
}

impl OpenFiles {
    /// Raises the soft limit as far as the sessions need and the hard limit allows.
    ///
    /// Soft limits of 1,024 are the default of most systems for the sake of `select`, which nothing
    /// here uses.
    pub(crate) fn raise_for(sessions: usize) -> Self {
        let now = getrlimit(Resource::Nofile);
        let needed = needed(sessions);
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

    /// How many sessions fit, at most `sessions` and at least one.
    pub(crate) fn sessions(self, sessions: usize) -> usize {
        let Some(limit) = self.limit.filter(|limit| *limit < needed(sessions)) else {
            return sessions;
        };
        // Where the limit is small, half of it is for sessions.
        let fit = limit.saturating_sub(RESERVED).max(limit / 2).max(1);
        usize::try_from(fit).map_or(sessions, |fit| fit.min(sessions))
    }

    /// The limit in force; `None` is no limit.
    pub(crate) fn limit(self) -> Option<u64> {
        self.limit
    }
}

fn needed(sessions: usize) -> u64 {
    u64::try_from(sessions).map_or(u64::MAX, |sessions| sessions.saturating_add(RESERVED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(limit: Option<u64>, sessions: usize, expected: usize) {
        assert_eq!(OpenFiles { limit }.sessions(sessions), expected);
    }

    #[test]
    fn sessions_never_need_more_files_than_may_be_open() {
        check(None, 20_000, 20_000);
        check(Some(100_000), 20_000, 20_000);
        check(Some(21_024), 20_000, 20_000);
        check(Some(21_023), 20_000, 19_999);
        check(Some(4_096), 20_000, 3_072);
        check(Some(1_024), 20_000, 512);
        check(Some(1_024), 100, 100);
        check(Some(1), 20_000, 1);
    }

    #[test]
    fn the_limit_in_force_is_what_the_sessions_are_measured_by() {
        let files = OpenFiles::raise_for(100);
        let now = getrlimit(Resource::Nofile).current;
        assert_eq!(files.limit(), now);
    }
}
