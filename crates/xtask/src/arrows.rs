//! `cargo xtask arrows`: which crate may know which.
//!
//! Cargo itself refuses circles; what it cannot know is that a crate is meant to be free of IO, or
//! that two crates must stay strangers. [`table`] says so, with the reasons; [`graph`] reads the
//! real graph from Cargo; [`sources`] looks where the graph cannot: into the standard library.

mod graph;
mod sources;
mod table;

use crate::arguments::Arguments;
use crate::workspace::{self, Member};
use anyhow::bail;
use graph::Graph;
use table::{ARROWS, Arrows};

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    arguments.finish()?;
    check()
}

/// Looks at every crate, and fails with all the wrong arrows at once.
pub(crate) fn check() -> anyhow::Result<()> {
    let members = workspace::members()?;
    let mut wrong = Vec::new();
    for member in &members {
        let Some(arrows) = ARROWS.iter().find(|arrows| arrows.name == member.name) else {
            wrong.push(format!(
                "{}: has no row in crates/xtask/src/arrows/table.rs",
                member.name
            ));
            continue;
        };
        let graph = Graph::of(&member.name)?;
        wrong.extend(wrong_arrows(arrows, &graph, &members));
        if let Some(reason) = arrows.pure {
            for place in sources::impure(&member.directory.join("src"))? {
                wrong.push(format!("{}/src/{place}, but {reason}", member.name));
            }
        }
        println!("{:11} {} crates below it", member.name, graph.len());
    }
    if !wrong.is_empty() {
        bail!("{} wrong arrows\n  {}", wrong.len(), wrong.join("\n  "));
    }
    Ok(())
}

/// Each wrong arrow of one crate, with its path through the graph and the reason against it.
fn wrong_arrows(arrows: &Arrows, graph: &Graph, members: &[Member]) -> Vec<String> {
    let strangers = members
        .iter()
        .map(|member| member.name.as_str())
        .filter(|name| *name != arrows.name && !arrows.ours.contains(name))
        .map(|name| (name, arrows.reason));
    let banned = arrows
        .theirs_not
        .iter()
        .flat_map(|(names, reason)| names.iter().map(move |name| (*name, *reason)));
    strangers
        .chain(banned)
        .filter_map(|(name, reason)| {
            let path = graph.path_to(name)?;
            Some(format!("{}, but {reason}", path.join(" -> ")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str) -> Member {
        Member {
            name: name.to_owned(),
            directory: ".".into(),
        }
    }

    #[test]
    fn a_wrong_arrow_is_named_with_its_path_and_reason() {
        let arrows = Arrows {
            name: "wire",
            ours: &["market"],
            reason: "wire knows the market alone",
            theirs_not: &[(&["tokio"], "wire has no runtime")],
            pure: None,
        };
        let graph = Graph::parse("0|wire v1\n1|market v1\n1|streams v1\n2|helper v1\n3|tokio v1\n");
        let members = [
            member("market"),
            member("wire"),
            member("streams"),
            member("fanout"),
        ];
        assert_eq!(
            wrong_arrows(&arrows, &graph, &members),
            [
                "wire -> streams, but wire knows the market alone",
                "wire -> streams -> helper -> tokio, but wire has no runtime",
            ]
        );
    }

    #[test]
    fn every_arrow_points_one_way() {
        for arrows in ARROWS {
            for other in ARROWS
                .iter()
                .filter(|other| arrows.ours.contains(&other.name))
            {
                assert!(
                    !other.ours.contains(&arrows.name),
                    "{} <-> {}",
                    arrows.name,
                    other.name
                );
            }
        }
    }
}
