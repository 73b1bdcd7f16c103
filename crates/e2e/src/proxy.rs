//! A cable between a client and a node, that can be cut.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Forwards connections to a node until it is cut; then it refuses new ones.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    cut: Arc<AtomicBool>,
    sockets: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    /// A cable to that node.
    #[must_use]
    pub fn to(node: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port can be had");
        let address = listener.local_addr().expect("a listener has an address");
        let cut = Arc::new(AtomicBool::new(false));
        let sockets: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let proxy = Self {
            address,
            cut: Arc::clone(&cut),
            sockets: Arc::clone(&sockets),
        };
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if cut.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(far) = TcpStream::connect(node) else {
                    continue;
                };
                let mut all = sockets.lock().unwrap_or_else(PoisonError::into_inner);
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone(), to.try_clone());
                    let (from, to) = (from.expect("a socket"), to.expect("a socket"));
                    all.push(from.try_clone().expect("a socket"));
                    std::thread::spawn(move || forward(from, to));
                }
            }
        });
        proxy
    }

    /// Where clients connect.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// Cuts all connections in the middle of whatever they carry.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        let sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        for socket in sockets.iter() {
            // One that is closed already is cut.
            let _closed = socket.shutdown(Shutdown::Both);
        }
        drop(sockets);
        // Wakes the listener, so that it goes away.
        let _woken = TcpStream::connect(self.address);
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _closed = to.shutdown(Shutdown::Both);
}
