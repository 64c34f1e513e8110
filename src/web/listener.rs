//! A listener that always takes the next connection: who has asked for nothing yet gives way to who comes.
//!
//! Connections are bounded, each address has a share of them, and some places are kept from bodies on their way, so that a probe
//! of health gets in whatever others do. A connection is *half open* until its request is answered or a body comes in earnest;
//! it has little time, and is the first to go. One that was *answered* and waits for its next request goes after those.

#![warn(clippy::arithmetic_side_effects)]

use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, UnixListener};
use tokio::time::{Instant, Sleep, sleep};

use super::tls::{Stream, Tls};

/// A request's head is a packet or two.
const HALF_OPEN: Duration = Duration::from_secs(5);
/// A connection on which no answer moves for this long is closed, so that those that say nothing, or say it byte by
/// byte, cannot hold every place. A body that comes in earnest keeps it open.
const IDLE: Duration = Duration::from_secs(20);
/// So many bytes are in earnest.
const IN_EARNEST: usize = 16 * 1024;

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// In all.
    pub all: usize,
    /// From one address.
    pub of_one: usize,
    /// With a body on its way.
    pub bodies: usize,
}

/// Where connections come in.
pub enum Entrance {
    /// A port, with TLS where it speaks it.
    Port(TcpListener, Option<Tls>),
    /// A file on this machine.
    Socket(UnixListener),
}

/// Whoever comes through a file is one address, which has all places of that entrance.
const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub struct Bounded {
    inner: Entrance,
    places: Arc<Places>,
}

impl Bounded {
    pub fn new(inner: Entrance, bounds: Bounds) -> Self {
        Self { inner, places: Arc::new(Places { bounds, taken: Mutex::default() }) }
    }
}

/// The address that a connection comes from.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

impl Connected<IncomingStream<'_, Bounded>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Bounded>) -> Self {
        Self(stream.remote_addr().ip())
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let (stream, address) = match &mut self.inner {
                Entrance::Port(inner, tls) => {
                    let (stream, address) = Listener::accept(inner).await;
                    // Answers are small: the system would hold the second of several back for 40 ms, until the first was acknowledged.
                    let _ = stream.set_nodelay(true);
                    (Stream::new(stream, tls.as_ref()), address)
                }
                Entrance::Socket(inner) => (Stream::Local(Listener::accept(inner).await.0), LOCAL),
            };
            // Where nobody gives way all are at work: the newcomer may come again.
            if let Some(place) = Places::take(&self.places, address.ip()) {
                return (
                    Connection { stream, read: 0, deadline: Box::pin(sleep(HALF_OPEN)), place, calls: None },
                    address,
                );
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        match &self.inner {
            Entrance::Port(inner, _) => inner.local_addr(),
            Entrance::Socket(_) => Ok(LOCAL),
        }
    }
}

/// What a connection is at, in the order in which connections give way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    HalfOpen,
    Answered,
    Body,
}

struct Places {
    bounds: Bounds,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    /// Grows with every connection: the smaller number came first.
    next: u64,
    connections: HashMap<u64, Entry>,
}

struct Entry {
    peer: IpAddr,
    stage: Stage,
    end: Arc<End>,
}

/// Tells a connection to end.
#[derive(Default)]
struct End {
    told: AtomicBool,
    waker: AtomicWaker,
}

impl Places {
    /// Notes what a connection is at. False if there is no room for another body.
    fn become_stage(&self, number: u64, stage: Stage) -> bool {
        let mut taken = self.locked();
        let bodies = taken.connections.values().filter(|entry| entry.stage == Stage::Body).count();
        let Some(entry) = taken.connections.get_mut(&number) else { return true };
        if stage == Stage::Body && entry.stage != Stage::Body && bodies >= self.bounds.bodies {
            return false;
        }
        entry.stage = stage;
        true
    }

    fn locked(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a newcomer, if need be another's.
    fn take(places: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let mut taken = places.locked();
        let of_peer = taken.connections.values().filter(|entry| entry.peer == peer).count();
        if of_peer >= places.bounds.of_one {
            taken.evict(Some(peer))?;
        } else if taken.connections.len() >= places.bounds.all {
            taken.evict(None)?;
        }
        let number = taken.next;
        taken.next = number.wrapping_add(1);
        let end = Arc::<End>::default();
        taken.connections.insert(number, Entry { peer, stage: Stage::HalfOpen, end: Arc::clone(&end) });
        Some(Place { places: Arc::clone(places), number, end })
    }
}

impl Taken {
    /// Ends the connection that gives way first, of this address or of any.
    fn evict(&mut self, peer: Option<IpAddr>) -> Option<()> {
        let candidates = self.connections.iter().filter(|(_, entry)| peer.is_none_or(|peer| entry.peer == peer));
        let idle = candidates.filter(|(_, entry)| entry.stage != Stage::Body);
        let number = *idle.min_by_key(|(number, entry)| (entry.stage, **number))?.0;
        let entry = self.connections.remove(&number)?;
        entry.end.told.store(true, Ordering::Release);
        entry.end.waker.wake();
        Some(())
    }
}

/// A connection's place, given back when it is dropped.
struct Place {
    places: Arc<Places>,
    number: u64,
    end: Arc<End>,
}

impl Place {
    fn become_stage(&self, stage: Stage) -> bool {
        self.places.become_stage(self.number, stage)
    }
}

/// Calls of a connection on which several may be under way, and on which bytes say nothing of them: what it is at is told by these.
#[derive(Clone)]
pub struct Calls {
    places: Arc<Places>,
    number: u64,
    open: Arc<AtomicUsize>,
    /// One was let in: it is half open no more.
    any: Arc<AtomicBool>,
}

impl Calls {
    /// A call that has been let in; none where there is no room for more bodies.
    pub fn begin(&self) -> Option<Call> {
        self.open.fetch_add(1, Ordering::AcqRel);
        let call = Call(self.clone());
        self.places.become_stage(self.number, Stage::Body).then(|| {
            self.any.store(true, Ordering::Release);
            call
        })
    }

    /// Whether none is under way.
    pub fn are_over(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0
    }
}

/// A call that is under way until this is dropped.
pub struct Call(Calls);

impl Drop for Call {
    fn drop(&mut self) {
        let Self(calls) = self;
        if calls.open.fetch_sub(1, Ordering::AcqRel) == 1 && calls.any.load(Ordering::Acquire) {
            calls.places.become_stage(calls.number, Stage::Answered);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.locked().connections.remove(&self.number);
    }
}

/// A connection that gives its place back when it is dropped.
pub struct Connection {
    stream: Stream,
    /// Bytes since the deadline was last moved.
    read: usize,
    deadline: Pin<Box<Sleep>>,
    place: Place,
    /// What says what it is at, where bytes do not.
    calls: Option<Calls>,
}

impl Connection {
    /// From now on calls say what the connection is at: until the first is let in it is half open, and after that it has no deadline
    /// of its own.
    pub fn by_calls(&mut self) -> Calls {
        let Place { places, number, .. } = &self.place;
        let calls = Calls { places: Arc::clone(places), number: *number, open: Arc::default(), any: Arc::default() };
        self.calls.insert(calls).clone()
    }

    #[expect(clippy::disallowed_methods, reason = "a deadline of tokio's timer is kept on tokio's clock")]
    fn moves(&mut self) {
        if let Some(end) = Instant::now().checked_add(IDLE) {
            self.deadline.as_mut().reset(end);
        }
    }

    /// Whether the connection is to end: it was told to, or its time is over.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Error> {
        self.place.end.waker.register(cx.waker());
        if self.place.end.told.load(Ordering::Acquire) {
            return Poll::Ready(std::io::ErrorKind::ConnectionAborted.into());
        }
        if self.calls.as_ref().is_some_and(|calls| calls.any.load(Ordering::Acquire)) {
            return Poll::Pending;
        }
        self.deadline.as_mut().poll(cx).map(|()| std::io::ErrorKind::TimedOut.into())
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Pending => self.poll_end(cx).map(Err),
            ready @ Poll::Ready(_) if self.calls.is_some() => ready,
            ready @ Poll::Ready(_) => {
                self.read = self.read.saturating_add(buf.filled().len().saturating_sub(before));
                if self.read >= IN_EARNEST {
                    self.read = 0;
                    self.moves();
                    if !self.place.become_stage(Stage::Body) {
                        return Poll::Ready(Err(std::io::ErrorKind::ConnectionAborted.into()));
                    }
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
            Poll::Pending => self.poll_end(cx).map(Err),
            ready @ Poll::Ready(_) if self.calls.is_some() => ready,
            ready @ Poll::Ready(_) => {
                self.moves();
                self.place.become_stage(Stage::Answered);
                ready
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Pending => self.poll_end(cx).map(Err),
            ready @ Poll::Ready(_) => ready,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match Pin::new(&mut self.stream).poll_shutdown(cx) {
            Poll::Pending => self.poll_end(cx).map(Err),
            ready @ Poll::Ready(_) => ready,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    fn places(all: usize, of_one: usize, bodies: usize) -> Arc<Places> {
        Arc::new(Places { bounds: Bounds { all, of_one, bodies }, taken: Mutex::default() })
    }

    fn ended(place: &Place) -> bool {
        place.end.told.load(Ordering::Acquire)
    }

    #[test]
    fn who_asked_for_nothing_gives_way_first_and_bodies_never() {
        let places = places(3, 3, 3);
        let take = || Places::take(&places, HERE);
        let (body, answered, half) = (take().expect("one"), take().expect("two"), take().expect("three"));
        assert!(body.become_stage(Stage::Body) && answered.become_stage(Stage::Answered));
        let next = take().expect("a place");
        assert!(ended(&half) && !ended(&answered) && !ended(&body));
        assert!(next.become_stage(Stage::Body));
        let last = take().expect("a place");
        assert!(ended(&answered) && !ended(&body));
        assert!(last.become_stage(Stage::Body));
        assert!(take().is_none(), "all are at work");
        drop(body);
        assert!(take().is_some());
    }

    #[test]
    fn an_address_takes_from_itself_before_it_takes_from_others() {
        let places = places(4, 2, 4);
        let other = Places::take(&places, THERE).expect("a place");
        let mine: Vec<Place> = (0..2).map(|_| Places::take(&places, HERE).expect("a place")).collect();
        let _next = Places::take(&places, HERE).expect("a place");
        assert!(ended(&mine[0]) && !ended(&mine[1]) && !ended(&other));
    }

    #[test]
    fn calls_say_what_a_connection_of_several_is_at() {
        let places = places(3, 3, 2);
        let place = || {
            let place = Places::take(&places, HERE).expect("a place");
            let calls =
                Calls { places: Arc::clone(&places), number: place.number, open: Arc::default(), any: Arc::default() };
            (place, calls)
        };
        let ((busy, calls), (over, other), (silent, more)) = (place(), place(), place());
        let (first, second) = (calls.begin().expect("room"), calls.begin().expect("room"));
        drop(first);
        assert!(!calls.are_over() && other.are_over());
        let call = other.begin().expect("room");
        assert!(more.begin().is_none() && more.are_over(), "there are as many bodies as may be");
        drop(call);
        // The silent one goes first, then the one whose calls are over; not the one with a call under way.
        let _newcomer = Places::take(&places, HERE).expect("a place");
        assert!(ended(&silent) && !ended(&over) && !ended(&busy));
        let newcomer = Places::take(&places, HERE).expect("a place");
        assert!(!ended(&over) && !ended(&busy), "another silent one went");
        assert!(newcomer.become_stage(Stage::Body));
        let _last = Places::take(&places, HERE).expect("a place");
        assert!(ended(&over) && !ended(&busy));
        drop(second);
        assert!(calls.are_over());
    }

    #[test]
    fn bodies_leave_room_for_others() {
        let places = places(4, 4, 1);
        let (one, other) = (Places::take(&places, HERE).expect("one"), Places::take(&places, HERE).expect("two"));
        assert!(one.become_stage(Stage::Body) && one.become_stage(Stage::Body), "it goes on");
        assert!(!other.become_stage(Stage::Body));
    }
}
