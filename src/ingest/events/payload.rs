//! Bodies of inference to tensors: V1 (`instances`, `inputs`; `predictions`, `outputs`) and V2, the Open Inference Protocol, as JSON
//! or as JSON with packed tensors behind it; as gRPC's messages they are `grpc`'s. Pure. Only the bytes are believed, not what a header says of them.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::cloud::Half;
use super::instances::{Fields, by_rows, column};
use super::nested::{Budget, Nested};
use super::reject::{Reason, Reject, no_body};
use super::seldon;
use super::summary::Summarised;
use super::tensor::{Data, MAX_TENSORS, Tensor, Type, count};
use crate::frame::json::Value;

/// Parameters of one body that are kept.
pub(super) const MAX_PARAMETERS: usize = 64;

/// What a body holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Payload {
    /// The body's own id.
    pub id: Option<String>,
    /// Which version of the model answered.
    pub version: Option<String>,
    /// Its parameters that are single values.
    pub parameters: Vec<(String, Value<'static>)>,
    /// Its tensors: inputs of a request, outputs of a response.
    pub tensors: Vec<Tensor>,
    /// What is kept of the tensors that are not.
    pub summaries: Vec<Summarised>,
}

impl Payload {
    /// Lets go of tensors that are summarised anyway: of more than two dimensions, or more than `most` values a row.
    #[must_use]
    pub fn settle(mut self, most: usize) -> Self {
        let (wide, kept): (Vec<_>, Vec<_>) =
            self.tensors.into_iter().partition(|tensor| tensor.shape.len() > 2 || tensor.width() > most);
        // What is kept must not hold the body that it came in.
        self.tensors = kept.into_iter().map(Tensor::detached).collect();
        self.summaries.extend(wide.iter().map(Summarised::of));
        self
    }

    /// The same, if its tensors may stand beside one another.
    pub(super) fn checked(self) -> Result<Self, Reject> {
        if self.tensors.len() > MAX_TENSORS {
            let message = format!("the body has {} tensors, more than {MAX_TENSORS}", self.tensors.len());
            return Err(Reject::new(Reason::TooLarge, message));
        }
        let mut names: Vec<&str> = self.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        names.sort_unstable();
        if let Some([name, ..]) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Reject::new(Reason::Tensor, format!("tensor `{name}` occurs twice")));
        }
        Ok(self)
    }

    /// Bytes of memory it takes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let tensors = self.tensors.iter().map(Tensor::bytes).chain(self.summaries.iter().map(Summarised::bytes));
        tensors.fold(256_usize.saturating_add(self.parameters.len().saturating_mul(128)), usize::saturating_add)
    }
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    model_version: Option<&'a RawValue>,
    #[serde(borrow, default)]
    parameters: Option<&'a RawValue>,
    #[serde(borrow, default)]
    instances: Option<&'a RawValue>,
    #[serde(borrow, default)]
    inputs: Option<&'a RawValue>,
    #[serde(borrow, default)]
    predictions: Option<&'a RawValue>,
    #[serde(borrow, default)]
    outputs: Option<&'a RawValue>,
    /// Seldon's own.
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireTensor<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    datatype: Option<Cow<'a, str>>,
    shape: Vec<u64>,
    #[serde(borrow, default)]
    parameters: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct TensorParameters {
    #[serde(default)]
    binary_data_size: Option<u64>,
    #[serde(default)]
    content_type: Option<serde_json::Value>,
    #[serde(default)]
    shared_memory_region: Option<serde_json::Value>,
}

/// Reads a body; its values may take `limit` bytes of memory.
///
/// # Errors
/// It is none, or its tensors are none.
pub fn decode(half: Half, bytes: &Bytes, limit: usize) -> Result<Payload, Reject> {
    // Lists would be taken for the fields in their order.
    if !bytes.is_empty() && !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(no_body(
            "the data is no JSON object of an inference, nor one with packed tensors behind it".to_owned(),
        ));
    }
    let mut stream = serde_json::Deserializer::from_slice(bytes).into_iter::<Body<'_>>();
    let body = match stream.next() {
        Some(Ok(body)) => body,
        Some(Err(error)) => return Err(no_body(format!("the data is no JSON object of an inference: {error}"))),
        None => return Err(no_body("the data is empty".to_owned())),
    };
    let mut tail = bytes.slice(stream.byte_offset()..);
    let mut budget = Budget(limit);
    let (rows, tensors, unnamed) = match half {
        Half::Request => (body.instances, body.inputs, "input"),
        Half::Response => (body.predictions, body.outputs, "output"),
    };
    let tensors = match (rows, tensors) {
        (None, None) if body.data.is_some() => {
            let data = body.data.map(|data| seldon::tensor(data, unnamed, &mut budget));
            data.into_iter().collect::<Result<_, _>>()?
        }
        (Some(_), Some(_)) => return Err(no_body(format!("{} stand side by side; send one", keys(half)))),
        (Some(rows), None) => by_rows(rows, unnamed, &mut budget)?,
        (None, Some(tensors)) => by_tensors(tensors, unnamed, &mut tail, &mut budget)?,
        (None, None) => return Err(no_body(format!("{} are missing: this is no body of an inference", keys(half)))),
    };
    if !tail.trim_ascii().is_empty() {
        return Err(no_body(format!(
            "{} bytes stand behind the JSON that no tensor's binary_data_size names",
            tail.len()
        )));
    }
    Payload {
        id: body.id.and_then(text_of),
        version: body.model_version.and_then(text_of),
        parameters: body.parameters.map(parameters).unwrap_or_default(),
        tensors,
        summaries: Vec::new(),
    }
    .checked()
}

fn keys(half: Half) -> &'static str {
    match half {
        Half::Request => "`instances` and `inputs`",
        Half::Response => "`predictions` and `outputs`",
    }
}

/// A text, or a number as one.
fn text_of(value: &RawValue) -> Option<String> {
    match serde_json::from_str(value.get()).ok()? {
        serde_json::Value::String(text) if !text.is_empty() => Some(text),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn parameters(value: &RawValue) -> Vec<(String, Value<'static>)> {
    let all: Fields<'_> = lenient(value);
    let single = |(name, value): (Cow<'_, str>, &RawValue)| {
        let value = match serde_json::from_str(value.get()).ok()? {
            serde_json::Value::Bool(value) => Value::Bool(value),
            serde_json::Value::String(text) => Value::Text(text.into()),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(value), ..) => Value::Int(value),
                (_, Some(value), _) => Value::UInt(value),
                (.., Some(value)) => Value::Float(value),
                _ => return None,
            },
            _ => return None,
        };
        Some((name.into_owned(), value))
    };
    all.0.into_iter().filter_map(single).take(MAX_PARAMETERS).collect()
}

fn lenient<'a, T: Deserialize<'a> + Default>(value: &'a RawValue) -> T {
    serde_json::from_str(value.get()).unwrap_or_default()
}

fn strict<T: DeserializeOwned + Default>(value: Option<&RawValue>, name: &str) -> Result<T, Reject> {
    let Some(value) = value else { return Ok(T::default()) };
    let wrong = |error| Reject::new(Reason::Tensor, format!("tensor `{name}`: parameters: {error}"));
    serde_json::from_str(value.get()).map_err(wrong)
}

/// `inputs` or `outputs`: tensors of V2, or V1's columns by their name, or one column without.
fn by_tensors(value: &RawValue, unnamed: &str, tail: &mut Bytes, budget: &mut Budget) -> Result<Vec<Tensor>, Reject> {
    let text = value.get().trim_ascii_start();
    if text.starts_with('{') {
        let fields: Fields<'_> = serde_json::from_str(text).map_err(|error| no_body(error.to_string()))?;
        return fields.0.into_iter().map(|(name, value)| column(value, name.into_owned(), budget)).collect();
    }
    let is_object = text.strip_prefix('[').is_some_and(|rest| rest.trim_ascii_start().starts_with('{'));
    if !is_object && text.strip_prefix('[').is_none_or(|rest| !rest.trim_ascii_start().starts_with(']')) {
        let tensor = column(value, unnamed.to_owned(), budget)?;
        return Ok(vec![Tensor { unnamed: true, ..tensor }]);
    }
    let wire: Vec<WireTensor<'_>> = serde_json::from_str(text)
        .map_err(|error| Reject::new(Reason::Tensor, format!("the tensors cannot be read: {error}")))?;
    wire.into_iter().map(|tensor| tensor.read(tail, budget)).collect()
}

impl WireTensor<'_> {
    fn read(self, tail: &mut Bytes, budget: &mut Budget) -> Result<Tensor, Reject> {
        let name = self.name.into_owned();
        let wrong = |message: String| Reject::new(Reason::Tensor, format!("tensor `{name}`: {message}"));
        let datatype = match self.datatype.as_deref() {
            None => Type::Json,
            Some(given) => Type::of(given).ok_or_else(|| {
                wrong(format!(
                    "datatype {given} is none; there are BOOL, INT8-64, UINT8-64, FP16, BF16, FP32, FP64, BYTES"
                ))
            })?,
        };
        let sizes = self.shape.iter().map(|size| usize::try_from(*size));
        let shape: Vec<usize> = sizes.collect::<Result<_, _>>().map_err(|error| wrong(format!("shape: {error}")))?;
        let wanted = count(&shape).map_err(&wrong)?;
        let parameters: TensorParameters = strict(self.parameters, &name)?;
        let data = match (self.data, parameters.binary_data_size) {
            (Some(_), Some(_)) => return Err(wrong("has both data and binary_data_size".to_owned())),
            (Some(data), None) => Nested::read(data, &name, budget)?.1,
            (None, Some(size)) => {
                let size = usize::try_from(size).ok().filter(|size| *size <= tail.len());
                let size = size.ok_or_else(|| {
                    let left = tail.len();
                    wrong(format!("binary_data_size goes beyond the body, of which {left} bytes are left"))
                })?;
                packed(datatype, wanted, tail.split_to(size), budget).map_err(&wrong)?
            }
            (None, None) if parameters.shared_memory_region.is_some() => {
                return Err(wrong("its data lies in shared memory and was not sent".to_owned()));
            }
            (None, None) => return Err(wrong("has no data".to_owned())),
        };
        let is_base64 = parameters.content_type.is_some_and(|content| content == "base64");
        let data = if is_base64 && datatype == Type::Bytes { from_base64(data) } else { data };
        Tensor::new(name, datatype, shape, data)
    }
}

/// Texts that hold bytes; one that does not stays a text.
fn from_base64(data: Data) -> Data {
    let Data::Bytes(values) = data else { return data };
    Data::Bytes(values.into_iter().map(|text| STANDARD.decode(&text).map_or(text, Bytes::from)).collect())
}

/// Values one behind the other: behind the JSON, or as gRPC's raw contents.
///
/// # Errors
/// They are not as many as are wanted.
pub(super) fn packed(datatype: Type, wanted: usize, mut bytes: Bytes, budget: &mut Budget) -> Result<Data, String> {
    if let Some(size) = datatype.size() {
        let found = bytes.len();
        return match wanted.checked_mul(size) {
            Some(length) if length == found => Ok(Data::Packed(datatype, bytes)),
            _ => Err(format!("{wanted} values of {} do not take {found} bytes", datatype.name())),
        };
    }
    if datatype != Type::Bytes {
        return Err("has no datatype, which packed data needs".to_owned());
    }
    let mut values = Vec::new();
    while !bytes.is_empty() {
        let Some(length) = bytes.first_chunk::<4>().map(|head| u32::from_le_bytes(*head)) else {
            return Err("its bytes end within a length".to_owned());
        };
        let rest = bytes.split_off(4);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > rest.len() {
            return Err(format!("a value of {length} bytes goes beyond the tensor's own"));
        }
        budget.0 = budget.0.checked_sub(32).ok_or("it has more values than a body may (ingest.max_body)")?;
        bytes = rest;
        values.push(bytes.split_to(length));
    }
    if values.len() == wanted {
        Ok(Data::Bytes(values))
    } else {
        Err(format!("its shape has {wanted} values, and its bytes {}", values.len()))
    }
}
