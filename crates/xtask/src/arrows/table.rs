//! The arrows and their reasons.

/// What one crate may know, directly or through others.
#[derive(Debug)]
pub(super) struct Arrows {
    /// The crate.
    pub(super) name: &'static str,
    /// Those of our own crates that it may know; all others are strangers to it.
    pub(super) ours: &'static [&'static str],
    /// Why not the others.
    pub(super) reason: &'static str,
    /// Crates of others that it must not know, each group with the reason.
    pub(super) theirs_not: &'static [(&'static [&'static str], &'static str)],
    /// Whether its code must neither read a clock nor touch the system.
    pub(super) is_pure: bool,
}

/// Runtimes, sockets, brokers, randomness: whatever has a life of its own.
const IO: &[&str] = &[
    "tokio",
    "hyper",
    "rdkafka",
    "fastwebsockets",
    "mio",
    "io-uring",
    "socket2",
    "rustix",
    "rustls",
    "getrandom",
    "tracing",
];
const PROMETHEUS: &[&str] = &["prometheus"];
const PURE: &str = "it does no IO, so that what it does depends on its arguments alone and is \
                    tested without a machine";

/// `rdkafka` cannot come without it.
const KAFKA: &[&str] = &["rdkafka-sys"];
const HTTP: &[&str] = &["hyper", "fastwebsockets", "tokio"];

/// One row for each crate, from the inside out.
pub(super) const ARROWS: &[Arrows] = &[
    Arrows {
        name: "market",
        ours: &[],
        reason: "books are what everything else is about, so market knows nobody",
        theirs_not: &[(IO, PURE), (PROMETHEUS, PURE)],
        is_pure: true,
    },
    Arrows {
        name: "wire",
        ours: &["market"],
        reason: "an encoding knows what it encodes, not who sends it",
        theirs_not: &[(IO, PURE), (PROMETHEUS, PURE)],
        is_pure: true,
    },
    Arrows {
        name: "streams",
        ours: &["market", "wire"],
        reason: "a stream is the same whoever fills it and whoever reads it",
        theirs_not: &[(IO, PURE), (PROMETHEUS, PURE)],
        is_pure: true,
    },
    Arrows {
        name: "ingest",
        ours: &["market", "wire", "streams", "metrics"],
        reason: "what comes from Kafka must not know where it goes; node joins the two",
        theirs_not: &[(
            HTTP,
            "ingest is threads that read Kafka, and has no clients",
        )],
        is_pure: false,
    },
    Arrows {
        name: "fanout-core",
        ours: &["market", "wire", "streams", "metrics"],
        reason: "who is sent what is decided without knowing who sends it, or where it comes from",
        // Not prometheus: what the core counts into are plain cells with one writer, and only the
        // exporter that metrics has beside them knows it.
        theirs_not: &[(IO, PURE)],
        is_pure: true,
    },
    Arrows {
        name: "fanout",
        ours: &["market", "wire", "streams", "metrics", "fanout-core"],
        reason: "what goes to clients must not know where it comes from; node joins the two",
        theirs_not: &[(
            KAFKA,
            "a client's request never reaches Kafka but through node",
        )],
        is_pure: false,
    },
    Arrows {
        name: "metrics",
        ours: &["market", "wire"],
        reason: "its labels are the enums of market and wire; who counts is none of its business",
        theirs_not: &[(HTTP, "who serves the page is node's choice")],
        is_pure: false,
    },
    Arrows {
        name: "client",
        ours: &["market", "wire"],
        reason: "a client knows the protocol only, or it would prove the server with the server",
        theirs_not: &[(
            KAFKA,
            "a client has nothing to do with what brings the data",
        )],
        is_pure: false,
    },
    Arrows {
        name: "node",
        ours: &[
            "market",
            "wire",
            "streams",
            "ingest",
            "fanout-core",
            "fanout",
            "metrics",
        ],
        reason: "it serves clients, so it contains none",
        theirs_not: &[(&["clap"], "the command line belongs to the binary")],
        is_pure: false,
    },
    Arrows {
        name: "tapecast",
        ours: &[
            "market",
            "wire",
            "streams",
            "ingest",
            "fanout-core",
            "fanout",
            "metrics",
            "client",
            "node",
        ],
        reason: "what is shipped has no test code in it",
        theirs_not: &[],
        is_pure: false,
    },
    Arrows {
        name: "loadtest",
        ours: &[
            "market",
            "wire",
            "streams",
            "ingest",
            "fanout-core",
            "fanout",
            "metrics",
            "client",
            "testkit",
        ],
        reason: "it measures the node from outside, as its clients and Kafka see it, or the fan-out \
                 alone, which it feeds itself",
        theirs_not: &[],
        is_pure: false,
    },
    Arrows {
        name: "drill",
        ours: &[
            "market", "wire", "streams", "ingest", "metrics", "client", "testkit",
        ],
        reason: "it tests the shipped binary, as its clients and Kafka see it",
        theirs_not: &[],
        is_pure: false,
    },
    Arrows {
        name: "e2e",
        ours: &["market", "wire", "client", "testkit"],
        reason: "it tests the real binary, as its clients and Kafka see it",
        theirs_not: &[],
        is_pure: false,
    },
    Arrows {
        name: "testkit",
        ours: &[],
        reason: "the tests of every crate may stand on it",
        theirs_not: &[
            (HTTP, "it is built before everything"),
            (KAFKA, "it is built before everything"),
        ],
        is_pure: false,
    },
    Arrows {
        name: "xtask",
        ours: &["testkit"],
        reason: "it must build when nothing else does",
        theirs_not: &[
            (HTTP, "it is built before everything"),
            (KAFKA, "it is built before everything"),
        ],
        is_pure: false,
    },
];

/// Files that are on a circle today, by crate. The list may only shrink.
pub(super) const KNOWN_CIRCLES: &[(&str, &[&str])] = &[
    (
        "ingest",
        &[
            "client.rs",
            "client/properties.rs",
            "config.rs",
            "decoder.rs",
            "formats.rs",
            "order.rs",
            "progress.rs",
            "reading.rs",
            "sink.rs",
            "source.rs",
        ],
    ),
    ("market", &["builder.rs", "saved.rs"]),
    (
        "streams",
        &[
            "bars.rs",
            "checkpoint.rs",
            "checkpoint/bars.rs",
            "checkpoint/format.rs",
            "checkpoint/reader.rs",
            "frames.rs",
            "publisher/bars_feed.rs",
            "publisher/bbo_feed.rs",
            "publisher/book_feed.rs",
            "publisher/book_views.rs",
            "publisher/desk.rs",
            "publisher/heartbeat.rs",
            "publisher/identity.rs",
            "publisher/instrument.rs",
            "publisher/join.rs",
            "publisher/outbox.rs",
            "publisher/paced.rs",
            "publisher/resume.rs",
            "publisher/status_feed.rs",
            "publisher/ticker_feed.rs",
            "publisher/trade_feed.rs",
            "run.rs",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_and_all_that_it_decides_with_are_pure() {
        let pure = ARROWS.iter().filter(|arrows| arrows.is_pure);
        let pure: Vec<&str> = pure.map(|arrows| arrows.name).collect();
        assert_eq!(pure, ["market", "wire", "streams", "fanout-core"]);
        for arrows in ARROWS.iter().filter(|arrows| arrows.is_pure) {
            let banned = arrows.theirs_not.iter();
            let banned: Vec<&str> = banned
                .flat_map(|(names, _)| names.iter().copied())
                .collect();
            assert!(IO.iter().all(|name| banned.contains(name)), "{arrows:?}");
        }
    }
}
