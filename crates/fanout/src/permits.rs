use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fanout_core::Grant;

/// Limits the sessions of a node, and those of each subject that has a limit of its own.
#[derive(Debug)]
pub struct Permits {
    taken: AtomicUsize,
    most: AtomicUsize,
    /// Whether new sessions are accepted.
    open: AtomicBool,
    /// Sessions per subject, for subjects that have any; bounded by the number of permits.
    subjects: Mutex<HashMap<Box<str>, u32>>,
}

/// Permission to have one session; returned when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    permits: Arc<Permits>,
    grant: Arc<Grant>,
}

/// Why a permit is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPermit {
    /// The node is not ready, or no longer.
    NotReady,
    /// The node has as many sessions as it may.
    Node,
    /// The subject has as many sessions as it may.
    Subject,
}

impl Permits {
    /// Creates a number of permits.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            taken: AtomicUsize::new(0),
            most: AtomicUsize::new(most),
            open: AtomicBool::new(true),
            subjects: Mutex::default(),
        }
    }

    /// Returns the number of permits in use.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Changes the number of permits; existing sessions keep theirs.
    pub fn set_most(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// Sets whether new sessions are accepted; existing ones are unaffected.
    pub fn set_accepting(&self, open: bool) {
        self.open.store(open, Ordering::Relaxed);
    }

    pub(crate) fn take(self: &Arc<Self>, grant: &Arc<Grant>) -> Result<Permit, NoPermit> {
        if !self.open.load(Ordering::Relaxed) {
            return Err(NoPermit::NotReady);
        }
        let most = self.most.load(Ordering::Relaxed);
        let took = self
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
                (taken < most).then_some(taken + 1)
            });
        if took.is_err() {
            return Err(NoPermit::Node);
        }
        if let Some(most) = grant.max_connections() {
            let mut subjects = self.subjects();
            let has = subjects.entry(grant.subject().into()).or_default();
            if *has >= most {
                let is_nobody = *has == 0;
                if is_nobody {
                    subjects.remove(grant.subject());
                }
                self.taken.fetch_sub(1, Ordering::Relaxed);
                return Err(NoPermit::Subject);
            }
            *has += 1;
        }
        Ok(Permit {
            permits: Arc::clone(self),
            grant: Arc::clone(grant),
        })
    }

    /// A panic elsewhere leaves the counts consistent, since each change is one step.
    fn subjects(&self) -> MutexGuard<'_, HashMap<Box<str>, u32>> {
        self.subjects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Returns what its client is entitled to.
    pub(crate) fn grant(&self) -> &Grant {
        &self.grant
    }

    /// Returns the shared grant.
    pub(crate) const fn shared_grant(&self) -> &Arc<Grant> {
        &self.grant
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.permits.taken.fetch_sub(1, Ordering::Relaxed);
        if self.grant.max_connections().is_none() {
            return;
        }
        let mut subjects = self.permits.subjects();
        if let Some(has) = subjects.get_mut(self.grant.subject()) {
            *has -= 1;
            if *has == 0 {
                subjects.remove(self.grant.subject());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanout_core::Rights;

    #[test]
    fn a_node_that_is_not_ready_takes_nobody_and_keeps_whom_it_has() {
        let permits = Arc::new(Permits::new(2));
        let anybody = Arc::default();
        let first = permits.take(&anybody).unwrap();
        permits.set_accepting(false);
        assert_eq!(permits.take(&anybody).unwrap_err(), NoPermit::NotReady);
        assert_eq!(permits.taken(), 1);
        permits.set_accepting(true);
        let _second = permits.take(&anybody).unwrap();
        drop(first);
        assert_eq!(permits.taken(), 1);
    }

    #[test]
    fn a_full_node_takes_nobody_until_a_seat_is_free() {
        let permits = Arc::new(Permits::new(1));
        let anybody = Arc::default();
        let permit = permits.take(&anybody).unwrap();
        assert_eq!(permits.take(&anybody).unwrap_err(), NoPermit::Node);
        drop(permit);
        assert!(permits.take(&anybody).is_ok());
    }

    #[test]
    fn a_subject_has_as_many_seats_as_it_may_and_takes_none_of_others() {
        let permits = Arc::new(Permits::new(10));
        let grant = |subject: &str, most| {
            let rights = Rights {
                max_connections: Some(most),
                ..Rights::default()
            };
            Arc::new(Grant::new(subject, rights, None).unwrap())
        };
        let (one, two, none) = (grant("a", 1), grant("b", 2), grant("c", 0));
        let first = permits.take(&one).unwrap();
        let others = [permits.take(&two).unwrap(), permits.take(&two).unwrap()];
        for full in [&one, &two, &none] {
            assert_eq!(permits.take(full).unwrap_err(), NoPermit::Subject);
        }
        assert_eq!(permits.taken(), 3);
        drop((first, others));
        assert_eq!((permits.taken(), permits.subjects().len()), (0, 0));
        assert!(permits.take(&one).is_ok());
    }
}
