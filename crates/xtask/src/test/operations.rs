//! What operators install: dashboards and rules, and the files of `deploy/`. The work is done by
//! Python programs beside them, in a virtual environment in `.tools/`.

use super::outcome::Outcome;
use super::subject::Subject;
use crate::command;
use crate::workspace;
use anyhow::{Context, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Module search path for mypy; the programs extend their own.
const SOURCES: &str = "dashboards/source:dashboards/check:deploy/check";
/// Each waits at most 75 s for what it starts, and usually takes 10 to 25 s.
const LIVE_WITHIN: Duration = Duration::from_secs(300);

/// Checks types, generated files, metric names, runbooks, and rules with promtool's tests.
pub(super) fn dashboards(_: &Subject) -> anyhow::Result<Outcome> {
    let python = Python::ensure()?;
    python.check_types(&["dashboards/source", "dashboards/check"])?;
    command::run(python.program("dashboards/source/build.py").arg("--check"))?;
    command::run(&mut python.program("dashboards/check/names.py"))?;
    let promtool = |arguments: &[&str]| command::run(command::program("promtool").args(arguments));
    promtool(&["check", "config", "dashboards/prometheus.yaml"])?;
    let tests = files(&workspace::root().join("dashboards/mixin/tests"), "yaml")?;
    if tests.is_empty() {
        bail!("dashboards/mixin/tests has no test");
    }
    command::run(
        command::program("promtool")
            .args(["test", "rules"])
            .args(tests),
    )?;
    Ok(Outcome::ok())
}

/// Checks each file of `deploy/` with the program that it is for.
pub(super) fn deploy(_: &Subject) -> anyhow::Result<Outcome> {
    let python = Python::ensure()?;
    python.check_types(&["deploy/check"])?;
    command::run(&mut python.program("deploy/check/static.py"))?;
    let has_kustomize = ["kustomize", "kubectl"]
        .iter()
        .any(|name| command::find(name).is_some());
    if has_kustomize {
        return Ok(Outcome::ok());
    }
    // Debian 12 has none that is new enough, so that a missing one is only noted.
    Ok(Outcome::ok().with_note("overlay not rendered: no kustomize or kubectl"))
}

/// Runs every query against a real Prometheus.
pub(super) fn panels(binary: &Path) -> anyhow::Result<Outcome> {
    live("dashboards/check/live.py", binary)
}

/// Runs sessions through real balancers, and scans their TLS and that of a node.
pub(super) fn balancers(binary: &Path) -> anyhow::Result<Outcome> {
    live("deploy/check/proxies.py", binary)?;
    live("deploy/check/tls.py", binary)
}

/// Runs a program that starts nodes.
fn live(program: &str, binary: &Path) -> anyhow::Result<Outcome> {
    let python = Python::ensure()?;
    command::run_within(python.program(program).arg(binary), LIVE_WITHIN)?;
    Ok(Outcome::ok())
}

/// A virtual environment with the packages of dashboards/requirements.txt.
struct Python {
    bin: PathBuf,
}

impl Python {
    /// Creates it if missing or outdated.
    fn ensure() -> anyhow::Result<Self> {
        let root = workspace::root();
        let home = root.join(".tools").join("operations");
        let bin = home.join("bin");
        let wanted = root.join("dashboards").join("requirements.txt");
        let wanted_text = fs::read_to_string(&wanted).context("dashboards/requirements.txt")?;
        // Written last, so that an unfinished environment is created again.
        let installed = home.join("requirements.txt");
        if fs::read_to_string(&installed).is_ok_and(|text| text == wanted_text) {
            return Ok(Self { bin });
        }
        let mut make = command::program("python3");
        command::run(make.args(["-m", "venv", "--clear"]).arg(&home))?;
        let mut pip = command::program(bin.join("pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check"]);
        command::run(pip.arg("--requirement").arg(&wanted))?;
        fs::write(&installed, wanted_text)?;
        Ok(Self { bin })
    }

    fn program(&self, path: &str) -> Command {
        let mut python = command::program(self.bin.join("python"));
        // Leaves no bytecode beside the sources.
        python.env("PYTHONDONTWRITEBYTECODE", "1").arg(path);
        python
    }

    fn check_types(&self, directories: &[&str]) -> anyhow::Result<()> {
        let root = workspace::root();
        let mut mypy = command::program(self.bin.join("mypy"));
        mypy.args(["--strict", "--cache-dir", ".tools/mypy"]);
        for directory in directories {
            mypy.args(files(&root.join(directory), "py")?);
        }
        command::run(mypy.env("MYPYPATH", SOURCES))
    }
}

/// The files of a directory with that extension, sorted.
fn files(directory: &Path, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
