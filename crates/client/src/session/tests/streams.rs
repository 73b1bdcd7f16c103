use std::time::Duration;

use market::{Channel, Reason};
use wire::LagKind;
use wire::control::{Resume, StartKind, StartReason};

use super::rig::{Answers, ID, Rig, bytes, config, names};
use crate::event::{Event, Gap, GapCause, Resync, ResyncReason};
use crate::testing::Origin;
use crate::{Config, StreamStats, Trust};

fn resume(rig: &Rig) -> Option<Resume> {
    let position = rig.book().position().unwrap();
    Some(Resume {
        epoch: position.epoch,
        seq: position.seq,
    })
}

#[test]
fn a_subscription_begins_with_what_it_is_and_a_verified_book() {
    let mut rig = Rig::begun(Channel::Book);
    let told = rig.told();
    assert_eq!(
        names(&told),
        ["connected", "subscribed", "instrument", "snapshot"]
    );
    let Event::Subscribed(subscribed) = &told[1] else {
        panic!("{told:?}");
    };
    assert_eq!(
        (subscribed.start, subscribed.requested),
        (StartKind::Snapshot, None)
    );
    assert_eq!(subscribed.exponents, rig.origin.exponents);
    rig.check_right();
    assert_eq!(rig.book().exponents(), rig.origin.exponents);
}

#[test]
fn a_delta_tells_its_changes_and_the_book_is_as_of_it() {
    let mut rig = Rig::begun(Channel::Book);
    rig.told();
    let delta = rig.origin.set(&[(100, 0), (98, 2)], &[(101, 9)]);
    rig.deliver(&delta);
    let told = rig.told();
    let [Event::Book(update)] = &told[..] else {
        panic!("{told:?}");
    };
    let changes = update.changes().unwrap();
    let bids: Vec<_> = changes
        .bids
        .map(|level| (level.price.0, level.size.0))
        .collect();
    assert_eq!((bids, changes.asks.len()), (vec![(100, 0), (98, 2)], 1));
    assert_eq!(update.checksum, rig.book().book().checksum());
    rig.check_right();
}

#[test]
fn a_gap_is_told_and_the_stream_resumed() {
    let mut rig = Rig::begun(Channel::Book);
    rig.told();
    let (from, asked, sent) = (rig.book().position(), resume(&rig), rig.sent.len());
    rig.origin.set(&[(98, 1)], &[]);
    let to = rig.origin.seq;
    let behind = rig.origin.set(&[(97, 1)], &[]);
    rig.deliver(&behind);
    assert_eq!(rig.ops_since(sent), ["unsubscribe", "subscribe"]);
    assert_eq!(rig.last_asked().resume, asked);
    let told = rig.told();
    assert_eq!(
        names(&told),
        ["gap", "subscribed", "resync", "delta", "delta"]
    );
    let gap = Gap {
        subscription: ID,
        from,
        to: Some(to),
        cause: GapCause::Sequence,
    };
    assert!(matches!(&told[0], Event::Gap(told) if *told == gap));
    assert!(matches!(
        &told[2],
        Event::Resync(Resync { reason: ResyncReason::Gap, from: begun, to: whole, .. })
            if *begun == from && whole.seq == to
    ));
    rig.check_right();
}

#[test]
fn a_wrong_checksum_is_told_and_the_book_asked_for_anew() {
    let mut rig = Rig::begun(Channel::Book);
    rig.told();
    let mut delta = rig.origin.set(&[(98, 1)], &[]);
    delta[64] ^= 1; // the checksum itself
    rig.deliver(&delta);
    assert_eq!(rig.last_asked().resume, None);
    let told = rig.told();
    assert_eq!(
        names(&told),
        ["mismatch", "subscribed", "instrument", "resync", "snapshot"]
    );
    let Event::ChecksumMismatch(mismatch) = &told[0] else {
        panic!("{told:?}");
    };
    assert_eq!(mismatch.received, mismatch.computed ^ 1);
    rig.check_right();
}

#[test]
fn a_fault_that_does_not_go_away_is_no_flood() {
    let mut rig = Rig::begun(Channel::Book);
    let begin = rig.sent.len();
    for _ in 0..600 {
        let mut delta = rig.origin.set(&[(98, 1), (97, 0)], &[]);
        delta[64] ^= 1;
        if rig.subscribed {
            rig.deliver(&delta);
        }
        rig.advance(Duration::from_millis(100));
    }
    // A minute of it: with a cap of 2 s and full jitter there is about one a second at the end.
    let asked = rig
        .ops_since(begin)
        .iter()
        .filter(|op| **op == "subscribe")
        .count();
    assert!((20..120).contains(&asked), "{asked}");
}

#[test]
fn late_messages_of_the_old_subscription_do_not_touch_the_new_one() {
    let mut rig = Rig::begun(Channel::Book);
    rig.told();
    rig.answers = Answers::NotAtAll;
    rig.origin.set(&[(98, 1)], &[]);
    let behind = rig.origin.set(&[(97, 1)], &[]);
    rig.deliver(&behind);
    // The node has not read the requests yet, and goes on.
    let before = rig.session.stats().unrouted;
    let late = rig.origin.set(&[(96, 1)], &[]);
    rig.deliver(&late);
    assert_eq!(names(&rig.told()), ["gap"]);
    assert_eq!(rig.session.stats().unrouted, before + 1);
    assert_eq!(rig.book().trust(), Trust::Behind);
}

#[test]
fn what_a_slow_client_missed_is_told_before_it_comes() {
    let mut rig = Rig::begun(Channel::Book);
    rig.told();
    let from = rig.origin.seq;
    rig.origin.set(&[(98, 1)], &[]);
    rig.origin.set(&[(100, 0)], &[(103, 2)]);
    let lag = rig.origin.lag(LagKind::Conflated, from);
    let net = rig.origin.net_since(from);
    rig.deliver(&[lag, net].concat());
    assert_eq!(names(&rig.told()), ["lag", "delta"]);
    rig.check_right();
    let from = rig.origin.seq;
    rig.origin.set(&[(95, 1)], &[]);
    let lag = rig.origin.lag(LagKind::Snapshot, from);
    let whole = rig.origin.snapshot(2).concat();
    rig.deliver(&[lag, whole].concat());
    assert_eq!(names(&rig.told()), ["lag", "snapshot"]);
    rig.check_right();
    assert_eq!(rig.session.stream_stats(ID).unwrap().lags, 2);
}

#[test]
fn skipped_trades_are_told_as_a_gap_that_stays() {
    let mut rig = Rig::begun(Channel::Trades);
    let first = rig.origin.trade(1);
    rig.deliver(&first);
    rig.told();
    let from = rig.origin.position();
    rig.origin.trade(2);
    let lag = rig.origin.lag(LagKind::Skipped, from.seq);
    let next = rig.origin.trade(3);
    rig.deliver(&[lag, next].concat());
    let told = rig.told();
    assert_eq!(names(&told), ["lag", "gap", "trades"]);
    let Event::Gap(gap) = &told[1] else {
        panic!("{told:?}");
    };
    assert_eq!((gap.from, gap.cause), (Some(from), GapCause::Skipped));
    assert!(gap.cause.is_loss());
    let Event::Trades(trades) = &told[2] else {
        panic!("{told:?}");
    };
    let prices: Vec<i64> = trades
        .trades()
        .unwrap()
        .map(|trade| trade.price.0)
        .collect();
    assert_eq!(prices, [3]);
}

#[test]
fn a_broken_book_is_told_and_so_is_its_recovery() {
    let mut rig = Rig::begun(Channel::Book);
    rig.told();
    let status = rig.origin.break_off(Reason::Crossed);
    rig.deliver(&status);
    assert_eq!(rig.book().trust(), Trust::Broken);
    let delta = rig.origin.set(&[(98, 1)], &[]);
    rig.deliver(&delta);
    let told = rig.told();
    assert_eq!(names(&told), ["status", "resync", "delta"]);
    let reason = ResyncReason::Upstream(Reason::Crossed);
    assert!(matches!(&told[1], Event::Resync(resync) if resync.reason == reason));
    rig.check_right();
}

#[test]
fn raw_bytes_come_before_what_they_cause_and_are_what_was_sent() {
    let config = Config {
        raw: true,
        ..config()
    };
    let mut rig = Rig::new(Channel::Book, config);
    rig.chunk = 1;
    rig.pump();
    let told = rig.told();
    let expected = [
        "connected",
        "subscribed",
        "raw",
        "instrument",
        "raw",
        "raw",
        "snapshot",
    ];
    assert_eq!(names(&told), expected);
    let delta = rig.origin.set(&[(98, 1)], &[]);
    rig.deliver(&delta);
    rig.deliver(&delta);
    let told = rig.told();
    assert_eq!(
        names(&told),
        ["raw", "delta", "raw"],
        "the second one was had"
    );
    let expected = bytes(&delta);
    assert!(matches!(
        &told[0],
        Event::Raw { subscription: Some(ID), bytes } if *bytes == expected
    ));
}

#[test]
fn a_message_that_cannot_be_read_is_told_and_what_it_cost_is_found() {
    let mut rig = Rig::begun(Channel::Book);
    rig.told();
    let delta = rig.origin.set(&[(98, 1)], &[]);
    let mut broken = crate::Payload::new(wire::Encoding::Sbe, bytes(&delta[..delta.len() - 1]));
    let error = broken.take_next().unwrap().unwrap_err();
    rig.session.on_undecodable(error);
    let beat = rig.origin.heartbeat();
    rig.deliver(&beat);
    let expected = ["undecodable", "gap", "subscribed", "resync", "delta"];
    assert_eq!(names(&rig.told()), expected);
    rig.check_right();
}

#[test]
fn a_stream_that_falls_silent_alone_is_resumed() {
    let mut rig = Rig::begun(Channel::Book);
    rig.told();
    rig.subscribed = false;
    rig.live_on(Duration::from_secs(40));
    let told = rig.told();
    assert!(
        matches!(&told[0], Event::Gap(gap) if gap.cause == GapCause::Silent),
        "{told:?}"
    );
    assert_eq!(rig.disconnects, 0);
    rig.check_right();
}

#[test]
fn everything_is_counted() {
    let mut rig = Rig::begun(Channel::Book);
    let delta = rig.origin.set(&[(98, 1)], &[]);
    rig.deliver(&delta);
    rig.deliver(&delta);
    rig.origin.set(&[(97, 1)], &[]);
    let behind = rig.origin.set(&[(96, 1)], &[]);
    rig.deliver(&behind);
    let stats = rig.session.stream_stats(ID).unwrap();
    let expected = StreamStats {
        messages: 6,
        bytes: stats.bytes,
        duplicates: 1,
        verified: 4,
        mismatches: 0,
        gaps: 1,
        losses: 0,
        resyncs: 1,
        lags: 0,
    };
    assert_eq!(stats, expected);
    assert_eq!(rig.session.stats().messages, 7, "and the instrument");
}

#[test]
fn trades_that_a_node_cannot_resume_are_told_as_lost() {
    let mut rig = Rig::begun(Channel::Trades);
    let trade = rig.origin.trade(1);
    rig.deliver(&trade);
    let from = rig.origin.position();
    rig.told();
    rig.answers = Answers::Anew(StartReason::LogExceeded);
    rig.cut();
    rig.advance(Duration::from_secs(1));
    let told = rig.told();
    assert_eq!(
        names(&told),
        [
            "reconnecting",
            "connected",
            "subscribed",
            "gap",
            "instrument"
        ]
    );
    let Event::Gap(gap) = &told[3] else {
        panic!("{told:?}");
    };
    let cause = GapCause::NotResumed(Some(StartReason::LogExceeded));
    assert_eq!((gap.from, gap.to, gap.cause), (Some(from), None, cause));
}

/// A log that was made anew without anybody being able to tell: the same epoch, and smaller numbers.
fn make_log_anew(rig: &mut Rig) {
    for size in 1..50 {
        let delta = match rig.origin.channel {
            Channel::Trades => rig.origin.trade(size),
            _ => rig.origin.set(&[(98, size)], &[]),
        };
        rig.deliver(&delta);
    }
    let mut truth = std::mem::take(&mut rig.origin.truth);
    rig.origin = Origin::new(rig.origin.channel);
    truth.append(&mut rig.origin.truth);
    rig.origin.truth = truth;
    rig.answers = Answers::Blindly;
    rig.cut();
    rig.live_on(Duration::from_secs(2));
    rig.told();
}

#[test]
fn a_log_that_went_back_under_the_same_epoch_does_not_hold_a_book_up() {
    let mut rig = Rig::begun(Channel::Book);
    make_log_anew(&mut rig);
    assert_eq!(rig.book().trust(), Trust::Behind);
    rig.live_on(Duration::from_secs(40));
    assert_eq!(rig.last_asked().resume, None);
    let reason = ResyncReason::NotResumed(Some(StartReason::AheadOfLog));
    let told = rig.told();
    assert!(
        told.iter()
            .any(|event| matches!(event, Event::Resync(told) if told.reason == reason))
    );
    rig.check_right();
    assert_eq!(rig.disconnects, 0);
}

#[test]
fn trades_of_a_log_that_went_back_are_told_as_lost() {
    let mut rig = Rig::begun(Channel::Trades);
    make_log_anew(&mut rig);
    rig.live_on(Duration::from_secs(40));
    let told = rig.told();
    assert!(
        told.iter()
            .any(|event| matches!(event, Event::Gap(gap) if gap.cause.is_loss()))
    );
    let trade = rig.origin.trade(1);
    rig.deliver(&trade);
    assert!(names(&rig.told()).contains(&"trades"));
}

#[test]
fn without_resume_every_stream_begins_anew() {
    let config = Config {
        resume: false,
        ..config()
    };
    let mut rig = Rig::new(Channel::Book, config);
    rig.pump();
    rig.cut();
    rig.advance(Duration::from_secs(1));
    assert_eq!(rig.last_asked().resume, None);
    let told = rig.told();
    let reason = ResyncReason::NotResumed(None);
    assert!(
        told.iter()
            .any(|event| matches!(event, Event::Resync(told) if told.reason == reason))
    );
    rig.check_right();
}

#[test]
fn an_answer_of_a_later_version_is_passed_over() {
    let mut rig = Rig::begun(Channel::Book);
    rig.session.on_text(rig.now, r#"{"op":"news","id":null}"#);
    rig.pump();
    assert_eq!(rig.disconnects, 0);
}
