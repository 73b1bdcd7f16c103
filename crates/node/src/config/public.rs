use std::net::SocketAddr;

use ::fanout::{Network, OriginPattern};

use super::kind::{address, checked_texts};
use super::section::section;

section! {
    Public in "public":
    // Loopback: a node is only reachable from elsewhere if configured to be.
    /// Where clients connect: the page, `/ws` and `/v1`.
    fixed listen: SocketAddr = address(), default "127.0.0.1:8080";
    // All, since without cookies there is nothing that another page could misuse.
    /// The pages whose scripts may connect, by the `Origin` that browsers send; others are rejected with
    /// HTTP 403. Clients that send no `Origin` are not browsers.
    live origins: Vec<OriginPattern> = checked_texts(
        r#"a list of origins, such as ["https://app.example", "https://*.example.com"]"#,
        |texts| each(texts, OriginPattern::parse),
    ), absent "all";
    /// Balancers that must start each connection with a header of the PROXY protocol, version 2; limits and
    /// logs then use the client's address.
    live trusted_proxies: Vec<Network> = checked_texts(
        r#"a list of IP addresses and networks, such as ["10.0.0.0/8"]"#,
        |texts| each(texts, Network::parse),
    ), absent "none";
}

section! {
    Admin in "admin":
    // 9464 is the usual port of Prometheus exporters inside a program.
    /// Where operators connect: `/metrics`, `/healthz`, `/readyz`, `/status`, `POST /drain` and `POST
    /// /reload`. It has no authentication.
    fixed listen: SocketAddr = address(), default "127.0.0.1:9464";
}

/// Parses all texts of a list, or reports the invalid one.
fn each<T, E: std::fmt::Display>(
    texts: &[String],
    parse: fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, String> {
    let parsed = texts
        .iter()
        .map(|text| parse(text).map_err(|error| format!("{text:?}: {error}")));
    parsed.collect()
}
