//! The whole client over TCP, against a server that each test scripts.

mod node;

use std::time::Duration;

use futures_util::StreamExt;
use market::{Channel, Seq};
use wire::control::StartKind;

use super::*;
use crate::testing::{NAME, Origin};
use crate::{Backoff, HandshakeError};
use node::{Node, Peer};

const BOOK: SubscriptionId = SubscriptionId(0);

fn builder(nodes: &[&Node]) -> Builder {
    let builder = Client::builder()
        .subscribe(Subscription::book(NAME))
        .backoff(Backoff {
            base: Duration::from_millis(1),
            cap: Duration::from_millis(1),
        });
    nodes
        .iter()
        .fold(builder, |builder, node| builder.endpoint(node.endpoint()))
}

fn client(nodes: &[&Node]) -> Client {
    builder(nodes).build().unwrap()
}

/// Takes events up to the one that is wanted.
async fn until(client: &mut Client, wanted: impl Fn(&Event) -> bool) -> Event {
    loop {
        let event = client.next().await.expect("the client is closed");
        if wanted(&event) {
            return event;
        }
    }
}

async fn until_at(client: &mut Client, seq: Seq) {
    until(
        client,
        |event| matches!(event, Event::Book(update) if update.head.seq == seq),
    )
    .await;
}

#[track_caller]
fn check_right(client: &Client, origin: &Origin) {
    let kept = client.book(BOOK).unwrap();
    assert!(kept.is_live(), "{:?}", kept.trust());
    assert_eq!(kept.book(), &origin.book);
    assert_eq!(kept.position(), Some(origin.position()));
}

/// Accepts a client and its subscription, and sends a snapshot.
async fn begin(node: &Node, origin: &Origin) -> Peer {
    let mut peer = node.accept().await;
    peer.accept_book(origin, StartKind::Snapshot).await;
    peer.send(&origin.snapshot(1).concat()).await;
    peer
}

#[tokio::test]
async fn a_client_that_is_cut_off_resumes_on_another_node_with_exactly_what_it_missed() {
    let (first, second) = (Node::listen().await, Node::listen().await);
    let mut client = client(&[&first, &second]);
    let mut origin = Origin::new(Channel::Book);
    let script = async {
        let mut peer = begin(&first, &origin).await;
        peer.send(&origin.set(&[(98, 3)], &[])).await;
        let stood = origin.seq;
        origin.set(&[(98, 0)], &[(103, 1)]);
        peer.cut().await;
        let mut peer = second.accept().await;
        let asked = peer.accept_book(&origin, StartKind::Resumed).await;
        assert_eq!(asked.resume.map(|resume| resume.seq), Some(stood));
        peer.send(&origin.log.last().unwrap().1).await;
        (peer, origin)
    };
    let taken = async {
        let mut seqs = Vec::new();
        let mut reconnects = 0;
        loop {
            match client.next().await.unwrap() {
                Event::Book(update) => seqs.push((update.head.prev_seq, update.head.seq)),
                Event::Reconnecting { .. } => reconnects += 1,
                Event::Gap(_) | Event::Resync(_) => panic!("nothing is missing"),
                _ => {}
            }
            if seqs.len() == 3 {
                return (seqs, reconnects);
            }
        }
    };
    let ((_peer, origin), (seqs, reconnects)) = tokio::join!(script, taken);
    assert_eq!(reconnects, 1);
    assert_eq!((seqs[1].0, seqs[2].0), (seqs[0].1, seqs[1].1));
    check_right(&client, &origin);
}

#[tokio::test]
async fn a_closed_client_says_goodbye() {
    let node = Node::listen().await;
    let mut client = client(&[&node]);
    let origin = Origin::new(Channel::Book);
    let script = async {
        let mut peer = begin(&node, &origin).await;
        peer.until_closed().await
    };
    let taken = async {
        until_at(&mut client, origin.seq).await;
        client.close();
        assert!(matches!(
            client.next().await,
            Some(Event::Closed { cause: None })
        ));
        assert!(client.next().await.is_none());
        assert!(client.next().await.is_none());
    };
    let (code, ()) = tokio::join!(script, taken);
    assert_eq!(code, 1000);
}

#[tokio::test]
async fn pings_are_answered_and_a_close_is_told_with_its_code() {
    let node = Node::listen().await;
    let mut client = client(&[&node]);
    let origin = Origin::new(Channel::Book);
    let script = async {
        let mut peer = begin(&node, &origin).await;
        peer.ping(b"are you there").await;
        assert_eq!(peer.pong().await, b"are you there");
        peer.close(1012, "restart").await;
        peer
    };
    let taken = until(&mut client, |event| {
        matches!(event, Event::Reconnecting { .. })
    });
    let (_peer, event) = tokio::join!(script, taken);
    let Event::Reconnecting {
        cause: Disconnect::Closed { code, reason },
        ..
    } = event
    else {
        panic!("{event:?}");
    };
    assert_eq!((code, reason.as_str()), (1012, "restart"));
}

#[tokio::test]
async fn a_book_stands_as_of_each_event_however_the_messages_came() {
    let node = Node::listen().await;
    let mut client = client(&[&node]);
    let mut origin = Origin::new(Channel::Book);
    let script = async {
        let mut peer = begin(&node, &origin).await;
        let mut all = Vec::new();
        for size in 1..300 {
            all.extend(origin.set(&[(98, size)], &[(103, size)]));
        }
        // All of them in one WebSocket message, then one message in fragments.
        peer.send(&all).await;
        peer.send_in_fragments(&origin.set(&[(98, 0)], &[])).await;
        (peer, origin)
    };
    let taken = async {
        let mut checked = Vec::new();
        while checked.len() < 301 {
            if let Some(Event::Book(update)) = client.next().await {
                let kept = client.book(BOOK).unwrap();
                assert_eq!(kept.position().unwrap().seq, update.head.seq);
                assert_eq!(kept.book().checksum(), update.checksum);
                checked.push((update.head.seq, kept.book().clone()));
            }
        }
        checked
    };
    let ((_peer, origin), checked) = tokio::join!(script, taken);
    for (seq, book) in checked {
        assert_eq!(book, origin.truth[&(origin.epoch.0, seq)]);
    }
}

#[tokio::test]
async fn a_message_that_is_too_long_ends_the_connection() {
    let node = Node::listen().await;
    let config = crate::Config {
        max_message: 1000,
        ..crate::Config::default()
    };
    let mut client = builder(&[&node]).config(config).build().unwrap();
    let origin = Origin::new(Channel::Book);
    let script = async {
        let mut peer = begin(&node, &origin).await;
        peer.send(&[0; 1001]).await;
        peer
    };
    let taken = until(&mut client, |event| {
        matches!(event, Event::Reconnecting { .. })
    });
    let (_peer, event) = tokio::join!(script, taken);
    let Event::Reconnecting {
        cause: cause @ Disconnect::WebSocket(_),
        ..
    } = event
    else {
        panic!("{event:?}");
    };
    assert!(cause.to_string().ends_with("1001 > 1000"), "{cause}");
}

#[tokio::test]
async fn a_refused_handshake_is_told_with_its_status() {
    let node = Node::listen().await;
    let mut client = client(&[&node]);
    let taken = until(&mut client, |event| {
        matches!(event, Event::Reconnecting { .. })
    });
    let ((), event) = tokio::join!(node.refuse(503), taken);
    assert!(matches!(
        event,
        Event::Reconnecting {
            cause: Disconnect::Handshake(HandshakeError::Status(503)),
            ..
        }
    ));
}

#[tokio::test]
async fn a_server_of_another_subprotocol_is_refused() {
    let node = Node::listen().await;
    let mut client = client(&[&node]);
    let taken = until(&mut client, |event| {
        matches!(event, Event::Reconnecting { .. })
    });
    let (_peer, event) = tokio::join!(node.accept_as("tapecast.json.v1"), taken);
    let Event::Reconnecting {
        cause: cause @ Disconnect::Handshake(HandshakeError::Response(_)),
        ..
    } = event
    else {
        panic!("{event:?}");
    };
    assert!(cause.to_string().contains("subprotocol"), "{cause}");
}

#[tokio::test]
async fn nobody_there_is_told_and_tried_again() {
    let node = Node::listen().await;
    let gone = node.endpoint();
    drop(node);
    let mut client = Client::builder()
        .endpoint(gone)
        .max_attempts(2)
        .build()
        .unwrap();
    let first = client.next_event().await;
    assert!(matches!(
        first,
        Some(Event::Reconnecting {
            cause: Disconnect::Io(_),
            ..
        })
    ));
    let second = client.next_event().await;
    assert!(matches!(
        second,
        Some(Event::Closed {
            cause: Some(Disconnect::Io(_))
        })
    ));
    assert!(client.next_event().await.is_none());
}

#[tokio::test]
async fn another_task_subscribes_unsubscribes_and_closes() {
    let node = Node::listen().await;
    let mut client = Client::builder().endpoint(node.endpoint()).build().unwrap();
    let handle = client.handle();
    let origin = Origin::new(Channel::Book);
    let script = async {
        let id = handle.subscribe(Subscription::book(NAME)).await.unwrap();
        let twice = handle.subscribe(Subscription::book(NAME)).await;
        assert_eq!(twice, Err(SubscribeError::Duplicate));
        let peer = begin(&node, &origin).await;
        handle.unsubscribe(id).await;
        handle.close().await;
        (id, peer)
    };
    let taken = async {
        let mut unsubscribed = None;
        while let Some(event) = client.next().await {
            if let Event::Unsubscribed(id) = event {
                unsubscribed = Some(id);
            }
        }
        unsubscribed
    };
    let ((id, _peer), unsubscribed) = tokio::join!(script, taken);
    assert_eq!(unsubscribed, Some(id));
    drop(client);
    let late = handle.subscribe(Subscription::book(NAME)).await;
    assert_eq!(late, Err(SubscribeError::Closed));
}

#[test]
fn a_wrong_client_is_not_built() {
    assert!(matches!(
        Client::builder().build(),
        Err(BuildError::NoEndpoint)
    ));
    let wrong = Client::builder().endpoint("http://x").build();
    assert!(matches!(wrong, Err(BuildError::Endpoint { text, .. }) if text == "http://x"));
    let twice = Client::builder()
        .endpoint("ws://x/ws")
        .subscribe(Subscription::book(NAME))
        .subscribe(Subscription::book(NAME))
        .build();
    assert!(matches!(
        twice,
        Err(BuildError::Subscription { index: 1, .. })
    ));
}
