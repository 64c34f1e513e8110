//! Who may do what over HTTP: a token in `Authorization`, or for the page a session that began with one in the sign-in form.
//!
//! What an address asks for is a table (`asked`); what is not in it is asked for the right to read, or to write. Where there are no
//! tokens everybody may do everything but describe models, which a token is always asked for. Which token may do what is `access`'s.

mod sessions;
mod sign_in;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{ConnectInfo, MatchedPath, RawPathParams, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::StreamExt;

use self::sessions::Sessions;
use super::listener::Peer;
use crate::access::{self, Caller, Digest, Right, Sender, Token};
use crate::clock::Clock;
use crate::health::Health;
use crate::identity::ModelKey;
use crate::model::address;

pub use sign_in::routes;

/// What stands between a request and the routes.
#[derive(Clone)]
pub struct Gate {
    /// The tokens in force.
    tokens: access::Shared,
    /// Over TLS: browsers send its cookie over nothing else.
    tls: bool,
    sessions: Arc<Sessions>,
    health: Arc<Health>,
    clock: Arc<dyn Clock>,
}

impl Gate {
    /// With these tokens.
    #[must_use]
    pub fn new(tokens: access::Shared, tls: bool, health: Arc<Health>, clock: Arc<dyn Clock>) -> Self {
        Self { tokens, tls, sessions: Arc::default(), health, clock }
    }
}

/// What an address asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Nothing: it tells nothing of anybody.
    Nothing,
    /// Any token.
    Token,
    /// This right with the model that it names, or with all.
    Right(Right),
}

/// What is asked for, by the route and the method.
fn asked(method: &Method, route: Option<&str>) -> Asked {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match route {
        Some("/healthz" | "/readyz" | "/page.css" | "/page.js" | sign_in::PATH | sign_in::OUT) => Asked::Nothing,
        Some(address::AGENT) => Asked::Token,
        _ if reads => Asked::Right(Right::Read),
        Some("/v1/models/{model}" | "/v1/models/{model}/description") => Asked::Right(Right::Describe),
        _ => Asked::Right(Right::Write),
    }
}

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Denied {
    /// There is no token.
    Missing,
    /// There is one that is not known.
    Unknown,
    /// Models are described with a token alone, and there are none.
    NoTokens,
}

/// Lets a request through, with the [`Caller`] among its extensions, or says what it lacks.
pub async fn guard(
    State(gate): State<Gate>,
    matched: Option<MatchedPath>,
    parameters: Result<RawPathParams, RawPathParamsRejection>,
    RawQuery(query): RawQuery,
    mut request: Request,
    next: Next,
) -> Response {
    let asked = asked(request.method(), matched.as_ref().map(MatchedPath::as_str));
    let caller = match (caller(&gate, request.method(), request.headers()), asked) {
        (Ok(Caller::Anybody), Asked::Right(Right::Describe)) if describes(&request, matched.as_ref()) => {
            return read_off(denied(&gate, Denied::NoTokens, &request), request, STRANGERS).await;
        }
        (Ok(caller), _) => caller,
        (Err(_), Asked::Nothing) => Caller::Stranger,
        (Err(why), _) => return read_off(denied(&gate, why, &request), request, STRANGERS).await,
    };
    if let (Caller::Known(token), Asked::Right(right)) = (&caller, asked) {
        let named = parameters.ok().and_then(|all| Some(all.iter().find(|(name, _)| *name == "model")?.1.to_owned()));
        // What is no model's name is none's, and is answered so behind this.
        let model = named.and_then(|name| Some(address::with_more(&name, query.as_deref()).ok()?.0));
        // At some addresses the body says which model is meant: there whoever takes it asks again.
        let is_let_in = token.may(right, model.as_ref())
            || (model.is_none() && names_its_model(&request, matched.as_ref()) && token.has(right));
        if !is_let_in {
            gate.count("right");
            return read_off(forbidden(token, right, model.as_ref()), request, KNOWN).await;
        }
    }
    let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|info| info.0.0);
    request.extensions_mut().insert(Sender::new(&caller, peer));
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// So much of a refused body is read off, in bytes: a sender that is still sending would find the connection broken instead of the
/// answer. Of strangers hardly more than a connection holds anyway.
const STRANGERS: usize = 64 * 1024;
const KNOWN: usize = 64 << 20;
/// And for so long.
const READ_OFF: Duration = Duration::from_secs(5);

/// The answer, once the request's body has been read off within bounds.
async fn read_off(answer: Response, request: Request, most: usize) -> Response {
    let reading = async {
        let (mut stream, mut left) = (request.into_body().into_data_stream(), most);
        while let Some(Ok(part)) = stream.next().await {
            let Some(rest) = left.checked_sub(part.len()) else { return };
            left = rest;
        }
    };
    let _ = tokio::time::timeout(READ_OFF, reading).await;
    answer
}

/// Describing is more than sending: a description may change what becomes of everybody's rows.
fn describes(request: &Request, matched: Option<&MatchedPath>) -> bool {
    let is_description = matched.is_some_and(|route| route.as_str().ends_with("/description"));
    is_description && request.method() != Method::GET && request.method() != Method::HEAD
}

/// OTLP's logs over gRPC.
const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// Addresses whose bodies name the model.
fn names_its_model(request: &Request, matched: Option<&MatchedPath>) -> bool {
    const PATHS: [&str; 6] = ["/", "/v1/events", "/v1/logs", LOGS, "/consumer/kserve/v2", "/data/upload"];
    let named = matched.is_some_and(|route| PATHS.contains(&route.as_str()));
    named && request.method() == Method::POST
}

fn caller(gate: &Gate, method: &Method, headers: &HeaderMap) -> Result<Caller, Denied> {
    let Some(tokens) = gate.tokens.now() else { return Ok(Caller::Anybody) };
    let known = |digest: &Digest| tokens.find(digest).map(|token| Caller::Known(Arc::new(token.clone())));
    if let Some(given) = headers.get(header::AUTHORIZATION) {
        return token(given).and_then(|token| known(&Digest::of(&token))).ok_or(Denied::Unknown);
    }
    // A page of another site can make a browser send a cookie along: it is good for looking alone.
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let session = reads.then(|| sessions::id(headers, gate.tls)).flatten();
    match session.and_then(|id| gate.sessions.token(&id, gate.clock.monotonic())) {
        Some(digest) => known(&digest).ok_or(Denied::Missing),
        None => Err(Denied::Missing),
    }
}

/// The token in `Bearer TOKEN`; or the password in `Basic`, which senders make of an address `http://any:TOKEN@host` that can add no
/// header, such as KServe's logger.
fn token(value: &HeaderValue) -> Option<Vec<u8>> {
    let of = |scheme: &[u8]| {
        let (given, rest) = value.as_bytes().split_at_checked(scheme.len())?;
        given.eq_ignore_ascii_case(scheme).then(|| rest.trim_ascii())
    };
    if let Some(token) = of(b"bearer ") {
        return Some(token.to_vec());
    }
    let pair = BASE64_STANDARD.decode(of(b"basic ")?).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    pair.get(colon.saturating_add(1)..).map(<[u8]>::to_vec)
}

impl Gate {
    /// A token is asked for.
    pub(super) fn asks(&self) -> bool {
        self.tokens.now().is_some()
    }

    /// Whoever sent these headers may still do this with all models.
    pub(super) fn may(&self, headers: &HeaderMap, right: Right) -> bool {
        caller(self, &Method::GET, headers).is_ok_and(|caller| caller.may(right, None))
    }

    fn count(&self, reason: &'static str) {
        self.health.update(|state| *state.refused.entry(reason).or_default() += 1);
    }
}

fn denied(gate: &Gate, why: Denied, request: &Request) -> Response {
    let message = match why {
        Denied::NoTokens => {
            gate.count("none");
            let message = "models are described with a token alone, and this agent has none: start it with --tokens FILE \
                           (`plumbline tokens` makes one), or describe the model in the configuration file\n";
            return (StatusCode::FORBIDDEN, message).into_response();
        }
        Denied::Missing => {
            gate.count("none");
            "a token is asked for: send Authorization: Bearer TOKEN\n"
        }
        Denied::Unknown => {
            gate.count("unknown");
            "this token is not known\n"
        }
    };
    if why == Denied::Missing && *request.method() == Method::GET && wants_page(request.headers()) {
        return Redirect::to(&sign_in::address(request.uri())).into_response();
    }
    let challenge = [(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"plumbline\""))];
    (StatusCode::UNAUTHORIZED, challenge, message).into_response()
}

fn forbidden(token: &Token, right: Right, model: Option<&ModelKey>) -> Response {
    let what = model.map_or_else(|| "all models together".to_owned(), |model| format!("model `{model}`"));
    let message = format!("token `{}` has no right to {} with {what}\n", token.name, right.name());
    (StatusCode::FORBIDDEN, message).into_response()
}

/// A person looks, with a browser.
fn wants_page(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}

#[cfg(test)]
mod tests;
