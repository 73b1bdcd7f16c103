//! Where the binary is that is tested.

use std::path::PathBuf;
use std::process::Command;

/// The variable that names another binary.
pub const VARIABLE: &str = "TAPECAST_BIN";

/// The binary of [`VARIABLE`], else the one beside the test's executable.
#[must_use]
pub fn path() -> PathBuf {
    if let Some(named) = std::env::var_os(VARIABLE) {
        let named = PathBuf::from(named);
        assert!(
            named.is_file(),
            "{VARIABLE} is {}: no such file",
            named.display()
        );
        return named;
    }
    let test = std::env::current_exe().expect("a test knows its executable");
    // target/PROFILE/deps/e2e-HASH
    let beside = test.ancestors().nth(2).map(|dir| dir.join("tapecast"));
    let Some(beside) = beside.filter(|path| path.is_file()) else {
        panic!(
            "there is no tapecast beside {}: build it with `cargo build --release -p tapecast` and test with \
             --release, or set {VARIABLE}",
            test.display()
        );
    };
    beside
}

/// The binary, to be given arguments; no variable of the environment configures it.
#[must_use]
pub fn command() -> Command {
    without_variables(Command::new(path()))
}

/// The binary, limited to this many open files.
#[must_use]
pub fn command_with_files(files: u32) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n \"$0\" && exec \"$@\""]);
    shell.arg(files.to_string()).arg(path());
    without_variables(shell)
}

fn without_variables(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TAPECAST_") {
            command.env_remove(name);
        }
    }
    command
}
