//! The page at `/` and its files, embedded in the binary.

use fanout::Body;
use hyper::body::Bytes;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Response, StatusCode};

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const ICON: &str = "image/svg+xml";
const TEXT: &str = "text/plain; charset=utf-8";

/// Allows scripts, styles and connections of this node only, and nothing inline.
const POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'";

/// Path, content type, content.
const FILES: [(&str, &str, &str); 14] = [
    ("/", HTML, include_str!("../../../web/index.html")),
    ("/style.css", STYLE, include_str!("../../../web/style.css")),
    ("/icon.svg", ICON, include_str!("../../../web/icon.svg")),
    ("/app.js", SCRIPT, include_str!("../../../web/app.js")),
    ("/door.js", SCRIPT, include_str!("../../../web/door.js")),
    ("/ledger.js", SCRIPT, include_str!("../../../web/ledger.js")),
    ("/views.js", SCRIPT, include_str!("../../../web/views.js")),
    (
        "/tapecast/book.js",
        SCRIPT,
        include_str!("../../../web/tapecast/book.js"),
    ),
    (
        "/tapecast/checksum.js",
        SCRIPT,
        include_str!("../../../web/tapecast/checksum.js"),
    ),
    (
        "/tapecast/client.js",
        SCRIPT,
        include_str!("../../../web/tapecast/client.js"),
    ),
    (
        "/tapecast/decimal.js",
        SCRIPT,
        include_str!("../../../web/tapecast/decimal.js"),
    ),
    (
        "/tapecast/sbe.js",
        SCRIPT,
        include_str!("../../../web/tapecast/sbe.js"),
    ),
    (
        "/tapecast/stream.js",
        SCRIPT,
        include_str!("../../../web/tapecast/stream.js"),
    ),
    ("/index.html", HTML, include_str!("../../../web/index.html")),
];

/// Serves the page's files.
pub(crate) fn answer(method: &Method, path: &str) -> Response<Body> {
    let file = FILES.iter().find(|(name, ..)| *name == path);
    let Some((_, content_type, content)) = file else {
        return respond(
            StatusCode::NOT_FOUND,
            TEXT,
            "not found; the page is at /, the HTTP API at /v1/\n",
        );
    };
    if method != Method::GET && method != Method::HEAD {
        let mut response = respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET or HEAD\n");
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    respond(StatusCode::OK, content_type, content)
}

/// The response once the thread that serves `/v1` has stopped.
pub(crate) fn stopping() -> Response<Body> {
    let text = "this node is stopping; retry to reach another one\n";
    let mut response = respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, text);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn respond(
    status: StatusCode,
    content_type: &'static str,
    content: &'static str,
) -> Response<Body> {
    let mut response = Response::new(Body::new(Bytes::from_static(content.as_bytes())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // An upgraded node has a different page.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_and_every_module_that_it_imports_are_served() {
        for (path, content_type, content) in FILES {
            let response = answer(&Method::GET, path);
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(response.headers()[CONTENT_TYPE], content_type);
            for line in content
                .lines()
                .filter(|line| content_type == SCRIPT && line.starts_with("import "))
            {
                let target = line.split(['\'', '"']).nth(1).unwrap_or_default();
                let name = target.rsplit('/').next().unwrap_or_default();
                assert!(
                    FILES
                        .iter()
                        .any(|(path, ..)| path.ends_with(&format!("/{name}"))),
                    "{path} imports {target}"
                );
            }
        }
    }

    #[test]
    fn unknown_paths_and_wrong_methods_are_errors() {
        assert_eq!(
            answer(&Method::GET, "/nothing").status(),
            StatusCode::NOT_FOUND
        );
        let response = answer(&Method::POST, "/");
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[ALLOW], "GET, HEAD");
    }
}
