//! The list of what is checked, in the order in which a mistake is cheapest to find.

use super::outcome::{Outcome, Tally};
use super::tools::Tool;
use super::{deny, operations, web};
use crate::workspace::Member;
use crate::{arrows, command, docs};
use std::process::Command;

/// One check.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Whether `--fast` leaves it out.
    pub(super) slow: bool,
    /// Without these it cannot run.
    pub(super) needs: &'static [Tool],
    pub(super) run: fn(&[Member]) -> anyhow::Result<Outcome>,
}

/// What librdkafka is built with.
const BUILD: &[Tool] = &[Tool::Gcc, Tool::Gxx, Tool::Make, Tool::Zlib];
/// The same, and what Kafka and the generated codecs in Java run on.
const TEST: &[Tool] = &[
    Tool::Gcc,
    Tool::Gxx,
    Tool::Make,
    Tool::Zlib,
    Tool::Java,
    Tool::Maven,
];
/// The same, and a browser to open the page in.
const E2E: &[Tool] = &[
    Tool::Gcc,
    Tool::Gxx,
    Tool::Make,
    Tool::Zlib,
    Tool::Java,
    Tool::Maven,
    Tool::Chromium,
];
/// What a node is built with, and a Prometheus to look at it.
const PANELS: &[Tool] = &[
    Tool::Gcc,
    Tool::Gxx,
    Tool::Make,
    Tool::Zlib,
    Tool::Python,
    Tool::Prometheus,
];
/// What a node is built with, and balancers to put in front of it.
const BALANCERS: &[Tool] = &[
    Tool::Gcc,
    Tool::Gxx,
    Tool::Make,
    Tool::Zlib,
    Tool::Python,
    Tool::Haproxy,
    Tool::Nginx,
    Tool::Openssl,
];

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
        about: "the crates depend on each other in one direction",
        slow: false,
        needs: &[],
        run: arrows,
    },
    Step {
        name: "clippy",
        about: "no lint complains",
        slow: true,
        needs: BUILD,
        run: clippy,
    },
    Step {
        name: "deny",
        about: "bans, licenses, sources and advisories of the dependencies",
        slow: true,
        needs: &[Tool::Gcc],
        run: deny::run,
    },
    Step {
        name: "rustdoc",
        about: "the documentation builds without a warning",
        slow: false,
        needs: BUILD,
        run: rustdoc,
    },
    Step {
        name: "test",
        about: "the tests of the workspace",
        slow: false,
        needs: TEST,
        run: test,
    },
    Step {
        name: "web",
        about: "the tests of the page",
        slow: false,
        needs: &[Tool::Node],
        run: web::run,
    },
    Step {
        name: "dashboards",
        about: "dashboards, rules, alerts and their runbooks",
        slow: true,
        needs: &[Tool::Python, Tool::Prometheus],
        run: operations::dashboards,
    },
    Step {
        name: "deploy",
        about: "every file of deploy/ read by the program that it is for",
        slow: true,
        needs: &[
            Tool::Python,
            Tool::Haproxy,
            Tool::Nginx,
            Tool::Systemd,
            Tool::Openssl,
        ],
        run: operations::deploy,
    },
    Step {
        name: "e2e",
        about: "the release binary against a real Kafka",
        slow: true,
        needs: E2E,
        run: e2e,
    },
    Step {
        name: "panels",
        about: "every query of the dashboards against Prometheus and a loaded node",
        slow: true,
        needs: PANELS,
        run: panels,
    },
    Step {
        name: "balancers",
        about: "nodes behind HAProxy and NGINX, one full, one drained",
        slow: true,
        needs: BALANCERS,
        run: balancers,
    },
    Step {
        name: "docs",
        about: "the commands that the documentation shows",
        slow: true,
        needs: BUILD,
        run: docs,
    },
];

fn fmt(_: &[Member]) -> anyhow::Result<Outcome> {
    command::run(&mut command::cargo(&["fmt", "--all", "--check"]))?;
    Ok(Outcome::ok())
}

fn arrows(_: &[Member]) -> anyhow::Result<Outcome> {
    arrows::check()?;
    Ok(Outcome::ok())
}

fn clippy(_: &[Member]) -> anyhow::Result<Outcome> {
    let mut clippy = command::cargo(&["clippy", "--workspace", "--all-targets"]);
    command::run(clippy.args(["--", "-D", "warnings"]))?;
    Ok(Outcome::ok())
}

fn rustdoc(_: &[Member]) -> anyhow::Result<Outcome> {
    let mut doc = command::cargo(&["doc", "--workspace", "--no-deps"]);
    command::run(doc.env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(Outcome::ok())
}

fn test(members: &[Member]) -> anyhow::Result<Outcome> {
    let mut test = command::cargo(&["test", "--workspace", "--no-fail-fast"]);
    if has(members, "e2e") {
        test.args(["--exclude", "e2e"]);
    }
    run_tests(&mut test)
}

fn e2e(members: &[Member]) -> anyhow::Result<Outcome> {
    if !has(members, "e2e") {
        return Ok(Outcome::skipped("the workspace has no crate e2e"));
    }
    // What is tested is the binary that is shipped; the tests themselves need no optimising, and
    // what they stand on is built already.
    build_release(members)?;
    let mut tests = command::cargo(&["test", "--package", "e2e", "--no-fail-fast"]);
    tests.env("TAPECAST_BIN", operations::release_binary()?);
    run_tests(&mut tests)
}

fn panels(members: &[Member]) -> anyhow::Result<Outcome> {
    build_release(members)?;
    operations::panels()
}

fn balancers(members: &[Member]) -> anyhow::Result<Outcome> {
    build_release(members)?;
    operations::balancers()
}

/// The binaries that are shipped; each step that needs them builds the same, so that it costs once.
fn build_release(members: &[Member]) -> anyhow::Result<()> {
    let mut build = command::cargo(&["build", "--release"]);
    for package in ["node", "loadtest"]
        .into_iter()
        .filter(|name| has(members, name))
    {
        build.args(["--package", package]);
    }
    command::run(&mut build)
}

fn docs(_: &[Member]) -> anyhow::Result<Outcome> {
    match docs::check()? {
        0 => Ok(Outcome::skipped("no command is marked <!-- run -->")),
        count => Ok(Outcome::ok().with_note(format!("{count} commands run"))),
    }
}

fn run_tests(cargo: &mut Command) -> anyhow::Result<Outcome> {
    let mut tally = Tally::default();
    let status = command::run_reading(cargo, |line| tally.read(line))?;
    Ok(Outcome::of_tests(status.success(), tally))
}

fn has(members: &[Member], name: &str) -> bool {
    members.iter().any(|member| member.name == name)
}
