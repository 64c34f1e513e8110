//! How a column of two files is compared: by its values, by what is made of them, or not at all.

use polars::prelude::{Int64Chunked, Series};

use super::super::times::{as_seconds, instants};
use super::quality::Gathered;
use super::reference::{Of, OverTime, Reference, of_rows};
use super::windows::Windows;
use super::{Error, Roles, tell};
use crate::dataset::{Dataset, Field, is_nearly_all};
use crate::drift::comparison::{Finding, FindingKind};
use crate::drift::derived::dates::{in_order, no_dates};
use crate::drift::derived::{Derived, Made, Side};
use crate::drift::embedding::cloud::{Cloud, Look};
use crate::drift::modes::Mode;
use crate::drift::naming::{self, Names};
use crate::drift::verdict::Measured;
use crate::drift::{Kind, Test};
use crate::frame::normal::ColumnKind;

/// How a column is compared, as far as its type says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By its values.
    Plain(Kind),
    /// Strings: their values say whether they are categories, texts or dates.
    Strings,
    /// As texts, whatever they are.
    Text,
    /// By their age. Either side may have them as strings.
    Dates,
    /// Lists of numbers: as a cloud, where they are of one length.
    Vectors,
}

/// Why a column is not compared.
type Refused = (FindingKind, String);

/// The two data sets, and how they are compared.
pub(super) struct Sides<'a> {
    pub(super) reference: &'a Reference,
    pub(super) current: &'a Dataset,
    pub(super) times: Option<&'a Times>,
    /// Of the columns that either has.
    pub(super) names: &'a [&'a str],
    pub(super) tests: &'a [&'static Test],
    /// Of the current rows, where they are judged one by one.
    pub(super) windows: Option<&'a Windows>,
    pub(super) mode: Mode,
    pub(super) roles: &'a Roles,
}

/// What came of a column.
pub(super) struct Compared<'a> {
    /// Each with what was measured of it window by window.
    pub(super) measured: Vec<OverTime>,
    /// How it is seen row by row, beside all others.
    pub(super) rows: Option<(&'a str, InRows)>,
    pub(super) finding: Option<Finding>,
}

/// How a column is seen row by row.
pub(super) enum InRows {
    Plain(Kind),
    Derived(Derived),
}

/// When the rows of both sides were.
pub(super) struct Times {
    /// The column that says so, of both.
    pub(super) column: String,
    reference: Int64Chunked,
    current: Int64Chunked,
}

/// How the column of this name is compared, or why it is not.
pub(super) fn way(
    reference: &Reference,
    current: &Dataset,
    name: &str,
    roles: &Roles,
    mode: Mode,
) -> Result<Way, Refused> {
    let (one, other) = match (reference.field(name), current.field(name)) {
        (Some(one), Some(other)) => (one, other),
        (Some(_), None) => return Err((FindingKind::OnlyInReference, "the current data lacks it".to_owned())),
        _ => return Err((FindingKind::OnlyInCurrent, "the reference lacks it".to_owned())),
    };
    // A profile holds values; and other tools know no such columns, or compare them by other rules.
    let as_made = reference.data().is_some() && mode == Mode::Default;
    let of_reference = of_field(one, as_made)?;
    let of_current = of_field(other, as_made)
        .map_err(|refused| if of_reference.is_some() && other.kind.is_err() { changed(one, other) } else { refused })?;
    let is_string =
        |way: Option<Way>| way.is_none_or(|way| matches!(way, Way::Strings | Way::Plain(Kind::Categorical)));
    if roles.text.contains(name) {
        let sides = [(one, of_reference), (other, of_current)];
        return match sides.into_iter().find(|(_, way)| !is_string(*way)) {
            None => Ok(Way::Text),
            Some((field, _)) => Err((FindingKind::NotComparable, format!("{} is no text", noun(field)))),
        };
    }
    let comparable = |way: Option<Way>| !matches!(way, Some(Way::Dates | Way::Vectors));
    if (roles.categorical.contains(name) || reference.is_of_categories(name))
        && comparable(of_reference)
        && comparable(of_current)
    {
        return Ok(Way::Plain(Kind::Categorical));
    }
    match (of_reference, of_current) {
        // A dictionary of strings is as good as strings, and says that they are categories.
        (Some(Way::Strings), Some(Way::Plain(Kind::Categorical)))
        | (Some(Way::Plain(Kind::Categorical)), Some(Way::Strings)) => Ok(Way::Plain(Kind::Categorical)),
        // A file says of dates that they are, or leaves it to their form.
        (Some(Way::Strings), Some(Way::Dates)) | (Some(Way::Dates), Some(Way::Strings)) => Ok(Way::Dates),
        (Some(of_reference), Some(of_current)) if of_reference != of_current => Err(changed(one, other)),
        // A column without any value has no kind of its own.
        (one, other) => Ok(one.or(other).unwrap_or(Way::Plain(Kind::Numeric))),
    }
}

/// `None` of a column without a value.
fn of_field(field: &Field, as_made: bool) -> Result<Option<Way>, Refused> {
    match &field.kind {
        Ok(None) => Ok(None),
        Ok(Some(ColumnKind::Number)) => {
            Ok(Some(Way::Plain(if field.dictionary { Kind::Categorical } else { Kind::Numeric })))
        }
        Ok(Some(ColumnKind::String)) if as_made && !field.dictionary => Ok(Some(Way::Strings)),
        Ok(Some(ColumnKind::Timestamp)) if as_made => Ok(Some(Way::Dates)),
        Ok(Some(ColumnKind::Numbers)) if as_made => Ok(Some(Way::Vectors)),
        Ok(Some(ColumnKind::String | ColumnKind::Boolean)) => Ok(Some(Way::Plain(Kind::Categorical))),
        Ok(Some(other)) => Err((FindingKind::NotComparable, format!("{} is not compared", other.noun()))),
        Err(given) => Err((FindingKind::NotComparable, format!("values of type {given} are not compared"))),
    }
}

fn noun(field: &Field) -> String {
    match &field.kind {
        Ok(Some(kind)) if field.dictionary => format!("{} of a dictionary", kind.noun()),
        Ok(Some(kind)) => kind.noun().to_owned(),
        Ok(None) => "missing".to_owned(),
        Err(given) => format!("of type {given}"),
    }
}

fn changed(reference: &Field, current: &Field) -> Refused {
    let message = format!("{} in the reference, {} in the current data", noun(reference), noun(current));
    (FindingKind::TypeChanged, message)
}

impl Compared<'_> {
    fn nothing() -> Self {
        Self { measured: Vec::new(), rows: None, finding: None }
    }

    fn refused(name: &str, (finding, message): Refused) -> Self {
        Self { finding: Some(Finding { column: name.to_owned(), finding, message }), ..Self::nothing() }
    }
}

impl<'a> Sides<'a> {
    /// Measures a column.
    pub(super) fn compared(&self, name: &'a str, way: Way, quality: &mut Gathered) -> Result<Compared<'a>, Error> {
        quality.wrong_type(name, self.current.field(name).map_or(0, |field| field.wrong), self.current.rows);
        if way == Way::Vectors {
            quality.pass_over();
            return self.clouds(name);
        }
        let current = self.current.column(name)?;
        if way == Way::Plain(Kind::Numeric)
            && let Some(finding) = self.naming(name, None, &current)?
        {
            return Ok(finding);
        }
        let data = match (way, self.reference.data()) {
            (Way::Plain(kind), _) => return self.plain(name, kind, current, quality),
            (_, None) => return self.plain(name, Kind::Categorical, current, quality),
            (_, Some(data)) => data,
        };
        let reference = data.column(name)?;
        let derived = Derived::of(&reference, self.times.map(|times| &times.reference), way == Way::Text);
        match (derived, way) {
            (Some(derived), way) if way != Way::Dates || matches!(derived, Derived::Dates(_)) => {
                if matches!(derived, Derived::Dates(_)) {
                    let wrong = no_dates(&current);
                    if is_nearly_all(wrong, current.len().saturating_sub(current.null_count()) as u64) {
                        let message = "dates in the reference, other strings in the current data".to_owned();
                        return Ok(Compared::refused(name, (FindingKind::TypeChanged, message)));
                    }
                    quality.wrong_type(name, wrong, self.current.rows);
                }
                quality.reference(Kind::Categorical, &reference);
                quality.current(Kind::Categorical, &current);
                // What is made of a column says one thing of what is missing: once is enough.
                let mut first = Some(quality);
                let made = self.made(&derived, &reference, &current);
                let measured = made.map(|(one, other)| {
                    let sample = |series: &Series| one.sample_of(series);
                    let sides = (one.values.clone(), sample(&other.values), self.reference.order());
                    // An age from a side's newest date says nothing of a window of it.
                    let windows = self.windows.filter(|_| derived.is_by_row());
                    let over_time = windows.map(|windows| (windows, windows.samples(&other.values, sample)));
                    let windows = over_time.as_ref().map(|(windows, samples)| (*windows, samples));
                    let quality = first.take().map_or(Of::Nothing, Of::Made);
                    of_rows(&one.name, sides, sample, (self.tests, windows), self.mode, quality)
                });
                let measured = measured.collect();
                Ok(Compared { measured, rows: Some((name, InRows::Derived(derived))), finding: None })
            }
            // Strings that are no dates on the one side, instants on the other.
            (_, Way::Dates) if reference.null_count() < reference.len() => {
                let (one, other) = (self.reference.field(name), self.current.field(name));
                let refused = one.zip(other).map(|(one, other)| changed(one, other));
                Ok(refused.map_or_else(Compared::nothing, |refused| Compared::refused(name, refused)))
            }
            (_, Way::Dates | Way::Vectors | Way::Plain(_)) => self.plain(name, Kind::Numeric, current, quality),
            (_, Way::Strings) => match self.naming(name, Some(&reference), &current)? {
                Some(finding) => Ok(finding),
                None => self.plain(name, Kind::Categorical, current, quality),
            },
            (_, Way::Text) => self.plain(name, Kind::Categorical, current, quality),
        }
    }

    /// What is said of a column that names rows. Whoever asks for a column has it compared; other tools compare all.
    fn naming(
        &self,
        name: &'a str,
        reference: Option<&Series>,
        current: &Series,
    ) -> Result<Option<Compared<'a>>, Error> {
        let Some(data) = self.reference.data() else { return Ok(None) };
        if self.mode != Mode::Default || self.roles.included.contains(name) || !naming::may_name(current) {
            return Ok(None);
        }
        let read = if reference.is_none() { Some(data.column(name)?) } else { None };
        let Some(reference) = reference.or(read.as_ref()) else { return Ok(None) };
        let names = naming::names_rows(name, reference, Some(current));
        let told = |names: Names| format!("{}{}", names.message(), self.roles.to_include);
        Ok(names.map(|names| Compared::refused(name, (FindingKind::NamesRows, told(names)))))
    }

    /// Measures a column by its values.
    fn plain(&self, name: &'a str, kind: Kind, current: Series, quality: &mut Gathered) -> Result<Compared<'a>, Error> {
        let asked = (self.tests, self.windows);
        let measured = self.reference.measured(name, kind, current, asked, self.mode, quality)?;
        Ok(Compared { measured: vec![measured], rows: Some((name, InRows::Plain(kind))), finding: None })
    }

    /// Measures a column of vectors, part by part: a file of them may be larger than memory.
    fn clouds(&self, name: &'a str) -> Result<Compared<'a>, Error> {
        let Some(data) = self.reference.data() else { return Ok(Compared::nothing()) };
        let rows = |data: &Dataset| usize::try_from(data.rows).unwrap_or(usize::MAX);
        let mut look = Look::new(rows(data));
        for part in data.parts(name) {
            look.add(&part?);
        }
        let refused = |message| Ok(Compared::refused(name, (FindingKind::NotComparable, message)));
        let measure = match look.measure() {
            Ok(Some(measure)) => measure,
            // Without a vector there is nothing to measure by.
            Ok(None) => return refused("the reference has no list with a number".to_owned()),
            Err(why) => return refused(why),
        };
        let mut reference = Cloud::new(measure.clone(), rows(data), None);
        for part in data.parts(name) {
            reference.add(&part?);
        }
        let mut current = Cloud::new(measure.clone(), rows(self.current), Some(&reference));
        for part in self.current.parts(name) {
            current.add(&part?);
        }
        if let Some(other) = current.width().filter(|width| *width != measure.width()) {
            let message =
                format!("lists of {} numbers in the reference, of {other} in the current data", measure.width());
            return Ok(Compared::refused(name, (FindingKind::TypeChanged, message)));
        }
        // A cloud of one window's vectors would take another reading of the file.
        let measured = vec![(Measured::of_embedding(name, &reference, &current), Vec::new())];
        Ok(Compared { measured, ..Compared::nothing() })
    }

    /// What is made of both sides, but for what has the name of a column of its own.
    pub(super) fn made(
        &self,
        derived: &Derived,
        reference: &Series,
        current: &Series,
    ) -> impl Iterator<Item = (Made, Made)> {
        let [one, other] = [(Side::Reference, reference), (Side::Current, current)].map(|(side, rows)| {
            let times = self.times.map(|times| if side == Side::Reference { &times.reference } else { &times.current });
            derived.made(side, rows, times)
        });
        one.into_iter().zip(other).filter(|(one, _)| !self.names.contains(&one.name.as_str()))
    }
}

impl Times {
    /// What is said of the column that was found to say when rows were.
    pub(super) const TOLD: &'static str =
        "taken for the time of the rows, as they stand in its order; --timestamp names another";

    /// Of the column that is named; else of the first that the rows of both sides stand in order of.
    pub(super) fn of(reference: &Dataset, current: &Dataset, roles: &Roles) -> Result<Option<Self>, Error> {
        let named = &roles.timestamp;
        let may_be_dates = |data: &Dataset, name: &str| {
            let kind = data.field(name).and_then(|field| field.kind.as_ref().ok().copied().flatten());
            // To look for dates among strings costs a reading of each, where they lie on a disk.
            kind == Some(ColumnKind::Timestamp)
                || kind == Some(ColumnKind::Number) && !named.is_empty()
                || kind == Some(ColumnKind::String) && (data.is_in_memory() || !named.is_empty())
        };
        let is_text = |name: &&String| roles.text.contains(*name) || roles.categorical.contains(*name);
        let all = || reference.fields.iter().map(|field| &field.name).filter(|name| !is_text(name));
        let names: Vec<&String> = if named.is_empty() { all().collect() } else { named.iter().collect() };
        for name in names.into_iter().filter(|name| may_be_dates(reference, name) && may_be_dates(current, name)) {
            let Some(one) = instants(&reference.column(name)?) else { continue };
            let Some(other) = instants(&current.column(name)?) else { continue };
            for warning in [&one, &other].into_iter().filter_map(|times| as_seconds(name, times)).take(1) {
                tell(&warning);
            }
            let several = [&one, &other].iter().any(|times| times.first() != times.last());
            if !named.is_empty() || (several && in_order(&one) && in_order(&other)) {
                return Ok(Some(Self { column: name.clone(), reference: one, current: other }));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use clap::Parser;
    use serde_json::Value;

    use super::super::super::{Cli, run};
    use crate::frame::normal::ColumnKind;

    /// A folder with two files, and what the command says of them.
    struct Files(tempfile::TempDir);

    impl Files {
        fn new(reference: (&str, &str), current: (&str, &str)) -> (Self, [PathBuf; 2]) {
            let folder = tempfile::tempdir().expect("a folder");
            let paths = [("a", reference), ("b", current)].map(|(name, (kind, text))| {
                let path = folder.path().join(format!("{name}.{kind}"));
                std::fs::write(&path, text).expect("written");
                path
            });
            (Self(folder), paths)
        }

        fn compared(&self, [reference, current]: &[PathBuf; 2], more: &[&str]) -> Value {
            let output = self.0.path().join("out.json");
            let words = ["plumbline", "drift", "--format", "json", "--reference"].map(str::to_owned).into_iter();
            let paths = [reference, current, &output].map(|path| path.display().to_string());
            let [reference, current, written] = paths;
            let words = words.chain([reference, "--current".to_owned(), current, "--output".to_owned(), written]);
            let cli = Cli::try_parse_from(words.chain(more.iter().map(|word| (*word).to_owned()))).expect("words");
            run(cli).expect("compared");
            serde_json::from_str(&std::fs::read_to_string(output).expect("written")).expect("JSON")
        }
    }

    /// The columns that were compared, and those that drift.
    fn said(found: &Value) -> (Vec<String>, Vec<String>) {
        let features = || found["features"].as_array().expect("features").iter();
        let name = |of: &Value| of["name"].as_str().unwrap_or_default().to_owned();
        (features().map(name).collect(), features().filter(|of| of["drift"] == true).map(name).collect())
    }

    fn findings(found: &Value) -> Vec<String> {
        let all = found["schema"].as_array().expect("schema").iter();
        all.map(|of| format!("{} {}", of["column"], of["finding"]).replace('"', "")).collect()
    }

    /// Rows of an hour each, a text, an instant so many days before the hour, and a date as a string.
    fn rows(day: i64, rows: i64, age: i64, note: &str) -> String {
        let row = |i: i64| {
            let time = 86_400 * day + 3600 * i;
            let date = time - 86_400 * (i * 37 % age);
            let shown = |seconds: i64| jiff::Timestamp::from_second(seconds).expect("a time").to_string();
            let word = |n: i64| ["red", "green", "blue", "old", "new", "small"][usize::try_from(n % 6).expect("small")];
            let (at, since) = (shown(time), shown(date));
            let (number, words) = (100 + i % 800, [word(i), word(i / 6), word(i / 36)].join(" "));
            format!("{at},{words} {note} {number},{},{}\n", &since[..19], &since[..10])
        };
        format!("at,note,seen,day\n{}", (0..rows).map(row).collect::<String>())
    }

    const TEXT: [&str; 7] = ["length", "out_of_vocabulary", "letters", "capitals", "digits", "spaces", "others"];

    #[test]
    fn texts_and_dates_are_compared_by_what_is_made_of_them() {
        let reference = rows(20_000, 2000, 90, "house");
        let (files, both) = Files::new(("csv", &reference), ("csv", &rows(20_400, 1000, 90, "house")));
        let found = files.compared(&both, &[]);
        let made: Vec<String> = TEXT.iter().map(|name| format!("note.{name}")).collect();
        let wanted = [made.as_slice(), &["seen.age".to_owned(), "day.age".to_owned()]].concat();
        assert_eq!(said(&found), (wanted, Vec::new()));
        assert_eq!(findings(&found), ["at not_comparable"], "the time of the rows");
        let named = files.compared(&both, &["--timestamp", "at"]);
        assert_eq!((said(&named), findings(&named)), (said(&found), Vec::new()));

        let (files, both) = Files::new(("csv", &reference), ("csv", &rows(20_400, 1000, 45, "CASTLE")));
        let drifting = said(&files.compared(&both, &["--timestamp", "at"])).1;
        for name in ["note.out_of_vocabulary", "note.capitals", "seen.age", "day.age"] {
            assert!(drifting.iter().any(|drifts| drifts == name), "{name}: {drifting:?}");
        }
        // Other tools' rules know none of it.
        let other = files.compared(&both, &["--mode", "evidently"]);
        assert_eq!(said(&other).0, ["note"]);
        assert_eq!(findings(&other), ["at not_comparable", "seen not_comparable", "day not_comparable"]);
    }

    #[test]
    fn columns_that_are_made_have_thresholds_of_their_own() {
        let (files, both) =
            Files::new(("csv", &rows(20_000, 2000, 90, "house")), ("csv", &rows(20_400, 1000, 45, "house")));
        let with = |more: &[&str]| files.compared(&both, &[&["--timestamp", "at"], more].concat());
        assert_eq!(said(&with(&[])).1, ["seen.age", "day.age"]);
        let set = [
            "--threshold",
            "seen.age:shift=9",
            "--threshold",
            "day.age:ks=0.99",
            "--threshold",
            "note.length:shift=0.2",
        ];
        let found = with(&set);
        assert_eq!(said(&found).1, Vec::<String>::new());
        let length = found["features"].as_array().and_then(|all| all.iter().find(|of| of["name"] == "note.length"));
        assert_eq!(length.map(|of| of["aspects"][0]["threshold"].clone()), Some(0.2.into()));
        let refused = |set: &str, more: &[&str]| {
            let [one, other] = both.each_ref().map(|path| path.display().to_string());
            let words = ["plumbline", "drift", "--reference", &one, "--current", &other, "--threshold", set];
            let cli = Cli::try_parse_from(words.iter().chain(more)).expect("words");
            run(cli).map_or_else(|error| error.to_string(), |_| String::new())
        };
        assert!(refused("note.lenght:shift=0.2", &[]).ends_with("; did you mean `note.length`?"));
        assert_eq!(refused("note.length:shift=-1", &[]), "--threshold: note.length:shift must be above 0");
        assert!(refused("at.age:shift=1", &[]).is_empty(), "it could be made, and is the rows' time: a warning");
        assert!(refused("note.length:shift=1", &["--mode", "evidently"]).contains("neither file has this column"));
    }

    #[test]
    fn a_time_in_milliseconds_is_what_ages_are_counted_from() {
        let in_milliseconds = |text: &str| {
            let row = |line: &str| match line.split_once(',') {
                Some(("at", rest)) => format!("at,{rest}\n"),
                Some((at, rest)) => {
                    format!("{},{rest}\n", at.parse::<jiff::Timestamp>().expect("a time").as_millisecond())
                }
                None => String::new(),
            };
            text.lines().map(row).collect::<String>()
        };
        let before = in_milliseconds(&rows(20_000, 2000, 30, "house"));
        let now = in_milliseconds(&rows(20_400, 1000, 30, "house"));
        let drifts = |now: &str| {
            let (files, both) = Files::new(("csv", &before), ("csv", now));
            said(&files.compared(&both, &["--timestamp", "at"])).1.contains(&"seen.age".to_owned())
        };
        assert!(!drifts(&now));
        assert!(
            drifts(&now.replace("2025-", "2024-")),
            "all dates became older by as much, which only the rows' times tell"
        );
    }

    #[test]
    fn options_say_what_strings_are() {
        let text = rows(20_000, 400, 90, "house");
        let (files, both) = Files::new(("csv", &text), ("csv", &text));
        let names = |more: &[&str]| said(&files.compared(&both, more)).0;
        assert_eq!(names(&["--categorical", "note", "--exclude", "at,seen,day"]), ["note"]);
        let forced = files.compared(&both, &["--text", "at,note", "--exclude", "seen,day"]);
        assert_eq!((said(&forced).0.len(), findings(&forced)), (7, vec!["at not_comparable".to_owned()]), "no text");
        let reds = "{\"c\": \"red\"}\n{\"c\": \"dark blue\"}\n".repeat(30);
        let (of_names, pair) = Files::new(("ndjson", &reds), ("ndjson", &reds));
        assert_eq!(said(&of_names.compared(&pair, &[])).0, ["c"]);
        assert_eq!(said(&of_names.compared(&pair, &["--text", "c"])).0, TEXT.map(|name| format!("c.{name}")));
        // What has the name of a column of its own is not made.
        let renamed = text.replacen("note,seen", "note,note.length", 1);
        let (files, both) = Files::new(("csv", &renamed), ("csv", &renamed));
        let names = said(&files.compared(&both, &["--timestamp", "at"])).0;
        assert_eq!(names.iter().filter(|name| *name == "note.length").count(), 0, "a date: {names:?}");
        assert!(names.contains(&"note.length.age".to_owned()) && names.contains(&"note.digits".to_owned()));
    }

    /// Findings of data quality of one check.
    fn faults(found: &Value, check: &str) -> Vec<String> {
        let all = found["quality"].as_array().expect("quality").iter();
        all.filter(|of| of["check"] == check).map(|of| of["message"].to_string().replace('"', "")).collect()
    }

    /// Rows of two columns, of which the first is sometimes another value; as CSV or as NDJSON.
    fn mixed(kind: &str, of: impl Fn(usize) -> String) -> String {
        let row = |i: usize| match kind {
            "csv" => format!("{},{}\n", of(i).trim_matches('"'), i * 37 % 250),
            _ => format!("{{\"x\": {}, \"other\": {}}}\n", of(i), i * 37 % 250),
        };
        let head = if kind == "csv" { "x,other\n" } else { "" };
        format!("{head}{}", (0..400).map(row).collect::<String>())
    }

    fn found_of(kinds: [&str; 2], reference: impl Fn(usize) -> String, current: impl Fn(usize) -> String) -> Value {
        let texts = [mixed(kinds[0], reference), mixed(kinds[1], current)];
        let (files, both) = Files::new((kinds[0], &texts[0]), (kinds[1], &texts[1]));
        files.compared(&both, &[])
    }

    #[test]
    fn the_references_type_decides_and_other_values_are_told() {
        let number = |i: usize| format!("{}", i * 61 % 97);
        let some = |i: usize| if i.is_multiple_of(10) { "\"none\"".to_owned() } else { number(i) };
        for kinds in [["ndjson", "ndjson"], ["csv", "csv"], ["csv", "ndjson"], ["ndjson", "csv"]] {
            let found = found_of(kinds, number, some);
            assert_eq!(found["features"][0]["kind"], "numeric", "{kinds:?}: the first row does not decide");
            let told = ["x: 40 of 400 values are of another type than in the reference, and count as missing"];
            assert_eq!(faults(&found, "wrong_type"), told, "{kinds:?}");
            assert_eq!(
                (&found["features"][0]["current_missing"], &found["current"]["rows"]),
                (&0.1.into(), &400.into())
            );
            assert_eq!(found["features"][1]["current_missing"], 0.0, "the rows' other columns take part");
            // Within the limit it is no fault.
            let rare = found_of(kinds, number, |i| if i == 7 { "\"none\"".to_owned() } else { number(i) });
            assert_eq!((faults(&rare, "wrong_type").len(), findings(&rare).len()), (0, 0), "{kinds:?}");
            let nearly = |i: usize| if i.is_multiple_of(20) { number(i) } else { format!("\"a{i}\"") };
            assert_eq!(findings(&found_of(kinds, number, nearly)), ["x type_changed"], "{kinds:?}");
        }
    }

    #[test]
    fn numbers_written_as_strings_are_strings_but_in_a_file_without_types() {
        let number = |i: usize| format!("{}.5", i * 61 % 97);
        let quoted = |i: usize| format!("\"{}\"", number(i));
        let found = found_of(["ndjson", "ndjson"], number, quoted);
        assert_eq!(findings(&found), ["x type_changed"]);
        let some = |i: usize| if i.is_multiple_of(5) { quoted(i) } else { number(i) };
        assert_eq!(faults(&found_of(["csv", "ndjson"], number, some), "wrong_type").len(), 1);
        let found = found_of(["ndjson", "csv"], number, |i| if i == 3 { "\"-\"".to_owned() } else { quoted(i) });
        assert_eq!(
            (said(&found).0[0].as_str(), findings(&found).len(), &found["features"][0]["kind"]),
            ("x", 0, &"numeric".into())
        );
        // Codes that happen to be digits are those of the reference, with their zeros.
        let code = |i: usize| format!("\"{}0{}\"", if i.is_multiple_of(3) { "A" } else { "0" }, i % 4);
        let found = found_of(["csv", "csv"], code, |i| format!("\"00{}\"", i % 4));
        assert_eq!((findings(&found).len(), &found["features"][0]["new_categories"]["count"]), (0, &0.into()));
    }

    #[test]
    fn other_types_than_numbers_are_held_to_as_well() {
        let flag = |i: usize| i.is_multiple_of(3).to_string();
        let some = |i: usize| if i.is_multiple_of(10) { "\"maybe\"".to_owned() } else { flag(i) };
        for kinds in [["ndjson", "ndjson"], ["csv", "csv"]] {
            assert_eq!(faults(&found_of(kinds, flag, some), "wrong_type").len(), 1, "{kinds:?}");
        }
        let date = |i: usize| format!("\"2026-01-{:02}\"", 1 + i % 28);
        let some = |i: usize| if i.is_multiple_of(10) { "\"soon\"".to_owned() } else { date(i) };
        for kinds in [["ndjson", "ndjson"], ["csv", "csv"], ["csv", "ndjson"]] {
            let found = found_of(kinds, date, some);
            assert_eq!((said(&found).0[0].as_str(), faults(&found, "wrong_type").len()), ("x.age", 1), "{kinds:?}");
            assert_eq!(findings(&found_of(kinds, date, |i| format!("\"week {i}\""))), ["x type_changed"], "{kinds:?}");
        }
        // Lists of unlike things are of no type.
        let number = |i: usize| format!("{}", i * 61 % 97);
        let nested = |i: usize| if i.is_multiple_of(10) { "[{\"deep\": 1}]".to_owned() } else { number(i) };
        assert_eq!(faults(&found_of(["csv", "ndjson"], number, nested), "wrong_type").len(), 1);
        let found = found_of(["csv", "ndjson"], number, |_| "[{\"deep\": 1}]".to_owned());
        assert_eq!(findings(&found), ["x type_changed"]);
        // A profile says the same.
        let (files, [reference, current]) =
            Files::new(("ndjson", &mixed("ndjson", number)), ("ndjson", &mixed("ndjson", nested)));
        let profile = files.0.path().join("p");
        let words =
            ["plumbline", "profile", "build", &reference.display().to_string(), "-o", &profile.display().to_string()];
        run(Cli::try_parse_from(words).expect("words")).expect("built");
        let found = files.compared(&[profile, current], &[]);
        assert_eq!((findings(&found).len(), faults(&found, "wrong_type").len()), (0, 1));
    }

    #[test]
    fn a_reference_of_mixed_values_says_so() {
        let open = |kind: &str, of: &dyn Fn(usize) -> String| {
            let text = mixed(kind, of);
            let (_files, [path, _]) = Files::new((kind, &text), (kind, &text));
            crate::dataset::Dataset::open(&path).expect("a file")
        };
        let some = |i: usize| if i.is_multiple_of(40) { "\"none\"".to_owned() } else { format!("{i}") };
        let found = open("ndjson", &some);
        assert_eq!(found.warnings, ["column `x`: 10 of 400 values are of another type, and count as missing"]);
        assert_eq!(
            found.fields[0].kind,
            Ok(Some(ColumnKind::Number)),
            "most of its values, not the first, say its type"
        );
        let found = open("csv", &some);
        assert!(found.warnings[0].starts_with("column `x`: 10 of 400 values are no numbers"), "{:?}", found.warnings);
        assert_eq!(found.fields[0].kind, Ok(Some(ColumnKind::String)));
        assert_eq!(
            open("csv", &|i| if i.is_multiple_of(2) { "a" } else { "1" }.to_owned()).warnings,
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_date_that_is_none_any_longer_changed_its_type() {
        let dates = rows(20_000, 300, 90, "house");
        let lines = |value: &dyn Fn(usize) -> String| (0..300).map(value).collect::<String>();
        let now = lines(&|i| format!("{{\"seen\": \"2026-01-{:02}T10:00:00Z\"}}\n", 1 + i % 28));
        let (files, both) = Files::new(("csv", &dates), ("ndjson", &now));
        let found = files.compared(&both, &["--exclude", "at,note,day"]);
        assert_eq!((said(&found).0, findings(&found)), (vec!["seen.age".to_owned()], Vec::new()), "strings of dates");
        let none = lines(&|i| format!("{{\"seen\": \"week {i}\"}}\n"));
        let (files, both) = Files::new(("ndjson", &none), ("csv", &dates));
        let found = files.compared(&both, &["--exclude", "at,note,day"]);
        assert_eq!(findings(&found), ["seen type_changed"]);
    }
}
