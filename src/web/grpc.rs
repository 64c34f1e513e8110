//! gRPC at a port of its own: HTTP/2, behind the same gate and with bounds of the same kind as the other.

use std::pin::pin;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::Response;
use axum::serve::Listener;
use axum::{Extension, Router, middleware};
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::Status;

use super::access::{self, Gate};
use super::listener::{Bounded, Bounds, Calls, Connection, Entrance, Peer};
use super::tls::Tls;

/// Connections at once.
const CONNECTIONS: Bounds = Bounds { all: 400, of_one: 300, bodies: 200 };
/// Requests at once of a connection.
const STREAMS: u32 = 16;
/// Bytes of headers of a request.
const HEADERS: u32 = 16 * 1024;
/// Bytes that a connection, or a request, may send ahead.
const WINDOW: u32 = 256 * 1024;
/// At the end a connection without calls has so long.
const LINGER: Duration = Duration::from_millis(300);
/// A connection is kept as long as it answers: exporters send now and then.
const PING: Duration = Duration::from_secs(10);

/// Serves these methods until the agent ends, then lets open requests finish.
///
/// # Errors
/// None: a connection that fails is its own.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    gate: Gate,
    methods: Router,
    mut stopping: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let entrance = Entrance::Port(listener, tls.map(|tls| tls.speaking("h2")));
    let mut listener = Bounded::new(entrance, CONNECTIONS);
    let methods =
        methods.layer(middleware::from_fn(counted)).layer(middleware::from_fn_with_state(gate, access::guard));
    let mut connections = JoinSet::new();
    let stop = stopping.clone();
    loop {
        tokio::select! {
            (mut connection, address) = listener.accept() => {
                let calls = connection.by_calls();
                let about = (Extension(ConnectInfo(Peer(address.ip()))), Extension(calls.clone()));
                connections.spawn(answer(connection, calls, methods.clone().layer(about), stop.clone()));
            }
            Some(_) = connections.join_next() => {}
            () = stopped(&mut stopping) => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// A call that was let in.
async fn counted(Extension(calls): Extension<Calls>, request: Request, next: Next) -> Response {
    let Some(_call) = calls.begin() else {
        return Status::unavailable("too many calls at once; try again").into_http();
    };
    next.run(request).await
}

/// Waits until no call is under way, and a moment for what is still to be said.
async fn over(calls: &Calls) {
    loop {
        tokio::time::sleep(LINGER).await;
        if calls.are_over() {
            return;
        }
    }
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// Answers what comes by a connection until either side ends it.
async fn answer(connection: Connection, calls: Calls, methods: Router, mut stopping: watch::Receiver<bool>) {
    let serving = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADERS)
        .initial_connection_window_size(WINDOW)
        .initial_stream_window_size(WINDOW)
        .serve_connection(TokioIo::new(connection), TowerToHyperService::new(methods));
    let mut serving = pin!(serving);
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = stopped(&mut stopping) => {
            serving.as_mut().graceful_shutdown();
            // Who only says nothing holds up no end.
            tokio::select! {
                ended = serving => ended,
                () = over(&calls) => Ok(()),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a gRPC connection ended");
    }
}
