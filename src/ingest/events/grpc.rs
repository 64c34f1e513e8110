//! Bodies of the V2 protocol over gRPC to tensors: `ModelInferRequest` and `ModelInferResponse` of `grpc_predict_v2.proto` (Open Inference
//! Protocol), their contents typed or raw. Pure.
//!
//! A message may claim many times its bytes in memory, so it is weighed field by field before it is read.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::{Message, Oneof};

use super::cloud::Half;
use super::nested::Budget;
use super::payload::{MAX_PARAMETERS, Payload, packed};
use super::reject::{Reason, Reject, no_body};
use super::tensor::{Data, MAX_TENSORS, Tensor, Type, count};
use crate::frame::json::Value;
use crate::ingest::protobuf::{self, Value as Field};

/// What a tensor, a parameter and raw contents take beside their values, in bytes.
const EACH: usize = 256;
/// What a number takes while it is read, and a value of bytes.
const NUMBER: usize = 16;
const BYTES: usize = 64;

/// `ModelInferRequest`, as far as it is read.
#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(string, tag = "3")]
    id: String,
    #[prost(btree_map = "string, message", tag = "4")]
    parameters: BTreeMap<String, Parameter>,
    #[prost(message, repeated, tag = "5")]
    inputs: Vec<WireTensor>,
    #[prost(bytes = "bytes", repeated, tag = "7")]
    raw_input_contents: Vec<Bytes>,
}

/// `ModelInferResponse`, as far as it is read.
#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(string, tag = "2")]
    model_version: String,
    #[prost(string, tag = "3")]
    id: String,
    #[prost(btree_map = "string, message", tag = "4")]
    parameters: BTreeMap<String, Parameter>,
    #[prost(message, repeated, tag = "5")]
    outputs: Vec<WireTensor>,
    #[prost(bytes = "bytes", repeated, tag = "6")]
    raw_output_contents: Vec<Bytes>,
}

/// `InferInputTensor` and `InferOutputTensor`, which are alike.
#[derive(Clone, PartialEq, Message)]
struct WireTensor {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    datatype: String,
    #[prost(int64, repeated, tag = "3")]
    shape: Vec<i64>,
    #[prost(message, optional, tag = "5")]
    contents: Option<Contents>,
}

/// `InferTensorContents`: values in the field of their type.
#[derive(Clone, PartialEq, Message)]
struct Contents {
    #[prost(bool, repeated, tag = "1")]
    bools: Vec<bool>,
    #[prost(int32, repeated, tag = "2")]
    ints: Vec<i32>,
    #[prost(int64, repeated, tag = "3")]
    longs: Vec<i64>,
    #[prost(uint32, repeated, tag = "4")]
    uints: Vec<u32>,
    #[prost(uint64, repeated, tag = "5")]
    ulongs: Vec<u64>,
    #[prost(float, repeated, tag = "6")]
    floats: Vec<f32>,
    #[prost(double, repeated, tag = "7")]
    doubles: Vec<f64>,
    #[prost(bytes = "bytes", repeated, tag = "8")]
    bytes: Vec<Bytes>,
}

/// `InferParameter`, with the kinds that Triton adds.
#[derive(Clone, PartialEq, Message)]
struct Parameter {
    #[prost(oneof = "Single", tags = "1, 2, 3, 4, 5")]
    value: Option<Single>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Single {
    #[prost(bool, tag = "1")]
    Bool(bool),
    #[prost(int64, tag = "2")]
    Int(i64),
    #[prost(string, tag = "3")]
    Text(String),
    #[prost(double, tag = "4")]
    Float(f64),
    #[prost(uint64, tag = "5")]
    UInt(u64),
}

/// Reads a body; its values may take `limit` bytes of memory.
///
/// # Errors
/// It is none, or its tensors are none.
pub fn decode(half: Half, bytes: &Bytes, limit: usize) -> Result<Payload, Reject> {
    weigh(half, bytes, limit)?;
    let wrong = |error: prost::DecodeError| no_message(half, &error.to_string());
    let (id, version, parameters, wire, raw) = match half {
        Half::Request => {
            let of = Request::decode(bytes.clone()).map_err(wrong)?;
            (of.id, String::new(), of.parameters, of.inputs, of.raw_input_contents)
        }
        Half::Response => {
            let of = Response::decode(bytes.clone()).map_err(wrong)?;
            (of.id, of.model_version, of.parameters, of.outputs, of.raw_output_contents)
        }
    };
    if wire.is_empty() {
        return Err(no_message(half, "it has no tensors"));
    }
    if !raw.is_empty() && raw.len() != wire.len() {
        let message = format!(
            "there are {} tensors and {} raw contents; send one for each tensor, in their order, or none at all",
            wire.len(),
            raw.len()
        );
        return Err(Reject::new(Reason::Tensor, message));
    }
    let mut budget = Budget(limit);
    let mut raw = raw.into_iter();
    let tensors = wire.into_iter().map(|tensor| tensor.read(half, raw.next(), &mut budget));
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let parameters = parameters.into_iter().filter_map(|(name, of)| Some((name, of.value?.into_value())));
    Payload {
        id: given(id),
        version: given(version),
        parameters: parameters.take(MAX_PARAMETERS).collect(),
        tensors: tensors.collect::<Result<_, _>>()?,
        summaries: Vec::new(),
    }
    .checked()
}

fn no_message(half: Half, why: &str) -> Reject {
    let name = match half {
        Half::Request => "ModelInferRequest",
        Half::Response => "ModelInferResponse",
    };
    no_body(format!("the data is no {name} of the V2 protocol: {why}"))
}

/// Says no to a message that would take more than `limit` bytes of memory, or has too many tensors.
fn weigh(half: Half, bytes: &[u8], limit: usize) -> Result<(), Reject> {
    let (mut weight, mut tensors, mut broken) = (0_usize, 0_usize, Ok(()));
    let mut add = |more: usize| weight = weight.saturating_add(more);
    let mut visit = |field: u64, value: Field<'_>| {
        let Field::Bytes(value) = value else { return };
        match field {
            4 => add(EACH.saturating_add(value.len())),
            5 => {
                tensors = tensors.saturating_add(1);
                add(EACH);
                match weight_of_tensor(value) {
                    Ok(weight) => add(weight),
                    Err(why) => broken = Err(why),
                }
            }
            6 | 7 => add(EACH),
            _ => add(value.len()),
        }
    };
    protobuf::fields(bytes, &mut visit).and(broken).map_err(|why| no_message(half, &why))?;
    if tensors > MAX_TENSORS {
        let message = format!("the body has {tensors} tensors, more than {MAX_TENSORS}");
        return Err(Reject::new(Reason::TooLarge, message));
    }
    if weight > limit {
        let message = format!("the data takes more memory than a body may ({limit} bytes, ingest.max_body)");
        return Err(Reject::new(Reason::TooLarge, message));
    }
    Ok(())
}

fn weight_of_tensor(bytes: &[u8]) -> Result<usize, String> {
    let (mut weight, mut broken) = (0_usize, Ok(()));
    protobuf::fields(bytes, &mut |field, value| {
        let more = match (field, value) {
            (3, Field::Bytes(value)) => Ok(varints(value).saturating_mul(NUMBER)),
            (5, Field::Bytes(value)) => weight_of_contents(value),
            (_, Field::Bytes(value)) => Ok(value.len()),
            (_, Field::Number) => Ok(NUMBER),
        };
        match more {
            Ok(more) => weight = weight.saturating_add(more),
            Err(why) => broken = Err(why),
        }
    })?;
    broken.map(|()| weight)
}

fn weight_of_contents(bytes: &[u8]) -> Result<usize, String> {
    let mut weight = 0_usize;
    protobuf::fields(bytes, &mut |field, value| {
        let more = match (field, value) {
            (1..=5, Field::Bytes(value)) => varints(value).saturating_mul(NUMBER),
            (6, Field::Bytes(value)) => (value.len() / 4).saturating_mul(NUMBER),
            (7, Field::Bytes(value)) => (value.len() / 8).saturating_mul(NUMBER),
            (8, Field::Bytes(_)) => BYTES,
            (_, Field::Bytes(_)) => 0,
            (_, Field::Number) => NUMBER,
        };
        weight = weight.saturating_add(more);
    })?;
    Ok(weight)
}

/// How many numbers of variable length: each ends with a byte that says so.
fn varints(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte < 0x80).count()
}

impl WireTensor {
    fn read(self, half: Half, raw: Option<Bytes>, budget: &mut Budget) -> Result<Tensor, Reject> {
        let unnamed = self.name.is_empty();
        let name = match half {
            _ if !unnamed => self.name,
            Half::Request => "input".to_owned(),
            Half::Response => "output".to_owned(),
        };
        let wrong = |message: String| Reject::new(Reason::Tensor, format!("tensor `{name}`: {message}"));
        let datatype = Type::of(&self.datatype).ok_or_else(|| {
            let given = &self.datatype;
            wrong(format!(
                "datatype `{given}` is none; there are BOOL, INT8-64, UINT8-64, FP16, BF16, FP32, FP64, BYTES"
            ))
        })?;
        let sizes = self.shape.iter().map(|size| {
            usize::try_from(*size).map_err(|_| wrong(format!("shape: a dimension of {size} values is none")))
        });
        let shape: Vec<usize> = sizes.collect::<Result<_, _>>()?;
        let wanted = count(&shape).map_err(&wrong)?;
        let contents = self.contents.filter(|contents| contents.len() > 0);
        let data = match (raw, contents) {
            (Some(_), Some(_)) => return Err(wrong("has both contents and raw contents; send one".to_owned())),
            (Some(raw), None) => packed(datatype, wanted, raw, budget).map_err(&wrong)?,
            (None, contents) => contents.unwrap_or_default().of(datatype).map_err(&wrong)?,
        };
        let tensor = Tensor::new(name, datatype, shape, data)?;
        Ok(Tensor { unnamed, ..tensor })
    }
}

impl Contents {
    /// Values in all fields together.
    fn len(&self) -> usize {
        let numbers = [self.bools.len(), self.ints.len(), self.longs.len(), self.uints.len(), self.ulongs.len()];
        let others = [self.floats.len(), self.doubles.len(), self.bytes.len()];
        numbers.into_iter().chain(others).fold(0, usize::saturating_add)
    }

    /// The values of a type.
    ///
    /// # Errors
    /// There are values in the field of another.
    fn of(self, datatype: Type) -> Result<Data, String> {
        let all = self.len();
        let data = match datatype {
            Type::Bool => Data::Bool(self.bools),
            Type::Int(8) => Data::Int(self.longs),
            Type::Int(_) => Data::Int(self.ints.into_iter().map(i64::from).collect()),
            Type::UInt(8) => unsigned(self.ulongs),
            Type::UInt(_) => Data::Int(self.uints.into_iter().map(i64::from).collect()),
            Type::Fp32 => Data::Float(self.floats.into_iter().map(f64::from).collect()),
            Type::Fp64 => Data::Float(self.doubles),
            Type::Bytes => Data::Bytes(self.bytes),
            Type::Fp16 | Type::Bf16 | Type::Json if all == 0 => Data::Float(Vec::new()),
            Type::Fp16 | Type::Bf16 | Type::Json => {
                return Err(format!("values of {} come as raw contents alone", datatype.name()));
            }
        };
        if data.len() == all {
            return Ok(data);
        }
        let elsewhere = all.saturating_sub(data.len());
        Err(format!("is of {}, and {elsewhere} of its values are in the field of another type", datatype.name()))
    }
}

/// Whole numbers, as those with a sign where all can be.
fn unsigned(values: Vec<u64>) -> Data {
    let signed: Option<Vec<i64>> = values.iter().map(|value| i64::try_from(*value).ok()).collect();
    signed.map_or(Data::UInt(values), Data::Int)
}

impl Single {
    fn into_value(self) -> Value<'static> {
        match self {
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => Value::Int(value),
            Self::Text(value) => Value::Text(value.into()),
            Self::Float(value) if value.is_nan() => Value::Null,
            Self::Float(value) => Value::Float(value),
            Self::UInt(value) => i64::try_from(value).map_or(Value::UInt(value), Value::Int),
        }
    }
}

#[cfg(test)]
mod tests;
