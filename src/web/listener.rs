//! A listener that holds a bounded number of connections: beyond it, the next waits in the system's queue.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// A connection on which no answer moves for this long is closed, so that those that say nothing, or say it byte by
/// byte, cannot hold every place. A body that comes in earnest keeps it open.
const IDLE: Duration = Duration::from_secs(20);
/// So many bytes are in earnest.
const IN_EARNEST: usize = 16 * 1024;

pub struct Bounded {
    inner: TcpListener,
    places: Arc<Semaphore>,
}

impl Bounded {
    pub fn new(inner: TcpListener, places: usize) -> Self {
        Self { inner, places: Arc::new(Semaphore::new(places)) }
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // The semaphore is never closed; were it, going on without a place is better than stopping.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (stream, address) = Listener::accept(&mut self.inner).await;
        (Connection { stream, read: 0, idle: Box::pin(sleep(IDLE)), _place: place }, address)
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// A connection that gives its place back when it is dropped.
pub struct Connection {
    stream: TcpStream,
    /// Bytes since the deadline was last moved.
    read: usize,
    idle: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Connection {
    #[expect(clippy::disallowed_methods, reason = "a deadline of tokio's timer is kept on tokio's clock")]
    fn not_idle(&mut self) {
        self.idle.as_mut().reset(Instant::now() + IDLE);
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Pending => self.idle.as_mut().poll(cx).map(|()| Err(std::io::ErrorKind::TimedOut.into())),
            ready @ Poll::Ready(_) => {
                self.read += buf.filled().len() - before;
                if self.read >= IN_EARNEST {
                    self.read = 0;
                    self.not_idle();
                }
                ready
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(cx, buf) {
            // A reader that takes nothing holds its place no longer than one that says nothing.
            Poll::Pending => self.idle.as_mut().poll(cx).map(|()| Err(std::io::ErrorKind::TimedOut.into())),
            ready @ Poll::Ready(_) => {
                self.not_idle();
                ready
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
