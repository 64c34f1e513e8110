//! A prediction whose halves are together, or the one half that there is, as rows. Pure.

use std::borrow::Cow;
use std::collections::HashSet;

use jiff::Timestamp;

use super::columns::{Field, Naming, Part, parts, rows as rows_of};
use super::outputs::{Roles, largest, roles};
use super::payload::Payload;
use super::reject::{Reason, Reject};
use crate::frame::json::{Builder, Value};
use crate::model::Spec;

/// The body's own id is meant by this name.
const OWN_ID: &str = "request.id";
/// By this parameter, or header that is passed on, TrustyAI's explainers say that they made the request up.
const SYNTHETIC: &str = "bias-ignore";

/// Which column of a truth is the label, where none is called so and there are several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// None.
    Named,
    /// The one that would be the prediction, had the model said so.
    LikeAPrediction,
}

/// What one prediction's events said.
#[derive(Debug, Clone, PartialEq)]
pub struct Predicted {
    /// What tied its halves.
    pub id: String,
    /// The ids of its rows, where each came with its own.
    pub ids: Vec<String>,
    /// When it was asked; else when it was answered.
    pub time: Option<Timestamp>,
    /// Which of several endpoints answered.
    pub endpoint: Option<String>,
    /// Headers that were passed on.
    pub metadata: Vec<(String, String)>,
    /// What was asked.
    pub request: Option<Payload>,
    /// What was said.
    pub response: Option<Payload>,
}

impl Predicted {
    /// How many rows it is, `most` at most.
    ///
    /// # Errors
    /// Its halves do not go together, or it has too many.
    pub fn rows(&self, most: usize) -> Result<usize, Reject> {
        bounded(rows_of(self.request.as_ref(), self.response.as_ref())?, most)
    }

    /// How many rows a truth is about, `most` at most.
    ///
    /// # Errors
    /// There are none, or too many.
    pub fn rows_of_truth(truth: &Payload, most: usize) -> Result<usize, Reject> {
        bounded(rows_of(None, Some(truth))?, most)
    }

    /// Adds its rows. Tensors of more than `most` columns are summarised.
    pub fn add(&self, rows: usize, spec: &Spec, most: usize, builder: &mut Builder<'_>) {
        let names = (!spec.columns.is_empty()).then_some(spec.columns.as_slice());
        let naming = Naming { columns: names, numbered: true };
        let inputs = self.request.as_ref().map(|payload| parts(payload, rows, most, naming)).unwrap_or_default();
        let outputs =
            self.response.as_ref().map(|payload| parts(payload, rows, most, Naming::default())).unwrap_or_default();
        let roles = roles(spec, &outputs, rows);
        let layout = Layout::of(spec, &inputs, &outputs, &roles);
        let beside = self.beside(spec, &layout);
        for row in 0..rows {
            let mut fields: Vec<Field<'_>> = Vec::with_capacity(inputs.len().saturating_add(8));
            self.add_own(spec, rows, row, &layout, &mut fields);
            fields.extend(beside.iter().map(|(name, value)| (Cow::Borrowed(*name), value.clone())));
            if let Some(place) = largest(&outputs, &roles.largest, row) {
                fields.push((Cow::Borrowed(&spec.prediction), Value::Int(place)));
            }
            for (part, name) in inputs.iter().zip(&layout.inputs) {
                part.add(row, Cow::Borrowed(name), &mut fields);
            }
            for (part, name) in outputs.iter().zip(&layout.outputs) {
                if let Some(name) = name {
                    part.add(row, Cow::Borrowed(name), &mut fields);
                }
            }
            builder.row(fields);
        }
    }

    /// The row's id, time and version, where no column says them.
    fn add_own<'a>(&'a self, spec: &'a Spec, rows: usize, row: usize, layout: &Layout, fields: &mut Vec<Field<'a>>) {
        if !layout.has(&spec.id) {
            fields.push((Cow::Borrowed(&spec.id), self.own_id(spec, rows, row)));
        }
        if !layout.has(&spec.timestamp) {
            // Texts and numbers in one column would not be taken: both become milliseconds.
            let said = match self.said(&spec.timestamp) {
                Some(Value::Text(text)) => Some(match text.trim().parse::<Timestamp>() {
                    Ok(time) => Value::Int(time.as_millisecond()),
                    Err(_) => Value::Text(text),
                }),
                Some(value) => Some(value),
                None => self.time.map(|time| Value::Int(time.as_millisecond())),
            };
            fields.extend(said.map(|time| (Cow::Borrowed(spec.timestamp.as_str()), time)));
        }
        if !layout.has(&spec.version) {
            let response = || self.response.as_ref().and_then(|response| response.version.as_deref());
            let version = match self.said(&spec.version) {
                Some(value) => text(value),
                None => response().or(self.endpoint.as_deref()).map(Cow::Borrowed),
            };
            fields.extend(version.map(|version| (Cow::Borrowed(spec.version.as_str()), Value::Text(version))));
        }
    }

    /// Somebody made it up to learn about the model: it is no traffic.
    #[must_use]
    pub fn is_synthetic(&self) -> bool {
        matches!(self.said(SYNTHETIC), Some(Value::Bool(true)))
            || self.said(SYNTHETIC).and_then(text).is_some_and(|said| said == "true")
    }

    /// The id of a row that no column names.
    fn own_id<'a>(&'a self, spec: &'a Spec, rows: usize, row: usize) -> Value<'a> {
        if let Some(id) = self.ids.get(row) {
            return Value::Text(Cow::Borrowed(id));
        }
        let id = self.said(&spec.id).and_then(text).unwrap_or(Cow::Borrowed(self.id.as_str()));
        Value::Text(if rows == 1 { id } else { Cow::Owned(format!("{id}#{row}")) })
    }

    /// Adds labels: the response is what was true. The rows are named as those of the prediction are.
    pub fn add_truth(&self, rows: usize, spec: &Spec, most: usize, truth: Truth, builder: &mut Builder<'_>) {
        let names = (!spec.columns.is_empty()).then_some(spec.columns.as_slice());
        let naming = Naming { columns: names, numbered: true };
        let request = self.request.as_ref().filter(|request| rows_of(Some(request), None) == Ok(rows));
        let inputs = request.map(|payload| parts(payload, rows, most, naming)).unwrap_or_default();
        let id = inputs.iter().find(|part| part.name() == spec.id);
        let told =
            self.response.as_ref().map(|payload| parts(payload, rows, most, Naming::default())).unwrap_or_default();
        let named = told.iter().find(|part| part.name() == spec.label);
        let label = named.or(told.first().filter(|_| told.len() == 1));
        let roles = (label.is_none() && truth == Truth::LikeAPrediction).then(|| roles(spec, &told, rows));
        let label = label.or_else(|| told.get(roles.as_ref()?.prediction?));
        for row in 0..rows {
            let mut fields: Vec<Field<'_>> = Vec::with_capacity(3);
            match id {
                Some(part) => part.add(row, Cow::Borrowed(&spec.id), &mut fields),
                None => fields.push((Cow::Borrowed(&spec.id), self.own_id(spec, rows, row))),
            }
            fields.extend(
                self.time.map(|time| (Cow::Borrowed(spec.timestamp.as_str()), Value::Int(time.as_millisecond()))),
            );
            if let Some(label) = label {
                label.add(row, Cow::Borrowed(&spec.label), &mut fields);
            } else if let Some(place) = roles.as_ref().and_then(|roles| largest(&told, &roles.largest, row)) {
                fields.push((Cow::Borrowed(&spec.label), Value::Int(place)));
            }
            builder.row(fields);
        }
    }

    /// What the description wants beside tensors and the request's parameters or passed-on headers have.
    fn beside<'a>(&'a self, spec: &'a Spec, layout: &Layout) -> Vec<(&'a str, Value<'a>)> {
        let mut wanted: Vec<&str> = spec.group.as_deref().into_iter().collect();
        wanted.extend(spec.segments.iter().map(String::as_str));
        wanted.extend(spec.protected.iter().map(|protected| protected.column.as_str()));
        let mut seen = HashSet::new();
        let own = [&spec.id, &spec.timestamp, &spec.version];
        wanted.retain(|name| seen.insert(*name) && !layout.has(name) && own.iter().all(|own| own != name));
        wanted.into_iter().filter_map(|name| Some((name, self.said(name)?))).collect()
    }

    /// A parameter of the request, or a header that was passed on, by the name.
    fn said(&self, name: &str) -> Option<Value<'_>> {
        let request = self.request.as_ref();
        if name == OWN_ID {
            let own = request.or(self.response.as_ref()).and_then(|payload| payload.id.as_deref());
            return own.map(|id| Value::Text(Cow::Borrowed(id)));
        }
        let parameter = request.and_then(|payload| payload.parameters.iter().find(|(known, _)| known == name));
        let header = || self.metadata.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        match parameter {
            Some((_, value)) => Some(value.clone()),
            None => header().map(|(_, text)| Value::Text(Cow::Borrowed(text.as_str()))),
        }
    }

    /// Bytes of memory it takes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let halves = [&self.request, &self.response].into_iter().flatten().map(Payload::bytes).sum::<usize>();
        let ids = self.ids.iter().fold(0_usize, |sum, id| sum.saturating_add(id.len()).saturating_add(24));
        halves.saturating_add(self.id.len()).saturating_add(ids).saturating_add(128)
    }
}

/// A name, or a number as one.
fn text(value: Value<'_>) -> Option<Cow<'_, str>> {
    match value {
        Value::Text(text) => Some(text),
        Value::Int(number) => Some(Cow::Owned(number.to_string())),
        Value::UInt(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

fn bounded(rows: usize, most: usize) -> Result<usize, Reject> {
    if rows > most {
        let message = format!("the prediction has {rows} rows, more than {most} (ingest.max_rows)");
        return Err(Reject::new(Reason::TooLarge, message));
    }
    Ok(rows)
}

/// What the columns are called in rows.
struct Layout {
    inputs: Vec<String>,
    /// None of an output that is left out.
    outputs: Vec<Option<String>>,
}

impl Layout {
    fn of(spec: &Spec, inputs: &[Part<'_>], outputs: &[Part<'_>], roles: &Roles) -> Self {
        // An input is no answer, whatever it is called.
        let answers = [&spec.prediction, &spec.score, &spec.label];
        let input = |part: &Part<'_>| {
            let name = part.name();
            if answers.iter().any(|answer| *answer == name) { format!("input.{name}") } else { name.to_owned() }
        };
        let inputs: Vec<String> = inputs.iter().map(input).collect();
        let taken: HashSet<&str> = inputs.iter().map(String::as_str).collect();
        let output = |(at, part): (usize, &Part<'_>)| {
            let name = part.name();
            if roles.prediction == Some(at) {
                return Some(spec.prediction.clone());
            }
            if roles.score == Some(at) {
                return Some(spec.score.clone());
            }
            if roles.spare.contains(&at) {
                return None;
            }
            // What the model says is never the truth.
            let clashes = taken.contains(name) || answers.iter().any(|answer| *answer == name);
            Some(if clashes { format!("output.{name}") } else { name.to_owned() })
        };
        let outputs = outputs.iter().enumerate().map(output).collect();
        Self { inputs, outputs }
    }

    fn has(&self, name: &str) -> bool {
        self.inputs.iter().any(|known| known == name) || self.outputs.iter().flatten().any(|known| known == name)
    }
}

#[cfg(test)]
mod tests;
