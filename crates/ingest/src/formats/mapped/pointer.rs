/// A JSON pointer (RFC 6901) in the configuration: into the message, or with a leading `#` into the
/// record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pointer {
    pub(super) from_record: bool,
    pub(super) steps: Vec<String>,
}

/// The description of a pointer in errors.
pub(super) const EXPECTED: &str = r##"a JSON pointer into the message, such as "/data/bids", or into the record, such as "#/type"; several are separated by spaces"##;

impl Pointer {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (from_record, text) = match text.strip_prefix('#') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if text.is_empty() {
            return Some(Self {
                from_record,
                steps: Vec::new(),
            });
        }
        let steps = text.strip_prefix('/')?.split('/').map(unescape);
        Some(Self {
            from_record,
            steps: steps.collect::<Option<_>>()?,
        })
    }

    /// The steps from the root of the record, if the message is at `envelope`.
    pub(super) fn within(&self, envelope: &[String]) -> Vec<String> {
        let before = if self.from_record { &[] } else { envelope };
        [before, &self.steps].concat()
    }
}

/// `~1` is a slash and `~0` a tilde; there are no other escapes.
fn unescape(step: &str) -> Option<String> {
    let mut parts = step.split('~');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let (escaped, rest) = match part.as_bytes().first()? {
            b'0' => ('~', part.get(1..)?),
            b'1' => ('/', part.get(1..)?),
            _ => return None,
        };
        out.push(escaped);
        out.push_str(rest);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(bool, &[&str])>) {
        let parsed = Pointer::parse(text);
        let expected = expected.map(|(from_record, steps)| Pointer {
            from_record,
            steps: steps.iter().map(|step| (*step).to_owned()).collect(),
        });
        assert_eq!(parsed, expected, "{text}");
    }

    #[test]
    fn pointers_are_those_of_the_rfc() {
        check("", Some((false, &[])));
        check("/", Some((false, &[""])));
        check("/a/0", Some((false, &["a", "0"])));
        check("#/a~1b/m~0n", Some((true, &["a/b", "m~n"])));
        check("/~01", Some((false, &["~1"])));
        check("data", None);
        check("/a~2", None);
        check("/a~", None);
    }
}
