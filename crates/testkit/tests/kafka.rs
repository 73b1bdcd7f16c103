//! What a test may rely on when it owns a broker.

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use testkit::kafka::instance::Port;
use testkit::{Instance, KafkaBroker, KafkaError};

fn accepts(bootstrap: &str) -> bool {
    TcpStream::connect(bootstrap).is_ok()
}

#[test]
fn a_broker_keeps_its_address_whatever_happens_to_it() {
    let mut kafka = KafkaBroker::start().unwrap();
    let bootstrap = kafka.bootstrap().to_owned();
    assert!(bootstrap.starts_with("127.0.0.1:"));
    assert!(accepts(&bootstrap));

    kafka.restart().unwrap();
    assert_eq!(kafka.bootstrap(), bootstrap);
    assert!(accepts(&bootstrap));

    kafka.kill().unwrap();
    assert!(!accepts(&bootstrap));
    kafka.start_again().unwrap();
    assert!(accepts(&bootstrap));

    kafka.stop().unwrap();
    kafka.stop().unwrap();
    assert!(!accepts(&bootstrap));
}

#[test]
fn a_broker_is_not_mistaken_for_another_that_has_its_port() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let directory = tempfile::tempdir().unwrap();
    let instance = Instance::open(directory.path()).unwrap();
    let error = instance.start(Port::Fixed(port)).unwrap_err();
    assert!(
        matches!(error, KafkaError::PortTaken { port: taken } if taken == port),
        "{error}"
    );
    assert_eq!(instance.pid(), None);
}

/// Not a test of its own: what the next one starts, to be killed.
#[test]
fn owner() {
    if std::env::var_os("TESTKIT_OWNER").is_none() {
        return;
    }
    let kafka = KafkaBroker::start().unwrap();
    println!("owns {}", kafka.bootstrap());
    let _ = std::io::stdin().read(&mut [0]);
}

#[test]
fn a_broker_does_not_outlive_an_owner_that_was_killed() {
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "owner", "--nocapture"])
        .env("TESTKIT_OWNER", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let bootstrap = lines
        .find_map(|line| {
            line.unwrap()
                .split_once("owns ")
                .map(|(_, address)| address.to_owned())
        })
        .unwrap();
    let mut connection = TcpStream::connect(&bootstrap).unwrap();

    owner.kill().unwrap();
    owner.wait().unwrap();

    // The system closes the broker's connections when the broker ends, and not before: a broker
    // closes an idle one after ten minutes.
    let _ = connection.read(&mut [0]);
    // Its listener is closed in the same moment, a little before or after.
    while accepts(&bootstrap) {
        std::thread::yield_now();
    }
}
