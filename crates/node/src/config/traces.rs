use hyper::Uri;

use super::keys;
use super::reader::Reader;
use crate::traces::TraceSettings;

pub(super) fn read(reader: &mut Reader) -> TraceSettings {
    TraceSettings {
        endpoint: reader.checked("traces.endpoint", collector),
        one_in: reader.integer("traces.one_in"),
        service: reader
            .checked("traces.service", service)
            .unwrap_or_default(),
    }
}

fn collector(text: &str) -> Result<String, String> {
    let is_one = text.parse::<Uri>().is_ok_and(|uri| {
        let is_bare = uri.path() == "/" && uri.query().is_none();
        uri.scheme_str() == Some("http") && uri.authority().is_some() && is_bare
    });
    if is_one {
        Ok(text.to_owned())
    } else {
        Err(keys::COLLECTOR.to_owned())
    }
}

fn service(text: &str) -> Result<String, String> {
    if text.is_empty() {
        Err("a name that is not empty".to_owned())
    } else {
        Ok(text.to_owned())
    }
}
