use std::time::Duration;

use market::Channel;
use wire::control::{ErrorCode, Policy, Request, StartKind};
use wire::{Depth, Speed};

use super::rig::{Answers, ID, Rig, names};
use crate::event::Event;
use crate::testing::NAME;
use crate::{Change, Subscription, SubscriptionId, Trust, UpdateError};

fn depth(depth: Depth) -> Change {
    Change::new().depth(depth)
}

fn update(rig: &mut Rig, change: Change) {
    rig.session.update(rig.now, ID, change).unwrap();
    rig.pump();
}

/// The answer to the last request of that kind comes as the node would have given it by now.
fn answer(rig: &mut Rig) {
    let (_, request) = rig.sent.last().unwrap().clone();
    let before = std::mem::replace(&mut rig.answers, Answers::Well);
    rig.serve(&request);
    rig.pump();
    rig.answers = before;
}

#[test]
fn an_update_begins_the_book_anew_in_its_other_view() {
    let mut rig = Rig::begun(Channel::Book);
    rig.told();
    update(&mut rig, depth(Depth::D10).speed(Speed::Ms100));
    let told = rig.told();
    assert_eq!(names(&told), ["updated", "instrument", "snapshot"]);
    let Event::Updated(updated) = &told[0] else {
        panic!("{told:?}");
    };
    assert_eq!(
        (updated.view, updated.start),
        (rig.origin.view, StartKind::Snapshot)
    );
    rig.check_right();
    let next = rig.origin.set(&[(98, 1)], &[]);
    rig.deliver(&next);
    assert_eq!(names(&rig.told()), ["delta"]);
    rig.check_right();
    // Later on it is resumed as it is now.
    rig.cut();
    let missed = rig.origin.set(&[(97, 1)], &[]);
    assert!(!missed.is_empty());
    rig.advance(Duration::from_secs(1));
    let asked = rig.last_asked();
    assert_eq!(
        (asked.key.depth, asked.key.speed),
        (Depth::D10, Speed::Ms100)
    );
    assert!(asked.resume.is_some());
    rig.check_right();
}

#[test]
fn until_the_answer_comes_the_old_view_goes_on_and_is_right() {
    let mut rig = Rig::begun(Channel::Book);
    rig.answers = Answers::NotAtAll;
    update(&mut rig, depth(Depth::D5));
    rig.told();
    let next = rig.origin.set(&[(98, 1)], &[]);
    rig.deliver(&next);
    assert_eq!(names(&rig.told()), ["delta"]);
    rig.check_right();
    answer(&mut rig);
    assert_eq!(names(&rig.told()), ["updated", "instrument", "snapshot"]);
    rig.check_right();
}

#[test]
fn where_the_policy_alone_changes_nothing_begins_anew() {
    let mut rig = Rig::begun(Channel::Book);
    rig.told();
    update(&mut rig, Change::new().policy(Policy::Disconnect));
    assert_eq!(names(&rig.told()), ["updated"]);
    let next = rig.origin.set(&[(98, 1)], &[]);
    rig.deliver(&next);
    rig.check_right();
    rig.cut();
    rig.advance(Duration::from_secs(1));
    assert_eq!(rig.last_asked().policy, Policy::Disconnect);
    assert!(rig.last_asked().resume.is_some());
    rig.check_right();
}

#[test]
fn a_refused_update_is_told_and_the_stream_goes_on_as_it_was() {
    let mut rig = Rig::begun(Channel::Book);
    rig.told();
    rig.answers = Answers::Refuse(ErrorCode::UnsupportedGroup);
    update(&mut rig, depth(Depth::D5));
    let told = rig.told();
    assert!(
        matches!(&told[..], [Event::UpdateRejected(refused)] if refused.error.code == ErrorCode::UnsupportedGroup),
        "{told:?}"
    );
    let next = rig.origin.set(&[(98, 1)], &[]);
    rig.deliver(&next);
    assert_eq!(names(&rig.told()), ["delta"]);
    rig.check_right();
    rig.answers = Answers::Well;
    rig.cut();
    rig.advance(Duration::from_secs(1));
    assert_eq!(rig.last_asked().key.depth, Depth::Full);
    rig.check_right();
}

#[test]
fn what_changes_again_before_the_answer_is_asked_for_behind_it() {
    let mut rig = Rig::begun(Channel::Book);
    rig.answers = Answers::NotAtAll;
    update(&mut rig, depth(Depth::D5));
    let sent = rig.sent.len();
    update(&mut rig, depth(Depth::D10));
    update(&mut rig, Change::new().speed(Speed::S1));
    assert_eq!(rig.sent.len(), sent, "one after the other");
    rig.told();
    rig.answers = Answers::Well;
    let (_, first) = rig.sent.last().unwrap().clone();
    rig.serve(&first);
    rig.pump();
    assert_eq!(rig.ops_since(sent), ["update"]);
    let Request::Update { streams, .. } = &rig.sent[sent].1 else {
        panic!("{:?}", rig.sent[sent]);
    };
    let second = streams[0].as_ref().unwrap();
    assert_eq!(second.key.depth, Depth::D5);
    assert_eq!(
        (second.to.depth, second.to.speed, second.to.policy),
        (Some(Depth::D10), Some(Speed::S1), None)
    );
    let both = ["updated", "instrument", "snapshot"].repeat(2);
    assert_eq!(names(&rig.told()), both);
    rig.check_right();
}

#[test]
fn what_is_refused_when_it_is_no_longer_wanted_is_asked_for_no_more() {
    let mut rig = Rig::begun(Channel::Book);
    rig.answers = Answers::NotAtAll;
    update(&mut rig, depth(Depth::D5));
    update(&mut rig, depth(Depth::Full));
    let sent = rig.sent.len();
    rig.answers = Answers::Refuse(ErrorCode::BadDepth);
    let (_, request) = rig.sent.last().unwrap().clone();
    rig.serve(&request);
    rig.pump();
    assert_eq!(rig.ops_since(sent), [""; 0]);
    assert!(names(&rig.told()).contains(&"update rejected"));
    rig.check_right();
}

#[test]
fn what_changes_while_there_is_no_connection_is_asked_for_as_changed() {
    let mut rig = Rig::begun(Channel::Book);
    rig.accepts = None;
    rig.cut();
    rig.advance(Duration::from_secs(1));
    update(&mut rig, depth(Depth::D5));
    assert_eq!(rig.book().trust(), Trust::Behind);
    rig.connect();
    rig.pump();
    let asked = rig.last_asked();
    assert_eq!((asked.key.depth, asked.resume), (Depth::D5, None));
    rig.check_right();
}

#[test]
fn a_connection_that_is_lost_before_the_answer_changes_what_is_asked_for() {
    let mut rig = Rig::begun(Channel::Book);
    rig.answers = Answers::NotAtAll;
    update(&mut rig, depth(Depth::D5));
    rig.answers = Answers::Well;
    rig.cut();
    rig.advance(Duration::from_secs(1));
    let asked = rig.last_asked();
    assert_eq!((asked.key.depth, asked.resume), (Depth::D5, None));
    assert!(!names(&rig.told()).contains(&"gap"));
    rig.check_right();
    let sent = rig.sent.len();
    rig.live_on(Duration::from_secs(5));
    assert!(!rig.ops_since(sent).contains(&"update"), "it is as wanted");
}

#[test]
fn what_the_node_refuses_after_a_reconnect_goes_back_to_what_it_had() {
    let mut rig = Rig::begun(Channel::Book);
    rig.accepts = None;
    rig.cut();
    rig.advance(Duration::from_secs(1));
    update(&mut rig, depth(Depth::D5));
    rig.told();
    rig.answers = Answers::Refuse(ErrorCode::BadDepth);
    rig.connect();
    // The first refusal only.
    while let Some(action) = rig.session.poll_action() {
        if let crate::session::Action::Send(text) = action {
            rig.serve(&Request::parse(&text).unwrap());
            rig.answers = Answers::Well;
        }
    }
    rig.pump();
    rig.live_on(Duration::from_secs(2));
    assert!(names(&rig.told()).contains(&"update rejected"));
    assert_eq!(rig.last_asked().key.depth, Depth::Full);
    rig.check_right();
}

#[test]
fn a_fault_before_the_answer_ends_both_and_begins_what_is_wanted() {
    let mut rig = Rig::begun(Channel::Book);
    rig.answers = Answers::NotAtAll;
    update(&mut rig, depth(Depth::D5));
    let sent = rig.sent.len();
    rig.answers = Answers::Well;
    rig.origin.set(&[(98, 1)], &[]);
    let after = rig.origin.set(&[(97, 1)], &[]);
    rig.deliver(&after);
    rig.live_on(Duration::from_secs(3));
    let ended = rig.sent[sent..]
        .iter()
        .find_map(|(_, request)| match request {
            Request::Unsubscribe { streams, .. } => Some(streams.clone()),
            _ => None,
        });
    let depths = ended.unwrap().into_iter().map(|key| key.unwrap().depth);
    assert_eq!(depths.collect::<Vec<_>>(), [Depth::Full, Depth::D5]);
    assert_eq!(rig.last_asked().key.depth, Depth::D5);
    rig.check_right();
}

#[test]
fn what_cannot_be_changed_is_an_error_and_nothing_is_sent() {
    let mut rig = Rig::begun(Channel::Book);
    let other = SubscriptionId(1);
    let top = Subscription::book(NAME).depth(Depth::D5);
    rig.session.subscribe(rig.now, other, &top).unwrap();
    let sent = rig.sent.len();
    let change = |rig: &mut Rig, id, change| rig.session.update(rig.now, id, change);
    let unknown = change(&mut rig, SubscriptionId(7), depth(Depth::D1));
    assert_eq!(unknown, Err(UpdateError::Unknown));
    let twice = change(&mut rig, ID, depth(Depth::D5));
    assert_eq!(twice, Err(UpdateError::Duplicate));
    // What it is already is no change.
    assert_eq!(change(&mut rig, ID, depth(Depth::Full)), Ok(()));
    assert_eq!(rig.ops_since(sent), [""; 0]);
    rig.session.close();
    let closed = change(&mut rig, ID, depth(Depth::D1));
    assert_eq!(closed, Err(UpdateError::Closed));
}
