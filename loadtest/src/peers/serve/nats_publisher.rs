//! Publishes to NATS over TCP, in one write for everything that is due.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc::Receiver;

use super::pacer::{Command, Pacer, Source, take_command};

/// How often an idle publisher checks for commands.
const REST: Duration = Duration::from_millis(10);

pub(super) fn run(
    addr: SocketAddr,
    mut source: Source,
    mut commands: Receiver<Command>,
) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(addr).context("cannot connect to NATS")?;
    stream.set_nodelay(true)?;
    stream.write_all(b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\n")?;
    let asked = Arc::new(AtomicBool::new(false));
    let (read, asking) = (stream.try_clone()?, Arc::clone(&asked));
    std::thread::spawn(move || listen(read, &asking));
    let (mut pacer, mut due) = (None::<Pacer>, Vec::new());
    loop {
        if !take_command(&mut commands, &mut pacer) {
            return Ok(());
        }
        if asked.swap(false, Ordering::Relaxed) {
            stream
                .write_all(b"PONG\r\n")
                .context("cannot answer NATS")?;
        }
        let Some(pacer) = &mut pacer else {
            std::thread::sleep(REST);
            continue;
        };
        due.clear();
        pacer.turn(&mut source, |topic, message| {
            // Writing to memory cannot fail.
            let _written = write!(due, "PUB {topic} {}\r\n", message.len());
            due.extend_from_slice(message);
            due.extend_from_slice(b"\r\n");
        });
        stream.write_all(&due).context("cannot publish")?;
        std::thread::sleep(pacer.rest());
    }
}

/// Notes a ping of NATS; the pong is sent between two messages.
fn listen(read: TcpStream, asked: &AtomicBool) {
    for line in BufReader::new(read).lines().map_while(Result::ok) {
        if line.starts_with("PING") {
            asked.store(true, Ordering::Relaxed);
        } else if line.starts_with("-ERR") {
            eprintln!("{line}");
        }
    }
}
