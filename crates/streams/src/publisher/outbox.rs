use std::collections::VecDeque;
use std::sync::Arc;

use market::{Channel, Nanos, Seq};
use slab::Slab;
use wire::packed::Packer;
use wire::{Encoding, Head, ViewParams, json, sbe};

use crate::{Handle, Opcode, Run, RunBuilder, StreamKey, WatchId};

/// The watched streams and the frames that wait to be handed over.
#[derive(Debug)]
pub(super) struct Outbox {
    watches: Slab<Watch>,
    /// Those that have frames.
    dirty: Vec<WatchId>,
    /// The message that is being told, in SBE.
    draft: Vec<u8>,
    /// The same in JSON, where somebody wants that.
    json: Vec<u8>,
    /// The same packed, where somebody wants that.
    packed: Vec<u8>,
    packer: Packer,
    /// What has been encoded, by encoding.
    encoded: [Encoded; Encoding::ALL.len()],
    heartbeat_after: u64,
    /// When to look whether a watched stream has gone quiet, soonest first.
    quiet_checks: VecDeque<(Nanos, WatchId, u64)>,
    /// Tells a watch from an earlier one with the same id.
    generation: u64,
}

/// How much has been encoded; a message counts once in each stream that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Encoded {
    /// How many messages.
    pub messages: u64,
    /// How many bytes they have, with the heads of their frames.
    pub bytes: u64,
}

impl Encoded {
    const NONE: Self = Self {
        messages: 0,
        bytes: 0,
    };
}

/// A stream in one encoding that somebody watches.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) key: StreamKey,
    pub(super) encoding: Encoding,
    pub(super) handle: Handle,
    run: RunBuilder,
    last_emit: Nanos,
    start: Option<Start>,
    generation: u64,
}

/// What new subscribers begin with; encoded once, and right until the stream's next message or
/// the instrument's next revision.
#[derive(Debug)]
struct Start {
    revision: u64,
    run: Arc<Run>,
}

/// What encoding a message for an instrument needs to know of it.
pub(super) type Text<'a> = json::InstrumentText<'a>;

impl Outbox {
    pub(super) const fn new(heartbeat_after: u64) -> Self {
        Self {
            watches: Slab::new(),
            dirty: Vec::new(),
            draft: Vec::new(),
            json: Vec::new(),
            packed: Vec::new(),
            packer: Packer::new(),
            encoded: [Encoded::NONE; Encoding::ALL.len()],
            heartbeat_after,
            quiet_checks: VecDeque::new(),
            generation: 0,
        }
    }

    pub(super) fn add(
        &mut self,
        key: StreamKey,
        encoding: Encoding,
        handle: Handle,
        now: Nanos,
    ) -> WatchId {
        self.generation += 1;
        let index = self.watches.insert(Watch {
            key,
            encoding,
            handle,
            run: RunBuilder::default(),
            last_emit: now,
            start: None,
            generation: self.generation,
        });
        let id = WatchId(u32::try_from(index).unwrap_or(u32::MAX));
        self.check_again(now, id, self.generation);
        id
    }

    pub(super) fn remove(&mut self, id: WatchId) -> Option<Watch> {
        self.dirty.retain(|dirty| *dirty != id);
        self.watches.try_remove(id.0 as usize)
    }

    pub(super) fn get(&self, id: WatchId) -> Option<&Watch> {
        self.watches.get(id.0 as usize)
    }

    /// Bytes of frames that wait to be handed over.
    pub(super) fn pending(&self, id: WatchId) -> usize {
        self.get(id).map_or(0, |watch| watch.run.len())
    }

    /// Begins the next message: `write` appends it in SBE.
    pub(super) fn draft(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.draft.clear();
        write(&mut self.draft);
    }

    /// The drafted message.
    pub(super) fn message(&self) -> &[u8] {
        &self.draft
    }

    /// Adds the drafted message, which has this head, to the runs of `watches`.
    pub(super) fn emit(&mut self, watches: &[WatchId], text: Text<'_>, head: &Head) {
        self.emit_part(watches, text, head.seq, head.publish_time);
    }

    /// Adds the drafted message, after which its receiver has `seq`; it is encoded once an encoding.
    pub(super) fn emit_part(&mut self, watches: &[WatchId], text: Text<'_>, seq: Seq, now: Nanos) {
        let epoch = sbe::epoch(&self.draft);
        let mut json_is_ready = false;
        let mut packed_is_ready = false;
        for id in watches {
            let Some(watch) = self.watches.get_mut(id.0 as usize) else {
                continue;
            };
            if watch.run.is_empty() {
                self.dirty.push(*id);
            }
            watch.start = None;
            watch.last_emit = now;
            let before = watch.run.len();
            match watch.encoding {
                Encoding::Sbe => watch.run.push(Opcode::Binary, &self.draft, seq),
                Encoding::Json => {
                    if !json_is_ready {
                        write_json(&mut self.json, &self.draft, text);
                        json_is_ready = true;
                    }
                    watch.run.push(Opcode::Text, &self.json, seq);
                }
                Encoding::Packed => {
                    if !packed_is_ready {
                        write_packed(&mut self.packed, &mut self.packer, &self.draft);
                        packed_is_ready = true;
                    }
                    watch.run.push(Opcode::Binary, &self.packed, seq);
                }
            }
            if let Some(epoch) = epoch {
                watch.run.end_in(epoch);
            }
            let encoded = &mut self.encoded[watch.encoding as usize];
            encoded.messages += 1;
            encoded.bytes += (watch.run.len() - before) as u64;
        }
    }

    pub(super) fn has_output(&self) -> bool {
        !self.dirty.is_empty()
    }

    pub(super) fn flush(&mut self, now: Nanos, give: &mut impl FnMut(WatchId, Arc<Run>)) {
        for id in self.dirty.drain(..) {
            if let Some(watch) = self.watches.get_mut(id.0 as usize) {
                give(id, Arc::new(watch.run.finish(now)));
            }
        }
    }

    /// The start that was made for this watch, if it still says what is.
    pub(super) fn cached_start(&self, id: WatchId, revision: u64) -> Option<Arc<Run>> {
        let start = self.get(id)?.start.as_ref()?;
        (start.revision == revision).then(|| Arc::clone(&start.run))
    }

    pub(super) fn cache_start(&mut self, id: WatchId, revision: u64, run: &Arc<Run>) {
        if let Some(watch) = self.watches.get_mut(id.0 as usize) {
            watch.start = Some(Start {
                revision,
                run: Arc::clone(run),
            });
        }
    }

    /// Encodes the drafted message into a run of its own.
    pub(super) fn encode_draft(
        &mut self,
        run: &mut RunBuilder,
        encoding: Encoding,
        text: Text<'_>,
        seq: Seq,
    ) {
        let draft = std::mem::take(&mut self.draft);
        self.encode(run, encoding, text, &draft, seq);
        self.draft = draft;
    }

    /// Encodes one message, given as SBE, into a run of its own.
    pub(super) fn encode(
        &mut self,
        run: &mut RunBuilder,
        encoding: Encoding,
        text: Text<'_>,
        message: &[u8],
        seq: Seq,
    ) {
        match encoding {
            Encoding::Sbe => run.push(Opcode::Binary, message, seq),
            Encoding::Json => {
                write_json(&mut self.json, message, text);
                run.push(Opcode::Text, &self.json, seq);
            }
            Encoding::Packed => {
                write_packed(&mut self.packed, &mut self.packer, message);
                run.push(Opcode::Binary, &self.packed, seq);
            }
        }
    }

    /// The next watched stream that has been quiet for so long that it is due a heartbeat.
    pub(super) fn next_quiet(
        &mut self,
        now: Nanos,
    ) -> Option<(WatchId, Handle, Channel, ViewParams)> {
        while let Some((due, id, generation)) = self.quiet_checks.front().copied() {
            if due > now {
                return None;
            }
            self.quiet_checks.pop_front();
            let Some(watch) = self
                .watches
                .get(id.0 as usize)
                .filter(|watch| watch.generation == generation)
            else {
                continue;
            };
            let is_quiet = watch.last_emit.0.saturating_add(self.heartbeat_after) <= now.0;
            let about = (id, watch.handle, watch.key.channel, watch.key.params);
            self.check_again(now, id, generation);
            if is_quiet {
                return Some(about);
            }
        }
        None
    }

    /// Every look is the same time after the one before, so that the queue stays in order; four
    /// looks an interval tell a quiet stream's heartbeat at most a quarter late.
    fn check_again(&mut self, now: Nanos, id: WatchId, generation: u64) {
        let due = now.0.saturating_add(self.heartbeat_after / 4 + 1);
        self.quiet_checks.push_back((Nanos(due), id, generation));
    }

    pub(super) const fn encoded(&self, encoding: Encoding) -> Encoded {
        self.encoded[encoding as usize]
    }

    pub(super) fn watched(&self) -> usize {
        self.watches.len()
    }
}

fn write_json(out: &mut Vec<u8>, message: &[u8], text: Text<'_>) {
    out.clear();
    // What this crate encoded decodes; were it not so, the client would see no message and the
    // next one would tell it of the gap.
    if let Ok((message, _)) = sbe::Message::decode(message) {
        json::write(out, &message, &text);
    }
}

fn write_packed(out: &mut Vec<u8>, packer: &mut Packer, message: &[u8]) {
    out.clear();
    // As with JSON: what this crate encoded decodes.
    if let Ok((message, _)) = sbe::Message::decode(message) {
        packer.pack(out, &message);
    }
}
