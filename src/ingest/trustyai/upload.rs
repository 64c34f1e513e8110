//! What an upload says: whose data they are and what for, the request and the response of the V2 protocol as JSON, and which rows are
//! meant. Pure.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::frame::json::Builder;
use crate::identity::ModelKey;
use crate::ingest::events::cloud::{Half, MAX_ID};
use crate::ingest::events::partial::plain_name;
use crate::ingest::events::payload::{self, Payload};
use crate::ingest::events::predicted::{Predicted, Truth};
use crate::ingest::events::reject::{Reason, Reject};
use crate::model::border::Purpose;
use crate::model::{Spec, address};
use crate::units::hex;

/// The tag of training data.
const TRAINING: &str = "TRAINING";
/// Bytes of an upload's hash that name it.
const HASH: usize = 16;
/// Tags that begin so are TrustyAI's own.
const RESERVED: &str = "_trustyai";

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, default)]
    model_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data_tag: Option<Cow<'a, str>>,
    #[serde(default)]
    is_ground_truth: Option<bool>,
    #[serde(borrow, default)]
    request: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Inputs<'a> {
    #[serde(borrow, default)]
    inputs: Vec<Named<'a>>,
}

/// A tensor, of which only the ids of its rows are read.
#[derive(Deserialize)]
struct Named<'a> {
    /// As the service in Java spells them, too.
    #[serde(borrow, default, alias = "executionIDs")]
    execution_ids: Option<Vec<Id<'a>>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Id<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Number(i64),
}

/// An upload.
#[derive(Debug, PartialEq)]
pub struct Upload {
    /// Whose data they are.
    pub model: ModelKey,
    /// What for.
    pub purpose: Purpose,
    /// The rows.
    predicted: Predicted,
}

/// Reads an upload, whose values may take `limit` bytes of memory; `query` is the address's, which may name the namespace.
///
/// # Errors
/// It is none, or says what cannot be done.
pub fn read(body: &Bytes, query: Option<&str>, limit: usize) -> Result<Upload, Reject> {
    let wrong = |message: String| Reject::new(Reason::Envelope, message);
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(wrong("send a JSON object with model_name, request and response".to_owned()));
    }
    let wire: Wire<'_> = serde_json::from_slice(body)
        .map_err(|error| wrong(format!("no upload: {error}; send model_name, request and response")))?;
    let name =
        wire.model_name.filter(|name| !name.is_empty()).ok_or_else(|| wrong("model_name is missing".to_owned()))?;
    let model = address::alone(plain_name(&name), query).map_err(|message| wrong(format!("model_name: {message}")))?;
    let tag = wire.data_tag.unwrap_or_default();
    if tag.to_ascii_lowercase().starts_with(RESERVED) {
        return Err(wrong(format!(
            "data_tag `{tag}` is TrustyAI's own; tags that begin with {RESERVED} are not taken"
        )));
    }
    let purpose = match (wire.is_ground_truth.unwrap_or(false), &*tag) {
        (true, TRAINING) => {
            let message = "ground truth of training data has no predictions to be joined to; send both as one upload with the tag TRAINING, or leave the tag out";
            return Err(wrong(message.to_owned()));
        }
        (true, _) => Purpose::Labels,
        (false, TRAINING) => Purpose::Reference,
        (false, _) => Purpose::Samples,
    };
    let part = |field: &str, half, part: Option<&RawValue>| {
        let part = part.filter(|part| part.get() != "null").ok_or_else(|| wrong(format!("{field} is missing")))?;
        let of_field = |reject: Reject| Reject { message: format!("{field}: {}", reject.message), ..reject };
        payload::decode(half, &body.slice_ref(part.get().as_bytes()), limit).map_err(of_field)
    };
    let request = part("request", Half::Request, wire.request)?;
    let response = part("response", Half::Response, wire.response)?;
    let ids = wire.request.map(ids).transpose()?.unwrap_or_default();
    if ids.is_empty() && purpose == Purpose::Labels {
        let message = "ground truth needs execution_ids in the first of inputs, one for each row: the ids of the rows it is about";
        return Err(wrong(message.to_owned()));
    }
    // The same upload is the same rows, though it names none; the request's own id is often the same of all uploads.
    let id = format!("upload-{}", hex(&Sha256::digest(body)[..HASH]));
    let predicted = Predicted {
        id,
        ids,
        time: None,
        endpoint: None,
        metadata: Vec::new(),
        request: Some(request),
        response: Some(response),
    };
    Ok(Upload { model, purpose, predicted })
}

/// The ids of rows that the first tensor with some has.
fn ids(request: &RawValue) -> Result<Vec<String>, Reject> {
    let wrong = |message: String| Reject::new(Reason::Envelope, message);
    let inputs: Inputs<'_> = serde_json::from_str(request.get())
        .map_err(|error| wrong(format!("execution_ids: {error}; send a list of texts")))?;
    let found = inputs.inputs.into_iter().find_map(|tensor| tensor.execution_ids.filter(|ids| !ids.is_empty()));
    let id = |id: Id<'_>| {
        let id = match id {
            Id::Text(text) => text.trim().to_owned(),
            Id::Number(number) => number.to_string(),
        };
        if id.is_empty() || id.len() > MAX_ID {
            return Err(wrong(format!("execution_ids: an id is empty or longer than {MAX_ID} bytes")));
        }
        Ok(id)
    };
    found.unwrap_or_default().into_iter().map(id).collect()
}

impl Upload {
    /// Lets go of tensors that are summarised anyway.
    #[must_use]
    pub fn settle(mut self, most: usize) -> Self {
        let settled = |payload: Option<Payload>| payload.map(|payload| payload.settle(most));
        self.predicted.request = settled(self.predicted.request);
        self.predicted.response = settled(self.predicted.response);
        self
    }

    /// How many rows it has, `most` at most.
    ///
    /// # Errors
    /// Its halves do not go together, there are too many, or another number of ids.
    pub fn rows(&self, most: usize) -> Result<usize, Reject> {
        let rows = self.predicted.rows(most)?;
        let ids = self.predicted.ids.len();
        if ids > 0 && ids != rows {
            let message = format!("there are {rows} rows and {ids} execution_ids; send one for each row");
            return Err(Reject::new(Reason::Envelope, message));
        }
        Ok(rows)
    }

    /// How many values, in all columns together.
    #[must_use]
    pub fn values(&self) -> usize {
        let halves = [&self.predicted.request, &self.predicted.response];
        let tensors = halves.into_iter().flatten().flat_map(|payload| &payload.tensors);
        tensors.map(|tensor| tensor.data.len()).fold(0, usize::saturating_add)
    }

    /// Adds its rows. Tensors of more than `most` columns are summarised.
    pub fn add(&self, rows: usize, spec: &Spec, most: usize, builder: &mut Builder<'_>) {
        match self.purpose {
            Purpose::Labels => self.predicted.add_truth(rows, spec, most, Truth::LikeAPrediction, builder),
            _ => self.predicted.add(rows, spec, most, builder),
        }
    }

    /// What became of it, once so many rows are stored.
    #[must_use]
    pub fn told(&self, rows: u64) -> String {
        let model = &self.model;
        match self.purpose {
            Purpose::Labels => {
                format!("{rows} ground truths successfully added to {model} data: labels of the rows with these ids.")
            }
            Purpose::Reference => format!(
                "{rows} datapoints successfully added to {model} data: they are its reference now, in the place of any before."
            ),
            _ => format!("{rows} datapoints successfully added to {model} data."),
        }
    }
}

#[cfg(test)]
mod tests;
