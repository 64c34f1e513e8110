use super::*;
use crate::access::Tokens;
use crate::clock::FixedClock;
use axum::body::Body;
use axum::routing::{get, post};
use axum::{Extension, Router, middleware};
use http::Request as HttpRequest;
use tower_service::Service;

const FILE: &str = r#"
[[token]]
name = "reader"
token = "reader-reader-reader"
may = ["read"]
[[token]]
name = "shop"
token = "shop-shop-shop-shop-shop"
may = ["read", "write"]
models = ["shop/*"]
[[token]]
name = "sender"
token = "sender-sender-sender"
may = ["write"]
[[token]]
name = "owner"
token = "owner-owner-owner-owner"
may = ["describe"]
models = ["shop/churn"]
"#;

fn gate(tokens: Option<&str>) -> Gate {
    let tokens = access::Shared::new(tokens.map(|text| Tokens::parse(text).expect("tokens")));
    Gate::new(tokens, false, Arc::default(), Arc::new(FixedClock::new(jiff::Timestamp::UNIX_EPOCH)))
}

/// Routes like the agent's behind the gate; each answers 200.
fn served(gate: &Gate) -> Router {
    let ok = || async { "ok" };
    let all = get(ok).post(ok).put(ok).delete(ok);
    let paths = [
        "/",
        "/metrics",
        "/readyz",
        "/page.css",
        "/api/v1/models",
        "/api/v1/models/{model}",
        "/models/{model}",
        "/models/{model}/windows/{end}",
        "/v1/agent",
        "/v1/events",
        "/consumer/kserve/v2",
        "/data/upload",
        "/v1/descriptions",
        "/v1/models/{model}",
        "/v1/models/{model}/samples",
        "/v1/models/{model}/description",
    ];
    let router = paths.into_iter().fold(Router::new(), |router, path| router.route(path, all.clone()));
    let who = |Extension(caller): Extension<Caller>| async move { format!("{caller:?}") };
    router
        .route("/healthz", get(who))
        .route("/nothing", post(ok))
        .merge(routes(gate.clone()))
        .layer(middleware::from_fn_with_state(gate.clone(), guard))
}

fn request(method: &str, path: &str, token: Option<&str>) -> HttpRequest<Body> {
    let request = HttpRequest::builder().method(method).uri(path);
    let request = match token {
        Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
        None => request,
    };
    request.body(Body::empty()).expect("a request")
}

async fn answer(gate: &Gate, request: HttpRequest<Body>) -> Response {
    served(gate).call(request).await.expect("an answer")
}

async fn status(gate: &Gate, method: &str, path: &str, token: Option<&str>) -> u16 {
    answer(gate, request(method, path, token)).await.status().as_u16()
}

const READER: Option<&str> = Some("reader-reader-reader");
const SHOP: Option<&str> = Some("shop-shop-shop-shop-shop");
const SENDER: Option<&str> = Some("sender-sender-sender");
const OWNER: Option<&str> = Some("owner-owner-owner-owner");

#[tokio::test]
async fn without_tokens_everybody_may_do_everything_but_describe() {
    let gate = gate(None);
    for (method, path) in
        [("GET", "/"), ("GET", "/metrics"), ("POST", "/v1/models/m/samples"), ("DELETE", "/v1/models/m")]
    {
        assert_eq!(status(&gate, method, path, None).await, 200, "{method} {path}");
        assert_eq!(status(&gate, method, path, Some("whatever")).await, 200, "{method} {path}: a token too many");
    }
    assert_eq!(status(&gate, "PUT", "/v1/models/m/description", None).await, 403);
    assert_eq!(status(&gate, "DELETE", "/v1/models/m/description", None).await, 403);
    assert_eq!(status(&gate, "GET", "/v1/models/m/description", None).await, 200);
}

#[tokio::test]
async fn each_address_asks_for_its_right() {
    let gate = gate(Some(FILE));
    for open in ["/healthz", "/readyz", "/page.css", "/sign-in"] {
        assert_eq!(status(&gate, "GET", open, None).await, 200, "{open}");
        assert_eq!(status(&gate, "GET", open, Some("wrong-wrong-wrong-wrong")).await, 200, "{open}");
    }
    // Path, method, and what a stranger, the reader, the shop's, the sender and the owner are answered.
    let table: [(&str, &str, [u16; 5]); 19] = [
        ("GET", "/", [401, 200, 403, 403, 403]),
        ("POST", "/", [401, 403, 200, 200, 403]),
        ("POST", "/v1/events", [401, 403, 200, 200, 403]),
        ("POST", "/consumer/kserve/v2?namespace=shop", [401, 403, 200, 200, 403]),
        ("POST", "/data/upload", [401, 403, 200, 200, 403]),
        ("GET", "/metrics", [401, 200, 403, 403, 403]),
        ("HEAD", "/metrics", [401, 200, 403, 403, 403]),
        ("GET", "/api/v1/models/churn?namespace=shop", [401, 200, 200, 403, 403]),
        ("GET", "/api/v1/models/churn", [401, 200, 403, 403, 403]),
        ("GET", "/models/churn/windows/latest?namespace=shop", [401, 200, 200, 403, 403]),
        ("POST", "/v1/models/churn/samples?namespace=shop", [401, 403, 200, 200, 403]),
        ("POST", "/v1/models/%63hurn/samples?namespace=shop", [401, 403, 200, 200, 403]),
        ("POST", "/v1/models/churn/samples?namespace=bank", [401, 403, 403, 200, 403]),
        ("POST", "/v1/models/..%2Fchurn/samples?namespace=shop", [401, 403, 403, 200, 403]),
        ("PUT", "/v1/models/churn/description?namespace=shop", [401, 403, 403, 403, 200]),
        ("PUT", "/v1/models/fraud/description?namespace=shop", [401, 403, 403, 403, 403]),
        ("DELETE", "/v1/models/churn?namespace=shop", [401, 403, 403, 403, 200]),
        ("GET", "/v1/agent", [401, 200, 200, 200, 200]),
        ("GET", "/nowhere", [401, 404, 403, 403, 403]),
    ];
    for (method, path, expected) in table {
        for (token, expected) in [None, READER, SHOP, SENDER, OWNER].into_iter().zip(expected) {
            assert_eq!(status(&gate, method, path, token).await, expected, "{method} {path} with {token:?}");
        }
    }
    assert_eq!(
        status(&gate, "POST", "/nothing", READER).await,
        403,
        "what is not in the table is asked for a right too"
    );
    let refused = gate.health.state().refused;
    assert_eq!(refused.get("none"), Some(&19), "{refused:?}");
    assert!(refused.get("right").is_some_and(|refused| *refused > 30), "{refused:?}");
}

#[tokio::test]
async fn whatever_stands_for_a_token_is_none() {
    let gate = gate(Some(FILE));
    let with = |value: &'static [u8]| {
        let value = HeaderValue::from_bytes(value).expect("a value");
        let request = HttpRequest::builder().uri("/metrics").header(header::AUTHORIZATION, value);
        answer(&gate, request.body(Body::empty()).expect("a request"))
    };
    for (value, expected) in [
        (&b"Bearer reader-reader-reader"[..], 200),
        (b"bearer   reader-reader-reader ", 200),
        (b"Bearer", 401),
        (b"Bearer ", 401),
        (b"Basic reader-reader-reader", 401),
        (b"reader-reader-reader", 401),
        (b"Bearer \xff\xfe", 401),
        (b"Bearer reader-reader-reader, Bearer x", 401),
        (b"", 401),
        (b"Basic YW55OnJlYWRlci1yZWFkZXItcmVhZGVy", 200), // any:reader-reader-reader
        (b"Basic cmVhZGVyLXJlYWRlci1yZWFkZXI=", 401),
        (b"Basic !", 401),
    ] {
        assert_eq!(with(value).await.status().as_u16(), expected, "{}", value.escape_ascii());
    }
    let refused = with(b"Bearer sender-sender-sender-x").await;
    assert_eq!(refused.headers()[header::WWW_AUTHENTICATE], "Bearer realm=\"plumbline\"");
    let text = axum::body::to_bytes(refused.into_body(), 1000).await.expect("a body");
    assert!(!text.escape_ascii().to_string().contains("sender"), "no answer repeats a token");
}

#[tokio::test]
async fn people_sign_in_and_a_session_is_for_looking_alone() {
    let gate = gate(Some(FILE));
    let get = |path: &str, cookie: Option<&str>| {
        let request = HttpRequest::builder().uri(path).header(header::ACCEPT, "text/html,*/*");
        let request = cookie.into_iter().fold(request, |request, cookie| request.header(header::COOKIE, cookie));
        answer(&gate, request.body(Body::empty()).expect("a request"))
    };
    let sent_on = get("/models/churn?namespace=shop", None).await;
    assert_eq!(sent_on.status(), 303);
    assert_eq!(sent_on.headers()[header::LOCATION], "/sign-in?to=%2Fmodels%2Fchurn%3Fnamespace%3Dshop");
    let sign_in = |token: &str| {
        let body = format!("to=%2Fmodels%2Fm&token={token}");
        answer(&gate, HttpRequest::post("/sign-in").body(Body::from(body)).expect("a request"))
    };
    for wrong in ["", "reader", "sender-sender-sender"] {
        let refused = sign_in(wrong).await;
        assert_eq!(refused.status(), 401, "{wrong}");
        assert!(refused.headers().get(header::SET_COOKIE).is_none());
    }
    let signed_in = sign_in("reader-reader-reader").await;
    assert_eq!(signed_in.status(), 303);
    assert_eq!(signed_in.headers()[header::LOCATION], "/models/m");
    let cookie = signed_in.headers()[header::SET_COOKIE].to_str().expect("text").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && !cookie.contains("reader"), "{cookie}");
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    assert_eq!(get("/", Some(&cookie)).await.status(), 200);
    let with_cookie = |method: &str, path: &str| {
        let request = HttpRequest::builder().method(method).uri(path).header(header::COOKIE, &cookie);
        answer(&gate, request.body(Body::empty()).expect("a request"))
    };
    assert_eq!(with_cookie("POST", "/v1/models/m/samples").await.status(), 401, "another site's page may have sent it");
    // A token that is gone takes its sessions along.
    gate.tokens.replace(Some(Tokens::parse(&FILE.replace("reader-reader", "others-others")).expect("tokens")));
    assert_eq!(get("/", Some(&cookie)).await.status(), 303);
    gate.tokens.replace(Some(Tokens::parse(FILE).expect("tokens")));
    assert_eq!(get("/", Some(&cookie)).await.status(), 200);
    assert_eq!(with_cookie("POST", "/sign-out").await.status(), 303);
    assert_eq!(get("/", Some(&cookie)).await.status(), 303);
}
