use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use fanout::{Handover, JoinError, NextPage, ReplayCommand, ReplayError, Wanted};
use ingest::{HistoryError, Next};
use market::{Nanos, Seq};
use metrics::label::ReplayRefusal;

use super::ReplayContext;
use super::feed::Feed;
use super::search::{self, Found, POLL, Stopped};
use super::tally::Active;
use crate::clock::{monotonic, now};
use crate::threads;

/// How long a known end of the log stays good enough.
const END_IS_NEW: Duration = Duration::from_secs(1);
/// The fraction of the log to leave out at its start (1/n), attempt by attempt. On Kafka a second attempt is
/// enough, since segments are deleted one at a time; librdkafka's mock broker drops one batch of a full log for
/// each new one.
const MARGINS: [Option<i64>; 5] = [None, None, Some(64), Some(16), Some(4)];
/// How long a waiting replay keeps the Kafka client: about twice what another one takes to switch to it.
const SOON: Duration = Duration::from_millis(20);
/// Polls without a record after which the replay checks whether the awaited record can still come.
const POLLS_A_LOOK: u32 = 10;

/// One replay, from its start to its live stream.
struct Running<'a> {
    context: &'a ReplayContext,
    wanted: &'a Wanted,
    active: Option<Active<'a>>,
    found: Found,
    /// The session has room for a page.
    asked: bool,
    handover: Option<Handover>,
    /// When the log's end was last queried.
    looked: Instant,
    /// When the first record was sent, and its log time.
    began: Option<(Instant, Nanos)>,
    /// The deadline of the whole replay.
    ends: Instant,
}

/// Why gathering messages stops.
enum Gathered {
    /// A page is complete.
    Page,
    /// The end of the log, for now.
    End,
    /// The position at which the live stream was handed over.
    Reached,
}

/// Replays until the stream is live or its session is gone. After a panic, the session, which would wait for
/// pages forever, catches up like one that lagged.
pub(super) fn run<'a>(
    context: &'a ReplayContext,
    wanted: &'a Wanted,
    active: Active<'a>,
) -> Result<(), String> {
    // Unwind-safe: the replay is dropped, and the receiver consists of cells, which stay consistent.
    let ran = catch_unwind(AssertUnwindSafe(|| replay(context, wanted, active)));
    context.read(0);
    ran.map_err(|panic| {
        context.tally.refuse(ReplayRefusal::Failed);
        wanted.receiver.break_off(context.settings.stall_timeout);
        format!("panicked: {}", threads::message(&*panic))
    })
}

fn replay<'a>(context: &'a ReplayContext, wanted: &'a Wanted, active: Active<'a>) {
    let origin = &wanted.origin;
    match find(context, wanted) {
        Ok(found) => match Running::begin(context, wanted, active, found) {
            Ok(()) => context.tally.complete(),
            Err(Stopped::Left) => {}
            Err(Stopped::Unfit) => context.tally.refuse(ReplayRefusal::Failed),
            Err(Stopped::Stalled) => context.tally.refuse(ReplayRefusal::Stalled),
            Err(Stopped::TooLong) => context.tally.refuse(ReplayRefusal::TooLong),
            Err(end) => {
                tracing::warn!(instrument = %origin.name, ?end, "a replay failed");
                context.tally.refuse(ReplayRefusal::Failed);
            }
        },
        Err(Stopped::Left) => {}
        Err(Stopped::No(why)) => {
            context.tally.refuse(match why {
                ReplayError::TooEarly(_) => ReplayRefusal::TooEarly,
                ReplayError::Unreadable => ReplayRefusal::Failed,
            });
            // The client may retry at once, so free the slot first.
            drop(active);
            wanted.receiver.refuse(why);
        }
        Err(end) => {
            tracing::warn!(instrument = %origin.name, ?end, "cannot start a replay");
            context.tally.refuse(ReplayRefusal::Failed);
            drop(active);
            wanted.receiver.refuse(ReplayError::Unreadable);
        }
    }
}

/// Finds the start. If the start of the log is deleted faster than it is read, the search leaves out more of it
/// with each attempt.
fn find(context: &ReplayContext, wanted: &Wanted) -> Result<Found, Stopped> {
    for margin in MARGINS {
        let found = search::find(context, wanted, margin);
        if !matches!(found, Err(Stopped::Past(HistoryError::Gone))) {
            return found;
        }
    }
    Err(Stopped::No(ReplayError::TooEarly(None)))
}

impl<'a> Running<'a> {
    fn begin(
        context: &'a ReplayContext,
        wanted: &'a Wanted,
        active: Active<'a>,
        mut found: Found,
    ) -> Result<(), Stopped> {
        match found.replay.begin(now()) {
            Ok(joined) => wanted.receiver.begin(joined),
            Err(refused) => {
                wanted.receiver.reject(JoinError::Refused(refused));
                return Err(Stopped::Unfit);
            }
        }
        let mut running = Self {
            context,
            wanted,
            active: Some(active),
            found,
            asked: false,
            handover: None,
            looked: Instant::now(),
            began: None,
            ends: Instant::now() + context.settings.longest,
        };
        let ran = running.run();
        if matches!(
            ran,
            Err(Stopped::Past(_) | Stopped::TooLong | Stopped::Unfit)
        ) {
            running.send(NextPage::More)?;
            running.wait_for_asking()?;
            let position = running.found.replay.position();
            wanted.receiver.page(None, position, NextPage::Broken);
        }
        ran
    }

    fn run(&mut self) -> Result<(), Stopped> {
        loop {
            match self.gather()? {
                Gathered::Page => self.send(NextPage::More)?,
                Gathered::End if self.handover.is_none() => self.meet()?,
                Gathered::End => {}
                Gathered::Reached => return self.finish(),
            }
        }
    }

    /// Reads until a page is complete.
    fn gather(&mut self) -> Result<Gathered, Stopped> {
        let mut records = 0;
        let gathered = self.read(&mut records);
        if records > 0 {
            self.context.read(records);
        }
        gathered
    }

    fn read(&mut self, records: &mut u64) -> Result<Gathered, Stopped> {
        let mut polls = 0;
        loop {
            if self.has_reached() {
                return Ok(Gathered::Reached);
            }
            if Instant::now() >= self.ends {
                return Err(Stopped::TooLong);
            }
            if self.found.replay.pending() >= self.context.settings.page_bytes {
                return Ok(Gathered::Page);
            }
            if self.handover.is_none() && std::mem::take(&mut self.found.at_end) {
                return Ok(Gathered::End);
            }
            // Send what there is before waiting for more.
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
                    if self.found.replay.has_ended() {
                        return Err(Stopped::Unfit);
                    }
                    if self.is_near_end() {
                        return Ok(Gathered::End);
                    }
                }
                Next::End => return Ok(Gathered::End),
                Next::Nothing if has_some => return Ok(Gathered::Page),
                Next::Nothing => {
                    self.poll_command(Duration::ZERO)?;
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
            instruments: &self.context.instruments,
        });
    }

    /// Returns whether everything the log had a second ago has been read: with steady traffic, a client never
    /// reaches the end itself.
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

    /// Waits until a record is due. Returns false if there is something to send before.
    fn is_due(&mut self, log_time: Nanos) -> Result<bool, Stopped> {
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
            self.poll_command(wait.min(left))?;
        }
        Ok(false)
    }

    /// Returns whether everything before the handover to the live stream has been read.
    fn has_reached(&self) -> bool {
        self.handover.as_ref().is_some_and(|handover| {
            handover.start.is_some() || self.found.read_to >= handover.position.seq
        })
    }

    /// Returns whether Kafka has deleted records between here and the live stream.
    fn is_target_gone(&mut self) -> bool {
        let Some(handover) = &self.handover else {
            return false;
        };
        let reached = handover.position.seq;
        let ends = self.found.past.ends();
        ends.is_ok_and(|(first, _)| first > reached)
    }

    /// At the end of the log: asks the session to hold its live stream.
    fn meet(&mut self) -> Result<(), Stopped> {
        self.send(NextPage::Live {
            restarts: self.found.restarts,
        })?;
        while self.handover.is_none() {
            self.wait_for_order()?;
        }
        Ok(())
    }

    /// Sends the last page, after which the stream is live.
    fn finish(&mut self) -> Result<(), Stopped> {
        self.send(NextPage::More)?;
        let Some(handover) = self.handover.take() else {
            return Ok(());
        };
        self.wait_for_asking()?;
        // The client may start the next replay at once, so free the slot first.
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

    /// Sends the gathered messages once the session has room. Without any, sends only what follows them.
    fn send(&mut self, next: NextPage) -> Result<(), Stopped> {
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

    fn wait_for_asking(&mut self) -> Result<(), Stopped> {
        while !self.asked {
            self.wait_for_order()?;
        }
        Ok(())
    }

    /// Waits for the session, which asks for a page as soon as its socket has room.
    ///
    /// A session that stalls learns about the end of its replay when it asks for the next page.
    fn wait_for_order(&mut self) -> Result<(), Stopped> {
        let receiver = &self.wanted.receiver;
        let mut command = receiver.command(SOON)?;
        if command.is_none() {
            self.found.past.yield_client();
            command = receiver.command(self.context.settings.stall_timeout)?;
        }
        self.obey(command.ok_or(Stopped::Stalled)?);
        Ok(())
    }

    /// Waits that long for a command.
    fn poll_command(&mut self, wait: Duration) -> Result<(), Stopped> {
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
