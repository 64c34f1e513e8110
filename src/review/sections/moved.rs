//! What moved a model's errors and its predictions, as leads.

use super::{Section, count, dash, section};
use crate::attribution::split::Part;
use crate::attribution::{Attribution, Moved, Moving};
use crate::drift::words::figure;
use crate::stats::interval::Interval;
use crate::units::percent;

/// Of errors first.
#[must_use]
pub fn sections(moved: &Moved) -> Vec<Section> {
    let of = |(title, moving): (&str, &Option<Moving>)| moving.as_ref().map(|moving| told(title, moving));
    [("What moved its errors", &moved.error), ("What moved its predictions", &moved.prediction)]
        .into_iter()
        .filter_map(of)
        .collect()
}

fn told(title: &str, moving: &Moving) -> Section {
    let empty = section(title, &[], Vec::new());
    let Some(found) = &moving.found else {
        let why = moving.reason.as_deref().unwrap_or("nothing is known");
        return Section { said: vec![format!("Not told: {why}.")], ..empty };
    };
    let mut said = vec![format!(
        "Mean {}: {}, {} in the reference; {}.",
        moving.of,
        figure(found.current),
        figure(found.reference),
        by(found.change)
    )];
    said.push(verdict(found).to_owned());
    if found.split.unseen_share > 0.0 {
        said.push(format!(
            "{} of the rows have inputs that the reference has no like of: for those nobody can tell which it is.",
            percent(found.split.unseen_share)
        ));
    }
    let leads = found.inputs.len() + found.relation.len();
    if leads > 0 {
        said.push("Leads, not causes; features that go together are named together.".to_owned());
    }
    if found.features_left_out > 0 {
        said.push(format!("{} features were not looked at.", count(found.features_left_out)));
    }
    if found.looked_at != moving.rows {
        let [before, now] = found.looked_at.map(count);
        said.push(format!("By {now} rows, {before} of the reference, spread over all."));
    }
    let heads = ["", "", "the mean changes by", "where", "rows, in the reference"];
    Section { said, ..section(title, &heads, rows(found)) }
}

fn verdict(found: &Attribution) -> &'static str {
    let is_told = |part: Option<Part>| part.map(|part| part.told);
    match (is_told(found.split.other_inputs), is_told(found.split.another_relation)) {
        (Some(true), Some(true)) => "Both other inputs and another relation.",
        (Some(true), _) => "Other inputs: the relation that the reference has explains it.",
        (_, Some(true)) => "Another relation: the same inputs no longer have the mean that they had.",
        (Some(false), Some(false)) => "Neither other inputs nor another relation is more than chance makes.",
        _ => "The reference has too few rows like these to tell other inputs from another relation.",
    }
}

/// The parts of the split, each followed by its leads.
fn rows(found: &Attribution) -> Vec<Vec<String>> {
    let split = &found.split;
    let part = |name: &str, part: Option<Part>| {
        let change = part.map_or_else(dash, |part| by(part.change));
        vec![name.to_owned(), String::new(), change, String::new(), String::new()]
    };
    let mut rows = vec![part("other inputs", split.other_inputs)];
    rows.extend(found.inputs.iter().map(|lead| {
        let shares = format!("{}, {}", percent(lead.share_current), percent(lead.share_reference));
        vec![String::new(), lead.feature.clone(), by(lead.explains), format!("more {}", lead.more), shares]
    }));
    rows.push(part("another relation", split.another_relation));
    rows.extend(found.relation.iter().map(|lead| {
        let change = format!("{}, elsewhere {}", by(lead.change), by(lead.elsewhere));
        vec![String::new(), lead.feature.clone(), change, lead.values.clone(), percent(lead.share)]
    }));
    if split.unseen_share > 0.0 {
        let change = split.unseen.map_or_else(dash, signed);
        rows.push(vec!["unseen inputs".to_owned(), String::new(), change, String::new(), percent(split.unseen_share)]);
    }
    rows
}

fn signed(value: f64) -> String {
    let sign = if value < 0.0 { "" } else { "+" };
    format!("{sign}{}", figure(value))
}

fn by(of: Interval) -> String {
    format!("{} ({} to {})", signed(of.value), signed(of.low), signed(of.high))
}
