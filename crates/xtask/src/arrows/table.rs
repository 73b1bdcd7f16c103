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
    /// Why its code may neither read a clock nor touch the system, where it may not.
    pub(super) pure: Option<&'static str>,
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
const PURE_CODE: &str = "time and bytes come in as arguments";

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
        pure: Some(PURE_CODE),
    },
    Arrows {
        name: "wire",
        ours: &["market"],
        reason: "an encoding knows what it encodes, not who sends it",
        theirs_not: &[(IO, PURE), (PROMETHEUS, PURE)],
        pure: Some(PURE_CODE),
    },
    Arrows {
        name: "streams",
        ours: &["market", "wire"],
        reason: "a stream is the same whoever fills it and whoever reads it",
        theirs_not: &[(IO, PURE), (PROMETHEUS, PURE)],
        pure: Some(PURE_CODE),
    },
    Arrows {
        name: "ingest",
        ours: &["market", "wire", "streams", "metrics"],
        reason: "what comes from Kafka must not know where it goes; node joins the two",
        theirs_not: &[(
            HTTP,
            "ingest is threads that read Kafka, and has no clients",
        )],
        pure: None,
    },
    Arrows {
        name: "fanout-core",
        ours: &["market", "wire", "streams", "metrics"],
        reason: "who is sent what is decided without knowing who sends it, or where it comes from",
        // Not prometheus: what the core counts into are plain cells with one writer, and only the
        // exporter that metrics has beside them knows it.
        theirs_not: &[(IO, PURE)],
        pure: Some(PURE_CODE),
    },
    Arrows {
        name: "fanout",
        ours: &["market", "wire", "streams", "metrics", "fanout-core"],
        reason: "what goes to clients must not know where it comes from; node joins the two",
        theirs_not: &[(
            KAFKA,
            "a client's request never reaches Kafka but through node",
        )],
        pure: None,
    },
    Arrows {
        name: "metrics",
        ours: &["market", "wire"],
        reason: "its labels are the enums of market and wire; who counts is none of its business",
        theirs_not: &[(HTTP, "who serves the page is node's choice")],
        pure: None,
    },
    Arrows {
        name: "client",
        ours: &["market", "wire"],
        reason: "a client knows the protocol only, or it would prove the server with the server",
        theirs_not: &[(
            KAFKA,
            "a client has nothing to do with what brings the data",
        )],
        pure: None,
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
            "client",
        ],
        reason: "what is shipped has no test code in it",
        theirs_not: &[],
        pure: None,
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
        pure: None,
    },
    Arrows {
        name: "e2e",
        ours: &["market", "wire", "client", "testkit"],
        reason: "it tests the real binary, as its clients and Kafka see it",
        theirs_not: &[],
        pure: None,
    },
    Arrows {
        name: "testkit",
        ours: &[],
        reason: "the tests of every crate may stand on it",
        theirs_not: &[
            (HTTP, "it is built before everything"),
            (KAFKA, "it is built before everything"),
        ],
        pure: None,
    },
    Arrows {
        name: "xtask",
        ours: &["testkit"],
        reason: "it must build when nothing else does",
        theirs_not: &[
            (HTTP, "it is built before everything"),
            (KAFKA, "it is built before everything"),
        ],
        pure: None,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_and_all_that_it_decides_with_are_pure() {
        let pure = ARROWS.iter().filter(|arrows| arrows.pure.is_some());
        let pure: Vec<&str> = pure.map(|arrows| arrows.name).collect();
        assert_eq!(pure, ["market", "wire", "streams", "fanout-core"]);
        for arrows in ARROWS.iter().filter(|arrows| arrows.pure.is_some()) {
            let banned = arrows.theirs_not.iter();
            let banned: Vec<&str> = banned
                .flat_map(|(names, _)| names.iter().copied())
                .collect();
            assert!(IO.iter().all(|name| banned.contains(name)), "{arrows:?}");
        }
    }
}
