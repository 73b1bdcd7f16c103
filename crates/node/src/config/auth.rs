//! Who may connect, with which rights.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::fanout::{
    Access, Algorithm, Grant, JwtRules, KeyDigest, KeyEntry, KeySet, Mode, OriginPattern, Rights,
    StaticKeys,
};
use market::Channel;
use wire::Depth;
use wire::control::Symbol;

use super::key::AnyKey;
use super::kind::{checked_texts, choice, duration, filled, integer, parsed, text};
use super::limits::MOST_STREAMS;
use super::reader::Reader;
use super::section::{Section as _, section};

/// A key set has at most 64 keys of a few hundred bytes each.
const MAX_KEY_FILE: u64 = 256 * 1024;
const ALGORITHMS: &str = "a list of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AuthMode {
    None,
    Keys,
    Jwt,
}

section! {
    Auth in "auth":
    /// What clients must send in the handshake and to `/v1`: nothing, a key of `[[auth.keys]]`, or a token
    /// as in `[auth.jwt]`.
    live mode: AuthMode = choice(&[
        ("none", AuthMode::None),
        ("keys", AuthMode::Keys),
        ("jwt", AuthMode::Jwt),
    ]), default "none";
    /// A cookie that may contain the key or token, for pages; requires `public.origins`, since browsers
    /// send cookies for every page.
    live cookie: Box<str> = parsed(
        "the name of a cookie: letters, digits, '_', '-' and '.'",
        cookie,
    ), absent "none";
}

section! {
    Jwt in "auth.jwt":
    /// The allowed signature algorithms. An algorithm is used only with keys of its own kind.
    live algorithms: Vec<Algorithm> = checked_texts(ALGORITHMS, algorithms), absent "required by `jwt`";
    /// The required `iss` of tokens.
    live issuer: String = filled("a string"), absent "required by `jwt`";
    /// The value required in the `aud` of tokens.
    live audience: String = filled("a string"), absent "required by `jwt`";
    /// The issuer's public keys, or secrets shared with it, each with a `kid`. The file is reloaded when it
    /// changes.
    live keys: String = text("a file with a JSON Web Key Set (RFC 7517)"), absent "required by `jwt`";
    // Machines that run NTP differ by far less.
    /// How far the issuer's clock may be off, in whole seconds, for `exp` and `nbf`.
    live leeway: Duration = duration(Duration::ZERO, Duration::from_secs(300)), default "5s";
    /// The claim with the token's entitlements; a token without it is entitled to everything.
    live claim: String = filled("a string"), default "tapecast";
}

section! {
    StaticKey in "auth.keys[]":
    /// The SHA-256 of a key, as `sha256sum` prints it for the key without a newline. A key should be 32
    /// random bytes or more.
    live sha256: KeyDigest = parsed("64 hexadecimal digits", KeyDigest::parse), required;
    /// The owner of the key, for logs and `max_connections`.
    live subject: String = filled("1 to 256 bytes"), required;
    /// The instruments that it grants.
    live instruments: Box<[Symbol]> = checked_texts(
        r#"a list of VENUE:SYMBOL, or patterns with '*', such as ["BINANCE:*"]"#,
        |texts| Rights::instruments_of(texts).map_err(|error| error.to_string()),
    ), absent "all";
    /// The channels that it grants.
    live channels: Box<[Channel]> = checked_texts(
        r#"a list of channels, such as ["book", "trades"]"#,
        |texts| Rights::channels_of(texts).map_err(|error| error.to_string()),
    ), absent "all";
    /// The most levels per side of a book; below full, streams with a `group` are rejected too, since they
    /// sum deeper levels.
    live max_depth: Depth = parsed(
        r#""1", "5", "10", "25", "50", "100", "500", "1000" or "full""#,
        |text| Rights::depth_of(text).ok(),
    ), absent "full";
    /// The most streams of a session.
    live max_streams: u32 = integer(0, MOST_STREAMS), absent "`limits.streams_per_session`";
    /// The most sessions of the subject on this node; further ones are rejected with HTTP 429.
    live max_connections: u32 = integer(0, 1_000_000), absent "not limited";
}

/// Reads the rules; adds their files to the watched ones.
pub(super) fn read(
    reader: &mut Reader,
    origins: Vec<OriginPattern>,
    files: &mut Vec<PathBuf>,
) -> Access {
    let auth = Auth::read(reader);
    if auth.cookie.is_some() && origins.is_empty() {
        let why = "only with `public.origins`: browsers send cookies for the scripts of every page";
        auth.error(reader, &Auth::cookie, why);
    }
    let jwt = jwt(reader, auth.mode == AuthMode::Jwt, files);
    let keys: Vec<_> = (0..StaticKey::count(reader))
        .filter_map(|at| key(reader, at))
        .collect();
    let mode = match auth.mode {
        AuthMode::Keys if keys.is_empty() => {
            let why = "\"keys\" needs a key among [[auth.keys]]";
            auth.error(reader, &Auth::mode, why);
            Mode::None
        }
        AuthMode::Keys => Mode::Keys(StaticKeys::new(keys)),
        // Missing settings have been reported already.
        AuthMode::Jwt => jwt.map_or(Mode::None, Mode::Jwt),
        AuthMode::None => Mode::None,
    };
    Access::new(mode, auth.cookie, origins)
}

fn cookie(text: &str) -> Option<Box<str>> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    (!text.is_empty() && text.chars().all(is_name)).then(|| text.into())
}

fn algorithms(names: &[String]) -> Result<Vec<Algorithm>, String> {
    let known: Option<Vec<_>> = names
        .iter()
        .map(|name| Algorithm::from_name(name))
        .collect();
    known
        .filter(|known| !known.is_empty())
        .ok_or_else(|| ALGORITHMS.to_owned())
}

fn jwt(reader: &mut Reader, is_wanted: bool, files: &mut Vec<PathBuf>) -> Option<JwtRules> {
    let jwt = Jwt::read(reader);
    if !is_wanted {
        return None;
    }
    let needed: [&dyn AnyKey; 4] = [&Jwt::algorithms, &Jwt::issuer, &Jwt::audience, &Jwt::keys];
    for key in needed {
        if !reader.has(key.path()) {
            reader.error(key.path(), key.expected());
        }
    }
    let path = jwt.keys.as_ref().map(PathBuf::from)?;
    let keys = key_set(&path).map_err(|error| jwt.error(reader, &Jwt::keys, error));
    files.push(path);
    let (algorithms, keys) = (jwt.algorithms.clone()?, keys.ok()?);
    if let Some(idle) = algorithms.iter().find(|one| !keys.serves(**one)) {
        let why = format!("{} has no key among auth.jwt.keys", idle.name());
        jwt.error(reader, &Jwt::algorithms, why);
    }
    Some(JwtRules {
        algorithms,
        issuer: jwt.issuer?,
        audience: jwt.audience?,
        keys,
        leeway: jwt.leeway,
        claim: jwt.claim,
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

fn key(reader: &mut Reader, at: usize) -> Option<KeyEntry> {
    let key = StaticKey::item(reader, at);
    let rights = Rights {
        instruments: key.instruments.clone(),
        channels: key.channels.clone(),
        max_depth: key.max_depth,
        max_streams: key.max_streams,
        max_connections: key.max_connections,
    };
    match Grant::new(key.subject.as_deref()?, rights, None) {
        Ok(grant) => Some(KeyEntry {
            digest: key.sha256?,
            grant: Arc::new(grant),
        }),
        Err(error) => {
            key.error(reader, &StaticKey::subject, error.to_string());
            None
        }
    }
}
