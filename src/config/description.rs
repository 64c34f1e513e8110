//! One model's description as a text of its own: the same `[[model]]` table that the configuration file has, as TOML or JSON.

use serde::Deserialize;

use super::{DEFAULTS, Problem, diagnose};
use crate::identity::ModelKey;
use crate::model::Spec;

/// A text is no longer than this, in bytes.
pub const LONGEST: usize = 64 * 1024;

/// A text that describes one model.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    model: Vec<Spec>,
}

/// The description that a TOML text holds, of the model in this namespace or none where the text names none itself.
///
/// # Errors
/// Every problem with its line and field.
pub fn parse(text: &str, namespace: Option<&str>) -> Result<Spec, Vec<Problem>> {
    let one = |message: String| vec![Problem { line: 1, field: String::new(), message }];
    if text.len() > LONGEST {
        return Err(one(format!("is longer than {LONGEST} bytes")));
    }
    let fields = |document: &Document| -> Vec<(String, String)> {
        let numbered = document.model.iter().enumerate();
        let wrong = numbered.flat_map(|(at, spec)| {
            let own = spec.problems().into_iter();
            own.map(move |(field, message)| (format!("model.{at}.{field}"), message))
        });
        wrong.collect()
    };
    let document: Document = diagnose::parse(text, DEFAULTS, fields)?;
    let found = document.model.len();
    let mut models = document.model.into_iter();
    let (Some(mut spec), None) = (models.next(), models.next()) else {
        return Err(one(format!("describes {found} models; write one [[model]] table")));
    };
    match (&spec.namespace, namespace) {
        (Some(theirs), Some(ours)) if theirs != ours => {
            let message = format!("is `{theirs}`, and must be `{ours}`, or be left out");
            return Err(vec![Problem { line: 1, field: "model.namespace".to_owned(), message }]);
        }
        (None, Some(ours)) => spec.namespace = Some(ours.to_owned()),
        _ => {}
    }
    Ok(spec)
}

/// The same, of this very model.
///
/// # Errors
/// Every problem with its line and field; or that it describes another model.
pub fn parse_of(text: &str, model: &ModelKey) -> Result<Spec, Vec<Problem>> {
    let spec = parse(text, model.namespace.as_deref())?;
    if spec.key() == *model {
        return Ok(spec);
    }
    let message = format!("describes `{}`, and was sent for `{model}`", spec.key());
    Err(vec![Problem { line: 1, field: "model.name".to_owned(), message }])
}

/// The TOML text of a description in JSON: `{"model": [{...}]}` as TOML has it, or the table alone. What is null is left out.
///
/// # Errors
/// It is no JSON, or no object.
pub fn toml_of_json(text: &str) -> Result<String, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| format!("is no JSON: {error}"))?;
    let serde_json::Value::Object(object) = &value else {
        return Err("is no JSON object; write {\"name\": \"...\"}".to_owned());
    };
    let whole = match object.get("model") {
        Some(serde_json::Value::Array(_)) => value,
        Some(table @ serde_json::Value::Object(_)) => serde_json::json!({ "model": [table] }),
        _ => serde_json::json!({ "model": [value] }),
    };
    let told = |error: toml::ser::Error| format!("cannot be written as TOML: {error}");
    toml::to_string_pretty(&without_nulls(whole)).map_err(told)
}

/// JSON writes null for what is not there; TOML does not write it.
fn without_nulls(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(object) => {
            let kept = object.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key, without_nulls(value))).collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(problems: &[Problem]) -> String {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_text_describes_one_model_as_the_file_does() {
        let text = "[[model]]\nname = \"churn\"\nid = \"request_id\"\nwindow = \"6h\"\n";
        let spec = parse(text, Some("shop")).expect("a description");
        assert_eq!((spec.key(), spec.id.as_str()), (ModelKey::within("shop", "churn"), "request_id"));
        assert_eq!(parse(text, None).expect("a description").key(), ModelKey::named("churn"));
        let json =
            r#"{"name": "churn", "id": "request_id", "window": "6h", "task": null, "scores": {"a": "p", "b": "q"}}"#;
        for json in [json.to_owned(), format!("{{\"model\":{json}}}"), format!("{{\"model\":[{json}]}}")] {
            let of_json = parse(&toml_of_json(&json).expect("TOML"), Some("shop")).expect("a description");
            assert_eq!((of_json.window, of_json.scores.len()), (spec.window, 2));
        }
    }

    #[test]
    fn every_problem_is_told() {
        let why = messages(
            &parse("[[model]]\nname = \"m\"\nwindw = \"6h\"\nlateness = \"soon\"\n", None).expect_err("wrong"),
        );
        assert!(
            why.contains("3: model.windw")
                && why.contains("did you mean `window`")
                && why.contains("4: model.lateness"),
            "{why}"
        );
        for (text, namespace, expected) in [
            ("", None, "describes 0 models"),
            ("[[model]]\nname = \"a\"\n[[model]]\nname = \"b\"\n", None, "describes 2 models"),
            ("[[model]]\nname = \"a\"\nnamespace = \"ml\"\n", Some("shop"), "must be `shop`"),
            ("[agent]\nlisten = \"0.0.0.0:1\"\n[[model]]\nname = \"a\"\n", None, "agent"),
            ("[[model]]\nname = \"..\"\n", None, "2: model.0.name"),
            ("[[model]]\nname = \"a\"\nwindow = \"1ms\"\n", None, "3: model.0.window"),
            ("nonsense", None, "not TOML"),
        ] {
            let why = messages(&parse(text, namespace).expect_err(text));
            assert!(why.contains(expected), "{text}: {why}");
        }
        assert!(messages(&parse(&" ".repeat(LONGEST + 1), None).expect_err("long")).contains("longer"));
        let other = parse_of("[[model]]\nname = \"a\"\n", &ModelKey::named("b")).expect_err("another");
        assert!(messages(&other).contains("describes `a`, and was sent for `b`"));
        for json in ["", "[]", "7", "{\"name\":"] {
            assert!(toml_of_json(json).is_err(), "{json}");
        }
    }
}
