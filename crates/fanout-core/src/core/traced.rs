//! Reports traced records once they have been sent.

use std::sync::Arc;

use market::Nanos;

use super::Core;
use crate::message::RunRoute;
use crate::trace::{Mark, Marks, Passage};

/// A traced record that the current pass sends.
pub(super) struct TracedRecord {
    marks: Arc<Marks>,
    mark: Mark,
    taken: Nanos,
    streams: usize,
    subscribers: usize,
}

impl Core {
    /// Remembers the traced records of a batch that have subscriptions in this shard.
    pub(super) fn trace(&mut self, marks: &Arc<Marks>, runs: &[RunRoute]) {
        for mark in &marks.marks {
            let mut traced = TracedRecord {
                marks: Arc::clone(marks),
                mark: *mark,
                taken: self.now.wall,
                streams: 0,
                subscribers: 0,
            };
            for run in runs {
                if let Some(stream) = self.streams.find(run.slot, run.generation)
                    && stream.key.instrument == mark.instrument
                {
                    traced.streams += 1;
                    traced.subscribers += stream.subscriptions().len();
                }
            }
            if traced.subscribers > 0 {
                self.traced.push(traced);
            }
        }
    }

    /// Reports the records of a pass that has visited all sessions.
    pub(super) fn report_passages(&mut self) {
        let (shard, sent) = (self.index, self.now.wall);
        for traced in self.traced.drain(..) {
            let passage = Passage {
                mark: traced.mark,
                shard,
                published: traced.marks.published,
                taken: traced.taken,
                sent,
                streams: traced.streams,
                subscribers: traced.subscribers,
            };
            self.out.passages.push((traced.marks, passage));
        }
    }
}
