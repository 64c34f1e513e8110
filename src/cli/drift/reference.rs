//! What the current data is compared with: a data file, or a profile of one.

use std::path::PathBuf;

use polars::prelude::Series;

use super::super::given::Given;
use super::super::profile::file;
use super::super::times::{self, Length};
use super::quality::Gathered;
use super::windows::Windows;
use super::{Error, open};
use crate::dataset::{Dataset, Field};
use crate::drift::baseline::Baseline;
use crate::drift::comparison::Side;
use crate::drift::derived;
use crate::drift::modes::Mode;
use crate::drift::order::{Order, Window, slices};
use crate::drift::profile::{Column, Profile, Values};
use crate::drift::verdict::Measured;
use crate::drift::{Kind, Sample, Test};
use crate::frame::normal::ColumnKind;

/// What the current data is compared with.
pub(super) enum Reference {
    /// With its rows in windows, where it is known when they were.
    Data {
        data: Dataset,
        order: Option<Order>,
    },
    Profile {
        path: PathBuf,
        profile: Profile,
        fields: Vec<Field>,
    },
}

impl Reference {
    pub(super) fn open(given: &Given, hash: Option<&str>, mode: Mode) -> Result<Self, Error> {
        if !file::is_profile(&given.path) {
            given.check(hash, None)?;
            return Ok(Self::Data { data: open(given, &|_| &[])?, order: None });
        }
        if mode == Mode::NannyMl {
            return Err(Error::Rows { option: "mode nannyml", path: given.shown.clone() });
        }
        let profile = file::read(&given.path, &given.shown)?;
        given.check(hash, Some(&profile.hash))?;
        let field = |column: &Column| {
            let (kind, dictionary) = match &column.values {
                _ if column.present() == 0 => (None, false),
                Values::Numeric(_) => (Some(ColumnKind::Number), false),
                Values::Categorical(held) if held.numbers => (Some(ColumnKind::Number), true),
                Values::Categorical(_) => (Some(ColumnKind::String), false),
            };
            Field { name: column.name.clone(), kind: Ok(kind), dictionary, wrong: 0 }
        };
        let fields = profile.columns.iter().map(field).collect();
        Ok(Self::Profile { path: given.shown.clone(), profile, fields })
    }

    pub(super) fn fields(&self) -> &[Field] {
        match self {
            Self::Data { data, .. } => &data.fields,
            Self::Profile { fields, .. } => fields,
        }
    }

    pub(super) fn field(&self, name: &str) -> Option<&Field> {
        self.fields().iter().find(|field| field.name == name)
    }

    /// Columns that it has or had.
    pub(super) fn names(&self) -> Vec<&str> {
        self.fields().iter().map(|field| field.name.as_str()).chain(self.left_out()).collect()
    }

    /// What was left out when it was made.
    pub(super) fn left_out(&self) -> impl Iterator<Item = &str> {
        let profile = match self {
            Self::Data { .. } => None,
            Self::Profile { profile, .. } => Some(profile),
        };
        profile.into_iter().flat_map(|profile| profile.left_out.iter().map(String::as_str))
    }

    /// The columns that may be made of its own.
    pub(super) fn makes(&self, mode: Mode) -> Vec<String> {
        let fields = self.data().filter(|_| mode == Mode::Default).into_iter().flat_map(|data| &data.fields);
        let made = |field: &Field| match field.kind {
            Ok(Some(ColumnKind::String)) => derived::names(&field.name, true),
            Ok(Some(ColumnKind::Timestamp)) => derived::names(&field.name, false),
            _ => Vec::new(),
        };
        fields.flat_map(made).collect()
    }

    /// As what a column of the current data is read, where its file leaves that open.
    pub(super) fn wants(&self, name: &str) -> &'static [ColumnKind] {
        use ColumnKind::{Boolean, Number, Numbers, String, Strings, Timestamp};
        let Some(Field { kind: Ok(Some(kind)), .. }) = self.field(name) else { return &[] };
        match (kind, self) {
            _ if self.is_of_categories(name) => &[],
            // A profile does not say of what type its categories were.
            (String, Self::Profile { .. }) => &[String, Boolean],
            // Strings may be dates, which a CSV file says and NDJSON does not.
            (String, Self::Data { .. }) => &[String, Timestamp],
            (Number, _) => &[Number],
            (Boolean, _) => &[Boolean],
            (Timestamp, _) => &[Timestamp, String],
            (Numbers, _) => &[Numbers],
            (Strings, _) => &[Strings],
        }
    }

    /// Whether the column's numbers were categories when it was made.
    pub(super) fn is_of_categories(&self, name: &str) -> bool {
        matches!(self, Self::Profile { .. }) && self.field(name).is_some_and(|field| field.dictionary)
    }

    pub(super) fn side(&self) -> Side {
        match self {
            Self::Data { data, .. } => Side { name: data.path().display().to_string(), rows: data.rows },
            Self::Profile { path, profile, .. } => Side { name: path.display().to_string(), rows: profile.rows },
        }
    }

    pub(super) fn data(&self) -> Option<&Dataset> {
        match self {
            Self::Data { data, .. } => Some(data),
            Self::Profile { .. } => None,
        }
    }

    /// Its rows in order of time, in windows, where it was parted.
    pub(super) fn order(&self) -> Option<&Order> {
        match self {
            Self::Data { order, .. } => order.as_ref(),
            Self::Profile { .. } => None,
        }
    }

    /// Parts the reference's rows in windows by a column that tells when they were; by default as long as all current rows take. A profile
    /// knows already how much its columns vary. Where that cannot be known it says why.
    pub(super) fn part(&mut self, column: &str, current: &Dataset, length: &Length) -> Result<Option<String>, Error> {
        let Self::Data { data, order } = self else { return Ok(None) };
        let times_of = |data: &Dataset| -> Result<Result<Vec<i64>, &str>, Error> {
            if data.field(column).is_none() {
                return Ok(Err("is not a column of both files"));
            }
            Ok(times::times(&data.column(column)?))
        };
        let times = match times_of(data)? {
            Ok(times) => times,
            Err(why) => return Ok(Some(why.to_owned())),
        };
        let whole = if length.is_none() { times_of(current)?.map(|times| span(&times)) } else { Ok(0) };
        Ok(match whole {
            Ok(span) => {
                let window = length.or(Window::Time(span));
                *order = Order::in_windows(&times, window);
                order.is_none().then(|| times::too_few_windows(window))
            }
            Err(why) => Some(why.to_owned()),
        })
    }

    /// A column as it is held against, and the current values as they are.
    pub(super) fn measured(
        &self,
        name: &str,
        kind: Kind,
        current: Series,
        (tests, windows): (&[&'static Test], Option<&Windows>),
        mode: Mode,
        quality: &mut Gathered,
    ) -> Result<OverTime, Error> {
        // Kinds were checked before; what is left is a column of nulls.
        let sample = |series: &Series| {
            Sample::of(series, kind).unwrap_or_else(|| Sample::missing_rows(kind, series.len() as u64))
        };
        // A column as it was read is let go of before the other side's is read.
        quality.current(kind, &current);
        let rows = current;
        let current = sample(&rows);
        let mut over_time = windows.map_or_else(Vec::new, |windows| windows.samples(&rows, sample));
        drop(rows);
        let (data, order) = match self {
            Self::Data { data, order } => (data, order),
            Self::Profile { profile, .. } => {
                let held = profile.column(name).filter(|column| column.kind() == kind);
                // A column without any value has the other side's kind.
                let none = || Baseline::new(Sample::missing_rows(kind, profile.rows));
                let baseline = held.map_or_else(none, Column::baseline);
                if let Some(column) = held {
                    quality.profiled(name, column, &current);
                } else {
                    quality.samples(name, &baseline.sample, &[], &current);
                }
                let seen = |current| if let Some(column) = held { column.seen(current) } else { current };
                let current = seen(current);
                over_time = over_time.into_iter().map(seen).collect();
                let whole = Measured::new(name, &baseline, &current, tests, mode);
                let of = |windows: &Windows| windows.measured(name, &baseline, &over_time, mode);
                return Ok((whole, windows.map(of).unwrap_or_default()));
            }
        };
        let reference = data.column(name)?;
        quality.reference(kind, &reference);
        let sides = (reference, current, order.as_ref());
        Ok(of_rows(name, sides, sample, (tests, windows.zip(Some(&over_time))), mode, Of::Values(quality)))
    }
}

/// A column measured as a whole, and in each window.
pub(super) type OverTime = (Measured, Vec<Measured>);

/// What of a column is looked at for data quality.
pub(super) enum Of<'a> {
    Values(&'a mut Gathered),
    /// It is made of another.
    Made(&'a mut Gathered),
    Nothing,
}

/// A column of the reference's rows, which are let go of once they are a sample, and the current values.
pub(super) fn of_rows(
    name: &str,
    (reference, current, order): (Series, Sample, Option<&Order>),
    sample: impl Fn(&Series) -> Sample,
    (tests, windows): (&[&'static Test], Option<(&Windows, &Vec<Sample>)>),
    mode: Mode,
    quality: Of<'_>,
) -> OverTime {
    let mut baseline = Baseline::new(sample(&reference));
    let parts: Vec<Sample> = order.iter().flat_map(|order| order.parts(&reference)).map(|part| sample(&part)).collect();
    match quality {
        Of::Values(quality) => quality.samples(name, &baseline.sample, &parts, &current),
        Of::Made(quality) => quality.made(name, &baseline.sample, &current),
        Of::Nothing => {}
    }
    if order.is_some() {
        baseline = baseline.with_chunks(&parts);
    }
    baseline.row_chunks = slices(&reference, &mode.chunks(reference.len())).iter().map(&sample).collect();
    drop(reference);
    let over_time = windows.map(|(windows, samples)| windows.measured(name, &baseline, samples, mode));
    (Measured::new(name, &baseline, &current, tests, mode), over_time.unwrap_or_default())
}

/// How long rows at these times take, in milliseconds.
fn span(times: &[i64]) -> i64 {
    let (first, last) = (times.iter().min(), times.iter().max());
    first.zip(last).map_or(0, |(first, last)| last.saturating_sub(*first).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::{Cli, run};

    /// A level for each of many hours, and the rows of some of them.
    fn rows(hours: std::ops::Range<u32>, by: f64) -> String {
        let mut random = fastrand::Rng::with_seed(hours.start.into());
        let row = |hour: u32, random: &mut fastrand::Rng| {
            let level = 0.7 * f64::from(hour * 7919 % 23) / 23.0 + by;
            let x = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0 + level;
            format!("{},{x:.4}", u64::from(hour) * 3_600_000 + random.u64(0..3_600_000))
        };
        let all: Vec<String> =
            hours.flat_map(|hour| (0..300).map(move |_| hour)).map(|hour| row(hour, &mut random)).collect();
        format!("at,x\n{}\n", all.join("\n"))
    }

    #[test]
    fn what_a_column_varies_by_itself_is_no_drift() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (reference, current, profile, output) = (path("a.csv"), path("b.csv"), path("p"), path("out.json"));
        std::fs::write(&reference, rows(0..48, 0.0)).expect("written");
        let done = |words: &[&str]| {
            let cli = Cli::try_parse_from(["plumbline"].iter().chain(words)).map_err(|error| error.to_string())?;
            run(cli).map_err(|error| error.to_string())
        };
        let build = ["profile", "build", &reference, "-o", &profile, "--timestamp", "at"];
        done(&build).expect("built");
        let drifted = |reference: &str, more: &[&str]| {
            let hours = (100..110).filter(|hour| {
                std::fs::write(&current, rows(*hour..*hour + 1, 0.0)).expect("written");
                let words =
                    ["drift", "--reference", reference, "--current", &current, "--format", "json", "--output", &output];
                done(&[&words, more].concat()).expect("compared");
                let text = std::fs::read_to_string(&output).expect("written");
                let found: serde_json::Value = serde_json::from_str(&text).expect("JSON");
                found["summary"]["drifted"] == 1
            });
            hours.count()
        };
        let by_chance = drifted(&reference, &["--exclude", "at"]);
        assert!(by_chance >= 3, "{by_chance} of 10 without their times");
        // In windows as long as the current rows take, of an hour, of as many rows; and in a profile's.
        for more in [&[][..], &["--window", "1h"], &["--window-rows", "300"]] {
            assert_eq!(drifted(&reference, &[&["--timestamp", "at"], more].concat()), 0, "{more:?}");
        }
        assert_eq!(drifted(&profile, &["--timestamp", "at"]), 0);
        // Of windows that the reference has too few of nothing is known.
        assert_eq!(drifted(&reference, &["--timestamp", "at", "--window", "1d"]), by_chance);
        done(&[&build[..], &["--window", "1d"]].concat()).expect("built");
        assert_eq!(drifted(&profile, &[]), by_chance);
        // A change beyond that is drift all the same.
        std::fs::write(&current, rows(100..101, 9.0)).expect("written");
        let words = ["drift", "--reference", &reference, "--current", &current, "--timestamp", "at", "--fail-on-drift"];
        assert!(done(&words).is_ok_and(|code| code != std::process::ExitCode::SUCCESS));
        assert!(done(&["drift", "--reference", &reference, "--current", &current, "--window", "1h"]).is_err());
    }
}
