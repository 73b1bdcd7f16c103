//! Reporting traced records once they have been sent.

use std::sync::Arc;

use market::Nanos;

use super::Core;
use crate::message::RunFor;
use crate::trace::{Mark, Marks, Passage};

/// A traced record that the pass at hand sends.
pub(super) struct Followed {
    marks: Arc<Marks>,
    mark: Mark,
    taken: Nanos,
    streams: usize,
    subscribers: usize,
}

impl Core {
    /// Remembers those of a batch's traced records that somebody here is sent.
    pub(super) fn follow(&mut self, marks: &Arc<Marks>, runs: &[RunFor]) {
        for mark in &marks.marks {
            let mut followed = Followed {
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
                    followed.streams += 1;
                    followed.subscribers += stream.subs().len();
                }
            }
            if followed.subscribers > 0 {
                self.followed.push(followed);
            }
        }
    }

    /// All sessions have been visited.
    pub(super) fn report_passages(&mut self) {
        let (shard, sent) = (self.index, self.now.wall);
        for followed in self.followed.drain(..) {
            let passage = Passage {
                mark: followed.mark,
                shard,
                published: followed.marks.published,
                taken: followed.taken,
                sent,
                streams: followed.streams,
                subscribers: followed.subscribers,
            };
            self.out.passages.push((followed.marks, passage));
        }
    }
}
