//! TLS on the agent's own port: the settings of a moment ([`Tls`]), and a connection with or without it ([`Stream`]).
//!
//! The handshake is a part of the connection's first read, so that a slow one holds nobody else up, and has the time of a request's head.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll, ready};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

/// The certificate and key in force, shared by who accepts connections and who reads their files again.
#[derive(Debug, Clone)]
pub struct Tls {
    config: Arc<RwLock<Arc<ServerConfig>>>,
    /// What is spoken above it, where that is not what the settings say.
    protocol: Option<&'static str>,
}

impl Tls {
    /// With these settings.
    #[must_use]
    pub fn new(config: Arc<ServerConfig>) -> Self {
        Self { config: Arc::new(RwLock::new(config)), protocol: None }
    }

    /// The same, shared, for a port at which another protocol is spoken.
    #[must_use]
    pub fn speaking(self, protocol: &'static str) -> Self {
        Self { protocol: Some(protocol), ..self }
    }

    /// Puts others in their place, for connections from now on.
    pub fn replace(&self, config: Arc<ServerConfig>) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    fn accept(&self, stream: TcpStream) -> Accept<TcpStream> {
        let mut config = Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner));
        if let Some(protocol) = self.protocol {
            Arc::make_mut(&mut config).alpn_protocols = vec![protocol.as_bytes().to_vec()];
        }
        TlsAcceptor::from(config).accept(stream)
    }
}

/// A connection.
pub enum Stream {
    /// Without TLS.
    Plain(TcpStream),
    /// The handshake is not through.
    Greeting(Box<Accept<TcpStream>>),
    /// With TLS.
    Tls(Box<TlsStream<TcpStream>>),
    /// On this machine, through a file.
    Local(UnixStream),
}

impl Stream {
    /// A connection that was accepted, with TLS where there is any.
    pub fn new(stream: TcpStream, tls: Option<&Tls>) -> Self {
        match tls {
            Some(tls) => Self::Greeting(Box::new(tls.accept(stream))),
            None => Self::Plain(stream),
        }
    }

    /// Goes on with the handshake until it is through.
    fn poll_greeting(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Self::Greeting(accept) = self {
            let stream = ready!(Pin::new(accept).poll(cx))?;
            *self = Self::Tls(Box::new(stream));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_greeting(cx))?;
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Local(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Greeting(_) => Poll::Pending,
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_greeting(cx))?;
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Local(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Greeting(_) => Poll::Pending,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Local(stream) => Pin::new(stream).poll_flush(cx),
            Self::Greeting(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Local(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Greeting(_) => Poll::Ready(Ok(())),
        }
    }
}
