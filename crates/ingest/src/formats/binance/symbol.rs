use super::fields::Fields;
use super::stream::Stream;
use crate::json::{Fault, TapePos};
use crate::record_reader::RecordReader;
use crate::{ErrorKind, Resolve, Resolved};

/// The longest symbol that is converted to upper case, which is also the longest of a valid name.
const MAX_SYMBOL: usize = 64;

/// Resolves the instrument of a message, by the first that exists of the message's own symbol, the
/// stream's, the record key's and the topic's.
#[inline]
pub(super) fn resolve<R: Resolve>(
    message: TapePos,
    fields: &Fields,
    stream: &Stream<'_>,
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Resolved, Fault> {
    let (symbol, pos) = match fields.symbol.get() {
        Some(pos) => (reader.document.text(pos)?, pos),
        None => {
            let source = reader.source;
            let symbol = stream
                .symbol()
                .or_else(|| of_key(reader.key, &source.venue))
                .or(source.symbol.as_deref())
                .ok_or(Fault::at(message, ErrorKind::MissingSymbol))?;
            (symbol, message)
        }
    };
    let venue = &reader.source.venue;
    if !symbol.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return reader.resolve(instruments, (venue, symbol), pos);
    }
    let mut upper = [0; MAX_SYMBOL];
    let upper = upper
        .get_mut(..symbol.len())
        .ok_or(Fault::at(pos, ErrorKind::TooLong { limit: MAX_SYMBOL }))?;
    upper.copy_from_slice(symbol.as_bytes());
    upper.make_ascii_uppercase();
    // Only ASCII letters were changed, so it is still UTF-8.
    let upper = std::str::from_utf8(upper).unwrap_or(symbol);
    reader.resolve(instruments, (venue, upper), pos)
}

/// The symbol in a record's key: `BTCUSDT`, or the instrument's full name. Keys are often something
/// else, so only what looks like a symbol of Binance is taken for one.
pub(super) fn of_key<'k>(key: Option<&'k [u8]>, venue: &str) -> Option<&'k str> {
    let key = std::str::from_utf8(key?).ok()?;
    let symbol = key
        .strip_prefix(venue)
        .and_then(|rest| rest.strip_prefix(':'))
        .unwrap_or(key);
    let reads = (5..=MAX_SYMBOL).contains(&symbol.len())
        && symbol.bytes().any(|byte| byte.is_ascii_uppercase())
        && symbol
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    reads.then_some(symbol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_reads_as_a_symbol_is_one() {
        let of = |key: &'static str| of_key(Some(key.as_bytes()), "BINANCE");
        assert_eq!(of("BTCUSDT"), Some("BTCUSDT"));
        assert_eq!(of("BTCUSD_PERP"), Some("BTCUSD_PERP"));
        assert_eq!(of("BTCUSDT_240927"), Some("BTCUSDT_240927"));
        assert_eq!(of("BINANCE:BTCUSDT"), Some("BTCUSDT"));
        for other in [
            "depth",
            "btcusdt",
            "",
            "12345",
            "A",
            "OTHER:BTCUSDT",
            "A B C D",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
        assert_eq!(of_key(Some(&[0xff; 6]), "BINANCE"), None);
        assert_eq!(of_key(None, "BINANCE"), None);
    }
}
