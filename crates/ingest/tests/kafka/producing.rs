//! Produces records, and manages topics.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::{ClientConfig, ClientContext, Message as _, Offset, TopicPartitionList};

/// Longer than anything takes on a busy machine.
const LONG: Duration = Duration::from_secs(120);

pub(crate) struct Producing {
    producer: BaseProducer<Delivered>,
    admin: AdminClient<DefaultClientContext>,
}

impl Producing {
    pub(crate) fn to(brokers: &str) -> Self {
        Self::with(brokers, &[])
    }

    pub(crate) fn with(brokers: &str, properties: &[(&str, &str)]) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers);
        config.set("message.max.bytes", "16000000");
        config.set("enable.idempotence", "true");
        config.set("linger.ms", "1");
        for (key, value) in properties {
            config.set(*key, *value);
        }
        let admin = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .create();
        Self {
            producer: config.create_with_context(Delivered).unwrap(),
            admin: admin.unwrap(),
        }
    }

    /// Sends a record that contains a number.
    pub(crate) fn number(&self, topic: &str, partition: i32, number: i64) {
        let payload = trade(number);
        self.record(topic, partition, Some(payload.as_bytes()), None);
    }

    pub(crate) fn numbers(&self, topic: &str, partition: i32, numbers: std::ops::Range<i64>) {
        for number in numbers {
            self.number(topic, partition, number);
        }
        self.flush();
    }

    pub(crate) fn record(
        &self,
        topic: &str,
        partition: i32,
        payload: Option<&[u8]>,
        timestamp: Option<i64>,
    ) {
        let mut record = BaseRecord::<[u8], [u8]>::to(topic).partition(partition);
        record.payload = payload;
        record.timestamp = timestamp;
        loop {
            match self.producer.send(record) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    self.producer.poll(Duration::from_millis(10));
                    record = back;
                }
                Err((error, _)) => panic!("{error}"),
            }
        }
    }

    pub(crate) fn flush(&self) {
        self.producer.flush(LONG).unwrap();
    }

    /// Sends numbers in one transaction, whose end is marked in the log.
    pub(crate) fn transaction(&self, topic: &str, numbers: std::ops::Range<i64>) {
        let before = self.committed_end(topic);
        self.producer.init_transactions(LONG).unwrap();
        self.producer.begin_transaction().unwrap();
        self.numbers(topic, 0, numbers);
        self.producer.commit_transaction(LONG).unwrap();
        // The transaction is decided now. The marker, which readers wait for, comes to the log a
        // little later.
        while self.committed_end(topic) == before {
            thread::yield_now();
        }
    }

    /// The offset up to which records can be read without open transactions.
    fn committed_end(&self, topic: &str) -> i64 {
        let admin = self.admin.inner();
        admin.fetch_watermarks(topic, 0, LONG).unwrap().1
    }

    pub(crate) fn create(&self, topic: &str, partitions: i32) {
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        loop {
            let made = done(self.admin.create_topics([&new], &options())).unwrap();
            match &made[0] {
                Ok(_) => return,
                // A deleted topic exists a little longer.
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => thread::yield_now(),
                Err((_, error)) => panic!("{error}"),
            }
        }
    }

    pub(crate) fn grow(&self, topic: &str, partitions: usize) {
        let more = NewPartitions::new(topic, partitions);
        let grown = done(self.admin.create_partitions([&more], &options())).unwrap();
        assert!(grown[0].is_ok(), "{grown:?}");
        // The broker learns of it later than the controller.
        while self.partitions(topic) != Some(partitions) {
            thread::yield_now();
        }
    }

    pub(crate) fn delete(&self, topic: &str) {
        let deleted = done(self.admin.delete_topics(&[topic], &options())).unwrap();
        assert!(deleted[0].is_ok(), "{deleted:?}");
        // The broker learns of it later than the controller, and accepts records for it until then.
        while self.partitions(topic).is_some() {
            thread::yield_now();
        }
    }

    /// The number of partitions of a topic, if it exists.
    fn partitions(&self, topic: &str) -> Option<usize> {
        // A query by its name would create it.
        let metadata = self.admin.inner().fetch_metadata(None, LONG).unwrap();
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        found.map(|found| found.partitions().len())
    }

    /// Deletes the records before an offset, as retention does.
    pub(crate) fn delete_before(&self, topic: &str, partition: i32, offset: i64) {
        let mut offsets = TopicPartitionList::new();
        let offset = Offset::Offset(offset);
        offsets
            .add_partition_offset(topic, partition, offset)
            .unwrap();
        done(self.admin.delete_records(&offsets, &options())).unwrap();
    }
}

/// Checks that every record gets into its log.
struct Delivered;

impl ClientContext for Delivered {}

impl ProducerContext for Delivered {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result {
            panic!("{} {}: {error}", message.topic(), message.partition());
        }
    }
}

/// A record with a number as the price of a trade.
pub(crate) fn trade(number: i64) -> String {
    format!(
        r#"{{"type":"trade","symbol":"TEST:A","trades":[{{"price":"{number}e-8","size":"1"}}]}}"#
    )
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(LONG))
        .operation_timeout(Some(LONG))
}

/// Blocks on a future.
fn done<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
