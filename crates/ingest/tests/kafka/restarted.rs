use std::sync::mpsc::sync_channel;

use testkit::KafkaBroker;

use crate::producing::Producing;
use crate::reader::{Reader, config};

#[test]
fn a_broker_that_restarts_under_load_costs_nothing_and_repeats_nothing() {
    const COUNT: i64 = 20_000;
    let mut kafka = KafkaBroker::start().unwrap();
    let brokers = kafka.bootstrap().to_owned();
    let producing = Producing::to(&brokers);
    producing.create("restarted", 1);
    let reader = Reader::start(&config(&brokers, "restarted"));

    // Half is sent before, and some of the rest while the broker is unavailable.
    let (half, halfway) = sync_channel(1);
    let sender = std::thread::spawn(move || {
        for number in 0..COUNT {
            producing.number("restarted", 0, number);
            if number == COUNT / 2 {
                half.send(()).unwrap();
            }
        }
        producing.flush();
    });
    halfway.recv().unwrap();
    reader.until("under way", |heard| {
        (!heard.numbers("restarted", 0).is_empty()).then_some(())
    });
    kafka.restart().unwrap();
    reader.until("going on", |heard| {
        let numbers = heard.numbers("restarted", 0);
        (numbers.len() as i64 > COUNT / 2).then_some(())
    });
    kafka.kill().unwrap();
    kafka.start_again().unwrap();
    sender.join().unwrap();
    reader.expect("restarted", 0, 0, 0..COUNT);
}
