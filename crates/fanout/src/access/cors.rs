use hyper::HeaderMap;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    HeaderValue, ORIGIN,
};

use super::Access;

impl Access {
    /// Adds the headers that let a browser's page read the response; `preflight` means that the browser
    /// asks before it sends the request.
    pub fn allow_origin(&self, request: &HeaderMap, answer: &mut HeaderMap, preflight: bool) {
        let text = HeaderValue::from_static;
        if self.origins.is_empty() {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, text("*"));
        } else {
            let Some(origin) = request.get(ORIGIN) else {
                return;
            };
            if self.check_origin(request).is_err() {
                return;
            }
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            if self.cookie.is_some() {
                answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, text("true"));
            }
        }
        if preflight {
            answer.insert(ACCESS_CONTROL_ALLOW_METHODS, text("GET, HEAD, OPTIONS"));
            let headers = "Accept, Authorization, If-None-Match, Last-Event-ID";
            answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, text(headers));
            // A browser asks once in ten minutes at most.
            answer.insert(ACCESS_CONTROL_MAX_AGE, text("600"));
        } else {
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, text("ETag, Retry-After"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Mode, OriginPattern};
    use super::*;

    fn allowed(access: &Access, origin: &'static str) -> HeaderMap {
        let mut request = HeaderMap::new();
        request.insert(ORIGIN, HeaderValue::from_static(origin));
        let mut answer = HeaderMap::new();
        access.allow_origin(&request, &mut answer, false);
        answer
    }

    #[test]
    fn only_pages_that_may_connect_may_read() {
        let origins = vec![OriginPattern::parse("https://*.example").unwrap()];
        let access = Access::new(Mode::None, Some("token".into()), origins);
        let answer = allowed(&access, "https://a.example");
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_ORIGIN], "https://a.example");
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
        assert!(allowed(&access, "https://b.other").is_empty());
    }

    #[test]
    fn where_all_pages_may_connect_none_sends_cookies() {
        let answer = allowed(&Access::default(), "https://a.example");
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert!(!answer.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
    }
}
