use std::sync::Arc;
use std::time::Duration;

use market::{Epoch, Handle, Monotonic, Seq};
use slab::Slab;
use wire::json::{self, InstrumentText};
use wire::packed::Packer;
use wire::{Encoding, Head, sbe};

use super::heartbeat_timers::HeartbeatTimers;
use super::last_heartbeat::LastHeartbeat;
use super::pending_frames::{FrameChain, PendingFrames};
use crate::{Opcode, Run, RunBuilder, Runs, StreamId, StreamKey};

/// The maximum memory of each kind that is kept from batch to batch, in bytes: enough for all but the
/// largest batches.
const KEPT_BYTES: usize = 1024 * 1024;

/// The open streams, and the frames that wait to be handed over.
#[derive(Debug)]
pub(super) struct Outbox {
    /// The time of the current call. It never goes back, so queues of timers that run equally long
    /// stay in order.
    now: Monotonic,
    streams: Slab<OpenStream>,
    /// The streams that have pending frames.
    dirty: Vec<StreamId>,
    pending: PendingFrames,
    /// The last batch handed over; its memory is reused once nobody reads it any more.
    handed_over: Option<Arc<Runs>>,
    /// The current message in SBE.
    draft: Vec<u8>,
    /// The current message in JSON, if a stream needs it.
    json: Vec<u8>,
    /// The current message in the packed encoding, if a stream needs it.
    packed: Vec<u8>,
    packer: Packer,
    /// What has been encoded, by encoding.
    encoded: [Encoded; Encoding::ALL.len()],
    timers: HeartbeatTimers,
    /// Distinguishes a stream from earlier ones with the same id.
    generation: u32,
    /// The work done for single subscriptions and fetches.
    pub(super) work: u64,
}

/// The work of reading or copying a level once, as [`Publisher::work`](super::Publisher::work)
/// counts.
pub(super) const LEVEL_WORK: usize = 16;

/// The work per byte of SBE by target encoding: JSON and the packed encoding take some 6 ns per
/// byte of SBE, and SBE itself 1.
const fn byte_work(encoding: Encoding) -> u64 {
    match encoding {
        Encoding::Sbe => 1,
        Encoding::Json | Encoding::Packed => 6,
    }
}

/// How much has been encoded; a message counts once for each stream that carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Encoded {
    /// The number of messages.
    pub messages: u64,
    /// The size of the messages with the headers of their frames, in bytes.
    pub bytes: u64,
}

impl Encoded {
    const NONE: Self = Self {
        messages: 0,
        bytes: 0,
    };
}

/// An open stream.
#[derive(Debug)]
pub(super) struct OpenStream {
    pub(super) key: StreamKey,
    pub(super) encoding: Encoding,
    pub(super) handle: Handle,
    /// Its pending frames.
    chain: Option<FrameChain>,
    /// The epoch that its receivers are in after these.
    epoch: Epoch,
    last_emit: Monotonic,
    start: Option<CachedStart>,
    last_heartbeat: Option<LastHeartbeat>,
    generation: u32,
}

/// What new subscriptions start with. It is encoded once, and valid until the stream's next message
/// or the instrument's next revision.
#[derive(Debug)]
struct CachedStart {
    revision: u64,
    run: Arc<Run>,
}

impl Outbox {
    pub(super) fn new(heartbeat_after: Duration) -> Self {
        Self {
            now: Monotonic(0),
            streams: Slab::new(),
            dirty: Vec::new(),
            pending: PendingFrames::default(),
            handed_over: None,
            draft: Vec::new(),
            json: Vec::new(),
            packed: Vec::new(),
            packer: Packer::new(),
            encoded: [Encoded::NONE; Encoding::ALL.len()],
            timers: HeartbeatTimers::new(heartbeat_after),
            generation: 0,
            work: 0,
        }
    }

    /// The time of the current call.
    pub(super) const fn now(&self) -> Monotonic {
        self.now
    }

    /// Sets the time; an earlier time than before is ignored.
    pub(super) fn advance_to(&mut self, now: Monotonic) {
        self.now = self.now.max(now);
    }

    pub(super) fn add(&mut self, key: StreamKey, encoding: Encoding, handle: Handle) -> StreamId {
        self.generation = self.generation.wrapping_add(1);
        let index = self.streams.insert(OpenStream {
            key,
            encoding,
            handle,
            chain: None,
            epoch: Epoch::NONE,
            last_emit: self.now,
            start: None,
            last_heartbeat: None,
            generation: self.generation,
        });
        let id = StreamId(u32::try_from(index).unwrap_or(u32::MAX));
        self.timers.schedule(id, self.generation, false, self.now);
        id
    }

    pub(super) fn remove(&mut self, id: StreamId) -> Option<OpenStream> {
        self.dirty.retain(|dirty| *dirty != id);
        self.streams.try_remove(id.0 as usize)
    }

    pub(super) fn get(&self, id: StreamId) -> Option<&OpenStream> {
        self.streams.get(id.0 as usize)
    }

    /// The size of a stream's pending frames, in bytes.
    pub(super) fn pending(&self, id: StreamId) -> usize {
        let chain = self.get(id).and_then(|stream| stream.chain);
        chain.map_or(0, |chain| chain.bytes())
    }

    /// Drafts the next message, which `write` appends in SBE.
    pub(super) fn draft(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.draft.clear();
        write(&mut self.draft);
    }

    /// The drafted message.
    pub(super) fn message(&self) -> &[u8] {
        &self.draft
    }

    /// Adds the drafted message, which has this head, to the runs of `streams`.
    pub(super) fn emit(&mut self, streams: &[StreamId], text: InstrumentText<'_>, head: &Head) {
        self.emit_part(streams, text, head.seq);
    }

    /// Adds the drafted message, after which its receiver has `seq`. It is encoded at most once per
    /// encoding.
    pub(super) fn emit_part(&mut self, streams: &[StreamId], text: InstrumentText<'_>, seq: Seq) {
        let epoch = sbe::epoch(&self.draft);
        let mut json_is_ready = false;
        let mut packed_is_ready = false;
        for id in streams {
            let Some(stream) = self.streams.get_mut(id.0 as usize) else {
                continue;
            };
            if stream.chain.is_none() {
                self.dirty.push(*id);
            }
            stream.start = None;
            stream.last_heartbeat = None;
            stream.last_emit = self.now;
            stream.epoch = epoch.unwrap_or(stream.epoch);
            let (opcode, payload) = match stream.encoding {
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
            let bytes = self.pending.push(&mut stream.chain, opcode, payload, seq);
            let encoded = &mut self.encoded[stream.encoding as usize];
            encoded.messages += 1;
            encoded.bytes += bytes as u64;
        }
    }

    pub(super) fn has_output(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Hands over the pending frames as one run per stream.
    pub(super) fn flush(&mut self) -> Arc<Runs> {
        let last = self.handed_over.take().and_then(Arc::into_inner);
        let mut runs = last.unwrap_or_default();
        runs.begin(
            self.now,
            self.pending.bytes(),
            self.pending.len(),
            self.dirty.len(),
        );
        for id in self.dirty.drain(..) {
            if let Some(stream) = self.streams.get_mut(id.0 as usize)
                && let Some(chain) = stream.chain.take()
            {
                runs.push(id, stream.epoch, self.pending.frames(chain));
            }
        }
        self.pending.clear();
        if self.pending.memory() > KEPT_BYTES {
            self.pending = PendingFrames::default();
        }
        let is_large = runs.memory() > KEPT_BYTES;
        let runs = Arc::new(runs);
        self.handed_over = (!is_large).then(|| Arc::clone(&runs));
        runs
    }

    /// The cached start of a stream, if it is still valid.
    pub(super) fn cached_start(&self, id: StreamId, revision: u64) -> Option<Arc<Run>> {
        let start = self.get(id)?.start.as_ref()?;
        (start.revision == revision).then(|| Arc::clone(&start.run))
    }

    pub(super) fn cache_start(&mut self, id: StreamId, revision: u64, run: &Arc<Run>) {
        if let Some(stream) = self.streams.get_mut(id.0 as usize) {
            stream.start = Some(CachedStart {
                revision,
                run: Arc::clone(run),
            });
        }
    }

    /// Encodes the drafted message into a run.
    pub(super) fn encode_draft(
        &mut self,
        run: &mut RunBuilder,
        encoding: Encoding,
        text: InstrumentText<'_>,
        seq: Seq,
    ) {
        let draft = std::mem::take(&mut self.draft);
        self.encode(run, encoding, text, &draft, seq);
        self.draft = draft;
    }

    /// Encodes a message, given in SBE, into a run.
    pub(super) fn encode(
        &mut self,
        run: &mut RunBuilder,
        encoding: Encoding,
        text: InstrumentText<'_>,
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

    /// The next open stream that has been quiet for so long that a heartbeat is due.
    pub(super) fn next_quiet(&mut self) -> Option<(StreamId, Handle, StreamKey)> {
        while let Some(timer) = self.timers.next(self.now) {
            let Some(stream) = self
                .streams
                .get(timer.stream.0 as usize)
                .filter(|stream| stream.generation == timer.generation)
            else {
                continue;
            };
            let is_quiet = self.timers.is_quiet(stream.last_emit, self.now);
            self.timers
                .schedule(timer.stream, timer.generation, is_quiet, self.now);
            if is_quiet {
                return Some((timer.stream, stream.handle, stream.key));
            }
        }
        None
    }

    /// Returns whether heartbeats are late.
    pub(super) fn is_late(&self) -> bool {
        self.timers.is_late(self.now)
    }

    /// When to call [`Outbox::next_quiet`] next.
    pub(super) fn next_timer(&self) -> Option<Monotonic> {
        self.timers.next_due()
    }

    /// The stream's last heartbeat, if it is still valid.
    pub(super) fn last_heartbeat(&self, id: StreamId, revision: u64) -> Option<LastHeartbeat> {
        let last_heartbeat = self.get(id)?.last_heartbeat?;
        (last_heartbeat.revision == revision).then_some(last_heartbeat)
    }

    /// Notes a stream's last heartbeat.
    pub(super) fn set_last_heartbeat(&mut self, id: StreamId, last_heartbeat: LastHeartbeat) {
        if let Some(stream) = self.streams.get_mut(id.0 as usize) {
            stream.last_heartbeat = Some(last_heartbeat);
        }
    }

    pub(super) const fn encoded(&self, encoding: Encoding) -> Encoded {
        self.encoded[encoding as usize]
    }

    pub(super) fn open_streams(&self) -> usize {
        self.streams.len()
    }
}

fn write_json(out: &mut Vec<u8>, message: &[u8], text: InstrumentText<'_>) {
    out.clear();
    // What this crate encoded decodes. If it did not, the client would get no message, and notice
    // the gap at the next one.
    if let Ok((message, _)) = sbe::Message::decode(message) {
        json::write(out, &message, &text);
    }
}

fn write_packed(out: &mut Vec<u8>, packer: &mut Packer, message: &[u8]) {
    out.clear();
    // What this crate encoded decodes, as for JSON.
    if let Ok((message, _)) = sbe::Message::decode(message) {
        packer.pack(out, &message);
    }
}
