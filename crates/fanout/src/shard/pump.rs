//! Sending: each session that has something is visited once a turn.

use std::io;
use std::sync::Arc;

use socket2::SockRef;
use streams::Run;

use super::state::{State, wall_clock};
use super::subscribers::{channel_label, encoding_label};
use crate::session::Phase;

/// Several runs for one session are copied together up to this size and sent at once: a system
/// call costs about as much as copying 64 KiB.
const GATHER: usize = 64 * 1024;
/// System calls for one session a visit; then others have their turn.
const SENDS_A_VISIT: usize = 8;

/// A part of a run that is sent to one subscriber: from a byte on to the run's end.
pub(super) struct Segment {
    sub: usize,
    run: Arc<Run>,
    from: u32,
}

impl Segment {
    fn bytes(&self) -> &[u8] {
        &self.run.bytes()[self.from as usize..]
    }
}

impl State {
    /// Sends to every session that has something, then empties rings that nobody needs.
    pub(super) fn send_to_all(&mut self) {
        // A session that is closed on the way is marked again, once.
        while let Some(index) = self.dirty.pop() {
            if let Some(session) = self.sessions.get_mut(index) {
                session.queued = false;
                self.send_to(index);
            }
        }
        while let Some(slot) = self.touched.pop() {
            if let Some(stream) = self.streams.get_mut(slot)
                && stream.behind == 0
            {
                self.ring_bytes -= stream.ring.bytes();
                stream.ring.clear();
            }
        }
    }

    /// Sends a session what it has to send, as far as its socket takes it.
    pub(super) fn send_to(&mut self, index: usize) {
        for _ in 0..SENDS_A_VISIT {
            match self.send_once(index) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.block(index);
                    return;
                }
                Err(_) => {
                    if let Some(session) = self.sessions.get_mut(index) {
                        session.gone = true;
                        session.wake();
                    }
                    return;
                }
            }
        }
        if let Some(session) = self.sessions.get_mut(index) {
            session.more = true;
            session.wake();
        }
    }

    /// Sends at most once; whether there may be more to send.
    fn send_once(&mut self, index: usize) -> io::Result<bool> {
        let Some(session) = self.sessions.get_mut(index) else {
            return Ok(false);
        };
        if session.blocked || session.gone {
            return Ok(false);
        }
        let encoding = encoding_label(session.encoding);
        if !session.outgoing.is_empty() {
            let io = &session.io;
            let sent = session.outgoing.send(|bytes| io.try_write(bytes))?;
            self.metrics.sends.inc();
            self.metrics.bytes_out[encoding].add(sent as u64);
            if !session.outgoing.is_empty() {
                self.metrics.sends_short.inc();
                return Err(io::ErrorKind::WouldBlock.into());
            }
            if session.is_ending() {
                // The client sees the end of the stream behind the close frame, and closes.
                let _ended = SockRef::from(&*session.io).shutdown(std::net::Shutdown::Write);
                session.wake();
            }
            return Ok(true);
        }
        if session.is_ending() {
            return Ok(false);
        }
        let total = self.collect(index);
        if self.segments.is_empty() {
            return Ok(false);
        }
        let session = &self.sessions[index];
        let oldest = self.segments[0].run.created();
        let begin = wall_clock();
        let sent = if let [segment] = self.segments.as_slice() {
            session.io.try_write(segment.bytes())
        } else {
            self.gather.clear();
            for segment in &self.segments {
                self.gather.extend_from_slice(segment.bytes());
            }
            session.io.try_write(&self.gather)
        }?;
        self.metrics.stage_queue.record_ns(begin.since(oldest));
        self.metrics.stage_send.record_ns(wall_clock().since(begin));
        self.metrics.sends.inc();
        self.metrics.bytes_out[encoding].add(sent as u64);
        self.pass(index, sent);
        if sent < total {
            self.metrics.sends_short.inc();
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(true)
    }

    /// Collects what is sent next into `segments`; returns how many bytes these have.
    fn collect(&mut self, index: usize) -> usize {
        self.segments.clear();
        let mut total = 0;
        let mut at = 0;
        while total < GATHER {
            let session = &mut self.sessions[index];
            let Some(sub_index) = session.ready.get(at).copied() else {
                break;
            };
            let sub = &mut session.subs[sub_index];
            let stream = &self.streams[sub.stream];
            if let Phase::Starting { run, at: from } = &sub.phase {
                total += run.len() - *from as usize;
                self.segments.push(Segment {
                    sub: sub_index,
                    run: Arc::clone(run),
                    from: *from,
                });
                // What follows is sent when the start has been.
                at += 1;
                continue;
            }
            if matches!(sub.phase, Phase::Live) && stream.ring.has_fallen(sub.cursor) {
                sub.queued = false;
                session.ready.swap_remove(at);
                self.fall(index, sub_index);
                if self.sessions[index].is_ending() {
                    self.segments.clear();
                    return 0;
                }
                continue;
            }
            if !matches!(sub.phase, Phase::Live) || stream.ring.is_at_end(sub.cursor) {
                sub.queued = false;
                session.ready.swap_remove(at);
                continue;
            }
            let mut cursor = sub.cursor;
            while total < GATHER
                && let Some(run) = stream.ring.get(cursor.run)
            {
                total += run.len() - cursor.at as usize;
                self.segments.push(Segment {
                    sub: sub_index,
                    run: Arc::clone(run),
                    from: cursor.at,
                });
                cursor.pass_all(run);
            }
            at += 1;
        }
        total
    }

    /// Moves cursors over the bytes that went. Where the last frame went in part, its rest
    /// becomes the session's own.
    fn pass(&mut self, index: usize, mut sent: usize) {
        let segments = std::mem::take(&mut self.segments);
        for segment in &segments {
            if sent == 0 {
                break;
            }
            let whole = segment.bytes().len();
            let part = sent.min(whole);
            sent -= part;
            self.pass_segment(index, segment, part);
        }
        self.segments = segments;
        self.segments.clear();
    }

    fn pass_segment(&mut self, index: usize, segment: &Segment, part: usize) {
        let session = &mut self.sessions[index];
        let sub = &mut session.subs[segment.sub];
        let stream = &mut self.streams[sub.stream];
        let run = &segment.run;
        let begin = run.frame_at(segment.from);
        let stop = u32::try_from(segment.from as usize + part).unwrap_or(u32::MAX);
        // The frame that was sent in part, if any: the one that `stop` is inside of.
        let inside = run.frame_at(stop);
        let frame_begin = inside
            .checked_sub(1)
            .and_then(|before| run.marks().get(before))
            .map_or(0, |mark| mark.end);
        let mut passed = inside;
        if let Some(mark) = run.marks().get(inside)
            && stop > frame_begin
        {
            session
                .outgoing
                .push_rest(&run.bytes()[stop as usize..mark.end as usize]);
            passed += 1;
        }
        let frames = (passed - begin) as u64;
        let (channel, encoding) = (
            channel_label(stream.key.channel),
            encoding_label(stream.encoding),
        );
        self.metrics.messages_out[channel][encoding].add(frames);
        let Some(last) = passed.checked_sub(1) else {
            return;
        };
        match &mut sub.phase {
            Phase::Starting { run, at } => {
                *at = run.marks().get(last).map_or(*at, |mark| mark.end);
                if *at as usize >= run.len() {
                    sub.phase = Phase::Live;
                }
            }
            _ => {
                sub.cursor.pass(run, last);
                if stream.ring.is_at_end(sub.cursor) {
                    stream.behind -= 1;
                }
            }
        }
    }

    /// The socket is full: the session's task waits for it, and nothing is sent meanwhile.
    fn block(&mut self, index: usize) {
        if let Some(session) = self.sessions.get_mut(index) {
            session.blocked = true;
            session.wake();
        }
    }
}
