//! The programs that the steps need, and how they are installed.

use crate::command;
use anyhow::bail;
use std::path::Path;
use std::process::{Command, Stdio};

/// Tools that are needed together.
pub(crate) type Tools = &'static [Tool];

/// Needed to build librdkafka.
pub(crate) const BUILD: Tools = &[Tool::Gcc, Tool::Gxx, Tool::Make, Tool::Zlib];
/// Needed by Kafka and by the generated codecs in Java.
pub(crate) const KAFKA: Tools = &[Tool::Java, Tool::Maven];
/// Needed to generate and check the dashboards.
pub(crate) const DASHBOARDS: Tools = &[Tool::Python, Tool::Prometheus];
/// Balancers, and what generates their configurations and certificates.
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
    /// Downloads Kafka and `sbe-tool`.
    Maven,
    /// For the tests of the page.
    Node,
    /// The browser in which the page is tested.
    Chromium,
    /// Generates the dashboards, and checks them and `deploy/`.
    Python,
    /// `prometheus` and `promtool`, for the rules and the queries of the dashboards.
    Prometheus,
    /// A balancer whose configuration is tested.
    Haproxy,
    /// The other balancer.
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
            // Debian splits virtual environments into a separate package.
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

    /// Debian packages that contain it, the preferred first.
    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Gcc => &["gcc"],
            Self::Gxx => &["g++"],
            Self::Make => &["make"],
            Self::Zlib => &["zlib1g-dev"],
            // 17 is the minimum for Kafka 4.
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

/// Ensures that all tools are installed. As root on a system with apt, installs what is missing;
/// otherwise fails before any step has run.
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
    if rustix::process::geteuid().is_root() && command::find("apt-get").is_some() {
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
    println!("== tools: installing {missing:?}");
    // A fresh machine has no package lists, and an old one outdated ones.
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
    // On other systems, asks the compiler.
    command::program("sh")
        .args(["-c", "echo \"#include <$0>\" | cc -E -", name])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
