//! What changed since an earlier review, in lines.

use super::time;
use crate::rightsize::changed::Changed;
use crate::units::{bytes, cores, money};

/// Things that are named in a line.
const NAMED: usize = 8;

/// The head, and a line each.
pub fn lines(changed: &Changed, currency: &str) -> Vec<String> {
    let money = |amount: f64| money(amount, currency);
    let mut lines = Vec::new();
    for (what, moved) in [("It costs", changed.cost), ("Wasted are", changed.wasted)] {
        if let Some(moved) = moved {
            let by = moved.now - moved.before;
            let said = if by.abs() < 0.01 {
                format!("{what} {} a month, as before.", money(moved.now))
            } else {
                let word = if by > 0.0 { "more" } else { "less" };
                format!("{what} {} a month, {} {word}.", money(moved.now), money(by.abs()))
            };
            lines.push(said);
        }
    }
    if changed.cost.is_none() {
        lines.push("Its money is not compared: the earlier review is in another currency.".to_owned());
    }
    for (word, names) in [("New", &changed.came), ("Ended", &changed.ended)] {
        if !names.is_empty() {
            lines.push(format!("{word}: {}.", few(names)));
        }
    }
    let amount = |resource: &str, value: Option<f64>| {
        value.map_or_else(|| "none".to_owned(), |value| if resource == "cpu" { cores(value) } else { bytes(value) })
    };
    for of in changed.resized.iter().take(NAMED) {
        let (before, now) = (amount(of.resource, of.before), amount(of.resource, of.now));
        lines.push(format!("{} asks for another amount of {}: {before} → {now}.", of.workload, spelled(of.resource)));
    }
    for of in changed.turned.iter().take(NAMED) {
        let (before, now) = (of.before.name(), of.now.name());
        lines.push(format!("{} of {} was {before}, and is now: {now}.", spelled(of.resource), of.workload));
    }
    let left = changed.resized.len().saturating_sub(NAMED) + changed.turned.len().saturating_sub(NAMED);
    if left > 0 {
        lines.push(format!("{left} more changes of requests and verdicts are in the JSON."));
    }
    if lines.len() == 2
        && changed.came.is_empty()
        && changed.ended.is_empty()
        && changed.resized.is_empty()
        && changed.turned.is_empty()
    {
        lines.push("No workload came, ended, or was changed.".to_owned());
    }
    lines
}

/// Which earlier review it is.
pub fn head(changed: &Changed) -> String {
    format!("Since the review of {} to {}", time(changed.since), time(changed.until))
}

fn spelled(resource: &str) -> &str {
    if resource == "cpu" { "CPU" } else { resource }
}

fn few(names: &[String]) -> String {
    let named: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
    let more = names.len().saturating_sub(NAMED);
    if more > 0 { format!("{} and {more} more", named.join(", ")) } else { named.join(", ") }
}
