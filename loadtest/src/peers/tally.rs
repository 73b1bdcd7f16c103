//! What the clients of one server count.

use anyhow::Context as _;
use hdrhistogram::Histogram;

/// The longest latency of the histogram: a minute, in ns.
const MAX_LATENCY: u64 = 60_000_000_000;

/// What the clients counted.
#[derive(Debug)]
pub(super) struct Tally {
    measuring: bool,
    /// When the current bytes were read, in ns since 1970.
    now: u64,
    pub(super) deliveries: u64,
    /// Bytes of messages, without framing.
    pub(super) bytes: u64,
    pub(super) reads: u64,
    /// In ns.
    pub(super) latency: Histogram<u64>,
}

impl Tally {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            measuring: false,
            now: 0,
            deliveries: 0,
            bytes: 0,
            reads: 0,
            latency: Histogram::new_with_bounds(1_000, MAX_LATENCY, 3)
                .context("cannot create a histogram")?,
        })
    }

    /// Starts or stops to count.
    pub(super) fn measuring(&mut self, measuring: bool) {
        self.measuring = measuring;
    }

    pub(super) fn read_at(&mut self, now: u64) {
        self.now = now;
        self.reads += u64::from(self.measuring);
    }

    /// Counts a message that starts with its time.
    #[inline]
    pub(super) fn message(&mut self, message: &[u8]) -> anyhow::Result<()> {
        let time = message
            .first_chunk()
            .context("a message without its time")?;
        self.deliver(u64::from_le_bytes(*time), message.len());
        Ok(())
    }

    /// Counts a message with the time when it was due, in ns since 1970.
    #[inline]
    pub(super) fn deliver(&mut self, published: u64, bytes: usize) {
        if !self.measuring {
            return;
        }
        self.deliveries += 1;
        self.bytes += bytes as u64;
        self.latency
            .saturating_record(self.now.saturating_sub(published));
    }
}
