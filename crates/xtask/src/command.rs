//! Runs other programs and forwards their output.

use crate::workspace;
use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Poll interval for a program with a time limit.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Cargo in the workspace root. In CI it fails if `Cargo.lock` would change.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(arguments);
    if std::env::var_os("CI").is_some() && arguments.first() != Some(&"fmt") {
        cargo.arg("--locked");
    }
    cargo
}

/// A program in the workspace root.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(workspace::root()).stdin(Stdio::null());
    command
}

/// Searches a program in `PATH`.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
}

/// Runs it, and fails if it fails.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let shown = show(command);
    let status = command
        .status()
        .with_context(|| format!("cannot run {shown}"))?;
    if !status.success() {
        bail!("{shown}: {status}");
    }
    Ok(())
}

/// Runs it, forwards its output, and calls `read` with each line.
pub(crate) fn run_reading(
    command: &mut Command,
    mut read: impl FnMut(&str),
) -> anyhow::Result<ExitStatus> {
    let shown = show(command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {shown}"))?;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            read(&line);
        }
    }
    Ok(child.wait()?)
}

/// Runs it, and returns its output.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let shown = show(command);
    let output = command
        .output()
        .with_context(|| format!("cannot run {shown}"))?;
    if !output.status.success() {
        bail!(
            "{shown}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs it, and kills it with all its children after `limit`.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> anyhow::Result<()> {
    let shown = show(command);
    let mut child = command
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot run {shown}"))?;
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            if !status.success() {
                bail!("{shown}: {status}");
            }
            return Ok(());
        }
        if start.elapsed() > limit {
            if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                kill_process_group(group, Signal::KILL)?;
            }
            child.wait()?;
            bail!("{shown}: not done after {} s", limit.as_secs());
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn show(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let name = program
        .file_name()
        .unwrap_or(command.get_program())
        .to_string_lossy()
        .into_owned();
    let arguments = command
        .get_args()
        .map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once(name)
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_program_is_killed_with_its_children() {
        let mut command = program("sh");
        command.args(["-c", "sleep 1000 & wait"]);
        let error = run_within(&mut command, Duration::ZERO).unwrap_err();
        assert!(error.to_string().contains("not done after 0 s"), "{error}");
    }

    #[test]
    fn a_failure_names_the_command() {
        let error = run(program("sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "sh -c exit 3: exit status: 3");
    }
}
