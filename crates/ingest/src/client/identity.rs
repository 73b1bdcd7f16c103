/// How librdkafka says that a topic has become another one.
const CHANGED: &str = " changed id from ";
/// The identity of a topic that it knew nothing of, as it writes it.
const UNKNOWN: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// The topic that a message of librdkafka says to have become another one.
///
/// When a topic is made anew under its reader, librdkafka notices by the UUID, and goes on in the
/// new one at the offset where it was in the old one ("FIXME: an offset reset must be triggered").
/// It tells nobody but its log. A test on a real broker holds it to these words.
pub(super) fn changed(text: &str) -> Option<&str> {
    let (before, ids) = text.split_once(CHANGED)?;
    let topic = before.rsplit(' ').next()?;
    (!ids.starts_with(UNKNOWN)).then_some(topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_identity_is_told_from_the_first_one() {
        let change = "[thrd:main]: Topic books.v1 changed id from pB1zEfvRTYSDOdAo4ZwZhA to 0aBcd";
        assert_eq!(changed(change), Some("books.v1"));
        let first = "[thrd:main]: Topic books changed id from AAAAAAAAAAAAAAAAAAAAAA to 0aBcd";
        assert_eq!(changed(first), None);
        assert_eq!(
            changed("[thrd:main]: Topic books [0] Leader 1 Epoch 0"),
            None
        );
    }
}
