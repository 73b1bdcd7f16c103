use std::io;
use std::time::{Duration, Instant};

use wire::Encoding;

use super::{Client, Handle, Ids, Link};
use crate::authorities::{Authorities, AuthoritiesError};
use crate::session::Session;
use crate::socket::Connector;
use crate::token::TokenSource;
use crate::{
    Backoff, Config, Endpoint, EndpointError, SubscribeError, Subscription, SubscriptionId,
};

/// What to connect to and what to have.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    endpoints: Vec<String>,
    subscriptions: Vec<Subscription>,
    config: Config,
    seed: Option<u64>,
    token: Option<TokenSource>,
    authorities: Option<Vec<u8>>,
}

/// Why a client cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// This client does not read that encoding.
    #[error("encoding is {}, and may be sbe or packed", .0.name())]
    Encoding(Encoding),
    /// There is nothing to connect to.
    #[error("a client needs an endpoint")]
    NoEndpoint,
    /// A text is no endpoint.
    #[error("endpoint {text:?} {error}")]
    Endpoint {
        /// The text.
        text: String,
        /// What is wrong with it.
        error: EndpointError,
    },
    /// An endpoint is `wss`, and there is nobody to believe who it is.
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
    /// A subscription cannot be made.
    #[error("subscription {index}: {error}")]
    Subscription {
        /// Which one, from 0, in the order that they were added.
        index: usize,
        /// What is wrong with it.
        error: SubscribeError,
    },
}

impl Builder {
    /// A node to connect to, `ws://host:port/ws`, or `wss://` with TLS. Several are tried in turn.
    #[must_use]
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoints.push(endpoint.into());
        self
    }

    /// Something to subscribe to; the first one has the [`SubscriptionId`] 0, and so on.
    #[must_use]
    pub fn subscribe(mut self, subscription: Subscription) -> Self {
        self.subscriptions.push(subscription);
        self
    }

    /// The token that the nodes want, sent as `Authorization: Bearer`.
    #[must_use]
    pub fn token(self, token: impl Into<String>) -> Self {
        let token = token.into();
        self.token_from(move || Ok(token.clone()))
    }

    /// Where the token comes from: asked before each connection, so that one that has expired can be
    /// replaced. It must not block for long.
    #[must_use]
    pub fn token_from(
        mut self,
        source: impl Fn() -> io::Result<String> + Send + Sync + 'static,
    ) -> Self {
        self.token = Some(TokenSource::new(source));
        self
    }

    /// Certificates, as PEM, of whom to believe when a `wss` endpoint says who it is; without them, those
    /// whom the system believes.
    #[must_use]
    pub fn authorities(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.authorities = Some(pem.into());
        self
    }

    /// How long to wait before another attempt.
    #[must_use]
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.config.backoff = backoff;
        self
    }

    /// Whether streams are resumed where they stood, which is the default.
    #[must_use]
    pub const fn resume(mut self, resume: bool) -> Self {
        self.config.resume = resume;
        self
    }

    /// How the node is asked to write data messages: [`Encoding::Sbe`], which is the default, or
    /// [`Encoding::Packed`], which is a quarter of it or less.
    #[must_use]
    pub const fn encoding(mut self, encoding: Encoding) -> Self {
        self.config.encoding = encoding;
        self
    }

    /// Whether the bytes of every data message are told, as [`Event::Raw`](crate::Event::Raw).
    #[must_use]
    pub const fn raw(mut self, raw: bool) -> Self {
        self.config.raw = raw;
        self
    }

    /// How long nothing at all may come before the connection counts as dead.
    #[must_use]
    pub const fn liveness(mut self, liveness: Duration) -> Self {
        self.config.liveness = liveness;
        self
    }

    /// How many attempts in a row may fail before the client gives up; otherwise it never does.
    #[must_use]
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.config.max_attempts = Some(attempts);
        self
    }

    /// All bounds at once.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Makes the jitter of reconnects the same each time.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// A client that connects when it is polled first.
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
        let authorities = match &self.authorities {
            Some(pem) => Some(Authorities::of_pem(pem)?),
            None if endpoints.iter().any(Endpoint::is_tls) => Some(Authorities::of_system()?),
            None => None,
        };
        let connector = Connector {
            encoding: self.config.encoding,
            max_message: self.config.max_message,
            token: self.token,
            authorities,
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
            link: Link::Down,
            payload: None,
            timer: None,
            commands,
            handle,
            connector,
            now,
        })
    }
}
