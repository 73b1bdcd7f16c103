use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use fanout::{Handover, NextPage, ReplayCommand, ReplayError, Wanted};
use ingest::{HistoryError, Next};
use market::{Nanos, Seq};
use metrics::label::ReplayRefusal;

use super::Common;
use super::feed::Feed;
use super::search::{self, End, Found, POLL};
use super::tally::Active;
use crate::clock::{monotonic, now};
use crate::threads;

/// How long what was told of the log's end is good enough.
const END_IS_NEW: Duration = Duration::from_secs(1);
/// How much of a log is left out at its beginning, one attempt after the other: 1 of so many parts. On Kafka
/// a second attempt is enough, since segments are deleted one at a time; librdkafka's mock broker drops a
/// batch from a full log with each that comes.
const MARGINS: [Option<i64>; 5] = [None, None, Some(64), Some(16), Some(4)];
/// How long a replay that waits keeps the Kafka client: about twice as long as another one needs to go on with it.
const SOON: Duration = Duration::from_millis(20);
/// Polls without a record after which it is looked whether what is waited for can still come.
const POLLS_A_LOOK: u32 = 10;

/// One replay, from its start to its live stream.
struct Running<'a> {
    common: &'a Common,
    wanted: &'a Wanted,
    active: Option<Active<'a>>,
    found: Found,
    /// The session can be sent a page.
    asked: bool,
    handover: Option<Handover>,
    /// When the log's end was told last.
    looked: Instant,
    /// When the first record was sent, and its log time.
    began: Option<(Instant, Nanos)>,
    /// When it has taken as long as it may.
    ends: Instant,
}

/// Why gathering messages stops.
enum Gathered {
    /// There is a page to be sent.
    Page,
    /// There is nothing more in the log at the moment.
    End,
    /// The stream is where the live one was handed over.
    Reached,
}

/// Replays until the stream is live, or its session has left. A panic is an error, and the session is caught
/// up like one that lagged: it waits for pages that would never come.
pub(super) fn run<'a>(
    common: &'a Common,
    wanted: &'a Wanted,
    active: Active<'a>,
) -> Result<(), String> {
    // The replay is dropped with what it held; the receiver is made of cells, which are whole.
    let ran = catch_unwind(AssertUnwindSafe(|| replay(common, wanted, active)));
    common.read(0);
    ran.map_err(|panic| {
        common.tally.refuse(ReplayRefusal::Failed);
        wanted.receiver.break_off(common.settings.stall_timeout);
        format!("panicked: {}", threads::message(&*panic))
    })
}

fn replay<'a>(common: &'a Common, wanted: &'a Wanted, active: Active<'a>) {
    let origin = &wanted.origin;
    match find(common, wanted) {
        Ok(found) => match Running::begin(common, wanted, active, found) {
            Ok(()) => common.tally.complete(),
            Err(End::Left) => {}
            Err(End::Stalled) => common.tally.refuse(ReplayRefusal::Stalled),
            Err(End::TooLong) => common.tally.refuse(ReplayRefusal::TooLong),
            Err(end) => {
                tracing::warn!(instrument = %origin.name, ?end, "a replay broke off");
                common.tally.refuse(ReplayRefusal::Failed);
            }
        },
        Err(End::Left) => {}
        Err(End::No(why)) => {
            common.tally.refuse(match why {
                ReplayError::TooEarly(_) => ReplayRefusal::TooEarly,
                ReplayError::Unreadable => ReplayRefusal::Failed,
            });
            // Who is told so may ask again at once.
            drop(active);
            wanted.receiver.refuse(why);
        }
        Err(end) => {
            tracing::warn!(instrument = %origin.name, ?end, "a replay cannot begin");
            common.tally.refuse(ReplayRefusal::Failed);
            drop(active);
            wanted.receiver.refuse(ReplayError::Unreadable);
        }
    }
}

/// Looks for the start. Where the log loses its beginning faster than it is read from there, the search
/// begins further and further from it; what lies before is as good as gone.
fn find(common: &Common, wanted: &Wanted) -> Result<Found, End> {
    for margin in MARGINS {
        let found = search::find(common, wanted, margin);
        if !matches!(found, Err(End::Past(HistoryError::Gone))) {
            return found;
        }
    }
    Err(End::No(ReplayError::TooEarly(None)))
}

impl<'a> Running<'a> {
    fn begin(
        common: &'a Common,
        wanted: &'a Wanted,
        active: Active<'a>,
        mut found: Found,
    ) -> Result<(), End> {
        let joined = found.replay.begin(now());
        let joined = joined.map_err(|_| End::No(ReplayError::Unreadable))?;
        wanted.receiver.begin(joined);
        let mut running = Self {
            common,
            wanted,
            active: Some(active),
            found,
            asked: false,
            handover: None,
            looked: Instant::now(),
            began: None,
            ends: Instant::now() + common.settings.longest,
        };
        let ran = running.run();
        if matches!(ran, Err(End::Past(_) | End::TooLong)) {
            running.send(NextPage::More)?;
            running.wait_for_asking()?;
            let position = running.found.replay.position();
            wanted.receiver.page(None, position, NextPage::Broken);
        }
        ran
    }

    fn run(&mut self) -> Result<(), End> {
        loop {
            match self.gather()? {
                Gathered::Page => self.send(NextPage::More)?,
                Gathered::End if self.handover.is_none() => self.meet()?,
                Gathered::End => {}
                Gathered::Reached => return self.finish(),
            }
        }
    }

    /// Reads until there is a page to send.
    fn gather(&mut self) -> Result<Gathered, End> {
        let mut records = 0;
        let gathered = self.read(&mut records);
        if records > 0 {
            self.common.read(records);
        }
        gathered
    }

    fn read(&mut self, records: &mut u64) -> Result<Gathered, End> {
        let mut polls = 0;
        loop {
            if self.has_reached() {
                return Ok(Gathered::Reached);
            }
            if Instant::now() >= self.ends {
                return Err(End::TooLong);
            }
            if self.found.replay.pending() >= self.common.settings.page_bytes {
                return Ok(Gathered::Page);
            }
            if self.handover.is_none() && std::mem::take(&mut self.found.at_end) {
                return Ok(Gathered::End);
            }
            // What there is goes out before more is waited for.
            let has_some = self.found.replay.pending() > 0;
            let wait = if has_some { Duration::ZERO } else { POLL };
            match self.found.past.next(wait)? {
                Next::Record { seq, log_time } => {
                    if !self.is_due(log_time)? {
                        if has_some {
                            return Ok(Gathered::Page);
                        }
                        continue;
                    }
                    self.take(seq);
                    *records += 1;
                    if self.is_near_end() {
                        return Ok(Gathered::End);
                    }
                }
                Next::End => return Ok(Gathered::End),
                Next::Nothing if has_some => return Ok(Gathered::Page),
                Next::Nothing => {
                    self.hear(Duration::ZERO)?;
                    polls += 1;
                    if polls % POLLS_A_LOOK == 0 && self.is_target_gone() {
                        return Ok(Gathered::Reached);
                    }
                }
            }
        }
    }

    fn take(&mut self, seq: Seq) {
        let Found {
            past,
            replay,
            names,
            read_to,
            ..
        } = &mut self.found;
        *read_to = seq;
        past.take(&mut Feed {
            replay,
            names,
            instruments: &self.common.instruments,
        });
    }

    /// Whether nothing is left of what the log had a second ago: where records come all the time,
    /// a client never sees its end.
    fn is_near_end(&mut self) -> bool {
        if self.handover.is_some() || self.found.read_to.0 + 1 < self.found.end.0 {
            return false;
        }
        if self.looked.elapsed() >= END_IS_NEW
            && let Ok((_, end)) = self.found.past.ends()
        {
            self.looked = Instant::now();
            self.found.end = end;
        }
        self.found.read_to.0 + 1 >= self.found.end.0
    }

    /// Whether a record's time has come; waits for it, unless there is something to be sent before.
    fn is_due(&mut self, log_time: Nanos) -> Result<bool, End> {
        let Some(pace) = self.wanted.pace else {
            return Ok(true);
        };
        if self.handover.is_some() {
            return Ok(true);
        }
        let (began, first) = *self.began.get_or_insert((Instant::now(), log_time));
        let after = pace.stretch(log_time.0.saturating_sub(first.0));
        let wait = Duration::from_nanos(after).saturating_sub(began.elapsed());
        if wait.is_zero() {
            return Ok(true);
        }
        if self.found.replay.pending() == 0 {
            let left = self.ends.saturating_duration_since(Instant::now());
            if wait >= SOON && self.found.past.has_client() {
                self.found.past.yield_client();
            }
            self.hear(wait.min(left))?;
        }
        Ok(false)
    }

    /// Whether all has been read that stands before where the live stream was handed over.
    fn has_reached(&self) -> bool {
        self.handover.as_ref().is_some_and(|handover| {
            handover.start.is_some() || self.found.read_to >= handover.position.seq
        })
    }

    /// Whether Kafka has deleted what leads to the live stream.
    fn is_target_gone(&mut self) -> bool {
        let Some(handover) = &self.handover else {
            return false;
        };
        let reached = handover.position.seq;
        let ends = self.found.past.ends();
        ends.is_ok_and(|(first, _)| first > reached)
    }

    /// The log ends here: the session is to hold its live stream.
    fn meet(&mut self) -> Result<(), End> {
        self.send(NextPage::Live {
            restarts: self.found.restarts,
        })?;
        while self.handover.is_none() {
            self.wait_for_order()?;
        }
        Ok(())
    }

    /// Sends the last of it, and that the stream is live.
    fn finish(&mut self) -> Result<(), End> {
        self.send(NextPage::More)?;
        let Some(handover) = self.handover.take() else {
            return Ok(());
        };
        self.wait_for_asking()?;
        // Who is told that it is complete may ask for the next one at once.
        self.active = None;
        let (receiver, replay) = (&self.wanted.receiver, &mut self.found.replay);
        let Some(start) = handover.start else {
            let complete = replay.complete(handover.position, now());
            receiver.page(complete, handover.position, NextPage::Done);
            return Ok(());
        };
        let stands = replay.position();
        let complete = replay.complete(stands, now());
        if complete.is_some() {
            self.asked = false;
        }
        receiver.page(complete, stands, NextPage::More);
        self.wait_for_asking()?;
        let position = handover.position;
        self.wanted
            .receiver
            .page(Some(start), position, NextPage::Done);
        Ok(())
    }

    /// Sends what was gathered, once the page before has gone out. Without anything to send, what
    /// comes behind it is told alone.
    fn send(&mut self, next: NextPage) -> Result<(), End> {
        if self.found.replay.pending() > 0 {
            self.wait_for_asking()?;
        } else if next == NextPage::More {
            return Ok(());
        }
        let run = self.found.replay.take(monotonic());
        if run.is_some() {
            self.asked = false;
        }
        let position = self.found.replay.position();
        self.wanted.receiver.page(run, position, next);
        Ok(())
    }

    fn wait_for_asking(&mut self) -> Result<(), End> {
        while !self.asked {
            self.wait_for_order()?;
        }
        Ok(())
    }

    /// Waits for the session, which takes a page as soon as its socket has room.
    ///
    /// One that does not is not told: the end of its replay is what it finds once it has taken the page.
    fn wait_for_order(&mut self) -> Result<(), End> {
        let receiver = &self.wanted.receiver;
        let mut command = receiver.command(SOON)?;
        if command.is_none() {
            self.found.past.yield_client();
            command = receiver.command(self.common.settings.stall_timeout)?;
        }
        self.obey(command.ok_or(End::Stalled)?);
        Ok(())
    }

    /// Takes an order, where one comes within that time.
    fn hear(&mut self, wait: Duration) -> Result<(), End> {
        if let Some(command) = self.wanted.receiver.command(wait)? {
            self.obey(command);
        }
        Ok(())
    }

    fn obey(&mut self, command: ReplayCommand) {
        match command {
            ReplayCommand::Page => self.asked = true,
            ReplayCommand::Live(handover) => self.handover = Some(handover),
        }
    }
}
