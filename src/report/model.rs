//! A model's review: JSON for programs, a table for a terminal, Markdown for a ticket, a page of its own with its charts.
//!
//! All of them but JSON tell the same sections; each is a few lines and a table.

mod page;

use std::fmt::Write;

pub use page::html;

use super::{IN_FULL, plain, said};
use crate::review::Review;
use crate::review::sections::{Section, sections, verdict};
use crate::terminal::Look;
use crate::terminal::table::{Cell, Column, Table};
use crate::terminal::tone::Tone;

/// For programs.
#[must_use]
pub fn json(review: &Review) -> String {
    serde_json::to_string_pretty(review).unwrap_or_default() + "\n"
}

/// For a terminal.
#[must_use]
pub fn table(review: &Review, look: Look) -> String {
    let tone = if review.is_worse() { Tone::Bad } else { Tone::Strong };
    let head = said(&verdict(review), look);
    let mut text = head.lines().fold(String::new(), |text, line| text + &tone.headline(line, look.colour) + "\n");
    for Section { title, said: lines, heads, rows, .. } in sections(review) {
        let _ = writeln!(text, "\n{}", Tone::Strong.paint(said(&title, look).trim_end(), look.colour));
        for line in lines {
            text += &said(&line, look);
        }
        if !rows.is_empty() {
            let mut table = Table::new(columns(&heads, &rows));
            for row in &rows {
                table.push(row.iter().map(|cell| Cell::new(cell, meaning(cell))).collect());
            }
            text += &table.text(look, IN_FULL);
        }
    }
    text
}

/// The first column names the rows, a verdict stays, and of the others the last goes first.
fn columns(heads: &[&str], rows: &[Vec<String>]) -> Vec<Column> {
    let column = |(at, head): (usize, &&str)| {
        let cells = || rows.iter().filter_map(|row| row.get(at)).map(String::as_str);
        let upper = head.to_uppercase();
        let column = if at == 0 {
            Column::name(&upper)
        } else if cells().all(is_figure) {
            Column::figure(&upper)
        } else if cells().all(|cell| cell.chars().count() <= 24) {
            Column::word(&upper)
        } else {
            Column::text(&upper, 16)
        };
        let stays = at == 0 || ["verdict", "drift"].contains(head);
        column.rank(if stays { 0 } else { u8::try_from(at).unwrap_or(u8::MAX) })
    };
    heads.iter().enumerate().map(column).collect()
}

/// A number, perhaps with its unit, or that there is none.
fn is_figure(cell: &str) -> bool {
    let mut words = cell.split(' ');
    let number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '\u{2212}');
    words.next().is_some_and(|word| word.is_empty() || number(word)) && words.next().is_none_or(|word| word == "%")
}

/// What the words of a verdict are about.
fn meaning(cell: &str) -> Tone {
    match cell {
        "worse" | "DRIFT" | "beyond" => Tone::Bad,
        "better" | "same" => Tone::Good,
        "too few rows" => Tone::Warning,
        "-" => Tone::Soft,
        _ => Tone::Plain,
    }
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
