//! Import cycles between the files of a crate.

use super::modules::Modules;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};

/// A cycle of files: each uses the next, and the last uses the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Circle(Vec<PathBuf>);

/// Everything wrong with the circles of a crate: those through files that are not `known` to be on
/// one, and known files that are on none any more.
pub(super) fn wrong(circles: &[Circle], known: &[&str]) -> Vec<String> {
    let is_known = |file: &PathBuf| known.iter().any(|known| Path::new(known) == file);
    let new = circles
        .iter()
        .filter(|circle| !circle.0.iter().all(is_known))
        .map(|circle| format!("circle {circle}"));
    let is_on_circle = |file: &str| {
        let mut files = circles.iter().flat_map(|circle| &circle.0);
        files.any(|other| other == Path::new(file))
    };
    let open = known
        .iter()
        .filter(|file| !is_on_circle(file))
        .map(|file| format!("{file} is on no circle any more: remove it from KNOWN_CIRCLES"));
    new.chain(open).collect()
}

/// The shortest circle through each file that is on one, without repetitions.
pub(super) fn circles(modules: &Modules) -> Vec<Circle> {
    let arrows = modules.arrows();
    let mut found: Vec<Circle> = Vec::new();
    for file in arrows.keys() {
        let Some(circle) = shortest(file, &arrows) else {
            continue;
        };
        let files: BTreeSet<_> = circle.0.iter().collect();
        let is_new = |other: &Circle| other.0.iter().collect::<BTreeSet<_>>() != files;
        if found.iter().all(is_new) {
            found.push(circle);
        }
    }
    found
}

/// The shortest path from a file back to itself.
fn shortest(start: &Path, arrows: &BTreeMap<&Path, BTreeSet<&Path>>) -> Option<Circle> {
    let mut came_from = BTreeMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(file) = waiting.pop_front() {
        for next in arrows.get(file).into_iter().flatten() {
            if *next == start {
                let back = std::iter::successors(Some(file), |file| came_from.get(file).copied());
                let mut circle: Vec<PathBuf> = back.map(Path::to_owned).collect();
                circle.reverse();
                return Some(Circle(circle));
            }
            if !came_from.contains_key(next) {
                came_from.insert(*next, file);
                waiting.push_back(*next);
            }
        }
    }
    None
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for file in &self.0 {
            write!(f, "{} -> ", file.display())?;
        }
        write!(f, "{}", self.0[0].display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three files in a circle, and a fourth that uses one of them.
    fn modules() -> Modules {
        Modules::parse(&[
            ("lib.rs", "mod a; mod b; mod c; mod d;"),
            ("a.rs", "use crate::b::B; pub struct A;"),
            ("b.rs", "use super::c; pub struct B(c::C);"),
            ("c.rs", "pub struct C(crate::a::A);"),
            ("d.rs", "use crate::a::A;"),
        ])
    }

    #[test]
    fn a_circle_is_shown_from_file_to_file() {
        let wrong = wrong(&circles(&modules()), &["a.rs", "b.rs"]);
        assert_eq!(wrong, ["circle a.rs -> b.rs -> c.rs -> a.rs"]);
    }

    #[test]
    fn a_known_circle_may_stay_until_it_is_broken() {
        let known = ["a.rs", "b.rs", "c.rs", "d.rs"];
        let wrong = wrong(&circles(&modules()), &known);
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(wrong[0].starts_with("d.rs is on no circle any more"));
    }
}
