//! `cargo xtask kafka`: an Apache Kafka for manual work.

use anyhow::bail;
use clap::ValueEnum;
use std::path::PathBuf;
use testkit::Instance;
use testkit::kafka::instance::Port;

/// Not Kafka's usual 9092, which a developer's own broker may use.
const DEFAULT_PORT: u16 = 19_092;

/// Start or stop a real Apache Kafka on 127.0.0.1
#[derive(Debug, clap::Args)]
pub(crate) struct KafkaArgs {
    action: Action,
    /// Port to listen on; 0 picks a free one
    #[arg(long)]
    port: Option<u16>,
    /// Directory for its data and logs
    #[arg(long)]
    dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Action {
    Up,
    Down,
    Status,
    Restart,
}

pub(crate) fn run(args: &KafkaArgs) -> anyhow::Result<()> {
    let port = match args.port {
        None => Port::Kept(DEFAULT_PORT),
        Some(0) => Port::Free,
        Some(port) => Port::Fixed(port),
    };
    let default = || testkit::kafka::home().join("node");
    let directory = args.dir.clone().unwrap_or_else(default);
    let instance = Instance::open(&directory)?;
    match args.action {
        Action::Up => up(&instance, port),
        Action::Down => down(&instance),
        Action::Status => status(&instance),
        Action::Restart => {
            down(&instance)?;
            up(&instance, port)
        }
    }
}

fn up(instance: &Instance, port: Port) -> anyhow::Result<()> {
    instance.start(port)?;
    // On a line of its own, for scripts.
    println!("bootstrap {}", instance.bootstrap().unwrap_or_default());
    Ok(())
}

fn down(instance: &Instance) -> anyhow::Result<()> {
    let was = if instance.pid().is_some() {
        "stopped"
    } else {
        "was not running"
    };
    instance.stop()?;
    println!("{was}");
    Ok(())
}

fn status(instance: &Instance) -> anyhow::Result<()> {
    let bootstrap = instance.bootstrap().unwrap_or_default();
    match instance.pid() {
        None => bail!("not running"),
        Some(pid) if !instance.answers() => {
            bail!(
                "process {pid} does not answer at {bootstrap}; see {}",
                instance.log_path().display()
            )
        }
        Some(pid) => println!("process {pid} answers at {bootstrap}"),
    }
    Ok(())
}
