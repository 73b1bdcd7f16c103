use std::cell::RefCell;
use std::rc::Rc;

use client::{Client, Endpoint, Event, Subscription};
use tokio::sync::watch;
use wire::Head;
use wire::control::Policy;

use super::counting::wall_clock;
use super::streams::Wanted;
use super::tally::Tally;

/// A whole client, that keeps books and proves them at every message, until it is told to stop.
pub(super) async fn verify(
    tally: Rc<RefCell<Tally>>,
    endpoint: Endpoint,
    streams: Vec<Wanted>,
    policy: Policy,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let mut builder = Client::builder().endpoint(endpoint.as_str());
    for wanted in &streams {
        let subscription = Subscription::new(wanted.channel, wanted.name.as_str());
        builder = builder.subscribe(subscription.depth(wanted.depth).policy(policy));
    }
    let mut client = builder.build()?;
    let mut answers = streams.len();
    loop {
        let event = tokio::select! {
            event = client.next_event() => event,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let Some(event) = event else { break };
        take(&mut tally.borrow_mut(), &event, &mut answers);
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
            if *answers == 1 {
                tally.subscribed += 1;
            }
            *answers = answers.saturating_sub(1);
        }
        Event::Rejected(rejected) => {
            tally.refused += 1;
            tally.trouble(format_args!("refused: {rejected:?}"));
            *answers = answers.saturating_sub(1);
        }
        Event::Gap(gap) => tally.trouble(format_args!("gap: {gap:?}")),
        Event::ChecksumMismatch(wrong) => tally.trouble(format_args!("checksum: {wrong:?}")),
        Event::Undecodable { error } => tally.trouble(error),
        Event::Book(update) => time(tally, &update.head),
        Event::Bbo(update) => time(tally, &update.head),
        Event::Trades(update) => time(tally, &update.head),
        _ => {}
    }
}

fn time(tally: &mut Tally, head: &Head) {
    if !tally.measuring {
        return;
    }
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
