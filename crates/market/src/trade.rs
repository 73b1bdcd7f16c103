use crate::{Aggressor, Price, Size};

/// One trade, as the venue reported it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trade<'a> {
    /// The trade's price.
    pub price: Price,
    /// The traded size.
    pub size: Size,
    /// The side that took liquidity.
    pub side: Aggressor,
    /// The venue's identifier; empty if there is none. At most 255 bytes.
    pub id: &'a str,
}
