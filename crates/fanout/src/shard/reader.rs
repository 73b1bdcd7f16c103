//! A session's own task: reads its requests, and waits for its socket to be writable again.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use tokio::net::TcpStream;

use super::Shard;
use super::state::State;

/// Bytes read at once: as many as a request may have.
const READ: usize = 4096;
/// A session with more than this to send of its own is not read from. It is more than the rest of
/// any frame (64 KiB), so that a slow client's pongs are read.
const OUTGOING_WHILE_READING: usize = 72 * 1024;

/// Reads and sends of one session before others have their turn.
const TURNS_A_POLL: usize = 4;

/// Serves the session until it has ended.
pub(super) async fn read(
    shard: &Shard,
    io: &TcpStream,
    index: usize,
    token: u64,
    read_ahead: &[u8],
) {
    {
        let mut state = shard.state.borrow_mut();
        if let Some(session) = state.sessions.get_mut(index) {
            session.inbound.push(read_ahead);
        }
        state.read_requests(index, &shard.common.directory);
        state.send_to(index);
    }
    poll_fn(|cx| poll(shard, io, index, token, cx)).await;
}

fn poll(shard: &Shard, io: &TcpStream, index: usize, token: u64, cx: &mut Context<'_>) -> Poll<()> {
    let mut state = shard.state.borrow_mut();
    // The rest of a long delivery waits for the task's next turn, so that others have theirs.
    let mut turns = 0;
    loop {
        turns += 1;
        if turns > TURNS_A_POLL {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(session) = state
            .sessions
            .get_mut(index)
            .filter(|session| session.token == token)
        else {
            return Poll::Ready(());
        };
        if !session
            .waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            session.waker = Some(cx.waker().clone());
        }
        if session.has_ended() {
            return Poll::Ready(());
        }
        if session.blocked {
            match io.poll_write_ready(cx) {
                Poll::Ready(Ok(())) => {
                    session.blocked = false;
                    state.send_to(index);
                    continue;
                }
                Poll::Ready(Err(_)) => {
                    session.gone = true;
                    continue;
                }
                Poll::Pending => {}
            }
        }
        if std::mem::take(&mut session.more) {
            state.send_to(index);
            continue;
        }
        if session.request.is_none() && std::mem::take(&mut session.unread) {
            // Requests that came behind one that has been answered since.
            state.read_requests(index, &shard.common.directory);
            state.send_to(index);
            continue;
        }
        let reads = session.request.is_none()
            && !session.inbound.is_full()
            && session.outgoing.len() <= OUTGOING_WHILE_READING;
        if !reads {
            return Poll::Pending;
        }
        match io.poll_read_ready(cx) {
            Poll::Ready(Ok(())) => receive(&mut state, shard, io, index),
            Poll::Ready(Err(_)) => session.gone = true,
            Poll::Pending => return Poll::Pending,
        }
    }
}

fn receive(state: &mut State, shard: &Shard, io: &TcpStream, index: usize) {
    let mut buffer = [0; READ];
    let Some(session) = state.sessions.get_mut(index) else {
        return;
    };
    match io.try_read(&mut buffer) {
        Ok(0) => session.gone = true,
        Ok(n) => {
            session.heard = true;
            session.inbound.push(&buffer[..n]);
            state.metrics.bytes_in.add(n as u64);
            state.read_requests(index, &shard.common.directory);
            state.send_to(index);
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        Err(_) => session.gone = true,
    }
}
