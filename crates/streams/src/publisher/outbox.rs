use std::sync::Arc;
use std::time::Duration;

use market::{Epoch, Handle, Monotonic, Seq};
use slab::Slab;
use wire::packed::Packer;
use wire::{Encoding, Head, json, sbe};

use super::heartbeat::Stands;
use super::looks::Looks;
use super::waiting::{Chain, Waiting};
use crate::{Opcode, Run, RunBuilder, Runs, StreamKey, WatchId};

/// Memory that is kept from one batch to the next, in bytes, of each kind: what all but the largest
/// need.
const KEPT_BYTES: usize = 1024 * 1024;

/// The watched streams and the frames that wait to be handed over.
#[derive(Debug)]
pub(super) struct Outbox {
    /// The time of the call at hand; it never goes back, so that every queue of deadlines that lie
    /// equally far ahead stays in order.
    now: Monotonic,
    watches: Slab<Watch>,
    /// Those that have frames.
    dirty: Vec<WatchId>,
    waiting: Waiting,
    /// What was handed over last: its memory is used again once nobody reads it any more.
    handed_over: Option<Arc<Runs>>,
    /// The message that is being told, in SBE.
    draft: Vec<u8>,
    /// The same in JSON, where somebody wants that.
    json: Vec<u8>,
    /// The same packed, where somebody wants that.
    packed: Vec<u8>,
    packer: Packer,
    /// What has been encoded, by encoding.
    encoded: [Encoded; Encoding::ALL.len()],
    /// When to look whether a watched stream has gone quiet.
    looks: Looks,
    /// Tells a watch from an earlier one with the same id.
    generation: u32,
    /// What has been done for single subscribers.
    pub(super) work: u64,
}

/// The work of reading or copying a level once, as [`Publisher::work`](super::Publisher::work) counts.
pub(super) const LEVEL_WORK: usize = 16;

/// The work of a byte of SBE, by what is written from it: JSON and the packed form take some 6 ns a byte
/// of SBE, SBE itself 1.
const fn byte_work(encoding: Encoding) -> u64 {
    match encoding {
        Encoding::Sbe => 1,
        Encoding::Json | Encoding::Packed => 6,
    }
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
    /// Its frames that wait.
    chain: Option<Chain>,
    /// The epoch that its receivers are in behind them.
    epoch: Epoch,
    last_emit: Monotonic,
    start: Option<Start>,
    stands: Option<Stands>,
    generation: u32,
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
    pub(super) fn new(heartbeat_after: Duration) -> Self {
        Self {
            now: Monotonic(0),
            watches: Slab::new(),
            dirty: Vec::new(),
            waiting: Waiting::default(),
            handed_over: None,
            draft: Vec::new(),
            json: Vec::new(),
            packed: Vec::new(),
            packer: Packer::new(),
            encoded: [Encoded::NONE; Encoding::ALL.len()],
            looks: Looks::new(heartbeat_after),
            generation: 0,
            work: 0,
        }
    }

    /// The time of the call at hand.
    pub(super) const fn now(&self) -> Monotonic {
        self.now
    }

    /// Time has moved on; an earlier time than before changes nothing.
    pub(super) fn advance_to(&mut self, now: Monotonic) {
        self.now = self.now.max(now);
    }

    pub(super) fn add(&mut self, key: StreamKey, encoding: Encoding, handle: Handle) -> WatchId {
        self.generation = self.generation.wrapping_add(1);
        let index = self.watches.insert(Watch {
            key,
            encoding,
            handle,
            chain: None,
            epoch: Epoch::NONE,
            last_emit: self.now,
            start: None,
            stands: None,
            generation: self.generation,
        });
        let id = WatchId(u32::try_from(index).unwrap_or(u32::MAX));
        self.looks.again(id, self.generation, false, self.now);
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
        let chain = self.get(id).and_then(|watch| watch.chain);
        chain.map_or(0, |chain| chain.bytes())
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
        self.emit_part(watches, text, head.seq);
    }

    /// Adds the drafted message, after which its receiver has `seq`; it is encoded once an encoding.
    pub(super) fn emit_part(&mut self, watches: &[WatchId], text: Text<'_>, seq: Seq) {
        let epoch = sbe::epoch(&self.draft);
        let mut json_is_ready = false;
        let mut packed_is_ready = false;
        for id in watches {
            let Some(watch) = self.watches.get_mut(id.0 as usize) else {
                continue;
            };
            if watch.chain.is_none() {
                self.dirty.push(*id);
            }
            watch.start = None;
            watch.stands = None;
            watch.last_emit = self.now;
            watch.epoch = epoch.unwrap_or(watch.epoch);
            let (opcode, payload) = match watch.encoding {
                Encoding::Sbe => (Opcode::Binary, &self.draft),
                Encoding::Json => {
                    if !json_is_ready {
                        write_json(&mut self.json, &self.draft, text);
                        json_is_ready = true;
                    }
                    (Opcode::Text, &self.json)
                }
                Encoding::Packed => {
                    if !packed_is_ready {
                        write_packed(&mut self.packed, &mut self.packer, &self.draft);
                        packed_is_ready = true;
                    }
                    (Opcode::Binary, &self.packed)
                }
            };
            let bytes = self.waiting.push(&mut watch.chain, opcode, payload, seq);
            let encoded = &mut self.encoded[watch.encoding as usize];
            encoded.messages += 1;
            encoded.bytes += bytes as u64;
        }
    }

    pub(super) fn has_output(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// The frames that wait, as one run a stream.
    pub(super) fn flush(&mut self) -> Arc<Runs> {
        let last = self.handed_over.take().and_then(Arc::into_inner);
        let mut runs = last.unwrap_or_default();
        runs.begin(
            self.now,
            self.waiting.bytes(),
            self.waiting.len(),
            self.dirty.len(),
        );
        for id in self.dirty.drain(..) {
            if let Some(watch) = self.watches.get_mut(id.0 as usize)
                && let Some(chain) = watch.chain.take()
            {
                runs.push(id, watch.epoch, self.waiting.frames(chain));
            }
        }
        self.waiting.clear();
        if self.waiting.memory() > KEPT_BYTES {
            self.waiting = Waiting::default();
        }
        let is_large = runs.memory() > KEPT_BYTES;
        let runs = Arc::new(runs);
        self.handed_over = (!is_large).then(|| Arc::clone(&runs));
        runs
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
        self.work += message.len() as u64 * byte_work(encoding);
    }

    /// The next watched stream that has been quiet for so long that it is due a heartbeat.
    pub(super) fn next_quiet(&mut self) -> Option<(WatchId, Handle, StreamKey)> {
        while let Some(look) = self.looks.next(self.now) {
            let Some(watch) = self
                .watches
                .get(look.watch.0 as usize)
                .filter(|watch| watch.generation == look.generation)
            else {
                continue;
            };
            let is_quiet = self.looks.is_quiet(watch.last_emit, self.now);
            self.looks
                .again(look.watch, look.generation, is_quiet, self.now);
            if is_quiet {
                return Some((look.watch, watch.handle, watch.key));
            }
        }
        None
    }

    /// Whether heartbeats are late.
    pub(super) fn is_late(&self) -> bool {
        self.looks.is_late(self.now)
    }

    /// When [`Outbox::next_quiet`] has to be asked next.
    pub(super) fn next_look(&self) -> Option<Monotonic> {
        self.looks.next_due()
    }

    /// Where a stream stood at its last heartbeat, if it still does.
    pub(super) fn stands(&self, id: WatchId, revision: u64) -> Option<Stands> {
        let stands = self.get(id)?.stands?;
        (stands.revision == revision).then_some(stands)
    }

    /// Remembers where a stream stands that is told now.
    pub(super) fn remember(&mut self, id: WatchId, stands: Stands) {
        if let Some(watch) = self.watches.get_mut(id.0 as usize) {
            watch.stands = Some(stands);
        }
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
