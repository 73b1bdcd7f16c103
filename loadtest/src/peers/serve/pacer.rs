use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;

use crate::clock::wall_clock;

/// Maximum time to publish before clients and the network get a turn.
const TURN: Duration = Duration::from_millis(20);
/// Messages that are further behind than this many ns are skipped.
const BEHIND: u64 = 1_000_000_000;
/// Bounds of the rest between two turns, which otherwise ends when the next message is due.
const OFTEN: Duration = Duration::from_millis(1);
const SELDOM: Duration = Duration::from_millis(100);

/// A command to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::peers) enum Command {
    /// Publish, with this many ns between two messages.
    Start(u64),
    Stop,
}

impl Command {
    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        match (words.next()?, words.next()) {
            ("start", Some(period)) => {
                let period = period.parse().ok().filter(|period| *period > 0)?;
                Some(Self::Start(period))
            }
            ("stop", None) => Some(Self::Stop),
            _ => None,
        }
    }
}

/// Applies a queued command, which starts or stops the pacer. Returns false after the end of the
/// commands.
pub(super) fn take_command(commands: &mut Receiver<Command>, pacer: &mut Option<Pacer>) -> bool {
    match commands.try_recv() {
        Ok(Command::Start(period)) => *pacer = Some(Pacer::new(period)),
        Ok(Command::Stop) => *pacer = None,
        Err(TryRecvError::Empty) => {}
        Err(TryRecvError::Disconnected) => return false,
    }
    true
}

/// Generates the messages of a schedule, one after another.
#[derive(Debug)]
pub(in crate::peers) struct Source {
    schedule: Vec<u16>,
    next: usize,
    /// The current message; its first eight bytes are its time.
    message: Vec<u8>,
}

impl Source {
    pub(in crate::peers) fn new(schedule: &[u8], size: usize) -> anyhow::Result<Self> {
        let schedule: Vec<u16> = schedule
            .as_chunks::<2>()
            .0
            .iter()
            .map(|topic| u16::from_le_bytes(*topic))
            .collect();
        ensure!(!schedule.is_empty(), "the schedule is empty");
        ensure!(
            size >= 8,
            "a message of {size} bytes has no room for a time of 8"
        );
        Ok(Self {
            schedule,
            next: 0,
            message: vec![0; size],
        })
    }

    pub(super) fn topics(&self) -> usize {
        self.schedule
            .iter()
            .max()
            .map_or(0, |last| usize::from(*last) + 1)
    }

    /// The topic and bytes of the next message, with a time in ns since 1970.
    fn next(&mut self, time: u64) -> (usize, &[u8]) {
        let topic = self.schedule[self.next];
        self.next = (self.next + 1) % self.schedule.len();
        self.message[..8].copy_from_slice(&time.to_le_bytes());
        (usize::from(topic), &self.message)
    }
}

/// Decides when to publish. A message's time is when it is due, however late a busy server makes
/// it. Otherwise a server that publishes and sends on one thread would look faster the slower it
/// is.
#[derive(Debug)]
pub(super) struct Pacer {
    period: u64,
    begun: Instant,
    /// `begun`, in ns since 1970.
    begun_time: u64,
    done: u64,
}

impl Pacer {
    pub(super) fn new(period: u64) -> Self {
        Self {
            period,
            begun: Instant::now(),
            begun_time: wall_clock(),
            done: 0,
        }
    }

    /// Publishes what is due.
    pub(super) fn turn(&mut self, source: &mut Source, mut publish: impl FnMut(usize, &[u8])) {
        let now = Instant::now();
        let elapsed = u64::try_from((now - self.begun).as_nanos()).unwrap_or(u64::MAX);
        let mut due = self.due(elapsed);
        while due > 0 && now.elapsed() < TURN {
            self.done += 1;
            let (topic, message) = source.next(self.begun_time + self.done * self.period);
            publish(topic, message);
            due -= 1;
        }
    }

    /// Time to rest before the next turn, until the next message is due. Resting a whole period
    /// after the work would make two messages due at once, which is less work than requested.
    pub(super) fn rest(&self) -> Duration {
        let next = Duration::from_nanos(self.period.saturating_mul(self.done + 1));
        next.saturating_sub(self.begun.elapsed())
            .clamp(OFTEN, SELDOM)
    }

    /// How many messages are due, `elapsed` ns after the start, without those that are too old.
    fn due(&mut self, elapsed: u64) -> u64 {
        let all = elapsed / self.period;
        let most = BEHIND / self.period + 1;
        self.done = self.done.max(all.saturating_sub(most));
        all.saturating_sub(self.done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_is_what_is_not_done_and_not_too_old() {
        let mut pacer = Pacer::new(1_000_000);
        assert_eq!(pacer.due(999_999), 0);
        assert_eq!(pacer.due(5_000_000), 5);
        pacer.done += 5;
        assert_eq!(pacer.due(5_900_000), 0);
        assert_eq!(pacer.due(10_000_000_000), 1_001, "a second and one");
    }

    #[test]
    fn a_message_has_the_time_when_it_was_due() {
        let mut pacer = Pacer::new(1_000_000);
        pacer.begun = Instant::now()
            .checked_sub(Duration::from_millis(3))
            .unwrap();
        pacer.begun_time = 7;
        let mut times = Vec::new();
        let mut source = Source::new(&[0, 0], 8).unwrap();
        pacer.turn(&mut source, |_, message| {
            times.push(u64::from_le_bytes(message.try_into().unwrap()));
        });
        assert_eq!(times[..3], [1_000_007, 2_000_007, 3_000_007]);
    }

    #[test]
    fn orders_are_read_and_others_passed_over() {
        assert_eq!(Command::parse("start 25000"), Some(Command::Start(25_000)));
        assert_eq!(Command::parse("stop"), Some(Command::Stop));
        for wrong in ["", "start", "start 0", "start x", "begin 1"] {
            assert_eq!(Command::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_schedule_repeats_itself() {
        let mut source = Source::new(&[1, 0, 0, 0, 2, 0], 16).unwrap();
        assert_eq!(source.topics(), 3);
        let topics: Vec<usize> = (0..5).map(|_| source.next(0).0).collect();
        assert_eq!(topics, [1, 0, 2, 1, 0]);
        assert!(Source::new(&[], 16).is_err());
        assert!(Source::new(&[0, 0], 7).is_err());
    }
}
