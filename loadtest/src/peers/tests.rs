use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::channel;

use super::driver::Driver;
use super::outcome::{QUANTILES, Run, Work};
use super::peer::{Peer, Protocol};
use super::scenario::Kind;
use super::schedule::Schedule;
use super::serve::bare_loop;
use super::serve::pacer::{Command, Source};

/// A run with a requested and a received rate.
pub(crate) fn run(rate: f64, delivered: f64) -> Run {
    Run {
        work: Work {
            scenario: Kind::Search,
            clients: 1,
            topics_each: 1,
            period: None,
        },
        peer: Peer::Loop,
        round: 0,
        rate,
        offered: rate,
        delivered,
        cpu_us: None,
        publisher_cpu_us: None,
        threads_cpu_us: BTreeMap::new(),
        cores: 0.0,
        client_cores: 0.0,
        bytes: 64.0,
        a_read: 1.0,
        latency_us: vec![1.0; QUANTILES.len()],
        own_before_kib: 0,
        own_after_kib: 0,
        closed: 0,
        trouble: None,
    }
}

/// Reads until `count` deliveries were counted.
fn until(driver: &mut Driver, deliveries: u64) {
    let begun = Instant::now();
    while driver.tally.deliveries < deliveries {
        let counted = driver.tally.deliveries;
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "only {counted} arrived"
        );
        driver.turn(Duration::from_millis(10)).unwrap();
    }
}

#[test]
fn what_the_loop_sends_the_driver_counts() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    let schedule = Schedule::zipf(20, 1);
    let source = Source::new(&schedule.to_bytes(), 64).unwrap();
    let (commands, taken) = channel(4);
    let server = std::thread::spawn(move || bare_loop::run(listener, source, taken));

    let wants = schedule.wants(30, 5, 1);
    let mut driver = Driver::new(Protocol::Plain, addr).unwrap();
    for topics in &wants {
        driver.connect(topics).unwrap();
    }
    driver.begin().unwrap();
    commands.blocking_send(Command::Start(200_000)).unwrap();
    until(&mut driver, 5_000);
    commands.blocking_send(Command::Stop).unwrap();
    // Reads what was sent before the stop.
    let mut counted = 0;
    while counted != driver.tally.deliveries {
        counted = driver.tally.deliveries;
        driver.run(Duration::from_millis(300), || false).unwrap();
    }
    drop(commands);
    server.join().unwrap().unwrap();

    assert_eq!(driver.closed, 0, "{:?}", driver.first_trouble);
    assert_eq!(driver.tally.bytes, counted * 64);
    assert_eq!(driver.tally.latency.len(), counted);
    // The deliveries are those of the first messages of the schedule, whole.
    let topics: Vec<u16> = schedule
        .to_bytes()
        .chunks(2)
        .map(|topic| u16::from_le_bytes([topic[0], topic[1]]))
        .collect();
    let mut sums = 0;
    let of = |topic: &u16| wants.iter().filter(|wanted| wanted.contains(topic)).count() as u64;
    let whole = topics.iter().any(|topic| {
        sums += of(topic);
        sums == counted
    });
    assert!(
        whole,
        "{counted} deliveries are no number of whole messages"
    );
}
