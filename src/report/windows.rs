//! A model's windows, replayed from what is stored: a line for each, or everything as JSON.

use std::fmt::Write;

use serde_json::json;

use super::{IN_FULL, dash, said};
use crate::drift::words::figure;
use crate::model::view::{ModelView, WindowResult};
use crate::performance::Performance;
use crate::terminal::Look;
use crate::terminal::table::{Cell, Column, Table};
use crate::terminal::tone::Tone;
use crate::units::grouped;

/// For programs: the model as the API has it, and each window in full, the oldest first.
#[must_use]
pub fn json(view: &ModelView, windows: &[WindowResult]) -> String {
    serde_json::to_string_pretty(&json!({ "model": view, "windows": windows })).unwrap_or_default() + "\n"
}

/// For a terminal.
#[must_use]
pub fn table(view: &ModelView, windows: &[WindowResult], look: Look) -> String {
    let (verdict, tone) = match (view.verdict.drift, &view.verdict.reason) {
        (Some(true), _) => (format!("drift: {}", view.verdict.columns.join(", ")), Tone::Bad),
        (Some(false), _) => ("no drift".to_owned(), Tone::Good),
        (None, Some(reason)) => (format!("no verdict: {reason}"), Tone::Plain),
        (None, None) => ("no verdict".to_owned(), Tone::Plain),
    };
    let counts = &view.counts;
    let head = said(&format!("{}: {verdict}", view.key), look);
    let mut text = head.lines().fold(String::new(), |text, line| text + &tone.headline(line, look.colour) + "\n");
    let _ = writeln!(
        text,
        "{} samples, {} labels, {} windows\n",
        grouped(counts.samples),
        grouped(counts.labels),
        grouped(windows.len() as u64)
    );
    let mut table = Table::new(vec![
        Column::word("ENDED"),
        Column::figure("ROWS").rank(2),
        Column::word("VERDICT"),
        Column::text("DRIFTS", 12).rank(1),
        Column::figure("LABELLED").rank(4),
        Column::word("FIGURE").rank(1),
        Column::word("ESTIMATE").rank(3),
    ]);
    for window in windows {
        table.push(line(window));
    }
    text + &table.text(look, IN_FULL)
}

fn line(window: &WindowResult) -> Vec<Cell> {
    let verdict = match window.drift {
        Some(true) => Cell::new("drift", Tone::Bad),
        Some(false) => Cell::new("no drift", Tone::Good),
        None => Cell::new("no verdict", Tone::Soft),
    };
    let leading = window.performance.as_ref().and_then(Performance::leading);
    let shown = leading.map(|(measure, value)| format!("{} {}", measure.name, figure(value)));
    let estimates = window.estimated.as_ref();
    let mut followed = ["ndcg", "roc_auc", "accuracy", "mae"].into_iter();
    let estimate = followed.find_map(|name| Some((name, estimates?.figure(name)?.value?)));
    vec![
        window.end.strftime("%Y-%m-%d %H:%M:%S").to_string().into(),
        grouped(window.rows).into(),
        verdict,
        window.drifted.join(", ").into(),
        window.performance.as_ref().map_or_else(dash, |of| grouped(of.rows)).into(),
        shown.unwrap_or_else(dash).into(),
        estimate.map_or_else(dash, |(name, value)| format!("{name} {}", figure(value))).into(),
    ]
}
