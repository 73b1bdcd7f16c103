use super::{Document, TapePos};

/// Finds the source text of values, in step with the tape.
///
/// simd-json's first stage notes the offsets of all brackets, commas, colons and starts of scalars.
/// All of these except commas, colons and closing brackets start a value or a key, as does every
/// node of the tape: the n-th such offset is that of the n-th node. It is cheapest to query
/// positions in document order.
pub(crate) struct Texts {
    pos: TapePos,
    structural: usize,
}

impl Texts {
    pub(crate) const fn new() -> Self {
        Self {
            pos: 0,
            structural: 0,
        }
    }

    /// The source text of a number.
    #[inline]
    pub(crate) fn number<'a>(&mut self, document: &Document<'_, 'a>, pos: TapePos) -> &'a [u8] {
        let rest = self.from(document, pos);
        // A number is followed by whitespace, a comma, a bracket or nothing.
        let next = document.structurals.get(self.structural + 1);
        let end = next.map_or(document.source.len(), |next| offset(*next));
        let begin = document.source.len() - rest.len();
        let text = document.source.get(begin..end).unwrap_or_default();
        text.trim_ascii_end()
    }

    /// The source text from the start of a value to the end; empty if there is no such value.
    #[inline]
    pub(crate) fn from<'a>(&mut self, document: &Document<'_, 'a>, pos: TapePos) -> &'a [u8] {
        if pos < self.pos {
            *self = Self::new();
        }
        while let Some(structural) = document.structurals.get(self.structural) {
            let begin = offset(*structural);
            match document.source.get(begin) {
                None => break,
                Some(b',' | b':' | b'}' | b']') => {}
                Some(_) if self.pos == pos => {
                    return document.source.get(begin..).unwrap_or_default();
                }
                Some(_) => self.pos += 1,
            }
            self.structural += 1;
        }
        &[]
    }
}

/// simd-json's offsets have 32 bits, and no address has fewer.
#[inline]
fn offset(structural: u32) -> usize {
    usize::try_from(structural).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use simd_json::tape::Node;

    #[track_caller]
    fn check(source: &str) {
        let mut copy = source.as_bytes().to_vec();
        let mut buffers = simd_json::Buffers::default();
        let mut tape = simd_json::Tape::null();
        simd_json::fill_tape(&mut copy, &mut buffers, &mut tape).unwrap();
        let document = Document::new(&tape.0, buffers.structural_indexes(), source.as_bytes());
        let mut forward = Texts::new();
        for pos in 0..tape.0.len() {
            let text = forward.from(&document, pos);
            assert_eq!(text, Texts::new().from(&document, pos));
            match document.node(pos) {
                Node::Object { .. } => assert_eq!(text[0], b'{', "{source}"),
                Node::Array { .. } => assert_eq!(text[0], b'[', "{source}"),
                Node::String(_) => assert_eq!(text[0], b'"', "{source}"),
                Node::Static(value) => {
                    let text = std::str::from_utf8(forward.number(&document, pos)).unwrap();
                    let Ok(number) = text.parse::<f64>() else {
                        continue;
                    };
                    assert_eq!(number.to_bits(), as_f64(value).to_bits(), "{source}");
                }
            }
        }
        assert!(forward.from(&document, tape.0.len()).is_empty());
    }

    #[expect(clippy::cast_precision_loss, reason = "small whole numbers")]
    fn as_f64(value: simd_json::StaticNode) -> f64 {
        match value {
            simd_json::StaticNode::U64(number) => number as f64,
            simd_json::StaticNode::I64(number) => number as f64,
            simd_json::StaticNode::F64(number) => number,
            other => panic!("{other:?} is no number"),
        }
    }

    #[test]
    fn every_value_is_found_where_it_stands() {
        check(r#"{"a":{"0.35":672,"9.3e-7":4.72e2},"b":[[1,2.50],[3,-4]],"c":null,"d":true}"#);
        check(" { \"a\\\"{,\" : [ 1 , { } , [ ] , \"]\" , 2 ] ,\n\t\"\u{e9}\" : 1.5 } ");
        check("[1]");
        check("7");
        check("[[[[1.0]]],0.10,[],{},\"\\\\\",3]");
    }
}
