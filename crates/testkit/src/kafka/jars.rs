//! Kafka's jars: downloaded from Maven once, then shared by all brokers of the project.

use super::{KafkaError, home};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const POM: &str = include_str!("../../kafka/pom.xml");
const LOG4J: &str = include_str!("../../kafka/log4j2.properties");

/// The jars on disk.
#[derive(Debug, Clone)]
pub(super) struct Jars {
    lib: PathBuf,
}

impl Jars {
    /// Returns the jars, and downloads them if missing or of another version.
    ///
    /// The directory appears complete or not at all. It contains a copy of its POM, by which
    /// another version is detected. A lock prevents two simultaneous downloads; the second process
    /// waits for the first.
    pub(super) fn fetch() -> Result<Self, KafkaError> {
        let home = home();
        let lib = home.join("lib");
        if is_current(&lib) {
            return Ok(Self { lib });
        }
        fs::create_dir_all(&home).map_err(KafkaError::file("create", &home))?;
        let lock = home.join("lib.lock");
        let file = File::create(&lock).map_err(KafkaError::file("create", &lock))?;
        file.lock().map_err(KafkaError::file("lock", &lock))?;
        if is_current(&lib) {
            return Ok(Self { lib });
        }

        let partial = home.join("lib.partial");
        for stale in [&partial, &lib] {
            if stale.exists() {
                fs::remove_dir_all(stale).map_err(KafkaError::file("remove", stale))?;
            }
        }
        fs::create_dir_all(&partial).map_err(KafkaError::file("create", &partial))?;
        for (name, text) in [("pom.xml", POM), ("log4j2.properties", LOG4J)] {
            let path = partial.join(name);
            fs::write(&path, text).map_err(KafkaError::file("write", &path))?;
        }
        copy_dependencies(&partial)?;
        fs::rename(&partial, &lib).map_err(KafkaError::file("create", &lib))?;
        Ok(Self { lib })
    }

    /// A Java command with class path, heap and log settings; the caller adds the class and its
    /// arguments.
    pub(super) fn java(&self) -> Command {
        let mut java = Command::new("java");
        java.arg("-Xmx512m")
            // A test broker lives for seconds, so that a fast start matters more than peak speed.
            .args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .arg(format!(
                "-Dlog4j2.configurationFile={}",
                self.lib.join("log4j2.properties").display()
            ))
            .arg("-cp")
            .arg(self.lib.join("*"))
            .stdin(Stdio::null());
        java
    }
}

fn is_current(lib: &Path) -> bool {
    let same =
        |name: &str, text: &str| fs::read_to_string(lib.join(name)).is_ok_and(|is| is == text);
    same("pom.xml", POM) && same("log4j2.properties", LOG4J)
}

fn copy_dependencies(directory: &Path) -> Result<(), KafkaError> {
    let output = Command::new("mvn")
        .args([
            "--batch-mode",
            "--quiet",
            "--no-transfer-progress",
            "--file",
        ])
        .arg(directory.join("pom.xml"))
        .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", directory.display()))
        .stdin(Stdio::null())
        .output()
        .map_err(|source| KafkaError::Missing {
            program: "mvn",
            package: "maven",
            source,
        })?;
    if output.status.success() {
        return Ok(());
    }
    let output_text = String::from_utf8_lossy(&output.stdout).into_owned();
    Err(KafkaError::Failed {
        program: "mvn",
        status: output.status,
        output: output_text,
    })
}
