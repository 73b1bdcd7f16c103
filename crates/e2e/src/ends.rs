//! Where streams end, as a node reports it to a new subscriber.

use serde_json::{Value, json};
use wire::SUBPROTOCOL_JSON;

use crate::socket::Socket;
use crate::{Node, wait};

/// A subscriber gets the state of its streams at once.
const WITHIN: std::time::Duration = std::time::Duration::from_secs(20);

/// The last `seq` of each of these streams: of books, best bids and offers, and trades.
///
/// Covers every record that the node has counted in `tapecast_records_total`.
#[must_use]
pub fn of<const N: usize>(node: &Node, streams: &[Value; N]) -> [i64; N] {
    let mut socket = Socket::connect(node.public(), SUBPROTOCOL_JSON);
    socket.request(&json!({"op": "subscribe", "streams": streams.as_slice()}).to_string());
    let answer = socket.answer();
    let views = std::array::from_fn::<_, N, _>(|index| {
        let result = &answer["results"][index];
        assert_eq!(result["ok"], true, "{answer}");
        &result["view"]
    });
    let mut ends = [None; N];
    wait::until_read(WITHIN, "the ends of streams", || {
        let message = socket.frame().expect("the session stays").json()?;
        let channel = match message["type"].as_str()? {
            "BookSnapshot" => "book",
            "Bbo" => "bbo",
            // Trades start with the `seq` that they follow.
            "Heartbeat" if message["channel"] == "TRADES" => "trades",
            _ => return None,
        };
        for (index, end) in ends.iter_mut().enumerate() {
            if streams[index]["channel"] == channel && *views[index] == message["view"] {
                *end = message["seq"].as_i64();
            }
        }
        ends.iter().all(Option::is_some).then_some(())
    });
    ends.map(|end| end.expect("it was waited for"))
}
