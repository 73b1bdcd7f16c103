use std::fmt::Write as _;

use simd_json::tape::Node;

use super::{Document, Fault, ROOT, TapePos, Texts};
use crate::Excerpt;

impl Document<'_, '_> {
    /// The path of an error, such as `data.b[3][1]`; empty for the whole record.
    #[cold]
    pub(crate) fn path(&self, fault: &Fault) -> String {
        let mut path = String::new();
        let mut here = ROOT;
        while here != fault.pos {
            let Some(inner) = self.step(here, fault.pos, &mut path) else {
                break;
            };
            here = inner;
        }
        if let Some(field) = fault.missing {
            push_key(&mut path, field);
        }
        path
    }

    /// The start of the value at an error; empty if a field is missing.
    #[cold]
    pub(crate) fn excerpt(&self, fault: &Fault) -> Excerpt {
        if fault.missing.is_some() {
            return Excerpt::default();
        }
        let rest = Texts::new().from(self, fault.pos);
        let after = Texts::new().from(self, self.after(fault.pos));
        let value = &rest[..rest.len().saturating_sub(after.len())];
        // What follows the value is trimmed. No scalar ends with these bytes, and a container may
        // keep the brackets of its parents.
        let tail: &[u8] = match self.node(fault.pos) {
            Node::String(_) | Node::Static(_) => b" \t\r\n,:}]",
            Node::Object { .. } | Node::Array { .. } => b" \t\r\n,",
        };
        let last = value.iter().rposition(|byte| !tail.contains(byte));
        Excerpt::of(last.map_or(value, |last| &value[..=last]))
    }

    /// Descends from a container to the child that contains `target`.
    fn step(&self, container: TapePos, target: TapePos, path: &mut String) -> Option<TapePos> {
        if let Ok(members) = self.members(container) {
            for (key, value) in members {
                // If keys are prices, the error may be at the key itself.
                if target < self.after(value) {
                    push_key(path, key);
                    return (target >= value).then_some(value);
                }
            }
        } else if let Ok(elements) = self.elements(container) {
            for (index, element) in elements.enumerate() {
                if target < self.after(element) {
                    let _ = write!(path, "[{index}]");
                    return Some(element);
                }
            }
        }
        None
    }
}

/// Adds a key, which may be anything: unless it is a plain name it is quoted and shortened.
fn push_key(path: &mut String, key: &str) {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !key.is_empty() && key.len() <= 32 && key.chars().all(plain) {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
    } else {
        let _ = write!(path, "[\"{}\"]", Excerpt::of(key.as_bytes()).as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[track_caller]
    fn check(source: &str, pos: TapePos, path: &str, excerpt: &str) {
        let mut copy = source.as_bytes().to_vec();
        let mut buffers = simd_json::Buffers::default();
        let mut tape = simd_json::Tape::null();
        simd_json::fill_tape(&mut copy, &mut buffers, &mut tape).unwrap();
        let document = Document::new(&tape.0, buffers.structural_indexes(), source.as_bytes());
        let fault = Fault::at(pos, ErrorKind::NegativeSize);
        assert_eq!(document.path(&fault), path);
        assert_eq!(document.excerpt(&fault).as_str(), excerpt);
    }

    #[test]
    fn a_place_is_named_by_its_path_and_shown() {
        let source = r#"{"data": {"b": [["1","2"], ["3","x"] ], "0.5": 1e-7 }, "e":null}"#;
        check(source, 0, "", source);
        check(
            source,
            2,
            "data",
            r#"{"b": [["1","2"], ["3","x"] ], "0.5": 1e-7 }"#,
        );
        check(source, 10, "data.b[1][1]", r#""x""#);
        check(source, 11, r#"data["0.5"]"#, r#""0.5""#);
        check(source, 12, r#"data["0.5"]"#, "1e-7");
        check(source, 14, "e", "null");
    }
}
