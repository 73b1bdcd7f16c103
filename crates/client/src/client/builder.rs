use std::io;
use std::time::{Duration, Instant};

use wire::Encoding;

use super::{Client, Handle, Ids, SocketState};
use crate::root_certificates::{RootCertificates, RootCertificatesError};
use crate::session::Session;
use crate::socket::Connector;
use crate::token::TokenSource;
use crate::{
    Backoff, Config, Endpoint, EndpointError, SubscribeError, Subscription, SubscriptionId,
};

/// Configures a [`Client`].
#[derive(Debug, Clone, Default)]
pub struct Builder {
    endpoints: Vec<String>,
    subscriptions: Vec<Subscription>,
    config: Config,
    seed: Option<u64>,
    token: Option<TokenSource>,
    root_certificates: Option<Vec<u8>>,
}

/// Why a client cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The client does not read this encoding.
    #[error("encoding is {}, and may be sbe or packed", .0.name())]
    Encoding(Encoding),
    /// No endpoint was given.
    #[error("a client needs an endpoint")]
    NoEndpoint,
    /// A text is not an endpoint.
    #[error("endpoint {text:?} {error}")]
    Endpoint {
        /// The text.
        text: String,
        /// What is wrong with it.
        error: EndpointError,
    },
    /// An endpoint is `wss`, and TLS could not be set up.
    #[error(transparent)]
    RootCertificates(#[from] RootCertificatesError),
    /// A subscription is invalid.
    #[error("subscription {index}: {error}")]
    Subscription {
        /// Its index, in the order in which they were added.
        index: usize,
        /// What is wrong with it.
        error: SubscribeError,
    },
}

impl Builder {
    /// Adds a node, `ws://host:port/ws`, or `wss://` for TLS. Several are tried in turn.
    #[must_use]
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoints.push(endpoint.into());
        self
    }

    /// Adds a subscription. The first one gets [`SubscriptionId`] 0, the second 1, and so on.
    #[must_use]
    pub fn subscribe(mut self, subscription: Subscription) -> Self {
        self.subscriptions.push(subscription);
        self
    }

    /// The token to send as `Authorization: Bearer`.
    #[must_use]
    pub fn token(self, token: impl Into<String>) -> Self {
        let token = token.into();
        self.token_from(move || Ok(token.clone()))
    }

    /// Gets the token from a function that is called before each connection attempt, so that an expired token can be
    /// replaced. The function must not block for long.
    #[must_use]
    pub fn token_from(
        mut self,
        source: impl Fn() -> io::Result<String> + Send + Sync + 'static,
    ) -> Self {
        self.token = Some(TokenSource::new(source));
        self
    }

    /// PEM certificates of the authorities to trust for `wss` endpoints; by default those of the operating
    /// system.
    #[must_use]
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates = Some(pem.into());
        self
    }

    /// How long to wait before the next connection attempt.
    #[must_use]
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.config.backoff = backoff;
        self
    }

    /// Whether to resume streams after a reconnect, which is the default.
    #[must_use]
    pub const fn resume(mut self, resume: bool) -> Self {
        self.config.resume = resume;
        self
    }

    /// The encoding to request for data messages: [`Encoding::Sbe`], which is the default, or
    /// [`Encoding::Packed`], which takes a quarter of its bytes or less.
    #[must_use]
    pub const fn encoding(mut self, encoding: Encoding) -> Self {
        self.config.encoding = encoding;
        self
    }

    /// Whether to report the bytes of every data message as [`Event::Raw`](crate::Event::Raw).
    #[must_use]
    pub const fn raw(mut self, raw: bool) -> Self {
        self.config.raw = raw;
        self
    }

    /// How long a connection may be silent before it counts as dead.
    #[must_use]
    pub const fn liveness(mut self, liveness: Duration) -> Self {
        self.config.liveness = liveness;
        self
    }

    /// How many consecutive attempts may fail before the client gives up; by default it never does.
    #[must_use]
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.config.max_attempts = Some(attempts);
        self
    }

    /// Replaces the whole configuration.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Seeds the jitter of reconnects, to make it reproducible.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Builds the client, which connects when it is first polled.
    pub fn build(self) -> Result<Client, BuildError> {
        if self.config.encoding == Encoding::Json {
            return Err(BuildError::Encoding(self.config.encoding));
        }
        let now = Instant::now();
        let endpoints = self
            .endpoints
            .into_iter()
            .map(|text| match Endpoint::parse(&text) {
                Ok(endpoint) => Ok(endpoint),
                Err(error) => Err(BuildError::Endpoint { text, error }),
            })
            .collect::<Result<Vec<_>, _>>()?;
        if endpoints.is_empty() {
            return Err(BuildError::NoEndpoint);
        }
        let root_certificates = match &self.root_certificates {
            Some(pem) => Some(RootCertificates::of_pem(pem)?),
            None if endpoints.iter().any(Endpoint::is_tls) => Some(RootCertificates::of_system()?),
            None => None,
        };
        let connector = Connector {
            encoding: self.config.encoding,
            max_message: self.config.max_message,
            token: self.token,
            root_certificates,
        };
        let mut session = Session::new(self.config, endpoints, self.seed, now);
        let (handle, commands) = Handle::new(Ids::default());
        for (index, subscription) in self.subscriptions.iter().enumerate() {
            let id: SubscriptionId = handle.next_id();
            session
                .subscribe(now, id, subscription)
                .map_err(|error| BuildError::Subscription { index, error })?;
        }
        Ok(Client {
            session,
            socket: SocketState::Closed,
            payload: None,
            timer: None,
            commands,
            handle,
            connector,
            now,
        })
    }
}
