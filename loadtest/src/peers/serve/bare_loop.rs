//! The limit: for what is due, one `send()` to each client, of bytes that are framed already.
//!
//! What is due to a client at one time is one send: the topic's own bytes if it is of one topic,
//! otherwise gathered. It does nothing else that a server must do.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver as Arrivals, SyncSender, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use sha1::{Digest as _, Sha1};
use tokio::sync::mpsc::Receiver;

use super::Request;
use super::pacer::{Command, Pacer, Source, take_command};
use crate::websocket::frames::{self, BINARY, TEXT};

/// How often an idle server checks for commands and clients.
const REST: Duration = Duration::from_millis(10);
/// Subscribed clients in the queue; more have to wait.
const ARRIVALS: usize = 1_024;
/// Time for a client to subscribe.
const PATIENCE: Duration = Duration::from_secs(5);
/// A client with more unsent bytes is sent nothing until it has read.
const MAX_REST: usize = 1 << 20;
const MAX_HEAD: usize = 16 * 1024;
/// Appended to a client's key, by RFC 6455.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

struct Client {
    stream: TcpStream,
    /// Bytes that the system did not accept, starting in the middle of a frame.
    rest: Vec<u8>,
    /// Topics with something due for this client.
    due: Vec<usize>,
}

/// Serves until the end of the commands.
pub(in crate::peers) fn run(
    listener: TcpListener,
    mut source: Source,
    mut commands: Receiver<Command>,
) -> anyhow::Result<()> {
    let topics = source.topics();
    let (welcome, arrivals) = sync_channel(ARRIVALS);
    std::thread::spawn(move || accept(&listener, topics, &welcome));
    let mut clients: Vec<Client> = Vec::new();
    let mut subscribers: Vec<Vec<usize>> = vec![Vec::new(); topics];
    let mut runs: Vec<Vec<u8>> = vec![Vec::new(); topics];
    let (mut pacer, mut gathered, mut visits) = (None::<Pacer>, Vec::new(), Vec::new());
    loop {
        if !take_command(&mut commands, &mut pacer) {
            return Ok(());
        }
        take_in(&arrivals, &mut clients, &mut subscribers);
        let Some(pacer) = &mut pacer else {
            std::thread::sleep(REST);
            continue;
        };
        let mut touched = Vec::new();
        pacer.turn(&mut source, |topic, message| {
            if runs[topic].is_empty() {
                touched.push(topic);
            }
            frames::append(&mut runs[topic], BINARY, message);
        });
        for topic in &touched {
            for index in &subscribers[*topic] {
                let client = &mut clients[*index];
                if client.due.is_empty() {
                    visits.push(*index);
                }
                client.due.push(*topic);
            }
        }
        for index in visits.drain(..) {
            clients[index].visit(&runs, &mut gathered);
        }
        touched.iter().for_each(|topic| runs[*topic].clear());
        std::thread::sleep(pacer.rest());
    }
}

fn take_in(
    arrivals: &Arrivals<(TcpStream, Vec<u16>)>,
    clients: &mut Vec<Client>,
    subscribers: &mut [Vec<usize>],
) {
    for (stream, wanted) in arrivals.try_iter() {
        for topic in wanted {
            subscribers[usize::from(topic)].push(clients.len());
        }
        clients.push(Client {
            stream,
            rest: Vec::new(),
            due: Vec::new(),
        });
    }
}

impl Client {
    fn visit(&mut self, runs: &[Vec<u8>], gathered: &mut Vec<u8>) {
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            self.send(&rest);
        }
        if self.rest.len() > MAX_REST {
            self.due.clear();
            return;
        }
        if let [topic] = *self.due {
            self.send(&runs[topic]);
        } else {
            gathered.clear();
            self.due
                .iter()
                .for_each(|topic| gathered.extend_from_slice(&runs[*topic]));
            self.send(gathered);
        }
        self.due.clear();
    }

    fn send(&mut self, bytes: &[u8]) {
        let taken = if self.rest.is_empty() {
            match self.stream.write(bytes) {
                Ok(taken) => taken,
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                // It has left.
                Err(_) => bytes.len(),
            }
        } else {
            0
        };
        self.rest.extend_from_slice(&bytes[taken..]);
    }
}

fn accept(listener: &TcpListener, topics: usize, welcome: &SyncSender<(TcpStream, Vec<u16>)>) {
    for stream in listener.incoming().flatten() {
        // Ignores a connection that does not subscribe.
        if let Ok(client) = greet(stream, topics)
            && welcome.send(client).is_err()
        {
            return;
        }
    }
}

/// Accepts a WebSocket, and reads the subscription.
fn greet(mut stream: TcpStream, topics: usize) -> anyhow::Result<(TcpStream, Vec<u16>)> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        read_more(&mut stream, &mut head)?;
    }
    let text = std::str::from_utf8(&head).context("the request is no text")?;
    let key = text
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
        .context("the request has no key")?;
    let accept = base64::engine::general_purpose::STANDARD
        .encode(Sha1::digest(format!("{}{GUID}", key.trim())));
    stream.write_all(
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        )
        .as_bytes(),
    )?;
    let request = Request::parse(&first_message(&mut stream)?, topics)?;
    let mut answer = Vec::new();
    frames::append(&mut answer, TEXT, request.answer().as_bytes());
    stream.write_all(&answer)?;
    stream.set_nonblocking(true)?;
    Ok((stream, request.subscribe))
}

/// Reads a masked text of at most 64 KiB.
fn first_message(stream: &mut TcpStream) -> anyhow::Result<Vec<u8>> {
    let mut head = [0; 2];
    stream.read_exact(&mut head)?;
    ensure!(
        head[0] == 0x80 | TEXT && head[1] & 0x80 != 0,
        "no masked text"
    );
    let len = match head[1] & 0x7f {
        126 => {
            let mut len = [0; 2];
            stream.read_exact(&mut len)?;
            usize::from(u16::from_be_bytes(len))
        }
        127 => anyhow::bail!("the request is too long"),
        short => usize::from(short),
    };
    let mut mask = [0; 4];
    stream.read_exact(&mut mask)?;
    let mut payload = vec![0; len];
    stream.read_exact(&mut payload)?;
    payload
        .iter_mut()
        .zip(mask.iter().cycle())
        .for_each(|(byte, mask)| *byte ^= mask);
    Ok(payload)
}

fn read_more(stream: &mut TcpStream, head: &mut Vec<u8>) -> anyhow::Result<()> {
    let mut byte = [0; 1024];
    let len = stream.read(&mut byte)?;
    ensure!(
        len > 0 && head.len() < MAX_HEAD,
        "the request ends early, or never"
    );
    head.extend_from_slice(&byte[..len]);
    Ok(())
}
