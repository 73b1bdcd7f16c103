//! What came of a drill: a table for people, JSON for programs.

use super::balancer::Balancer;
use super::ordeals::Done;
use super::plan::Ordeal;
use super::witness::{Phase, Seen};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// A drill behind one balancer.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    balancer: &'static str,
    clients: usize,
    rows: Vec<Row>,
    /// How all clients stood against Kafka's log in the end.
    check: BTreeMap<String, u64>,
    /// What must not have been.
    faults: Vec<String>,
}

/// What was done, and what the clients saw of it.
#[derive(Debug, Serialize)]
struct Row {
    /// Sessions that ended, whatever by.
    moved: u64,
    /// Each client's longest pause, in milliseconds.
    pause_p50_ms: u32,
    pause_p99_ms: u32,
    pause_max_ms: u32,
    notes: Vec<String>,
    #[serde(flatten)]
    phase: Phase,
}

impl Report {
    pub(super) fn new(balancer: Balancer, done: Vec<(Ordeal, Done)>, seen: Seen) -> Self {
        let mut faults = Vec::new();
        let mut rows = Vec::new();
        // The first phase is the start, before anything was done.
        for ((ordeal, done), phase) in done.into_iter().zip(seen.phases.into_iter().skip(1)) {
            let row = Row::new(done.notes, phase);
            let all = done.faults.into_iter().chain(row.faults(ordeal));
            faults.extend(all.map(|fault| format!("{}: {fault}", ordeal.name())));
            rows.push(row);
        }
        let clients = seen.clients as u64;
        for (name, wanted) in [
            ("right_books", clients),
            ("complete", clients),
            ("lost", 0),
            ("silently_lost", 0),
            ("invented", 0),
        ] {
            let found = seen.check.get(name).copied();
            if found != Some(wanted) {
                faults.push(format!("{name}: {found:?}, which should be {wanted}"));
            }
        }
        Self {
            balancer: balancer.name(),
            clients: seen.clients,
            rows,
            check: seen.check,
            faults,
        }
    }

    pub(super) const fn is_right(&self) -> bool {
        self.faults.is_empty()
    }
}

impl Row {
    fn new(notes: Vec<String>, mut phase: Phase) -> Self {
        let [pause_p50_ms, pause_p99_ms, pause_max_ms] =
            [0.5, 0.99, 1.0].map(|share| phase.pause(share));
        phase.pauses_ms.clear();
        Self {
            moved: phase.sessions_lost.values().sum(),
            pause_p50_ms,
            pause_p99_ms,
            pause_max_ms,
            notes,
            phase,
        }
    }

    /// What was seen that must not be.
    fn faults(&self, ordeal: Ordeal) -> Vec<String> {
        let faults = self.phase.faults.iter().filter(|(_, count)| **count > 0);
        let mut faults: Vec<String> = faults
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        if ordeal.moves_clients() && self.moved == 0 {
            faults.push("no session was lost: nothing was tried".to_owned());
        }
        faults
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| behind {}, {} clients | sessions moved | streams resumed | snapshots | wrong | pause p50 | p99 | longest |",
            self.balancer, self.clients
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|")?;
        for row in &self.rows {
            let phase = &row.phase;
            let wrong: u64 = phase.faults.values().sum();
            let seconds = |millis: u32| f64::from(millis) / 1e3;
            writeln!(
                f,
                "| {} | {} | {} | {} | {wrong} | {:.2} s | {:.2} s | {:.2} s |",
                phase.name,
                row.moved,
                phase.resumed,
                listed(&phase.snapshots),
                seconds(row.pause_p50_ms),
                seconds(row.pause_p99_ms),
                seconds(row.pause_max_ms),
            )?;
        }
        for Row { phase, notes, .. } in &self.rows {
            for note in notes {
                writeln!(f, "{}: {note}", phase.name)?;
            }
            for (what, counts) in [
                ("sessions lost", &phase.sessions_lost),
                ("attempts failed", &phase.failed_attempts),
                ("refused for now", &phase.refused),
                ("gaps", &phase.gaps),
            ] {
                if !counts.is_empty() {
                    writeln!(f, "{}: {what}: {}", phase.name, listed(counts))?;
                }
            }
            for (what, count) in [
                ("clients were told STALE", phase.told_stale),
                (
                    "messages came again and were passed over",
                    phase.passed_over,
                ),
                ("net changes, told as such", phase.conflated),
            ] {
                if count > 0 {
                    writeln!(f, "{}: {count} {what}", phase.name)?;
                }
            }
        }
        writeln!(f, "against the log: {}", listed(&self.check))?;
        for fault in &self.faults {
            writeln!(f, "FAULT: {fault}")?;
        }
        Ok(())
    }
}

fn listed(counts: &BTreeMap<String, u64>) -> String {
    if counts.is_empty() {
        return "0".to_owned();
    }
    let each = counts.iter().map(|(name, count)| format!("{count} {name}"));
    each.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(lost: u64, moved: u64) -> Seen {
        let phase = |name: &str| Phase {
            name: name.to_owned(),
            sessions_lost: BTreeMap::from([("silent".to_owned(), moved)]),
            pauses_ms: vec![250, 900],
            ..Phase::default()
        };
        let check = [("right_books", 2), ("complete", 2), ("lost", lost)];
        let nothing = [("silently_lost", 0), ("invented", 0)];
        let check = check.into_iter().chain(nothing);
        Seen {
            clients: 2,
            phases: vec![phase("start"), phase("kill")],
            check: check
                .map(|(name, count)| (name.to_owned(), count))
                .collect(),
        }
    }

    fn report(seen: Seen) -> Report {
        Report::new(
            Balancer::Haproxy,
            vec![(Ordeal::Kill, Done::default())],
            seen,
        )
    }

    #[test]
    fn whatever_was_lost_makes_it_wrong() {
        assert!(report(seen(0, 1)).is_right());
        assert!(!report(seen(1, 1)).is_right());
    }

    #[test]
    fn an_ordeal_that_moved_nobody_proves_nothing() {
        assert!(!report(seen(0, 0)).is_right());
    }

    #[test]
    fn a_fault_of_a_client_makes_it_wrong() {
        let mut seen = seen(0, 1);
        let faults = &mut seen.phases[1].faults;
        faults.insert("repeated".to_owned(), 1);
        let report = report(seen);
        assert_eq!(report.faults, ["kill: 1 repeated"]);
        assert!(report.to_string().contains("| kill | 1 | 0 | 0 | 1 |"));
    }
}
