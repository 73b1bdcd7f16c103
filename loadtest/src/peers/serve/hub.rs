//! Topics as broadcast channels, as servers on tokio are usually written.

use std::net::TcpListener;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::FutureExt as _;
use futures_util::stream::SelectAll;
use tokio::net::TcpStream;
use tokio::sync::broadcast::{Receiver, Sender, channel, error};
use tokio::sync::mpsc;
use tokio_stream::wrappers::BroadcastStream;

use super::pacer::{Command, Pacer, Source};

/// Messages that a channel keeps for lagging clients: of a single topic, or of one of many.
const KEPT: usize = 16_384;
const KEPT_OF_MANY: usize = 1_024;

#[derive(Debug)]
pub(super) struct Hub {
    topics: Vec<Sender<Bytes>>,
}

/// A client's subscriptions.
pub(super) enum Feed {
    One(Receiver<Bytes>),
    Many(SelectAll<BroadcastStream<Bytes>>),
}

impl Hub {
    fn new(topics: usize) -> Self {
        let kept = if topics == 1 { KEPT } else { KEPT_OF_MANY };
        Self {
            topics: (0..topics).map(|_| channel(kept).0).collect(),
        }
    }

    pub(super) fn topics(&self) -> usize {
        self.topics.len()
    }

    pub(super) fn subscribe(&self, wanted: &[u16]) -> Feed {
        let receiver = |topic: &u16| self.topics[usize::from(*topic)].subscribe();
        match wanted {
            [topic] => Feed::One(receiver(topic)),
            _ => Feed::Many(wanted.iter().map(|topic| receiver(topic).into()).collect()),
        }
    }

    /// Publishes as commanded, until the end of the commands.
    async fn publish(
        &self,
        mut source: Source,
        mut commands: mpsc::Receiver<Command>,
    ) -> anyhow::Result<()> {
        let mut pacer = None::<Pacer>;
        loop {
            let command = match &mut pacer {
                None => commands.recv().await,
                Some(pacer) => {
                    pacer.turn(&mut source, |topic, message| {
                        // Fails if the topic has no subscribers.
                        let _nobody = self.topics[topic].send(Bytes::copy_from_slice(message));
                    });
                    tokio::select! {
                        command = commands.recv() => command,
                        () = tokio::time::sleep(pacer.rest()) => continue,
                    }
                }
            };
            match command {
                Some(Command::Start(period)) => pacer = Some(Pacer::new(period)),
                Some(Command::Stop) => pacer = None,
                None => return Ok(()),
            }
        }
    }
}

impl Feed {
    /// The next message. A lagging client continues with the oldest one that is kept.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        match self {
            Self::One(receiver) => loop {
                match receiver.recv().await {
                    Ok(message) => return Some(message),
                    Err(error::RecvError::Lagged(_)) => {}
                    Err(error::RecvError::Closed) => return None,
                }
            },
            Self::Many(topics) => loop {
                if let Ok(message) = topics.next().await? {
                    return Some(message);
                }
            },
        }
    }

    /// The next message, if there is one already.
    pub(super) fn now(&mut self) -> Option<Bytes> {
        match self {
            Self::One(receiver) => receiver.try_recv().ok(),
            Self::Many(topics) => topics.next().now_or_never()??.ok(),
        }
    }
}

/// Publishes as commanded, and runs `serve` for every client in a task of its own.
pub(super) async fn run<S>(
    listener: TcpListener,
    source: Source,
    commands: mpsc::Receiver<Command>,
    serve: impl Fn(TcpStream, Arc<Hub>) -> S,
) -> anyhow::Result<()>
where
    S: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let hub = Arc::new(Hub::new(source.topics()));
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let accepting = async {
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(serve(stream, Arc::clone(&hub)));
        }
    };
    tokio::select! {
        ended = hub.publish(source, commands) => ended,
        failed = accepting => failed,
    }
}

/// Runs on one thread, since servers have one core.
pub(super) fn block_on(serving: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(serving)
}
