//! What a scrape returns, tested through the public API.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};

use market::{Channel, State};
use metrics::label::{
    AuthRefusal, BrokerError, CheckpointRefusal, CloseReason, DecodeOutcome, EventOutcome,
    HandshakeRefusal, Label, ReplayRefusal, ResumeOutcome, ThreadKind,
};
use metrics::{BuildInfo, Kind, Registry};
use wire::control::{ErrorCode, StartReason};
use wire::{Encoding, LagKind};

fn registry() -> Registry {
    Registry::new(BuildInfo {
        version: "1.2.3",
        revision: "abc",
    })
}

/// A strict parser of the text format 0.0.4.
#[derive(Debug, Default)]
struct Exposition {
    kinds: BTreeMap<String, String>,
    helps: BTreeMap<String, String>,
    samples: BTreeMap<String, f64>,
}

impl Exposition {
    fn parse(text: &str) -> Self {
        let mut out = Self::default();
        let mut family = String::new();
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap();
                assert!(out.helps.insert(name.into(), help.into()).is_none());
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert!(out.kinds.insert(name.into(), kind.into()).is_none());
                name.clone_into(&mut family);
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let name = series.split('{').next().unwrap();
                assert!(name.starts_with(&family), "{name} is listed under {family}");
                if let Some(labels) = series.strip_prefix(name).filter(|rest| !rest.is_empty()) {
                    assert!(labels.starts_with('{') && labels.ends_with("\"}"), "{line}");
                }
                let value: f64 = value.parse().unwrap();
                assert!(value >= 0.0, "{line}");
                let again = out.samples.insert(series.into(), value);
                assert!(again.is_none(), "{series} is listed twice");
            }
        }
        out
    }

    fn of(registry: &Registry) -> Self {
        let text = registry.render().unwrap();
        assert!(text.ends_with('\n'));
        Self::parse(&text)
    }

    fn value(&self, series: &str) -> f64 {
        *self
            .samples
            .get(series)
            .unwrap_or_else(|| panic!("no {series}"))
    }
}

#[test]
fn every_family_is_exported_with_its_help_and_kind() {
    let registry = registry();
    let ingest = registry.add_ingest();
    ingest.topic("t").records[DecodeOutcome::Event].inc();
    ingest.partition("t", 0).lag_records.set(1);
    let text = Exposition::of(&registry);
    let families = registry.families();
    for family in &families {
        assert_eq!(text.kinds[family.name], family.kind.name());
        assert_eq!(text.helps[family.name], family.help);
    }
    assert_eq!(text.kinds.len(), families.len());
}

#[test]
fn names_follow_the_conventions() {
    let mut seen = BTreeSet::new();
    for family in registry().families() {
        let name = family.name;
        assert!(seen.insert(name), "{name} is listed twice");
        assert!(
            name.starts_with("tapecast_") || name.starts_with("process_"),
            "{name}"
        );
        assert_eq!(
            name.ends_with("_total"),
            family.kind == Kind::Counter,
            "{name}"
        );
        if family.kind == Kind::Histogram {
            assert!(name.ends_with("_seconds"), "{name}");
        }
        assert!(family.help.ends_with('.'), "{name}");
    }
}

#[test]
fn the_description_of_every_family_is_one_that_prometheus_takes() {
    for family in registry().families() {
        prometheus::core::Desc::new(
            family.name.to_owned(),
            family.help.to_owned(),
            family.labels.iter().map(|&l| l.to_owned()).collect(),
            std::collections::HashMap::new(),
        )
        .unwrap();
    }
}

#[test]
fn families_are_there_before_anything_happened() {
    let text = Exposition::of(&registry());
    assert_eq!(text.value("tapecast_sessions"), 0.0);
    assert_eq!(
        text.value(r#"tapecast_messages_sent_total{channel="book",encoding="sbe"}"#),
        0.0
    );
    assert_eq!(
        text.value(r#"tapecast_stage_seconds_count{stage="queue"}"#),
        0.0
    );
    assert_eq!(
        text.value(r#"tapecast_build_info{version="1.2.3",revision="abc"}"#),
        1.0
    );
}

#[test]
fn writers_are_summed() {
    let registry = registry();
    let shards = [registry.add_shard(), registry.add_shard()];
    for (n, shard) in (1..).zip(&shards) {
        shard.sessions_open.add(10 * n);
        shard.sessions_open.sub(n);
        shard.messages_out[Channel::Book][Encoding::Json].add(n);
        shard.sessions_closed[CloseReason::Drain].inc();
        shard.handshakes_refused[HandshakeRefusal::Full].add(n);
        shard.resumes[ResumeOutcome::Snapshot(StartReason::LogExceeded)].inc();
        shard.stage_send.record_ns(1_500 * n);
    }
    let publishers = [registry.add_publisher(), registry.add_publisher()];
    for publisher in &publishers {
        publisher.log_bytes.set(1 << 40);
        publisher.stage_kafka.record_ns(4_000_000);
    }

    let text = Exposition::of(&registry);
    assert_eq!(text.value("tapecast_sessions"), 27.0);
    let book_json = r#"tapecast_messages_sent_total{channel="book",encoding="json"}"#;
    assert_eq!(text.value(book_json), 3.0);
    let drained = r#"tapecast_sessions_closed_total{reason="drain"}"#;
    assert_eq!(text.value(drained), 2.0);
    let full = r#"tapecast_handshakes_refused_total{reason="full"}"#;
    assert_eq!(text.value(full), 3.0);
    let log_exceeded = r#"tapecast_resumes_total{outcome="log_exceeded"}"#;
    assert_eq!(text.value(log_exceeded), 2.0);
    assert_eq!(
        text.value("tapecast_log_bytes"),
        2.0 * f64::from(2.0_f32).powi(40)
    );

    let bucket = |stage: &str, le: &str| {
        text.value(&format!(
            r#"tapecast_stage_seconds_bucket{{stage="{stage}",le="{le}"}}"#
        ))
    };
    assert_eq!(bucket("send", "0.000001"), 0.0);
    assert_eq!(bucket("send", "0.000002"), 1.0);
    assert_eq!(bucket("send", "0.000005"), 2.0);
    assert_eq!(bucket("send", "+Inf"), 2.0);
    assert_eq!(bucket("kafka", "0.005"), 2.0);
    let sum = text.value(r#"tapecast_stage_seconds_sum{stage="kafka"}"#);
    assert_eq!(sum, 0.008);
}

#[test]
fn topics_and_partitions_are_labels() {
    let registry = registry();
    let threads = [registry.add_ingest(), registry.add_ingest()];
    for thread in &threads {
        let topic = thread.topic(r#"a"b"#);
        topic.records[DecodeOutcome::MalformedJson].add(2);
        topic.bytes.add(100);
    }
    threads[1].partition("trades", 3).lag_records.set(7);
    threads[1]
        .partition("trades", 3)
        .lag_time
        .set_ns(1_500_000_000);

    let text = Exposition::of(&registry);
    let bad = r#"tapecast_records_total{topic="a\"b",outcome="malformed_json"}"#;
    assert_eq!(text.value(bad), 4.0);
    let bytes = r#"tapecast_record_bytes_total{topic="a\"b"}"#;
    assert_eq!(text.value(bytes), 200.0);
    let lag = r#"tapecast_consumer_lag_records{topic="trades",partition="3"}"#;
    assert_eq!(text.value(lag), 7.0);
    let age = r#"tapecast_consumer_lag_seconds{topic="trades",partition="3"}"#;
    assert_eq!(text.value(age), 1.5);
}

#[test]
fn a_scrape_while_two_threads_count_never_contradicts_itself_and_loses_nothing() {
    const EACH: u64 = 200_000;
    let registry = registry();
    let shards = [registry.add_shard(), registry.add_shard()];
    std::thread::scope(|scope| {
        for shard in &shards {
            scope.spawn(move || {
                for n in 0..EACH {
                    shard.sends.inc();
                    shard.stage_queue.record_ns(n);
                }
            });
        }
        let mut last = 0.0;
        while last < (2 * EACH) as f64 {
            let text = Exposition::of(&registry);
            let sends = text.value("tapecast_sends_total");
            assert!(sends >= last, "a counter went back");
            last = sends;
            let count = text.value(r#"tapecast_stage_seconds_count{stage="queue"}"#);
            let top = text.value(r#"tapecast_stage_seconds_bucket{stage="queue",le="+Inf"}"#);
            assert_eq!(count, top);
        }
    });
    assert_eq!(shards[0].stage_queue.count(), EACH);
}

#[test]
fn the_values_of_a_label_are_told_apart() {
    fn check<L: Label>() {
        let names: BTreeSet<_> = L::ALL.iter().map(|label| label.value()).collect();
        assert_eq!(names.len(), L::ALL.len());
        for (at, label) in L::ALL.iter().enumerate() {
            assert_eq!(label.index(), at);
        }
    }
    check::<Channel>();
    check::<Encoding>();
    check::<State>();
    check::<LagKind>();
    check::<ErrorCode>();
    check::<CloseReason>();
    check::<HandshakeRefusal>();
    check::<AuthRefusal>();
    check::<ResumeOutcome>();
    check::<ReplayRefusal>();
    check::<CheckpointRefusal>();
    check::<DecodeOutcome>();
    check::<EventOutcome>();
    check::<ThreadKind>();
    check::<BrokerError>();
}

#[test]
fn the_document_lists_exactly_the_exported_families() {
    check_document_has("| family | kind | labels | meaning |", &family_table());
}

#[test]
fn the_document_lists_exactly_the_values_of_each_label() {
    check_document_has("| label | values | families |", &label_table());
}

/// Checks that the table with `head` in `docs/metrics.md` is the one generated from the code.
fn check_document_has(head: &str, expected: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
    let document = std::fs::read_to_string(path).unwrap();
    let start = document.find(head).unwrap_or(document.len());
    let rows = document[start..]
        .lines()
        .take_while(|line| line.starts_with('|'));
    let found: String = rows.map(|row| format!("{row}\n")).collect();
    assert!(
        found == expected,
        "docs/metrics.md must have this table:\n\n{expected}"
    );
}

fn family_table() -> String {
    let mut table = String::from("| family | kind | labels | meaning |\n|---|---|---|---|\n");
    for family in registry().families() {
        let labels: Vec<_> = family.labels.iter().map(|l| format!("`{l}`")).collect();
        table += &format!(
            "| `{}` | {} | {} | {} |\n",
            family.name,
            family.kind.name(),
            labels.join(", "),
            family.help
        );
    }
    table
}

/// Every label with a fixed set of values, once per set, read from a scrape.
fn label_table() -> String {
    let registry = registry();
    let _ = registry.add_ingest().topic("t");
    let text = registry.render().unwrap();
    let free = ["topic", "partition", "le", "version", "revision"];
    let mut values = BTreeMap::<(String, String), Vec<String>>::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, labels)) = line.split_once('{') else {
            continue;
        };
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix))
            .unwrap_or(name);
        let (labels, _) = labels.rsplit_once('}').unwrap();
        for label in labels.split(',') {
            let (key, value) = label.split_once('=').unwrap();
            let value = format!("`{}`", value.trim_matches('"'));
            let values = values.entry((key.into(), family.into())).or_default();
            if !free.contains(&key) && !values.contains(&value) {
                values.push(value);
            }
        }
    }
    let mut rows = BTreeMap::<(String, String), Vec<String>>::new();
    for ((key, family), values) in values {
        if !values.is_empty() {
            let families = rows.entry((key, values.join(", "))).or_default();
            families.push(format!("`{family}`"));
        }
    }
    let mut table = String::from("| label | values | families |\n|---|---|---|\n");
    for ((key, values), families) in rows {
        table += &format!("| `{key}` | {values} | {} |\n", families.join(", "));
    }
    table
}
