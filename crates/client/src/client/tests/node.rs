use std::convert::Infallible;

use bytes::Bytes;
use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, WebSocketError, upgrade};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::header::SEC_WEBSOCKET_PROTOCOL;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use wire::control::{Answer, Policy, StartKind, StreamRequest, Subscribed};
use wire::{SUBPROTOCOL_SBE, control};

use crate::testing::Origin;

/// A listener that speaks WebSocket.
pub(super) struct Node(TcpListener);

/// A client, seen from the node.
pub(super) struct Peer(FragmentCollector<TokioIo<Upgraded>>);

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

    pub(super) async fn accept_as(
        &self,
        subprotocol: &'static str,
    ) -> Result<Peer, WebSocketError> {
        let (stream, _) = self.0.accept().await.unwrap();
        let (upgrades, mut upgraded) = mpsc::channel(1);
        let service = service_fn(move |mut request: Request<Incoming>| {
            assert_eq!(request.uri().path(), "/ws");
            assert_eq!(request.headers()[SEC_WEBSOCKET_PROTOCOL], SUBPROTOCOL_SBE);
            let (mut response, upgrade) = upgrade::upgrade(&mut request).unwrap();
            let value = subprotocol.parse().unwrap();
            response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, value);
            upgrades.try_send(upgrade).unwrap();
            async move { Ok::<_, Infallible>(response) }
        });
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades(),
        );
        let socket = upgraded.recv().await.unwrap().await?;
        Ok(Peer(FragmentCollector::new(socket)))
    }

    pub(super) async fn refuse(&self, status: u16) {
        let (stream, _) = self.0.accept().await.unwrap();
        let service = service_fn(move |_| async move {
            let response = Response::builder().status(status);
            response.body(Empty::<Bytes>::new())
        });
        // The client hangs up as soon as it has read the status.
        let _ = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }
}

impl Peer {
    /// Takes the subscription to the origin's book and accepts it.
    pub(super) async fn accept_book(&mut self, origin: &Origin, start: StartKind) -> StreamRequest {
        let frame = self.0.read_frame().await.unwrap();
        assert_eq!(frame.opcode, OpCode::Text);
        let request = control::Request::parse(std::str::from_utf8(&frame.payload).unwrap());
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
        let text = answer.to_json().into_bytes();
        self.0.write_frame(Frame::text(text.into())).await.unwrap();
        stream.clone()
    }

    pub(super) async fn send(&mut self, messages: &[u8]) {
        self.0
            .write_frame(Frame::binary(Payload::Borrowed(messages)))
            .await
            .unwrap();
    }

    pub(super) async fn send_in_fragments(&mut self, message: &[u8]) {
        let (first, rest) = message.split_at(message.len() / 2);
        let begin = Frame::new(false, OpCode::Binary, None, Payload::Borrowed(first));
        self.0.write_frame(begin).await.unwrap();
        self.ping(b"between").await;
        let end = Frame::new(true, OpCode::Continuation, None, Payload::Borrowed(rest));
        self.0.write_frame(end).await.unwrap();
    }

    pub(super) async fn ping(&mut self, payload: &[u8]) {
        let ping = Frame::new(true, OpCode::Ping, None, Payload::Borrowed(payload));
        self.0.write_frame(ping).await.unwrap();
    }

    pub(super) async fn pong(&mut self) -> Vec<u8> {
        let frame = self.0.read_frame().await.unwrap();
        assert_eq!(frame.opcode, OpCode::Pong);
        frame.payload.to_vec()
    }

    pub(super) async fn close(&mut self, code: u16, reason: &str) {
        self.0
            .write_frame(Frame::close(code, reason.as_bytes()))
            .await
            .unwrap();
    }

    /// The code of the client's close frame.
    pub(super) async fn until_closed(&mut self) -> u16 {
        loop {
            let frame = self.0.read_frame().await.unwrap();
            if frame.opcode == OpCode::Close {
                return u16::from_be_bytes([frame.payload[0], frame.payload[1]]);
            }
        }
    }

    /// The connection breaks.
    pub(super) async fn cut(self) {
        use tokio::io::AsyncWriteExt;
        self.0.into_inner().shutdown().await.unwrap();
    }
}
