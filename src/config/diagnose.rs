//! Finds every error of a TOML text at once, with line, field and the nearest valid name.
//!
//! serde stops at the first error. So the entry it stopped at is noted, taken out of the parsed tree, and the rest is
//! tried again: whatever a `Config` refuses is found, and no list of fields has to be kept beside the structs.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// More errors than this are not told one by one.
const MAX_PROBLEMS: usize = 50;

/// One error of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// The field's full name; empty where the text is not TOML.
    pub field: String,
    /// What is wrong, and what would be right where that is known.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, field, message } = self;
        if field.is_empty() { write!(f, "{line}: {message}") } else { write!(f, "{line}: {field}: {message}") }
    }
}

/// The text as a `T`, or every problem in order of line. What is a table in `example` must be one in the text: serde
/// takes a list for it too, by position. `contradictions` are asked once all fields are right.
pub fn parse<T: for<'de> Deserialize<'de>>(
    text: &str,
    example: &str,
    contradictions: impl FnOnce(&T) -> Vec<(String, String)>,
) -> Result<T, Vec<Problem>> {
    let line = |offset: usize| text[..offset.min(text.len())].matches('\n').count().saturating_add(1);
    let (whole, errors) = DeTable::parse_recoverable(text);
    let mut problems: Vec<Problem> = errors
        .into_iter()
        .map(|error| Problem {
            line: line(error.span().unwrap_or_default().start),
            field: String::new(),
            message: format!("is not TOML: {}", error.message().trim()),
        })
        .collect();
    // A line that is no TOML was told of: what was made of it says nothing more.
    let broken: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
    let mut tree = whole.clone();
    if let Ok(example) = DeTable::parse(example) {
        for (offset, field) in take_out_lists(tree.get_mut(), example.get_ref()) {
            let message = format!("must be one table, written [{field}]");
            problems.push(Problem { line: line(offset), field, message });
        }
    }
    let parsed = loop {
        match T::deserialize(toml::de::Deserializer::from(tree.clone())) {
            Ok(parsed) => break Some(parsed),
            Err(error) => {
                let span = error.span().unwrap_or_default();
                let Some(field) = take_out(tree.get_mut(), &span) else {
                    problems.push(Problem {
                        line: line(span.start),
                        field: String::new(),
                        message: error.message().to_owned(),
                    });
                    break None;
                };
                if !broken.contains(&line(span.start)) {
                    problems.push(Problem { line: line(span.start), field, message: improved(error.message()) });
                }
                if problems.len() >= MAX_PROBLEMS {
                    let message = "has more errors than are listed at once; fix these first".to_owned();
                    problems.push(Problem { line: text.lines().count().max(1), field: String::new(), message });
                    break None;
                }
            }
        }
    };
    if let Some(parsed) = &parsed {
        for (field, message) in contradictions(parsed) {
            let offset = offset_of(whole.get_ref(), &field).unwrap_or(0);
            problems.push(Problem { line: line(offset), field, message });
        }
    }
    problems.sort();
    problems.dedup();
    match parsed {
        Some(parsed) if problems.is_empty() => Ok(parsed),
        _ => Err(problems),
    }
}

/// Takes out what is no table where the example has one. Returns where each stood, and its full name.
fn take_out_lists(table: &mut DeTable<'_>, example: &DeTable<'_>) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (key, value) in example {
        let (DeValue::Table(inner), name) = (value.get_ref(), key.get_ref().as_ref()) else { continue };
        match table.iter_mut().find(|(key, _)| key.get_ref() == name).map(|(key, value)| (key.span(), value.get_mut()))
        {
            Some((_, DeValue::Table(table))) => found
                .extend(take_out_lists(table, inner).into_iter().map(|(at, field)| (at, format!("{name}.{field}")))),
            // Of headers no list can be made, and their own message never repeats a value.
            Some((span, DeValue::Array(_))) => {
                found.push((span.start, name.to_owned()));
                table.remove(name);
            }
            _ => {}
        }
    }
    found
}

/// Takes out the entry whose key has the span, else the deepest that holds it. Returns its full name.
fn take_out(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<String> {
    let named = table.iter().find(|(key, _)| key.span() == *span).map(|(key, _)| key.get_ref().to_string());
    if let Some(name) = named {
        table.remove(name.as_str());
        return Some(name);
    }
    let holds = |held: Range<usize>| held.contains(&span.start) || held == *span;
    let mut found = None;
    for (key, value) in table.iter_mut() {
        let name = key.get_ref().to_string();
        if let Some(inner) = take_out_of_value(value.get_mut(), span) {
            return Some(if inner.is_empty() { name } else { format!("{name}.{inner}") });
        }
        if holds(key.span()) || holds(value.span()) {
            found = Some(name);
        }
    }
    let name = found?;
    table.remove(name.as_str());
    Some(name)
}

fn take_out_of_value(value: &mut DeValue<'_>, span: &Range<usize>) -> Option<String> {
    match value {
        DeValue::Table(table) => take_out(table, span),
        // Of a list the one value that is wrong, so that the others are looked at too. It has no name of its own.
        DeValue::Array(values) if values.iter().any(|value| value.span() == *span) => {
            let all = std::mem::replace(values, DeArray::new());
            *values = all.into_iter().filter(|value| value.span() != *span).collect();
            Some(String::new())
        }
        DeValue::Array(values) => values.iter_mut().find_map(|value| match value.get_mut() {
            DeValue::Table(table) => take_out(table, span),
            _ => None,
        }),
        _ => None,
    }
}

/// Where the field stands, or the nearest table around it.
fn offset_of(table: &DeTable<'_>, field: &str) -> Option<usize> {
    let (first, rest) = field.split_once('.').map_or((field, None), |(first, rest)| (first, Some(rest)));
    let (key, value): (&Spanned<_>, _) = table.iter().find(|(key, _)| key.get_ref() == first)?;
    let inner = rest.and_then(|rest| match value.get_ref() {
        DeValue::Table(table) => offset_of(table, rest),
        // Of a list of tables the one that is meant, by its number.
        DeValue::Array(values) => {
            let (at, rest) = rest.split_once('.')?;
            let value = values.get(at.parse::<usize>().ok()?)?;
            value.get_ref().as_table().and_then(|table| offset_of(table, rest)).or(Some(value.span().start))
        }
        _ => None,
    });
    inner.or(Some(key.span().start))
}

/// serde lists every valid name; people want the one they meant.
fn improved(message: &str) -> String {
    let message = message.trim();
    let (Some((what, expected)), true) = (message.split_once(", expected "), message.starts_with("unknown ")) else {
        return message.to_owned();
    };
    let backticked = |text: &str| -> Vec<String> { text.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let (wrong, valid) = (backticked(what), backticked(expected));
    let nearest = wrong.first().and_then(|wrong| {
        let distance = |name: &&String| strsim::damerau_levenshtein(wrong, name);
        valid.iter().min_by_key(distance).filter(|name| distance(name) <= name.len().max(wrong.chars().count()) / 2)
    });
    // A variant of serde's is a value of the user's.
    let what = what.replace("unknown variant", "unknown value");
    match nearest {
        Some(name) => format!("{what}; did you mean `{name}`?"),
        None => format!("{what}; valid are {}", valid.join(", ")),
    }
}
