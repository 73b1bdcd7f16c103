//! A TCP proxy between a node and Kafka that can drop everything.

use anyhow::Context;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How often an idle listener checks whether the proxy was dropped.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Forwards connections from one local port to another.
///
/// While cut, it behaves like a network that loses every packet: nothing arrives and no connection
/// is closed. Connections that were open during a cut are useless afterwards, as behind a firewall
/// that has forgotten them.
#[derive(Debug)]
pub(crate) struct TcpProxy {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    is_cut: AtomicBool,
    is_closed: AtomicBool,
    sockets: Mutex<Vec<TcpStream>>,
}

impl TcpProxy {
    pub(crate) fn start(from: u16, to: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, from)).context("cannot listen")?;
        listener.set_nonblocking(true)?;
        let shared = Arc::new(Shared::default());
        let its = Arc::clone(&shared);
        thread::spawn(move || {
            while !its.is_closed.load(Ordering::SeqCst) {
                match listener.accept() {
                    // Accepted even while cut: its bytes are dropped like all others.
                    Ok((near, _)) => its.connect(near, to).unwrap_or_default(),
                    Err(_) => thread::sleep(POLL_INTERVAL),
                }
            }
        });
        Ok(Self { shared })
    }

    pub(crate) fn cut(&self) {
        self.shared.is_cut.store(true, Ordering::SeqCst);
    }

    pub(crate) fn restore(&self) {
        // Under the lock, so that a new connection is either closed here or starts after the cut.
        let mut sockets = self.shared.sockets();
        close(&mut sockets);
        self.shared.is_cut.store(false, Ordering::SeqCst);
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.shared.is_closed.store(true, Ordering::SeqCst);
        close(&mut self.shared.sockets());
    }
}

fn close(sockets: &mut Vec<TcpStream>) {
    for socket in sockets.drain(..) {
        // Fails if it is closed already, which is what is wanted.
        let _closed = socket.shutdown(Shutdown::Both);
    }
}

impl Shared {
    fn connect(self: &Arc<Self>, near: TcpStream, to: u16) -> std::io::Result<()> {
        near.set_nonblocking(false)?;
        let far = TcpStream::connect((Ipv4Addr::LOCALHOST, to))?;
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        self.sockets().extend([near.try_clone()?, far.try_clone()?]);
        for (from, to) in [(near.try_clone()?, far.try_clone()?), (far, near)] {
            let shared = Arc::clone(self);
            thread::spawn(move || shared.forward(from, to));
        }
        Ok(())
    }

    fn forward(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = [0; 16 << 10];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if !self.is_cut.load(Ordering::SeqCst) && to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        if !self.is_cut.load(Ordering::SeqCst) {
            let _closed = to.shutdown(Shutdown::Both);
        }
    }

    /// A panic elsewhere leaves the list intact.
    fn sockets(&self) -> MutexGuard<'_, Vec<TcpStream>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_drops_everything_and_new_connections_work_after_it() {
        let port = testkit::kafka::ports::free;
        let (from, to) = (port().unwrap(), port().unwrap());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, to)).unwrap();
        thread::spawn(move || {
            for mut socket in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || {
                    let mut byte = [0];
                    while let Ok(1) = socket.read(&mut byte) {
                        if socket.write_all(&byte).is_err() {
                            break;
                        }
                    }
                });
            }
        });
        let proxy = TcpProxy::start(from, to).unwrap();
        let echo = |socket: &mut TcpStream| {
            let mut byte = [0];
            socket.write_all(&[7]).unwrap();
            socket.read_exact(&mut byte).map(|()| byte[0])
        };
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, from)).unwrap();
        let mut socket = connect();
        assert_eq!(echo(&mut socket).unwrap(), 7);
        proxy.cut();
        socket
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        let silent = echo(&mut socket).unwrap_err();
        assert_eq!(silent.kind(), std::io::ErrorKind::WouldBlock);
        proxy.restore();
        socket.set_read_timeout(None).unwrap();
        assert!(
            socket.read_exact(&mut [0]).is_err(),
            "it was open during the cut"
        );
        assert_eq!(echo(&mut connect()).unwrap(), 7);
    }
}
