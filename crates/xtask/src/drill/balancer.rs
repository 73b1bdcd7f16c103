//! The balancer in front: the real one, with the configuration of deploy/ on other addresses.

use super::node::Node;
use super::program::{Program, wait};
use crate::command;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A balancer listens within a second.
const LISTENS_WITHIN: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Balancer {
    Haproxy,
    Nginx,
}

impl Balancer {
    pub(super) fn parse(name: &str) -> Result<&'static [Self], String> {
        match name {
            "haproxy" => Ok(&[Self::Haproxy]),
            "nginx" => Ok(&[Self::Nginx]),
            "both" => Ok(&[Self::Haproxy, Self::Nginx]),
            _ => Err("the balancers are haproxy, nginx and both".to_owned()),
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
        }
    }

    /// Starts it; clients connect with TLS to the second of the ports, and believe `authority.pem`
    /// in the directory.
    pub(super) fn start(
        self,
        directory: &Path,
        [plain, tls, stats]: [u16; 3],
        sessions: usize,
        nodes: &[Node],
    ) -> anyhow::Result<Program> {
        let mut write = command::program("python3");
        write.env("PYTHONDONTWRITEBYTECODE", "1");
        write
            .args(["deploy/check/tried.py", self.name()])
            .arg(directory);
        write.args([plain, tls, stats].map(|port| port.to_string()));
        write.arg(sessions.to_string());
        for node in nodes {
            write.arg(match self {
                Self::Haproxy => {
                    let (number, admin) = (node.number, node.admin.port());
                    format!("node{number} {} port {admin}", node.public)
                }
                Self::Nginx => node.public.to_string(),
            });
        }
        let config = command::output(&mut write)?;
        let config = Path::new(config.trim());
        let log = directory.join(format!("{}.log", self.name()));
        let mut command = match self {
            Self::Haproxy => {
                let mut haproxy = Command::new("haproxy");
                haproxy.args(["-db", "-f"]).arg(config);
                haproxy
            }
            Self::Nginx => {
                let mut nginx = Command::new("nginx");
                nginx.arg("-e").arg(&log).arg("-c").arg(config);
                nginx.args(["-g", "daemon off;"]);
                nginx
            }
        };
        let mut program = Program::start(self.name(), &mut command, &log)?.with_children();
        wait(LISTENS_WITHIN, "the balancer", || {
            program.lives()?;
            Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, tls)).ok())
        })?;
        Ok(program)
    }
}
