//! A model's windows, replayed from what is stored: a line for each, or everything as JSON.

use std::fmt::Write;

use serde_json::json;

use super::{aligned, dash, plain};
use crate::drift::words::figure;
use crate::model::view::{ModelView, WindowResult};
use crate::performance::Performance;
use crate::units::grouped;

/// For programs: the model as the API has it, and each window in full, the oldest first.
#[must_use]
pub fn json(view: &ModelView, windows: &[WindowResult]) -> String {
    serde_json::to_string_pretty(&json!({ "model": view, "windows": windows })).unwrap_or_default() + "\n"
}

/// For a terminal.
#[must_use]
pub fn table(view: &ModelView, windows: &[WindowResult]) -> String {
    let said = match (view.verdict.drift, &view.verdict.reason) {
        (Some(true), _) => format!("drift: {}", view.verdict.columns.join(", ")),
        (Some(false), _) => "no drift".to_owned(),
        (None, Some(reason)) => format!("no verdict: {reason}"),
        (None, None) => "no verdict".to_owned(),
    };
    let counts = &view.counts;
    let mut text = format!("{}: {}\n", plain(&view.key.to_string()), plain(&said));
    let _ = writeln!(
        text,
        "{} samples, {} labels, {} windows\n",
        grouped(counts.samples),
        grouped(counts.labels),
        grouped(windows.len() as u64)
    );
    let heads = ["ENDED", "ROWS", "VERDICT", "DRIFTS", "LABELLED", "FIGURE", "ESTIMATE"];
    let mut lines = vec![heads.map(str::to_owned).to_vec()];
    lines.extend(windows.iter().map(line));
    text + &aligned(&lines).join("\n") + "\n"
}

fn line(window: &WindowResult) -> Vec<String> {
    let verdict = match window.drift {
        Some(true) => "drift",
        Some(false) => "no drift",
        None => "no verdict",
    };
    let leading = window.performance.as_ref().and_then(Performance::leading);
    let shown = leading.map(|(measure, value)| format!("{} {}", measure.name, figure(value)));
    let estimates = window.estimated.as_ref();
    let mut followed = ["ndcg", "roc_auc", "accuracy", "mae"].into_iter();
    let estimate = followed.find_map(|name| Some((name, estimates?.figure(name)?.value?)));
    vec![
        window.end.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        grouped(window.rows),
        verdict.to_owned(),
        plain(&window.drifted.join(", ")),
        window.performance.as_ref().map_or_else(dash, |of| grouped(of.rows)),
        shown.unwrap_or_else(dash),
        estimate.map_or_else(dash, |(name, value)| format!("{name} {}", figure(value))),
    ]
}
