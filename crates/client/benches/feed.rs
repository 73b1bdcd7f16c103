//! What a client costs: messages a second that one core decodes, applies and verifies, and the memory of a
//! connection that has a stream.
//!
//! A thread in this process serves a feed that was encoded before, over loopback. The figures are CPU time of
//! the client's thread, which another process on the machine disturbs least, and resident memory:
//!
//! ```console
//! $ cargo bench -p client
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "a benchmark may stop at whatever it does not expect"
)]

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use client::{Client, Event, Subscription};
use market::{Book, Changes, Channel, Epoch, Exponents, InstrumentId, Level, Nanos, Seq, Side};
use tungstenite::handshake::server::{Request, Response};
use tungstenite::http::HeaderValue;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use wire::control::{self, Answer, StartKind, Subscribed};
use wire::{Head, View, sbe};

const NAME: &str = "TEST:A-B";
const EXPONENTS: Exponents = Exponents {
    price: -2,
    size: -8,
};
const DELTAS: usize = 500_000;
const ROUNDS: usize = 7;
/// So many connections that what else the process allocates does not count.
const CONNECTIONS: usize = 500;

fn main() {
    let feed = Arc::new(Feed::new());
    println!("deltas of {} bytes on average", feed.deltas.len() / DELTAS);
    let mut costs: Vec<f64> = (0..ROUNDS).map(|_| follow(&feed)).collect();
    costs.sort_by(f64::total_cmp);
    let [fastest, median] = [costs[0], costs[ROUNDS / 2]];
    println!("CPU time of a delta: {median:.0} ns (fastest round {fastest:.0} ns)");
    println!("deltas a second and core: {:.0}", 1e9 / median);
    println!("memory of a connection: {:.1} KiB", memory(&feed));
}

/// A book and what was published of it, as WebSocket frames.
struct Feed {
    snapshot: Vec<u8>,
    deltas: Vec<u8>,
    last: Seq,
}

impl Feed {
    fn new() -> Self {
        let mut book = Book::new();
        let mut changes = Changes::default();
        for depth in 0..500 {
            book.apply(
                Side::Bid,
                &[Level::new(100_000 - depth, 1 + depth)],
                &mut changes,
            );
            book.apply(
                Side::Ask,
                &[Level::new(100_001 + depth, 1 + depth)],
                &mut changes,
            );
        }
        let mut message = Vec::new();
        let (bids, asks) = (levels(book.bids().iter()), levels(book.asks().iter()));
        let head = head(Seq(0), Seq(0));
        sbe::book_snapshot(&mut message, &head, book.checksum(), 0, 1, bids, asks).unwrap();
        let mut snapshot = Vec::new();
        frame(&mut snapshot, &message);
        let mut deltas = Vec::new();
        let mut state = 1_u64;
        for seq in 0..DELTAS as i64 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            // Most changes are near the top of a book.
            let depth = (state >> 40).trailing_zeros() as i64 * 20 + (state >> 60) as i64;
            let size = (state >> 33) as i64 % 1_000;
            let (side, price) = match state >> 63 {
                0 => (Side::Bid, 100_000 - depth),
                _ => (Side::Ask, 100_001 + depth),
            };
            book.set(side, Level::new(price, size));
            let (bids, asks) = match side {
                Side::Bid => (vec![Level::new(price, size)], vec![]),
                Side::Ask => (vec![], vec![Level::new(price, size)]),
            };
            message.clear();
            let head = self::head(Seq(seq), Seq(seq + 1));
            let (bids, asks) = (bids.into_iter(), asks.into_iter());
            sbe::book_delta(&mut message, &head, book.checksum(), bids, asks).unwrap();
            frame(&mut deltas, &message);
        }
        Self {
            snapshot,
            deltas,
            last: Seq(DELTAS as i64),
        }
    }

    /// Listens, and serves so many clients one after another: with all deltas, or the snapshot alone.
    fn serve(self: &Arc<Self>, clients: usize, all: bool) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let feed = Arc::clone(self);
        std::thread::spawn(move || {
            let streams: Vec<TcpStream> = (0..clients)
                .map(|_| {
                    let mut stream = subscribed(listener.accept().unwrap().0);
                    stream.write_all(&feed.snapshot).unwrap();
                    if all {
                        // A client that has all it wants leaves.
                        let _ = stream.write_all(&feed.deltas);
                    }
                    stream
                })
                .collect();
            std::thread::sleep(Duration::from_secs(if all { 1 } else { 60 }));
            drop(streams);
        });
        addr
    }
}

/// A connection after the handshake and the answer to its subscription.
fn subscribed(stream: TcpStream) -> TcpStream {
    #[expect(
        clippy::result_large_err,
        reason = "the type of tungstenite's callback"
    )]
    let callback = |_: &Request, mut response: Response| {
        let protocol = HeaderValue::from_static("tapecast.sbe.v1");
        response
            .headers_mut()
            .insert("sec-websocket-protocol", protocol);
        Ok(response)
    };
    let mut socket = tungstenite::accept_hdr(stream, callback).unwrap();
    let request = socket.read().unwrap().into_text().unwrap();
    let control::Request::Subscribe { id, streams } = control::Request::parse(&request).unwrap()
    else {
        panic!("{request}")
    };
    let wanted = streams[0].clone().unwrap();
    let answer = Answer::Subscribed {
        id,
        results: vec![Ok(Subscribed {
            stream: wanted.key,
            policy: wanted.policy,
            instrument: InstrumentId::of(NAME),
            view: View::FULL_RAW,
            epoch: Epoch(7),
            exponents: EXPONENTS,
            start: StartKind::Snapshot,
            reason: None,
        })],
    };
    socket.send(answer.to_json().into()).unwrap();
    socket.into_inner()
}

/// Follows the whole feed; returns the CPU time of a delta in ns.
fn follow(feed: &Arc<Feed>) -> f64 {
    let addr = feed.serve(1, true);
    runtime().block_on(async {
        let mut client = client_of(addr);
        let mut begun = None;
        loop {
            match client.next_event().await.unwrap() {
                Event::Book(update) if update.is_snapshot() => begun = Some(cpu_time()),
                Event::Book(update) if update.head.seq == feed.last => break,
                Event::Gap(_) | Event::ChecksumMismatch(_) | Event::Reconnecting { .. } => {
                    panic!("the feed broke")
                }
                _ => {}
            }
        }
        let spent = cpu_time() - begun.unwrap();
        spent.as_nanos() as f64 / DELTAS as f64
    })
}

/// Holds many clients with one book each; returns the resident memory of one in KiB, its book included.
fn memory(feed: &Arc<Feed>) -> f64 {
    let addr = feed.serve(CONNECTIONS, false);
    runtime().block_on(async {
        let before = resident();
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut client = client_of(addr);
            while !matches!(client.next_event().await.unwrap(), Event::Book(_)) {}
            clients.push(client);
        }
        (resident() - before) as f64 / 1024.0 / CONNECTIONS as f64
    })
}

fn client_of(addr: SocketAddr) -> Client {
    let book = Subscription::new(Channel::Book, NAME);
    let endpoint = format!("ws://{addr}/ws");
    Client::builder()
        .endpoint(endpoint)
        .subscribe(book)
        .build()
        .unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

fn levels(levels: impl Iterator<Item = Level>) -> std::vec::IntoIter<Level> {
    levels.collect::<Vec<_>>().into_iter()
}

fn head(prev_seq: Seq, seq: Seq) -> Head {
    Head {
        instrument: InstrumentId::of(NAME),
        epoch: Epoch(7),
        view: View::FULL_RAW,
        prev_seq,
        seq,
        event_time: None,
        log_time: Nanos(1),
        publish_time: Nanos(2),
    }
}

fn frame(out: &mut Vec<u8>, message: &[u8]) {
    let frame = Frame::message(message.to_vec(), OpCode::Data(Data::Binary), true);
    frame.format(out).unwrap();
}

/// CPU time of this thread.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Resident memory of this process in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages = statm.split_whitespace().nth(1).unwrap();
    pages.parse::<usize>().unwrap() * 4096
}
