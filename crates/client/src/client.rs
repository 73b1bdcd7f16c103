//! The shell around the core: sockets, timers, and commands from other tasks.

mod builder;
mod handle;

pub use builder::{BuildError, Builder};
pub use handle::Handle;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures_util::Stream;
use tokio::sync::mpsc;
use tokio::time::Sleep;
use tungstenite::Message;

use crate::event::{Disconnect, Event};
use crate::session::{Action, Session};
use crate::socket::{Connector, Socket};
use crate::{
    Change, LocalBook, Payload, Stats, StreamStats, SubscribeError, Subscription, SubscriptionId,
    UpdateError,
};
use handle::Command;

/// The code that stands for a close frame without one (RFC 6455, 7.4.1).
const NO_CODE: u16 = 1005;

/// A connection to one of several nodes, and the streams subscribed to over it.
///
/// It does all its work while it is polled. A caller that stops taking events also stops answering pings, and is
/// disconnected in the end. It needs a tokio runtime with I/O and time enabled.
#[derive(Debug)]
pub struct Client {
    session: Session,
    socket: SocketState,
    /// The rest of the last binary message.
    payload: Option<Payload>,
    timer: Option<(Instant, Pin<Box<Sleep>>)>,
    commands: mpsc::Receiver<Command>,
    handle: Handle,
    connector: Connector,
    /// When bytes last arrived: the time of the messages in them.
    now: Instant,
}

/// The connection, as the shell sees it.
enum SocketState {
    Closed,
    Connecting(Connecting),
    Open(Box<Socket>),
}

type Connecting = Pin<Box<dyn Future<Output = Result<Socket, Disconnect>> + Send>>;

impl std::fmt::Debug for SocketState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Closed => "Closed",
            Self::Connecting(_) => "Connecting",
            Self::Open(_) => "Open",
        })
    }
}

impl Client {
    /// Configures a client.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The next event; `None` once the client is closed.
    pub async fn next_event(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// The next event, if there is one without waiting for the network.
    pub fn ready_event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.session.poll_event() {
                return Some(event);
            }
            // The actions of one message come before the next message.
            if self.session.has_actions() || !self.take_message() {
                return None;
            }
        }
    }

    /// Adds a subscription, which survives reconnects until it is unsubscribed.
    pub fn subscribe(
        &mut self,
        subscription: &Subscription,
    ) -> Result<SubscriptionId, SubscribeError> {
        let id = self.handle.next_id();
        self.session.subscribe(Instant::now(), id, subscription)?;
        Ok(id)
    }

    /// Changes the depth, speed, group, interval or policy of a subscription. The result is
    /// [`Event::Updated`], after which nothing of the old view comes, or [`Event::UpdateRejected`]. Without a
    /// connection, the change is part of the request that is sent once there is one.
    pub fn update(&mut self, id: SubscriptionId, change: Change) -> Result<(), UpdateError> {
        self.session.update(Instant::now(), id, change)
    }

    /// Ends a subscription.
    pub fn unsubscribe(&mut self, id: SubscriptionId) {
        self.session.unsubscribe(Instant::now(), id);
    }

    /// Closes the connection; [`Event::Closed`] is the last event.
    pub fn close(&mut self) {
        self.session.close();
    }

    /// A handle with which another task can subscribe, unsubscribe and close.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// The core, as of the last event.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// The local book of a subscription, as of the last event.
    #[must_use]
    pub fn book(&self, id: SubscriptionId) -> Option<&LocalBook> {
        self.session.book(id)
    }

    /// The counters of a subscription, as of the last event.
    #[must_use]
    pub fn stream_stats(&self, id: SubscriptionId) -> Option<StreamStats> {
        self.session.stream_stats(id)
    }

    /// The counters of the client, as of the last event.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.session.stats()
    }

    /// Takes one message at a time, so that the books are as of the event returned.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            if let Some(event) = self.session.poll_event() {
                return Poll::Ready(Some(event));
            }
            while let Some(action) = self.session.poll_action() {
                self.act(cx, action);
            }
            if self.session.is_closed() {
                return Poll::Ready(None);
            }
            // What has been read already comes first: it is bounded, and polling the rest costs more than a message.
            if self.take_message() || self.take_read(cx) {
                continue;
            }
            if self.poll_commands(cx) || self.poll_timer(cx) {
                continue;
            }
            // Ready means that something happened.
            ready!(self.poll_socket(cx));
        }
    }

    fn act(&mut self, cx: &mut Context<'_>, action: Action) {
        match action {
            Action::Connect(endpoint) => {
                let connecting = self.connector.clone().connect(endpoint);
                self.socket = SocketState::Connecting(Box::pin(connecting));
            }
            Action::Send(text) => {
                if let SocketState::Open(socket) = &mut self.socket
                    && let Err(error) = socket.send_text(cx, text)
                {
                    self.lose(error.into());
                }
            }
            Action::Disconnect { code } => {
                self.payload = None;
                if let SocketState::Open(socket) =
                    std::mem::replace(&mut self.socket, SocketState::Closed)
                {
                    socket.close(code);
                }
            }
        }
    }

    /// Takes the next message of the last payload. Returns whether there was one.
    #[inline]
    fn take_message(&mut self) -> bool {
        let Some(payload) = &mut self.payload else {
            return false;
        };
        match payload.take_next() {
            Some(Ok((message, raw))) => {
                self.session.on_message(self.now, &message, raw);
            }
            Some(Err(error)) => self.session.on_undecodable(error),
            None => {
                self.payload = None;
                return false;
            }
        }
        true
    }

    /// Takes the next WebSocket message that has been read already. Returns whether there was one.
    #[inline]
    fn take_read(&mut self, cx: &Context<'_>) -> bool {
        let SocketState::Open(socket) = &mut self.socket else {
            return false;
        };
        match socket.next_read(cx) {
            Poll::Ready(Ok(message)) => self.take(message),
            Poll::Ready(Err(error)) => self.lose(error.into()),
            Poll::Pending => return false,
        }
        true
    }

    fn poll_commands(&mut self, cx: &mut Context<'_>) -> bool {
        let Poll::Ready(Some(command)) = self.commands.poll_recv(cx) else {
            return false;
        };
        match command {
            Command::Subscribe(id, subscription, reply) => {
                let made = self.session.subscribe(Instant::now(), id, &subscription);
                // The caller may be gone; the subscription stays.
                let _ = reply.send(made);
            }
            Command::Update(id, change, reply) => {
                let made = self.session.update(Instant::now(), id, change);
                // The caller may be gone; the change stays.
                let _ = reply.send(made);
            }
            Command::Unsubscribe(id) => self.session.unsubscribe(Instant::now(), id),
            Command::Close => self.session.close(),
        }
        true
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(due) = self.session.timeout() else {
            self.timer = None;
            return false;
        };
        let timer = match &mut self.timer {
            Some((at, timer)) => {
                if *at != due {
                    *at = due;
                    timer.as_mut().reset(due.into());
                }
                timer
            }
            None => {
                let timer = Box::pin(tokio::time::sleep_until(due.into()));
                &mut self.timer.insert((due, timer)).1
            }
        };
        if timer.as_mut().poll(cx).is_pending() {
            return false;
        }
        self.timer = None;
        self.session.on_timeout(Instant::now());
        true
    }

    /// Connects, writes and reads. Ready if that caused anything.
    fn poll_socket(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.socket {
            SocketState::Closed => Poll::Pending,
            SocketState::Connecting(connecting) => {
                let connected = ready!(connecting.as_mut().poll(cx));
                match connected {
                    Ok(socket) => {
                        self.socket = SocketState::Open(Box::new(socket));
                        self.session.on_connected(Instant::now());
                    }
                    Err(cause) => self.lose(cause),
                }
                Poll::Ready(())
            }
            SocketState::Open(socket) => {
                if let Poll::Ready(Err(error)) = socket.poll_flush(cx) {
                    self.lose(error.into());
                    return Poll::Ready(());
                }
                let next = socket.poll_next(cx);
                if socket.take_heard() {
                    self.now = Instant::now();
                    self.session.on_heard(self.now);
                }
                match ready!(next) {
                    Ok(message) => self.take(message),
                    Err(error) => self.lose(error.into()),
                }
                Poll::Ready(())
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Binary(bytes) => {
                self.payload = Some(Payload::new(self.connector.encoding, bytes));
            }
            Message::Text(text) => self.session.on_text(self.now, &text),
            Message::Close(frame) => {
                let (code, reason) = match frame {
                    Some(frame) => (frame.code.into(), frame.reason.to_string()),
                    None => (NO_CODE, String::new()),
                };
                if let SocketState::Open(socket) =
                    std::mem::replace(&mut self.socket, SocketState::Closed)
                {
                    socket.close(code);
                }
                self.lose(Disconnect::Closed { code, reason });
            }
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }

    fn lose(&mut self, cause: Disconnect) {
        self.socket = SocketState::Closed;
        self.payload = None;
        self.session.on_disconnected(Instant::now(), cause);
    }
}

impl Stream for Client {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.get_mut().poll_event(cx)
    }
}

/// Assigns subscription ids; shared by a client and its handles.
#[derive(Debug, Clone, Default)]
struct Ids(Arc<AtomicU64>);

impl Ids {
    fn next(&self) -> SubscriptionId {
        SubscriptionId(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests;
