//! The HTTP client that whoever speaks first begins with: exporters, and references that are fetched.

use std::time::Duration;

/// How this program calls itself.
pub const USER_AGENT: &str = concat!("plumbline/", env!("CARGO_PKG_VERSION"));

/// The beginnings of a client that follows no redirect: one would turn the request into an empty GET, and hand the headers' keys
/// to whoever it names. Without `tls` it needs no authority to trust: a small image may have none, and would otherwise have no
/// client at all.
pub fn client(connect_timeout: Duration, tls: bool) -> reqwest::ClientBuilder {
    ring();
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(connect_timeout)
        .redirect(reqwest::redirect::Policy::none());
    if tls { builder } else { builder.tls_certs_only(std::iter::empty::<reqwest::Certificate>()) }
}

/// Names who does the cryptography of TLS.
pub fn ring() {
    // Whoever came first has installed the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// An error with its causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
