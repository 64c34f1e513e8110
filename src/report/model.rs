//! A model's review: JSON for programs, a table for a terminal, Markdown for a ticket, a page of its own with its charts.
//!
//! All of them but JSON tell the same sections; each is a few lines and a table.

mod moved;
mod page;
mod section;
mod sections;

use std::fmt::Write;

pub use page::html;
use section::Section;
use sections::{sections, verdict};

use super::{aligned, plain};
use crate::review::Review;

/// For programs.
#[must_use]
pub fn json(review: &Review) -> String {
    serde_json::to_string_pretty(review).unwrap_or_default() + "\n"
}

/// For a terminal.
#[must_use]
pub fn table(review: &Review, colour: bool) -> String {
    let paint =
        |code: &str, text: &str| if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() };
    let code = if review.is_worse() { "1;31" } else { "1" };
    let mut text = paint(code, &plain(&verdict(review))) + "\n";
    for Section { title, said, heads, rows, .. } in sections(review) {
        let _ = writeln!(text, "\n{}", paint("1", &plain(&title)));
        for line in said {
            let _ = writeln!(text, "{}", plain(&line));
        }
        if !rows.is_empty() {
            let mut lines = vec![heads.iter().map(|head| head.to_uppercase()).collect::<Vec<_>>()];
            lines.extend(rows.iter().map(|row| row.iter().map(|cell| plain(cell)).collect()));
            let _ = writeln!(text, "{}", aligned(&lines).join("\n"));
        }
    }
    text
}

/// For a pull request or a ticket.
#[must_use]
pub fn markdown(review: &Review) -> String {
    let escape = |cell: &str| plain(cell).replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;");
    let row =
        |cells: &[String]| format!("| {} |\n", cells.iter().map(|cell| escape(cell)).collect::<Vec<_>>().join(" | "));
    let mut text = format!("# {}\n\n**{}**\n", escape(&review.model), escape(&verdict(review)));
    for Section { title, said, heads, rows, .. } in sections(review) {
        let _ = writeln!(text, "\n## {}\n", escape(&title));
        for line in said {
            let _ = writeln!(text, "{}\n", escape(&line));
        }
        if !rows.is_empty() {
            text += &row(&heads.iter().map(|head| (*head).to_owned()).collect::<Vec<_>>());
            text += &row(&vec!["---".to_owned(); heads.len()]);
            text.extend(rows.iter().map(|cells| row(cells)));
        }
    }
    text
}
