//! An agent that answers as it is told, for tests.

use std::collections::VecDeque;
use std::io::Cursor;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use arrow::array::{AsArray, RecordBatch};
use arrow::ipc::reader::StreamReader;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::net::TcpListener;

/// What it was sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The path with its query.
    pub path: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The rows.
    pub rows: RecordBatch,
}

/// What it answers, and what it was asked.
#[derive(Debug, Default)]
pub struct Said {
    /// Who it says that it is.
    pub agent: String,
    /// The next answers to labels: a status, an answer and seconds to wait; then it takes all.
    pub answers: VecDeque<(u16, String, Option<u64>)>,
    /// More rows than this are too many.
    pub most: Option<usize>,
    /// Who has another token is refused.
    pub token: Option<String>,
    /// What it took.
    pub taken: Vec<Sent>,
    /// Calls so far.
    pub calls: usize,
}

/// A running one.
#[derive(Clone)]
pub struct Fake {
    /// Where it is.
    pub at: SocketAddr,
    said: Arc<Mutex<Said>>,
}

impl Fake {
    /// One with this digit for a name.
    pub async fn start(digit: char) -> Self {
        let said = Said { agent: digit.to_string().repeat(32), ..Said::default() };
        let said = Arc::new(Mutex::new(said));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("an address");
        let router = Router::new().fallback(answer).with_state(Arc::clone(&said));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { at, said }
    }

    /// Its base address.
    pub fn url(&self) -> String {
        format!("http://{}", self.at)
    }

    /// What it says and was told.
    pub fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().expect("nobody panicked")
    }

    /// The ids that it took, in order.
    pub fn ids(&self) -> Vec<String> {
        let ids = |sent: &Sent| {
            let ids = sent.rows.column_by_name("id").expect("ids").as_string_view().clone();
            ids.iter().flatten().map(str::to_owned).collect::<Vec<_>>()
        };
        self.said().taken.iter().flat_map(ids).collect()
    }
}

async fn answer(State(said): State<Arc<Mutex<Said>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 1 << 26).await.expect("a body");
    let mut said = said.lock().expect("nobody panicked");
    said.calls += 1;
    let token = parts.headers.get("authorization").map(|token| token.to_str().expect("a token"));
    if said.token.is_some() && token != said.token.as_deref() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if parts.method == Method::GET {
        return format!("{{\"agent\":\"{}\"}}", said.agent).into_response();
    }
    if parts.headers["plumbline-for"] != said.agent.as_str() {
        return StatusCode::MISDIRECTED_REQUEST.into_response();
    }
    if let Some((status, text, wait)) = said.answers.pop_front() {
        let status = StatusCode::from_u16(status).expect("a status");
        let wait = wait.map(|wait| (RETRY_AFTER, HeaderValue::from(wait)));
        return (status, wait.into_iter().collect::<HeaderMap>(), text).into_response();
    }
    let mut reader = StreamReader::try_new(Cursor::new(body), None).expect("a stream");
    let rows = reader.next().expect("a batch").expect("a batch");
    let height = rows.num_rows();
    if said.most.is_some_and(|most| height > most) {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    let path = parts.uri.path_and_query().expect("a path").to_string();
    said.taken.push(Sent { path, headers: parts.headers, rows });
    let text = format!("{{\"accepted\":{height},\"rejected\":0,\"errors\":[]}}");
    (StatusCode::ACCEPTED, text).into_response()
}
