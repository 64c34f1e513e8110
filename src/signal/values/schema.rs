//! What signals are in JSON, made from their table: the same walk as [`Signals`]' own.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::super::{Form, Id, Table};
use super::{Signals, part};

impl<T: Table> JsonSchema for Signals<T> {
    fn schema_name() -> Cow<'static, str> {
        let of = std::any::type_name::<T>().rsplit("::").next().unwrap_or_default();
        format!("{of}Signals").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let ids: Vec<Id<T>> = Id::all().filter(|id: &Id<T>| id.signal().shown).collect();
        Schema::try_from(group(&ids, 0)).unwrap_or_default()
    }
}

fn object(properties: &Map<String, Value>) -> Value {
    let required: Vec<String> = properties.keys().cloned().collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn one<T: Table>(id: Id<T>) -> Value {
    let signal = id.signal();
    let form = if signal.form == Form::Count { "integer" } else { "number" };
    json!({ "type": [form, "null"], "description": signal.metric.map_or(signal.about, |metric| metric.help) })
}

fn group<T: Table>(ids: &[Id<T>], depth: usize) -> Value {
    let mut properties = Map::new();
    for ids in ids.chunk_by(|a, b| part(*a, depth) == part(*b, depth)) {
        let below = match ids[0].signal().each {
            Some(each) => {
                let name = [(each.field.to_owned(), json!({ "type": "string" }))];
                let item = name.into_iter().chain(ids.iter().map(|id| (part(*id, 1).to_owned(), one(*id))));
                json!({ "type": "array", "items": object(&item.collect()) })
            }
            None if part(ids[0], depth + 1).is_empty() => one(ids[0]),
            None => group(ids, depth + 1),
        };
        properties.insert(part(ids[0], depth).to_owned(), below);
    }
    object(&properties)
}
