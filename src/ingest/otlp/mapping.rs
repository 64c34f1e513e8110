//! Log records to rows: which are predictions, whose, and what their columns are called. Pure.
//!
//! A record is a prediction if its event is `plumbline.sample`, a label if it is `plumbline.label`; without an event's name one that names
//! its model or whose body has names is a prediction. Any other is a line of somebody's log.

use std::borrow::Cow;

use super::wire::{Any, Attributes, Record};
use crate::frame::json::Value;
use crate::identity::ModelKey;
use crate::model::border::Purpose;
use crate::model::{check_name, check_namespace};

/// What names the model, of a record or of its resource.
const MODEL: &str = "plumbline.model";
const NAMESPACE: &str = "plumbline.model.namespace";
/// What names it where nothing else does.
const SERVICE: (&str, &str) = ("service.name", "service.namespace");
/// The event's name as an attribute, where it came before it had a field.
const EVENT: &str = "event.name";
const SAMPLE: &str = "plumbline.sample";
const LABEL: &str = "plumbline.label";
/// What libraries say of where a line of log was written.
const NOT_COLUMNS: [&str; 6] = ["plumbline.", "code.", "thread.", "exception.", "log.", "gen_ai."];
/// Values that have names stand in so many others.
const DEEPEST: usize = 8;

/// A row, and whose it is.
#[derive(Debug, PartialEq)]
pub struct Row {
    /// The model.
    pub model: ModelKey,
    /// What the row is.
    pub purpose: Purpose,
    /// Its columns.
    pub fields: Vec<(String, Value<'static>)>,
    /// When it happened, if the record says so.
    pub time: Option<jiff::Timestamp>,
}

fn text<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    attributes.iter().find_map(|(known, value)| match value {
        Any::Text(text) if known == name && !text.is_empty() => Some(text.as_str()),
        _ => None,
    })
}

/// The row that a record is.
///
/// # Errors
/// It is none; says why.
pub fn row(resource: &Attributes, record: Record) -> Result<Row, String> {
    let own = |name: &str| text(&record.attributes, name).or_else(|| text(resource, name));
    let event = record.event.as_deref().or_else(|| text(&record.attributes, EVENT));
    let named = own(MODEL);
    let purpose = match event {
        Some(SAMPLE) => Purpose::Samples,
        Some(LABEL) => Purpose::Labels,
        Some(other) => return Err(format!("its event is `{other}`; there are {SAMPLE} and {LABEL}")),
        None if named.is_some() || matches!(record.body, Any::Map(_)) => Purpose::Samples,
        None => {
            return Err(format!(
                "it is a line of a log: a prediction has the event {SAMPLE}, the attribute {MODEL}, or a body of names and values"
            ));
        }
    };
    let (name, namespace) = if let Some(name) = named {
        (name, own(NAMESPACE))
    } else {
        let missing = || format!("nothing names its model: neither {MODEL} nor {}", SERVICE.0);
        (own(SERVICE.0).ok_or_else(missing)?, own(NAMESPACE).or_else(|| own(SERVICE.1)))
    };
    check_name(name).map_err(|message| format!("`{name}` {message}"))?;
    if let Some(namespace) = namespace {
        check_namespace(namespace).map_err(|message| format!("`{namespace}` {message}"))?;
    }
    let model = ModelKey { namespace: namespace.map(str::to_owned), name: name.to_owned() };
    let mut fields = Vec::new();
    for (name, value) in record.attributes {
        if name != EVENT && !NOT_COLUMNS.iter().any(|not| name.starts_with(not)) {
            add(name, value, 0, &mut fields);
        }
    }
    if let Any::Map(body) = record.body {
        for (name, value) in body {
            add(name, value, 0, &mut fields);
        }
    }
    if fields.is_empty() {
        return Err("it has no columns: neither attributes nor a body of names and values".to_owned());
    }
    Ok(Row { model, purpose, fields, time: record.time })
}

/// Adds a column; of what has names itself one for each, their names joined by dots.
fn add(name: String, value: Any, depth: usize, fields: &mut Vec<(String, Value<'static>)>) {
    let value = match value {
        Any::Null => Value::Null,
        Any::Text(text) => Value::Text(Cow::Owned(text)),
        Any::Bool(value) => Value::Bool(value),
        Any::Int(value) => Value::Int(value),
        // Not a number is no value.
        Any::Float(value) if value.is_nan() => Value::Null,
        Any::Float(value) => Value::Float(value),
        Any::List(list) => list_of(&list),
        Any::Map(inner) if depth < DEEPEST => {
            for (below, value) in inner {
                add(format!("{name}.{below}"), value, depth.saturating_add(1), fields);
            }
            return;
        }
        Any::Map(_) => Value::Nested("values within values within values"),
        Any::Bytes => Value::Nested("bytes"),
    };
    fields.push((name, value));
}

fn list_of(list: &[Any]) -> Value<'static> {
    let number = |value: &Any| match value {
        Any::Null => Some(None),
        #[expect(clippy::cast_precision_loss, reason = "an item of a list is a float")]
        Any::Int(value) => Some(Some(*value as f64)),
        Any::Float(value) => Some(Some(*value).filter(|value| !value.is_nan())),
        _ => None,
    };
    let text = |value: &Any| match value {
        Any::Null => Some(None),
        Any::Text(text) => Some(Some(text.clone())),
        _ => None,
    };
    if let Some(numbers) = list.iter().map(number).collect() {
        return Value::Numbers(numbers);
    }
    list.iter().map(text).collect::<Option<_>>().map_or(Value::Nested("a list of unlike things"), Value::Texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(pairs: &[(&str, &str)]) -> Attributes {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Any::Text((*value).to_owned()))).collect()
    }

    fn record(event: Option<&str>, pairs: &[(&str, &str)], body: Any) -> Record {
        Record { time: None, event: event.map(str::to_owned), body, attributes: attributes(pairs) }
    }

    #[test]
    fn the_model_is_named_by_the_record_then_its_resource_then_the_service() {
        let service = attributes(&[("service.name", "svc"), ("service.namespace", "shop")]);
        let named = attributes(&[("service.name", "svc"), ("plumbline.model", "m")]);
        let of = |resource: &Attributes, record| row(resource, record).map(|row| (row.model.to_string(), row.purpose));
        let sample = |pairs| record(Some(SAMPLE), pairs, Any::Null);
        assert_eq!(of(&service, sample(&[("x", "1")])), Ok(("shop/svc".to_owned(), Purpose::Samples)));
        assert_eq!(of(&named, sample(&[("x", "1")])), Ok(("m".to_owned(), Purpose::Samples)));
        let own = [("x", "1"), ("plumbline.model", "k"), ("plumbline.model.namespace", "ml")];
        assert_eq!(of(&named, sample(&own)), Ok(("ml/k".to_owned(), Purpose::Samples)));
        let label = record(None, &[("id", "1"), ("label", "x"), ("event.name", LABEL)], Any::Null);
        assert_eq!(of(&named, label), Ok(("m".to_owned(), Purpose::Labels)));
        let body = record(None, &[], Any::Map(attributes(&[("x", "1")])));
        assert_eq!(of(&service, body), Ok(("shop/svc".to_owned(), Purpose::Samples)));
        for (resource, record, told) in [
            (&service, record(None, &[("x", "1")], Any::Text("started".to_owned())), "a line of a log"),
            (&service, record(Some("device.crash"), &[("x", "1")], Any::Null), "device.crash"),
            (&Vec::new(), sample(&[("x", "1")]), "nothing names its model"),
            (&service, sample(&[("plumbline.model", "../up")]), "../up"),
            (&service, sample(&[("code.function", "f")]), "no columns"),
        ] {
            assert!(row(resource, record).expect_err(told).contains(told), "{told}");
        }
    }

    #[test]
    fn every_value_has_its_column() {
        let nested = Any::Map(vec![("b".to_owned(), Any::Map(vec![("c".to_owned(), Any::Int(1))]))]);
        let body = Any::Map(vec![
            ("a".to_owned(), nested),
            ("n".to_owned(), Any::List(vec![Any::Int(1), Any::Float(0.5), Any::Null])),
            ("t".to_owned(), Any::List(vec![Any::Text("x".to_owned())])),
            ("u".to_owned(), Any::List(vec![Any::Text("x".to_owned()), Any::Int(1)])),
            ("nan".to_owned(), Any::Float(f64::NAN)),
            ("bytes".to_owned(), Any::Bytes),
        ]);
        let resource = attributes(&[("service.name", "m")]);
        let row = row(&resource, record(None, &[("code.line", "7"), ("x", "1")], body)).expect("a row");
        let wanted = [
            ("x", Value::Text("1".into())),
            ("a.b.c", Value::Int(1)),
            ("n", Value::Numbers(vec![Some(1.0), Some(0.5), None])),
            ("t", Value::Texts(vec![Some("x".to_owned())])),
            ("u", Value::Nested("a list of unlike things")),
            ("nan", Value::Null),
            ("bytes", Value::Nested("bytes")),
        ];
        assert_eq!(row.fields, wanted.map(|(name, value)| (name.to_owned(), value)));
    }
}
