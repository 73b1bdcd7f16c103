//! Lists of instruments that clients may name.

use fanout::Lists;
use wire::control::Symbol;

use super::reader::Reader;

pub(super) fn read(reader: &mut Reader) -> Lists {
    let mut lists = Lists::default();
    for at in 0..reader.items("lists") {
        let key = format!("lists[{at}].name");
        let name = reader.checked(&key, |name| {
            let symbol = Symbol::parse(&format!("list:{name}"));
            symbol.map_err(|error| error.to_string())?;
            Ok(name.to_owned())
        });
        let instruments = reader.checked_texts(&format!("lists[{at}].instruments"), |texts| {
            let parse = |text: &String| match Symbol::parse(text) {
                Ok(Symbol::List(_)) => Err(format!("{text:?}: a list holds no lists")),
                Ok(symbol) => Ok(symbol),
                Err(error) => Err(format!("{text:?}: {error}")),
            };
            texts.iter().map(parse).collect::<Result<Vec<_>, _>>()
        });
        if let (Some(name), Some(instruments)) = (name, instruments)
            && !lists.add(&name, instruments)
        {
            reader.mistake(&key, format!("another name than {name:?}, which is taken"));
        }
    }
    lists
}
