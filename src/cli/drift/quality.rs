//! Data quality of two files: gathered while their columns are compared, on each thread by itself, and judged together.

use polars::prelude::Series;

use super::{Error, Roles, tell};
use crate::dataset::Dataset;
use crate::drift::order::Order;
use crate::drift::profile::Column;
use crate::drift::verdict::Thresholds;
use crate::drift::{Kind, Sample};
use crate::quality::groups::Groups;
use crate::quality::learnt::{Across, Learnt};
use crate::quality::rows::{self, Rows};
use crate::quality::{self, Check, Detail, Finding, Rules, Suspect, profiled};

/// What one thread has gathered.
pub(super) struct Gathered {
    learnt: Learnt,
    suspects: Vec<Suspect>,
    /// Rows of both sides; none where the reference is without its rows.
    sides: Option<[Across; 2]>,
}

impl Gathered {
    /// Of the reference's rows, where it has any, and the current ones.
    pub(super) fn new(reference: Option<&Dataset>, current: &Dataset) -> Self {
        let side = |data: &Dataset| Across::new(usize::try_from(data.rows).unwrap_or(usize::MAX));
        let sides = reference.map(|data| [side(data), side(current)]);
        Self { learnt: Learnt::default(), suspects: Vec::new(), sides }
    }

    /// Takes in a column of both sides, and of each of the reference's own windows.
    pub(super) fn samples(&mut self, name: &str, reference: &Sample, parts: &[Sample], current: &Sample) {
        if self.sides.is_some() {
            self.learnt.column(name, reference, parts);
        }
        self.suspects.extend(self.learnt.of_column(name, reference, current));
    }

    /// Takes in how many current values of a column are of another type, out of all rows.
    pub(super) fn wrong_type(&mut self, name: &str, values: u64, of: u64) {
        if values == 0 {
            return;
        }
        // Those of a column that were told before count with them.
        let is_told = |suspect: &Suspect| suspect.check == Check::WrongType && suspect.columns == [name];
        let told = self.suspects.iter().position(is_told).map(|at| self.suspects.swap_remove(at));
        let before = match told.map(|suspect| suspect.detail) {
            Some(Detail::OtherType { values, .. }) => values,
            _ => 0,
        };
        let values = values.saturating_add(before);
        self.suspects.push(Suspect {
            check: Check::WrongType,
            columns: vec![name.to_owned()],
            value: values as f64 / of.max(1) as f64,
            p_value: None,
            detail: Detail::OtherType { values, of },
        });
    }

    /// Takes in a column of a profile, and the current values by their own names.
    pub(super) fn profiled(&mut self, name: &str, reference: &Column, current: &Sample) {
        self.learnt.own.extend(profiled::own(name, reference));
        self.suspects.extend(profiled::suspects(name, reference, current));
    }

    /// Takes in the reference's rows' values in a column, by whatever it is compared.
    pub(super) fn reference(&mut self, kind: Kind, rows: &Series) {
        if let Some([reference, _]) = &mut self.sides {
            reference.add(rows, kind);
        }
    }

    /// Takes in the current ones. Each side by itself, so that nobody holds both.
    pub(super) fn current(&mut self, kind: Kind, rows: &Series) {
        if let Some([_, current]) = &mut self.sides {
            current.add(rows, kind);
        }
    }

    /// The rows have values that were not taken in: whether one repeats another is not known.
    pub(super) fn pass_over(&mut self) {
        if let Some([one, other]) = &mut self.sides {
            one.pass_over();
            other.pass_over();
        }
    }

    /// Takes in what another thread has gathered.
    pub(super) fn merge(&mut self, other: Self) {
        self.learnt.merge(other.learnt);
        self.suspects.extend(other.suspects);
        if let (Some([one, two]), Some([more, and_more])) = (&mut self.sides, other.sides) {
            one.merge(more);
            two.merge(and_more);
        }
    }

    /// Takes in what is made of a column of both sides.
    pub(super) fn made(&mut self, name: &str, reference: &Sample, current: &Sample) {
        let found = self.learnt.of_column(name, reference, current);
        self.suspects.extend(found.into_iter().filter(|suspect| suspect.check.is_of_made()));
    }

    /// Takes in how many rows have an id, of all columns that name one, that another has, too.
    pub(super) fn ids(&mut self, reference: Option<&Dataset>, current: &Dataset, roles: &Roles) -> Result<(), Error> {
        let Some(reference) = reference else { return Ok(()) };
        let names = || roles.ids.iter().filter(|name| reference.field(name).is_some() && current.field(name).is_some());
        if names().next().is_none() {
            return Ok(());
        }
        let hashed = |data: &Dataset| -> Result<Option<Groups>, Error> {
            let height = usize::try_from(data.rows).unwrap_or(usize::MAX);
            let (mut rows, mut named) = (Rows::new(height), vec![false; height]);
            for name in names() {
                let ids = data.column(name)?;
                if rows::are_inexact(&ids) {
                    let file = data.path().display();
                    tell(&format!(
                        "warning: {file}: column `{name}` has numbers too large to be told from their neighbours: whether ids repeat is not known; write them as strings"
                    ));
                    return Ok(None);
                }
                named.iter_mut().zip(ids.is_not_null().iter()).for_each(|(named, is)| *named |= is == Some(true));
                rows.add(&ids);
            }
            // A row without an id repeats none.
            Ok(rows.at(named.iter().enumerate().filter(|(_, named)| **named).map(|(place, _)| place)).groups())
        };
        let both = hashed(reference)?.zip(hashed(current)?);
        let found = both.and_then(|(before, now)| rows::suspect(&before, &now));
        let columns: Vec<String> = names().cloned().collect();
        self.suspects.extend(found.map(|found| Suspect { check: Check::DuplicatedIds, columns, ..found }));
        Ok(())
    }

    /// What is wrong with the current rows.
    pub(super) fn judge(
        self,
        (reference, order): (Option<&Dataset>, Option<&Order>),
        thresholds: &Thresholds,
        rules: &Rules,
    ) -> Vec<Finding> {
        let Self { mut learnt, mut suspects, sides } = self;
        if let Some([before, current]) = sides {
            learnt.rows(&before, order, |name| reference?.column(name).ok());
            suspects.extend(learnt.of_rows(current));
        }
        quality::judge(suspects, rules, thresholds, &learnt.own)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::ExitCode;

    use clap::Parser;

    use super::super::super::{Cli, run};

    /// Rows with an id, a number, one that follows it, and a plan.
    fn rows(count: u32, from: u32, row: impl Fn(u32, f64) -> (f64, String)) -> String {
        let lines = (0..count).map(|i| {
            let value = f64::from((i + from) * 37 % 10_007) / 10.0;
            let (follows, plan) = row(i, value);
            format!("{},{value},{follows},{plan}\n", i + from)
        });
        format!("id,value,follows,plan\n{}", lines.collect::<String>())
    }

    /// Its findings, and whether the run fails for them.
    fn found(folder: &Path, current: &str, more: &[&str]) -> (Vec<String>, bool) {
        let path = |name: &str| folder.join(name).display().to_string();
        let plan = |i: u32| ["basic", "plus", "pro"][(i % 3) as usize].to_owned();
        std::fs::write(path("a.csv"), rows(4000, 0, |i, value| (value * 2.0 + 1.0, plan(i)))).expect("written");
        std::fs::write(path("b.csv"), current).expect("written");
        let words = ["plumbline", "drift", "--format", "json", "--id", "id", "--fail-on-quality", "--output"];
        let words =
            words.map(str::to_owned).into_iter().chain([path("out.json"), "--current".to_owned(), path("b.csv")]);
        let more = more.iter().map(|word| word.replace("FOLDER", &folder.display().to_string()));
        let fails = run(Cli::try_parse_from(words.chain(more)).expect("words")).expect("compared");
        let text = std::fs::read_to_string(path("out.json")).expect("written");
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let findings = value["quality"].as_array().expect("findings").iter();
        (
            findings.map(|of| format!("{}: {}", of["check"], of["message"]).replace('"', "")).collect(),
            fails == ExitCode::FAILURE,
        )
    }

    /// What the reference's own windows showed goes with its profile, if they are known.
    #[test]
    fn a_profile_knows_what_its_windows_showed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        // Every other hour has no one on the third plan.
        let hour = |at: u32, seed: u32| {
            let plans = if at.is_multiple_of(2) { 3 } else { 2 };
            let row = move |i: u32| {
                format!(
                    "{},{}\n",
                    (at * 3600 + i * 9) * 1000,
                    ["basic", "plus", "pro"][((i * 7 + seed) % plans) as usize]
                )
            };
            (0..300).map(row).collect::<String>()
        };
        let reference: String = (0..24).map(|at| hour(at, at)).collect();
        std::fs::write(path("a.csv"), format!("at,plan\n{reference}")).expect("written");
        std::fs::write(path("b.csv"), format!("at,plan\n{}", hour(101, 5))).expect("written");
        let done =
            |words: &[&str]| run(Cli::try_parse_from(["plumbline"].iter().chain(words)).expect("words")).expect("done");
        let (a, b, p, out) = (path("a.csv"), path("b.csv"), path("p.profile.json"), path("out.json"));
        let found = |build: &[&str]| {
            done(&[&["profile", "build", &a, "-o", &p][..], build].concat());
            done(&[
                "drift",
                "--reference",
                &p,
                "--current",
                &b,
                "--exclude",
                "at",
                "--format",
                "json",
                "--output",
                &out,
            ]);
            let text = std::fs::read_to_string(&out).expect("written");
            let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let checks = value["quality"].as_array().expect("findings").iter();
            checks.map(|of| of["check"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(found(&["--exclude", "at"]), ["vanished_categories"]);
        assert_eq!(found(&["--timestamp", "at"]), Vec::<String>::new());
    }

    #[test]
    fn ids_of_any_size_are_told_apart_and_missing_ones_are_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let of = |id: &dyn Fn(u64) -> String| {
            let plan = |i: u32| ["basic", "plus", "pro"][(i % 3) as usize].to_owned();
            let text = rows(1000, 100, |i, value| (value * 2.0 + 1.0, plan(i)));
            let row = |(i, line): (usize, &str)| match i.checked_sub(1) {
                None => format!("{line}\n"),
                Some(at) => format!("{},{}\n", id(at as u64), line.split_once(',').expect("an id").1),
            };
            let text: String = text.lines().enumerate().map(row).collect();
            let (findings, _) = found(folder.path(), &text, &["--reference", "FOLDER/a.csv"]);
            findings.into_iter().filter(|line| line.starts_with("duplicated_ids")).count()
        };
        let large = 1_u64 << 53;
        assert_eq!(of(&|i| (large + i).to_string()), 0, "whole numbers");
        assert_eq!(of(&|i| format!("{}", u64::MAX - i)), 0, "that 64 bits hold without a sign");
        assert_eq!(of(&|i| format!("9{i:030}")), 0, "or none holds");
        assert_eq!(of(&|i| if i % 2 == 0 { String::new() } else { i.to_string() }), 0, "without an id");
        assert_eq!(of(&|i| (large + i / 2).to_string()), 1, "that do repeat");
        assert_eq!(of(&|i| format!("{}.5", large + i / 2)), 0, "of floats nobody knows, which is said");
    }

    #[test]
    fn faults_of_a_file_are_found_with_its_drift() {
        let folder = tempfile::tempdir().expect("a folder");
        let plan = |i: u32| ["basic", "plus", "pro"][(i % 3) as usize].to_owned();
        let rows_given = ["--reference", "FOLDER/a.csv"];
        let calm = rows(1000, 100, |i, value| (value * 2.0 + 1.0, plan(i)));
        assert_eq!(found(folder.path(), &calm, &rows_given), (Vec::new(), false));
        let broken =
            rows(1000, 100, |i, _| (f64::from(i * 61 % 997), if i % 20 == 0 { "gold".to_owned() } else { plan(i) }));
        let first = broken.lines().nth(1).expect("a row").to_owned();
        let broken = format!("{broken}{}", format!("{first}\n").repeat(400));
        let (findings, fails) = found(folder.path(), &broken, &rows_given);
        let checks: Vec<&str> = findings.iter().filter_map(|line| Some(line.split_once(':')?.0)).collect();
        assert_eq!(
            checks,
            ["range", "new_categories", "duplicated_rows", "duplicated_ids", "correlation"],
            "{findings:?}"
        );
        assert!(findings[3].starts_with("duplicated_ids: id: 28.6 % of rows repeat"), "{findings:?}");
        assert!(fails);
        // A limit that is set goes before the check's own.
        let limits = [
            "--quality-limit",
            "duplicated_ids=0.3",
            "--quality-limit",
            "duplicated_rows=0.29",
            "--quality-limit",
            "range=1",
        ];
        let (others, fails) = found(folder.path(), &broken, &[&rows_given[..], &limits].concat());
        let checks: Vec<&str> = others.iter().filter_map(|line| Some(line.split_once(':')?.0)).collect();
        assert_eq!((checks, fails), (vec!["new_categories", "correlation"], true));
        let refused = |limit: &str| {
            let words = ["plumbline", "drift", "--reference", "a.csv", "--current", "b.csv", "--quality-limit", limit];
            run(Cli::try_parse_from(words).expect("words")).map_or_else(|error| error.to_string(), |_| String::new())
        };
        assert_eq!(refused("missing=2"), "--quality-limit: missing must lie between 0 and 1: it is a share");
        assert_eq!(refused("missing"), "--quality-limit: missing is no limit; write CHECK=VALUE, such as missing=0.05");
        assert!(
            refused("mising=0.1")
                .starts_with("--quality-limit: mising=0.1 is of no check; there are missing, wrong_type")
        );
        assert!(refused("staleness=60").contains("is of no check"), "of a file nobody expects the next");
        // Of a profile what rests on whole rows is not known.
        let profile = folder.path().join("a.profile.json").display().to_string();
        let words = ["plumbline", "profile", "build", "--id", "id", "-o", &profile];
        let words = words.map(str::to_owned).into_iter().chain([folder.path().join("a.csv").display().to_string()]);
        run(Cli::try_parse_from(words).expect("words")).expect("built");
        let (findings, _) = found(folder.path(), &broken, &["--reference", "FOLDER/a.profile.json"]);
        let checks: Vec<&str> = findings.iter().filter_map(|line| Some(line.split_once(':')?.0)).collect();
        assert_eq!(checks, ["range", "new_categories"], "{findings:?}");
        assert_eq!(found(folder.path(), &calm, &["--reference", "FOLDER/a.profile.json"]), (Vec::new(), false));
    }
}
