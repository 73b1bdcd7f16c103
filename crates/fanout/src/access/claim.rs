use fanout_core::{Rights, RightsError};
use serde_json::Value;

/// Reads the rights in a token's claim. An unknown right is an error, since it could not be enforced.
pub(super) fn rights_of(claim: &Value) -> Result<Rights, RightsError> {
    let object = claim.as_object().ok_or(RightsError::Type("the claim"))?;
    let mut rights = Rights::default();
    for (name, value) in object {
        match name.as_str() {
            "instruments" => {
                rights.instruments = Some(Rights::instruments_of(&texts(value, "instruments")?)?);
            }
            "channels" => {
                rights.channels = Some(Rights::channels_of(&texts(value, "channels")?)?);
            }
            "max_depth" => {
                let text = match value {
                    Value::String(text) => text.clone(),
                    Value::Number(number) => number.to_string(),
                    _ => return Err(RightsError::Type("max_depth")),
                };
                rights.max_depth = Some(Rights::depth_of(&text)?);
            }
            "max_streams" => rights.max_streams = Some(count(value, "max_streams")?),
            "max_connections" => {
                rights.max_connections = Some(count(value, "max_connections")?);
            }
            _ => return Err(RightsError::Unknown),
        }
    }
    Ok(rights)
}

fn texts<'a>(value: &'a Value, name: &'static str) -> Result<Vec<&'a str>, RightsError> {
    let items = value.as_array().ok_or(RightsError::Type(name))?;
    let texts = items.iter().map(|item| item.as_str());
    texts.collect::<Option<_>>().ok_or(RightsError::Type(name))
}

fn count(value: &Value, name: &'static str) -> Result<u32, RightsError> {
    let count = value.as_u64().and_then(|count| u32::try_from(count).ok());
    count.ok_or(RightsError::Type(name))
}
