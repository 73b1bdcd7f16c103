use std::sync::Arc;

use market::Seq;
use wire::{Encoding, Head};

use super::identity::Identity;
use super::outbox::{LEVEL_WORK, Outbox};
use crate::{Run, RunBuilder};

/// Writes messages of one instrument for one client, into a run of their own.
pub(super) struct Writer<'a> {
    identity: &'a Identity,
    encoding: Encoding,
    out: &'a mut Outbox,
    run: RunBuilder,
}

impl<'a> Writer<'a> {
    pub(super) fn new(identity: &'a Identity, encoding: Encoding, out: &'a mut Outbox) -> Self {
        Self {
            identity,
            encoding,
            out,
            run: RunBuilder::default(),
        }
    }

    pub(super) const fn identity(&self) -> &'a Identity {
        self.identity
    }

    /// Appends the message with this head, which `write` appends in SBE.
    pub(super) fn put(&mut self, head: &Head, write: impl FnOnce(&mut Vec<u8>)) {
        self.put_part(head.seq, write);
    }

    /// Appends a message after which its receiver has `seq`.
    pub(super) fn put_part(&mut self, seq: Seq, write: impl FnOnce(&mut Vec<u8>)) {
        self.out.draft(write);
        self.out
            .encode_draft(&mut self.run, self.encoding, self.identity.text(), seq);
    }

    /// Appends a message as it was published before.
    pub(super) fn put_again(&mut self, message: &[u8], seq: Seq) {
        let text = self.identity.text();
        self.out
            .encode(&mut self.run, self.encoding, text, message, seq);
    }

    /// The size of the messages so far, in bytes.
    pub(super) fn len(&self) -> usize {
        self.run.len()
    }

    /// Counts levels that were read to compute a message.
    pub(super) const fn has_read(&mut self, levels: usize) {
        self.out.work += (levels * LEVEL_WORK) as u64;
    }

    /// Finishes the run; `None` if it is empty.
    pub(super) fn finish(self) -> Option<Arc<Run>> {
        let now = self.out.now();
        (!self.run.is_empty()).then(|| Arc::new(self.run.finish(now)))
    }
}
