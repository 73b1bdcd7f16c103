//! Who may connect, and what for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fanout::{
    Access, Algorithm, Grant, JwtRules, KeyDigest, KeyEntry, KeySet, Mode, OriginPattern, Rights,
    StaticKeys,
};

use super::keys;
use super::reader::Reader;

/// A key set has at most 64 keys of some hundred bytes.
const MAX_KEY_FILE: u64 = 256 * 1024;

/// The pages that may connect.
pub(super) fn origins(reader: &mut Reader) -> Vec<OriginPattern> {
    let parse = |texts: &[String]| {
        let parsed = texts
            .iter()
            .map(|text| OriginPattern::parse(text).map_err(|error| format!("{text:?}: {error}")));
        parsed.collect::<Result<Vec<_>, _>>()
    };
    reader
        .checked_texts("public.origins", parse)
        .unwrap_or_default()
}

/// The rules; the files that they are in are added to those that are watched.
pub(super) fn read(
    reader: &mut Reader,
    origins: Vec<OriginPattern>,
    files: &mut Vec<PathBuf>,
) -> Access {
    let mode = reader.choice("auth.mode");
    let cookie = reader.checked("auth.cookie", cookie);
    if cookie.is_some() && origins.is_empty() {
        let why = "only with `public.origins`: browsers send cookies for the scripts of every page";
        reader.mistake("auth.cookie", why);
    }
    let jwt = jwt(reader, mode == "jwt", files);
    let keys = (0..reader.items("auth.keys"))
        .filter_map(|at| key(reader, &format!("auth.keys[{at}]")))
        .collect::<Vec<_>>();
    let mode = match mode {
        "keys" if keys.is_empty() => {
            reader.mistake("auth.mode", "\"keys\" needs a key among [[auth.keys]]");
            Mode::None
        }
        "keys" => Mode::Keys(StaticKeys::new(keys)),
        // Without all that it needs there is a mistake already.
        "jwt" => jwt.map_or(Mode::None, Mode::Jwt),
        _ => Mode::None,
    };
    Access::new(mode, cookie, origins)
}

fn cookie(text: &str) -> Result<Box<str>, String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if text.is_empty() || !text.chars().all(is_name) {
        return Err(expected("auth.cookie"));
    }
    Ok(text.into())
}

fn jwt(reader: &mut Reader, is_wanted: bool, files: &mut Vec<PathBuf>) -> Option<JwtRules> {
    let algorithms = reader.checked_texts("auth.jwt.algorithms", |texts| {
        let known = texts.iter().map(|text| Algorithm::from_name(text));
        let known: Option<Vec<_>> = known.collect();
        known
            .filter(|known| !known.is_empty())
            .ok_or_else(|| expected("auth.jwt.algorithms"))
    });
    let issuer = reader.checked("auth.jwt.issuer", |text| given("auth.jwt.issuer", text));
    let audience = reader.checked("auth.jwt.audience", |text| given("auth.jwt.audience", text));
    let keys = reader.checked("auth.jwt.keys", |text| {
        let read = is_wanted.then(|| (PathBuf::from(text), key_set(Path::new(text))));
        let read = read.map(|(path, keys)| keys.map(|keys| (path, keys)));
        read.transpose()
    });
    let leeway = reader.duration("auth.jwt.leeway");
    let claim = reader.checked("auth.jwt.claim", |text| given("auth.jwt.claim", text));
    if !is_wanted {
        return None;
    }
    for path in [
        "auth.jwt.algorithms",
        "auth.jwt.issuer",
        "auth.jwt.audience",
        "auth.jwt.keys",
    ] {
        if !reader.has(path) {
            reader.mistake(path, expected(path));
        }
    }
    let (algorithms, (path, keys)) = (algorithms?, keys??);
    files.push(path);
    if let Some(idle) = algorithms
        .iter()
        .find(|algorithm| !keys.serves(**algorithm))
    {
        let why = format!("{} has no key among auth.jwt.keys", idle.name());
        reader.mistake("auth.jwt.algorithms", why);
    }
    Some(JwtRules {
        algorithms,
        issuer: issuer?,
        audience: audience?,
        keys,
        leeway,
        claim: claim?,
    })
}

fn key_set(path: &Path) -> Result<KeySet, String> {
    let text = std::fs::metadata(path).and_then(|about| {
        if about.len() > MAX_KEY_FILE {
            return Err(std::io::Error::other("larger than 256 KiB"));
        }
        std::fs::read_to_string(path)
    });
    let text = text.map_err(|error| format!("cannot be read: {error}"))?;
    KeySet::parse(&text).map_err(|error| error.to_string())
}

fn key(reader: &mut Reader, path: &str) -> Option<KeyEntry> {
    let at = |name: &str| format!("{path}.{name}");
    let digest = reader.checked(&at("sha256"), |text| {
        KeyDigest::parse(text).ok_or_else(|| expected("auth.keys[0].sha256"))
    });
    let subject = reader.checked(&at("subject"), |text| given("auth.keys[0].subject", text));
    let text_of = |error: fanout::RightsError| error.to_string();
    let rights = Rights {
        instruments: reader.checked_texts(&at("instruments"), |texts| {
            Rights::instruments_of(texts).map_err(text_of)
        }),
        channels: reader.checked_texts(&at("channels"), |texts| {
            Rights::channels_of(texts).map_err(text_of)
        }),
        max_depth: reader.checked(&at("max_depth"), |text| {
            Rights::depth_of(text).map_err(|_| expected("auth.keys[0].max_depth"))
        }),
        max_streams: reader.optional_integer(&at("max_streams")),
        max_connections: reader.optional_integer(&at("max_connections")),
    };
    let (digest, subject) = (digest?, subject?);
    match Grant::new(&subject, rights, None) {
        Ok(grant) => Some(KeyEntry {
            digest,
            grant: Arc::new(grant),
        }),
        Err(error) => {
            reader.mistake(&at("subject"), error.to_string());
            None
        }
    }
}

/// A text that is not empty.
fn given(path: &str, text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err(expected(path));
    }
    Ok(text.to_owned())
}

fn expected(path: &str) -> String {
    keys::find(path).map_or_else(String::new, |key| key.kind.expected())
}
