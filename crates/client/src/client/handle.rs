use tokio::sync::{mpsc, oneshot};

use super::Ids;
use crate::{Change, SubscribeError, Subscription, SubscriptionId, UpdateError};

/// How many commands may wait for the client's task.
pub(super) const MAX_COMMANDS: usize = 64;

/// Controls a client from another task.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    ids: Ids,
}

#[derive(Debug)]
pub(super) enum Command {
    Subscribe(
        SubscriptionId,
        Subscription,
        oneshot::Sender<Result<(), SubscribeError>>,
    ),
    Update(
        SubscriptionId,
        Change,
        oneshot::Sender<Result<(), UpdateError>>,
    ),
    Unsubscribe(SubscriptionId),
    Close,
}

impl Handle {
    pub(super) fn new(ids: Ids) -> (Self, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(MAX_COMMANDS);
        (Self { commands, ids }, receiver)
    }

    pub(super) fn next_id(&self) -> SubscriptionId {
        self.ids.next()
    }

    /// Adds a subscription. Completes only while the client is polled.
    pub async fn subscribe(
        &self,
        subscription: Subscription,
    ) -> Result<SubscriptionId, SubscribeError> {
        let id = self.next_id();
        let (reply, made) = oneshot::channel();
        let command = Command::Subscribe(id, subscription, reply);
        if self.commands.send(command).await.is_err() {
            return Err(SubscribeError::Closed);
        }
        made.await.map_err(|_| SubscribeError::Closed)??;
        Ok(id)
    }

    /// Changes a subscription, as [`Client::update`](crate::Client::update) does. Completes only while the client is
    /// polled.
    pub async fn update(&self, id: SubscriptionId, change: Change) -> Result<(), UpdateError> {
        let (reply, made) = oneshot::channel();
        let command = Command::Update(id, change, reply);
        if self.commands.send(command).await.is_err() {
            return Err(UpdateError::Closed);
        }
        made.await.map_err(|_| UpdateError::Closed)?
    }

    /// Ends a subscription; `Unsubscribed` is its last event.
    pub async fn unsubscribe(&self, id: SubscriptionId) {
        // If the client is gone, so are its subscriptions.
        let _ = self.commands.send(Command::Unsubscribe(id)).await;
    }

    /// Closes the client; `Closed` is its last event.
    pub async fn close(&self) {
        // If the client is gone, it is closed.
        let _ = self.commands.send(Command::Close).await;
    }
}
