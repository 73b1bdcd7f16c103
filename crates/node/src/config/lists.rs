//! Lists of instruments that clients may subscribe to.

use ::fanout::Lists;
use wire::control::Symbol;

use super::kind::{checked, checked_texts};
use super::reader::Reader;
use super::section::{Section as _, section};

section! {
    List in "lists[]":
    /// The name of the list: clients use `list:NAME` as a symbol.
    live name: String = checked(
        r#"1 to 64 of a-z, A-Z, 0-9, '_', '-' and '.', such as "majors""#,
        name,
    ), required;
    /// Its instruments. A reload changes what the name means to later requests; existing subscriptions stay.
    live instruments: Vec<Symbol> = checked_texts(
        r#"a list of VENUE:SYMBOL and patterns with '*', such as ["BINANCE:*"]"#,
        |texts| texts.iter().map(instrument).collect(),
    ), required;
}

pub(super) fn read(reader: &mut Reader) -> Lists {
    let mut lists = Lists::default();
    for at in 0..List::count(reader) {
        let list = List::item(reader, at);
        if let (Some(name), Some(instruments)) = (&list.name, &list.instruments)
            && !lists.add(name, instruments.clone())
        {
            let expected = format!("another name than {name:?}, which is taken");
            list.error(reader, &List::name, expected);
        }
    }
    lists
}

fn name(text: &str) -> Result<String, String> {
    match Symbol::parse(&format!("list:{text}")) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn instrument(text: &String) -> Result<Symbol, String> {
    match Symbol::parse(text) {
        Ok(Symbol::List(_)) => Err(format!("{text:?}: a list cannot contain lists")),
        Ok(symbol) => Ok(symbol),
        Err(error) => Err(format!("{text:?}: {error}")),
    }
}
