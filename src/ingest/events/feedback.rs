//! What was true of a prediction, as Seldon's feedback says it. Pure.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::cloud::Half;
use super::payload::{self, Payload};
use super::reject::{Reject, no_body};

/// What a feedback says.
pub struct Feedback {
    /// What had been asked, if it says so.
    pub request: Option<Payload>,
    /// What was true; none where there is only a reward.
    pub truth: Option<Payload>,
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, default)]
    request: Option<&'a RawValue>,
    #[serde(borrow, default)]
    truth: Option<&'a RawValue>,
}

/// Reads a feedback; its values may take `limit` bytes of memory. A request that cannot be read is none: the id may be known without.
///
/// # Errors
/// It is none, or the truth is none.
pub fn read(bytes: &Bytes, limit: usize) -> Result<Feedback, Reject> {
    let wrong = |error: serde_json::Error| no_body(format!("the data is no feedback: {error}"));
    let whole: &RawValue = serde_json::from_slice(bytes).map_err(wrong)?;
    if !whole.get().starts_with('{') {
        return Err(no_body("the data is no feedback, which is an object".to_owned()));
    }
    let wire: Wire<'_> = serde_json::from_str(whole.get()).map_err(wrong)?;
    let part = |half, part: &RawValue| payload::decode(half, &bytes.slice_ref(part.get().as_bytes()), limit);
    let truth = wire.truth.filter(|truth| !matches!(truth.get(), "{}" | "null"));
    Ok(Feedback {
        request: wire.request.and_then(|request| part(Half::Request, request).ok()),
        truth: truth.map(|truth| part(Half::Response, truth)).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feedback_has_the_truth_or_a_reward_alone() {
        let read = |text: &'static str| super::read(&Bytes::from_static(text.as_bytes()), 1000);
        let whole = read(
            r#"{"request": {"data": {"ndarray": [[1, 2]]}}, "response": {}, "reward": 1, "truth": {"data": {"ndarray": [[1]]}}}"#,
        );
        let whole = whole.expect("a feedback");
        assert_eq!(
            (whole.request.map(|p| p.tensors.len()), whole.truth.map(|p| p.tensors[0].rows())),
            (Some(1), Some(1))
        );
        let reward = read(r#"{"reward": 0.5, "truth": {}}"#).expect("a feedback");
        assert!(reward.request.is_none() && reward.truth.is_none());
        for text in ["", "[]", r#"{"truth": {"data": {"ndarray": [[1], 2]}}}"#] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
