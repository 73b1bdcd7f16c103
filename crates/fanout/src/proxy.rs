//! The PROXY protocol, version 2 (HAProxy's `proxy-protocol.txt`, section 2.2): the address of the client
//! behind a balancer. Trusted balancers must send it, and it is read from them only; version 1 is not
//! supported.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const HEAD: usize = 16;
/// The maximum bytes after the head: addresses of 216 bytes (of Unix sockets), and more TLVs than balancers
/// send.
const MAX_REST: usize = 2048;

/// Why the first bytes of a connection are not a valid header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProxyError {
    /// The signature or the version is wrong.
    #[error("a trusted balancer must send a PROXY protocol header, version 2")]
    Signature,
    /// The command is unknown.
    #[error("the command of the PROXY header is neither LOCAL nor PROXY")]
    Command,
    /// The header is too long, or too short for its addresses.
    #[error("the length of the PROXY header does not fit its addresses")]
    Length,
}

/// Reads the header at the start of a connection, and no byte beyond it. `None` is the balancer's own
/// health check.
pub(crate) async fn read(io: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let mut head = [0; HEAD];
    io.read_exact(&mut head).await?;
    let len = rest_len(&head).map_err(invalid)?;
    let mut rest = vec![0; len];
    io.read_exact(&mut rest).await?;
    address(&head, &rest).map_err(invalid)
}

/// The number of bytes that follow the head.
fn rest_len(head: &[u8; HEAD]) -> Result<usize, ProxyError> {
    if head[..12] != SIGNATURE || head[12] >> 4 != 2 {
        return Err(ProxyError::Signature);
    }
    let len = usize::from(u16::from_be_bytes([head[14], head[15]]));
    if len > MAX_REST {
        return Err(ProxyError::Length);
    }
    Ok(len)
}

/// The client's address; TLVs after the addresses are ignored.
fn address(head: &[u8; HEAD], rest: &[u8]) -> Result<Option<SocketAddr>, ProxyError> {
    match head[12] & 0xf {
        0 => return Ok(None),
        1 => {}
        _ => return Err(ProxyError::Command),
    }
    match (head[13], rest) {
        (0x11, [a, b, c, d, _, _, _, _, high, low, _, _, ..]) => {
            let ip = Ipv4Addr::new(*a, *b, *c, *d);
            Ok(Some((ip, u16::from_be_bytes([*high, *low])).into()))
        }
        (0x21, rest) if rest.len() >= 36 => {
            let ip: [u8; 16] = rest[..16].try_into().map_err(|_| ProxyError::Length)?;
            let port = u16::from_be_bytes([rest[32], rest[33]]);
            Ok(Some((Ipv6Addr::from(ip), port).into()))
        }
        (0x11 | 0x21, _) => Err(ProxyError::Length),
        // Neither IPv4 nor IPv6, such as a Unix socket.
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([0x20 | command, family]);
        bytes.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(rest);
        bytes
    }

    fn read_now(bytes: &[u8]) -> (Result<Option<SocketAddr>, io::ErrorKind>, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let mut left = bytes;
        let found = runtime.block_on(read(&mut left));
        (found.map_err(|error| error.kind()), left.len())
    }

    const V4: [u8; 12] = [192, 0, 2, 7, 10, 0, 0, 1, 0xc0, 0x01, 0x1f, 0x90];

    #[test]
    fn the_address_is_read_and_nothing_behind_the_header() {
        let mut with_tlv = V4.to_vec();
        with_tlv.extend([0x04, 0, 1, 0]);
        for rest in [&V4[..], &with_tlv] {
            let mut bytes = header(1, 0x11, rest);
            bytes.extend(b"GET /");
            let found = Some("192.0.2.7:49153".parse().unwrap());
            assert_eq!(read_now(&bytes), (Ok(found), 5));
        }
        let mut v6 = [0; 36];
        v6[..2].copy_from_slice(&[0x20, 0x01]);
        v6[15] = 9;
        v6[32..34].copy_from_slice(&[1, 2]);
        let found = Some("[2001::9]:258".parse().unwrap());
        assert_eq!(read_now(&header(1, 0x21, &v6)), (Ok(found), 0));
        assert_eq!(read_now(&header(0, 0, &[])), (Ok(None), 0));
        assert_eq!(read_now(&header(1, 0x31, &[0; 216])), (Ok(None), 0));
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let mut version1 = b"PROXY TCP4 192.0.2.7 10.0.0.1 49153 8080\r\n".to_vec();
        let mut other = header(1, 0x11, &V4);
        other[12] = 0x31;
        let mut long = header(1, 0x11, &V4);
        long[14] = 0xff;
        version1.resize(64, 0);
        for bytes in [
            version1,
            other,
            long,
            header(2, 0x11, &V4),
            header(1, 0x11, &V4[..11]),
            header(1, 0x21, &[0; 35]),
        ] {
            assert_eq!(read_now(&bytes).0, Err(io::ErrorKind::InvalidData));
        }
        let cut = &header(1, 0x11, &V4)[..20];
        assert_eq!(read_now(cut).0, Err(io::ErrorKind::UnexpectedEof));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..64), signed in any::<bool>()) {
            if signed {
                bytes.splice(0..0, SIGNATURE);
            }
            let _ = read_now(&bytes);
        }
    }
}
