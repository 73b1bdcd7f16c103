//! Variables such as `TAPECAST_SESSION__PING_INTERVAL`, and flags, laid over the file's values.

use std::collections::BTreeMap;

use super::mistake::Mistake;
use super::value::{Node, Origin, Value};

/// What the name of every variable of ours begins with. Without a double underscore behind it, a
/// variable is no key: `TAPECAST_DATA`, for example, belongs to the tests.
const PREFIX: &str = "TAPECAST_";
const SEPARATOR: &str = "__";

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Name(String),
    Item(usize),
}

/// Lays the variables that are keys over `root`, in the order of their paths.
pub(super) fn overlay(
    root: &mut BTreeMap<String, Node>,
    variables: &[(String, String)],
    mistakes: &mut Vec<Mistake>,
) {
    let mut ours: Vec<_> = variables
        .iter()
        .filter_map(|(name, value)| Some((name, steps(name)?, value)))
        .collect();
    // So that items of lists come in the order of their numbers.
    ours.sort_by(|(_, a, _), (_, b, _)| a.cmp(b));
    for (name, steps, value) in ours {
        let node = Node {
            value: Value::Loose(value.clone()),
            origin: Origin::Environment(name.clone()),
        };
        if let Err(items) = set_in_table(root, &steps, node.clone()) {
            mistakes.push(Mistake::wrong(
                show(&steps),
                &node,
                format!("items are numbered from 0 without a hole, and there are {items}"),
            ));
        }
    }
}

/// Lays one flag over `root`.
pub(super) fn overlay_flag(root: &mut BTreeMap<String, Node>, path: &str, value: &str) {
    let steps: Vec<Step> = path
        .split('.')
        .map(|name| Step::Name(name.into()))
        .collect();
    let node = Node {
        value: Value::Loose(value.to_owned()),
        origin: Origin::Flag,
    };
    // A flag's path has no items, which alone could be wrong.
    let _ = set_in_table(root, &steps, node);
}

/// The path that a variable's name means, when it means one.
fn steps(name: &str) -> Option<Vec<Step>> {
    let path = name.strip_prefix(PREFIX)?;
    if !path.contains(SEPARATOR) {
        return None;
    }
    let mut steps = path.split(SEPARATOR).map(str::to_ascii_lowercase);
    // Names of librdkafka's properties have dots and no underscores; variables cannot have dots.
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

/// Sets the value at a path. Where something of another shape is in the way, that stays, and is
/// found wrong later. Fails with the number of items when an item is out of their sequence.
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
