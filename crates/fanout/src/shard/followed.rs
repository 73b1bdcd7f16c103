//! Telling of the records that are followed.

use std::sync::Arc;

use market::Nanos;

use super::state::State;
use crate::clock::wall_clock;
use crate::link::RunFor;
use crate::trace::{Mark, Marks, Passage};

/// A followed record that the pass at hand sends.
pub(super) struct Followed {
    marks: Arc<Marks>,
    mark: Mark,
    taken: Nanos,
    streams: usize,
    subscribers: usize,
}

impl State {
    /// Remembers those of a batch's followed records that somebody here is sent.
    pub(super) fn follow(&mut self, marks: &Arc<Marks>, runs: &[RunFor]) {
        let taken = wall_clock();
        for mark in &marks.marks {
            let mut followed = Followed {
                marks: Arc::clone(marks),
                mark: *mark,
                taken,
                streams: 0,
                subscribers: 0,
            };
            for run in runs {
                let stream = self.streams.get(run.slot);
                let stream = stream.filter(|stream| stream.generation == run.generation);
                if let Some(stream) = stream
                    && stream.key.instrument == mark.instrument
                {
                    followed.streams += 1;
                    followed.subscribers += stream.subs.len();
                }
            }
            if followed.subscribers > 0 {
                self.followed.push(followed);
            }
        }
    }

    /// All sessions have been visited.
    pub(super) fn tell_passages(&mut self) {
        if self.followed.is_empty() {
            return;
        }
        let sent = wall_clock();
        for followed in self.followed.drain(..) {
            followed.marks.tracer.passed(Passage {
                mark: followed.mark,
                shard: self.index,
                published: followed.marks.published,
                taken: followed.taken,
                sent,
                streams: followed.streams,
                subscribers: followed.subscribers,
            });
        }
    }
}
