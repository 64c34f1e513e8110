//! Whom a request is for and where it comes from: a web page in somebody's browser must not reach an agent on loopback through a
//! name that it had pointed there (DNS rebinding), nor send to it from another site.
//!
//! Addresses, `localhost`, names without a dot, and names below suffixes that nobody can register (`.local`, `.internal`, `.svc`,
//! `.cluster.local`) are ours; other names are ours when they are the node's or listed (`agent.allowed_hosts`).

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Endings of names that no registrar gives away.
const PRIVATE: [&str; 5] = ["localhost", "local", "internal", "svc", "home.arpa"];

/// The names an agent answers to beside the private ones.
#[derive(Debug, Clone, Default)]
pub struct Names(Arc<[String]>);

impl Names {
    /// The node's name, and those that are listed.
    pub fn new(node: &str, listed: &[String]) -> Self {
        Self(listed.iter().map(String::as_str).chain([node]).map(str::to_ascii_lowercase).collect())
    }

    fn are_ours(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let is_address = bare.parse::<Ipv4Addr>().is_ok() || bare.parse::<Ipv6Addr>().is_ok();
        let below = |suffix: &str| host.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.'));
        let is_private = !host.contains('.') || PRIVATE.into_iter().any(below);
        is_address || is_private || self.0.contains(&host)
    }
}

/// Refuses what is for another host, or comes from another site.
pub async fn guard(State(names): State<Names>, request: Request, next: Next) -> Response {
    match check(&names, request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err((status, message)) => (status, message).into_response(),
    }
}

fn check(names: &Names, uri: &Uri, headers: &HeaderMap) -> Result<(), (StatusCode, String)> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let authority = uri.authority().cloned();
    // A browser always says whom it asks; who does not is none.
    let asked: Option<Authority> = match (authority, text(header::HOST)) {
        (Some(authority), _) => Some(authority),
        (None, Some(host)) => {
            Some(host.parse().map_err(|_| (StatusCode::BAD_REQUEST, format!("`{host}` is not a valid host\n")))?)
        }
        (None, None) => None,
    };
    if let Some(asked) = &asked
        && !names.are_ours(asked.host())
    {
        let message = format!("host `{}` is not allowed; add it to agent.allowed_hosts\n", asked.host());
        return Err((StatusCode::MISDIRECTED_REQUEST, message));
    }
    let Some(origin) = text(header::ORIGIN) else { return Ok(()) };
    let from = origin.split_once("://").map(|(_, authority)| authority);
    if from.is_some_and(|from| asked.as_ref().is_some_and(|asked| asked.as_str().eq_ignore_ascii_case(from))) {
        return Ok(());
    }
    Err((StatusCode::FORBIDDEN, format!("requests from pages of `{origin}` are not allowed\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(host: Option<&str>, origin: Option<&str>) -> u16 {
        let names = Names::new("Node-1.example.com", &["plumb.example.org".to_owned()]);
        let mut headers = HeaderMap::new();
        let mut put = |name, value: Option<&str>| {
            if let Some(value) = value {
                headers.insert(name, value.parse().expect("a value"));
            }
        };
        put(header::HOST, host);
        put(header::ORIGIN, origin);
        check(&names, &Uri::from_static("/"), &headers).map_or_else(|(status, _)| status.as_u16(), |()| 200)
    }

    #[test]
    fn names_that_somebody_may_own_are_not_ours() {
        for host in [
            "127.0.0.1:9477",
            "[::1]:9477",
            "10.1.2.3",
            "localhost:9477",
            "plumbline:9477",
            "plumbline.monitoring.svc",
            "plumbline.monitoring.svc.cluster.local.",
            "node-1.example.com:1",
            "plumb.example.org",
            "a.localhost",
            "box.internal",
        ] {
            assert_eq!(status(Some(host), None), 200, "{host}");
        }
        for host in
            ["evil.example.com", "127.0.0.1.evil.com:9477", "evilsvc.com", "node-1.example.com.evil.org", "xlocal.de"]
        {
            assert_eq!(status(Some(host), None), 421, "{host}");
        }
        assert_eq!(status(Some("a b"), None), 400);
        assert_eq!(status(None, None), 200, "no browser leaves it out");
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        let here = Some("127.0.0.1:9477");
        assert_eq!(status(here, Some("http://127.0.0.1:9477")), 200);
        for origin in ["http://evil.com", "http://127.0.0.1:8000", "null", "http://localhost:9477", ""] {
            assert_eq!(status(here, Some(origin)), 403, "{origin}");
        }
        assert_eq!(status(Some("evil.com"), Some("http://evil.com")), 421, "a name that was pointed here");
    }
}
