//! Alerts, rules and dashboards query only what a node exports and some code counts.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use market::{Channel, State};
use metrics::label::{
    AuthRefusal, BrokerError, CheckpointRefusal, CloseReason, DecodeOutcome, EventOutcome,
    HandshakeRefusal, Label, ReplayRefusal, ResumeOutcome, ThreadKind,
};
use metrics::{BuildInfo, Kind, Registry};
use wire::control::ErrorCode;
use wire::{Encoding, LagKind};

/// Labels whose values come from Kafka, Prometheus or the operator.
const FREE: [&str; 7] = [
    "topic",
    "partition",
    "le",
    "version",
    "revision",
    "job",
    "instance",
];
/// Labels that are not enums.
const ELSEWHERE: [&str; 1] = ["stage"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A metric in a query, with the values that its labels are compared with.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    place: String,
    family: String,
    labels: Vec<(String, String)>,
}

/// What a node exports: families, and the possible values of their labels.
struct Exported {
    families: BTreeSet<String>,
    values: BTreeMap<(String, String), BTreeSet<String>>,
}

impl Exported {
    fn new() -> Self {
        let registry = Registry::new(BuildInfo {
            version: "0",
            revision: "0",
        });
        let ingest = registry.add_ingest();
        let _ = ingest.topic("t");
        let mut families = BTreeSet::new();
        for family in registry.families() {
            families.insert(family.name.to_owned());
            if family.kind == Kind::Histogram {
                for part in ["bucket", "sum", "count"] {
                    families.insert(format!("{}_{part}", family.name));
                }
            }
        }
        let mut values = BTreeMap::<_, BTreeSet<_>>::new();
        for line in registry.render().unwrap().lines() {
            if let Some((name, rest)) = line.split_once('{')
                && !line.starts_with('#')
            {
                for (label, value) in matchers(rest) {
                    let values = values.entry((name.to_owned(), label)).or_default();
                    values.insert(value);
                }
            }
        }
        Self { families, values }
    }
}

/// Parses `a="b",c=~"d|e"}…` into pairs; each alternative of a pattern is a value.
fn matchers(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.find(['=', '!', '}'])
        && !rest[end..].starts_with('}')
    {
        let label = rest[..end].trim_start_matches([',', ' ']).to_owned();
        let Some((operator, quoted)) = rest[end..].split_once('"') else {
            break;
        };
        let Some((value, behind)) = quoted.split_once('"') else {
            break;
        };
        if operator.contains('~') {
            let all = value.split('|');
            found.extend(all.map(|value| (label.clone(), value.to_owned())));
        } else {
            found.push((label, value.to_owned()));
        }
        rest = behind;
    }
    found
}

/// The metrics in a query. Names with colons are those of recording rules.
fn asked(place: &str, query: &str) -> Vec<Asked> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut found = Vec::new();
    let mut rest = query;
    while let Some(start) = rest.find(is_word) {
        let len = rest[start..].find(|c| !is_word(c));
        let (word, behind) = rest[start..].split_at(len.unwrap_or(rest.len() - start));
        let is_ours = word.starts_with("tapecast_") || word.starts_with("process_");
        if is_ours && !word.contains(':') {
            let labels = behind.strip_prefix('{').map(matchers);
            found.push(Asked {
                place: place.to_owned(),
                family: word.to_owned(),
                labels: labels.unwrap_or_default(),
            });
        }
        rest = behind;
    }
    found
}

/// The values of a key in a YAML file, single lines and blocks.
fn yaml_texts(text: &str, key: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut texts = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let bare = line.trim_start().trim_start_matches("- ");
        let Some(value) = bare.strip_prefix(key).and_then(|v| v.strip_prefix(": ")) else {
            continue;
        };
        let indent = line.len() - bare.len();
        let block = lines[at + 1..].iter().take_while(|next| {
            value.starts_with('|') && next.len() - next.trim_start().len() > indent
        });
        let block: Vec<&str> = block.copied().collect();
        texts.push(format!("{value}\n{}", block.join("\n")));
    }
    texts
}

fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == ending) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            found.push((name, fs::read_to_string(path).unwrap()));
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folder} has no .{ending}");
    found
}

/// The queries of all alerts, recording rules and panels.
fn queries() -> Vec<Asked> {
    let mut all = Vec::new();
    for (name, text) in files("dashboards/mixin", "yaml") {
        for query in yaml_texts(&text, "expr") {
            all.extend(asked(&name, &query));
        }
    }
    for (name, text) in files("dashboards/json", "json") {
        for line in text.lines().map(str::trim) {
            let query = ["\"expr\": \"", "\"query\": \"", "\"definition\": \""]
                .iter()
                .find_map(|head| line.strip_prefix(head));
            if let Some(query) = query {
                all.extend(asked(&name, &query.replace("\\\"", "\"")));
            }
        }
    }
    all
}

/// The series in the tests of the alerts.
fn series() -> Vec<Asked> {
    let mut all = Vec::new();
    for (name, text) in files("dashboards/mixin/tests", "yaml") {
        for series in yaml_texts(&text, "series") {
            all.extend(asked(&name, &series));
        }
    }
    all
}

#[track_caller]
fn check_exported(all: &[Asked]) {
    let exported = Exported::new();
    let mut wrong = Vec::new();
    for Asked {
        place,
        family,
        labels,
    } in all
    {
        if !exported.families.contains(family) {
            wrong.push(format!("{place}: no family is called {family}"));
            continue;
        }
        for (label, value) in labels {
            if FREE.contains(&label.as_str()) || value.contains('$') || value.contains(".*") {
                continue;
            }
            let values = exported.values.get(&(family.clone(), label.clone()));
            match values {
                None => wrong.push(format!("{place}: {family} has no label {label}")),
                Some(values) if !values.contains(value) => {
                    wrong.push(format!("{place}: {label} of {family} is never {value:?}"));
                }
                Some(_) => {}
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(all.len() > 20, "only {} were found", all.len());
}

#[test]
fn alerts_rules_and_panels_ask_for_what_is_exported() {
    check_exported(&queries());
}

#[test]
fn alerts_are_tested_with_series_that_a_node_exports() {
    check_exported(&series());
}

/// Adds a label: by its key and values, the variant of each value.
fn variants<L: Label + std::fmt::Debug>(
    name: &str,
    all: &mut BTreeMap<(String, BTreeSet<String>), BTreeMap<String, String>>,
) {
    let values = L::ALL.iter().map(|value| value.value());
    let variants = L::ALL.iter().map(|value| {
        let variant = format!("{name}::{value:?}");
        // An outcome that carries a reason is counted where that reason is named.
        let variant = match variant.split_once('(') {
            Some((_, reason)) => format!("StartReason::{}", reason.trim_end_matches(')')),
            None => variant,
        };
        (value.value(), variant)
    });
    all.insert((L::KEY.to_owned(), values.collect()), variants.collect());
}

/// The shipped code, without tests.
fn shipped() -> String {
    let mut code = String::new();
    let mut folders: Vec<PathBuf> = [
        "tapecast",
        "node",
        "fanout",
        "fanout-core",
        "ingest",
        "streams",
    ]
    .map(|name| root().join("crates").join(name).join("src"))
    .into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("tests") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs")
            {
                let text = fs::read_to_string(path).unwrap();
                code += text.split("#[cfg(test)]\nmod tests").next().unwrap();
            }
        }
    }
    code
}

/// An alert on a value that exists and that no code counts can never fire.
#[test]
fn what_is_asked_for_is_counted_somewhere() {
    let mut enums = BTreeMap::new();
    variants::<Channel>("Channel", &mut enums);
    variants::<Encoding>("Encoding", &mut enums);
    variants::<State>("State", &mut enums);
    variants::<CloseReason>("CloseReason", &mut enums);
    variants::<HandshakeRefusal>("HandshakeRefusal", &mut enums);
    variants::<AuthRefusal>("AuthRefusal", &mut enums);
    variants::<ResumeOutcome>("ResumeOutcome", &mut enums);
    variants::<ErrorCode>("ErrorCode", &mut enums);
    variants::<ReplayRefusal>("ReplayRefusal", &mut enums);
    variants::<CheckpointRefusal>("CheckpointRefusal", &mut enums);
    variants::<DecodeOutcome>("DecodeOutcome", &mut enums);
    variants::<EventOutcome>("EventOutcome", &mut enums);
    variants::<LagKind>("LagKind", &mut enums);
    variants::<ThreadKind>("ThreadKind", &mut enums);
    variants::<BrokerError>("BrokerError", &mut enums);
    let exported = Exported::new();
    let code = shipped();
    let mut never = BTreeSet::new();
    for Asked { family, labels, .. } in queries() {
        for (label, value) in labels {
            if FREE.contains(&label.as_str()) || ELSEWHERE.contains(&label.as_str()) {
                continue;
            }
            let Some(values) = exported.values.get(&(family.clone(), label.clone())) else {
                continue;
            };
            let variants = enums.get(&(label.clone(), values.clone()));
            let variants = variants.unwrap_or_else(|| panic!("no enum is {label} of {family}"));
            if let Some(variant) = variants.get(&value)
                && !code.contains(variant)
            {
                never.insert(format!(
                    "{family}: no shipped code counts {label} {value:?}"
                ));
            }
        }
    }
    assert_eq!(never, BTreeSet::new());
}

#[test]
fn a_query_is_read_with_its_labels() {
    let query = r#"sum by (job) (rate(tapecast_a_total{kind!~"b|c",job=~"$job"}[5m])) / x:tapecast_b:y > process_c"#;
    let found = asked("here", query);
    let names: Vec<_> = found.iter().map(|asked| asked.family.as_str()).collect();
    assert_eq!(names, ["tapecast_a_total", "process_c"]);
    let labels: Vec<_> = found[0]
        .labels
        .iter()
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(labels, ["b", "c", "$job"]);
    let yaml = "  - alert: A\n    expr: |\n      a\n      > b\n    for: 5m\n  - expr: c\n";
    assert_eq!(yaml_texts(yaml, "expr"), ["|\n      a\n      > b", "c\n"]);
}
