//! The command line and its exit codes.
//!
//! Exit codes: 0 success, 64 bad usage or configuration (`EX_USAGE` of sysexits), 1 failure.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use node::{Config, ConfigErrors, Flag, Log, LogFormat, Sources, log_filter};

use crate::{demo, publish, tail};

/// `EX_USAGE`; clap's own 2 could be mistaken for a shell's.
const BAD_USAGE: u8 = 64;
const FAILED: u8 = 1;
/// Log level of the tools.
const PLAIN_LEVEL: &str = "warn";

/// Broadcasts live market data from Kafka over WebSocket; without a command, runs a demo
#[derive(Debug, Parser)]
#[command(name = "tapecast", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    overrides: Overrides,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a demo: a simulated market, an in-process Kafka, a node and its page
    Demo(demo::DemoArgs),
    /// Run a node
    Serve(ConfigArgs),
    Publish(publish::PublishArgs),
    Tail(tail::TailArgs),
    /// Print the effective configuration, or all of its errors
    CheckConfig(ConfigArgs),
}

#[derive(Debug, Args)]
struct ConfigArgs {
    /// Configuration file (TOML); overridden by variables such as TAPECAST_KAFKA__BROKERS
    #[arg(long, value_name = "FILE", env = "TAPECAST_CONFIG")]
    config: Option<PathBuf>,
}

/// Flags that set keys of the configuration.
#[derive(Debug, Args)]
struct Overrides {
    /// Address for clients [public.listen]
    #[arg(long, global = true, value_name = "ADDR")]
    listen: Option<String>,
    /// Address for operators [admin.listen]
    #[arg(long, global = true, value_name = "ADDR")]
    admin: Option<String>,
    /// Log level, e.g. debug [log.level]
    #[arg(long, global = true, value_name = "LEVEL", value_parser = log_filter)]
    log: Option<String>,
}

pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // The terminal may be gone.
            let _ = error.print();
            let code = if error.use_stderr() { BAD_USAGE } else { 0 };
            return ExitCode::from(code);
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::from(exit_code(&error))
        }
    }
}

/// An invalid configuration is bad usage, wherever it was detected.
fn exit_code(error: &anyhow::Error) -> u8 {
    let is_usage = error.is::<ConfigErrors>() || error.is::<Unreadable>();
    if is_usage { BAD_USAGE } else { FAILED }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let overrides = &cli.overrides;
    let command = cli
        .command
        .unwrap_or_else(|| Command::Demo(demo::DemoArgs::default()));
    match command {
        Command::Demo(args) => demo::run(args, overrides.sources(None)?),
        Command::Serve(args) => {
            let (config, log) = node::prepare(overrides.sources(args.config.as_deref())?)?;
            let overrides = cli.overrides;
            let reread = move || Ok(overrides.sources(args.config.as_deref())?);
            node::run(config, log, Box::new(reread))
        }
        Command::Publish(args) => {
            start_plain_log(overrides.log.as_deref())?;
            publish::run(args)
        }
        Command::Tail(args) => {
            start_plain_log(overrides.log.as_deref())?;
            tail::run(args)
        }
        Command::CheckConfig(args) => check_config(overrides.sources(args.config.as_deref())?),
    }
}

/// Starts the log of a tool, which has its own output.
fn start_plain_log(level: Option<&str>) -> anyhow::Result<()> {
    node::start_log(&Log {
        filter: level.unwrap_or(PLAIN_LEVEL).to_owned(),
        format: LogFormat::Pretty,
    })?;
    Ok(())
}

fn check_config(sources: Sources) -> anyhow::Result<()> {
    let config = Config::load(sources)?;
    write!(std::io::stdout(), "{}", config.effective).context("cannot write to standard output")
}

impl Overrides {
    fn sources(&self, file: Option<&Path>) -> Result<Sources, Unreadable> {
        let mut sources = Sources::default()
            .environment(std::env::vars_os())
            .flag(Flag::Listen, self.listen.as_deref())
            .flag(Flag::Admin, self.admin.as_deref())
            .flag(Flag::Log, self.log.as_deref());
        if let Some(path) = file {
            sources = sources.file(path).map_err(|error| Unreadable {
                path: path.to_owned(),
                error,
            })?;
        }
        Ok(sources)
    }
}

/// A configuration file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the configuration {}: {error}", path.display())]
struct Unreadable {
    path: PathBuf,
    error: std::io::Error,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn without_a_command_it_is_the_demo() {
        let cli = Cli::try_parse_from(["tapecast", "--listen", "127.0.0.1:0"]).unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.overrides.listen.as_deref(), Some("127.0.0.1:0"));
    }

    #[test]
    fn overrides_stand_before_and_behind_the_command() {
        let before = ["tapecast", "--admin", "[::1]:1", "serve", "--config", "x"];
        let behind = ["tapecast", "serve", "--config", "x", "--admin", "[::1]:1"];
        for line in [before, behind] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert_eq!(cli.overrides.admin.as_deref(), Some("[::1]:1"));
            assert!(matches!(cli.command, Some(Command::Serve(_))));
        }
    }

    #[test]
    fn a_wrong_configuration_is_bad_usage_and_anything_else_a_failure() {
        let errors = ConfigErrors {
            file: None,
            list: Vec::new(),
        };
        let wrapped = anyhow::Error::new(errors).context("cannot start");
        assert_eq!(exit_code(&wrapped), BAD_USAGE);
        let path = Path::new("/nowhere/tapecast.toml");
        let overrides = Overrides {
            listen: None,
            admin: None,
            log: None,
        };
        let unreadable = overrides.sources(Some(path)).unwrap_err();
        assert_eq!(exit_code(&unreadable.into()), BAD_USAGE);
        assert_eq!(exit_code(&anyhow::anyhow!("broken")), FAILED);
    }
}
