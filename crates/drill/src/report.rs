//! The result of a drill: a table for people, JSON for programs.

use super::balancer::Balancer;
use super::clients::{PhaseStats, Results, Verification};
use super::phases::Outcome;
use super::plan::Phase;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// A drill behind one balancer.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    balancer: &'static str,
    clients: usize,
    rows: Vec<Row>,
    check: Verification,
    /// What must not have happened; empty if the drill has passed.
    faults: Vec<String>,
}

/// A phase, and what the clients observed of it.
#[derive(Debug, Serialize)]
struct Row {
    /// Sessions that ended, for whatever reason.
    moved: u64,
    /// Of each client's longest pause, in milliseconds.
    pause_p50_ms: u32,
    pause_p99_ms: u32,
    pause_max_ms: u32,
    notes: Vec<String>,
    #[serde(flatten)]
    stats: PhaseStats,
}

impl Report {
    pub(crate) fn new(
        balancer: Balancer,
        outcomes: Vec<(Phase, Outcome)>,
        results: Results,
    ) -> Self {
        let mut faults = Vec::new();
        let mut rows = Vec::new();
        // The first stats are those of the start, before any phase.
        let stats = results.phases.into_iter().skip(1);
        for ((phase, outcome), stats) in outcomes.into_iter().zip(stats) {
            let row = Row::new(outcome.notes, stats);
            let all = outcome.faults.into_iter().chain(row.faults(phase));
            faults.extend(all.map(|fault| format!("{}: {fault}", phase.name())));
            rows.push(row);
        }
        faults.extend(results.check.faults(results.clients));
        Self {
            balancer: balancer.name(),
            clients: results.clients,
            rows,
            check: results.check,
            faults,
        }
    }

    pub(crate) const fn has_passed(&self) -> bool {
        self.faults.is_empty()
    }
}

impl Row {
    fn new(notes: Vec<String>, stats: PhaseStats) -> Self {
        let [pause_p50_ms, pause_p99_ms, pause_max_ms] =
            [0.5, 0.99, 1.0].map(|share| stats.pause(share));
        Self {
            moved: stats.sessions_lost.values().sum(),
            pause_p50_ms,
            pause_p99_ms,
            pause_max_ms,
            notes,
            stats,
        }
    }

    fn faults(&self, phase: Phase) -> Vec<String> {
        let faults = self.stats.faults.iter();
        let mut faults: Vec<String> = faults
            .map(|(fault, count)| format!("{count} {fault}"))
            .collect();
        if phase.moves_clients() && self.moved == 0 {
            faults.push("no session was lost, so nothing was tested".to_owned());
        }
        faults
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| behind {}, {} clients | sessions moved | streams resumed | snapshots | faults | pause p50 | p99 | longest |",
            self.balancer, self.clients
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|")?;
        for row in &self.rows {
            let stats = &row.stats;
            let faults: u64 = stats.faults.values().sum();
            let seconds = |millis: u32| f64::from(millis) / 1e3;
            writeln!(
                f,
                "| {} | {} | {} | {} | {faults} | {:.2} s | {:.2} s | {:.2} s |",
                stats.name,
                row.moved,
                stats.resumed,
                list(&stats.snapshots),
                seconds(row.pause_p50_ms),
                seconds(row.pause_p99_ms),
                seconds(row.pause_max_ms),
            )?;
        }
        for row in &self.rows {
            row.write_details(f)?;
        }
        writeln!(f, "against the log: {}", self.check)?;
        for fault in &self.faults {
            writeln!(f, "FAULT: {fault}")?;
        }
        Ok(())
    }
}

impl Row {
    /// Writes what does not fit into the table, a line each.
    fn write_details(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = &self.stats;
        for note in &self.notes {
            writeln!(f, "{}: {note}", stats.name)?;
        }
        for (what, counts) in [
            ("sessions lost", &stats.sessions_lost),
            ("failed attempts", &stats.failed_attempts),
            ("rejected", &stats.rejected),
            ("gaps", &stats.gaps),
        ] {
            if !counts.is_empty() {
                writeln!(f, "{}: {what}: {}", stats.name, list(counts))?;
            }
        }
        for (what, count) in [
            ("clients received STALE", stats.stale),
            ("messages arrived twice and were skipped", stats.skipped),
            ("reported net changes", stats.conflated),
        ] {
            if count > 0 {
                writeln!(f, "{}: {count} {what}", stats.name)?;
            }
        }
        Ok(())
    }
}

fn list(counts: &BTreeMap<String, u64>) -> String {
    if counts.is_empty() {
        return "0".to_owned();
    }
    let each = counts.iter().map(|(name, count)| format!("{count} {name}"));
    each.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Fault;

    fn results(lost: u64, moved: u64) -> Results {
        let stats = |name: &str| PhaseStats {
            name: name.to_owned(),
            sessions_lost: BTreeMap::from([("silent".to_owned(), moved)]),
            pauses_ms: vec![250, 900],
            ..PhaseStats::default()
        };
        Results {
            clients: 2,
            phases: vec![stats("start"), stats("kill")],
            check: Verification {
                right_books: 2,
                complete: 2,
                lost,
                ..Verification::default()
            },
        }
    }

    fn report(results: Results) -> Report {
        let outcomes = vec![(Phase::Kill, Outcome::default())];
        Report::new(Balancer::Haproxy, outcomes, results)
    }

    #[test]
    fn a_drill_with_a_loss_has_failed() {
        assert!(report(results(0, 1)).has_passed());
        assert!(!report(results(1, 1)).has_passed());
    }

    #[test]
    fn a_kill_that_moved_no_session_has_failed() {
        assert!(!report(results(0, 0)).has_passed());
    }

    #[test]
    fn a_drill_with_a_fault_of_a_client_has_failed() {
        let mut results = results(0, 1);
        results.phases[1].faults.insert(Fault::Repeated, 1);
        let report = report(results);
        assert_eq!(report.faults, ["kill: 1 repeated"]);
        assert!(report.to_string().contains("| kill | 1 | 0 | 0 | 1 |"));
    }
}
