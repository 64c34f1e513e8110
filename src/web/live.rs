//! `/live`: tells a page that there is a newer snapshot, by server-sent events; what is newer it fetches itself, as a page without does
//! every two seconds.
//!
//! So many listen at once; others are told to ask themselves. A stream ends with the agent, and with the session or token that it began
//! with. Comments between events keep the connection open, which is closed where nothing is written for long, and show the listener that
//! it is.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::sleep;

use super::Shared;
use crate::access::Right;
use crate::snapshot::Snapshot;

/// Where it is.
pub const PATH: &str = "/live";
/// What an event is called.
pub const NEWER: &str = "newer";

/// Who listens at once.
const LISTENERS: usize = 50;
/// Pages are looked at by people: they are told of something newer no more often.
const EVERY: Duration = Duration::from_secs(2);
/// A connection that nothing is written to is closed after twice this.
const HEARTBEAT: Duration = Duration::from_secs(8);
/// A listener whose connection is lost comes again after so long.
const AGAIN: Duration = Duration::from_secs(3);

/// The places of those who listen, over all entrances.
#[derive(Clone)]
pub struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LISTENERS)))
    }
}

impl Places {
    fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}

/// One who listens.
struct Listener {
    snapshot: watch::Receiver<Arc<Snapshot>>,
    stopping: watch::Receiver<bool>,
    shared: Shared,
    headers: HeaderMap,
    begun: bool,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    /// What is said next; `None` at the end.
    async fn next(&mut self) -> Option<Event> {
        let first = !std::mem::replace(&mut self.begun, true);
        if !first {
            tokio::select! {
                () = sleep(EVERY) => {}
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
            }
        }
        let newer = tokio::select! {
            changed = self.snapshot.changed() => { changed.ok()?; true }
            () = sleep(HEARTBEAT) => false,
            _ = self.stopping.wait_for(|stopping| *stopping) => return None,
        };
        // Who listened and may no longer look is told nothing more.
        if !self.shared.gate.may(&self.headers, Right::Read) {
            return None;
        }
        Some(if newer {
            let as_of = self.snapshot.borrow_and_update().as_of;
            let event = Event::default().event(NEWER).data(as_of.to_string());
            if first { event.retry(AGAIN) } else { event }
        } else {
            Event::default().comment("nothing newer")
        })
    }
}

/// Tells whoever listens from now on.
pub async fn live(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let Some(place) = shared.listeners.take() else {
        let again = [(header::RETRY_AFTER, "60")];
        return (StatusCode::SERVICE_UNAVAILABLE, again, "too many pages listen: ask for the page itself\n")
            .into_response();
    };
    let mut snapshot = shared.snapshot.clone();
    // The first is told at once: so the connection is one that was answered, and the page knows that it listens.
    snapshot.mark_changed();
    let stopping = shared.stopping.clone();
    let listener = Listener { snapshot, stopping, shared, headers, begun: false, _place: place };
    let told = stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok::<_, std::convert::Infallible>(event), listener))
    });
    // A proxy that gathers answers would tell nothing.
    let headers = [(header::HeaderName::from_static("x-accel-buffering"), "no"), (header::CACHE_CONTROL, "no-store")];
    (headers, Sse::new(told)).into_response()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::Router;
    use jiff::Timestamp;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::access::{self, Tokens};
    use crate::clock::FixedClock;
    use crate::web::access::Gate;
    use crate::web::{Entrance, serve, tests};

    struct Served {
        address: SocketAddr,
        snapshot: watch::Sender<Arc<Snapshot>>,
        stop: watch::Sender<bool>,
        tokens: access::Shared,
        ended: tokio::task::JoinHandle<std::io::Result<()>>,
    }

    async fn served(tokens: Option<&str>) -> Served {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (mut shared, snapshot) = tests::shared(&format!("http://{address}"));
        let (stop, stopping) = watch::channel(false);
        let tokens = access::Shared::new(tokens.map(|text| Tokens::parse(text).expect("tokens")));
        let clock = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
        shared.gate = Gate::new(tokens.clone(), false, Arc::default(), clock);
        shared.stopping = stopping.clone();
        let mut stopped = stopping;
        let shutdown = async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        let ended = tokio::spawn(serve(Entrance::Port(listener, None), shared, Router::new(), shutdown));
        Served { address, snapshot, stop, tokens, ended }
    }

    async fn asked(address: SocketAddr, head: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let request = format!("GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        stream
    }

    /// Reads on until it holds the text; false where the stream ended before.
    async fn reads(stream: &mut TcpStream, text: &str, so_far: &mut String) -> bool {
        let mut buffer = [0; 1024];
        while !so_far.contains(text) {
            let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut buffer));
            match read.await.expect("in time") {
                Ok(length) if length > 0 => so_far.push_str(&String::from_utf8_lossy(&buffer[..length])),
                _ => return false,
            }
        }
        true
    }

    #[tokio::test]
    async fn a_page_is_told_of_what_is_newer_until_the_agent_ends() {
        let served = served(None).await;
        let mut stream = asked(served.address, "").await;
        let mut text = String::new();
        assert!(reads(&mut stream, "event: newer\ndata: 1970-01-01T00:00:00Z", &mut text).await, "{text}");
        assert!(
            text.starts_with("HTTP/1.1 200") && text.contains("text/event-stream") && text.contains("retry: 3000"),
            "{text}"
        );
        let later = Timestamp::from_second(77).expect("a time");
        served.snapshot.send_replace(Arc::new(Snapshot::empty("node-1".to_owned(), later)));
        assert!(reads(&mut stream, "data: 1970-01-01T00:01:17Z", &mut text).await, "{text}");
        // Whoever listens keeps the agent from ending for no moment.
        served.stop.send_replace(true);
        assert!(!reads(&mut stream, "never said", &mut text).await, "{text}");
        let ended = tokio::time::timeout(Duration::from_secs(2), served.ended).await;
        ended.expect("at once").expect("no panic").expect("no error");
    }

    #[tokio::test]
    async fn a_stream_ends_with_the_token_that_it_began_with() {
        let text = "[[token]]\nname = \"reader\"\ntoken = \"reader-reader-reader\"\nmay = [\"read\"]\n";
        let served = served(Some(text)).await;
        let mut stranger = asked(served.address, "Connection: close\r\n").await;
        let mut said = String::new();
        assert!(reads(&mut stranger, "HTTP/1.1 401", &mut said).await, "{said}");
        let mut stream =
            asked(served.address, "Connection: close\r\nAuthorization: Bearer reader-reader-reader\r\n").await;
        let mut said = String::new();
        assert!(reads(&mut stream, "event: newer", &mut said).await, "{said}");
        served.tokens.replace(Some(
            Tokens::parse(&text.replace("reader-reader-reader", "other-other-other-other")).expect("tokens"),
        ));
        let later = Timestamp::from_second(77).expect("a time");
        served.snapshot.send_replace(Arc::new(Snapshot::empty("node-1".to_owned(), later)));
        assert!(!reads(&mut stream, "00:01:17", &mut said).await, "{said}");
    }

    #[tokio::test]
    async fn so_many_listen_and_one_who_goes_makes_room() {
        let served = served(None).await;
        let mut all = Vec::new();
        for _ in 0..LISTENERS {
            let (mut stream, mut said) = (asked(served.address, "").await, String::new());
            assert!(reads(&mut stream, "event: newer", &mut said).await, "{said}");
            all.push(stream);
        }
        let mut said = String::new();
        assert!(reads(&mut asked(served.address, "").await, "ask for the page itself", &mut said).await, "{said}");
        assert!(said.starts_with("HTTP/1.1 503") && said.to_lowercase().contains("retry-after: 60"), "{said}");
        all.pop();
        let mut listens = false;
        for second in 0..20 {
            let later = Timestamp::from_second(second).expect("a time");
            served.snapshot.send_replace(Arc::new(Snapshot::empty("node-1".to_owned(), later)));
            let mut said = String::new();
            listens = reads(&mut asked(served.address, "").await, "event: newer", &mut said).await;
            if listens {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
        assert!(listens, "no place was given back");
    }
}
