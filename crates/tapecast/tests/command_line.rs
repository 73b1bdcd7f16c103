//! The command line as a shell sees it: exit codes, and what goes where.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

const EXAMPLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../deploy/tapecast.example.toml"
);

fn tapecast(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tapecast"))
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

#[track_caller]
fn check(arguments: &[&str], code: i32, in_stdout: &str, in_stderr: &str) {
    let output = tapecast(arguments, &[]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{stdout}{stderr}");
    assert!(stdout.contains(in_stdout), "{stdout}");
    assert!(stderr.contains(in_stderr), "{stderr}");
    assert_eq!(stdout.is_empty(), in_stdout.is_empty(), "{stdout}");
    assert_eq!(stderr.is_empty(), in_stderr.is_empty(), "{stderr}");
}

#[test]
fn help_and_version_are_no_mistakes() {
    check(&["--help"], 0, "check-config", "");
    check(&["serve", "--help"], 0, "--config <FILE>", "");
    check(&["--version"], 0, "tapecast ", "");
}

#[test]
fn bad_usage_is_64() {
    check(&["broadcast"], 64, "", "broadcast");
    check(&["serve", "--colour"], 64, "", "--colour");
    check(&["check-config", "--log", "verbose"], 64, "", "verbose");
}

#[test]
fn a_right_configuration_is_shown() {
    let arguments = ["check-config", "--config", EXAMPLE];
    check(&arguments, 0, "brokers = \"127.0.0.1:9092\"  # line", "");
}

#[test]
fn flags_and_variables_come_before_the_file() {
    let arguments = ["check-config", "--listen", "127.0.0.1:1"];
    let variables = [
        ("TAPECAST_CONFIG", EXAMPLE),
        ("TAPECAST_PUBLIC__LISTEN", "127.0.0.1:2"),
        ("TAPECAST_ADMIN__LISTEN", "127.0.0.1:3"),
    ];
    let output = tapecast(&arguments, &variables);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout.contains("listen = \"127.0.0.1:1\"  # command line\n"));
    assert!(stdout.contains("listen = \"127.0.0.1:3\"  # TAPECAST_ADMIN__LISTEN\n"));
}

#[test]
fn a_wrong_configuration_is_64_and_starts_nothing() {
    let missing = "/nonexistent/tapecast.toml";
    for command in ["check-config", "serve"] {
        check(&[command], 64, "", "2 errors in the configuration\n");
        check(&[command, "--config", missing], 64, "", missing);
    }
    let flag = ["check-config", "--config", EXAMPLE, "--admin", "nowhere"];
    check(&flag, 64, "", "admin.listen = \"nowhere\" (command line)");
}
