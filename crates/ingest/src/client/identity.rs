/// The text of librdkafka's log message about a recreated topic.
const CHANGED: &str = " changed id from ";
/// A zero UUID, as librdkafka writes it: the topic was unknown before.
const UNKNOWN_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// The topic that was recreated according to a log message of librdkafka; `None` for other
/// messages.
///
/// If a topic is recreated while it is read, librdkafka notices the new UUID, but continues at its
/// offset in the old topic ("FIXME: an offset reset must be triggered"). It reports this only in
/// its log. A test with a real broker verifies the text.
pub(super) fn recreated_topic(text: &str) -> Option<&str> {
    let (before, ids) = text.split_once(CHANGED)?;
    let topic = before.rsplit(' ').next()?;
    (!ids.starts_with(UNKNOWN_ID)).then_some(topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_identity_is_told_from_the_first_one() {
        let change = "[thrd:main]: Topic books.v1 changed id from pB1zEfvRTYSDOdAo4ZwZhA to 0aBcd";
        assert_eq!(recreated_topic(change), Some("books.v1"));
        let first = "[thrd:main]: Topic books changed id from AAAAAAAAAAAAAAAAAAAAAA to 0aBcd";
        assert_eq!(recreated_topic(first), None);
        assert_eq!(
            recreated_topic("[thrd:main]: Topic books [0] Leader 1 Epoch 0"),
            None
        );
    }
}
