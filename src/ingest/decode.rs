//! Bytes to rows, by what they say they are. JSON is `frame::json`'s, CSV `frame::delimited`'s, Arrow
//! streams are `arrow`'s, Parquet is `parquet`'s. Pure, bounded by its arguments, and the target of the fuzzer.

pub mod arrow;
pub mod parquet;

use crate::frame::delimited;
use crate::frame::guard::{guarded, place};
use crate::frame::json::{self, Layout, Limits, Rows};
use crate::frame::normal::ColumnKind;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// An object a line.
    Ndjson,
    /// An array of objects, or one object.
    Json,
    /// An Arrow IPC stream.
    ArrowStream,
    /// Cells with commas between them, below a line of names.
    Csv,
    /// The same with tabs.
    Tsv,
    /// A Parquet file.
    Parquet,
}

/// The types of content that are understood.
pub const CONTENT_TYPES: &str = "application/x-ndjson, application/json, text/csv, text/tab-separated-values, application/vnd.apache.arrow.stream or application/vnd.apache.parquet";

impl Format {
    /// By the header's value.
    #[must_use]
    pub fn of(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
                Some(Self::Ndjson)
            }
            "application/json" => Some(Self::Json),
            "application/vnd.apache.arrow.stream" => Some(Self::ArrowStream),
            "text/csv" | "application/csv" => Some(Self::Csv),
            "text/tab-separated-values" => Some(Self::Tsv),
            "application/vnd.apache.parquet" | "application/x-parquet" | "application/parquet" => Some(Self::Parquet),
            _ => None,
        }
    }

    /// The first of its content types.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Json => "application/json",
            Self::ArrowStream => "application/vnd.apache.arrow.stream",
            Self::Csv => "text/csv",
            Self::Tsv => "text/tab-separated-values",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// JSON, one way or another.
    #[must_use]
    pub fn is_json(self) -> bool {
        matches!(self, Self::Ndjson | Self::Json)
    }
}

/// Why nothing of a body can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is not what it says it is.
    #[error("{0}")]
    Broken(String),
    /// It is more than is accepted at once.
    #[error("{0}")]
    TooLarge(String),
    /// It is written in a way that is not supported.
    #[error("{0}")]
    Unsupported(String),
}

impl From<json::Error> for Error {
    fn from(error: json::Error) -> Self {
        match error {
            json::Error::Array(_) => Self::Broken(error.to_string()),
            json::Error::Rows(_) | json::Error::Cells(_) => Self::TooLarge(error.to_string()),
        }
    }
}

impl From<delimited::Error> for Error {
    fn from(error: delimited::Error) -> Self {
        match error {
            delimited::Error::Header(_) | delimited::Error::Broken(_) => Self::Broken(error.to_string()),
            delimited::Error::TooLarge(_) => Self::TooLarge(error.to_string()),
        }
    }
}

/// The rows of a body. A decoder that panics has met a broken body.
///
/// # Errors
/// Nothing of it can be used.
pub fn decode(
    body: &bytes::Bytes,
    format: Format,
    limits: Limits,
    expected: &dyn Fn(&str) -> Option<ColumnKind>,
) -> Result<Rows, Error> {
    let decoding = || match format {
        Format::Ndjson => Ok(json::decode(body, Layout::Lines, limits, expected)?),
        Format::Json if body.trim_ascii_start().starts_with(b"{") => {
            let array = [b"[", body.as_ref(), b"]"].concat();
            Ok(json::decode(&array, Layout::Array, limits, expected)?)
        }
        Format::Json => Ok(json::decode(body, Layout::Array, limits, expected)?),
        Format::ArrowStream => arrow::decode(body, limits),
        Format::Csv => Ok(delimited::decode(body, b',', limits, expected)?),
        Format::Tsv => Ok(delimited::decode(body, b'\t', limits, expected)?),
        Format::Parquet => parquet::decode(body, limits),
    };
    guarded(decoding)
        .unwrap_or_else(|| Err(Error::Broken(format!("the body is broken: its decoder gave up{}", place()))))
}
