use std::time::Duration;

use market::Channel;
use wire::Depth;
use wire::control::ErrorCode;

use super::rig::{Answers, ID, Rig, config, names};
use crate::event::Event;
use crate::testing::NAME;
use crate::{SubscribeError, Subscription, SubscriptionId};

#[test]
fn a_refused_subscription_is_told_and_forgotten() {
    let mut rig = Rig::new(Channel::Book, config());
    rig.answers = Answers::Refuse(ErrorCode::UnknownSymbol);
    rig.pump();
    let told = rig.told();
    let Event::Rejected(rejected) = &told[1] else {
        panic!("{told:?}");
    };
    assert_eq!(
        (rejected.error.code, rejected.retry),
        (ErrorCode::UnknownSymbol, None)
    );
    let sent = rig.sent.len();
    rig.advance(Duration::from_secs(5));
    assert_eq!(rig.sent.len(), sent);
    assert!(rig.session.book(ID).is_none());
}

#[test]
fn a_node_that_is_not_ready_is_asked_again() {
    let mut rig = Rig::new(Channel::Book, config());
    rig.answers = Answers::Refuse(ErrorCode::NotReady);
    rig.pump();
    let told = rig.told();
    assert!(matches!(&told[1], Event::Rejected(rejected) if rejected.retry.is_some()));
    rig.answers = Answers::Well;
    rig.advance(Duration::from_secs(5));
    rig.check_right();
}

#[test]
fn a_subscription_that_stood_once_is_not_given_up_for_a_node_that_does_not_know_it_yet() {
    let mut rig = Rig::begun(Channel::Book);
    rig.answers = Answers::Refuse(ErrorCode::UnknownSymbol);
    rig.cut();
    rig.live_on(Duration::from_secs(5));
    assert!(names(&rig.told()).contains(&"rejected"));
    rig.answers = Answers::Well;
    rig.live_on(Duration::from_secs(5));
    rig.check_right();
}

#[test]
fn a_position_that_the_node_cannot_read_is_not_sent_again() {
    let mut rig = Rig::begun(Channel::Book);
    rig.answers = Answers::Refuse(ErrorCode::BadResume);
    rig.cut();
    rig.advance(Duration::from_secs(1));
    assert!(
        rig.sent
            .iter()
            .any(|(_, request)| request.to_json().contains("resume"))
    );
    rig.answers = Answers::Well;
    rig.advance(Duration::from_secs(3));
    assert_eq!(rig.last_asked().resume, None);
    rig.check_right();
}

#[test]
fn an_unsubscribed_stream_says_nothing_more() {
    let mut rig = Rig::begun(Channel::Book);
    rig.told();
    rig.answers = Answers::NotAtAll;
    rig.session.unsubscribe(rig.now, ID);
    let late = rig.origin.set(&[(98, 1)], &[]);
    rig.deliver(&late);
    assert_eq!(names(&rig.told()), ["unsubscribed"]);
    assert_eq!(rig.sent.last().unwrap().1.op(), "unsubscribe");
    assert!(rig.session.book(ID).is_none());
    // The same stream may be had again, as another subscription.
    rig.answers = Answers::Well;
    let again = SubscriptionId(1);
    rig.session
        .subscribe(rig.now, again, &Subscription::book(NAME))
        .unwrap();
    rig.pump();
    assert!(rig.session.book(again).unwrap().is_live());
}

#[test]
fn a_stream_is_had_once_and_its_name_is_checked() {
    let mut rig = Rig::begun(Channel::Book);
    let mut subscribe = |id, subscription| {
        rig.session
            .subscribe(rig.now, SubscriptionId(id), &subscription)
    };
    assert_eq!(
        subscribe(1, Subscription::book(NAME)),
        Err(SubscribeError::Duplicate)
    );
    assert_eq!(
        subscribe(2, Subscription::book(NAME).depth(Depth::D10)),
        Ok(())
    );
    let wrong = subscribe(3, Subscription::book("BTC"));
    assert!(matches!(wrong, Err(SubscribeError::Name(_))));
}

#[test]
fn many_subscriptions_keep_below_what_a_node_accepts() {
    let mut rig = Rig::new(Channel::Book, config());
    for id in 1..1000 {
        let name = format!("TEST:A-SYMBOL-OF-SOME-LENGTH-{id:04}");
        let subscription = Subscription::book(name).depth(Depth::D1000);
        rig.session
            .subscribe(rig.now, SubscriptionId(id), &subscription)
            .unwrap();
    }
    rig.pump();
    rig.advance(Duration::from_secs(10));
    let streams: usize = rig
        .sent
        .iter()
        .map(|(_, request)| match request {
            wire::control::Request::Subscribe { streams, .. } => streams.len(),
            _ => 0,
        })
        .sum();
    assert_eq!(streams, 1000);
    for (first, _) in &rig.sent {
        let second = *first..*first + Duration::from_secs(1);
        let within = rig
            .sent
            .iter()
            .filter(|(at, _)| second.contains(at))
            .count();
        assert!(within <= 6, "{within}");
    }
}

#[test]
fn a_stream_that_the_node_ends_is_reported_and_asked_for_again() {
    let mut rig = Rig::begun(Channel::Book);
    rig.told();
    let (now, asked) = (rig.now, rig.sent.len());
    let text = format!(
        r#"{{"op":"unsubscribed","id":null,"results":[{{"stream":{{"channel":"book","symbol":"{NAME}","depth":"full","speed":"raw","group":null}},"ok":false,"error":{{"code":"stream_ended","message":"m"}}}}]}}"#
    );
    rig.session.on_text(now, &text);
    rig.pump();
    let told = rig.told();
    assert!(
        matches!(&told[..], [Event::Rejected(rejected)] if rejected.retry.is_some()
            && rejected.error.code == ErrorCode::StreamEnded),
        "{told:?}"
    );
    rig.live_on(Duration::from_secs(5));
    assert!(rig.sent.len() > asked);
    rig.check_right();
}
