//! Many sends with one system call, by io_uring. One of two places with `unsafe` code in this crate.
//!
//! Measured before it was taken (docs/performance.md): the system call itself is a fifth of what a
//! small send costs.
#![allow(
    unsafe_code,
    reason = "the kernel is given pointers; see the SAFETY comments"
)]

use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd as _;

use io_uring::{IoUring, opcode, types::Fd};

use super::BATCH;

/// Attempts to submit a batch that was interrupted or short of memory.
const ATTEMPTS: usize = 10_000;

/// A queue of sends, empty between two calls of [`Uring::send`].
pub(super) struct Uring {
    ring: IoUring,
}

impl Uring {
    pub(super) fn new() -> io::Result<Self> {
        let entries = u32::try_from(BATCH).unwrap_or(u32::MAX);
        Ok(Self {
            ring: IoUring::new(entries)?,
        })
    }

    /// Makes `count` sends, at most [`BATCH`], and returns when all of them have completed.
    pub(super) fn send<'a>(
        &mut self,
        count: usize,
        send: impl Fn(usize) -> Option<(&'a TcpStream, &'a [u8])>,
        results: &mut Vec<io::Result<usize>>,
    ) {
        /// Neither wait for room nor raise a signal.
        const FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        let mut pushed = 0;
        for index in 0..count {
            let Some((io, bytes)) = send(index) else {
                results.push(Err(io::ErrorKind::NotConnected.into()));
                continue;
            };
            let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let entry = opcode::Send::new(Fd(io.as_raw_fd()), bytes.as_ptr(), len)
                .flags(FLAGS)
                .build()
                .user_data(index as u64);
            // SAFETY: descriptor and bytes are borrowed for 'a, which outlives this call, and this
            // call does not return before the kernel has completed every entry that it was given:
            // see `complete`. The entry only reads them.
            if unsafe { self.ring.submission().push(&entry) }.is_err() {
                break;
            }
            pushed += 1;
            results.push(Err(io::ErrorKind::Interrupted.into()));
        }
        // What did not fit in the queue was not sent, and may be retried.
        results.extend((results.len()..count).map(|_| Err(io::ErrorKind::Interrupted.into())));
        self.complete(pushed, results);
    }

    /// Submits everything pushed and waits for all of it.
    fn complete(&mut self, mut pending: usize, results: &mut [io::Result<usize>]) {
        for _ in 0..ATTEMPTS {
            if pending == 0 {
                return;
            }
            // With MSG_DONTWAIT every send completes while it is submitted. An error here concerns
            // the call, not a send: it was interrupted or short of memory.
            let _again = self.ring.submit_and_wait(pending);
            for entry in self.ring.completion() {
                pending -= 1;
                let result = usize::try_from(entry.result())
                    .map_err(|_| io::Error::from_raw_os_error(-entry.result()));
                let place = usize::try_from(entry.user_data()).ok();
                if let Some(place) = place.and_then(|place| results.get_mut(place)) {
                    *place = result;
                }
            }
        }
        if pending > 0 {
            // The kernel may still be reading memory that the caller is about to reuse.
            std::process::abort();
        }
    }
}
