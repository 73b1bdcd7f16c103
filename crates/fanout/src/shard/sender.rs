//! The system calls that send: many sockets at once where the system can, otherwise one by one.

mod uring;

use std::io::{self, Write as _};
use std::net::TcpStream;

use uring::Uring;

/// Sockets sent to at once.
pub(super) const BATCH: usize = 64;
/// Below this number, single calls are as fast.
const LEAST: usize = 2;

/// Sends to non-blocking sockets.
pub(super) struct Sender {
    /// `None` if the system has no io_uring or does not allow it.
    uring: Option<Uring>,
}

impl Sender {
    /// Creates a sender that uses io_uring if wanted and available.
    pub(super) fn new(batched: bool) -> Self {
        let uring = batched.then(Uring::new).and_then(|made| {
            made.inspect_err(|error| {
                tracing::info!(%error, "no io_uring here: each session's send is a system call");
            })
            .ok()
        });
        Self { uring }
    }

    /// Makes `count` sends, each to its socket if it has one, and reports the number of bytes sent
    /// or the error of each.
    pub(super) fn send<'a>(
        &mut self,
        count: usize,
        send: impl Fn(usize) -> Option<(&'a TcpStream, &'a [u8])>,
        results: &mut Vec<io::Result<usize>>,
    ) {
        results.clear();
        match &mut self.uring {
            Some(uring) if (LEAST..=BATCH).contains(&count) => uring.send(count, send, results),
            _ => results.extend((0..count).map(|index| {
                let (mut io, bytes) = send(index).ok_or(io::ErrorKind::NotConnected)?;
                io.write(bytes)
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Read as _;
    use std::net::TcpListener;

    struct Pair {
        server: TcpStream,
        client: TcpStream,
    }

    fn pair() -> Pair {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        server.set_nonblocking(true).unwrap();
        Pair { server, client }
    }

    fn drain(pair: &mut Pair, len: usize) -> Vec<u8> {
        let mut got = vec![0; len];
        pair.client.read_exact(&mut got).unwrap();
        got
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// A batch behaves like single calls: the bytes it reports are those that arrive, a full
        /// socket would block, and a closed one has an error of its own.
        #[test]
        fn a_batch_is_its_single_sends(
            sizes in prop::collection::vec(prop_oneof![1_usize..200, 60_000_usize..300_000], 1..20),
            closed in prop::collection::vec(any::<bool>(), 20),
            batched in any::<bool>(),
        ) {
            let mut pairs: Vec<_> = sizes.iter().map(|_| pair()).collect();
            for (pair, closed) in pairs.iter().zip(&closed) {
                if *closed {
                    pair.server.shutdown(std::net::Shutdown::Write).unwrap();
                }
            }
            let fill = |index: usize| u8::try_from(index % 251).unwrap();
            let payloads: Vec<_> = sizes
                .iter()
                .enumerate()
                .map(|(index, size)| vec![fill(index); *size])
                .collect();
            let mut sender = Sender::new(batched);
            let mut results = Vec::new();
            sender.send(pairs.len(), |index| Some((&pairs[index].server, &payloads[index][..])), &mut results);
            prop_assert_eq!(results.len(), pairs.len());
            for (index, result) in results.iter().enumerate() {
                match result {
                    Ok(sent) => {
                        prop_assert!(!closed[index] && *sent > 0 && *sent <= sizes[index]);
                        let got = drain(&mut pairs[index], *sent);
                        prop_assert!(got.iter().all(|byte| *byte == fill(index)));
                    }
                    Err(error) => {
                        prop_assert!(closed[index]);
                        prop_assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
                    }
                }
            }
        }
    }

    #[test]
    fn a_full_socket_would_block_and_harms_no_other() {
        for batched in [false, true] {
            let mut pairs = [pair(), pair(), pair()];
            let much = vec![7; 1 << 20];
            while (&pairs[1].server).write(&much).is_ok() {}
            let mut sender = Sender::new(batched);
            let mut results = Vec::new();
            sender.send(
                3,
                |index| Some((&pairs[index].server, &b"tick"[..])),
                &mut results,
            );
            let kinds: Vec<_> = results
                .iter()
                .map(|result| result.as_ref().map_err(io::Error::kind).copied())
                .collect();
            assert_eq!(kinds, [Ok(4), Err(io::ErrorKind::WouldBlock), Ok(4)]);
            assert_eq!(drain(&mut pairs[2], 4), b"tick");
        }
    }
}
