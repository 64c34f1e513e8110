//! `plumbline drift`: a data file, or counts of windows, held against a reference or a profile of one.

mod arguments;
mod columns;
mod of_model;
mod quality;
mod reference;
pub(super) mod tally;
mod together;
mod windows;

use std::io::Write;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

pub(super) use self::arguments::all_known;
pub use self::arguments::{Arguments, EXAMPLES};
use self::arguments::{Format, Roles};
use self::columns::{Compared, Sides, Times, Way, way};
pub(super) use self::of_model::of_model;
use self::quality::Gathered;
use self::reference::Reference;
use self::together::together;
use self::windows::Windows;
use super::given::{self, Given};
use super::look::look;
use super::profile::file;
use super::progress::Progress;
use super::times;
use crate::dataset::{self, Dataset, Wanted};
use crate::drift::Test;
use crate::drift::comparison::{BothPerformances, Comparison, Finding, FindingKind, Side, Summary};
use crate::drift::modes::Mode;
use crate::drift::verdict::{Thresholds, judge};
use crate::model::Spec;
use crate::performance::verdict::changes;
use crate::performance::{Columns, Labels, Performance, Task, Wanted as Measured, measure};
use crate::quality::{Finding as Fault, Rules};
use crate::report::drift as render;

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
    let (tests, thresholds) = arguments.asked()?;
    let rules = arguments.rules()?;
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
            let current = open(one, &|name| arguments.wants(&reference, name))?;
            let roles = arguments.roles(&reference, &current, &thresholds)?;
            if let Some(column) = arguments.timestamp.first()
                && let Some(why) = reference.part(column, &current, &arguments.length)?
            {
                tell(&times::unknown_variation(column, &why));
            }
            let windows = Windows::of(arguments.timestamp.first(), &current, &arguments.length, &thresholds)?;
            let sides = (&reference, &current, windows.as_ref());
            let (comparison, quality) = compare(sides, &roles, &tests, (&thresholds, &rules))?;
            (comparison, Some(quality))
        }
        // Counts say nothing of whole rows.
        all => {
            if let (Some(option), Some(counts)) = (arguments.wants_rows(), all.first()) {
                return Err(Error::CountsOf { option, path: counts.shown.clone() });
            }
            (tally::compare(&reference, all, &arguments.exclude, &tests, &thresholds)?, None)
        }
    };
    let quality = quality.as_deref();
    if arguments.format == Format::Json || arguments.output.is_some() {
        // The tables show them; a program's reader is told, too.
        for finding in &comparison.schema {
            tell(&format!("warning: column `{}` is not compared: {}", finding.column, finding.message));
        }
    }
    let look = look(arguments.output.as_ref());
    let text = match arguments.format {
        Format::Table => render::table(&comparison, quality, look),
        Format::Json => render::json(&comparison, quality),
        Format::Markdown => render::markdown(&comparison, quality),
        Format::Html => render::html(&comparison, quality),
    };
    write(arguments.output.as_ref(), &text)?;
    let faults = quality.is_some_and(|findings| !findings.is_empty());
    Ok((arguments.fail_on_drift && comparison.summary.drift) || (arguments.fail_on_quality && faults))
}

/// Whether it is a profile, which has no rows.
pub(super) fn is_profile(given: &Given) -> bool {
    file::is_profile(&given.path)
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

pub(super) fn open(given: &Given, wanted: Wanted<'_>) -> Result<Dataset, Error> {
    let reading = Progress::of(&format!("reading {}", given.shown.display()));
    let opened = Dataset::open_as(&given.path, &given.shown, wanted)?;
    drop(reading);
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

fn compare(
    (reference, current, windows): (&Reference, &Dataset, Option<&Windows>),
    roles: &Roles,
    tests: &[&'static Test],
    (thresholds, rules): (&Thresholds, &Rules),
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
    let (times, mode) = (times.as_ref(), thresholds.mode);
    let sides = Sides { reference, current, times, names: &names, tests, windows, mode, roles };
    let (mut measured, mut over_time, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    let (all, mut gathered) = measure_all(&sides, &columns)?;
    for compared in all {
        for (whole, windows) in compared.measured {
            measured.push(whole);
            over_time.push(windows);
        }
        rows.extend(compared.rows);
        schema.extend(compared.finding);
    }
    gathered.ids(reference.data(), current, roles)?;
    let features = judge(measured, thresholds);
    let compared: Vec<&str> = features.iter().map(|feature| feature.name.as_str()).collect();
    for (column, _) in thresholds.unmatched(&compared) {
        tell(&format!("warning: --threshold {column}: no column of this name is compared"));
    }
    let measuring = Progress::of("measuring rows as a whole");
    let together = match reference.data().filter(|_| roles.together) {
        Some(reference) => Some(together(&sides, reference, &rows)?),
        None => None,
    };
    let performance = performance(reference, current, roles)?;
    let comparison = Comparison {
        reference: reference.side(),
        current: Side { name: current.path().display().to_string(), rows: current.rows },
        windows: Vec::new(),
        summary: Summary::of(&features, &schema, thresholds.mode),
        features,
        schema,
        over_time: windows.map_or_else(Vec::new, |windows| windows.judged(over_time, thresholds)),
        together,
        performance,
    };
    let faults = gathered.judge((reference.data(), reference.order()), thresholds, rules);
    drop(measuring);
    Ok((comparison, faults))
}

/// Measures the columns on as many threads as there are cores; each holds one column of both sides at a time.
fn measure_all<'a>(sides: &Sides<'a>, columns: &[(&'a str, Way)]) -> Result<(Vec<Compared<'a>>, Gathered), Error> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(columns.len()).min(8);
    let progress = Progress::counted("comparing columns", columns.len() as u64);
    let next = AtomicUsize::new(0);
    let worker = || -> Result<(Vec<(usize, Compared<'a>)>, Gathered), Error> {
        let (mut done, mut gathered) = (Vec::new(), Gathered::new(sides.reference.data(), sides.current));
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((name, way)) = columns.get(at) else { return Ok((done, gathered)) };
            done.push((at, sides.compared(name, *way, &mut gathered)?));
            progress.inc();
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
    drop(progress);
    all.sort_by_key(|(at, _)| *at);
    Ok((all.into_iter().map(|(_, compared)| compared).collect(), gathered))
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
        let columns =
            Columns { label: &label, prediction: Some(&prediction), score: score.as_ref(), scores: &[], group: None };
        Ok(Some(measure(&columns, &Measured::new(task, &known)).0).filter(|measured| measured.rows > 0))
    };
    let (reference, current) = (reference.data().map(of).transpose()?.flatten(), of(current)?);
    let both = reference.as_ref().zip(current.as_ref());
    let changes = both.map(|(before, now)| changes(before, now, &Spec::new("model").limits())).unwrap_or_default();
    let both = BothPerformances { reference, current, changes };
    Ok((both.reference.is_some() || both.current.is_some()).then_some(both))
}
