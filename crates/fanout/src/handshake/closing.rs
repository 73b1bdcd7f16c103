//! How a connection is closed so that its client reads the last response.
//!
//! A socket that is closed with unread bytes is reset, and a reset takes away what the client has
//! not read. So the sending side is closed first, and what still comes is read for a short time.

use std::io;
use std::net::Shutdown;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a client has to send the request that is rejected whatever it says, and then to close:
/// two round trips around the world.
const WITHIN: Duration = Duration::from_secs(1);
/// Bytes that are read meanwhile: a head as large as there may be, and some of a body.
const MOST: usize = 64 * 1024;
/// Bytes read at once.
const READ: usize = 1024;

/// Waits for a request, sends a response that does not depend on it, and closes.
pub(super) async fn refuse(io: &TcpStream, response: &[u8]) {
    let refusing = async {
        io.readable().await?;
        // The send buffer of a connection that was sent nothing has room for it.
        io.try_write(response)?;
        close(io).await
    };
    let _closed = timeout(WITHIN, refusing).await;
}

/// Closes after the last response.
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
