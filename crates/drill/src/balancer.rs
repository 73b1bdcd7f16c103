//! The balancer in front of the nodes, with the configuration of `deploy/` on other addresses.

use super::node::Node;
use super::process::{Process, wait};
use anyhow::{Context, ensure};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A balancer listens within a second on an idle machine.
const LISTENS_WITHIN: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Balancer {
    Haproxy,
    Nginx,
}

impl Balancer {
    pub(crate) fn parse(name: &str) -> Result<&'static [Self], String> {
        match name {
            "haproxy" => Ok(&[Self::Haproxy]),
            "nginx" => Ok(&[Self::Nginx]),
            "both" => Ok(&[Self::Haproxy, Self::Nginx]),
            _ => Err("must be haproxy, nginx or both".to_owned()),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
        }
    }

    /// Starts it. Clients connect with TLS to the second port, and trust `authority.pem` in the
    /// directory.
    pub(crate) fn start(
        self,
        directory: &Path,
        [plain, tls, stats]: [u16; 3],
        sessions: usize,
        nodes: &[Node],
    ) -> anyhow::Result<Process> {
        let config = self.write_config(directory, [plain, tls, stats], sessions, nodes)?;
        let log = directory.join(format!("{}.log", self.name()));
        let mut command = match self {
            Self::Haproxy => {
                let mut haproxy = Command::new("haproxy");
                haproxy.args(["-db", "-f", &config]);
                haproxy
            }
            Self::Nginx => {
                let mut nginx = Command::new("nginx");
                nginx.arg("-e").arg(&log).args(["-c", &config]);
                nginx.args(["-g", "daemon off;"]);
                nginx
            }
        };
        let mut process = Process::start(self.name(), &mut command, &log)?.with_children();
        wait(LISTENS_WITHIN, "connection to the balancer", || {
            process.check_running()?;
            Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, tls)).ok())
        })?;
        Ok(process)
    }

    /// Writes its configuration and certificate, and returns the configuration's path.
    fn write_config(
        self,
        directory: &Path,
        ports: [u16; 3],
        sessions: usize,
        nodes: &[Node],
    ) -> anyhow::Result<String> {
        let mut python = Command::new("python3");
        python.env("PYTHONDONTWRITEBYTECODE", "1");
        python
            .args(["deploy/check/balancer_config.py", self.name()])
            .arg(directory);
        python.args(ports.map(|port| port.to_string()));
        python.arg(sessions.to_string());
        for node in nodes {
            python.arg(match self {
                Self::Haproxy => {
                    let (number, admin) = (node.number, node.admin.port());
                    format!("node{number} {} port {admin}", node.public)
                }
                Self::Nginx => node.public.to_string(),
            });
        }
        let output = python.stderr(Stdio::inherit()).output();
        let output = output.context("cannot run python3")?;
        ensure!(
            output.status.success(),
            "deploy/check/balancer_config.py: {}",
            output.status
        );
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}
