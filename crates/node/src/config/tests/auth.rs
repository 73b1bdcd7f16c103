//! Who may connect.

use super::*;

const JWT: &str = r#"
[auth]
mode = "jwt"
[auth.jwt]
algorithms = ["HS256"]
issuer = "https://issuer.example"
audience = "tapecast"
"#;

fn errors_of(more: &str) -> String {
    match Config::load(sources(&format!("{LEAST}{more}"))) {
        Ok(_) => String::new(),
        Err(errors) => errors.to_string(),
    }
}

fn key_file(text: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jwks.json");
    std::fs::write(&path, text).unwrap();
    let line = format!("keys = '{}'\n", path.display());
    (directory, line)
}

#[test]
fn everybody_may_connect_unless_something_else_is_said() {
    let config = config(sources(LEAST));
    assert!(matches!(config.fanout.access.mode, fanout::Mode::None));
    assert!(config.fanout.access.origins.is_empty());
}

#[test]
fn tokens_need_all_that_they_are_checked_by() {
    let shown = errors_of("[auth]\nmode = \"jwt\"\n");
    for key in ["algorithms", "issuer", "audience", "keys"] {
        assert!(
            shown.contains(&format!("auth.jwt.{key} is missing")),
            "{shown}"
        );
    }
    let shown = errors_of(&format!("{JWT}keys = \"/nowhere/jwks.json\"\n"));
    assert!(shown.contains("cannot be read"), "{shown}");
    let secret = r#"{"keys":[{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"#;
    let (_directory, keys) = key_file(secret);
    assert_eq!(errors_of(&format!("{JWT}{keys}")), "");
    let other = JWT.replace("HS256", "ES256");
    let shown = errors_of(&format!("{other}{keys}"));
    assert!(shown.contains("ES256 has no key"), "{shown}");
    let none = JWT.replace("HS256", "none");
    let shown = errors_of(&format!("{none}{keys}"));
    assert!(shown.contains("auth.jwt.algorithms"), "{shown}");
}

#[test]
fn keys_are_digests_and_what_they_are_for_is_checked() {
    let shown = errors_of("[auth]\nmode = \"keys\"\n");
    assert!(shown.contains("needs a key"), "{shown}");
    let key = |more: &str| {
        let digest = "ab".repeat(32);
        errors_of(&format!(
            "[auth]\nmode = \"keys\"\n[[auth.keys]]\nsha256 = \"{digest}\"\nsubject = \"a\"\n{more}"
        ))
    };
    assert_eq!(key("instruments = [\"A:*\"]\nmax_depth = \"50\"\n"), "");
    for (more, place) in [
        ("instruments = [\"A\"]\n", "auth.keys[0].instruments"),
        ("channels = [\"news\"]\n", "auth.keys[0].channels"),
        ("max_depth = \"7\"\n", "auth.keys[0].max_depth"),
        ("max_streams = -1\n", "auth.keys[0].max_streams"),
        (
            "[[auth.keys]]\nsha256 = \"ab\"\nsubject = \"b\"\n",
            "auth.keys[1].sha256",
        ),
    ] {
        let shown = key(more);
        assert!(
            shown.contains(place) && shown.contains("1 error "),
            "{shown}"
        );
    }
}

#[test]
fn a_cookie_needs_the_pages_that_may_send_it() {
    let shown = errors_of("[auth]\ncookie = \"tape\"\n");
    assert!(shown.contains("public.origins"), "{shown}");
    let origins = "[public]\norigins = [\"https://app.example\"]\n";
    assert_eq!(
        errors_of(&format!("[auth]\ncookie = \"tape\"\n{origins}")),
        ""
    );
    let shown = errors_of("[public]\norigins = [\"app.example\"]\n");
    assert!(shown.contains("public.origins"), "{shown}");
}
