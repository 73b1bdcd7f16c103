//! The allowed arrows, with their reasons.

/// What one crate may depend on, directly or transitively.
#[derive(Debug)]
pub(super) struct Arrows {
    /// The crate.
    pub(super) name: &'static str,
    /// Our own crates that it may depend on.
    pub(super) ours: &'static [&'static str],
    /// Why it may not depend on the others.
    pub(super) reason: &'static str,
    /// Third-party crates that it must not depend on, with the reason for each group.
    pub(super) theirs_not: &'static [(&'static [&'static str], &'static str)],
    /// Whether its code must neither read a clock nor touch the system.
    pub(super) is_pure: bool,
}

/// Runtimes, sockets, brokers, randomness.
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
const PURE: &str = "it does no IO: its results depend on its arguments alone, and its tests need no \
                    machine";

/// Every version of `rdkafka` depends on it.
const KAFKA: &[&str] = &["rdkafka-sys"];
const HTTP: &[&str] = &["hyper", "fastwebsockets", "tokio"];

/// One row for each crate, from the inside out.
pub(super) const ARROWS: &[Arrows] = &[
    Arrows {
        name: "market",
        ours: &[],
        reason: "everything else is about books, so market depends on no other crate",
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
        reason: "a stream knows neither who fills it nor who reads it",
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
        reason: "it decides who is sent what, and knows neither sockets nor Kafka",
        // Prometheus is allowed: the core counts into plain cells of `metrics`, whose exporter uses
        // it.
        theirs_not: &[(IO, PURE)],
        is_pure: true,
    },
    Arrows {
        name: "fanout",
        ours: &["market", "wire", "streams", "metrics", "fanout-core"],
        reason: "what goes to clients must not know where it comes from; node joins the two",
        theirs_not: &[(KAFKA, "a client's request reaches Kafka only through node")],
        is_pure: false,
    },
    Arrows {
        name: "metrics",
        ours: &["market", "wire"],
        reason: "its labels are the enums of market and wire; it does not know who counts",
        theirs_not: &[(HTTP, "node decides how metrics are served")],
        is_pure: false,
    },
    Arrows {
        name: "client",
        ours: &["market", "wire"],
        reason: "a client knows only the protocol; with server code it would verify the server against itself",
        theirs_not: &[(KAFKA, "a client has nothing to do with Kafka")],
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
        reason: "it measures a node as clients and Kafka see it, or the fan-out alone, which it feeds \
                 itself",
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
        reason: "the tests of every crate may use it",
        theirs_not: &[
            (HTTP, "it is built before everything else"),
            (KAFKA, "it is built before everything else"),
        ],
        is_pure: false,
    },
    Arrows {
        name: "xtask",
        ours: &["testkit"],
        reason: "it must build when nothing else does",
        theirs_not: &[
            (HTTP, "it is built before everything else"),
            (KAFKA, "it is built before everything else"),
        ],
        is_pure: false,
    },
];

/// Files that are on a circle today, by crate. The list may only shrink.
pub(super) const KNOWN_CIRCLES: &[(&str, &[&str])] = &[];

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
