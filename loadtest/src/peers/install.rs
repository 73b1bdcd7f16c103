//! Where other servers are, and how they are installed: our own sources with pinned packages,
//! unpacked into a cache and installed there by the tools of their ecosystem.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use super::peer::Peer;

/// The directory in which servers are installed, each in a subdirectory with its name.
#[derive(Debug)]
pub(super) struct Cache {
    root: PathBuf,
}

macro_rules! sources {
    ($($name:literal from $path:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../peers/", $path)))),+]
    };
}

/// A server's sources, the commands that install it, and a file that shows that it is installed.
struct Recipe {
    sources: &'static [(&'static str, &'static str)],
    commands: &'static [&'static [&'static str]],
    installed: &'static str,
}

fn recipe(peer: Peer) -> Option<Recipe> {
    const NPM_CI: &[&[&str]] = &[&["npm", "ci", "--no-audit", "--no-fund"]];
    match peer {
        Peer::NodeWs => Some(Recipe {
            sources: sources! {
                "server.js" from "node-ws/server.js",
                "pace.js" from "pace.js",
                "package.json" from "node-ws/package.json",
                "package-lock.json" from "node-ws/package-lock.json",
            },
            commands: NPM_CI,
            installed: "node_modules/ws/package.json",
        }),
        Peer::Socketio => Some(Recipe {
            sources: sources! {
                "server.js" from "socketio/server.js",
                "pace.js" from "pace.js",
                "package.json" from "socketio/package.json",
                "package-lock.json" from "socketio/package-lock.json",
            },
            commands: NPM_CI,
            installed: "node_modules/socket.io/package.json",
        }),
        Peer::Uwebsockets => Some(Recipe {
            sources: sources! {
                "server.py" from "uwebsockets/server.py",
                "requirements.txt" from "uwebsockets/requirements.txt",
            },
            commands: &[
                &["python3", "-m", "venv", "venv"],
                &[
                    "venv/bin/python",
                    "-m",
                    "pip",
                    "install",
                    "-q",
                    "-r",
                    "requirements.txt",
                ],
                // Exists if the installation is complete.
                &[
                    "venv/bin/python",
                    "-c",
                    "import socketify; open('installed', 'w')",
                ],
            ],
            installed: "installed",
        }),
        Peer::Centrifugo => Some(Recipe {
            sources: sources! {
                "main.go" from "centrifugo/main.go",
                "go.mod" from "centrifugo/go.mod",
                "go.sum" from "centrifugo/go.sum",
            },
            commands: &[&["go", "build", "-o", "server", "."]],
            installed: "server",
        }),
        Peer::Loop | Peer::Tapecast | Peer::Fastwebsockets | Peer::Tungstenite | Peer::Nats => None,
    }
}

/// Needs root: a package of Debian.
const NATS_SERVER: &str = "nats-server";
const INSTALL_NATS: &str = "apt-get install nats-server";

impl Cache {
    pub(super) fn new(root: &Path) -> anyhow::Result<Self> {
        let root = std::path::absolute(root).context("there is no current directory")?;
        Ok(Self { root })
    }

    /// The directory of a server, or of logs and schedules.
    pub(super) fn dir(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Fails with the reason if the server cannot run.
    pub(super) fn missing(&self, peer: Peer) -> Option<String> {
        if peer == Peer::Nats {
            let there = Command::new(NATS_SERVER).arg("--version").output().is_ok();
            return (!there).then(|| format!("not installed: {INSTALL_NATS}"));
        }
        let recipe = recipe(peer)?;
        let there = self.dir(peer.name()).join(recipe.installed).exists();
        (!there).then(|| {
            format!(
                "not installed: loadtest peers --install --servers {}",
                peer.name()
            )
        })
    }

    /// Describes whether a server is installed, and how to install it.
    pub(super) fn tell(&self, peer: Peer) -> String {
        let state = match self.missing(peer) {
            None if recipe(peer).is_some() || peer == Peer::Nats => "installed",
            None => "built in",
            Some(_) => "missing",
        };
        let mut line = format!("{:16} {state:10}", peer.name());
        if peer == Peer::Nats {
            line.push_str(&format!(" {INSTALL_NATS}"));
        }
        if let Some(recipe) = recipe(peer) {
            let commands: Vec<String> = recipe
                .commands
                .iter()
                .map(|words| words.join(" "))
                .collect();
            line.push_str(&format!(
                " loadtest peers --install --servers {}  (in {}: {})",
                peer.name(),
                self.dir(peer.name()).display(),
                commands.join(" && ")
            ));
        }
        line
    }

    /// Installs the servers that need no root, and prints the outcome of each.
    pub(super) fn install(&self, wanted: &[Peer]) -> anyhow::Result<()> {
        let mut failed = Vec::new();
        for peer in wanted {
            let Some(recipe) = recipe(*peer) else {
                println!("{}", self.tell(*peer));
                continue;
            };
            match self.install_one(*peer, &recipe) {
                Ok(()) => println!("{:16} installed", peer.name()),
                Err(error) => {
                    println!("{:16} failed: {error:#}", peer.name());
                    failed.push(peer.name());
                }
            }
        }
        ensure!(failed.is_empty(), "not installed: {}", failed.join(", "));
        Ok(())
    }

    fn install_one(&self, peer: Peer, recipe: &Recipe) -> anyhow::Result<()> {
        self.unpack(peer)?;
        let dir = self.dir(peer.name());
        for words in recipe.commands {
            let [program, arguments @ ..] = words else {
                continue;
            };
            eprintln!("{}: {}", peer.name(), words.join(" "));
            // A path into the directory is not searched in `PATH`.
            let own = dir.join(program);
            let program = if own.exists() {
                own
            } else {
                PathBuf::from(program)
            };
            let status = Command::new(&program)
                .args(arguments)
                .current_dir(&dir)
                .status()
                .with_context(|| format!("cannot run {}", program.display()))?;
            if !status.success() {
                bail!("{}: {status}", words.join(" "));
            }
        }
        Ok(())
    }

    /// Writes this binary's copy of the server's sources, so that both have the same version.
    pub(super) fn unpack(&self, peer: Peer) -> anyhow::Result<()> {
        let dir = self.dir(peer.name());
        for (name, text) in recipe(peer).map_or(&[][..], |recipe| recipe.sources) {
            let file = dir.join(name);
            if fs::read_to_string(&file).is_ok_and(|there| there == *text) {
                continue;
            }
            fs::create_dir_all(&dir)
                .and_then(|()| fs::write(&file, text))
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(())
    }
}
