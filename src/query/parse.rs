//! A question as an address says it.

use jiff::{SignedDuration, Timestamp};

use super::table::{Table, tables};
use super::{MOST_COLUMNS, MOST_STEPS, Query};
use crate::signal::Part;

/// The parameters beside those that leave rows out.
pub const PARAMETERS: &[&str] = &["table", "columns", "by", "changes", "total", "since", "until", "step"];

/// Without `step` an answer has about so many.
const USUAL_STEPS: i64 = 240;
/// Steps that people think in, in seconds.
const ROUND: [i64; 12] = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400];
/// Nothing older is asked for: ten years.
const OLDEST: i64 = 10 * 366 * 86_400;
/// Without `since` the last day is told.
const USUAL_TIME: i64 = 86_400;

/// Reads a question from an address's parameters, which are decoded.
///
/// # Errors
/// A parameter is unknown, given twice, or not what it must be; the text says which, and what there is.
pub fn parse(parameters: &[(String, String)], now: Timestamp) -> Result<Query, String> {
    let given = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    for (at, (name, _)) in parameters.iter().enumerate() {
        if parameters.iter().take(at).any(|(before, _)| before == name) {
            return Err(format!("{name} is given twice"));
        }
    }
    let names = || tables().map(Table::name).join(", ");
    let name = given("table").ok_or_else(|| format!("table is missing; there are {}", names()))?;
    let table = Table::named(name).ok_or_else(|| format!("no table `{name}`; there are {}", names()))?;
    let list = |name: &str| -> Vec<String> {
        let list = given(name).unwrap_or_default().split(',').map(str::trim);
        list.filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
    };
    let texts = table.texts();
    let columns = list("columns");
    if columns.is_empty() {
        return Err(format!("columns is missing; {table} has {}", numbers(table)));
    }
    if columns.len() > MOST_COLUMNS {
        return Err(format!("columns names {}; {MOST_COLUMNS} at most in one question", columns.len()));
    }
    if let Some(unknown) = columns.iter().find(|name| table.number(name).is_none()) {
        return Err(format!("columns: {table} has no number `{unknown}`; it has {}", numbers(table)));
    }
    let of_texts = |parameter: &str, known: &[&str]| {
        let list = list(parameter);
        match list.iter().find(|name| !known.contains(&name.as_str())) {
            Some(unknown) => Err(format!("{parameter}: {table} has no text `{unknown}`; it has {}", known.join(", "))),
            None => Ok(list),
        }
    };
    let by = of_texts("by", &texts)?;
    let changes = of_texts("changes", &[texts.clone(), table.lists()].concat())?;
    let total = match given("total") {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => return Err(format!("total: `{other}` is neither true nor false")),
    };
    let largest =
        |name: &&String| table.number(name).is_some_and(|number| matches!(number.part, Part::Max | Part::P95));
    if let Some(name) = columns.iter().find(largest).filter(|_| total) {
        return Err(format!(
            "total: the largest of {name} were not all at one moment, so they have no sum; ask for means, or without total"
        ));
    }
    let mut only = Vec::new();
    for (name, value) in parameters.iter().filter(|(name, _)| !PARAMETERS.contains(&name.as_str())) {
        if !texts.contains(&name.as_str()) {
            let all = PARAMETERS.join(", ");
            return Err(format!(
                "unknown parameter `{name}`; there are {all}, and the texts of {table}: {}",
                texts.join(", ")
            ));
        }
        only.push((name.clone(), value.clone()));
    }
    let until = time("until", given("until"), now)?.unwrap_or(now);
    let since = match time("since", given("since"), now)? {
        Some(since) => since,
        None => before(until, USUAL_TIME),
    };
    if since >= until {
        return Err(format!("since ({since}) is not before until ({until})"));
    }
    let length = until.as_second().saturating_sub(since.as_second()).max(1);
    let step = match given("step") {
        Some(text) => seconds("step", text)?,
        None => usual_step(length),
    };
    let steps = length.checked_div(step).unwrap_or(0);
    if steps > MOST_STEPS {
        let least = usual_step(length.saturating_mul(USUAL_STEPS).checked_div(MOST_STEPS).unwrap_or(length));
        return Err(format!("step: {steps} steps, {MOST_STEPS} at most; take {least}s or more, or a shorter time"));
    }
    let since = since.as_second().div_euclid(step.max(1)).saturating_mul(step);
    let since = Timestamp::from_second(since).map_err(|error| format!("since: {error}"))?;
    Ok(Query { table, columns, only, by, changes, total, since, until, step })
}

fn numbers(table: Table) -> String {
    table.numbers().into_iter().map(|number| number.name).collect::<Vec<_>>().join(", ")
}

/// The round step that makes about as many steps as people look at.
fn usual_step(length: i64) -> i64 {
    let wanted = length.checked_div(USUAL_STEPS).unwrap_or(0);
    let days = wanted.div_euclid(86_400).saturating_add(1).saturating_mul(86_400);
    ROUND.into_iter().find(|step| *step >= wanted).unwrap_or(days)
}

fn before(time: Timestamp, seconds: i64) -> Timestamp {
    time.checked_sub(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MIN)
}

/// A time, or how long ago it was; `now` is the latest.
fn time(name: &str, text: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, String> {
    let Some(text) = text else { return Ok(None) };
    let found = match text {
        "now" => now,
        time if time.contains('T') => time.parse().map_err(|_| {
            format!("{name}: `{time}` is no time; write how long ago (24h, 14d), or a time as 2026-01-31T12:00:00Z")
        })?,
        ago => before(now, seconds(name, ago)?),
    };
    if found < before(now, OLDEST) {
        return Err(format!("{name}: `{text}` is more than ten years ago"));
    }
    Ok(Some(found.min(now)))
}

fn seconds(name: &str, text: &str) -> Result<i64, String> {
    let parsed = humantime::parse_duration(text)
        .map_err(|error| format!("{name}: `{text}` is no duration ({error}); write 5m, 24h, 14d"))?;
    let seconds = i64::try_from(parsed.as_secs()).unwrap_or(i64::MAX);
    if seconds < 60 || !parsed.subsec_nanos().eq(&0) {
        return Err(format!(
            "{name}: `{text}` is less than a minute, or no whole number of seconds; the history is of minutes"
        ));
    }
    Ok(seconds)
}
