use std::fmt;

use client::StreamStats;
use client::session::Session;

use super::watched::{Phase, Watched};

/// The result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) sum: StreamStats,
    pub(super) reconnects: u64,
    /// What was wrong; should be empty.
    pub(super) wrong: Vec<String>,
}

impl Verdict {
    pub(super) fn of(watched: &[Watched], session: &Session) -> Self {
        let mut sum = StreamStats::default();
        let mut wrong = Vec::new();
        for one in watched {
            let stats = one.stats();
            sum.messages += stats.messages;
            sum.verified += stats.verified;
            sum.mismatches += stats.mismatches;
            sum.gaps += stats.gaps;
            sum.losses += stats.losses;
            sum.resyncs += stats.resyncs;
            sum.lags += stats.lags;
            wrong.extend(faults(one, stats));
        }
        let connections = session.stats().connections;
        if connections == 0 {
            wrong.push("never connected".to_owned());
        }
        let undecodable = session.stats().undecodable;
        if undecodable > 0 {
            wrong.push(format!("{undecodable} messages could not be decoded"));
        }
        Self {
            sum,
            reconnects: connections.saturating_sub(1),
            wrong,
        }
    }
}

impl Verdict {
    /// The last object of `--json`.
    pub(super) fn to_json(&self) -> String {
        serde_json::json!({
            "event": "summary",
            "messages": self.sum.messages,
            "verified": self.sum.verified,
            "mismatches": self.sum.mismatches,
            "gaps": self.sum.gaps,
            "lost": self.sum.losses,
            "resyncs": self.sum.resyncs,
            "lags": self.sum.lags,
            "reconnects": self.reconnects,
            "wrong": self.wrong,
        })
        .to_string()
    }
}

fn faults(one: &Watched, stats: StreamStats) -> Vec<String> {
    let name = &one.name;
    let mut wrong = Vec::new();
    if stats.mismatches > 0 {
        wrong.push(format!("{name}: {} checksum mismatches", stats.mismatches));
    }
    if stats.losses > 0 {
        wrong.push(format!("{name}: {} gaps not filled", stats.losses));
    }
    for stream in &one.streams {
        let channel = stream.channel.name();
        match stream.phase {
            Phase::Rejected => wrong.push(format!("{name}: {channel} was rejected")),
            Phase::Faulty => wrong.push(format!("{name}: {channel} has not recovered")),
            Phase::Waiting => wrong.push(format!("{name}: {channel} did not start")),
            Phase::Open => {}
        }
    }
    wrong
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StreamStats {
            messages,
            verified,
            mismatches,
            gaps,
            losses,
            resyncs,
            lags,
            ..
        } = self.sum;
        write!(
            f,
            "messages {messages} verified {verified} mismatches {mismatches} gaps {gaps} lost {losses} \
             resyncs {resyncs} lags {lags} reconnects {}",
            self.reconnects
        )
    }
}
