use crate::json::{Document, Fault, Field, Repeated, TapePos};

/// The fields of a message. The meaning of a letter depends on the event type.
#[derive(Default)]
pub(super) struct Fields {
    /// `stream` and `data` of a combined stream.
    pub(super) stream: Field,
    pub(super) data: Field,
    /// `e`: the event type.
    pub(super) kind: Field,
    /// `E` and `T`.
    pub(super) event_time: Field,
    pub(super) trade_time: Field,
    /// `s`, or `symbol` from REST.
    pub(super) symbol: Field,
    /// `U`, `u` and `pu`.
    pub(super) first_id: Field,
    pub(super) final_id: Field,
    pub(super) prev_id: Field,
    /// Bids, asks, or identifiers.
    pub(super) b: Field,
    pub(super) a: Field,
    pub(super) t: Field,
    /// `p`, `q` and `m` of a trade.
    pub(super) price: Field,
    pub(super) size: Field,
    pub(super) maker: Field,
    /// `X` of a futures trade: what kind it is.
    pub(super) execution: Field,
    /// The fields of a REST snapshot.
    pub(super) last_update_id: Field,
    pub(super) bids: Field,
    pub(super) asks: Field,
    /// `result` of a response.
    pub(super) result: Field,
    pub(super) repeated: Repeated,
}

impl Fields {
    #[inline]
    pub(super) fn of(document: &Document<'_, '_>, message: TapePos) -> Result<Self, Fault> {
        let mut fields = Self::default();
        let mut repeated = Repeated::default();
        for (key, value) in document.members(message)? {
            let field = match key.as_bytes() {
                [letter] => match letter {
                    b'e' => &mut fields.kind,
                    b'E' => &mut fields.event_time,
                    b'T' => &mut fields.trade_time,
                    b's' => &mut fields.symbol,
                    b'U' => &mut fields.first_id,
                    b'u' => &mut fields.final_id,
                    b'b' => &mut fields.b,
                    b'a' => &mut fields.a,
                    b't' => &mut fields.t,
                    b'p' => &mut fields.price,
                    b'q' => &mut fields.size,
                    b'm' => &mut fields.maker,
                    b'X' => &mut fields.execution,
                    _ => continue,
                },
                b"pu" => &mut fields.prev_id,
                b"bids" => &mut fields.bids,
                b"asks" => &mut fields.asks,
                b"symbol" => &mut fields.symbol,
                b"lastUpdateId" => &mut fields.last_update_id,
                b"stream" => &mut fields.stream,
                b"data" => &mut fields.data,
                b"result" => &mut fields.result,
                _ => continue,
            };
            repeated.note(field, value);
        }
        fields.repeated = repeated;
        Ok(fields)
    }
}
