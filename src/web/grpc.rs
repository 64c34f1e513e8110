//! gRPC at a port of its own: HTTP/2, behind the same gate and with bounds of the same kind as the other.

use std::pin::pin;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::serve::Listener;
use axum::{Extension, Router, middleware};
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::access::{self, Gate};
use super::listener::{Bounded, Bounds, Connection, Entrance, Peer};
use super::tls::Tls;

/// Connections at once.
const CONNECTIONS: Bounds = Bounds { all: 100, of_one: 50, bodies: 100 };
/// Requests at once of a connection.
const STREAMS: u32 = 16;
/// Bytes of headers of a request.
const HEADERS: u32 = 16 * 1024;
/// Bytes that a connection, or a request, may send ahead.
const WINDOW: u32 = 256 * 1024;
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
    let methods = methods.layer(middleware::from_fn_with_state(gate, access::guard));
    let mut connections = JoinSet::new();
    let stop = stopping.clone();
    loop {
        tokio::select! {
            (connection, address) = listener.accept() => {
                let methods = methods.clone().layer(Extension(ConnectInfo(Peer(address.ip()))));
                connections.spawn(answer(connection, methods, stop.clone()));
            }
            Some(_) = connections.join_next() => {}
            () = stopped(&mut stopping) => break,
        }
    }
    while connections.join_next().await.is_some() {}
    Ok(())
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// Answers what comes by a connection until either side ends it.
async fn answer(connection: Connection, methods: Router, mut stopping: watch::Receiver<bool>) {
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
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a gRPC connection ended");
    }
}
