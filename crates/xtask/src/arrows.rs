//! `cargo xtask arrows`: which crate may use which, and that the files of a crate form no circle.
//!
//! Cargo itself rejects circles of crates. What it cannot know is that a crate is meant to be free of
//! IO, or that two crates must not know each other: [`table`] says so, with the reasons, and
//! [`graph`] reads the real graph from Cargo. [`modules`] reads which file uses which, and
//! [`circles`] looks for circles there. The standard library is in neither graph: that the pure
//! crates use no clock, file, socket or thread is enforced by clippy, with [`PURE_LINTS`].

mod circles;
mod graph;
mod modules;
mod table;

use crate::members::{self, Member};
use anyhow::bail;
use graph::Graph;
use modules::Modules;
use std::fs;
use table::{ARROWS, Arrows, KNOWN_CIRCLES};

/// The clippy configuration of all pure crates, relative to the directory of one of them.
const PURE_LINTS: &str = "../pure.clippy.toml";

/// Checks every crate, and reports all the wrong arrows at once.
pub(crate) fn check() -> anyhow::Result<()> {
    let members = members::members()?;
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
        if arrows.is_pure && !has_pure_lints(member) {
            wrong.push(format!(
                "{}: is pure, so its .clippy.toml must be a link to {PURE_LINTS}",
                member.name
            ));
        }
        let circles = wrong_circles(member)?;
        wrong.extend(
            circles
                .iter()
                .map(|circle| format!("{}: {circle}", member.name)),
        );
        println!("{:11} {} crates below it", member.name, graph.len());
    }
    for (name, files) in KNOWN_CIRCLES {
        println!(
            "{name:11} circles are still allowed through {}",
            files.join(", ")
        );
    }
    if !wrong.is_empty() {
        bail!("{} wrong arrows\n  {}", wrong.len(), wrong.join("\n  "));
    }
    Ok(())
}

fn has_pure_lints(member: &Member) -> bool {
    let link = fs::read_link(member.directory.join(".clippy.toml"));
    link.is_ok_and(|target| target.as_os_str() == PURE_LINTS)
}

fn wrong_circles(member: &Member) -> anyhow::Result<Vec<String>> {
    let sources = member.directory.join("src");
    let known = KNOWN_CIRCLES.iter().find(|(name, _)| *name == member.name);
    let known = known.map_or(&[][..], |(_, files)| files);
    let mut found = Vec::new();
    for root in ["lib.rs", "main.rs"] {
        if sources.join(root).is_file() {
            found.extend(circles::circles(&Modules::read(&sources, root)?));
        }
    }
    Ok(circles::wrong(&found, known))
}

/// The wrong arrows of one crate, each with its path through the graph and the reason against it.
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
    use crate::workspace;

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
            is_pure: false,
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
    fn a_pure_crate_without_the_lints_is_found() {
        let member = |name: &str| Member {
            directory: workspace::root().join("crates").join(name),
            ..member(name)
        };
        assert!(has_pure_lints(&member("market")));
        assert!(!has_pure_lints(&member("fanout")));
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
