//! Variables such as `TAPECAST_SESSION__PING_INTERVAL`, and flags, which override values of the file.

use std::collections::BTreeMap;

use super::error::ConfigError;
use super::schema::{Schema, nearest};
use super::value::{Node, Origin, Value};

/// Prefix of our variables. Each sets a key, is [`RESERVED`], or comes from Kubernetes; anything else is an error, so
/// that a typo does not silently leave a default.
const PREFIX: &str = "TAPECAST_";
const SEPARATOR: &str = "__";

/// Variables that are not keys: the path of the file, and variables of builds and tests.
const RESERVED: [&str; 5] = [
    "TAPECAST_CONFIG",
    "TAPECAST_REVISION",
    "TAPECAST_LOADTEST_REVISION",
    "TAPECAST_BIN",
    "TAPECAST_DATA",
];

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Name(String),
    Item(usize),
}

/// Sets all keys that have a variable, in the order of their paths.
pub(super) fn overlay(
    root: &mut BTreeMap<String, Node>,
    variables: &[(String, String)],
    schema: Schema,
    errors: &mut Vec<ConfigError>,
) {
    for (name, _) in variables {
        errors.extend(unknown(name, schema));
    }
    let mut ours: Vec<_> = variables
        .iter()
        .filter_map(|(name, value)| Some((name, steps(name)?, value)))
        .collect();
    // So that list items are added in order.
    ours.sort_by(|(_, a, _), (_, b, _)| a.cmp(b));
    for (name, steps, value) in ours {
        let node = Node {
            value: Value::Loose(value.clone()),
            origin: Origin::Environment(name.clone()),
        };
        if let Err(items) = set_in_table(root, &steps, node.clone()) {
            errors.push(ConfigError::wrong(
                show(&steps),
                &node,
                format!("items are numbered from 0 without a hole, and there are {items}"),
            ));
        }
    }
}

/// Sets the key of a flag.
pub(super) fn overlay_flag(root: &mut BTreeMap<String, Node>, path: &str, value: &str) {
    let steps: Vec<Step> = path
        .split('.')
        .map(|name| Step::Name(name.into()))
        .collect();
    let node = Node {
        value: Value::Loose(value.to_owned()),
        origin: Origin::Flag,
    };
    // Cannot fail: only paths with list items can, and flags have none.
    let _ = set_in_table(root, &steps, node);
}

/// The path that a variable sets, if any.
fn steps(name: &str) -> Option<Vec<Step>> {
    let path = name.strip_prefix(PREFIX)?;
    if !path.contains(SEPARATOR) {
        return None;
    }
    let mut steps = path.split(SEPARATOR).map(str::to_ascii_lowercase);
    // Names of librdkafka's properties have dots but no underscores; variables cannot have dots.
    if path.to_ascii_lowercase().starts_with("kafka__properties__") {
        let [kafka, properties] = [steps.next()?, steps.next()?];
        let property = steps.collect::<Vec<_>>().join(".").replace('_', ".");
        return Some([kafka, properties, property].map(Step::Name).into());
    }
    let steps = steps.map(|step| match step.parse() {
        Ok(number) => Step::Item(number),
        Err(_) => Step::Name(step),
    });
    Some(steps.collect())
}

/// Reports a variable with our prefix that sets no key. Its value may be a secret and is not shown.
fn unknown(name: &str, schema: Schema) -> Option<ConfigError> {
    let rest = name.strip_prefix(PREFIX)?;
    if rest.contains(SEPARATOR) || RESERVED.contains(&name) || is_service_link(rest) {
        return None;
    }
    let expected = match proposal(rest, schema) {
        Some(meant) => format!("there is no such variable; did you mean {meant}?"),
        None => {
            "there is no such variable; one that sets a key has two underscores after its section, \
                 such as TAPECAST_KAFKA__BROKERS"
                .to_owned()
        }
    };
    Some(ConfigError::unknown_variable(name, expected))
}

/// Returns whether Kubernetes sets such a variable for a Service called `tapecast` or `tapecast-…`:
/// `TAPECAST_SERVICE_HOST`, `TAPECAST_PORT`, `TAPECAST_PORT_8080_TCP_ADDR` and the like.
fn is_service_link(rest: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let mut words: Vec<&str> = rest.split('_').collect();
    if let Some(at) = words.windows(2).position(|two| two[0] == "SERVICE") {
        return words[at + 1] == "HOST" && words.len() == at + 2 || words[at + 1] == "PORT";
    }
    if matches!(words.last(), Some(&("ADDR" | "PROTO")))
        || words.len() > 3 && words.ends_with(&["PORT"])
    {
        words.pop();
    }
    match words.as_slice() {
        [.., "PORT"] => true,
        [.., "PORT", number, "TCP" | "UDP" | "SCTP"] => is_number(number),
        _ => false,
    }
}

/// The variable that was probably meant: one that differs in underscores or a few letters.
fn proposal(rest: &str, schema: Schema) -> Option<String> {
    let properties = "KAFKA_PROPERTIES_";
    if let Some(property) = rest.strip_prefix(properties) {
        return Some(format!("{PREFIX}KAFKA__PROPERTIES__{property}"));
    }
    let is_number = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    let numbers: Vec<&str> = rest.split('_').filter(is_number).collect();
    let wrong: Vec<&str> = rest
        .split('_')
        .map(|word| if is_number(&word) { "0" } else { word })
        .collect();
    let known: Vec<(String, String)> = schema
        .paths()
        .map(|path| {
            let name = path.replace("[]", ".0").replace('.', SEPARATOR);
            let name = name.to_ascii_uppercase();
            (name.replace(SEPARATOR, "_"), name)
        })
        .collect();
    let flat = nearest(
        &wrong.join("_"),
        known.iter().map(|(flat, _)| flat.as_str()),
    )?;
    let (_, name) = known.iter().find(|(known, _)| known == flat)?;
    let mut numbers = numbers.into_iter();
    let steps: Vec<&str> = name
        .split(SEPARATOR)
        .map(|step| match step {
            "0" => numbers.next().unwrap_or("0"),
            step => step,
        })
        .collect();
    Some(format!("{PREFIX}{}", steps.join(SEPARATOR)))
}

/// Sets the value at a path. A value of another shape in between is kept and reported later. Fails with the number
/// of items if an item is not the next one.
fn set_in_table(
    table: &mut BTreeMap<String, Node>,
    steps: &[Step],
    node: Node,
) -> Result<(), usize> {
    let [first, rest @ ..] = steps else {
        return Ok(());
    };
    let name = match first {
        Step::Name(name) => name.clone(),
        Step::Item(number) => number.to_string(),
    };
    let Some(next) = rest.first() else {
        table.insert(name, node);
        return Ok(());
    };
    let child = table.entry(name).or_insert_with(|| Node {
        value: empty(next),
        origin: node.origin.clone(),
    });
    set_in_node(child, rest, node)
}

fn set_in_node(parent: &mut Node, steps: &[Step], node: Node) -> Result<(), usize> {
    match (&mut parent.value, steps) {
        (Value::Table(table), _) => set_in_table(table, steps, node),
        (Value::List(items), [Step::Item(at), rest @ ..]) => {
            let count = items.len();
            if *at > count {
                return Err(count);
            }
            if *at == count {
                items.push(Node {
                    value: rest.first().map_or_else(|| node.value.clone(), empty),
                    origin: node.origin.clone(),
                });
            }
            match items.get_mut(*at) {
                Some(item) if rest.is_empty() => *item = node,
                Some(item) => return set_in_node(item, rest, node),
                None => {}
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn empty(next: &Step) -> Value {
    match next {
        Step::Name(_) => Value::Table(BTreeMap::new()),
        Step::Item(_) => Value::List(Vec::new()),
    }
}

fn show(steps: &[Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Name(name) if path.is_empty() => path.push_str(name),
            Step::Name(name) => path.push_str(&format!(".{name}")),
            Step::Item(number) => path.push_str(&format!("[{number}]")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::super::SCHEMA;
    use super::*;

    #[test]
    fn variables_of_a_kubernetes_service_of_our_name_are_ignored() {
        for rest in [
            "SERVICE_HOST",
            "SERVICE_PORT",
            "SERVICE_PORT_HTTP",
            "PORT",
            "PORT_8080_TCP",
            "PORT_8080_TCP_PROTO",
            "PORT_8080_TCP_PORT",
            "PORT_8080_TCP_ADDR",
            "ADMIN_SERVICE_HOST",
            "ADMIN_PORT_9464_TCP_ADDR",
        ] {
            assert!(is_service_link(rest), "{rest}");
        }
        for rest in [
            "KAFKA_BROKERS",
            "PUBLIC_LISTEN",
            "PORT_X_TCP",
            "SERVICE",
            "",
        ] {
            assert!(!is_service_link(rest), "{rest}");
        }
    }

    #[test]
    fn a_variable_is_suggested_with_the_numbers_of_its_items() {
        for (rest, meant) in [
            ("KAFKA_BROKERS", "TAPECAST_KAFKA__BROKERS"),
            ("KAFKA_BROKER", "TAPECAST_KAFKA__BROKERS"),
            ("TOPICS_3_PATTERN", "TAPECAST_TOPICS__3__PATTERN"),
            (
                "INSTRUMENTS_RULES_12_MATCH",
                "TAPECAST_INSTRUMENTS__RULES__12__MATCH",
            ),
            (
                "KAFKA_PROPERTIES_SASL_PASSWORD",
                "TAPECAST_KAFKA__PROPERTIES__SASL_PASSWORD",
            ),
        ] {
            assert_eq!(proposal(rest, SCHEMA).as_deref(), Some(meant));
        }
        assert_eq!(proposal("COLOUR", SCHEMA), None);
    }
}
