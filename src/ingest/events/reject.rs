//! Why an event is not taken: a reason that is counted, and a sentence for whoever sent it.

use std::time::Duration;

/// Reasons are few and fixed: they are attributes of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// It is no CloudEvent, or one without what it must say.
    Envelope,
    /// The body did not come whole.
    Transfer,
    /// The body, or the data in it, is packed in a way that is not known, or badly.
    Encoding,
    /// Its data is no body of an inference protocol.
    Body,
    /// A tensor's name, type, shape and data do not go together.
    Tensor,
    /// It is larger than is taken.
    TooLarge,
    /// There is no room now.
    Full,
    /// The agent is starting, short of memory, or has as many models as it may.
    Busy,
    /// Samples cannot be stored now.
    Storage,
    /// The token that came with it is not for its model.
    Token,
}

impl Reason {
    /// As it is counted.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Envelope => "envelope",
            Self::Transfer => "transfer",
            Self::Encoding => "encoding",
            Self::Body => "body",
            Self::Tensor => "tensor",
            Self::TooLarge => "too_large",
            Self::Full => "full",
            Self::Busy => "busy",
            Self::Storage => "storage",
            Self::Token => "token",
        }
    }

    /// The status that tells it.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Envelope | Self::Transfer => 400,
            Self::Token => 403,
            Self::TooLarge => 413,
            Self::Encoding => 415,
            Self::Body | Self::Tensor => 422,
            Self::Full | Self::Busy => 429,
            Self::Storage => 503,
        }
    }
}

/// An event that is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Reject {
    /// What is counted.
    pub reason: Reason,
    /// What, where, and what to do.
    pub message: String,
    /// When it may be sent again, where that helps.
    pub retry: Option<Duration>,
}

impl Reject {
    /// For good.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), retry: None }
    }

    /// For now.
    pub fn for_now(reason: Reason, message: impl Into<String>, retry: Duration) -> Self {
        Self { retry: Some(retry), ..Self::new(reason, message) }
    }
}

/// The data is no body of an inference.
pub fn no_body(message: String) -> Reject {
    Reject::new(Reason::Body, message)
}
