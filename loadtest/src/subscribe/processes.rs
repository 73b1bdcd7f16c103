//! The swarm in several processes, since one process has limited files and ports, and one core.
//!
//! Each part is this program again, with the same arguments and its number. It writes `joined` when
//! its clients are live, starts to measure at `go`, writes `measured`, and ends with its tally.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, bail, ensure};

use super::SubscribeArgs;
use super::measurement::{self, Coordinator};
use super::servers::ServerMonitor;
use super::tally::Tally;

const JOINED: &str = "joined";
const GO: &str = "go";
const MEASURED: &str = "measured";

/// A child process with a part of the swarm.
struct Part {
    child: Child,
    says: BufReader<ChildStdout>,
    hears: ChildStdin,
}

/// Runs all parts. Returns their combined tally, and the CPU share of the busiest.
pub(super) fn run(
    args: &SubscribeArgs,
    monitor: Option<&mut ServerMonitor>,
) -> anyhow::Result<(Tally, f64)> {
    let mut parts = Vec::with_capacity(args.processes);
    for number in 0..args.processes {
        parts.push(Part::start(number)?);
    }
    let done = follow(&mut parts, monitor);
    if done.is_err() {
        for part in &mut parts {
            // Fails if it has ended, which is what is wanted.
            let _killed = part.child.kill();
        }
    }
    for part in &mut parts {
        part.child.wait().context("cannot wait for a part")?;
    }
    done
}

fn follow(parts: &mut [Part], monitor: Option<&mut ServerMonitor>) -> anyhow::Result<(Tally, f64)> {
    for part in parts.iter_mut() {
        part.expect(JOINED)?;
    }
    eprintln!("all parts are connected; measuring");
    let mut monitor = monitor;
    if let Some(monitor) = &mut monitor {
        monitor.live();
    }
    for part in parts.iter_mut() {
        writeln!(part.hears, "{GO}").context("a part has ended")?;
    }
    for part in parts.iter_mut() {
        part.expect(MEASURED)?;
    }
    if let Some(monitor) = monitor {
        monitor.end();
    }
    let mut sum = Tally::new()?;
    let mut busiest = 0.0_f64;
    for part in parts {
        let seen = part.line()?;
        let tally: Tally =
            serde_json::from_str(&seen).context("cannot parse the result of a part")?;
        busiest = busiest.max(tally.clock.core);
        sum.add(&tally)?;
    }
    Ok((sum, busiest))
}

impl Part {
    fn start(number: usize) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut child = Command::new(program)
            .args(std::env::args_os().skip(1))
            .args(["--part", &number.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start a part of the swarm")?;
        let (Some(says), Some(hears)) = (child.stdout.take(), child.stdin.take()) else {
            bail!("cannot write to a part of the swarm");
        };
        Ok(Self {
            child,
            says: BufReader::new(says),
            hears,
        })
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        let read = self.says.read_line(&mut line);
        ensure!(
            read.context("cannot read from a part of the swarm")? > 0,
            "a part of the swarm has ended before its time"
        );
        Ok(line)
    }

    fn expect(&mut self, word: &str) -> anyhow::Result<()> {
        let line = self.line()?;
        ensure!(
            line.trim() == word,
            "a part of the swarm wrote {:?} instead of {word}",
            line.trim()
        );
        Ok(())
    }
}

/// Runs one part, and reports to the process that started it.
pub(super) fn run_part(args: &SubscribeArgs) -> anyhow::Result<()> {
    let mut told = Told::default();
    let tally = measurement::run(args, &mut told)?;
    println!("{}", serde_json::to_string(&tally)?);
    Ok(())
}

/// Waits for commands from the process that started it.
#[derive(Default)]
struct Told {
    go: Option<Arc<AtomicBool>>,
}

impl Coordinator for Told {
    fn may_measure(&mut self) -> anyhow::Result<bool> {
        if let Some(go) = &self.go {
            return Ok(go.load(Ordering::Acquire));
        }
        println!("{JOINED}");
        let go = Arc::new(AtomicBool::new(false));
        let said = Arc::clone(&go);
        // Does not block: clients keep reading meanwhile.
        std::thread::Builder::new()
            .name("listening".to_owned())
            .spawn(move || {
                let mut line = String::new();
                match std::io::stdin().read_line(&mut line) {
                    Ok(_) if line.trim() == GO => said.store(true, Ordering::Release),
                    // The process that started this one is gone, so nobody needs the result.
                    _ => std::process::exit(1),
                }
            })?;
        self.go = Some(go);
        Ok(false)
    }

    fn measured(&mut self) -> anyhow::Result<()> {
        println!("{MEASURED}");
        Ok(())
    }
}
