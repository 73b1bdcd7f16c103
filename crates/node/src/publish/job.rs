use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;

use super::Stop;
use super::args::PublishArgs;
use super::capture::{Capture, Record};
use super::pace::Pace;
use super::report::Report;
use super::sink::Sink;

/// Sends all files, and returns when Kafka has acknowledged what was sent.
pub(super) fn run(args: &PublishArgs, stop: &Stop) -> anyhow::Result<()> {
    // A file that is no capture is found out before anything is sent.
    for file in &args.files {
        Capture::open(file, args.topic.as_deref())?;
    }
    let mut job = Job {
        args,
        stop,
        sink: Sink::connect(&args.brokers)
            .with_context(|| format!("cannot publish to {}", args.brokers))?,
        pace: Pace::new(args.speed),
        report: Report::start(),
    };
    let sent = job.send_files();
    let delivered = job.sink.finish(stop);
    job.report.finish(job.sink.acknowledged())?;
    delivered?;
    sent
}

struct Job<'a> {
    args: &'a PublishArgs,
    stop: &'a Stop,
    sink: Sink,
    pace: Pace,
    report: Report,
}

impl Job<'_> {
    fn send_files(&mut self) -> anyhow::Result<()> {
        for _ in 0..self.args.rounds {
            for file in &self.args.files {
                self.send_file(file)?;
                if self.stop.is_asked() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn send_file(&mut self, path: &Path) -> anyhow::Result<()> {
        let mut capture = Capture::open(path, self.args.topic.as_deref())?;
        capture.seek(self.args.from)?;
        self.pace.restart();
        self.report.restart();
        let mut lines = 0;
        while self.args.limit.is_none_or(|limit| lines < limit) {
            let record = match capture.next() {
                None => break,
                Some(Ok(record)) => record,
                Some(Err(error)) if error.is_of_one_line() && self.args.skip_bad => {
                    self.report.left_out(&error);
                    lines += 1;
                    continue;
                }
                Some(Err(error)) => return Err(error.into()),
            };
            lines += 1;
            if !self.send(&record)? {
                break;
            }
        }
        Ok(())
    }

    /// Sends a record when it is due; false when a stop was asked for before.
    fn send(&mut self, record: &Record<'_>) -> anyhow::Result<bool> {
        let mut now = Instant::now();
        if let Some(time) = record.time {
            loop {
                let wait = self.pace.wait(time, now);
                if wait.is_zero() || self.stop.is_asked() {
                    break;
                }
                self.sink.wait(wait)?;
                now = Instant::now();
                self.report.show(record.time, now);
            }
        }
        if self.stop.is_asked() || !self.sink.send(record, self.args.keep_time, self.stop)? {
            return Ok(false);
        }
        self.report.sent(record);
        self.report.show(record.time, now);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::io::Write as _;
    use std::time::Duration;

    use rdkafka::consumer::{BaseConsumer, Consumer as _};
    use rdkafka::message::Message as _;
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::DefaultProducerContext;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
    use rdkafka::{ClientConfig, Offset, TopicPartitionList};

    use super::*;
    use crate::publish::pace::Speed;

    type Mock = MockCluster<'static, DefaultProducerContext>;

    const RECORDS: usize = 5_000;

    fn mock() -> Mock {
        let mock = MockCluster::new(1).unwrap();
        mock.create_topic("market", 1, 1).unwrap();
        mock
    }

    fn capture() -> tempfile::NamedTempFile {
        let mut text = String::new();
        for number in 0..RECORDS {
            let time = 1_700_000_000_000_000_000 + number * 1_000_000;
            writeln!(text, r#"{time} {{"s":"S{}","n":{number}}}"#, number % 7).unwrap();
        }
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn args(mock: &Mock, file: &Path) -> PublishArgs {
        PublishArgs {
            brokers: mock.bootstrap_servers(),
            topic: Some("market".to_owned()),
            speed: Speed::Max,
            rounds: 1,
            from: 1,
            limit: None,
            keep_time: true,
            skip_bad: false,
            files: vec![file.to_owned()],
        }
    }

    /// Everything in the topic: key, value, timestamp.
    fn read_back(mock: &Mock) -> Vec<(String, String, i64)> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", mock.bootstrap_servers())
            .set("group.id", "unused")
            .set("enable.partition.eof", "true")
            .create()
            .unwrap();
        let mut all = TopicPartitionList::new();
        all.add_partition_offset("market", 0, Offset::Beginning)
            .unwrap();
        consumer.assign(&all).unwrap();
        let mut read = Vec::new();
        while let Some(Ok(message)) = consumer.poll(Duration::from_secs(30)) {
            let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
            read.push((
                text(message.key()),
                text(message.payload()),
                message.timestamp().to_millis().unwrap(),
            ));
        }
        read
    }

    fn check_whole(mock: &Mock) {
        let read = read_back(mock);
        assert_eq!(read.len(), RECORDS);
        for (number, (key, value, millis)) in read.into_iter().enumerate() {
            assert_eq!(key, format!("S{}", number % 7));
            assert_eq!(value, format!(r#"{{"s":"{key}","n":{number}}}"#));
            assert_eq!(millis, 1_700_000_000_000 + i64::try_from(number).unwrap());
        }
    }

    #[test]
    fn a_capture_arrives_whole_in_order_and_byte_for_byte() {
        let (mock, file) = (mock(), capture());
        run(&args(&mock, file.path()), &Stop::default()).unwrap();
        check_whole(&mock);
    }

    #[test]
    fn a_broker_that_loses_its_clients_gets_every_record_once() {
        let (mock, file) = (mock(), capture());
        mock.request_errors(
            RDKafkaApiKey::Produce,
            &[
                RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT,
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
            ],
        );
        run(&args(&mock, file.path()), &Stop::default()).unwrap();
        check_whole(&mock);
    }

    #[test]
    fn a_record_that_is_not_delivered_is_a_failure() {
        let (mock, file) = (mock(), capture());
        mock.request_errors(
            RDKafkaApiKey::Produce,
            &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 64],
        );
        let error = run(&args(&mock, file.path()), &Stop::default()).unwrap_err();
        assert!(error.to_string().contains("topic market"), "{error:#}");
    }

    #[test]
    fn what_stands_before_a_bad_line_is_delivered() {
        let (mock, mut file) = (mock(), capture());
        writeln!(file, "no record").unwrap();
        let error = run(&args(&mock, file.path()), &Stop::default()).unwrap_err();
        let place = format!("{}:{}: ", file.path().display(), RECORDS + 1);
        assert!(error.to_string().starts_with(&place), "{error:#}");
        check_whole(&mock);
    }

    #[test]
    fn a_bad_line_is_left_out_where_that_is_asked_for() {
        let (mock, file) = (mock(), capture());
        let text = std::fs::read_to_string(file.path()).unwrap();
        let (head, tail) = text.split_at(text.find('\n').unwrap() + 1);
        std::fs::write(file.path(), format!("{head}no record\n{tail}")).unwrap();
        let args = PublishArgs {
            skip_bad: true,
            ..args(&mock, file.path())
        };
        run(&args, &Stop::default()).unwrap();
        check_whole(&mock);
    }

    #[test]
    fn a_stop_ends_the_longest_wait() {
        let (mock, mut file) = (mock(), capture());
        // Centuries later.
        writeln!(file, r#"18446744073709551615 {{"s":"LAST"}}"#).unwrap();
        let args = PublishArgs {
            speed: Speed::Times(1000.0),
            ..args(&mock, file.path())
        };
        let stop = Stop::default();
        let asked = stop.clone();
        let job = std::thread::spawn(move || run(&args, &asked).map_err(|error| error.to_string()));
        while read_back(&mock).len() < RECORDS {}
        stop.now();
        assert_eq!(job.join().unwrap(), Ok(()));
        check_whole(&mock);
    }

    #[test]
    fn a_part_of_a_file_can_be_sent() {
        let (mock, file) = (mock(), capture());
        for (from, limit) in [(1, Some(1_234)), (1_235, None)] {
            let args = PublishArgs {
                from,
                limit,
                ..args(&mock, file.path())
            };
            run(&args, &Stop::default()).unwrap();
        }
        check_whole(&mock);
    }
}
