use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use anyhow::{Context as _, bail};
use client::Endpoint;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use wire::close::NORMAL;
use wire::control::{Answer, Policy};

use super::frames::{BINARY, CLOSE, PING, PONG, Partial, TEXT, masked};
use super::handshake;
use super::streams::{Wanted, requests};
use super::tally::Tally;
use crate::clock::wall_clock;

/// What all clients of the swarm share; one thread has them all.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) tally: Rc<RefCell<Tally>>,
    /// What is read is read into here, so that a client that waits costs no buffer.
    buffer: Rc<RefCell<Box<[u8]>>>,
}

/// How much is read with one system call at the most.
const READ: usize = 256 * 1024;

impl Shared {
    pub(super) fn new(tally: Tally) -> Self {
        Self {
            tally: Rc::new(RefCell::new(tally)),
            buffer: Rc::new(RefCell::new(vec![0; READ].into_boxed_slice())),
        }
    }
}

/// A client that counts.
pub(super) struct Counting {
    shared: Shared,
    stream: TcpStream,
    partial: Partial,
    /// Answers that are waited for.
    unanswered: usize,
    replies: Vec<u8>,
    closed: bool,
}

impl Counting {
    /// Connects and asks for the streams.
    pub(super) async fn connect(
        shared: Shared,
        endpoint: &Endpoint,
        streams: &[Wanted],
        policy: Policy,
    ) -> anyhow::Result<Self> {
        let (mut stream, read_ahead) = handshake::connect(endpoint).await?;
        shared.tally.borrow_mut().connected += 1;
        let requests = requests(streams, policy);
        for request in &requests {
            stream.write_all(&masked(TEXT, request.as_bytes())).await?;
        }
        Ok(Self {
            shared,
            stream,
            partial: Partial::new(&read_ahead),
            unanswered: requests.len(),
            replies: Vec::new(),
            closed: false,
        })
    }

    /// Reads until every request is answered.
    pub(super) async fn subscribe(&mut self) -> anyhow::Result<()> {
        self.take(0)?;
        while self.unanswered > 0 {
            self.read().await?;
        }
        self.shared.tally.borrow_mut().subscribed += 1;
        Ok(())
    }

    /// Reads and counts for ever, or until the node ends it.
    pub(super) async fn count(&mut self) -> anyhow::Result<()> {
        loop {
            self.read().await?;
        }
    }

    /// Says good-bye, as far as the socket takes it.
    pub(super) fn leave(&self) {
        let _left = self.stream.try_write(&masked(CLOSE, &NORMAL.to_be_bytes()));
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        self.stream.readable().await?;
        let read = {
            let mut buffer = self.shared.buffer.borrow_mut();
            self.stream.try_read(&mut buffer)
        };
        match read {
            Ok(0) if self.closed => bail!("closed"),
            Ok(0) => bail!("the node ended the connection without a close frame"),
            Ok(read) => self.take(read)?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error).context("cannot read"),
        }
        if !self.replies.is_empty() {
            self.stream.write_all(&self.replies).await?;
            self.replies = Vec::new();
        }
        if self.closed {
            bail!("closed");
        }
        Ok(())
    }

    /// Takes the first bytes of the shared buffer.
    fn take(&mut self, read: usize) -> anyhow::Result<()> {
        let now = wall_clock();
        let buffer = self.shared.buffer.borrow();
        let mut tally = self.shared.tally.borrow_mut();
        tally.reads += u64::from(tally.measuring);
        let (unanswered, replies, closed) =
            (&mut self.unanswered, &mut self.replies, &mut self.closed);
        self.partial
            .take(&buffer[..read], |opcode, payload| match opcode {
                BINARY => tally.message(payload, now),
                TEXT => {
                    *unanswered = unanswered.saturating_sub(1);
                    answer(payload, &mut tally);
                }
                PING => {
                    tally.pings += 1;
                    replies.extend(masked(PONG, payload));
                }
                CLOSE => {
                    *closed = true;
                    tally.close(payload);
                    replies.extend(masked(CLOSE, payload));
                }
                _ => {}
            })
    }
}

fn answer(payload: &[u8], tally: &mut Tally) {
    let text = String::from_utf8_lossy(payload);
    match Answer::parse(&text) {
        Ok(Answer::Subscribed { results, .. }) => {
            for result in results {
                match result {
                    Ok(_) => tally.streams += 1,
                    Err(refused) => {
                        tally.refused += 1;
                        tally.trouble(format_args!("refused: {refused:?}"));
                    }
                }
            }
        }
        _ => {
            tally.refused += 1;
            tally.trouble(format_args!("answered: {text}"));
        }
    }
}
