//! The dependency graph of one crate, as Cargo resolves it for that crate alone.

use crate::command;

/// The dependencies of a crate, without those of its tests and build scripts.
///
/// `cargo tree` rather than `cargo metadata`, which unifies the features of the whole workspace and
/// so shows arrows that the crate by itself does not have.
#[derive(Debug)]
pub(super) struct Graph {
    /// Depth and name, each crate before its dependencies.
    nodes: Vec<(usize, String)>,
}

impl Graph {
    /// The graph of a member of the workspace, for all platforms.
    pub(super) fn of(name: &str) -> anyhow::Result<Self> {
        let mut cargo = command::cargo(&["tree", "--edges", "normal", "--target", "all"]);
        cargo.args(["--prefix", "depth", "--format", "|{p}", "--package", name]);
        Ok(Self::parse(&command::output(&mut cargo)?))
    }

    /// Parses lines like `2|tokio v1.54.1 (*)`, where `*` marks a crate whose dependencies were
    /// listed before.
    pub(super) fn parse(tree: &str) -> Self {
        let nodes = tree.lines().filter_map(|line| {
            let (depth, package) = line.split_once('|')?;
            Some((depth.parse().ok()?, package.split(' ').next()?.to_owned()))
        });
        Self {
            nodes: nodes.collect(),
        }
    }

    /// The names on the path from the root to a crate, if it is in the graph.
    pub(super) fn path_to(&self, name: &str) -> Option<Vec<&str>> {
        let mut path: Vec<&str> = Vec::new();
        for (depth, node) in &self.nodes {
            path.truncate(*depth);
            path.push(node);
            if node == name {
                return Some(path);
            }
        }
        None
    }

    /// The number of distinct dependencies.
    pub(super) fn len(&self) -> usize {
        let mut names: Vec<&str> = self.nodes.iter().skip(1).map(|(_, name)| &**name).collect();
        names.sort_unstable();
        names.dedup();
        names.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_through_those_that_ask_for_it() {
        let graph = Graph::parse("0|a v1\n1|b v1\n2|c v1\n1|d v1\n2|e v1 (*)\n1|c v1 (*)\n");
        assert_eq!(graph.path_to("e"), Some(vec!["a", "d", "e"]));
        assert_eq!(graph.path_to("c"), Some(vec!["a", "b", "c"]));
        assert_eq!(graph.path_to("f"), None);
        assert_eq!(graph.len(), 4);
    }
}
