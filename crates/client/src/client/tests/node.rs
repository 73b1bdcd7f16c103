use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};
use wire::control::{Answer, Policy, StartKind, StreamRequest, Subscribed};
use wire::{SUBPROTOCOL_SBE, control};

use crate::testing::Origin;

/// A listener that accepts WebSockets.
pub(super) struct Node(TcpListener);

/// A client, seen from the node.
pub(super) struct Peer(WebSocketStream<TcpStream>);

impl Node {
    pub(super) async fn listen() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(super) fn endpoint(&self) -> String {
        format!("ws://{}/ws", self.0.local_addr().unwrap())
    }

    pub(super) async fn accept(&self) -> Peer {
        self.accept_as(SUBPROTOCOL_SBE).await.unwrap()
    }

    pub(super) async fn accept_as(&self, subprotocol: &'static str) -> Result<Peer, Error> {
        let (stream, _) = self.0.accept().await.unwrap();
        #[expect(
            clippy::result_large_err,
            reason = "the type of tungstenite's callback"
        )]
        let callback = |request: &Request, mut response: Response| {
            assert_eq!(request.uri().path(), "/ws");
            assert_eq!(request.headers()[SEC_WEBSOCKET_PROTOCOL], SUBPROTOCOL_SBE);
            let value = subprotocol.parse().unwrap();
            response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, value);
            Ok(response)
        };
        Ok(Peer(accept_hdr_async(stream, callback).await?))
    }

    pub(super) async fn refuse(&self, status: u16) {
        let (mut stream, _) = self.0.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            stream.read_buf(&mut request).await.unwrap();
        }
        let response = format!("HTTP/1.1 {status} no\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(response.as_bytes()).await.unwrap();
    }
}

impl Peer {
    /// Accepts the subscription to the origin's book.
    pub(super) async fn accept_book(&mut self, origin: &Origin, start: StartKind) -> StreamRequest {
        let text = self.next().await.into_text().unwrap();
        let request = control::Request::parse(&text);
        let Ok(control::Request::Subscribe { id, streams }) = request else {
            panic!("{request:?}");
        };
        let [Ok(stream)] = &streams[..] else {
            panic!("{streams:?}");
        };
        let told = Subscribed {
            stream: stream.key.clone(),
            policy: Policy::Conflate,
            instrument: origin.instrument(),
            view: origin.view,
            epoch: origin.epoch,
            exponents: origin.exponents,
            start,
            reason: None,
        };
        let answer = Answer::Subscribed {
            id,
            results: vec![Ok(told)],
        };
        self.0.send(answer.to_json().into()).await.unwrap();
        stream.clone()
    }

    async fn next(&mut self) -> Message {
        self.0.next().await.unwrap().unwrap()
    }

    pub(super) async fn send(&mut self, messages: &[u8]) {
        let message = Message::binary(messages.to_vec());
        self.0.send(message).await.unwrap();
    }

    pub(super) async fn send_in_fragments(&mut self, message: &[u8]) {
        let (first, rest) = message.split_at(message.len() / 2);
        let begin = Frame::message(first.to_vec(), OpCode::Data(Data::Binary), false);
        self.0.send(Message::Frame(begin)).await.unwrap();
        self.ping(b"between").await;
        let end = Frame::message(rest.to_vec(), OpCode::Data(Data::Continue), true);
        self.0.send(Message::Frame(end)).await.unwrap();
    }

    pub(super) async fn ping(&mut self, payload: &'static [u8]) {
        self.0.send(Message::Ping(payload.into())).await.unwrap();
    }

    pub(super) async fn pong(&mut self) -> Vec<u8> {
        match self.next().await {
            Message::Pong(payload) => payload.to_vec(),
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn close(&mut self, code: u16, reason: &'static str) {
        let (code, reason) = (code.into(), reason.into());
        self.0
            .close(Some(CloseFrame { code, reason }))
            .await
            .unwrap();
    }

    /// The code of the client's close frame.
    pub(super) async fn until_closed(&mut self) -> u16 {
        loop {
            if let Message::Close(close) = self.next().await {
                return close.unwrap().code.into();
            }
        }
    }

    /// Breaks the connection.
    pub(super) async fn cut(self) {
        self.0.into_inner().shutdown().await.unwrap();
    }
}
