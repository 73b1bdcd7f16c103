use crate::{Aggressor, Price, Size};

/// One trade, as the venue reported it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trade<'a> {
    /// At what price.
    pub price: Price,
    /// How much.
    pub size: Size,
    /// Who took liquidity.
    pub side: Aggressor,
    /// The venue's own identifier, as text; empty when there is none. At most 255 bytes.
    pub id: &'a str,
}
