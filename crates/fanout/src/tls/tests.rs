use std::net::TcpListener;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::*;

struct Made {
    certificate: String,
    key: String,
    der: CertificateDer<'static>,
}

fn made() -> Made {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = date_time_ymd(2040, 2, 29);
    let certificate = params.self_signed(&key).unwrap();
    Made {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
        der: certificate.der().clone(),
    }
}

#[test]
fn a_certificate_and_its_key_are_taken_and_its_end_is_known() {
    let made = made();
    let identity = TlsIdentity::from_pem(made.certificate.as_bytes(), made.key.as_bytes()).unwrap();
    assert_eq!(identity.expires(), 2_214_086_400);
    assert!(!format!("{identity:?}").contains("PRIVATE"));
}

#[test]
fn what_does_not_go_together_is_refused() {
    let (one, other) = (made(), made());
    let refused = |certificate: &str, key: &str| {
        let made = TlsIdentity::from_pem(certificate.as_bytes(), key.as_bytes());
        made.unwrap_err().to_string()
    };
    assert!(refused(&one.certificate, &other.key).contains("do not match"));
    assert!(refused("", &one.key).contains("no certificate"));
    assert!(refused(&one.certificate, "").contains("not PEM"));
    assert!(refused(&one.key, &one.key).contains("no certificate"));
}

/// A server's and a client's end of one connection, after the handshake.
struct Pair {
    server: Tls,
    server_io: TcpStream,
    client: ClientConnection,
    client_io: TcpStream,
}

fn pair() -> Pair {
    let made = made();
    let identity = TlsIdentity::from_pem(made.certificate.as_bytes(), made.key.as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.der).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client_io = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server_io, _) = listener.accept().unwrap();
    let mut server = ServerConnection::new(Arc::clone(&identity.config)).unwrap();
    let serving = std::thread::spawn(move || {
        while server.is_handshaking() {
            server.complete_io(&mut server_io).unwrap();
        }
        server_io.set_nonblocking(true).unwrap();
        (server, server_io)
    });
    while client.is_handshaking() {
        client.complete_io(&mut client_io).unwrap();
    }
    let (server, server_io) = serving.join().unwrap();
    Pair {
        server: Tls::new(server),
        server_io,
        client,
        client_io,
    }
}

#[test]
fn a_full_socket_takes_a_part_and_what_is_held_is_bounded() {
    let mut pair = pair();
    let bytes: Vec<u8> = (0..16_000_000_u32)
        .map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[2])
        .collect();
    // Nobody reads: the socket is full at some point, and then takes nothing.
    let mut sent = pair.server.send(&pair.server_io, &bytes).unwrap();
    assert!(sent < bytes.len() && pair.server.holds_records());
    let full = pair
        .server
        .send(&pair.server_io, &bytes[sent..])
        .unwrap_err();
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    let mut got = Vec::new();
    let mut chunk = vec![0; 1 << 16];
    while got.len() < bytes.len() {
        if sent < bytes.len() {
            match pair.server.send(&pair.server_io, &bytes[sent..]) {
                Ok(more) => sent += more,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        } else {
            pair.server.flush(&pair.server_io).unwrap();
        }
        pair.client.read_tls(&mut pair.client_io).unwrap();
        pair.client.process_new_packets().unwrap();
        while let Ok(count) = pair.client.reader().read(&mut chunk) {
            got.extend_from_slice(&chunk[..count]);
        }
    }
    assert!(got == bytes, "the bytes are those that were sent");
    assert!(!pair.server.holds_records());
}

#[test]
fn what_comes_is_received_and_an_end_is_an_end() {
    let mut pair = pair();
    let mut chunk = [0; 4096];
    let nothing = pair
        .server
        .receive(&pair.server_io, &mut chunk)
        .unwrap_err();
    assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    pair.client.writer().write_all(b"hello").unwrap();
    pair.client.send_close_notify();
    while pair.client.wants_write() {
        pair.client.write_tls(&mut pair.client_io).unwrap();
    }
    let mut got = Vec::new();
    loop {
        match pair.server.receive(&pair.server_io, &mut chunk) {
            Ok(0) => break,
            Ok(count) => got.extend_from_slice(&chunk[..count]),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
    }
    assert_eq!(got, b"hello");
}

#[test]
fn bytes_that_are_no_record_are_an_error() {
    let mut pair = pair();
    pair.client_io.write_all(&[0xff; 64]).unwrap();
    let mut chunk = [0; 4096];
    loop {
        match pair.server.receive(&pair.server_io, &mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            other => {
                assert_eq!(other.unwrap_err().kind(), io::ErrorKind::InvalidData);
                break;
            }
        }
    }
}
