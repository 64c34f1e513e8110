//! A comparison of two data sets as a table, JSON, Markdown or a page of HTML.

mod column;
mod over_time;
mod page;
mod together;

use std::fmt::Write as _;

use serde::Serialize;

use super::{aligned, dash, plain};
use crate::drift::comparison::Comparison;
use crate::drift::moved::shortened;
use crate::drift::multi::together::Together;
use crate::drift::verdict::{Judged, Named, Verdict};
use crate::drift::words::{self, number};
use crate::drift::{TESTS, Test};
use crate::quality::Finding;
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

/// For a terminal.
#[must_use]
pub fn table(comparison: &Comparison, quality: Option<&[Finding]>, colour: bool) -> String {
    let paint =
        |code: &str, text: &str| if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() };
    let mut text = String::new();
    let sides = [("reference", &comparison.reference), ("current", &comparison.current)];
    for (role, side) in sides {
        let _ = writeln!(text, "{role:<10} {}  {} rows", plain(&side.name), whole(side.rows));
    }
    let code = if comparison.summary.drift { "1;31" } else { "1;32" };
    let _ = writeln!(text, "{}\n", paint(code, &plain(&verdict(comparison))));

    let tests = shown(comparison);
    let mut rows = vec![heads(&tests).into_iter().map(|head| head.to_uppercase()).collect::<Vec<_>>()];
    rows.extend(
        ordered(comparison).into_iter().map(|judged| cells(judged, &tests).iter().map(|cell| plain(cell)).collect()),
    );
    for (at, line) in aligned(&rows).into_iter().enumerate() {
        let line = match (at, rows[at][2].as_str()) {
            (0, _) => paint("1", &line),
            (_, "DRIFT") => paint("31", &line),
            _ => line,
        };
        let _ = writeln!(text, "{line}");
    }
    if !comparison.over_time.is_empty() {
        let mut rows = vec![over_time::HEADS.map(str::to_uppercase).to_vec()];
        rows.extend(over_time::lines(comparison).into_iter().map(|row| row.map(|cell| plain(&cell)).to_vec()));
        let _ = writeln!(text, "\n{}", aligned(&rows).join("\n"));
    }
    let performance = measured(comparison);
    if !performance.is_empty() {
        let mut rows = vec![["PERFORMANCE", "REFERENCE", "CURRENT"].map(str::to_owned).to_vec()];
        rows.extend(performance.into_iter().map(|row| row.map(|cell| plain(&cell)).to_vec()));
        let _ = writeln!(text, "\n{}", aligned(&rows).join("\n"));
    }
    let faults = faults(quality);
    if !faults.is_empty() {
        let mut rows = vec![["DATA QUALITY", ""].map(str::to_owned).to_vec()];
        rows.extend(faults.into_iter().map(|row| row.map(|cell| plain(&cell)).to_vec()));
        let _ = writeln!(text, "\n{}", aligned(&rows).join("\n"));
    }
    let notes = notes(comparison);
    if !notes.is_empty() {
        let _ = writeln!(text, "\n{}", notes.iter().map(|note| plain(note)).collect::<Vec<_>>().join("\n"));
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
        for text in [table(&comparison, None, false), markdown(&comparison, None)] {
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
        assert!(table(&comparison, None, false).contains("too few rows"));
    }
}
