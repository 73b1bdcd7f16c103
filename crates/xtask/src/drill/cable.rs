//! The cable between a node and Kafka, which can be cut.

use anyhow::Context;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How often a listener with nobody to let in looks whether it is over.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Forwards connections to a port on this machine.
///
/// While it is cut it is as a network that loses every packet: nothing comes through, and nobody is
/// told. Connections that lived through a cut are of no use afterwards, as where a firewall has
/// forgotten them.
#[derive(Debug)]
pub(super) struct Cable {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    is_cut: AtomicBool,
    is_over: AtomicBool,
    sockets: Mutex<Vec<TcpStream>>,
}

impl Cable {
    /// From one port to the other.
    pub(super) fn lay(from: u16, to: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, from)).context("no cable")?;
        listener.set_nonblocking(true)?;
        let state = Arc::new(State::default());
        let its = Arc::clone(&state);
        thread::spawn(move || {
            while !its.is_over.load(Ordering::SeqCst) {
                match listener.accept() {
                    // Who connects while it is cut is held like all others.
                    Ok((near, _)) => its.join(near, to).unwrap_or_default(),
                    Err(_) => thread::sleep(LOOK_EVERY),
                }
            }
        });
        Ok(Self { state })
    }

    pub(super) fn cut(&self) {
        self.state.is_cut.store(true, Ordering::SeqCst);
    }

    pub(super) fn mend(&self) {
        // Who connects meanwhile waits: nothing of theirs was lost.
        let mut sockets = self.state.sockets();
        close(&mut sockets);
        self.state.is_cut.store(false, Ordering::SeqCst);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        close(&mut self.state.sockets());
    }
}

fn close(sockets: &mut Vec<TcpStream>) {
    for socket in sockets.drain(..) {
        // One that is closed already is what is wanted.
        let _closed = socket.shutdown(Shutdown::Both);
    }
}

impl State {
    fn join(self: &Arc<Self>, near: TcpStream, to: u16) -> std::io::Result<()> {
        near.set_nonblocking(false)?;
        let far = TcpStream::connect((Ipv4Addr::LOCALHOST, to))?;
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        self.sockets().extend([near.try_clone()?, far.try_clone()?]);
        for (from, to) in [(near.try_clone()?, far.try_clone()?), (far, near)] {
            let state = Arc::clone(self);
            thread::spawn(move || state.forward(from, to));
        }
        Ok(())
    }

    fn forward(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = [0; 16 << 10];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            // What is sent while it is cut is lost, and the connection with it.
            if !self.is_cut.load(Ordering::SeqCst) && to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        if !self.is_cut.load(Ordering::SeqCst) {
            let _closed = to.shutdown(Shutdown::Both);
        }
    }

    /// A panic elsewhere leaves the list whole.
    fn sockets(&self) -> MutexGuard<'_, Vec<TcpStream>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_comes_through_a_cable_that_is_cut_until_somebody_connects_anew() {
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
        let cable = Cable::lay(from, to).unwrap();
        let echo = |socket: &mut TcpStream| {
            let mut byte = [0];
            socket.write_all(&[7]).unwrap();
            socket.read_exact(&mut byte).map(|()| byte[0])
        };
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, from)).unwrap();
        let mut socket = connect();
        assert_eq!(echo(&mut socket).unwrap(), 7);
        cable.cut();
        socket
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        let silent = echo(&mut socket).unwrap_err();
        assert_eq!(silent.kind(), std::io::ErrorKind::WouldBlock);
        cable.mend();
        socket.set_read_timeout(None).unwrap();
        assert!(
            socket.read_exact(&mut [0]).is_err(),
            "it is of no use any more"
        );
        assert_eq!(echo(&mut connect()).unwrap(), 7);
    }
}
