//! The cookie of a session: a token that a browser keeps for its person, and pages cannot read.

use axum::http::{HeaderMap, header};
use quartet_people::credentials::Shown;

/// Over TLS: browsers keep it for this host only, and send it over TLS only (RFC 6265bis, section 4.1.3.2).
const ENCRYPTED: &str = "__Host-quartet";
/// Without TLS browsers take no such name.
const PLAIN: &str = "quartet";

/// Whether a request carries a session, be it good or not; what it shows if that can be read.
pub(in crate::http) fn shown(headers: &HeaderMap, is_encrypted: bool) -> Option<Option<Shown>> {
    let value = find(headers, name(is_encrypted))?;
    let token = form_urlencoded::parse(value.as_bytes()).next();
    let token = token.map(|(token, _)| token.into_owned());
    Some(token.and_then(|token| Shown::of_login(None, Some(&token))))
}

/// The value of a cookie of this name.
pub(super) fn find<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).into_iter();
    let all = all.filter_map(|cookies| cookies.to_str().ok());
    let mut all = all.flat_map(|cookies| cookies.split(';'));
    all.find_map(|cookie| cookie.trim().strip_prefix(name)?.strip_prefix('='))
        .filter(|value| !value.is_empty())
}

/// `Set-Cookie` for a session that is good for so many seconds.
pub(super) fn keep(token: &str, s: u64, is_encrypted: bool) -> String {
    let value: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
    set(name(is_encrypted), &value, s, "/", is_encrypted)
}

/// `Set-Cookie` for a session that is over.
pub(super) fn forget(is_encrypted: bool) -> String {
    set(name(is_encrypted), "", 0, "/", is_encrypted)
}

/// `Set-Cookie` in general.
pub(super) fn set(name: &str, value: &str, s: u64, path: &str, is_encrypted: bool) -> String {
    let secure = if is_encrypted { "; Secure" } else { "" };
    format!("{name}={value}; Path={path}; Max-Age={s}; HttpOnly; SameSite=Lax{secure}")
}

fn name(is_encrypted: bool) -> &'static str {
    if is_encrypted { ENCRYPTED } else { PLAIN }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(cookies: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(header::COOKIE, HeaderValue::from_str(cookie).unwrap());
        }
        headers
    }

    #[test]
    fn a_cookie_is_read_as_it_was_set() {
        for (token, is_encrypted) in [("people/ana.s3cret", false), ("people/änna.s3cret", true)] {
            let set = keep(token, 60, is_encrypted);
            let pair = set.split(';').next().unwrap();
            assert!(
                pair.is_ascii() && set.contains("; HttpOnly; SameSite=Lax"),
                "{set}"
            );
            assert_eq!(set.ends_with("; Secure"), is_encrypted);
            let shown = shown(&headers(&["a=b; c", pair]), is_encrypted);
            let name = token.split('.').next();
            assert_eq!(shown.unwrap().map(|it| it.name).as_deref(), name);
        }
    }

    #[test]
    fn other_cookies_are_no_session() {
        for cookies in [&[][..], &["quartet="], &["quartet2=a", "b=quartet=c"]] {
            assert_eq!(shown(&headers(cookies), false), None, "{cookies:?}");
        }
        assert_eq!(shown(&headers(&["quartet=people/ana.s"]), true), None);
        assert_eq!(shown(&headers(&["quartet=nonsense"]), false), Some(None));
    }
}
