//! `plumbline profile`: a reference without its rows, made and shown, and counts under it added up.

pub mod file;

use std::path::PathBuf;

use polars::prelude::Series;

use super::drift::{self, open, tally, tell, write};
use super::given::{self, Given};
use super::look::look;
use super::progress::Progress;
use super::times::{self, Length};
use crate::dataset::{self, Dataset, Field};
use crate::drift::derived::text::is_text;
use crate::drift::naming::names_rows;
use crate::drift::order::{Order, Window};
use crate::drift::profile::span::words;
use crate::drift::profile::{Column, Profile};
use crate::drift::{Kind, Sample};
use crate::frame::normal::ColumnKind;
use crate::quality::learnt::Learnt;
use crate::report::profile as render;

pub const EXAMPLES: &str = "\
Examples:
  plumbline profile build train.parquet -o train.profile.json --id order_id --label y
  plumbline profile build train.parquet -o train.profile.json --timestamp at --window 1h    # and how much columns vary by themselves
  plumbline profile show train.profile.json
  plumbline profile show https://models.example.com/churn/train.profile.json
  plumbline profile merge a.tally.json b.tally.json -o sum.tally.json           # counts of two replicas under one profile
  plumbline drift --reference train.profile.json --current today.parquet

A profile is JSON of some kilobytes a column, named by its SHA-256. It tells no row: counts, means, shares, quantiles between rows'
values, and what five rows or more share. Each numeric column states how far its distances can be from those of the rows.

Exit codes: 0 done, 2 for an error.";

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a profile of a data file.
    Build(Build),
    /// Add up the counts of windows under one profile, as agents give them.
    Merge(Merge),
    /// Show a profile as tables.
    Show {
        /// The profile, by path or address.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
pub struct Merge {
    /// The counts, by path or address: /api/v1/models/{model}/windows/{end}/tally of each replica.
    #[arg(value_name = "TALLY", required = true)]
    tallies: Vec<PathBuf>,
    /// Where their sum is written; without it on standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct Build {
    /// The reference, by path or address: Parquet, Arrow (file or stream), CSV, TSV or NDJSON.
    #[arg(value_name = "REF")]
    reference: PathBuf,
    /// Where the profile is written, NAME.profile.json by custom.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Columns that name a row: left out.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    id: Vec<String>,
    /// The column that tells when: left out; the rows are parted by it, in windows, to see how much each column varies by itself.
    #[arg(long, value_name = "COLUMN")]
    timestamp: Option<String>,
    #[command(flatten)]
    length: Length,
    /// Columns of the ground truth: left out.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    label: Vec<String>,
    /// Columns to leave out.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    exclude: Vec<String>,
    /// Columns to keep even if they seem to name rows, each value being in one row alone. They are left out otherwise, and said so.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    include: Vec<String>,
    /// Columns of numbers that stand for categories.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    categorical: Vec<String>,
}

/// Why a profile cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data, or where the profile is to be written.
    #[error(transparent)]
    Drift(#[from] drift::Error),
    /// The file is no profile that can be used.
    #[error(transparent)]
    File(#[from] file::Error),
    /// The column that tells when does not.
    #[error("--timestamp {column}: {message}")]
    Timestamp {
        /// The column.
        column: String,
        /// What is wrong with it.
        message: &'static str,
    },
    /// What is named cannot be read.
    #[error(transparent)]
    Given(#[from] given::Error),
    /// Nothing to tell of.
    #[error("{}: no column can be compared", path.display())]
    Nothing {
        /// The reference.
        path: PathBuf,
    },
}

impl From<dataset::Error> for Error {
    fn from(error: dataset::Error) -> Self {
        Self::Drift(error.into())
    }
}

pub fn run(command: &Command) -> Result<(), Error> {
    match command {
        Command::Build(arguments) => build(arguments),
        Command::Merge(arguments) => {
            let given = |(at, path): (usize, &PathBuf)| Given::new(path, &format!("tally-{at}"));
            let given = arguments.tallies.iter().enumerate().map(given).collect::<Result<Vec<_>, _>>()?;
            let sum = tally::sum(&given).map_err(drift::Error::from)?;
            tell(&words(sum.windows()));
            Ok(write(arguments.output.as_ref(), &format!("{}\n", sum.text()))?)
        }
        Command::Show { file } => {
            let given = Given::new(file, "profile")?;
            let profile = file::read(&given.path, &given.shown)?;
            Ok(write(None, &render::table(&profile, look(None)))?)
        }
    }
}

fn build(arguments: &Build) -> Result<(), Error> {
    let given = Given::new(&arguments.reference, "reference")?;
    let data = open(&given, &|_| &[])?;
    drift::not_over(&arguments.output, &[&arguments.reference])?;
    if arguments.timestamp.is_none() && !arguments.length.is_none() {
        return Err(drift::Error::NoTimes.into());
    }
    let timestamp: Vec<String> = arguments.timestamp.iter().cloned().collect();
    let named = [
        ("id", &arguments.id),
        ("timestamp", &timestamp),
        ("label", &arguments.label),
        ("exclude", &arguments.exclude),
        ("categorical", &arguments.categorical),
        ("include", &arguments.include),
    ];
    drift::all_known(&named, &data.fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>())?;
    let order = arguments.timestamp.as_deref().map(|column| order(&data, column, &arguments.length)).transpose()?;
    let order = order.flatten();
    let (mut left_out, mut columns) = (Vec::new(), Vec::new());
    let progress = Progress::counted("making the profile, column by column", data.fields.len() as u64);
    for field in &data.fields {
        let is_left_out = named.iter().take(4).any(|(_, columns)| columns.contains(&field.name));
        let made = if is_left_out { Ok(None) } else { column(&data, field, arguments, (order.as_ref(), &progress))? };
        match made {
            Ok(Some(column)) => columns.push(column),
            Ok(None) => left_out.push(field.name.clone()),
            Err(why) => {
                progress.aside(|| tell(&format!("warning: column `{}` is left out: {why}", field.name)));
                left_out.push(field.name.clone());
            }
        }
        progress.inc();
    }
    drop(progress);
    if columns.is_empty() {
        return Err(Error::Nothing { path: given.shown.clone() });
    }
    // No more of the path than its last name: folders are nobody's business.
    let name = given.shown.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let window = order.map(|_| arguments.length.or(HOUR));
    let profile = Profile::new(&name, data.rows, left_out, columns)
        .and_then(|profile| window.map_or(Ok(profile.clone()), |window| profile.in_windows(window)))
        .map_err(|source| file::Error::Profile { path: arguments.output.clone(), source })?;
    write(Some(&arguments.output), profile.text())?;
    tell(&format!("{}: profile {}", arguments.output.display(), profile.hash));
    Ok(())
}

type Made = Result<Option<Column>, String>;

/// A column's part of the profile, or why it has none.
fn column(
    data: &Dataset,
    field: &Field,
    arguments: &Build,
    (order, progress): (Option<&Order>, &Progress),
) -> Result<Made, Error> {
    let categorical = arguments.categorical.contains(&field.name) || field.dictionary;
    let (kind, numbers) = match &field.kind {
        Ok(Some(ColumnKind::Number)) if !categorical => (Kind::Numeric, true),
        Ok(Some(ColumnKind::Number)) => (Kind::Categorical, true),
        Ok(Some(ColumnKind::String | ColumnKind::Boolean)) => (Kind::Categorical, false),
        Ok(None) => (Kind::Numeric, false),
        Ok(Some(other)) => return Ok(Err(format!("{} is not compared", other.noun()))),
        Err(given) => return Ok(Err(format!("values of type {given} are not compared"))),
    };
    let series = data.column(&field.name)?;
    let kept = categorical || arguments.include.contains(&field.name);
    if !kept
        && !is_text(&series)
        && let Some(names) = names_rows(&field.name, &series, None)
    {
        return Ok(Err(format!("it {}; --include keeps it", names.message())));
    }
    if !categorical && is_text(&series) {
        let told = format!("warning: column `{}` is of texts, which a profile holds as categories", field.name);
        progress.aside(|| tell(&told));
    }
    let sample =
        |series: &Series| Sample::of(series, kind).unwrap_or_else(|| Sample::missing_rows(kind, series.len() as u64));
    let chunks = order.map(|order| order.parts(&series)).unwrap_or_default();
    let chunks: Vec<Sample> = chunks.iter().map(sample).collect();
    let (whole, mut learnt) = (sample(&series), Learnt::default());
    learnt.column(&field.name, &whole, &chunks);
    let faults = learnt.own.iter().map(|((check, _), value)| (check.name(), *value));
    let column = Column::of(&field.name, whole, numbers, &chunks);
    Ok(column.map(|column| Some(column.with_faults(faults))).map_err(|few| few.to_string()))
}

/// As an agent's windows are, unless told otherwise.
const HOUR: Window = Window::Time(3_600_000);

/// The reference's rows in parts as long as the windows that will be judged.
fn order(data: &Dataset, column: &str, length: &Length) -> Result<Option<Order>, Error> {
    let failed = |message| Error::Timestamp { column: column.to_owned(), message };
    let times = times::times(&data.column(column)?).map_err(failed)?;
    let window = length.or(HOUR);
    let order = Order::in_windows(&times, window);
    if order.is_none() {
        tell(&times::unknown_variation(column, &times::too_few_windows(window)));
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::{Cli, run};
    use super::*;

    /// What a command says, or the JSON it wrote.
    fn done(words: &[&str]) -> Result<(), String> {
        let cli = Cli::try_parse_from(["plumbline"].iter().chain(words)).map_err(|error| error.to_string())?;
        run(cli).map(|_| ()).map_err(|error| error.to_string())
    }

    fn compared(reference: &str, current: &str, output: &str) -> serde_json::Value {
        let words = ["drift", "--reference", reference, "--current", current, "--format", "json", "--output", output];
        done(&words).expect("compared");
        serde_json::from_str(&std::fs::read_to_string(output).expect("written")).expect("JSON")
    }

    #[test]
    fn a_profile_stands_for_its_rows() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let rows = |from: u32, by: u32| {
            let row = |i: u32| {
                format!(
                    "{i},2026-01-{:02},{},{},{}",
                    1 + i / 200,
                    i * 7919 % 1000 + by,
                    "abc".chars().nth((i % 3) as usize).unwrap_or('a'),
                    i % 5
                )
            };
            format!("id,at,x,c,level\n{}\n", (from..from + 4000).map(row).collect::<Vec<_>>().join("\n"))
        };
        let (data, current, profile, output) = (path("a.csv"), path("b.csv"), path("a.profile.json"), path("out.json"));
        std::fs::write(&data, rows(0, 0)).expect("written");
        std::fs::write(&current, rows(0, 200)).expect("written");
        let build =
            ["profile", "build", &data, "-o", &profile, "--id", "id", "--timestamp", "at", "--categorical", "level"];
        done(&build).expect("built");
        let made = file::read(profile.as_ref(), profile.as_ref()).expect("a profile");
        assert_eq!((made.rows, made.left_out.join(",")), (4000, "id,at".to_owned()));
        let kinds: Vec<(&str, Kind)> = made.columns.iter().map(|c| (c.name.as_str(), c.kind())).collect();
        assert_eq!(kinds, [("x", Kind::Numeric), ("c", Kind::Categorical), ("level", Kind::Categorical)]);
        // Made again it is the same, of other rows another.
        done(&build).expect("built");
        assert_eq!(file::read(profile.as_ref(), profile.as_ref()).expect("a profile").hash, made.hash);

        let said = |found: &serde_json::Value| {
            let features = found["features"].as_array().expect("features");
            features.iter().map(|f| format!("{} {}", f["name"], f["verdict"])).collect::<Vec<_>>()
        };
        let found = compared(&profile, &current, &output);
        assert_eq!(said(&found), ["\"x\" \"drift\"", "\"c\" \"no_drift\"", "\"level\" \"no_drift\""]);
        // What was left out is no new column.
        assert_eq!(
            (found["summary"]["schema_drift"].as_bool(), found["reference"]["rows"].as_u64()),
            (Some(false), Some(4000))
        );
        assert_eq!(compared(&profile, &data, &output)["summary"]["drift"].as_bool(), Some(false));
        // By what it holds, whatever it is called.
        std::fs::copy(&profile, path("renamed.csv")).expect("copied");
        assert_eq!(said(&compared(&path("renamed.csv"), &current, &output)), said(&found));

        let drift = |more: &[&str]| {
            let words = ["drift", "--reference", &profile, "--current", &current, "--output", &output];
            done(&[&words, more].concat())
        };
        assert!(drift(&["--mode", "nannyml"]).is_err_and(|error| error.contains("wants the reference's rows")));
        assert!(drift(&["--categorical", "x"]).is_err_and(|error| error.contains("--categorical: wants")));
        assert!(drift(&["--exclude", "y"]).is_err_and(|error| error.contains("neither file has")));
        let text = std::fs::read_to_string(&profile).expect("text").replacen("profile\":1", "profile\":7", 1);
        std::fs::write(&profile, text).expect("written");
        assert!(drift(&[]).is_err_and(|error| error.contains("a.profile.json: is a profile of version 7")));
        assert!(done(&["profile", "show", &profile]).is_err());
    }

    #[test]
    fn what_cannot_be_told_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (data, output) = (path("a.csv"), path("out"));
        let rows: Vec<String> = (0..40).map(|i| format!("{i},{}", if i < 3 { "7" } else { "" })).collect();
        std::fs::write(&data, format!("x,few\n{}\n", rows.join("\n"))).expect("written");
        let build = |more: &[&str]| done(&[&["profile", "build", &data, "-o", &output], more].concat());
        assert!(build(&["--timestamp", "x", "--window", "1h", "--window-rows", "9"]).is_err());
        assert!(build(&["--timestamp", "x", "--window", "now"]).is_err());
        assert!(build(&["--window", "1h"]).is_err_and(|error| error.contains("--timestamp")));
        assert!(build(&["--timestamp", "few"]).is_err_and(|error| error.starts_with("--timestamp few: ")));
        assert!(build(&["--timestamp", "z"]).is_err_and(|error| error.starts_with("--timestamp z: neither file")));
        assert!(build(&["--exclude", "x"]).is_err_and(|error| error.contains("no column can be compared")));
        assert!(done(&["profile", "build", &data, "-o", &data]).is_err_and(|error| error.contains("choose another")));
        build(&[]).expect("built");
        let many: Vec<String> = (0..200).map(|i| format!("{i},{}", i % 7)).collect();
        let (ids, kept) = (path("ids.csv"), path("kept"));
        std::fs::write(&ids, format!("order,x\n{}\n", many.join("\n"))).expect("written");
        for (more, left_out) in [(&[][..], "order"), (&["--include", "order"], "")] {
            done(&[&["profile", "build", &ids, "-o", &kept], more].concat()).expect("built");
            assert_eq!(file::read(kept.as_ref(), kept.as_ref()).expect("a profile").left_out.join(","), left_out);
        }
        assert_eq!(file::read(output.as_ref(), output.as_ref()).expect("a profile").left_out, ["few"]);
        assert!(done(&["profile", "show", &data]).is_err_and(|error| error.contains("is no profile")));
    }
}
