//! Each column's way through the windows of the current rows.

use maud::{Markup, html};

use super::{dash, whole};
use crate::chart::heat::{Heat, Row, heat};
use crate::drift::comparison::Comparison;
use crate::drift::over_time::{Line, by_column, cell};
use crate::report::plain;

/// Columns in the picture.
const ROWS: usize = 30;

pub const HEADS: [&str; 5] = ["from", "to", "rows", "drift", "columns"];

fn time(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

/// A line for each window, under [`HEADS`].
pub fn lines(comparison: &Comparison) -> Vec<[String; 5]> {
    let line = |window: &crate::drift::over_time::Windowed| {
        let drift = match window.drift {
            Some(true) => "DRIFT",
            Some(false) => "no",
            None => "unknown",
        };
        let drifted = if window.drifted.is_empty() { dash() } else { window.drifted.join(", ") };
        [time(window.start), time(window.end), whole(window.rows), drift.to_owned(), drifted]
    };
    comparison.over_time.iter().map(line).collect()
}

/// A cell for each column and window, and the list of windows.
pub fn picture(comparison: &Comparison) -> Markup {
    let windows = &comparison.over_time;
    let (Some(first), Some(last)) = (windows.first(), windows.last()) else { return html! {} };
    let drifted: Vec<Line<'_>> = windows.iter().map(|window| (window.drifted.as_slice(), &window.distances)).collect();
    let columns = by_column(&drifted);
    let heat_of = |line: &Line<'_>, name: &str| {
        let (distance, drifts) = cell(*line, name);
        Heat::of(distance, drifts)
    };
    let row = |(name, drifts): &(&str, usize)| Row {
        name: plain(name),
        note: format!("{drifts} of {}", windows.len()),
        cells: drifted.iter().map(|line| heat_of(line, name)).collect(),
    };
    let rows: Vec<Row> = columns.iter().take(ROWS).map(row).collect();
    let drifting = windows.iter().filter(|window| window.drift == Some(true)).count();
    let text = format!("{drifting} of {} windows drift", windows.len());
    html! {
        section aria-labelledby="over-time" {
        h2 #over-time { "Over time" }
        p { (text) }
        p.key { @for (heat, words) in Heat::ALL { span.level { span class={ "swatch " (heat.class()) } {} (words) } " " } }
        div.wide role="region" aria-label="Drift by column and window" tabindex="0" {
            (heat(&rows, &[], [&time(first.start), &time(last.end)], &text))
        }
        @if columns.len() > ROWS { p.soft { (columns.len() - ROWS) " more columns are in the JSON." } }
        details {
            summary { "Window by window" }
            table.narrow {
                thead { tr { @for head in HEADS { th scope="col" { (head) } } } }
                tbody { @for line in lines(comparison) { tr { @for (at, text) in line.iter().enumerate() { @if at == 0 { th scope="row" { (plain(text)) } } @else { td { (plain(text)) } } } } } }
            }
        }
        }
    }
}
