//! The guarantees of a consumer, with a real Apache Kafka and with librdkafka's mock.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking, and says what it measured"
)]

mod compressed;
mod deleted;
mod found;
#[path = "../formats/instruments.rs"]
mod instruments;
mod mock;
mod producing;
mod read;
mod reader;
mod restarted;

use std::sync::OnceLock;

use testkit::KafkaBroker;

/// The broker of all tests that do not change it. Each test has topics of its own.
fn shared_broker() -> &'static KafkaBroker {
    static BROKER: OnceLock<KafkaBroker> = OnceLock::new();
    BROKER.get_or_init(|| KafkaBroker::start().unwrap())
}
