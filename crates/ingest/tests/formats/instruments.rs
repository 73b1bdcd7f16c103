use std::collections::HashMap;

use ingest::{Rejection, Resolve, Resolved};
use market::{Exponents, Handle, InstrumentName};

/// The instruments of a node: every name becomes one, unless they are listed.
#[derive(Default)]
pub(crate) struct Instruments {
    by_name: HashMap<String, HashMap<String, Resolved>>,
    scales: HashMap<&'static str, Exponents>,
    /// Rejects every name without a listed scale.
    pub(crate) listed_only: bool,
    count: u32,
}

impl Instruments {
    /// New instruments get the scale that is listed for their name, or the default.
    pub(crate) fn new(scales: &[(&'static str, i8, i8)]) -> Self {
        let scales = scales
            .iter()
            .map(|(name, price, size)| {
                let scale = Exponents {
                    price: *price,
                    size: *size,
                };
                (*name, scale)
            })
            .collect();
        Self {
            scales,
            ..Self::default()
        }
    }
}

impl Resolve for Instruments {
    fn resolve(&mut self, venue: &str, symbol: &str) -> Result<Resolved, Rejection> {
        if let Some(known) = self.by_name.get(venue).and_then(|all| all.get(symbol)) {
            return Ok(*known);
        }
        let name = InstrumentName::new(venue, symbol)?;
        let scale = self.scales.get(name.as_str()).copied();
        if self.listed_only && scale.is_none() {
            return Err(Rejection::UnknownInstrument);
        }
        let resolved = Resolved {
            handle: Handle(self.count),
            exponents: scale.unwrap_or_default(),
        };
        self.count += 1;
        let venue = self.by_name.entry(venue.to_owned()).or_default();
        venue.insert(symbol.to_owned(), resolved);
        Ok(resolved)
    }

    fn find(&mut self, venue: &str, symbol: &str) -> Option<Handle> {
        let known = self.by_name.get(venue)?.get(symbol)?;
        Some(known.handle)
    }
}
