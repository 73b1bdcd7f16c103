//! Closing a connection so that its client can read the last response.
//!
//! Closing a socket with unread bytes resets the connection, which discards what the client has not
//! read. So the sending half is shut down first, and input is drained for a short time.

use std::io;
use std::net::Shutdown;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Time that a client has to send a request that is rejected regardless, and then to close: two
/// round trips around the world.
const WITHIN: Duration = Duration::from_secs(1);
/// Bytes drained meanwhile: the largest head and part of a body.
const MOST: usize = 64 * 1024;
/// Bytes per read.
const READ: usize = 1024;

/// Waits for a request, sends a response that does not depend on it, and closes.
pub(super) async fn refuse(io: &TcpStream, response: &[u8]) {
    let refusing = async {
        io.readable().await?;
        // The send buffer of an unused connection has room for it.
        io.try_write(response)?;
        close(io).await
    };
    let _closed = timeout(WITHIN, refusing).await;
}

/// Closes a connection after the last response.
pub(super) async fn linger(io: &TcpStream) {
    let _closed = timeout(WITHIN, close(io)).await;
}

async fn close(io: &TcpStream) -> io::Result<()> {
    SockRef::from(io).shutdown(Shutdown::Write)?;
    let mut read = 0;
    while read < MOST {
        io.readable().await?;
        let mut bytes = [0; READ];
        match io.try_read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
