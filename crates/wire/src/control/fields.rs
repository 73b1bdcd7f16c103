use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{ControlError, ErrorCode};

/// How much of a wrong value an error repeats, in characters.
const SHOWN: usize = 64;

/// The fields of a JSON object, as they were sent, without duplicates.
pub(super) struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// Parses an object; errors call it `what`.
    pub(super) fn read(text: &'a str, what: &str) -> Result<Self, ControlError> {
        serde_json::from_str(text).map_err(|error| {
            if error.is_data() {
                ControlError::new(ErrorCode::BadRequest, format!("{what} is wrong: {error}"))
            } else {
                ControlError::new(ErrorCode::BadJson, format!("{what} is not json: {error}"))
            }
        })
    }

    /// Rejects unknown fields.
    pub(super) fn only(&self, allowed: &[&str]) -> Result<(), ControlError> {
        let unknown = self
            .0
            .iter()
            .find(|(name, _)| !allowed.contains(&name.as_str()));
        match unknown {
            None => Ok(()),
            Some((name, _)) => Err(ControlError::new(
                ErrorCode::BadRequest,
                format!(
                    "{} is not a field here, and may be {}",
                    shorten(name),
                    listed(allowed)
                ),
            )),
        }
    }

    /// The field with that name; `null` counts as absent.
    pub(super) fn get(&self, name: &'static str) -> Option<Field<'a>> {
        self.get_or_null(name).filter(|field| field.text != "null")
    }

    /// The field with that name, even if it is `null`.
    pub(super) fn get_or_null(&self, name: &'static str) -> Option<Field<'a>> {
        let (_, raw) = self.0.iter().find(|(known, _)| known == name)?;
        Some(Field {
            name,
            text: raw.get(),
        })
    }

    /// The field with that name, which is required.
    pub(super) fn need(
        &self,
        name: &'static str,
        code: ErrorCode,
        allowed: &str,
    ) -> Result<Field<'a>, ControlError> {
        self.get(name).ok_or_else(|| {
            ControlError::new(code, format!("{name} is missing, and may be {allowed}"))
        })
    }
}

/// A field of an object.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) name: &'static str,
    /// The value, as JSON.
    pub(super) text: &'a str,
}

impl<'a> Field<'a> {
    pub(super) fn read<T: Deserialize<'a>>(self) -> Option<T> {
        serde_json::from_str(self.text).ok()
    }

    pub(super) fn wrong(self, code: ErrorCode, allowed: &str) -> ControlError {
        let Self { name, text } = self;
        ControlError::new(
            code,
            format!("{name} is {}, and may be {allowed}", shorten(text)),
        )
    }
}

/// `a, b or c`.
pub(super) fn listed(names: &[impl fmt::Display]) -> String {
    let mut list = String::new();
    for (i, name) in names.iter().enumerate() {
        let last = i + 1 == names.len();
        list += match i {
            0 => "",
            _ if last => " or ",
            _ => ", ",
        };
        list += &name.to_string();
    }
    list
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields: Vec<(String, &RawValue)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if fields.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom(format_args!(
                            "field {name:?} occurs twice"
                        )));
                    }
                    fields.push((name, value));
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Object)
    }
}
