//! `plumbline drift`: one data file held against another, or against a profile.

mod columns;
mod quality;
mod reference;
pub(super) mod tally;
mod together;

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use self::columns::{Compared, Sides, Times, Way, way};
use self::quality::Gathered;
use self::reference::Reference;
use self::together::together;
use super::given::{self, Given};
use super::profile::file;
use super::times::{self, Length};
use crate::dataset::{self, Dataset};
use crate::drift::comparison::{BothPerformances, Comparison, Finding, FindingKind, Side, Summary};
use crate::drift::modes::Mode;
use crate::drift::verdict::{Correction, Thresholds, judge};
use crate::drift::{Kind, Test, defaults, selected};
use crate::performance::{Labels, Performance, Task, measure};
use crate::quality::Finding as Fault;
use crate::report::drift as render;

pub const EXAMPLES: &str = "\
Examples:
  plumbline drift --reference train.parquet --current today.parquet
  plumbline drift --reference a.csv --current b.csv --id order_id --timestamp at --exclude note,comment
  plumbline drift --reference month.parquet --current today.parquet --timestamp at --window 1d    # a season of days is no drift
  plumbline drift --reference a.parquet --current b.parquet --prediction y_pred --score y_prob --label y
  plumbline drift --reference a.parquet --current b.parquet --threshold psi=0.2 --threshold age:shift=0.3
  plumbline drift --reference a.parquet --current b.parquet --text note --timestamp at  # words of `note`, ages of dates
  plumbline drift --reference a.parquet --current b.parquet --format html --output drift.html
  plumbline drift --reference a.parquet --current b.parquet --fail-on-drift   # in a pipeline
  plumbline drift --reference train.profile.json --current today.parquet      # a profile: `plumbline profile build`
  plumbline drift --reference train.profile.json --current http://node-1:9477/api/v1/models/churn/windows/latest/tally \
    --current http://node-2:9477/api/v1/models/churn/windows/latest/tally      # one verdict over two replicas
  plumbline drift --reference s3://models/churn/train.profile.json --reference-hash 9f86d08... --current today.parquet

Strings, booleans and dictionaries are compared as categories, numbers by their order. Texts are compared by what is made
of them, one column each: `note.length`, `note.out_of_vocabulary` (share of words that the reference's vocabulary lacks),
`note.letters`, `.capitals`, `.digits`, `.spaces`, `.others` (shares of characters); dates by their age in days, `seen.age`;
lists of numbers of one length, such as embeddings, as a cloud: its centroid, its spread, MMD and a classifier.
Files may be Parquet, Arrow (file or stream), CSV, TSV or NDJSON, and need not be of one kind.

Exit codes: 0 done; with --fail-on-drift or --fail-on-quality 0 without a finding, 1 with one; 2 for an error.";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What the current data is compared with: the training data, a time that was good, or a profile of either. A path, or an address
    /// (https://, http://, s3://, gs://, az://).
    #[arg(long, value_name = "FILE")]
    reference: PathBuf,
    /// Refuse a reference of another SHA-256: the file's, or a profile's own.
    #[arg(long, value_name = "SHA256")]
    reference_hash: Option<String>,
    /// The data in question, by path or address; or the counts of windows under a profile, as many times as there are replicas: they are
    /// added up, and held against the profile.
    #[arg(long, value_name = "FILE", required = true)]
    current: Vec<PathBuf>,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write the result to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Exit with 1 if there is drift.
    #[arg(long)]
    fail_on_drift: bool,
    /// Exit with 1 if a check of data quality finds fault with the current rows.
    #[arg(long)]
    fail_on_quality: bool,
    /// Columns that name a row: never compared.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    id: Vec<String>,
    /// Columns that tell when: never compared. By the first the reference is parted in windows as long as all current data, or as --window
    /// says: what a column varies by itself from one to the next is no drift. And dates are compared by how long before that they lie;
    /// without it, before a column that the rows of both files stand in order of.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    timestamp: Vec<String>,
    #[command(flatten)]
    length: Length,
    /// Columns of the ground truth: never compared, but performance is measured against it.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    label: Vec<String>,
    /// Columns of the model's prediction: compared, and measured by the label.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    prediction: Vec<String>,
    /// Columns of the score of the positive class: compared, and measured by the label.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    score: Vec<String>,
    /// Columns to leave out.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    exclude: Vec<String>,
    /// Columns of numbers, or of texts, that stand for categories.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    categorical: Vec<String>,
    /// Columns of texts: compared by their length, their words and their characters. Columns of strings that differ from row to row and
    /// have three words or more on average are taken for texts anyway.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    text: Vec<String>,
    /// Whose rule decides: plumbline's, or what Evidently or NannyML decide by default.
    #[arg(long, value_enum, default_value_t = ModeOption::Default)]
    mode: ModeOption,
    /// The drift tests to run beside the verdict, or `all`; without it the five of them that are quickest.
    #[arg(long, value_name = "NAME,...")]
    tests: Option<String>,
    /// Compare all columns together too: what principal components leave out, whether a classifier tells the sides apart, and the
    /// maximum mean discrepancy. Of a long file every so many rows, 20000 at most.
    #[arg(long)]
    multivariate: bool,
    /// How p-values are corrected over the columns.
    #[arg(long, value_enum, default_value_t = CorrectionOption::BenjaminiHochberg)]
    correction: CorrectionOption,
    /// A corrected p-value below this is no chance: so often a comparison of data that has not changed finds drift.
    #[arg(long, value_name = "P", default_value_t = Thresholds::default().significance)]
    significance: f64,
    /// A column of numbers drifts by a Wasserstein distance above so many of the reference's standard deviations.
    #[arg(long, value_name = "DEVIATIONS", default_value_t = Thresholds::default().shift)]
    shift: f64,
    /// A column of categories, or what is missing of any, drifts by a Jensen-Shannon distance above this.
    #[arg(long, value_name = "DISTANCE", default_value_t = Thresholds::default().jensen_shannon)]
    jensen_shannon: f64,
    /// Another threshold: of a column's effect (age:shift=0.2), or of a test, whose statistic then decides in the effect's place (psi=0.2,
    /// age:psi=0.3). The change must be certain all the same. May be given several times.
    #[arg(long, value_name = "[COLUMN:]NAME=VALUE")]
    threshold: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ModeOption {
    /// Significant and large, the noise taken off.
    Default,
    /// As Evidently decides by default.
    Evidently,
    /// As NannyML decides by default, the current data being one chunk.
    Nannyml,
}

impl From<ModeOption> for Mode {
    fn from(option: ModeOption) -> Self {
        match option {
            ModeOption::Default => Self::Default,
            ModeOption::Evidently => Self::Evidently,
            ModeOption::Nannyml => Self::NannyMl,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CorrectionOption {
    /// Of what is found, no larger a share is false.
    BenjaminiHochberg,
    /// The chance that anything at all is false.
    Bonferroni,
}

impl From<CorrectionOption> for Correction {
    fn from(option: CorrectionOption) -> Self {
        match option {
            CorrectionOption::BenjaminiHochberg => Self::BenjaminiHochberg,
            CorrectionOption::Bonferroni => Self::Bonferroni,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, in colour on a terminal.
    Table,
    /// For programs.
    Json,
    /// For a pull request or a ticket.
    Markdown,
    /// A page of its own.
    Html,
}

/// Why no comparison could be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be used.
    #[error(transparent)]
    Dataset(#[from] dataset::Error),
    /// A column that was named is in neither file.
    #[error("--{option} {column}: neither file has this column{}", .nearest.as_ref().map_or_else(String::new, |n| format!("; did you mean `{n}`?")))]
    Column {
        /// The option.
        option: &'static str,
        /// What it names.
        column: String,
        /// The nearest that there is.
        nearest: Option<String>,
    },
    /// A test is not known.
    #[error("--tests: {0}")]
    Tests(String),
    /// A threshold makes no sense.
    #[error("--{}: {message}", .option.replace('_', "-"))]
    Threshold {
        /// The option.
        option: String,
        /// What it must be.
        message: String,
    },
    /// Windows without times.
    #[error("--window, --window-rows: want --timestamp, the column that tells when rows were")]
    NoTimes,
    /// What is asked for wants rows, and what is given has none.
    #[error("--{option}: wants rows, and {} are the counts of a window; give the data", path.display())]
    CountsOf {
        /// The option.
        option: &'static str,
        /// The counts.
        path: PathBuf,
    },
    /// Nothing to compare.
    #[error("the files have no column in common that can be compared")]
    Nothing,
    /// What is named cannot be read.
    #[error(transparent)]
    Given(#[from] given::Error),
    /// The profile cannot be used.
    #[error(transparent)]
    Profile(#[from] file::Error),
    /// Counts cannot be used.
    #[error(transparent)]
    Tally(#[from] tally::Error),
    /// What is asked for wants rows.
    #[error("--{option}: wants the reference's rows, and {} is a profile; give the data", path.display())]
    Rows {
        /// The option.
        option: &'static str,
        /// The profile.
        path: PathBuf,
    },
    /// The result would take the place of the data.
    #[error("--output {path}: is one of the files that are compared; choose another")]
    Overwrite {
        /// Where to.
        path: PathBuf,
    },
    /// The result cannot be written.
    #[error("{path}: {source}")]
    Write {
        /// Where to.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Compares, writes the result, and says whether the run is to fail for drift.
pub fn run(arguments: &Arguments) -> Result<bool, Error> {
    let tests = match &arguments.tests {
        Some(names) => selected(names).map_err(Error::Tests)?,
        None => defaults(),
    };
    let mut thresholds = Thresholds {
        mode: arguments.mode.into(),
        correction: arguments.correction.into(),
        significance: arguments.significance,
        shift: arguments.shift,
        jensen_shannon: arguments.jensen_shannon,
        ..Thresholds::default()
    };
    let wrong = |option: &str, message: String| Error::Threshold { option: option.to_owned(), message };
    for given in &arguments.threshold {
        thresholds.set(given).map_err(|message| wrong("threshold", format!("{given} {message}")))?;
    }
    if let Some((field, message)) = thresholds.problems().into_iter().next() {
        // Of a test, or of a column: as it was given.
        let given = field.split_once('.').map(|(_, name)| name.replacen('.', ":", 1));
        return Err(match given {
            Some(given) => wrong("threshold", format!("{given} {message}")),
            None => wrong(&field, message),
        });
    }
    let tests = thresholds.with_deciding(tests);
    let reference = Given::new(&arguments.reference, "reference")?;
    let mut reference = Reference::open(&reference, arguments.reference_hash.as_deref(), thresholds.mode)?;
    if arguments.timestamp.is_empty() && !arguments.length.is_none() {
        return Err(Error::NoTimes);
    }
    let slot = |at: usize| format!("current-{at}");
    let given = |(at, path): (usize, &PathBuf)| Given::new(path, &slot(at));
    let given = arguments.current.iter().enumerate().map(given).collect::<Result<Vec<Given>, _>>()?;
    if let Some(output) = &arguments.output {
        let inputs = std::iter::once(&arguments.reference).chain(&arguments.current);
        not_over(output, &inputs.collect::<Vec<_>>())?;
    }
    let (comparison, quality) = match given.as_slice() {
        [one] if !tally::is_tally(&one.path) => {
            let current = open(one)?;
            let roles = arguments.roles(&reference, &current, &thresholds)?;
            if let Some(column) = arguments.timestamp.first() {
                reference.part(column, &current, &arguments.length)?;
            }
            let (comparison, quality) = compare(&reference, &current, &roles, &tests, &thresholds)?;
            (comparison, Some(quality))
        }
        // Counts say nothing of whole rows.
        all if arguments.wants_rows().is_some() => {
            let option = arguments.wants_rows().unwrap_or_default();
            let path = all.first().map(|given| given.shown.clone()).unwrap_or_default();
            return Err(Error::CountsOf { option, path });
        }
        all => (tally::compare(&reference, all, &arguments.exclude, &tests, &thresholds)?, None),
    };
    let quality = quality.as_deref();
    if arguments.format == Format::Json || arguments.output.is_some() {
        // The tables show them; a program's reader is told, too.
        for finding in &comparison.schema {
            tell(&format!("warning: column `{}` is not compared: {}", finding.column, finding.message));
        }
    }
    let colour = arguments.output.is_none() && std::io::stdout().is_terminal() && !no_colour();
    let text = match arguments.format {
        Format::Table => render::table(&comparison, quality, colour),
        Format::Json => render::json(&comparison, quality),
        Format::Markdown => render::markdown(&comparison, quality),
        Format::Html => render::html(&comparison, quality),
    };
    write(arguments.output.as_ref(), &text)?;
    let faults = quality.is_some_and(|findings| !findings.is_empty());
    Ok((arguments.fail_on_drift && comparison.summary.drift) || (arguments.fail_on_quality && faults))
}

/// The result takes the place of no data.
pub(super) fn not_over(output: &Path, inputs: &[&PathBuf]) -> Result<(), Error> {
    if inputs.iter().any(|input| is_same(input, output)) {
        return Err(Error::Overwrite { path: output.to_owned() });
    }
    Ok(())
}

fn is_same(one: &std::path::Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

fn no_colour() -> bool {
    (super::ENV)("NO_COLOR").is_some_and(|value| !value.is_empty())
}

pub(super) fn open(given: &Given) -> Result<Dataset, Error> {
    let opened = Dataset::open_as(&given.path, &given.shown)?;
    for warning in &opened.warnings {
        tell(&format!("warning: {}: {warning}", given.shown.display()));
    }
    Ok(opened)
}

#[expect(clippy::print_stderr, reason = "the result goes to standard output, and what concerns it here")]
pub(super) fn tell(message: &str) {
    eprintln!("{message}");
}

pub(super) fn write(output: Option<&PathBuf>, text: &str) -> Result<(), Error> {
    let failed = |path: &str, source| Error::Write { path: path.into(), source };
    match output {
        Some(path) => std::fs::write(path, text).map_err(|source| Error::Write { path: path.clone(), source }),
        None => match std::io::stdout().lock().write_all(text.as_bytes()) {
            // Whoever reads the first lines only has what they want.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|source| failed("standard output", source)),
        },
    }
}

/// What each column is for.
struct Roles {
    ids: Vec<String>,
    left_out: BTreeSet<String>,
    categorical: BTreeSet<String>,
    text: BTreeSet<String>,
    timestamp: Vec<String>,
    label: Option<String>,
    prediction: Option<String>,
    score: Option<String>,
    together: bool,
}

impl Arguments {
    /// The first option that is given and means nothing without rows.
    fn wants_rows(&self) -> Option<&'static str> {
        let options = [
            ("fail-on-quality", self.fail_on_quality),
            ("multivariate", self.multivariate),
            ("id", !self.id.is_empty()),
            ("timestamp", !self.timestamp.is_empty()),
            ("label", !self.label.is_empty()),
            ("categorical", !self.categorical.is_empty()),
            ("text", !self.text.is_empty()),
        ];
        options.into_iter().find_map(|(name, given)| given.then_some(name))
    }

    fn roles(&self, reference: &Reference, current: &Dataset, thresholds: &Thresholds) -> Result<Roles, Error> {
        let of_columns: Vec<String> = thresholds.columns.keys().cloned().collect();
        let named = [
            ("threshold", &of_columns),
            ("id", &self.id),
            ("timestamp", &self.timestamp),
            ("label", &self.label),
            ("prediction", &self.prediction),
            ("score", &self.score),
            ("exclude", &self.exclude),
            ("categorical", &self.categorical),
            ("text", &self.text),
        ];
        let mut known: Vec<&str> = reference.names();
        known.extend(current.fields.iter().map(|field| field.name.as_str()));
        all_known(&named, &known)?;
        if let Reference::Profile { path, profile, .. } = reference {
            let numeric = |name: &&String| profile.column(name).is_some_and(|column| column.kind() == Kind::Numeric);
            if self.categorical.iter().any(|name| numeric(&name)) {
                return Err(Error::Rows { option: "categorical", path: path.clone() });
            }
            if !self.text.is_empty() {
                return Err(Error::Rows { option: "text", path: path.clone() });
            }
            if self.multivariate {
                return Err(Error::Rows { option: "multivariate", path: path.clone() });
            }
        }
        let all = |lists: &[&Vec<String>]| -> BTreeSet<String> { lists.iter().copied().flatten().cloned().collect() };
        Ok(Roles {
            ids: self.id.clone(),
            left_out: reference
                .left_out()
                .map(str::to_owned)
                .chain(all(&[&self.id, &self.timestamp, &self.label, &self.exclude]))
                .collect(),
            categorical: all(&[&self.categorical]),
            text: all(&[&self.text]),
            timestamp: self.timestamp.clone(),
            label: self.label.first().cloned(),
            prediction: self.prediction.first().cloned(),
            score: self.score.first().cloned(),
            together: self.multivariate,
        })
    }
}

/// Every column that an option names is there.
pub(super) fn all_known(named: &[(&'static str, &Vec<String>)], known: &[&str]) -> Result<(), Error> {
    for (option, columns) in named {
        for column in *columns {
            if !known.contains(&column.as_str()) {
                let nearest = known
                    .iter()
                    .map(|name| (strsim::jaro_winkler(name, column), name))
                    .max_by(|a, b| a.0.total_cmp(&b.0))
                    .filter(|(likeness, _)| *likeness > 0.7)
                    .map(|(_, name)| (*name).to_owned());
                return Err(Error::Column { option, column: column.clone(), nearest });
            }
        }
    }
    Ok(())
}

fn compare(
    reference: &Reference,
    current: &Dataset,
    roles: &Roles,
    tests: &[&'static Test],
    thresholds: &Thresholds,
) -> Result<(Comparison, Vec<Fault>), Error> {
    let mut names: Vec<&str> = reference.fields().iter().map(|field| field.name.as_str()).collect();
    names.extend(current.fields.iter().map(|f| f.name.as_str()).filter(|name| reference.field(name).is_none()));
    let data = reference.data().filter(|_| thresholds.mode == Mode::Default);
    let times = data.map(|data| Times::of(data, current, roles)).transpose()?.flatten();
    let mut columns = Vec::new();
    let mut schema = Vec::new();
    for name in names.iter().copied().filter(|name| !roles.left_out.contains(*name)) {
        let way = if times.as_ref().is_some_and(|times| times.column == name) {
            Err((FindingKind::NotComparable, Times::TOLD.to_owned()))
        } else {
            way(reference, current, name, roles, thresholds.mode)
        };
        match way {
            Ok(way) => columns.push((name, way)),
            Err((finding, message)) => schema.push(Finding { column: name.to_owned(), finding, message }),
        }
    }
    if columns.is_empty() {
        return Err(Error::Nothing);
    }
    let sides = Sides { reference, current, times: times.as_ref(), names: &names, tests, mode: thresholds.mode };
    let (mut measured, mut rows) = (Vec::new(), Vec::new());
    let (all, mut gathered) = measure_all(&sides, &columns)?;
    for compared in all {
        measured.extend(compared.measured);
        rows.extend(compared.rows);
        schema.extend(compared.finding);
    }
    gathered.ids(reference.data(), current, roles)?;
    let features = judge(measured, thresholds);
    let together = match reference.data().filter(|_| roles.together) {
        Some(reference) => Some(together(&sides, reference, &rows)?),
        None => None,
    };
    let performance = performance(reference, current, roles)?;
    let comparison = Comparison {
        reference: reference.side(),
        current: Side { name: current.path().display().to_string(), rows: current.rows },
        summary: Summary::of(&features, &schema, thresholds.mode),
        features,
        schema,
        together,
        performance,
    };
    Ok((comparison, gathered.judge((reference.data(), reference.order()), thresholds)))
}

/// Measures the columns on as many threads as there are cores; each holds one column of both sides at a time.
fn measure_all<'a>(sides: &Sides<'a>, columns: &[(&'a str, Way)]) -> Result<(Vec<Compared<'a>>, Gathered), Error> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(columns.len()).min(8);
    let progress = progress(columns.len() as u64);
    let next = AtomicUsize::new(0);
    let worker = || -> Result<(Vec<(usize, Compared<'a>)>, Gathered), Error> {
        let (mut done, mut gathered) = (Vec::new(), Gathered::new(sides.reference.data(), sides.current));
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((name, way)) = columns.get(at) else { return Ok((done, gathered)) };
            done.push((at, sides.compared(name, *way, &mut gathered)?));
            progress.inc(1);
        }
    };
    let (mut all, mut gathered) = (Vec::new(), Gathered::new(sides.reference.data(), sides.current));
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            match worker.join() {
                Ok(done) => {
                    let (done, more) = done?;
                    all.extend(done);
                    gathered.merge(more);
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok::<(), Error>(())
    })?;
    progress.finish_and_clear();
    all.sort_by_key(|(at, _)| *at);
    Ok((all.into_iter().map(|(_, compared)| compared).collect(), gathered))
}

/// Shown on a terminal alone, and only when it takes a while.
fn progress(columns: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(columns), ProgressDrawTarget::stderr_with_hz(8));
    if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len} columns  {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// Performance of either side, where label and prediction (or score) are named and there.
fn performance(reference: &Reference, current: &Dataset, roles: &Roles) -> Result<Option<BothPerformances>, Error> {
    let Some(label) = &roles.label else { return Ok(None) };
    let Some(prediction) = roles.prediction.as_ref().or(roles.score.as_ref()) else { return Ok(None) };
    let mut known = Labels::default();
    let sides = reference.data().into_iter().chain([current]);
    for side in sides.filter(|side| side.field(label).is_some()) {
        known.learn(&side.column(label)?);
    }
    let Some(task) = known.task() else { return Ok(None) };
    let of = |side: &Dataset| -> Result<Option<Performance>, Error> {
        if side.field(label).is_none() || side.field(prediction).is_none() {
            return Ok(None);
        }
        let score = match &roles.score {
            Some(score) if task == Task::Classification && side.field(score).is_some() => Some(side.column(score)?),
            _ => None,
        };
        let (label, prediction) = (side.column(label)?, side.column(prediction)?);
        Ok(Some(measure(task, &label, &prediction, score.as_ref(), None, &known)).filter(|measured| measured.rows > 0))
    };
    let both = BothPerformances { reference: reference.data().map(of).transpose()?.flatten(), current: of(current)? };
    Ok((both.reference.is_some() || both.current.is_some()).then_some(both))
}
