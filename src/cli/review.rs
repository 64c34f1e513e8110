//! `plumbline review`: everything of one model over a file of samples, in one document.

mod estimate;
mod groups;
mod labels;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::ValueEnum;
use jiff::Timestamp;
use polars::prelude::{IdxCa, PolarsError, Series};

use self::estimate::Prepared;
use self::labels::Lags;
use super::drift::{self, not_over, of_model, open, write};
use super::given::{self, Given};
use super::times::times;
use super::{ENV, no_colour};
use crate::config::{self, Config};
use crate::dataset::{self, Dataset};
use crate::drift::order::Window;
use crate::estimate::Estimate;
use crate::model::{Beside, Spec};
use crate::performance::detail::Detail;
use crate::performance::figure::Figure;
use crate::performance::interval::{self, Spread};
use crate::performance::verdict::{Limits, changes, verdict};
use crate::performance::{Labels, Performance, Task, errors, measure};
use crate::report::model as render;
use crate::review::{Early, Fair, Labelled, Measured, Part, Review};
use crate::segment::by::By;
use crate::segment::search::Found;
use crate::stats::quantile::quantile;

pub const EXAMPLES: &str = "\
Examples:
  plumbline review --model churn.toml --samples june.parquet
  plumbline review --model churn.toml --reference train.parquet --samples june.parquet --labels june-labels.csv
  plumbline review --model churn.toml --samples june.parquet --labels labels.parquet --chunk 1d --format html -o june.html
  plumbline review --model plumbline.toml --name churn --samples june.parquet --format json    # one of an agent's models
  plumbline review --model churn.toml --samples june.parquet --fail-on-worse                   # in a pipeline

The description is the [[model]] table that an agent's configuration has; a file of nothing else will do:

  [[model]]
  name = \"churn\"
  id = \"request_id\"            # default: id; likewise timestamp, prediction, score, label
  label = \"churned\"
  reference = \"train.parquet\"  # --reference goes before it

Labels are brought to samples by the id of both; of several of one sample the latest counts. Without --labels they are a column of the
samples. Files may be Parquet, Arrow, CSV, TSV or NDJSON, by path or address.

Exit codes: 0 done; with --fail-on-worse or --fail-on-drift 0 without a finding, 1 with one; 2 for an error.";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The model's description: a TOML file with a [[model]] table.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Which model, where the file describes several.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What it is held against: the training data, or a time that was good. Default: what the description names.
    #[arg(long, value_name = "FILE")]
    reference: Option<PathBuf>,
    /// What the model was given and said.
    #[arg(long, value_name = "FILE")]
    samples: PathBuf,
    /// What was true, by the samples' ids.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// How long the parts are that are told one by one: a duration (1d, 12h) or rows (5000) [default: ten parts of as many rows].
    #[arg(long, value_name = "DURATION|ROWS", value_parser = chunk)]
    chunk: Option<Window>,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write the result to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Exit with 1 if the model does worse than on its reference.
    #[arg(long)]
    fail_on_worse: bool,
    /// Exit with 1 if there is drift.
    #[arg(long)]
    fail_on_drift: bool,
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

fn chunk(text: &str) -> Result<Window, String> {
    if let Ok(rows) = text.parse::<u64>() {
        return if rows == 0 { Err("must be 1 row at least".to_owned()) } else { Ok(Window::Rows(rows)) };
    }
    let parsed =
        humantime::parse_duration(text).map_err(|error| format!("{error}; write 1d, 12h, or a number of rows"))?;
    if parsed.as_secs() == 0 {
        return Err("is too short; 1s at least".to_owned());
    }
    Ok(Window::Time(i64::try_from(parsed.as_millis()).unwrap_or(i64::MAX)))
}

/// Why there is no review.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The description is wrong.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// There is none, or it is not clear which.
    #[error("{}: {message}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A file cannot be used.
    #[error(transparent)]
    Dataset(#[from] dataset::Error),
    /// What is named cannot be read.
    #[error(transparent)]
    Given(#[from] given::Error),
    /// A column that is needed is not there.
    #[error("{file}: has no column `{column}`; the description says which one it is (id, label, prediction, score)")]
    Column {
        /// The file.
        file: String,
        /// The column.
        column: String,
    },
    /// Ids that are neither numbers nor texts.
    #[error("column `{0}`: holds no ids; write numbers or texts")]
    Id(String),
    /// Columns that do not go together.
    #[error("{0}")]
    Frame(String),
    /// What moved cannot be told.
    #[error(transparent)]
    Drift(#[from] drift::Error),
}

impl From<PolarsError> for Error {
    fn from(error: PolarsError) -> Self {
        Self::Frame(error.to_string())
    }
}

/// Reviews, writes the result, and says whether the run is to fail.
pub fn run(arguments: &Arguments) -> Result<bool, Error> {
    let spec = described(arguments)?;
    let inputs = [Some(&arguments.samples), arguments.labels.as_ref(), arguments.reference.as_ref()];
    if let Some(output) = &arguments.output {
        not_over(output, &inputs.into_iter().flatten().collect::<Vec<_>>())?;
    }
    let review = review(arguments, &spec)?;
    let colour = arguments.output.is_none() && std::io::stdout().is_terminal() && !no_colour();
    let text = match arguments.format {
        Format::Table => render::table(&review, colour),
        Format::Json => render::json(&review),
        Format::Markdown => render::markdown(&review),
        Format::Html => render::html(&review),
    };
    write(arguments.output.as_ref(), &text)?;
    let drifts = review.drift.as_ref().is_some_and(|comparison| comparison.summary.drift);
    Ok((arguments.fail_on_worse && review.is_worse()) || (arguments.fail_on_drift && drifts))
}

/// The one description that is meant.
fn described(arguments: &Arguments) -> Result<Spec, Error> {
    let (config, _) = Config::load(Some(&arguments.model), ENV)?;
    let wrong = |message: String| Error::Model { path: arguments.model.clone(), message };
    let names: Vec<&str> = config.model.iter().map(|spec| spec.name.as_str()).collect();
    let all = names.join(", ");
    let mut found = config.model.iter().filter(|spec| arguments.name.as_ref().is_none_or(|name| *name == spec.name));
    match (found.next(), found.next(), &arguments.name) {
        (Some(spec), None, _) => Ok(spec.clone()),
        (Some(_), Some(_), _) => Err(wrong(format!("describes several models; choose one by --name: {all}"))),
        (None, _, Some(name)) => Err(wrong(format!("describes no model {name}; there are: {all}"))),
        (None, _, None) => Err(wrong("describes no model; it needs a [[model]] table with a name".to_owned())),
    }
}

/// One side's columns, as predictions are measured by them.
struct Side {
    label: Option<Series>,
    prediction: Option<Series>,
    score: Option<Series>,
    beside: Beside,
}

impl Side {
    fn of(data: &Dataset, spec: &Spec, label: Option<Series>) -> Result<Self, Error> {
        // In one piece, which rows are taken from again and again.
        let column = |name: &str| {
            let read = data.field(name).is_some().then(|| data.column(name)).transpose()?;
            Ok::<_, dataset::Error>(read.map(|read| read.rechunk()))
        };
        let mut scores = Vec::new();
        for (class, name) in &spec.scores {
            match column(name)? {
                Some(of) => scores.push((class.clone(), of)),
                None => return Err(Error::Column { file: data.path().display().to_string(), column: name.clone() }),
            }
        }
        let group = spec.group.as_deref().map(column).transpose()?.flatten();
        Ok(Self {
            label: match label {
                Some(label) => Some(label),
                None => column(&spec.label)?,
            },
            prediction: column(&spec.prediction)?,
            score: column(&spec.score)?,
            beside: Beside { scores, group },
        })
    }

    /// Some of its rows.
    fn part(&self, rows: &IdxCa) -> Result<Self, Error> {
        let of = |series: &Option<Series>| series.as_ref().map(|series| series.take(rows)).transpose();
        let scores = self.beside.scores.iter().map(|(class, of)| Ok((class.clone(), of.take(rows)?)));
        Ok(Self {
            label: of(&self.label)?,
            prediction: of(&self.prediction)?,
            score: of(&self.score)?,
            beside: Beside { scores: scores.collect::<Result<_, PolarsError>>()?, group: of(&self.beside.group)? },
        })
    }

    fn measured(&self, spec: &Spec, task: Task, known: &Labels) -> Option<(Performance, Option<Detail>)> {
        let label = self.label.as_ref()?;
        let columns = self.beside.columns(label, self.prediction.as_ref(), self.score.as_ref());
        Some(measure(&columns, &spec.measured(task, known))).filter(|(performance, _)| performance.rows > 0)
    }

    fn labelled(&self) -> u64 {
        self.label.as_ref().map_or(0, |label| (label.len() - label.null_count()) as u64)
    }

    /// The rows that have a label; `None` where all have, or none can.
    fn with_labels(&self) -> Option<IdxCa> {
        let label = self.label.as_ref().filter(|label| label.has_nulls())?;
        let rows = label.is_not_null();
        let rows = rows.iter().zip(0..).filter_map(|(is, row)| (is == Some(true)).then_some(row));
        Some(IdxCa::from_vec("rows".into(), rows.collect()))
    }
}

/// What there is to review.
struct Material {
    samples: Dataset,
    current: Side,
    /// The rows that have a label, where not all have: figures of labels are of these alone, however many others there are.
    known_rows: Option<(IdxCa, Side)>,
    reference: Option<Given>,
    /// The reference's rows, where it has any.
    before: Option<(Dataset, Side)>,
    known: Labels,
    task: Option<Task>,
    labelled: Labelled,
    /// When each row of the samples was, where all say.
    at: Option<Vec<i64>>,
    window: Window,
    notes: Vec<String>,
}

impl Material {
    fn of(arguments: &Arguments, spec: &Spec) -> Result<Self, Error> {
        let opened = |given: &Given| open(given, &|_| &[]);
        let samples = opened(&Given::new(&arguments.samples, "samples")?)?;
        let mut notes = Vec::new();
        let named = arguments.reference.clone().or(spec.reference.as_ref().map(PathBuf::from));
        let reference = named.map(|path| Given::new(&path, "reference")).transpose()?;
        if reference.is_none() {
            notes.push("There is no reference: nothing is said of what moved, or of whether it does worse.".to_owned());
        }
        let labels = arguments.labels.as_ref().map(|path| Given::new(path, "labels")).transpose()?;
        let labels = labels.map(|given| opened(&given)).transpose()?;
        let mut at = None;
        if samples.field(&spec.timestamp).is_some() {
            match times(&samples.column(&spec.timestamp)?) {
                Ok(times) => at = Some(times),
                Err(why) => {
                    let column = &spec.timestamp;
                    notes.push(format!("Column `{column}` {why}: rows are taken in the order of the file."));
                }
            }
        }
        let joined = labels.map(|labels| labels::join(&samples, at.as_deref(), &labels, spec)).transpose()?;
        let (label, lags, mut labelled) = match joined {
            Some(joined) => (Some(joined.label), joined.lags, joined.labelled),
            None => (None, None, Labelled::default()),
        };
        let current = Side::of(&samples, spec, label)?;
        if current.prediction.is_none() && current.score.is_none() && current.beside.scores.is_empty() {
            let (file, column) = (samples.path().display().to_string(), spec.prediction.clone());
            return Err(Error::Column { file, column });
        }
        let data = reference.as_ref().filter(|given| !drift::is_profile(given)).map(opened).transpose()?;
        let before = data.map(|data| Side::of(&data, spec, None).map(|side| (data, side))).transpose()?;
        let known_rows = match current.with_labels() {
            Some(rows) => Some((rows.clone(), current.part(&rows)?)),
            None => None,
        };
        let judged = known_rows.as_ref().map_or(&current, |(_, side)| side);
        let mut known = Labels::default();
        let sides = [Some(judged), before.as_ref().map(|(_, side)| side)];
        for label in sides.into_iter().flatten().filter_map(|side| side.label.as_ref()) {
            known.learn(label);
        }
        let task = spec.task.or(known.task());
        labelled.rows = current.labelled();
        labelled.coverage = (samples.rows > 0).then(|| labelled.rows as f64 / samples.rows as f64);
        if let (Some(lags), Some(task)) = (&lags, task) {
            told_lags(&mut labelled, lags);
            labelled.early = early(&current, lags, task)?;
        }
        let window = arguments.chunk.unwrap_or(Window::Rows(samples.rows.div_ceil(PARTS).max(1)));
        Ok(Self { samples, current, known_rows, reference, before, known, task, labelled, at, window, notes })
    }

    /// What figures of labels are of.
    fn judged(&self) -> &Side {
        self.known_rows.as_ref().map_or(&self.current, |(_, side)| side)
    }
}

/// What is said of predictions, where it is known what they are.
#[derive(Default)]
struct OfTask {
    performance: Option<Measured>,
    estimated: Option<Estimate>,
    over_time: Vec<Part>,
    fairness: Vec<Fair>,
    by_column: Vec<By<Option<Performance>>>,
    worst: Option<Found>,
}

impl OfTask {
    fn of(material: &Material, spec: &Spec, task: Task, notes: &mut Vec<String>) -> Result<Self, Error> {
        let Material { samples, current, before, known, at, window, .. } = material;
        let known_rows = material.known_rows.as_ref().map(|(rows, _)| rows);
        let (described, limits) = ((spec, task, known), spec.limits());
        let reference = before.as_ref().and_then(|(_, side)| side.measured(spec, task, known));
        let reference = reference.map(|(performance, _)| performance);
        let performance = material.judged().measured(spec, task, known).map(|(figures, detail)| {
            let changes = reference.as_ref().map_or_else(Vec::new, |was| changes(was, &figures, &limits));
            let verdict = verdict(&figures, &changes).map(|change| change.verdict);
            Measured { figures, detail, reference: reference.clone(), changes, verdict }
        });
        let learnt =
            before.as_ref().map(|(data, side)| estimate::learn((data, side), samples, described)).transpose()?;
        let estimator = learnt.and_then(|learnt| {
            learnt.map_err(|why| notes.push(format!("Without labels nothing is estimated: {why}."))).ok()
        });
        let prepared =
            estimator.as_ref().map(|estimator| estimator.prepare(samples, current, described)).transpose()?;
        let prepared = prepared.flatten();
        let all = || -> Vec<usize> { (0..usize::try_from(samples.rows).unwrap_or(usize::MAX)).collect() };
        let figures = performance.as_ref().map(|measured| &measured.figures);
        let estimated = prepared.as_ref().map(|prepared| beside(prepared.estimate(&all()), figures));
        let (reference, prepared) = (reference.as_ref(), prepared.as_ref());
        let context = Context { spec, task, known, reference, limits: &limits, prepared };
        Ok(Self {
            over_time: parts(current, at.as_deref(), *window, samples.rows, &context)?,
            performance,
            estimated,
            fairness: groups::fairness(samples, current, described, notes)?,
            by_column: groups::by_columns(samples, current, described)?,
            worst: groups::worst(samples, material.judged(), known_rows, (spec, task))?,
        })
    }
}

fn review(arguments: &Arguments, spec: &Spec) -> Result<Review, Error> {
    let mut material = Material::of(arguments, spec)?;
    let mut notes = std::mem::take(&mut material.notes);
    let of_task = material.task.map(|task| OfTask::of(&material, spec, task, &mut notes)).transpose()?;
    let OfTask { performance, estimated, over_time, fairness, by_column, worst } = of_task.unwrap_or_default();
    let Material { samples, reference, task, labelled, at, window, .. } = material;
    let compared = reference.map(|reference| of_model(&reference, &samples, (spec, window), &mut notes)).transpose()?;
    let (comparison, quality) = compared.unzip();
    let (segments, segments_searched) = worst.map(|found| (found.segments, found.columns)).unzip();
    let time = |ms: Option<&i64>| ms.and_then(|ms| Timestamp::from_millisecond(*ms).ok());
    Ok(Review {
        model: spec.name.clone(),
        namespace: spec.namespace.clone(),
        task,
        rows: samples.rows,
        from: time(at.iter().flatten().min()),
        to: time(at.iter().flatten().max()),
        labels: labelled,
        performance,
        estimated,
        drift: comparison,
        quality: quality.unwrap_or_default(),
        over_time,
        fairness,
        segments: segments.unwrap_or_default(),
        segments_searched,
        by_column,
        notes,
    })
}

fn told_lags(labelled: &mut Labelled, lags: &Lags) {
    let mut seconds: Vec<f64> = lags.ms.iter().map(|ms| *ms as f64 / 1000.0).collect();
    labelled.lag_p50 = quantile(&mut seconds, 0.5);
    labelled.lag_p95 = quantile(&mut seconds, 0.95);
}

/// The errors of the rows whose labels came first beside those whose came last. `None` where all came at once.
fn early(side: &Side, lags: &Lags, task: Task) -> Result<Option<Early>, Error> {
    let (Some(label), Some(prediction)) = (&side.label, &side.prediction) else { return Ok(None) };
    let rows = IdxCa::from_vec("rows".into(), lags.rows.clone());
    Ok(first_and_last(&errors(task, &label.take(&rows)?, &prediction.take(&rows)?), &lags.ms))
}

/// Of errors, and how long after its row the label of each came.
fn first_and_last(errors: &[Option<f64>], lags: &[i64]) -> Option<Early> {
    let mut known: Vec<i64> = lags.to_vec();
    known.sort_unstable();
    let middle = *known.get(known.len() / 2)?;
    let of = |first: bool| -> Spread {
        let halves = errors.iter().zip(lags).filter(|(_, lag)| (**lag < middle) == first);
        halves.filter_map(|(error, _)| *error).collect()
    };
    let (first, last) = (of(true), of(false));
    let figure = |of: &Spread| Figure { value: of.mean(), interval: of.interval() };
    let (before, after) = ((first.mean()?, first.interval()?), (last.mean()?, last.interval()?));
    let apart = interval::difference(before, after);
    let change = after.0 - before.0;
    // In 999 of 1000, where the interval is one of 95 of 100.
    let wider = 3.29 / 1.96;
    let differ = change + wider * (apart.high - change) < 0.0 || change - wider * (change - apart.low) > 0.0;
    Some(Early { first: figure(&first), last: figure(&last), differ })
}

/// Parts that are told one by one where nobody says how long they are.
const PARTS: u64 = 10;
/// More are not told.
const MOST: usize = 400;

/// Places as polars takes them.
fn index(places: &[usize]) -> IdxCa {
    IdxCa::from_vec("rows".into(), places.iter().filter_map(|row| u32::try_from(*row).ok()).collect())
}

/// The rows in order of time.
fn in_order(times: &[i64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..).take(times.len()).collect();
    if !times.is_sorted() {
        order.sort_by_key(|row| times.get(*row as usize));
    }
    order
}

/// The rows of each part, of rows in order of time.
fn places<'a>(order: &'a [u32], times: &[i64], window: Window) -> Vec<&'a [u32]> {
    match window {
        Window::Rows(rows) => order.chunks(usize::try_from(rows).unwrap_or(usize::MAX)).collect(),
        Window::Time(length) => {
            let part = |row: &u32| times.get(*row as usize).map(|time| time.div_euclid(length.max(1)));
            order.chunk_by(|one, other| part(one) == part(other)).collect()
        }
    }
}

struct Context<'a> {
    spec: &'a Spec,
    task: Task,
    known: &'a Labels,
    reference: Option<&'a Performance>,
    limits: &'a Limits,
    prepared: Option<&'a Prepared<'a>>,
}

/// The estimate with the truth beside it, where that is known.
fn beside(mut estimate: Estimate, performance: Option<&Performance>) -> Estimate {
    let measures = performance.into_iter().flat_map(Performance::measures);
    let called = |name: &'static str| if name == "pr_auc" { "average_precision" } else { name };
    estimate.hold_against(measures.map(|(name, value)| (called(name), Some(value))));
    estimate
}

fn parts(
    side: &Side,
    at: Option<&[i64]>,
    window: Window,
    rows: u64,
    context: &Context<'_>,
) -> Result<Vec<Part>, Error> {
    let counted: Vec<i64>;
    let times = if let Some(times) = at {
        times
    } else {
        counted = (0..).take(usize::try_from(rows).unwrap_or(usize::MAX)).collect();
        &counted
    };
    let order = in_order(times);
    let places = places(&order, times, window);
    let skipped = places.len().saturating_sub(MOST);
    let mut parts = Vec::new();
    for places in places.into_iter().skip(skipped) {
        let places: Vec<usize> = places.iter().map(|row| *row as usize).collect();
        let (from, to) = (
            places.iter().filter_map(|row| times.get(*row)).min(),
            places.iter().filter_map(|row| times.get(*row)).max(),
        );
        let time = |ms: Option<&i64>| at.and(ms).and_then(|ms| Timestamp::from_millisecond(*ms).ok());
        let part = side.part(&index(&places))?;
        let performance = part.measured(context.spec, context.task, context.known).map(|(performance, _)| performance);
        let verdict = performance
            .as_ref()
            .zip(context.reference)
            .and_then(|(now, was)| verdict(now, &changes(was, now, context.limits)).map(|change| change.verdict));
        let estimated = context.prepared.map(|prepared| beside(prepared.estimate(&places), performance.as_ref()));
        let (rows, labelled) = (places.len() as u64, part.labelled());
        parts.push(Part { from: time(from), to: time(to), rows, labelled, performance, verdict, estimated });
    }
    Ok(parts)
}
