//! Rows of cells over time: how near each thing came to its threshold, window by window. What is larger is higher as well as
//! another colour.

use std::fmt::Write;

use maud::{Markup, html};

use super::cut;

/// How near a cell came to its threshold, or how far beyond it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heat {
    /// Below half of it.
    Quiet,
    /// Above half of it.
    Near,
    /// Beyond it, though not for certain.
    Unsure,
    /// Beyond it.
    Beyond,
    /// Twice as far and more.
    Far,
}

impl Heat {
    /// All of them with their words, for the key.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Quiet, "below half of its threshold"),
        (Self::Near, "above half of it"),
        (Self::Unsure, "beyond it, too few rows to tell"),
        (Self::Beyond, "drifts"),
        (Self::Far, "drifts at twice its threshold"),
    ];

    /// Of an effect over its threshold, where that is known, and of whether that is drift.
    #[must_use]
    pub fn of(distance: Option<f64>, drifts: bool) -> Option<Self> {
        match distance {
            Some(distance) if drifts && distance >= 2.0 => Some(Self::Far),
            _ if drifts => Some(Self::Beyond),
            Some(distance) if distance > 1.0 => Some(Self::Unsure),
            Some(distance) if distance > 0.5 => Some(Self::Near),
            Some(_) => Some(Self::Quiet),
            None => None,
        }
    }

    /// Its class, in a cell and in the key.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Near => "near",
            Self::Unsure => "unsure",
            Self::Beyond => "beyond",
            Self::Far => "far",
        }
    }

    fn height(self) -> usize {
        match self {
            Self::Quiet => 3,
            Self::Near => 7,
            Self::Unsure | Self::Beyond => 11,
            Self::Far => 15,
        }
    }
}

/// One thing over time.
#[derive(Debug, Clone)]
pub struct Row {
    /// What it is called.
    pub name: String,
    /// What is said of it in a word, behind it.
    pub note: String,
    /// The oldest first; `None` is unknown.
    pub cells: Vec<Option<Heat>>,
}

const NAMES: usize = 180;
const NOTES: usize = 70;
const HIGH: usize = 20;
/// So many characters of a name have room.
const NAME: usize = 24;

/// Drawn to scale, so that names keep their form; wider than a small screen, where it scrolls. `ends` are the times of the first and
/// of the last cell, `links` where each column of cells leads to and what it is called.
#[must_use]
pub fn heat(rows: &[Row], links: &[(String, String)], ends: [&str; 2], text: &str) -> Markup {
    let cells = rows.iter().map(|row| row.cells.len()).max().unwrap_or(0).max(1);
    // Few are drawn wide, and never so narrow that what is written below has no room.
    let step = (600 / cells).clamp(8, 40);
    let wide = (cells * step).max(240);
    let (width, height) = (NAMES + wide + NOTES, rows.len() * HIGH + 22);
    let paths = |row: &Row, bottom: usize| {
        let path = |heat: Option<Heat>| {
            let mut path = String::new();
            for (at, _) in row.cells.iter().enumerate().filter(|(_, cell)| **cell == heat) {
                let (x, high) = (NAMES + at * step, heat.map_or(1, Heat::height));
                let _ = write!(path, "M{x} {bottom}h{}v-{high}h-{}z", step - 2, step - 2);
            }
            path
        };
        let levels = Heat::ALL.iter().map(|(heat, _)| (heat.class(), path(Some(*heat))));
        let all: Vec<(&str, String)> =
            levels.chain([("none", path(None))]).filter(|(_, path)| !path.is_empty()).collect();
        all
    };
    // What is an image to a reader has no links in it.
    let role = if links.is_empty() { "img" } else { "group" };
    html! {
        svg.chart.heat width=(width) height=(height) viewBox=(format!("0 0 {width} {height}")) role=(role) aria-label=(text) {
            @for (at, row) in rows.iter().enumerate() {
                g {
                    title { (row.name) ": " (row.note) }
                    text x=(NAMES - 8) y=(at * HIGH + 15) text-anchor="end" { (cut(&row.name, NAME)) }
                    @for (class, path) in paths(row, at * HIGH + 18) { path class=(class) d=(path) {} }
                    text x=(NAMES + wide + 8) y=(at * HIGH + 15) { (row.note) }
                }
            }
            @for (at, (href, title)) in links.iter().enumerate().take(cells) {
                a href=(href) aria-label=(title) {
                    rect.hit x=(NAMES + at * step) y="0" width=(step - 2) height=(rows.len() * HIGH) { title { (title) } }
                }
            }
            text.soft x=(NAMES) y=(height - 5) { (ends[0]) }
            text.soft x=(NAMES + wide) y=(height - 5) text-anchor="end" { (ends[1]) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_says_how_near_it_came() {
        for (distance, drifts, heat) in [
            (Some(0.2), false, Some(Heat::Quiet)),
            (Some(0.7), false, Some(Heat::Near)),
            (Some(3.0), false, Some(Heat::Unsure)),
            (Some(1.4), true, Some(Heat::Beyond)),
            (Some(2.4), true, Some(Heat::Far)),
            (None, true, Some(Heat::Beyond)),
            (None, false, None),
        ] {
            assert_eq!(Heat::of(distance, drifts), heat, "{distance:?} {drifts}");
        }
    }

    #[test]
    fn rows_are_drawn_named_and_escaped() {
        let row = |name: &str| Row {
            name: name.to_owned(),
            note: "1 of 3".to_owned(),
            cells: vec![Some(Heat::Far), None, Some(Heat::Quiet)],
        };
        let text = heat(&[row("<b>"), row(&"long".repeat(20))], &[], ["then", "now"], "a & b").into_string();
        assert!(text.contains("&lt;b&gt;: 1 of 3") && text.contains("a &amp; b") && !text.contains("<b>"), "{text}");
        assert!(text.contains("longlonglonglonglonglon…<"), "{text}");
        assert!(text.contains("class=\"far\" d=\"M180 18h38v-15h-38z\""), "{text}");
        assert!(text.contains("class=\"none\" d=\"M220 18h38v-1h-38z\""), "{text}");
        assert!(text.contains("role=\"img\"") && !text.contains("<a "), "{text}");
        let links: Vec<(String, String)> = (0..9).map(|n| (format!("/w/{n}?a&b"), format!("window {n}"))).collect();
        let linked = heat(&[row("a")], &links, ["then", "now"], "a & b").into_string();
        // No cell, no link.
        assert_eq!(linked.matches("<a href=\"/w/").count(), 3, "{linked}");
        assert!(linked.contains("/w/2?a&amp;b") && linked.contains("role=\"group\""), "{linked}");
        assert!(heat(&[], &[], ["", ""], "none").into_string().contains("svg"));
    }
}
