//! A comparison of two data sets as a table, JSON, Markdown or a page of HTML.

mod column;
mod over_time;
mod page;
mod together;

use std::fmt::Write as _;

use serde::Serialize;

use super::{IN_FULL, dash, plain, said};
use crate::drift::comparison::Comparison;
use crate::drift::moved::shortened;
use crate::drift::multi::together::Together;
use crate::drift::verdict::{Judged, Named, Verdict};
use crate::drift::words::{self, number};
use crate::drift::{TESTS, Test};
use crate::quality::Finding;
use crate::terminal::Look;
use crate::terminal::table::{Cell, Column, Table};
use crate::terminal::text::{padded, width, wrapped};
use crate::terminal::tone::Tone;
use crate::units::percent;
pub use page::html;

/// For programs. Ends with a line break.
#[must_use]
pub fn json(comparison: &Comparison, quality: Option<&[Finding]>) -> String {
    #[derive(Serialize)]
    struct Whole<'a> {
        #[serde(flatten)]
        comparison: &'a Comparison,
        quality: Option<&'a [Finding]>,
    }
    // Every part is a plain structure with text keys and finite numbers, which cannot fail.
    serde_json::to_string_pretty(&Whole { comparison, quality }).unwrap_or_default() + "\n"
}

/// What is wrong with the current rows, a line each: `missing  age: missing in 12.0 % of rows, 0.1 % in the reference`.
fn faults(quality: Option<&[Finding]>) -> Vec<[String; 2]> {
    let line = |finding: &Finding| [finding.check.name().replace('_', " "), finding.message.clone()];
    quality.unwrap_or_default().iter().map(line).collect()
}

/// The tests that have a column: those that are run where none are chosen, and what else was run.
fn shown(comparison: &Comparison) -> Vec<&'static Test> {
    let run = comparison.features.iter().flat_map(|judged| &judged.tests).map(|tested| tested.test.as_str());
    TESTS.iter().filter(|test| test.default || run.clone().any(|name: &str| name == test.name)).collect()
}

/// The head of each column of the table of features.
fn heads(tests: &[&Test]) -> Vec<String> {
    let mut heads =
        ["feature", "kind", "drift", "what", "moved", "effect", "threshold", "p"].map(str::to_owned).to_vec();
    heads.extend(tests.iter().map(|test| test.name.replace('_', "-")));
    heads.push("missing".to_owned());
    heads
}

/// Those that drift first, then by how near they are to it.
fn ordered(comparison: &Comparison) -> Vec<&Judged> {
    let mut features: Vec<&Judged> = comparison.features.iter().collect();
    features.sort_by(|a, b| (a.verdict as u8).cmp(&(b.verdict as u8)).then(b.distance().total_cmp(&a.distance())));
    features
}

fn cells(judged: &Judged, tests: &[&Test]) -> Vec<String> {
    let verdict = match judged.verdict {
        Verdict::Drift => "DRIFT",
        Verdict::TooFewRows => "too few rows",
        Verdict::NoDrift => "no",
        Verdict::Undefined => "unknown",
    };
    let mut cells = vec![judged.name.clone(), judged.kind.name().to_owned(), verdict.to_owned()];
    for cell in [
        words::what(judged),
        words::moved(judged),
        words::size(judged),
        words::threshold(judged),
        words::p_value(judged),
    ] {
        cells.push(cell.unwrap_or_else(dash));
    }
    for test in tests {
        let tested = judged.tests.iter().find(|tested| tested.test == test.name);
        cells.push(tested.and_then(|tested| tested.statistic).map_or_else(dash, number));
    }
    cells.push(match (judged.reference_missing, judged.current_missing) {
        (Some(reference), Some(current)) if reference + current > 0.0 => {
            format!("{} to {}", percent(reference), percent(current))
        }
        (Some(_), Some(_)) => "none".to_owned(),
        _ => dash(),
    });
    cells
}

/// A whole number with its thousands apart.
fn whole(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Columns that are named in the verdict: those that moved most.
const NAMED: usize = 6;
/// Characters of the name of each.
const NAME: usize = 40;

/// What is to be said of the whole, in one line.
fn verdict(comparison: &Comparison) -> String {
    let summary = &comparison.summary;
    let mut text = match summary.drifted {
        0 => format!("no drift in {} features", summary.features),
        drifted => {
            let most = ordered(comparison).into_iter().filter(|judged| judged.verdict == Verdict::Drift);
            let names: Vec<String> = most.take(NAMED).map(|judged| shortened(&judged.name, NAME)).collect();
            let more = drifted.saturating_sub(names.len() as u64);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{drifted} of {} features drift: {}{more}", summary.features, names.join(", "))
        }
    };
    let changed = comparison.schema.iter().filter(|finding| finding.finding.is_drift());
    let changed: Vec<&str> = changed.map(|finding| finding.column.as_str()).collect();
    if !changed.is_empty() {
        let _ = write!(text, "; columns changed: {}", changed.join(", "));
    }
    if summary.undecided > 0 {
        let _ = write!(text, "; {} without a verdict: too few rows", summary.undecided);
    }
    text
}

/// Everything else worth a line: schema findings, categories that came or went.
fn notes(comparison: &Comparison) -> Vec<String> {
    let mut notes: Vec<String> =
        comparison.schema.iter().map(|finding| format!("{}: {}", finding.column, finding.message)).collect();
    let named = |named: &Named| {
        let more = if named.count > named.names.len() as u64 { ", ..." } else { "" };
        format!("{} ({}{more})", named.count, named.names.join(", "))
    };
    for judged in &comparison.features {
        notes.extend(words::needed(judged).map(|needed| format!("{}: {needed}", judged.name)));
        if judged.new_categories.count > 0 {
            notes.push(format!("{}: new categories: {}", judged.name, named(&judged.new_categories)));
        }
        if judged.vanished_categories.count > 0 {
            notes.push(format!("{}: vanished categories: {}", judged.name, named(&judged.vanished_categories)));
        }
    }
    for judged in &comparison.features {
        notes.extend(words::embedding(judged).into_iter().map(|line| format!("{}: {line}", judged.name)));
    }
    notes.extend(comparison.together.iter().flat_map(Together::lines));
    notes
}

/// Measure, reference, current.
fn measured(comparison: &Comparison) -> Vec<[String; 3]> {
    let Some(both) = &comparison.performance else { return Vec::new() };
    let Some(any) = both.reference.as_ref().or(both.current.as_ref()) else { return Vec::new() };
    let find = |side: &Option<crate::performance::Performance>, name: &str| {
        side.as_ref().and_then(|p| p.measures().find(|(n, _)| *n == name)).map_or_else(dash, |(_, v)| number(v))
    };
    let rows = |side: &Option<crate::performance::Performance>| side.as_ref().map_or_else(dash, |p| whole(p.rows));
    let names = both.reference.iter().chain(&both.current).flat_map(|p| p.measures().map(|(name, _)| name));
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    let mut table = vec![["labelled rows".to_owned(), rows(&both.reference), rows(&both.current)]];
    if let Some(positive) = &any.positive {
        table.push(["positive class".to_owned(), positive.clone(), positive.clone()]);
    }
    table.extend(
        seen.iter().map(|name| [name.replace('_', " "), find(&both.reference, name), find(&both.current, name)]),
    );
    table
}

/// The columns of the table of features, as [`heads`] has them: what drifts, what of it moved and by how much stay longest.
fn columns(tests: &[&Test]) -> Vec<Column> {
    let heads = heads(tests);
    let column = |(at, head): (usize, &String)| {
        let head = head.to_uppercase();
        match at {
            0 => Column::name(&head),
            1 => Column::word(&head).rank(7),
            2 => Column::word(&head),
            3 => Column::word(&head).rank(3),
            4 => Column::text(&head, 18).rank(1),
            5 => Column::figure(&head).rank(2),
            6 => Column::figure(&head).rank(6),
            7 => Column::figure(&head).rank(5),
            _ if at + 1 == heads.len() => Column::word(&head).rank(4),
            _ => Column::figure(&head).rank(8),
        }
    };
    heads.iter().enumerate().map(column).collect()
}

fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Drift => Tone::Bad,
        Verdict::NoDrift => Tone::Good,
        Verdict::TooFewRows => Tone::Warning,
        Verdict::Undefined => Tone::Soft,
    }
}

/// For a terminal.
#[must_use]
pub fn table(comparison: &Comparison, quality: Option<&[Finding]>, look: Look) -> String {
    let mut text = String::new();
    let sides = [("reference", &comparison.reference), ("current", &comparison.current)];
    for (role, side) in sides {
        text += &said(&format!("{role:<10} {}  {} rows", side.name, whole(side.rows)), look);
    }
    let headline = if comparison.summary.drift { Tone::Bad } else { Tone::Good };
    for line in said(&verdict(comparison), look).lines() {
        let _ = writeln!(text, "{}", headline.headline(line, look.colour));
    }

    let tests = shown(comparison);
    let mut features = Table::new(columns(&tests));
    for judged in ordered(comparison) {
        let mut row: Vec<Cell> = cells(judged, &tests).into_iter().map(Cell::from).collect();
        row[2] = Cell::new(&cells(judged, &[])[2], tone(judged.verdict));
        features.push(row);
    }
    let _ = write!(text, "\n{}", features.text(look, IN_FULL));
    if !comparison.over_time.is_empty() {
        let [from, to, rows, drift, columns] = over_time::HEADS.map(str::to_uppercase);
        let mut windows = Table::new(vec![
            Column::word(&from),
            Column::word(&to).rank(2),
            Column::figure(&rows).rank(3),
            Column::word(&drift),
            Column::text(&columns, 12).rank(1),
        ]);
        for row in over_time::lines(comparison) {
            let meaning = match row[3].as_str() {
                "DRIFT" => Tone::Bad,
                "no" => Tone::Good,
                _ => Tone::Soft,
            };
            let paint = |(at, cell): (usize, String)| Cell::new(&cell, if at == 3 { meaning } else { Tone::Plain });
            windows.push(row.into_iter().enumerate().map(paint).collect());
        }
        let _ = write!(text, "\n{}", windows.text(look, IN_FULL));
    }
    let performance = measured(comparison);
    if !performance.is_empty() {
        let columns = vec![Column::name("PERFORMANCE"), Column::figure("REFERENCE"), Column::figure("CURRENT")];
        let mut measures = Table::new(columns);
        for row in performance {
            measures.push(row.into_iter().map(Cell::from).collect());
        }
        let _ = write!(text, "\n{}", measures.text(look, IN_FULL));
    }
    let faults = faults(quality);
    if !faults.is_empty() {
        // The check is told in the message's words, too: a message is read whole.
        let check = faults.iter().map(|[check, _]| width(check)).max().unwrap_or(0).max("DATA QUALITY".len());
        let _ = writeln!(text, "\n{}", Tone::Strong.paint("DATA QUALITY", look.colour));
        for [name, message] in faults {
            let room = look.width.map(|width| width.saturating_sub(check + 2));
            for (at, line) in wrapped(&plain(&message), room).into_iter().enumerate() {
                let name = padded(if at == 0 { &name } else { "" }, check, false);
                let _ = writeln!(text, "{}  {line}", Tone::Warning.paint(&name, look.colour && at == 0));
            }
        }
    }
    let notes = notes(comparison);
    if !notes.is_empty() {
        text.push('\n');
        text.extend(notes.iter().map(|note| said(note, look)));
    }
    text
}

/// For a pull request or a ticket.
#[must_use]
pub fn markdown(comparison: &Comparison, quality: Option<&[Finding]>) -> String {
    let escape = |cell: &String| plain(cell).replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;");
    let row = |cells: &[String]| format!("| {} |\n", cells.iter().map(escape).collect::<Vec<_>>().join(" | "));
    let mut text = String::from("# Drift\n\n");
    let _ = writeln!(text, "**{}**\n", escape(&verdict(comparison)));
    for (role, side) in [("Reference", &comparison.reference), ("Current", &comparison.current)] {
        let _ = writeln!(text, "- {role}: `{}`, {} rows", plain(&side.name), whole(side.rows));
    }
    text.push('\n');
    let tests = shown(comparison);
    let heads = heads(&tests);
    text += &row(&heads);
    text += &row(&vec!["---".to_owned(); heads.len()]);
    for judged in ordered(comparison) {
        text += &row(&cells(judged, &tests));
    }
    if !comparison.over_time.is_empty() {
        text += "\n## Over time\n\n";
        text += &row(&over_time::HEADS.map(str::to_owned));
        text += &row(&over_time::HEADS.map(|_| "---".to_owned()));
        for line in over_time::lines(comparison) {
            text += &row(&line);
        }
    }
    let performance = measured(comparison);
    if !performance.is_empty() {
        text += "\n## Performance\n\n| measure | reference | current |\n| --- | --- | --- |\n";
        for line in performance {
            text += &row(&line);
        }
    }
    let faults = faults(quality);
    if !faults.is_empty() {
        text += "\n## Data quality\n\n| check | found |\n| --- | --- |\n";
        for line in faults {
            text += &row(&line);
        }
    }
    let notes = notes(comparison);
    if !notes.is_empty() {
        text += "\n## Findings\n\n";
        for note in notes {
            let _ = writeln!(text, "- {}", escape(&note));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::baseline::Baseline;
    use crate::drift::comparison::{self, FindingKind, Side, Summary};
    use crate::drift::modes::Mode;
    use crate::drift::verdict::{Measured, Thresholds, judge};
    use crate::drift::{Sample, defaults};

    fn numbers(rows: u32, by: f64) -> Sample {
        Sample::numeric((0..rows).map(move |i| Some(f64::from(i % 97) + by)))
    }

    fn categories(rows: &[(&str, u64)]) -> Sample {
        let counts = rows.iter().map(|(name, rows)| ((*name).to_owned(), *rows)).collect();
        Sample::Categorical { counts, missing: 0 }
    }

    fn compared(columns: Vec<(&str, Sample, Sample)>) -> Comparison {
        let rows = |rows: Option<u64>| rows.unwrap_or_default();
        let (reference, current) = columns.first().map(|(_, r, c)| (r.rows(), c.rows())).unzip();
        let measured = columns.into_iter().map(|(name, reference, current)| {
            Measured::new(name, &Baseline::new(reference), &current, &defaults(), Mode::Default)
        });
        let features = judge(measured.collect(), &Thresholds::default());
        let message = "the current data lacks it".to_owned();
        let schema =
            vec![comparison::Finding { column: "gone<i>".to_owned(), finding: FindingKind::OnlyInReference, message }];
        Comparison {
            reference: Side { name: "<a>.csv".to_owned(), rows: rows(reference) },
            current: Side { name: "b\u{202e}.csv".to_owned(), rows: rows(current) },
            windows: Vec::new(),
            summary: Summary::of(&features, &schema, Mode::Default),
            features,
            schema,
            over_time: Vec::new(),
            together: None,
            performance: None,
        }
    }

    #[test]
    fn a_column_that_drifts_comes_first_and_says_what_moved() {
        let same = ("same", numbers(4000, 0.0), numbers(4000, 0.0));
        let comparison = compared(vec![same, ("moved", numbers(4000, 0.0), numbers(4000, 9.0))]);
        let page = html(&comparison, None);
        let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}: {page}"));
        assert!(place("gone&lt;i&gt;") < place("id=\"index\""), "what the schema lacks stands at the top");
        assert!(place("id=\"column-0-title\">moved") < place("id=\"column-1-title\">same"));
        for text in [
            "moved drifts: values moved by 0.3",
            "median 48 to 57",
            "share of rows",
            "reference, 4,000 rows",
            "95 % quantile",
        ] {
            place(text);
        }
        assert_eq!(page.matches("href=\"#column-").count(), 2);
        for text in [table(&comparison, None, Look::PLAIN), markdown(&comparison, None)] {
            assert!(text.contains("median 48 to 57"), "{text}");
        }
    }

    #[test]
    fn names_and_categories_are_escaped() {
        let evil = "<script>alert(1)</script>";
        let page = html(
            &compared(vec![(
                evil,
                categories(&[(evil, 900), ("a\u{202e}b", 100)]),
                categories(&[(evil, 100), ("a\u{202e}b", 500), ("\"><img src=x>", 400)]),
            )]),
            None,
        );
        assert!(!page.contains("<script") && !page.contains("<img") && !page.contains('\u{202e}'), "{page}");
        assert!(page.contains("1 new: &quot;&gt;&lt;img src=x&gt;"), "{page}");
    }

    #[test]
    fn without_values_or_columns_it_says_so() {
        let page = html(
            &compared(vec![
                ("none", Sample::numeric([None, None]), Sample::numeric([])),
                ("nothing", categories(&[]), categories(&[])),
            ]),
            None,
        );
        assert_eq!(page.matches("Neither side has a value").count(), 1, "{page}");
        assert!(page.contains("none: no verdict: there are no values to compare."), "{page}");
        assert!(html(&compared(Vec::new()), None).contains("No column is compared."));
        for wrong in ["NaN", ">inf", "null"] {
            assert!(!page.contains(wrong), "{wrong}: {page}");
        }
    }

    #[test]
    fn too_few_rows_are_no_verdict_and_say_how_many_would_do() {
        let comparison = compared(vec![("c", numbers(48_500, 0.0), numbers(97, 6.0))]);
        let page = html(&comparison, None);
        assert!(
            page.contains("c: too few rows to tell ")
                && page.contains(" rows would")
                && page.contains("1 with too few rows to tell"),
            "{page}"
        );
        assert!(table(&comparison, None, Look::PLAIN).contains("too few rows"));
    }
}
