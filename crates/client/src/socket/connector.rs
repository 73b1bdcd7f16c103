use std::future::poll_fn;
use std::task::Poll;

use tokio::net::TcpStream;
use tungstenite::client::{ClientRequestBuilder, IntoClientRequest as _};
use tungstenite::handshake::HandshakeError as Handshake;
use tungstenite::handshake::client::{ClientHandshake, Request};
use tungstenite::http::header::AUTHORIZATION;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, WebSocket};
use wire::Encoding;

use super::Socket;
use super::transport::Transport;
use crate::event::Disconnect;
use crate::root_certificates::RootCertificates;
use crate::token::TokenSource;
use crate::{Endpoint, HandshakeError};

/// The most that one read takes: about a hundred deltas. All of it is resident in each connection.
const READ_BUFFER: usize = 16 * 1024;

/// Opens connections.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    pub(crate) encoding: Encoding,
    pub(crate) max_message: usize,
    pub(crate) token: Option<TokenSource>,
    /// Certificate authorities to trust; needed for `wss` only.
    pub(crate) root_certificates: Option<RootCertificates>,
}

impl Connector {
    /// Opens a WebSocket to a node, in the subprotocol of the encoding.
    pub(crate) async fn connect(self, endpoint: Endpoint) -> Result<Socket, Disconnect> {
        let stream = TcpStream::connect((endpoint.host(), endpoint.port())).await?;
        stream.set_nodelay(true)?;
        let transport = match &self.root_certificates {
            Some(root_certificates) if endpoint.is_tls() => {
                Transport::new(root_certificates.connect(endpoint.host(), stream).await?)
            }
            _ => Transport::new(stream),
        };
        let mut request = ClientRequestBuilder::new(endpoint.uri().clone())
            .with_sub_protocol(self.encoding.subprotocol())
            .into_client_request()?;
        if let Some(token) = &self.token {
            request.headers_mut().insert(AUTHORIZATION, token.header()?);
        }
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(self.max_message))
            .max_frame_size(Some(self.max_message));
        match shake_hands(request, transport, config).await {
            Ok(socket) => Ok(Socket::new(socket)),
            Err(Error::Http(response)) => {
                Err(HandshakeError::Status(response.status().as_u16()).into())
            }
            Err(Error::Io(error)) => Err(error.into()),
            Err(error) => Err(HandshakeError::Response(error.into()).into()),
        }
    }
}

async fn shake_hands(
    request: Request,
    transport: Transport,
    config: WebSocketConfig,
) -> Result<WebSocket<Transport>, Error> {
    let mut begun = Some(ClientHandshake::start(transport, request, Some(config))?);
    poll_fn(|cx| {
        let Some(mut handshake) = begun.take() else {
            return Poll::Pending;
        };
        handshake.get_mut().get_mut().wake_by(cx);
        match handshake.handshake() {
            Ok((socket, _response)) => Poll::Ready(Ok(socket)),
            Err(Handshake::Interrupted(handshake)) => {
                begun = Some(handshake);
                Poll::Pending
            }
            Err(Handshake::Failure(error)) => Poll::Ready(Err(error)),
        }
    })
    .await
}
