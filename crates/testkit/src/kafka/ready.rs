//! Whether a broker responds: a metadata request in Kafka's own protocol.
//!
//! An open port is not enough: it is open before the broker has caught up with its controller, and
//! a client that connects then has to retry.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// A running broker responds in milliseconds; this is for a very busy machine.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// The response of a broker without topics has 73 bytes, with some hundred topics a few KiB.
const MAX_ANSWER: usize = 1 << 20;
/// Metadata version 4 is the first in which a request can forbid the creation of topics.
const METADATA: [u8; 4] = [0, 3, 0, 4];

/// Requests the metadata. Returns true if the broker is of this cluster and lists itself as live.
///
/// The cluster id distinguishes our broker from another on the same port.
pub(super) fn answers(port: u16, cluster: &str) -> bool {
    metadata(port).is_ok_and(|metadata| {
        brokers(&metadata) > 0
            && metadata
                .windows(cluster.len())
                .any(|part| part == cluster.as_bytes())
    })
}

/// Correlation id, throttle time, then the array of brokers with its length.
fn brokers(metadata: &[u8]) -> u32 {
    let count = metadata.get(8..12).and_then(|bytes| bytes.try_into().ok());
    u32::from_be_bytes(count.unwrap_or_default())
}

fn metadata(port: u16) -> std::io::Result<Vec<u8>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.set_write_timeout(Some(ANSWER_WITHIN))?;
    stream.write_all(&request())?;

    let mut head = [0; 4];
    stream.read_exact(&mut head)?;
    let length = usize::try_from(u32::from_be_bytes(head)).unwrap_or(usize::MAX);
    if length > MAX_ANSWER {
        return Err(std::io::Error::other("the answer is not Kafka's"));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// Length, then api key and version, correlation id, client id, no topics, create none.
fn request() -> Vec<u8> {
    let client = b"testkit";
    let mut body = METADATA.to_vec();
    body.extend(1_u32.to_be_bytes());
    body.extend([0, 7]);
    body.extend(client);
    body.extend(0_u32.to_be_bytes());
    body.push(0);
    let mut request = u32::try_from(body.len())
        .unwrap_or_default()
        .to_be_bytes()
        .to_vec();
    request.extend(body);
    request
}
