//! Where other servers are, and how they get there: sources of ours that use pinned packages,
//! unpacked into a cache and installed there by the ecosystem's own tool.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use super::peer::Peer;

/// The directory that servers are installed in, each in one of its own name.
#[derive(Debug)]
pub(super) struct Cache {
    root: PathBuf,
}

macro_rules! sources {
    ($($name:literal from $path:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../peers/", $path)))),+]
    };
}

/// A server's files, what installs it, and what is there when it is.
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
                // What says that all of it is there.
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

/// Debian's package, which only an administrator installs.
const NATS_SERVER: &str = "nats-server";
const INSTALL_NATS: &str = "apt-get install nats-server";

impl Cache {
    pub(super) fn new(root: &Path) -> anyhow::Result<Self> {
        let root = std::path::absolute(root).context("there is no current directory")?;
        Ok(Self { root })
    }

    /// Where a server's files are; where logs and schedules are, for all of them.
    pub(super) fn dir(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Nothing, or why the server cannot be run.
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

    /// Whether it is installed, and the command that installs it.
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

    /// Installs what can be without rights of an administrator; tells of each how it went.
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
            // A program of the directory itself is not looked for elsewhere.
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

    /// Puts this binary's own sources of the server there, so that both are of one version.
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
