//! The outcome of a step.

use std::fmt;
use std::iter::Sum;

/// The result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Everything is right.
    Ok,
    /// Something is wrong.
    Failed,
    /// There was nothing to check.
    Skipped,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Failed => "FAILED",
            Self::Skipped => "skipped",
        })
    }
}

/// Numbers of tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: u64,
    pub(super) failed: u64,
}

impl Tally {
    /// Adds the counts in a line of a test runner's output, if it has any.
    pub(super) fn read(&mut self, line: &str) {
        if let Some(tally) = cargo_counts(line).or_else(|| node_counts(line)) {
            self.passed += tally.passed;
            self.failed += tally.failed;
        }
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |sum, tally| Self {
            passed: sum.passed + tally.passed,
            failed: sum.failed + tally.failed,
        })
    }
}

/// Parses `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
fn cargo_counts(line: &str) -> Option<Tally> {
    let (_, counts) = line.strip_prefix("test result:")?.split_once(". ")?;
    let count = |name: &str| {
        counts
            .split("; ")
            .find_map(|count| count.strip_suffix(name)?.trim().parse().ok())
    };
    Some(Tally {
        passed: count("passed")?,
        failed: count("failed")?,
    })
}

/// Parses `ℹ pass 3`, and likewise `fail` and `cancelled`.
fn node_counts(line: &str) -> Option<Tally> {
    let (name, count) = line.strip_prefix("ℹ ")?.split_once(' ')?;
    let count = count.parse().ok()?;
    match name {
        "pass" => Some(Tally {
            passed: count,
            failed: 0,
        }),
        "fail" | "cancelled" => Some(Tally {
            passed: 0,
            failed: count,
        }),
        _ => None,
    }
}

/// The outcome of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) state: State,
    pub(super) tally: Tally,
    /// A note for the summary; may be empty.
    pub(super) note: String,
}

impl Outcome {
    /// Everything is right.
    pub(super) fn ok() -> Self {
        Self {
            state: State::Ok,
            tally: Tally::default(),
            note: String::new(),
        }
    }

    /// Something is wrong, and was printed.
    pub(super) fn failed() -> Self {
        Self {
            state: State::Failed,
            ..Self::ok()
        }
    }

    /// There was nothing to check.
    pub(super) fn skipped(note: impl Into<String>) -> Self {
        Self {
            state: State::Skipped,
            ..Self::ok()
        }
        .with_note(note)
    }

    /// From the exit status and the counts of a test runner.
    pub(super) fn of_tests(success: bool, tally: Tally) -> Self {
        let state = if success { State::Ok } else { State::Failed };
        Self {
            state,
            tally,
            note: String::new(),
        }
    }

    /// Adds a note for the summary.
    pub(super) fn with_note(self, note: impl Into<String>) -> Self {
        Self {
            note: note.into(),
            ..self
        }
    }

    /// Its counts; a step that failed without a failed test counts as one failure.
    pub(super) fn counted(&self) -> Tally {
        let silent = self.state == State::Failed && self.tally.failed == 0;
        Tally {
            failed: self.tally.failed + u64::from(silent),
            ..self.tally
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_all_runners_are_added() {
        let mut tally = Tally::default();
        for line in [
            "running 4 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished",
            "test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
            "ℹ tests 5",
            "ℹ pass 4",
            "ℹ fail 1",
            "ℹ cancelled 0",
        ] {
            tally.read(line);
        }
        assert_eq!(
            tally,
            Tally {
                passed: 17,
                failed: 3
            }
        );
    }

    #[test]
    fn a_step_that_fails_is_never_counted_as_nothing() {
        assert_eq!(Outcome::failed().counted().failed, 1);
        let tally = Tally {
            passed: 1,
            failed: 2,
        };
        assert_eq!(Outcome::of_tests(false, tally).counted(), tally);
        assert_eq!(Outcome::ok().counted(), Tally::default());
    }
}
