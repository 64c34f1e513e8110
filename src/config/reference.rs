//! config/README.md: every key with its type, default and meaning, made from the types themselves. Defaults are read from
//! `config/plumbline.toml`, which a test holds to the types.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use schemars::schema_for;
use serde_json::Value;

use super::{Config, DEFAULTS};

/// What stands in the file for each key, and whether it is switched on.
fn written() -> BTreeMap<String, (String, bool)> {
    let mut values = BTreeMap::new();
    let mut section = String::new();
    for line in DEFAULTS.lines() {
        let (text, on) = line.strip_prefix("# ").map_or((line, true), |rest| (rest, false));
        if let Some(head) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            head.trim_matches(['[', ']']).clone_into(&mut section);
        } else if let Some((key, value)) = setting(line) {
            values.entry(format!("{section}.{key}")).or_insert((value.to_owned(), on));
        }
    }
    values
}

fn page() -> String {
    let schema = Value::from(schema_for!(Config));
    let mut page = String::from(
        "# Configuration\n\n\
         Made from the types in the code; a test holds it to them. [plumbline.toml](plumbline.toml) has the same keys with their \
         defaults, ready to copy; [alerts.toml](alerts.toml) the rules that come with the agent. The file is TOML, every key may be \
         left out, and `plumbline check --config FILE` names every error by its line.\n",
    );
    let written = written();
    section(&mut page, &schema, &schema, "", &written);
    page
}

/// The definition that a property points to, if it does.
fn resolved<'a>(root: &'a Value, property: &'a Value) -> &'a Value {
    let own = |value: &'a Value| value["$ref"].as_str();
    let any = |value: &'a Value| value["anyOf"].as_array().and_then(|all| all.iter().find_map(own));
    match own(property).or_else(|| any(property)) {
        Some(path) => root.pointer(path.trim_start_matches('#')).unwrap_or(property),
        None => property,
    }
}

fn section(page: &mut String, root: &Value, object: &Value, path: &str, written: &BTreeMap<String, (String, bool)>) {
    let Some(properties) = object["properties"].as_object() else { return };
    let is_table = |value: &Value| resolved(root, value)["properties"].is_object();
    let element = |value: &Value| value["items"].as_object().map(|_| resolved(root, &value["items"]).clone());
    let mut rows = String::new();
    for (name, property) in properties {
        let target = resolved(root, property);
        if path.is_empty() || is_table(property) && is_section(path, name, written) {
            continue;
        }
        let described = if property["description"].is_string() { property } else { target };
        let meaning = described["description"].as_str().unwrap_or_default().replace('\n', " ");
        let key = format!("{path}.{name}");
        let default = match written.get(&key) {
            Some((value, true)) => format!("`{value}`"),
            Some((value, false)) => format!("none; such as `{value}`"),
            None => "none".to_owned(),
        };
        let must = object["required"].as_array().is_some_and(|all| all.iter().any(|must| must == name.as_str()));
        let default = if must { "required".to_owned() } else { default };
        let _ = writeln!(rows, "| `{name}` | {} | {default} | {meaning} |", kind(property, target));
    }
    if !rows.is_empty() {
        let is_list = object["x-list"] == true;
        let head = if is_list { format!("[[{path}]]") } else { format!("[{path}]") };
        let about = object["description"].as_str().unwrap_or_default().replace('\n', " ");
        let _ =
            write!(page, "\n## `{head}`\n\n{about}\n\n| Key | Type | Default | Meaning |\n|---|---|---|---|\n{rows}");
    }
    for (name, property) in properties {
        let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if let Some(mut each) = element(property).filter(|each| each["properties"].is_object()) {
            each["x-list"] = true.into();
            section(page, root, &each, &below, written);
        } else if is_table(property) && (path.is_empty() || is_section(path, name, written)) {
            section(page, root, resolved(root, property), &below, written);
        }
    }
}

/// The table has a section of its own in the file, rather than standing in one line.
fn is_section(path: &str, name: &str, written: &BTreeMap<String, (String, bool)>) -> bool {
    let begin = format!("{path}.{name}.");
    written.keys().any(|key| key.starts_with(&begin))
}

/// The type as people name it.
fn kind(property: &Value, target: &Value) -> String {
    if let Some(kind) = property["x-kind"].as_str() {
        return match kind {
            "duration" => "duration (`\"10s\"`, `\"7d\"`)",
            "size" => "size (`\"512 MiB\"`)",
            _ => "address (`\"127.0.0.1:9477\"`)",
        }
        .to_owned();
    }
    let words = |value: &Value| {
        let listed = value["enum"].as_array().cloned().unwrap_or_default();
        let each = value["oneOf"].as_array().into_iter().flatten().map(|one| one["const"].clone());
        let all: Vec<String> =
            listed.into_iter().chain(each).filter(Value::is_string).map(|v| format!("`{v}`")).collect();
        all.join(", ")
    };
    let choices = words(target);
    if !choices.is_empty() {
        return choices;
    }
    let name = property["type"].as_str().or_else(|| property["type"].as_array().and_then(|all| all[0].as_str()));
    match name {
        Some("string") => "text",
        Some("integer") => "whole number",
        Some("number") => "number",
        Some("boolean") => "`true`, `false`",
        Some("array") => "list",
        _ => "table",
    }
    .to_owned()
}

/// Every key of the types, by section.
fn keys(root: &Value, object: &Value, path: &str, found: &mut Vec<String>) {
    for (name, property) in object["properties"].as_object().into_iter().flatten() {
        let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let target = resolved(root, property);
        let each = resolved(root, &property["items"]);
        let of_table = [target, each].into_iter().find(|value| value["properties"].is_object());
        match of_table {
            Some(table) => keys(root, table, &below, found),
            None => found.push(below),
        }
    }
}

/// A line that sets a key, switched on or not: the key, and its value with what stands beside it.
fn setting(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.strip_prefix("# ").unwrap_or(line).split_once(" = ")?;
    (!key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')).then_some((key, value))
}

/// The keys that are set in a section of the file, switched on or not, with a comment beside them or above the settings they stand
/// among. Those of a table in one line (`quality = { limits = ... }`), or of the first of several, are in the section of its name.
fn explained(file: &str) -> BTreeSet<String> {
    let (mut keys, mut section, mut is_explained) = (BTreeSet::new(), "", false);
    for line in file.lines() {
        let header = line.trim_start_matches("# ").strip_prefix('[').and_then(|rest| rest.split_once(']'));
        if let Some((name, _)) = header {
            (section, is_explained) = (name.trim_start_matches('['), false);
        } else if let Some((key, value)) = setting(line) {
            if is_explained || value.contains(" # ") {
                keys.insert(format!("{section}.{key}"));
                let table = value.trim_start_matches('[');
                let parts = table.trim_start_matches('{').split(',').filter(|_| table.starts_with('{'));
                let parts = parts.filter_map(|part| part.split_once(" = "));
                keys.extend(parts.map(|(part, _)| format!("{section}.{key}.{}", part.trim())));
            }
        } else {
            is_explained = line.starts_with("# ");
        }
    }
    keys
}

/// The keys of a rule that the table at the head of `config/alerts.toml` explains: names, and their meaning in a column of its own.
fn explained_rules(file: &str) -> BTreeSet<String> {
    let rows = file.lines().map_while(|line| line.strip_prefix('#')).filter_map(|line| line.trim().split_once("  "));
    rows.flat_map(|(names, _)| names.split(", ")).map(|name| format!("alert.{name}")).collect()
}

#[test]
fn only_a_setting_with_a_comment_in_its_own_section_is_explained() {
    let file = "[a]\n# tick is what b has\nx = 1\n# y = 2\n\nbare = 1\n[[b]]\ntick = 2\nbeside = 1 # one\n\
                [a.c]\n# Of c.\ny = { p = 1, q = 2 }\n# [d]\n# z = 1\n";
    let all = explained(file);
    assert_eq!(
        all.iter().map(String::as_str).collect::<Vec<_>>(),
        ["a.c.y", "a.c.y.p", "a.c.y.q", "a.x", "a.y", "b.beside"]
    );
    let rules = explained_rules(
        "# For over, see per.\n#\n# over      the time\n# above, below   the threshold\n\n# per   late\n",
    );
    assert_eq!(rules.iter().map(String::as_str).collect::<Vec<_>>(), ["alert.above", "alert.below", "alert.over"]);
}

#[test]
fn every_key_is_explained_in_the_file() {
    let schema = Value::from(schema_for!(Config));
    let mut all = Vec::new();
    keys(&schema, &schema, "", &mut all);
    assert!(all.len() > 70, "{} keys", all.len());
    let (settings, rules) = (explained(DEFAULTS), explained_rules(crate::alert::DEFAULTS));
    all.retain(|key| if key.starts_with("alert.") { !rules.contains(key) } else { !settings.contains(key) });
    assert_eq!(all, Vec::<String>::new(), "not explained in config/");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test is told by the environment to write the page anew")]
fn the_page_is_what_the_types_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/README.md");
    let page = page();
    if std::env::var("PLUMBLINE_BLESS").is_ok_and(|value| value == "1") {
        std::fs::write(path, &page).expect("written");
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == page, "config/README.md is out of date: PLUMBLINE_BLESS=1 cargo test --lib config");
}
