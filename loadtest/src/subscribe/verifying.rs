use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use client::{Client, Event, Subscription};
use tokio::sync::watch;

use super::SubscribeArgs;
use super::streams::Wanted;
use super::tally::Tally;
use crate::clock::wall_clock;

/// A whole client, that keeps books and proves them at every message, until it is told to stop.
/// With a `stall` it takes nothing for so long once it is subscribed, and then goes on.
pub(super) async fn verify(
    tally: Rc<RefCell<Tally>>,
    args: &SubscribeArgs,
    streams: &[Wanted],
    mut stall: Option<Duration>,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let mut builder = Client::builder().endpoint(args.url.as_str());
    for wanted in streams {
        let subscription = Subscription::new(wanted.channel, wanted.name.as_str());
        builder = builder.subscribe(subscription.depth(wanted.depth).policy(args.policy));
    }
    let mut client = builder.build()?;
    let mut answers = streams.len();
    // How late a message is that nobody read says nothing about the node.
    let timed = stall.is_none();
    loop {
        if answers == 0
            && let Some(stall) = stall.take()
        {
            // A client reads only while it is asked for events.
            let told = stop.wait_for(|stop| *stop);
            let _told = tokio::time::timeout(stall, told).await;
        }
        let event = tokio::select! {
            event = client.next_event() => event,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let Some(event) = event else { break };
        let mut tally = tally.borrow_mut();
        take(&mut tally, &event, &mut answers);
        if timed && tally.measuring {
            time(&mut tally, &event);
        }
    }
    let mut tally = tally.borrow_mut();
    tally.undecodable += client.stats().undecodable;
    for id in 0..streams.len() as u64 {
        if let Some(stats) = client.stream_stats(client::SubscriptionId(id)) {
            tally.verified += stats.verified;
            tally.mismatches += stats.mismatches;
            tally.gaps += stats.gaps;
            tally.losses += stats.losses;
            tally.resyncs += stats.resyncs;
            tally.lags += stats.lags;
        }
    }
    Ok(())
}

fn take(tally: &mut Tally, event: &Event, answers: &mut usize) {
    match event {
        Event::Connected { .. } => tally.connected += 1,
        Event::Reconnecting { cause, .. } => {
            tally.reconnects += 1;
            tally.trouble(format_args!("a verifying client reconnects: {cause:?}"));
        }
        Event::Subscribed(_) => {
            tally.streams += 1;
            answered(tally, answers);
        }
        Event::Rejected(rejected) => {
            tally.refused += 1;
            tally.trouble(format_args!("refused: {rejected:?}"));
            answered(tally, answers);
        }
        Event::Gap(gap) => tally.trouble(format_args!("gap: {gap:?}")),
        Event::ChecksumMismatch(wrong) => tally.trouble(format_args!("checksum: {wrong:?}")),
        Event::Undecodable { error } => tally.trouble(error),
        _ => {}
    }
}

/// A client is subscribed when every stream is answered, however often it is answered again later.
fn answered(tally: &mut Tally, answers: &mut usize) {
    tally.subscribed += u64::from(*answers == 1);
    *answers = answers.saturating_sub(1);
}

fn time(tally: &mut Tally, event: &Event) {
    let head = match event {
        Event::Book(update) => &update.head,
        Event::Bbo(update) => &update.head,
        Event::Trades(update) => &update.head,
        _ => return,
    };
    let now = wall_clock();
    tally.frames += 1;
    tally
        .from_node
        .saturating_record(now.saturating_sub(head.publish_time.0));
    if let Some(event) = head.event_time {
        tally
            .from_event
            .saturating_record(now.saturating_sub(event.0));
    }
}
