//! What was found, for people and programs: a comparison of two data sets ([`drift`]), a reference's profile ([`profile`]), a
//! capacity review ([`review`]), a model's ([`model`]).

mod document;
pub mod drift;
pub mod model;
pub mod profile;
pub mod review;
pub mod windows;

/// Names come from files and containers: what would move the cursor, end a line or turn the direction of writing is shown as a mark.
fn plain(text: &str) -> String {
    let moves = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if moves(c) { '\u{fffd}' } else { c }).collect()
}

/// What stands where nothing is known.
fn dash() -> String {
    "-".to_owned()
}

/// Rows as lines, each column as wide as its widest cell.
fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|c| rows.iter().filter_map(|row| row.get(c)).map(|v| v.chars().count()).max().unwrap_or(0))
        .collect();
    rows.iter()
        .map(|row| {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect()
}
