//! Copies of bodies that were accepted, for another sink. What becomes of them is the [`Copies`]' own, and nobody waits for it.

use axum::http::{HeaderMap, HeaderName, Uri, header};
use bytes::Bytes;

use super::repeats;

/// Says that a request is a copy already: it is not copied again, so that two agents that copy to each other do not go on for ever.
pub const MARK: HeaderName = HeaderName::from_static("plumbline-copy");

/// A request as it is sent on: what it said of its body, and no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The path and what follows it.
    pub target: String,
    /// The type of the content, its key, and the attributes of an event.
    pub headers: HeaderMap,
    /// The body, unpacked.
    pub body: Bytes,
}

impl Copied {
    /// Of a request; `None` where it is a copy itself.
    #[must_use]
    pub fn of(uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Option<Self> {
        if headers.contains_key(MARK) {
            return None;
        }
        let is_told = |name: &HeaderName| {
            *name == header::CONTENT_TYPE || *name == repeats::HEADER || name.as_str().starts_with("ce-")
        };
        let told = headers.iter().filter(|(name, _)| is_told(name));
        let mut headers: HeaderMap = told.map(|(name, value)| (name.clone(), value.clone())).collect();
        headers.insert(MARK, header::HeaderValue::from_static("1"));
        let target = uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        Some(Self { target, headers, body: body.clone() })
    }
}

/// Who takes copies.
pub trait Copies: Send + Sync {
    /// Takes one, or drops and counts it; at once either way.
    fn offer(&self, copied: Copied);

    /// Counts one that is not made: of a model whose description keeps columns from all.
    fn withhold(&self);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_what_is_said_of_the_body_and_no_secret() {
        let uri: Uri = "/v1/models/m/samples?namespace=shop".parse().expect("an address");
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "application/json"),
            ("ce-id", "7"),
            ("ce-type", "a"),
            ("idempotency-key", "k"),
            ("authorization", "Bearer secret"),
            ("cookie", "session=1"),
            ("content-encoding", "gzip"),
            ("content-length", "9"),
            ("host", "a"),
        ] {
            headers.insert(HeaderName::from_static(name), value.parse().expect("a value"));
        }
        let copied = Copied::of(&uri, &headers, &Bytes::from_static(b"rows")).expect("a copy");
        assert_eq!(
            (copied.target.as_str(), copied.body.as_ref()),
            ("/v1/models/m/samples?namespace=shop", &b"rows"[..])
        );
        let mut names: Vec<&str> = copied.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["ce-id", "ce-type", "content-type", "idempotency-key", "plumbline-copy"]);
        assert_eq!(Copied::of(&uri, &copied.headers, &Bytes::new()), None, "a copy is not copied");
    }
}
