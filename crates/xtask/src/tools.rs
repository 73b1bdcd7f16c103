//! The programs that the steps take, and how they are installed.

use crate::command;
use anyhow::bail;
use std::path::Path;
use std::process::{Command, Stdio};

/// What goes together.
pub(crate) type Tools = &'static [Tool];

/// What librdkafka is built with.
pub(crate) const BUILD: Tools = &[Tool::Gcc, Tool::Gxx, Tool::Make, Tool::Zlib];
/// What Kafka and the generated codecs in Java run on.
pub(crate) const KAFKA: Tools = &[Tool::Java, Tool::Maven];
/// What makes the dashboards, and what they are looked at with.
pub(crate) const DASHBOARDS: Tools = &[Tool::Python, Tool::Prometheus];
/// Balancers, and what makes their configurations and certificates.
pub(crate) const BALANCERS: Tools = &[Tool::Python, Tool::Haproxy, Tool::Nginx, Tool::Openssl];

/// A program or library of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// The C compiler, for librdkafka; also Rust's linker.
    Gcc,
    /// The C++ compiler, for librdkafka.
    Gxx,
    /// For librdkafka.
    Make,
    /// zlib's headers, for librdkafka's compression.
    Zlib,
    /// A JDK, for Kafka and for the codecs that `sbe-tool` generates.
    Java,
    /// Where Kafka and `sbe-tool` come from.
    Maven,
    /// For the tests of the page.
    Node,
    /// The browser in which the page is tested.
    Chromium,
    /// What makes the dashboards, and what checks them and the files of deploy/.
    Python,
    /// `prometheus` and `promtool`, for the rules and the queries of the dashboards.
    Prometheus,
    /// A balancer whose configuration is tried.
    Haproxy,
    /// The other one.
    Nginx,
    /// `systemd-analyze`, for the unit.
    Systemd,
    /// For the balancers' certificate.
    Openssl,
}

impl Tool {
    fn is_there(self) -> bool {
        let any = |names: &[&str]| names.iter().any(|name| command::find(name).is_some());
        match self {
            Self::Gcc => any(&["gcc", "cc"]),
            Self::Gxx => any(&["g++", "c++"]),
            Self::Make => any(&["make"]),
            Self::Zlib => has_header("zlib.h"),
            Self::Java => any(&["java"]) && any(&["javac"]),
            Self::Maven => any(&["mvn"]),
            Self::Node => any(&["node"]),
            Self::Chromium => any(&["chromium", "chromium-browser", "google-chrome"]),
            // Debian has what virtual environments need in a package of its own.
            Self::Python => {
                let mut python = command::program("python3");
                command::output(python.args(["-c", "import ensurepip, venv"])).is_ok()
            }
            Self::Prometheus => any(&["prometheus"]) && any(&["promtool"]),
            Self::Haproxy => any(&["haproxy"]),
            Self::Nginx => any(&["nginx"]),
            Self::Systemd => any(&["systemd-analyze"]),
            Self::Openssl => any(&["openssl"]),
        }
    }

    /// The Debian packages that have it, the better first.
    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Gcc => &["gcc"],
            Self::Gxx => &["g++"],
            Self::Make => &["make"],
            Self::Zlib => &["zlib1g-dev"],
            // 17 is the oldest that Kafka 4 runs on.
            Self::Java => &["openjdk-17-jdk-headless", "default-jdk-headless"],
            Self::Maven => &["maven"],
            Self::Node => &["nodejs"],
            Self::Chromium => &["chromium"],
            Self::Python => &["python3-venv"],
            Self::Prometheus => &["prometheus"],
            Self::Haproxy => &["haproxy"],
            Self::Nginx => &["nginx-light", "nginx"],
            Self::Systemd => &["systemd"],
            Self::Openssl => &["openssl"],
        }
    }
}

/// Sees to it that all the tools are there: root on a system with apt gets them installed, everybody
/// else is told what is missing before any step has run.
pub(crate) fn ensure(needed: impl IntoIterator<Item = Tools>) -> anyhow::Result<()> {
    let mut missing: Vec<Tool> = Vec::new();
    for tool in needed.into_iter().flatten() {
        if !missing.contains(tool) && !tool.is_there() {
            missing.push(*tool);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    if is_root() && command::find("apt-get").is_some() {
        install(&missing)?;
        missing.retain(|tool| !tool.is_there());
    }
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|tool| tool.packages()[0]).collect();
    bail!(
        "missing: {missing:?}; on Debian, sudo apt-get install {}",
        packages.join(" ")
    );
}

fn install(missing: &[Tool]) -> anyhow::Result<()> {
    println!("== tools: {missing:?} are installed");
    // A fresh machine knows no packages yet, and an old one outdated addresses.
    command::run(apt().arg("update"))?;
    let packages = missing.iter().map(|tool| {
        let packages = tool.packages();
        let known = packages.iter().find(|package| is_known(package));
        known.unwrap_or(&packages[0])
    });
    command::run(
        apt()
            .args(["install", "--yes", "--no-install-recommends"])
            .args(packages),
    )
}

fn apt() -> Command {
    let mut apt = command::program("apt-get");
    apt.arg("--quiet").env("DEBIAN_FRONTEND", "noninteractive");
    apt
}

fn is_known(package: &str) -> bool {
    let mut show = command::program("apt-cache");
    command::output(show.args(["show", "--no-all-versions", package])).is_ok()
}

fn has_header(name: &str) -> bool {
    if Path::new("/usr/include").join(name).exists() {
        return true;
    }
    // Elsewhere the compiler knows where headers are.
    command::program("sh")
        .args(["-c", "echo \"#include <$0>\" | cc -E -", name])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    command::output(command::program("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}
