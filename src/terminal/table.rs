//! A table that fits: columns may be shortened or left out, the least important first, and what was left out is told.

use super::Look;
use super::text::{cut, distinct, padded, plain, width, wrapped};
use super::tone::Tone;

/// Blanks between two columns.
const GAP: usize = 2;
/// A name is not cut further than this while something else can go.
const NAME: usize = 20;

/// Nor are words that stay to the end.
const WORDS: usize = 8;

/// What may be done to a column's cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Tells the rows apart: cut so that two that differ still do.
    Name,
    /// May be cut, to no fewer columns than this.
    Text(usize),
    /// A word or a time: whole or not at all.
    Word,
    /// The same, at the right.
    Figure,
}

/// A column of a table.
#[derive(Debug, Clone)]
pub struct Column {
    head: String,
    kind: Kind,
    /// The higher, the sooner it is left out; 0 stays.
    rank: u8,
}

impl Column {
    fn new(head: &str, kind: Kind) -> Self {
        Self { head: plain(head), kind, rank: 0 }
    }

    /// What tells the rows apart.
    #[must_use]
    pub fn name(head: &str) -> Self {
        Self::new(head, Kind::Name)
    }

    /// Words that may be cut, to no fewer columns than these.
    #[must_use]
    pub fn text(head: &str, least: usize) -> Self {
        Self::new(head, Kind::Text(least))
    }

    /// What is whole or not there.
    #[must_use]
    pub fn word(head: &str) -> Self {
        Self::new(head, Kind::Word)
    }

    /// An amount: whole or not there, at the right.
    #[must_use]
    pub fn figure(head: &str) -> Self {
        Self::new(head, Kind::Figure)
    }

    /// When it is left out: the higher, the sooner.
    #[must_use]
    pub fn rank(self, rank: u8) -> Self {
        Self { rank, ..self }
    }
}

/// What stands in a place of a table.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A text and what it is about.
    #[must_use]
    pub fn new(text: &str, tone: Tone) -> Self {
        Self { text: plain(text), tone }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(&text, Tone::Plain)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::new(text, Tone::Plain)
    }
}

/// Columns and rows.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// A table as lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Laid {
    /// The heads.
    pub head: String,
    /// A line for each row.
    pub rows: Vec<String>,
    /// The heads of the columns that had no room.
    pub left_out: Vec<String>,
}

impl Table {
    /// A table without rows.
    #[must_use]
    pub fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Cells that are missing at the end are empty.
    pub fn push(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as lines that fit. Without a limit nothing is cut, and everything stands at the left.
    #[must_use]
    pub fn lay(&self, look: Look) -> Laid {
        let natural: Vec<usize> = (0..self.columns.len())
            .map(|c| {
                let cells = self.rows.iter().map(|row| row.get(c).map_or(0, |cell| width(&cell.text)));
                cells.max().unwrap_or(0).max(width(&self.columns[c].head))
            })
            .collect();
        let widths = match look.width {
            None => natural.iter().copied().map(Some).collect(),
            Some(limit) => self.fit(&natural, limit),
        };
        let head: Vec<Cell> = self.columns.iter().map(|column| Cell::new(&column.head, Tone::Strong)).collect();
        let columns: Vec<(usize, usize)> =
            widths.iter().enumerate().filter_map(|(c, width)| width.map(|width| (c, width))).collect();
        // Column by column, as names are told apart.
        let shown: Vec<Vec<String>> = columns
            .iter()
            .map(|(c, room)| {
                let cells: Vec<String> = self
                    .rows
                    .iter()
                    .map(|row| row.get(*c).map_or_else(String::new, |cell| cell.text.clone()))
                    .collect();
                match self.columns[*c].kind {
                    Kind::Name => distinct(&cells, *room),
                    _ => cells.iter().map(|cell| cut(cell, *room)).collect(),
                }
            })
            .collect();
        let line = |cells: &[Cell], texts: &dyn Fn(usize, usize, usize) -> String| {
            let parts: Vec<(String, Tone)> = columns
                .iter()
                .enumerate()
                .map(|(place, (c, room))| {
                    let right = look.width.is_some() && self.columns[*c].kind == Kind::Figure;
                    let tone = cells.get(*c).map(|cell| cell.tone).unwrap_or_default();
                    (padded(&texts(place, *c, *room), *room, right), tone)
                })
                .collect();
            joined(&parts, look.colour)
        };
        Laid {
            head: line(&head, &|_, c, room| cut(&self.columns[c].head, room)),
            rows: (self.rows.iter().enumerate())
                .map(|(at, row)| line(row, &|place, _, _| shown[place][at].clone()))
                .collect(),
            left_out: (self.columns.iter().zip(&widths))
                .filter(|(_, width)| width.is_none())
                .map(|(column, _)| column.head.to_lowercase())
                .collect(),
        }
    }

    /// How wide each column is; `None` where it is left out.
    fn fit(&self, natural: &[usize], limit: usize) -> Vec<Option<usize>> {
        let least_of = |c: usize, words: usize| match self.columns[c].kind {
            Kind::Name => natural[c].min(NAME.max(width(&self.columns[c].head))),
            Kind::Text(least) => natural[c].min(least.min(words).max(width(&self.columns[c].head))),
            Kind::Word | Kind::Figure => natural[c],
        };
        let mut kept: Vec<usize> = (0..natural.len()).collect();
        let sum = |kept: &[usize], of: &dyn Fn(usize) -> usize| {
            kept.iter().map(|c| of(*c)).sum::<usize>() + GAP * kept.len().saturating_sub(1)
        };
        let mut words = usize::MAX;
        while kept.len() > 1 && sum(&kept, &|c| least_of(c, words)) > limit {
            // What stays is cut further before it goes.
            if words > WORDS && kept.iter().skip(1).all(|c| self.columns[*c].rank == 0) {
                words = WORDS;
                continue;
            }
            // The highest rank goes, of equal ones the last; the first column is what the rows are called by.
            let place = (1..kept.len()).max_by_key(|at| (self.columns[kept[*at]].rank, *at)).unwrap_or(0);
            kept.remove(place);
        }
        let least = |c: usize| least_of(c, words);
        let mut widths = vec![None; natural.len()];
        let mut over = sum(&kept, &|c| natural[c]).saturating_sub(limit);
        for c in &kept {
            widths[*c] = Some(natural[*c]);
        }
        // Words give first, then names; the widest of either.
        for names in [false, true] {
            let gives = |c: &usize| (self.columns[*c].kind == Kind::Name) == names;
            while over > 0 {
                let room = |c: usize| widths[c].unwrap_or(0);
                let Some(widest) =
                    kept.iter().copied().filter(gives).filter(|c| room(*c) > least(*c)).max_by_key(|c| room(*c))
                else {
                    break;
                };
                widths[widest] = Some(room(widest) - 1);
                over -= 1;
            }
        }
        // One column that is wider than the terminal.
        if let ([only], true) = (kept.as_slice(), over > 0) {
            widths[*only] = Some(limit);
        }
        widths
    }

    /// The whole as text, each line with its end, and a line for what was left out; `instead` names what has all of it.
    #[must_use]
    pub fn text(&self, look: Look, instead: &str) -> String {
        let laid = self.lay(look);
        let mut text = String::new();
        for line in std::iter::once(&laid.head).chain(&laid.rows) {
            text.push_str(line);
            text.push('\n');
        }
        if let Some(note) = laid.note(instead) {
            for line in wrapped(&note, look.width) {
                text.push_str(&Tone::Soft.paint(&line, look.colour));
                text.push('\n');
            }
        }
        text
    }
}

impl Laid {
    /// What was left out, and what has it.
    #[must_use]
    pub fn note(&self, instead: &str) -> Option<String> {
        let count = match self.left_out.len() {
            0 => return None,
            1 => "1 column".to_owned(),
            count => format!("{count} columns"),
        };
        Some(format!("{count} left out ({}): widen the terminal, or {instead}", self.left_out.join(", ")))
    }
}

/// Cells in their colours; no blanks at the end.
fn joined(parts: &[(String, Tone)], colour: bool) -> String {
    let last = parts.iter().rposition(|(text, _)| !text.trim_end().is_empty());
    let Some(last) = last else { return String::new() };
    let mut line = String::new();
    for (at, (text, tone)) in parts.iter().enumerate().take(last + 1) {
        if at > 0 {
            line.push_str(&" ".repeat(GAP));
        }
        let word = text.trim();
        let before = &text[..text.len() - text.trim_start().len()];
        let after = if at == last { "" } else { &text[before.len() + word.len()..] };
        line.push_str(before);
        line.push_str(&tone.paint(word, colour));
        line.push_str(after);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let columns = vec![
            Column::name("NAME"),
            Column::word("VERDICT"),
            Column::text("WHY", 8).rank(1),
            Column::figure("ROWS").rank(2),
            Column::figure("P").rank(3),
        ];
        let mut table = Table::new(columns);
        for (name, verdict, why, rows, p) in [
            ("age", Cell::new("DRIFT", Tone::Bad), "median 48 to 57 and more", "1200", "0.001"),
            ("模型的名字很长很长很长\u{1b}[31m", Cell::from("no"), "", "7", "-"),
        ] {
            table.push(vec![name.into(), verdict, why.into(), rows.into(), p.into()]);
        }
        table
    }

    fn at(width: usize) -> Laid {
        table().lay(Look { width: Some(width), colour: false })
    }

    #[test]
    fn without_a_limit_nothing_is_cut() {
        let laid = table().lay(Look::PLAIN);
        assert_eq!(laid.rows[0], "age                          DRIFT    median 48 to 57 and more  1200  0.001");
        assert!(laid.left_out.is_empty() && laid.note("x").is_none());
        assert!(laid.rows[1].starts_with("模型的名字很长很长很长\u{fffd}[31m"), "{laid:?}");
    }

    #[test]
    fn the_least_important_goes_first_and_no_line_is_too_long() {
        for limit in 20..90 {
            let laid = at(limit);
            for line in laid.rows.iter().chain([&laid.head]) {
                assert!(width(line) <= limit, "{limit}: {line}");
            }
        }
        assert_eq!(at(80).rows[0], "age                          DRIFT    median 48 to 57 and more  1200  0.001");
        assert_eq!(
            at(80).rows[1],
            "模型的名字很长很长很长\u{fffd}[31m  no                                    7      -"
        );
        assert_eq!(at(48).left_out, ["p"]);
        assert_eq!(at(40).left_out, ["rows", "p"]);
        assert_eq!(at(30).left_out, ["why", "rows", "p"]);
        assert_eq!(
            at(30).note("--format json").expect("a note"),
            "3 columns left out (why, rows, p): widen the terminal, or --format json"
        );
        assert_eq!(at(20).left_out.len(), 4, "the name stays");
    }

    #[test]
    fn words_that_stay_are_cut_before_they_go() {
        let mut table =
            Table::new(vec![Column::name("ALERT"), Column::word("STATE").rank(1), Column::text("WHAT", 30)]);
        table.push(vec![
            "ContainerUnderProvisioned".into(),
            "firing".into(),
            "checkout: cpu is under-provisioned".into(),
        ]);
        let at = |width| table.lay(Look { width: Some(width), colour: false }).rows[0].clone();
        assert_eq!(at(60), "Container…rovisioned  firing  checkout: cpu is under-provis…");
        assert_eq!(at(45), "ContainerUnderProvisioned  checkout: cpu is…");
        assert_eq!(at(30), "Container…rovisioned  checkou…");
        assert_eq!(at(29), "ContainerUnderProvisioned");
    }

    #[test]
    fn colours_take_no_room() {
        let plain = at(60);
        let painted = table().lay(Look { width: Some(60), colour: true });
        let without = |line: &str| {
            let mut line = line.to_owned();
            for code in ["\u{1b}[31m", "\u{1b}[1m", "\u{1b}[0m"] {
                line = line.replace(code, "");
            }
            line
        };
        assert!(painted.rows[0].contains("\u{1b}[31mDRIFT\u{1b}[0m"), "{painted:?}");
        assert_eq!(painted.rows.iter().map(|line| without(line)).collect::<Vec<_>>(), plain.rows);
        assert_eq!(without(&painted.head), plain.head);
    }
}
