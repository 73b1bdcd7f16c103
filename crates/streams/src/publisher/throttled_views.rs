//! Throttled streams whose messages are complete in themselves, so that only the latest counts.

use market::{Channel, Epoch, Nanos};
use wire::{Head, Status, View, ViewParams, sbe};

use super::identity::Identity;
use super::shared::Shared;
use crate::StreamId;
use crate::stamp::Stamp;
use crate::throttle::{Throttle, ThrottledStream};

/// A value that one message carries completely.
pub(super) trait Latest: Copy + PartialEq {
    /// The channel of the message.
    const CHANNEL: Channel;

    /// Appends the message.
    fn write(&self, head: &Head, sbe: &mut Vec<u8>);
}

impl Latest for market::Bbo {
    const CHANNEL: Channel = Channel::Bbo;

    fn write(&self, head: &Head, sbe: &mut Vec<u8>) {
        sbe::bbo(sbe, head, self);
    }
}

impl Latest for wire::Ticker {
    const CHANNEL: Channel = Channel::Ticker;

    fn write(&self, head: &Head, sbe: &mut Vec<u8>) {
        sbe::ticker(sbe, head, self);
    }
}

/// A throttled stream, in all encodings.
#[derive(Debug)]
pub(super) struct ThrottledView<T> {
    pub(super) params: ViewParams,
    pub(super) streams: Vec<StreamId>,
    /// The stamp of the last message.
    pub(super) last: Stamp,
    /// The value that was last sent.
    pub(super) sent: T,
    /// The latest record whose change has not been sent.
    pub(super) unsent: Option<Stamp>,
    pub(super) throttle: Throttle,
}

/// The open throttled streams of one channel of an instrument.
#[derive(Debug)]
pub(super) struct ThrottledViews<T> {
    views: Vec<ThrottledView<T>>,
}

impl<T> ThrottledViews<T> {
    pub(super) const fn new() -> Self {
        Self { views: Vec::new() }
    }

    pub(super) const fn len(&self) -> usize {
        self.views.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &ThrottledView<T>> {
        self.views.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut ThrottledView<T>> {
        self.views.iter_mut()
    }

    pub(super) fn get(&self, params: ViewParams) -> Option<&ThrottledView<T>> {
        self.views.iter().find(|view| view.params == params)
    }

    pub(super) fn get_mut(&mut self, params: ViewParams) -> Option<&mut ThrottledView<T>> {
        self.views.iter_mut().find(|view| view.params == params)
    }

    /// Lets a stream publish again whose interval is over, and returns it.
    pub(super) fn release(&mut self, stream: &ThrottledStream) -> Option<&mut ThrottledView<T>> {
        let mut views = self.views.iter_mut();
        let view = views.find(|view| view.throttle.is_of(stream))?;
        view.throttle.release();
        Some(view)
    }

    /// The open streams with these parameters. If there are none, a view is created that has sent
    /// `sent` at `last`.
    pub(super) fn streams_mut(
        &mut self,
        params: ViewParams,
        sent: T,
        last: Stamp,
        start: impl FnOnce() -> Throttle,
    ) -> &mut Vec<StreamId> {
        let index = self.views.iter().position(|view| view.params == params);
        let index = index.unwrap_or_else(|| {
            self.views.push(ThrottledView {
                params,
                streams: Vec::new(),
                last,
                sent,
                unsent: None,
                throttle: start(),
            });
            self.views.len() - 1
        });
        &mut self.views[index].streams
    }

    /// Removes a stream, and the view if it was its last one.
    pub(super) fn close_stream(&mut self, id: StreamId) {
        for view in &mut self.views {
            view.streams.retain(|other| *other != id);
        }
        self.views.retain(|view| !view.streams.is_empty());
    }
}

impl<T: Copy> ThrottledViews<T> {
    /// Starts over at `base`, with nothing to send but `sent`.
    pub(super) fn restart(&mut self, sent: T, base: Stamp) {
        for view in &mut self.views {
            view.last = base;
            view.sent = sent;
            view.unsent = None;
        }
    }

    /// Sends a status to all streams; `at` computes its stamp from that of the stream's last
    /// message.
    pub(super) fn send_status(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        status: &Status,
        at: impl Fn(&Stamp) -> Stamp,
        shared: &mut Shared,
    ) {
        for view in &mut self.views {
            let stamp = at(&view.last);
            let head = view.head(identity, epoch, &stamp);
            view.last = stamp;
            shared.out.draft(|sbe| sbe::status(sbe, &head, status));
            shared.out.emit(&view.streams, identity.text(), &head);
        }
    }
}

impl<T: Latest> ThrottledViews<T> {
    /// Publishes a new value to every stream that may publish, or that `must`.
    pub(super) fn publish(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        latest: T,
        must: bool,
        stamp: &Stamp,
        shared: &mut Shared,
    ) {
        for view in &mut self.views {
            if must || view.throttle.is_open() && latest != view.sent {
                view.send(identity, epoch, latest, stamp, shared);
            } else {
                view.unsent = Some(*stamp);
            }
        }
    }

    /// Sends everything that is unsent, throttled or not.
    pub(super) fn send_all_unsent(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        latest: T,
        now: Nanos,
        shared: &mut Shared,
    ) {
        for view in &mut self.views {
            view.send_unsent(identity, epoch, latest, now, shared);
        }
    }
}

impl<T> ThrottledView<T> {
    pub(super) fn head(&self, identity: &Identity, epoch: Epoch, stamp: &Stamp) -> Head {
        Head {
            view: View::from(self.params),
            ..identity.head(epoch, self.last.seq, stamp)
        }
    }
}

impl<T: Latest> ThrottledView<T> {
    /// Sends the latest value if it is unsent. Returns whether it was.
    pub(super) fn send_unsent(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        latest: T,
        now: Nanos,
        shared: &mut Shared,
    ) -> bool {
        let stamp = self.unsent.take();
        let Some(stamp) = stamp.filter(|_| latest != self.sent) else {
            return false;
        };
        self.send(identity, epoch, latest, &stamp.published_at(now), shared);
        true
    }

    fn send(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        latest: T,
        stamp: &Stamp,
        shared: &mut Shared,
    ) {
        let head = self.head(identity, epoch, stamp);
        shared.out.draft(|sbe| latest.write(&head, sbe));
        shared.out.emit(&self.streams, identity.text(), &head);
        self.last = *stamp;
        self.sent = latest;
        self.unsent = None;
        let stream = (identity.handle, T::CHANNEL, self.params);
        shared
            .throttles
            .published(&mut self.throttle, stream, shared.out.now());
    }
}
