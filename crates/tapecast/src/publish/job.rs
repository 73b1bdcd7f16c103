use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use market::Nanos;

use super::StopFlag;
use super::args::PublishArgs;
use super::capture::{Capture, CaptureError, Record};
use super::report::Report;
use super::schedule::Schedule;
use super::sink::Sink;

/// Sends all files, and returns once Kafka has acknowledged them.
pub(super) fn run(args: &PublishArgs, stop: &StopFlag) -> anyhow::Result<()> {
    // Opens all files first, so that an invalid one fails before anything is sent.
    for file in &args.files {
        Capture::open(file, args.topic.as_deref())?;
    }
    let mut job = Job {
        args,
        stop,
        sink: Sink::connect(&args.brokers)
            .with_context(|| format!("cannot publish to {}", args.brokers))?,
        pace: Schedule::new(args.speed),
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
    stop: &'a StopFlag,
    sink: Sink,
    pace: Schedule,
    report: Report,
}

/// The part of a file to send.
struct Part {
    capture: Capture,
    limit: Option<u64>,
    /// Number of lines read.
    lines: u64,
    /// When the last record was due.
    last: Nanos,
}

impl Part {
    fn open(path: &Path, args: &PublishArgs) -> Result<Self, CaptureError> {
        let mut capture = Capture::open(path, args.topic.as_deref())?;
        capture.seek(args.from)?;
        Ok(Self {
            capture,
            limit: args.limit,
            lines: 0,
            last: Nanos(0),
        })
    }

    fn is_at_limit(&self) -> bool {
        self.limit.is_some_and(|limit| self.lines >= limit)
    }

    /// When the next record is due; `None` at the end.
    fn due(&mut self) -> Result<Option<Nanos>, CaptureError> {
        if self.is_at_limit() {
            return Ok(None);
        }
        let Some(time) = self.capture.due()? else {
            return Ok(None);
        };
        self.last = time.unwrap_or(self.last);
        Ok(Some(self.last))
    }
}

impl Job<'_> {
    fn send_files(&mut self) -> anyhow::Result<()> {
        for _ in 0..self.args.rounds {
            if self.args.merge {
                self.send_merged()?;
            } else {
                for file in &self.args.files {
                    self.send_file(file)?;
                    if self.stop.is_asked() {
                        break;
                    }
                }
            }
            if self.stop.is_asked() {
                break;
            }
        }
        Ok(())
    }

    fn send_file(&mut self, path: &Path) -> anyhow::Result<()> {
        let mut part = Part::open(path, self.args)?;
        self.pace.restart();
        self.report.restart();
        while self.send_next(&mut part)? {}
        Ok(())
    }

    /// Interleaves all files by receive time. A record without a time follows the one before it in its file.
    fn send_merged(&mut self) -> anyhow::Result<()> {
        let open = |path: &PathBuf| Part::open(path, self.args);
        let mut parts: Vec<_> = self.args.files.iter().map(open).collect::<Result<_, _>>()?;
        self.pace.restart();
        self.report.restart();
        loop {
            let mut first: Option<(usize, Nanos)> = None;
            for (index, part) in parts.iter_mut().enumerate() {
                if let Some(due) = part.due()?
                    && first.is_none_or(|(_, earliest)| due < earliest)
                {
                    first = Some((index, due));
                }
            }
            let Some(part) = first.and_then(|(index, _)| parts.get_mut(index)) else {
                return Ok(());
            };
            self.send_next(part)?;
            if self.stop.is_asked() {
                return Ok(());
            }
        }
    }

    /// Sends the next record of a file. Returns false at its end, or if a stop was requested.
    fn send_next(&mut self, part: &mut Part) -> anyhow::Result<bool> {
        if part.is_at_limit() {
            return Ok(false);
        }
        part.lines += 1;
        match part.capture.next() {
            None => Ok(false),
            Some(Ok(record)) => self.send(&record),
            Some(Err(error)) if error.is_of_one_line() && self.args.skip_bad => {
                self.report.left_out(&error);
                Ok(true)
            }
            Some(Err(error)) => Err(error.into()),
        }
    }

    /// Sends a record when it is due. Returns false if a stop was requested before.
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
    use crate::publish::schedule::Speed;

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
            merge: false,
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
        run(&args(&mock, file.path()), &StopFlag::default()).unwrap();
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
        run(&args(&mock, file.path()), &StopFlag::default()).unwrap();
        check_whole(&mock);
    }

    #[test]
    fn a_record_that_is_not_delivered_is_a_failure() {
        let (mock, file) = (mock(), capture());
        mock.request_errors(
            RDKafkaApiKey::Produce,
            &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 64],
        );
        let error = run(&args(&mock, file.path()), &StopFlag::default()).unwrap_err();
        assert!(error.to_string().contains("topic market"), "{error:#}");
    }

    #[test]
    fn what_stands_before_a_bad_line_is_delivered() {
        let (mock, mut file) = (mock(), capture());
        writeln!(file, "no record").unwrap();
        let error = run(&args(&mock, file.path()), &StopFlag::default()).unwrap_err();
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
        run(&args, &StopFlag::default()).unwrap();
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
        let stop = StopFlag::default();
        let asked = stop.clone();
        let job = std::thread::spawn(move || run(&args, &asked).map_err(|error| error.to_string()));
        while read_back(&mock).len() < RECORDS {}
        stop.now();
        assert_eq!(job.join().unwrap(), Ok(()));
        check_whole(&mock);
    }

    #[test]
    fn files_that_are_merged_go_by_the_times_of_their_records() {
        let (mock, whole) = (mock(), capture());
        let text = std::fs::read_to_string(whole.path()).unwrap();
        let mut parts = [String::new(), String::new(), String::new()];
        for (number, line) in text.lines().enumerate() {
            // In runs of uneven lengths, so that no file is always the next.
            let part = &mut parts[number / 11 % 3];
            part.push_str(line);
            part.push('\n');
        }
        let files = parts.map(|text| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file
        });
        let args = PublishArgs {
            merge: true,
            files: files.iter().map(|file| file.path().to_owned()).collect(),
            ..args(&mock, whole.path())
        };
        run(&args, &StopFlag::default()).unwrap();
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
            run(&args, &StopFlag::default()).unwrap();
        }
        check_whole(&mock);
    }
}
