//! `/openapi.json`: every route with its parameters, bodies and answers, for clients and for whoever writes one.
//!
//! The document is a file that a test makes of the routes' own types and holds to the router: a route that is not in it, or is in it
//! and not in the router, fails the test. What an agent asks for is its own matter, and is put in when it is served.

#[cfg(test)]
mod bodies;
#[cfg(test)]
mod made;
#[cfg(test)]
mod operations;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use super::access::Gate;

/// Where it is.
pub const PATH: &str = "/openapi.json";
/// As it is where a token is asked for: `openapi.json` beside it, packed, as the program carries it in itself.
const PACKED: &[u8] = include_bytes!("openapi/openapi.json.zst");
/// No document is larger.
const LARGEST: usize = 1 << 22;
/// The line that says so, for all routes that do not say otherwise.
const ASKED: &str = "\n \"security\": [{\"bearer\": []}, {\"basic\": []}],";
/// Where nobody is asked for one, it is welcome all the same.
const WELCOME: &str = "\n \"security\": [{}, {\"bearer\": []}, {\"basic\": []}],";

pub async fn document(State(gate): State<Gate>) -> impl IntoResponse {
    let text = unpacked();
    let text = if gate.asks() { text } else { text.replacen(ASKED, WELCOME, 1) };
    ([(header::CONTENT_TYPE, "application/json")], text)
}

/// A test unpacks it: it cannot fail.
fn unpacked() -> String {
    zstd::bulk::decompress(PACKED, LARGEST).ok().and_then(|text| String::from_utf8(text).ok()).unwrap_or_default()
}
