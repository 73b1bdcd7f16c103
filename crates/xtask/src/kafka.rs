//! `cargo xtask kafka`: a real Apache Kafka to work with by hand.

use crate::arguments::Arguments;
use anyhow::{Context, bail};
use std::path::PathBuf;
use testkit::Instance;
use testkit::kafka::instance::Port;

/// Not Kafka's usual 9092, which a developer's own broker may have.
const DEFAULT_PORT: u16 = 19_092;

pub(crate) fn run(mut arguments: Arguments) -> anyhow::Result<()> {
    let action = arguments
        .word()
        .context("kafka wants up, down, status or restart")?;
    let port = match arguments.value::<u16>("--port")? {
        None => Port::Kept(DEFAULT_PORT),
        Some(0) => Port::Free,
        Some(port) => Port::Fixed(port),
    };
    let directory = arguments.value::<PathBuf>("--dir")?;
    arguments.finish()?;

    let directory = directory.unwrap_or_else(|| testkit::kafka::home().join("node"));
    let instance = Instance::open(&directory)?;
    match action.as_str() {
        "up" => up(&instance, port),
        "down" => down(&instance),
        "restart" => {
            down(&instance)?;
            up(&instance, port)
        }
        "status" => status(&instance),
        _ => bail!("kafka knows up, down, status and restart, not {action:?}"),
    }
}

fn up(instance: &Instance, port: Port) -> anyhow::Result<()> {
    instance.start(port)?;
    // Alone on its line, so that a script can read it.
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
