use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hyper::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use market::InstrumentName;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use serde_json::{Value, json};
use std::time::Duration;

use fanout_core::Rights;

use super::*;

const NOW: u64 = 1_700_000_000;
const SECRET: &[u8] = b"a secret of at least sixty-four bytes, so that HS512 is served too";
/// Made for these tests alone.
const RSA: &str = include_str!("../../testdata/rsa_test_key.pkcs8.b64");

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// One key of each kind, and what signs with them.
struct Issuer {
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    p384: EcdsaKeyPair,
    ed: Ed25519KeyPair,
    random: SystemRandom,
}

impl Issuer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let text: String = RSA.split_whitespace().collect();
        let ecdsa = |how| {
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(how, &random).unwrap();
            EcdsaKeyPair::from_pkcs8(how, pkcs8.as_ref(), &random).unwrap()
        };
        let ed = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        Self {
            rsa: RsaKeyPair::from_pkcs8(&STANDARD.decode(text).unwrap()).unwrap(),
            p256: ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
            p384: ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
            ed: Ed25519KeyPair::from_pkcs8(ed.as_ref()).unwrap(),
            random,
        }
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let rsa = |how: &'static dyn RsaEncoding| {
            let mut signature = vec![0; self.rsa.public().modulus_len()];
            self.rsa
                .sign(how, &self.random, message, &mut signature)
                .unwrap();
            signature
        };
        let hmac = |how| {
            let key = hmac::Key::new(how, SECRET);
            hmac::sign(&key, message).as_ref().to_vec()
        };
        let ecdsa = |pair: &EcdsaKeyPair| {
            let signature = pair.sign(&self.random, message).unwrap();
            signature.as_ref().to_vec()
        };
        match algorithm {
            "HS256" => hmac(hmac::HMAC_SHA256),
            "HS512" => hmac(hmac::HMAC_SHA512),
            "RS256" => rsa(&RSA_PKCS1_SHA256),
            "RS512" => rsa(&RSA_PKCS1_SHA512),
            "PS256" => rsa(&RSA_PSS_SHA256),
            "ES256" => ecdsa(&self.p256),
            "ES384" => ecdsa(&self.p384),
            "EdDSA" => self.ed.sign(message).as_ref().to_vec(),
            _ => Vec::new(),
        }
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let message = format!(
            "{}.{}",
            encode(header.to_string()),
            encode(claims.to_string())
        );
        let algorithm = header["alg"].as_str().unwrap_or_default();
        let signature = self.sign(algorithm, message.as_bytes());
        format!("{message}.{}", encode(signature))
    }

    fn public(&self) -> PublicKeyComponents<Vec<u8>> {
        self.rsa.public().into()
    }

    fn key(&self, kind: &str) -> Value {
        let point = |pair: &EcdsaKeyPair, curve: &str| {
            let point = &pair.public_key().as_ref()[1..];
            let (x, y) = point.split_at(point.len() / 2);
            json!({"kty": "EC", "crv": curve, "kid": kind, "x": encode(x), "y": encode(y)})
        };
        match kind {
            "oct" => json!({"kty": "oct", "kid": "oct", "k": encode(SECRET)}),
            "rsa" => {
                let PublicKeyComponents { n, e } = self.public();
                let (n, e) = (encode(n), encode(e));
                json!({"kty": "RSA", "kid": "rsa", "use": "sig", "n": n, "e": e})
            }
            "p256" => point(&self.p256, "P-256"),
            "p384" => point(&self.p384, "P-384"),
            _ => {
                let x = encode(self.ed.public_key());
                json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": x})
            }
        }
    }

    fn rules(&self, algorithms: &[&str], kinds: &[&str]) -> JwtRules {
        let keys: Vec<_> = kinds.iter().map(|kind| self.key(kind)).collect();
        let algorithms = algorithms.iter().filter_map(|a| Algorithm::from_name(a));
        JwtRules {
            algorithms: algorithms.collect(),
            issuer: "https://issuer.example".into(),
            audience: "tapecast".into(),
            keys: KeySet::parse(&json!({ "keys": keys }).to_string()).unwrap(),
            leeway: Duration::from_secs(5),
            claim: "tapecast".into(),
        }
    }
}

fn claims() -> Value {
    json!({
        "iss": "https://issuer.example", "aud": "tapecast", "sub": "desk-7",
        "exp": NOW + 60, "nbf": NOW - 60,
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

const ALL: [&str; 8] = [
    "HS256", "HS512", "RS256", "RS512", "PS256", "ES256", "ES384", "EdDSA",
];
const KINDS: [&str; 5] = ["oct", "rsa", "p256", "p384", "ed"];

fn kind_of(algorithm: &str) -> &'static str {
    match algorithm {
        "HS256" | "HS512" => "oct",
        "RS256" | "RS512" | "PS256" => "rsa",
        "ES256" => "p256",
        "ES384" => "p384",
        _ => "ed",
    }
}

/// Every algorithm signs for every name of a key, before every list of allowed algorithms.
#[test]
fn a_token_is_accepted_by_its_own_key_and_an_allowed_algorithm_only() {
    let issuer = Issuer::new();
    let (mut accepted, mut refused) = (0, 0);
    for allowed in ALL {
        let rules = issuer.rules(&[allowed], &KINDS);
        for signed in ALL {
            for named in KINDS {
                let token = issuer.token(&json!({"alg": signed, "kid": named}), &claims());
                let found = rules.verify(&token, NOW);
                if signed == allowed && named == kind_of(signed) {
                    assert_eq!(
                        found.unwrap().subject(),
                        "desk-7",
                        "{allowed} {signed} {named}"
                    );
                    accepted += 1;
                } else {
                    assert_eq!(found, Err(Denied::Algorithm), "{allowed} {signed} {named}");
                    refused += 1;
                }
            }
        }
    }
    assert_eq!((accepted, refused), (8, 312));
}

#[test]
fn none_and_public_keys_as_secrets_are_refused() {
    let issuer = Issuer::new();
    let rules = issuer.rules(&ALL, &["rsa"]);
    for name in ["none", "None", "NONE", "nOnE", "", "HS257", "RS256 "] {
        let token = issuer.token(&json!({"alg": name, "kid": "rsa"}), &claims());
        assert_eq!(rules.verify(&token, NOW), Err(Denied::Algorithm), "{name}");
        // Without a signature at all, and without its point.
        let bare = token.trim_end_matches(|c| c != '.');
        assert_eq!(rules.verify(bare, NOW), Err(Denied::Algorithm), "{name}");
        let cut = &bare[..bare.len() - 1];
        assert_eq!(rules.verify(cut, NOW), Err(Denied::Malformed), "{name}");
    }
    // The public key, in every form that somebody may have it in, signs as a secret.
    let public = issuer.rsa.public_key().as_ref().to_vec();
    let modulus = issuer.public().n;
    for secret in [public, modulus, Vec::new()] {
        let header = json!({"alg": "HS256", "kid": "rsa"}).to_string();
        let message = format!("{}.{}", encode(header), encode(claims().to_string()));
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let signature = hmac::sign(&key, message.as_bytes());
        let token = format!("{message}.{}", encode(signature));
        assert_eq!(rules.verify(&token, NOW), Err(Denied::Algorithm));
    }
    // A key in the token's own header is nobody's.
    let header = json!({"alg": "ES256", "jwk": issuer.key("p256")});
    let token = issuer.token(&header, &claims());
    assert_eq!(rules.verify(&token, NOW), Err(Denied::Algorithm));
    let header = json!({"alg": "RS256", "kid": "rsa", "crit": ["b64"], "b64": false});
    let token = issuer.token(&header, &claims());
    assert_eq!(rules.verify(&token, NOW), Err(Denied::Malformed));
}

#[test]
fn claims_are_required_and_times_have_the_leeway_only() {
    let issuer = Issuer::new();
    let rules = issuer.rules(&["ES256"], &["p256"]);
    let check = |claims: Value, expected: Result<(), Denied>| {
        // The only key needs no name.
        let token = issuer.token(&json!({"alg": "ES256"}), &claims);
        assert_eq!(rules.verify(&token, NOW).map(|_| ()), expected, "{claims}");
    };
    check(claims(), Ok(()));
    check(without("sub"), Ok(()));
    check(without("nbf"), Ok(()));
    check(with("aud", json!(["x", "tapecast"])), Ok(()));
    check(with("exp", json!(NOW as f64 + 0.5)), Ok(()));
    for (name, value) in [
        ("iss", json!("https://issuer.example/")),
        ("iss", json!(["https://issuer.example"])),
    ] {
        check(with(name, value), Err(Denied::Issuer));
    }
    check(without("iss"), Err(Denied::Issuer));
    for value in [
        json!("other"),
        json!(["other"]),
        json!([]),
        json!(null),
        json!({"tapecast": 1}),
    ] {
        check(with("aud", value), Err(Denied::Audience));
    }
    check(without("aud"), Err(Denied::Audience));
    check(without("exp"), Err(Denied::Claims));
    for value in [
        json!("soon"),
        json!(null),
        json!(-1),
        json!(1e300),
        json!([NOW + 60]),
    ] {
        check(with("exp", value), Err(Denied::Claims));
    }
    check(with("exp", json!(NOW - 4)), Ok(()));
    check(with("exp", json!(NOW - 5)), Err(Denied::Expired));
    check(with("exp", json!(u64::MAX)), Ok(()));
    check(with("nbf", json!(NOW + 5)), Ok(()));
    check(with("nbf", json!(NOW + 6)), Err(Denied::NotYet));
    check(with("nbf", json!("later")), Err(Denied::Claims));
    check(with("sub", json!(7)), Err(Denied::Claims));
    check(with("sub", json!("x".repeat(257))), Err(Denied::Claims));
    for rights in [
        json!([]),
        json!({"instruments": "BINANCE:*"}),
        json!({"instruments": ["BTC"]}),
        json!({"channels": ["news"]}),
        json!({"max_depth": 7}),
        json!({"max_streams": -1}),
        json!({"admin": true}),
    ] {
        check(with("tapecast", rights), Err(Denied::Claims));
    }
}

#[test]
fn a_token_that_was_changed_anywhere_is_refused() {
    let issuer = Issuer::new();
    for (algorithm, kind) in [
        ("HS256", "oct"),
        ("RS256", "rsa"),
        ("ES256", "p256"),
        ("EdDSA", "ed"),
    ] {
        let rules = issuer.rules(&[algorithm], &[kind]);
        let token = issuer.token(&json!({"alg": algorithm, "kid": kind}), &claims());
        assert!(rules.verify(&token, NOW).is_ok());
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(rules.verify(&changed, NOW).is_err(), "{algorithm} at {at}");
        }
        for cut in 0..token.len() {
            assert!(
                rules.verify(&token[..cut], NOW).is_err(),
                "{algorithm} cut at {cut}"
            );
        }
        assert!(rules.verify(&format!("{token}="), NOW).is_err());
        assert!(rules.verify(&format!("{token}.{token}"), NOW).is_err());
    }
}

#[test]
fn a_key_that_is_rotated_in_is_taken_and_one_that_is_gone_is_not() {
    let issuer = Issuer::new();
    let old = issuer.token(&json!({"alg": "ES256", "kid": "p256"}), &claims());
    let new = issuer.token(&json!({"alg": "EdDSA", "kid": "ed"}), &claims());
    let nameless = issuer.token(&json!({"alg": "EdDSA"}), &claims());
    let unknown = issuer.token(&json!({"alg": "EdDSA", "kid": "who"}), &claims());
    let both = ["ES256", "EdDSA"];
    for (kinds, takes_old, takes_new) in [
        (&["p256"][..], Ok(()), Err(Denied::UnknownKey)),
        (&["p256", "ed"], Ok(()), Ok(())),
        (&["ed"], Err(Denied::UnknownKey), Ok(())),
    ] {
        let rules = issuer.rules(&both, kinds);
        assert_eq!(rules.verify(&old, NOW).map(|_| ()), takes_old);
        assert_eq!(rules.verify(&new, NOW).map(|_| ()), takes_new);
        assert_eq!(rules.verify(&unknown, NOW), Err(Denied::UnknownKey));
        let alone = kinds.len() == 1 && kinds[0] == "ed";
        assert_eq!(rules.verify(&nameless, NOW).is_ok(), alone);
    }
}

/// RFC 7515, appendix A.1: the signature fits, and then its audience is missing.
#[test]
fn the_example_of_the_rfc_is_read_as_it_says() {
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let key =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let mut rules = Issuer::new().rules(&["HS256"], &["oct"]);
    rules.issuer = "joe".into();
    assert_eq!(rules.verify(token, NOW), Err(Denied::Signature));
    let set = json!({"keys": [{"kty": "oct", "k": key}]}).to_string();
    rules.keys = KeySet::parse(&set).unwrap();
    assert_eq!(rules.verify(token, NOW), Err(Denied::Audience));
}

#[test]
fn a_key_set_that_is_wrong_says_where() {
    let issuer = Issuer::new();
    let check = |set: Value, text: &str| {
        let error = KeySet::parse(&set.to_string()).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    };
    check(json!([]), "no key set");
    check(json!({"keys": []}), "no key to check");
    check(
        json!({"keys": [{"kty": "oct", "k": "c2hvcnQ"}]}),
        "32 bytes",
    );
    let mut private = issuer.key("ed");
    private["d"] = json!("AAAA");
    check(json!({"keys": [private]}), "private");
    check(
        json!({"keys": [issuer.key("ed"), issuer.key("ed")]}),
        "keys[1]",
    );
    let mut encrypts = issuer.key("rsa");
    encrypts["use"] = json!("enc");
    check(json!({"keys": [encrypts]}), "no key to check");
    let mut short = issuer.key("rsa");
    short["n"] = json!(encode([7; 128]));
    check(json!({"keys": [short]}), "2048");
}

fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn keys(key: &str, rights: Rights) -> Access {
    let grant = Arc::new(Grant::new("desk-7", rights, None).unwrap());
    let entry = KeyEntry {
        digest: KeyDigest::of(key),
        grant,
    };
    let origins = ["https://app.example", "https://*.trade.example"];
    let origins = origins.map(|text| OriginPattern::parse(text).unwrap());
    Access::new(
        Mode::Keys(StaticKeys::new(vec![entry])),
        Some("tape".into()),
        origins.into(),
    )
}

#[test]
fn a_token_is_found_where_it_may_stand_and_nowhere_else() {
    let access = keys("k-123", Rights::default());
    let check = |pairs: &[(HeaderName, &str)], expected: Result<(), Denied>| {
        let found = access.authorize(&headers(pairs)).map(|_| ());
        assert_eq!(found, expected, "{pairs:?}");
    };
    check(&[(AUTHORIZATION, "Bearer k-123")], Ok(()));
    check(&[(AUTHORIZATION, "bearer  k-123 ")], Ok(()));
    check(
        &[(
            SEC_WEBSOCKET_PROTOCOL,
            "tapecast.sbe.v1, tapecast.bearer.k-123",
        )],
        Ok(()),
    );
    check(&[(COOKIE, "a=b; tape=k-123; c=d")], Ok(()));
    check(&[(COOKIE, "tape=\"k-123\"")], Ok(()));
    check(
        &[(AUTHORIZATION, "Bearer k-123"), (COOKIE, "tape=wrong")],
        Ok(()),
    );
    check(&[], Err(Denied::Missing));
    check(&[(COOKIE, "other=k-123")], Err(Denied::Missing));
    check(
        &[(SEC_WEBSOCKET_PROTOCOL, "tapecast.sbe.v1")],
        Err(Denied::Missing),
    );
    check(&[(AUTHORIZATION, "Bearer k-1234")], Err(Denied::UnknownKey));
    check(&[(AUTHORIZATION, "Bearer k-12")], Err(Denied::UnknownKey));
    check(&[(AUTHORIZATION, "Bearer ")], Err(Denied::Malformed));
    check(&[(AUTHORIZATION, "k-123")], Err(Denied::Malformed));
    check(&[(AUTHORIZATION, "Basic k-123")], Err(Denied::Malformed));
    check(
        &[(AUTHORIZATION, "Basic x"), (COOKIE, "tape=k-123")],
        Err(Denied::Malformed),
    );
    let twice = [
        (AUTHORIZATION, "Bearer k-123"),
        (AUTHORIZATION, "Bearer k-123"),
    ];
    check(&twice, Err(Denied::Malformed));
    let long = format!("Bearer {}", "k".repeat(9_000));
    check(&[(AUTHORIZATION, &long)], Err(Denied::Malformed));
}

#[test]
fn a_page_of_another_origin_is_refused_before_its_token_is_looked_at() {
    let access = keys("k-123", Rights::default());
    let check = |origin: &str, expected: Result<(), Denied>| {
        let pairs = [(AUTHORIZATION, "Bearer k-123"), (ORIGIN, origin)];
        assert_eq!(
            access.authorize(&headers(&pairs)).map(|_| ()),
            expected,
            "{origin}"
        );
    };
    check("https://app.example", Ok(()));
    check("https://eu.trade.example", Ok(()));
    for origin in [
        "http://app.example",
        "https://app.example.evil",
        "https://trade.example",
        "null",
        "",
    ] {
        check(origin, Err(Denied::Origin));
    }
    let twice = [
        (ORIGIN, "https://app.example"),
        (ORIGIN, "https://app.example"),
    ];
    assert_eq!(
        access.authorize(&headers(&twice)).map(|_| ()),
        Err(Denied::Origin)
    );
}

#[test]
fn a_grant_is_what_its_rights_say() {
    let rights = claim::rights_of(&json!({
        "instruments": ["BINANCE:*", "KRAKEN:XBT-USD"], "channels": ["book", "status"],
        "max_depth": 50, "max_streams": 3,
    }));
    let grant = Grant::new("desk-7", rights.unwrap(), None).unwrap();
    let key = |channel, symbol: &str, depth| wire::control::StreamKey {
        depth,
        ..wire::control::StreamKey::new(channel, wire::control::Symbol::parse(symbol).unwrap())
    };
    use market::Channel::{Book, Status, Trades};
    use wire::Depth::{D10, D50, D100, Full};
    for (channel, symbol, depth, fits) in [
        (Book, "BINANCE:BTC-USDT", D10, true),
        (Book, "BINANCE:BTC-USDT", D50, true),
        (Book, "BINANCE:BTC-USDT", D100, false),
        (Book, "BINANCE:BTC-USDT", Full, false),
        (Status, "KRAKEN:XBT-USD", Full, true),
        (Trades, "BINANCE:BTC-USDT", Full, false),
        (Book, "KRAKEN:ETH-USD", D10, false),
        (Book, "*", D10, true),
    ] {
        assert_eq!(
            grant.check(&key(channel, symbol, depth)).is_ok(),
            fits,
            "{symbol} {depth:?}"
        );
    }
    assert!(!grant.may_see(&InstrumentName::parse("KRAKEN:ETH-USD").unwrap()));
    assert_eq!((grant.most_streams(1024), grant.most_streams(2)), (3, 2));
}

#[test]
fn a_key_is_written_nowhere() {
    let access = keys("k-123", Rights::default());
    let pairs = [(AUTHORIZATION, "Bearer wrong-456")];
    let denied = access.authorize(&headers(&pairs)).unwrap_err();
    let texts = format!("{access:?} {denied:?} {denied} {:?}", denied.response());
    for secret in ["k-123", "wrong-456"] {
        assert!(!texts.contains(secret), "{texts}");
    }
    let issuer = Issuer::new();
    let rules = issuer.rules(&["HS256"], &["oct"]);
    let text = format!("{rules:?}");
    let bytes: Vec<_> = SECRET.iter().map(u8::to_string).collect();
    assert!(
        !text.contains(&encode(SECRET)) && !text.contains(&bytes[..4].join(", ")),
        "{text}"
    );
}
