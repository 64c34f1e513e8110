//! Messages of Seldon's own protocol: `data` with `ndarray` or `tensor`, and names of the columns. Pure.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::nested::{Budget, Nested};
use super::reject::{Reason, Reject};
use super::tensor::{Tensor, Type};

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(default)]
    names: Option<Vec<String>>,
    #[serde(borrow, default)]
    ndarray: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tensor: Option<Dense<'a>>,
}

#[derive(Deserialize)]
struct Dense<'a> {
    shape: Vec<usize>,
    #[serde(borrow)]
    values: &'a RawValue,
}

/// The `data` of a message as a tensor, which has no name.
///
/// # Errors
/// It is none.
pub fn tensor(data: &RawValue, unnamed: &str, budget: &mut Budget) -> Result<Tensor, Reject> {
    let wrong = |message: String| Reject::new(Reason::Tensor, format!("data: {message}"));
    let message: Message<'_> = serde_json::from_str(data.get()).map_err(|error| wrong(error.to_string()))?;
    let (shape, values) = match (message.ndarray, message.tensor) {
        (Some(lists), None) => Nested::read(lists, "ndarray", budget)?,
        (None, Some(dense)) => (dense.shape, Nested::read(dense.values, "values", budget)?.1),
        (Some(_), Some(_)) => return Err(wrong("has both ndarray and tensor".to_owned())),
        (None, None) => return Err(wrong("has neither ndarray nor tensor; nothing else is read".to_owned())),
    };
    let tensor = Tensor::new(unnamed.to_owned(), Type::Json, shape, values)?;
    Ok(Tensor { unnamed: true, names: message.names.unwrap_or_default(), ..tensor })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use crate::ingest::events::cloud::Half;
    use crate::ingest::events::payload;
    use crate::ingest::events::tensor::Data;

    #[test]
    fn both_ways_to_write_a_message_are_one_tensor() {
        let lists = r#"{"meta": {}, "data": {"names": ["a", "b"], "ndarray": [[1.5, 2], [3, 4]]}}"#;
        let dense = r#"{"data": {"names": ["a", "b"], "tensor": {"shape": [2, 2], "values": [1.5, 2, 3, 4]}}}"#;
        let read = |text: &'static str| payload::decode(Half::Request, &Bytes::from_static(text.as_bytes()), 1000);
        let found = read(lists).expect("a message");
        assert_eq!(Ok(&found), read(dense).as_ref());
        let tensor = &found.tensors[0];
        assert_eq!((tensor.shape.as_slice(), &tensor.data), (&[2, 2][..], &Data::Float(vec![1.5, 2.0, 3.0, 4.0])));
        assert_eq!(
            (tensor.name.as_str(), tensor.names.as_slice()),
            ("input", ["a", "b"].map(str::to_owned).as_slice())
        );
        for text in [
            r#"{"data": {}}"#,
            r#"{"data": {"ndarray": [1], "tensor": {"shape": [1], "values": [1]}}}"#,
            r#"{"data": 1}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
