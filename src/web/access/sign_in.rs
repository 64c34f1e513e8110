//! The sign-in form, for people: who has a token with the right to read gets a session.

use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Router, body::Bytes};
use maud::{DOCTYPE, html};

use super::Gate;
use super::sessions::{self, LASTS, cookie};
use crate::access::{Digest, Right};

/// Where the form is.
pub const PATH: &str = "/sign-in";
/// Where a session ends.
pub const OUT: &str = "/sign-out";

/// A form is no longer than this, in bytes.
const LONGEST: usize = 8 * 1024;

/// The form's routes.
pub fn routes(gate: Gate) -> Router {
    Router::new()
        .route(PATH, get(form).post(sign_in))
        .route(OUT, post(sign_out))
        // Strangers may send this: it is no body in earnest, and takes nobody's place.
        .layer(DefaultBodyLimit::max(LONGEST))
        .with_state(gate)
}

/// The form, for who asked for this.
pub fn address(asked: &Uri) -> String {
    let to = asked.path_and_query().map_or("/", |asked| asked.as_str());
    let encoded: String = form_urlencoded::byte_serialize(to.as_bytes()).collect();
    format!("{PATH}?to={encoded}")
}

/// Where somebody goes on: on this agent, whatever was asked.
fn onwards(asked: Option<&str>) -> &str {
    let is_ours = |to: &&str| {
        let plain = to.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        plain && to.starts_with('/') && !to.starts_with("//") && !to.starts_with(PATH)
    };
    asked.filter(is_ours).unwrap_or("/")
}

fn field(pairs: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(pairs).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

async fn form(RawQuery(query): RawQuery) -> Response {
    let to = field(query.unwrap_or_default().as_bytes(), "to");
    shown(StatusCode::OK, onwards(to.as_deref()), None)
}

async fn sign_in(State(gate): State<Gate>, body: Bytes) -> Response {
    let to = field(&body, "to");
    let to = onwards(to.as_deref());
    let Some(tokens) = gate.tokens.now() else { return Redirect::to(to).into_response() };
    let digest = Digest::of(field(&body, "token").unwrap_or_default().trim().as_bytes());
    let why = match tokens.find(&digest) {
        None => {
            gate.count("unknown");
            "This token is not known."
        }
        Some(token) if !token.has(Right::Read) => {
            gate.count("right");
            "This token has no right to read."
        }
        Some(token) => match gate.sessions.begin(token.digest(), gate.clock.monotonic()) {
            Ok(id) => return with_cookie(&gate, &format!("{id}; Max-Age={}", LASTS.as_secs()), to),
            Err(_) => "No session could be begun: the system gives no random numbers.",
        },
    };
    shown(StatusCode::UNAUTHORIZED, to, Some(why))
}

async fn sign_out(State(gate): State<Gate>, headers: HeaderMap) -> Response {
    if let Some(id) = sessions::id(&headers, gate.tls) {
        gate.sessions.end(&id);
    }
    with_cookie(&gate, "; Max-Age=0", PATH)
}

/// On to an address with the session's number, which no script reads and no other site sends but by a link.
fn with_cookie(gate: &Gate, value: &str, to: &str) -> Response {
    let secure = if gate.tls { "; Secure" } else { "" };
    let cookie = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{secure}", cookie(gate.tls));
    let mut response = Redirect::to(to).into_response();
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

fn shown(status: StatusCode, to: &str, why: Option<&str>) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "plumbline · sign in" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/page.css";
            }
            body {
                header { h1 { "plumbline" } }
                main.sign-in {
                    h2 { "Sign in" }
                    @if let Some(why) = why { p.wrong role="alert" { (why) } }
                    form method="post" action=(PATH) {
                        input type="hidden" name="to" value=(to);
                        label for="token" { "Token with the right to read" }
                        input #token type="password" name="token" required autofocus autocomplete="current-password";
                        button type="submit" { "Sign in" }
                    }
                    p.empty { "Tokens stand in the agent's file of tokens (" code { "--tokens" } "); " code { "plumbline tokens" } " makes one." }
                }
            }
        }
    };
    let headers = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (status, headers, Html(page.into_string())).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        for (asked, expected) in [
            (Some("/models/m?namespace=shop"), "/models/m?namespace=shop"),
            (Some("//evil.example"), "/"),
            (Some("https://evil.example"), "/"),
            (Some("/\\evil.example"), "/"),
            (Some("/a\r\nSet-Cookie: x=y"), "/"),
            (Some("/sign-in"), "/"),
            (Some(""), "/"),
            (None, "/"),
        ] {
            assert_eq!(onwards(asked), expected, "{asked:?}");
        }
        let asked: Uri = "/models/m?namespace=shop&x=%2F".parse().expect("an address");
        let address = address(&asked);
        let query = address.split_once('?').expect("a query").1;
        assert_eq!(field(query.as_bytes(), "to").as_deref(), Some("/models/m?namespace=shop&x=%2F"));
    }
}
