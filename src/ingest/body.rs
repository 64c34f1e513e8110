//! Reads a body within bounds, unpacked if it is packed.

use std::io::Read;

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use futures_util::StreamExt;

use super::room::{For, Full};
use super::{Ingest, Reservation};

/// Why a body was not read.
pub enum Error {
    /// It is larger than is accepted.
    TooLarge(u64),
    /// There is no room now, for anybody or for them.
    Busy(Full),
    /// It is packed in a way that is not known.
    Encoding(String),
    /// It did not come whole, or is not what it says.
    Broken(String),
}

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    /// By the name that HTTP and gRPC have for it.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// The logarithm of the window that a packed body may ask for: 8 MiB, which levels up to 19 keep to.
const WINDOW: u32 = 23;

fn zstd(packed: &[u8]) -> Result<impl Read, Error> {
    let broken = |error: std::io::Error| Error::Broken(format!("the body is not zstd: {error}"));
    let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(broken)?;
    decoder.window_log_max(WINDOW).map_err(broken)?;
    Ok(decoder)
}

/// Unpacks what has been read, to `limit` bytes at most.
pub fn unpacked(
    packing: Packing,
    packed: &[u8],
    limit: u64,
    reservation: Reservation,
) -> Result<(Bytes, Reservation), Error> {
    match packing {
        Packing::Gzip => unpack(MultiGzDecoder::new(packed), "gzip", limit, reservation),
        Packing::Zstd => unpack(zstd(packed)?, "zstd", limit, reservation),
    }
}

/// Reads a body that is refused, as far as it may be long, and forgets it: a sender that is still sending would find the
/// connection broken instead of the answer.
pub async fn drain(body: Body, limit: u64) {
    let mut stream = body.into_data_stream();
    drain_stream(&mut stream, limit).await;
}

async fn drain_stream(stream: &mut BodyDataStream, limit: u64) {
    let mut left = limit;
    while let Some(Ok(part)) = stream.next().await {
        let Some(rest) = left.checked_sub(part.len() as u64) else { return };
        left = rest;
    }
}

/// Reads a body that somebody is to hold.
pub async fn read(ingest: &Ingest, of: &For, headers: &HeaderMap, body: Body) -> Result<(Bytes, Reservation), Error> {
    let limit = ingest.config.max_body.as_u64();
    let encoding =
        headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?").to_ascii_lowercase());
    let packing = match encoding.as_deref() {
        None | Some("identity") => None,
        Some(name) => {
            let Some(packing) = Packing::named(name) else {
                drain(body, limit).await;
                return Err(Error::Encoding(name.to_owned()));
            };
            Some(packing)
        }
    };
    let declared: Option<u64> =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    if declared.is_some_and(|declared| declared > limit) {
        drain(body, limit).await;
        return Err(Error::TooLarge(limit));
    }
    let mut reservation = ingest.in_flight.reserve(of);
    let mut whole = BytesMut::new();
    let mut stream = body.into_data_stream();
    while let Some(part) = stream.next().await {
        let part = part.map_err(|error| Error::Broken(format!("the body did not arrive whole: {error}")))?;
        if whole.len().saturating_add(part.len()) as u64 > limit {
            drop((whole, reservation));
            drain_stream(&mut stream, limit).await;
            return Err(Error::TooLarge(limit));
        }
        if let Err(full) = reservation.grow(part.len() as u64) {
            drop((whole, reservation));
            drain_stream(&mut stream, limit).await;
            return Err(Error::Busy(full));
        }
        if whole.is_empty() {
            whole.reserve(declared.and_then(|declared| usize::try_from(declared).ok()).unwrap_or(part.len()));
        }
        whole.extend_from_slice(&part);
    }
    let whole = whole.freeze();
    let Some(packing) = packing else { return Ok((whole, reservation)) };
    let unpacking = tokio::task::spawn_blocking(move || unpacked(packing, &whole, limit, reservation));
    unpacking.await.map_err(|error| Error::Broken(error.to_string()))?
}

/// A small body may unpack to any size: it is read no further than the limit, and holds what it has become as it goes.
fn unpack(
    mut reader: impl Read,
    packing: &str,
    limit: u64,
    mut reservation: Reservation,
) -> Result<(Bytes, Reservation), Error> {
    const STEP: u64 = 1 << 20;
    let mut unpacked = Vec::new();
    loop {
        reservation.grow(STEP).map_err(Error::Busy)?;
        let read = (&mut reader).take(STEP).read_to_end(&mut unpacked);
        let read = read.map_err(|error| Error::Broken(format!("the body is not {packing}: {error}")))?;
        if unpacked.len() as u64 > limit {
            return Err(Error::TooLarge(limit));
        }
        if (read as u64) < STEP {
            return Ok((unpacked.into(), reservation));
        }
    }
}
