//! The steps, those that find a mistake at the lowest cost first.

use super::outcome::{Outcome, Tally};
use super::subject::Subject;
use super::{deny, operations, web};
use crate::tools::{self, Tool, Tools};
use crate::{arrows, command, docs, sizes};
use std::process::Command;

/// One step.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Whether `--fast` leaves it out.
    pub(super) slow: bool,
    /// Tools that it cannot run without.
    pub(super) needs: &'static [Tools],
    pub(super) run: fn(&Subject) -> anyhow::Result<Outcome>,
}

pub(super) const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        about: "the code is formatted",
        slow: false,
        needs: &[],
        run: fmt,
    },
    Step {
        name: "arrows",
        about: "crates, and the files of each, depend on each other in one direction",
        slow: false,
        needs: &[],
        run: arrows,
    },
    Step {
        name: "sizes",
        about: "a long file says why it is long",
        slow: false,
        needs: &[],
        run: sizes,
    },
    Step {
        name: "clippy",
        about: "no lint complains, and the shipped packages compile alone",
        slow: true,
        needs: &[tools::BUILD],
        run: clippy,
    },
    Step {
        name: "deny",
        about: "licenses, sources, bans and advisories of the dependencies",
        slow: true,
        needs: &[&[Tool::Gcc]],
        run: deny::run,
    },
    Step {
        name: "rustdoc",
        about: "the documentation builds without a warning",
        slow: false,
        needs: &[tools::BUILD],
        run: rustdoc,
    },
    Step {
        name: "test",
        about: "the tests of the workspace",
        slow: false,
        needs: &[tools::BUILD, tools::KAFKA],
        run: test,
    },
    Step {
        name: "web",
        about: "the tests of the page",
        slow: false,
        needs: &[&[Tool::Node]],
        run: web::run,
    },
    Step {
        name: "dashboards",
        about: "dashboards, rules, alerts and their runbooks",
        slow: true,
        needs: &[tools::DASHBOARDS],
        run: operations::dashboards,
    },
    Step {
        name: "deploy",
        about: "every file of deploy/, checked by the program that it is for",
        slow: true,
        needs: &[tools::BALANCERS, &[Tool::Systemd]],
        run: operations::deploy,
    },
    Step {
        name: "e2e",
        about: "the binary against a real Kafka",
        slow: true,
        needs: &[tools::BUILD, tools::KAFKA, &[Tool::Chromium]],
        run: e2e,
    },
    Step {
        name: "panels",
        about: "every query of the dashboards against Prometheus and a loaded node",
        slow: true,
        needs: &[tools::BUILD, tools::DASHBOARDS],
        run: panels,
    },
    Step {
        name: "balancers",
        about: "nodes behind HAProxy and NGINX, one full, one drained; their TLS, scanned by sslyze",
        slow: true,
        needs: &[tools::BUILD, tools::BALANCERS],
        run: balancers,
    },
    Step {
        name: "docs",
        about: "the commands in the documentation",
        slow: true,
        needs: &[tools::BUILD],
        run: docs,
    },
];

/// The crate of the end-to-end tests, and its test program.
const E2E_CRATE: &str = "e2e";

fn fmt(_: &Subject) -> anyhow::Result<Outcome> {
    command::run(&mut command::cargo(&["fmt", "--all", "--check"]))?;
    Ok(Outcome::ok())
}

fn arrows(_: &Subject) -> anyhow::Result<Outcome> {
    arrows::check()?;
    Ok(Outcome::ok())
}

fn sizes(_: &Subject) -> anyhow::Result<Outcome> {
    sizes::check()?;
    Ok(Outcome::ok())
}

fn clippy(_: &Subject) -> anyhow::Result<Outcome> {
    let mut clippy = command::cargo(&["clippy", "--workspace", "--all-targets"]);
    command::run(clippy.args(["--", "-D", "warnings"]))?;
    // Alone, they have fewer features enabled than together with the tests.
    let shipped = ["check", "--package", "tapecast", "--package", "loadtest"];
    command::run(&mut command::cargo(&shipped))?;
    Ok(Outcome::ok())
}

fn rustdoc(_: &Subject) -> anyhow::Result<Outcome> {
    let mut doc = command::cargo(&["doc", "--workspace", "--no-deps"]);
    command::run(doc.env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(Outcome::ok())
}

/// Runs all tests but the end-to-end tests. Both are built with the features of the whole
/// workspace, so that nothing is built twice.
fn test(subject: &Subject) -> anyhow::Result<Outcome> {
    let mut programs = command::cargo(&["test", "--workspace", "--no-fail-fast"]);
    programs.args(["--lib", "--bins"]);
    let others = subject.members.iter().filter(|one| one.name != E2E_CRATE);
    for member in others {
        for name in member.tests()? {
            programs.args(["--test", &name]);
        }
    }
    let examples = command::cargo(&["test", "--workspace", "--no-fail-fast", "--doc"]);
    run_tests([programs, examples])
}

fn e2e(subject: &Subject) -> anyhow::Result<Outcome> {
    let binary = subject.binary()?;
    let mut tests = command::cargo(&["test", "--workspace", "--no-fail-fast"]);
    tests
        .args(["--test", E2E_CRATE])
        .env("TAPECAST_BIN", binary);
    run_tests([tests])
}

fn panels(subject: &Subject) -> anyhow::Result<Outcome> {
    operations::panels(&subject.binary()?)
}

fn balancers(subject: &Subject) -> anyhow::Result<Outcome> {
    operations::balancers(&subject.binary()?)
}

fn docs(subject: &Subject) -> anyhow::Result<Outcome> {
    match docs::check(&subject.binary()?)? {
        0 => Ok(Outcome::skipped("no command is marked <!-- run -->")),
        count => Ok(Outcome::ok().with_note(format!("{count} commands run"))),
    }
}

fn run_tests(runs: impl IntoIterator<Item = Command>) -> anyhow::Result<Outcome> {
    let mut tally = Tally::default();
    let mut success = true;
    for mut cargo in runs {
        success &= command::run_reading(&mut cargo, |line| tally.read(line))?.success();
    }
    Ok(Outcome::of_tests(success, tally))
}
