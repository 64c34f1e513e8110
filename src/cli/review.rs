//! `plumbline review`: everything of one model over a file of samples, in one document.

mod columns;
mod labels;
mod lag;
mod parts;
#[cfg(test)]
mod tests;
mod versions;

use std::path::PathBuf;

use clap::ValueEnum;
use jiff::Timestamp;
use polars::prelude::{IdxCa, PolarsError};

use self::columns::{side, with_labels};
use self::lag::{early, told_lags};
use self::parts::{Against, PARTS, parts};
use self::versions::Told;
use super::ENV;
use super::drift::{self, not_over, of_model, open, write};
use super::given::{self, Given};
use super::look::look;
use super::progress::Progress;
use super::times::times;
use crate::attribution::Moved;
use crate::config::{self, Config};
use crate::dataset::{self, Dataset};
use crate::drift::order::Window;
use crate::estimate::Estimate;
use crate::fairness::Fair;
use crate::frame::normal::ColumnKind;
use crate::model::Spec;
use crate::model::assess::estimator;
use crate::model::assess::moved::moved;
use crate::model::assess::{self, Side, Table, beside, groups};
use crate::performance::verdict::{changes, verdict};
use crate::performance::{Labels, Performance, Task};
use crate::report::model as render;
use crate::review::{Labelled, Measured, Part, Review};
use crate::segment::by::By;
use crate::segment::search::Found;
use crate::versions::reference::Judged;

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
    let look = look(arguments.output.as_ref());
    let text = match arguments.format {
        Format::Table => render::table(&review, look),
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

/// What there is to review.
struct Material {
    /// Those of them that are judged.
    samples: Dataset,
    current: Side,
    /// The rows that have a label, where not all have: figures of labels are of these alone, however many others there are.
    known_rows: Option<(IdxCa, Side)>,
    /// How many they are with those that are not, and between which times.
    rows: u64,
    span: Option<(i64, i64)>,
    versions: Told,
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
        // Versions are names, whatever they look like.
        let texts: &[ColumnKind] = &[ColumnKind::String];
        let opened = |given: &Given| open(given, &|name| if name == spec.version { texts } else { &[] });
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
        let joining = Progress::of("bringing labels to samples");
        let joined = labels.map(|labels| labels::join(&samples, at.as_deref(), &labels, spec)).transpose()?;
        let (label, lags, mut labelled) = match joined {
            Some(joined) => (Some(joined.label), joined.lags, joined.labelled),
            None => (None, None, Labelled::default()),
        };
        let current = side(&samples, spec, label)?;
        drop(joining);
        if current.prediction.is_none() && current.score.is_none() && current.beside.scores.is_empty() {
            let (file, column) = (samples.path().display().to_string(), spec.prediction.clone());
            return Err(Error::Column { file, column });
        }
        let data = reference.as_ref().filter(|given| !drift::is_profile(given)).map(opened).transpose()?;
        let before = data.map(|data| side(&data, spec, None).map(|side| (data, side))).transpose()?;
        let known_rows = with_labels(&current)?;
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
        let versions = versions::told(&samples, &current, at.as_deref(), (spec, task, &known), &mut notes)?;
        let before_data = before.as_ref().map(|(data, _)| data);
        let judged = versions::judged(versions.coded.as_ref(), before_data, spec, reference.is_some())?;
        let span = at.iter().flatten().min().copied().zip(at.iter().flatten().max().copied());
        let window = Window::Rows(0);
        let material = Self {
            rows: samples.rows,
            span,
            versions,
            samples,
            current,
            known_rows,
            reference,
            before,
            known,
            task,
            labelled,
            at,
            window,
            notes,
        };
        material.only(judged, arguments.chunk)
    }

    /// What figures of labels are of.
    fn judged(&self) -> &Side {
        self.known_rows.as_ref().map_or(&self.current, |(_, side)| side)
    }

    /// Leaves out what the reference is not of; where that is everything, the reference.
    fn only(mut self, judged: Option<Judged>, chunk: Option<Window>) -> Result<Self, Error> {
        if let Some(judged) = judged.filter(|judged| !judged.all()) {
            self.notes.extend(judged.words());
            if judged.rows.iter().any(|judged| *judged) {
                let places: Vec<usize> = (0..judged.rows.len()).filter(|at| judged.rows[*at]).collect();
                self.current = self.current.part(&places)?;
                self.known_rows = with_labels(&self.current)?;
                self.at = self.at.map(|at| places.iter().filter_map(|place| at.get(*place)).copied().collect());
                self.samples = self.samples.only(&judged.rows);
            } else {
                (self.reference, self.before) = (None, None);
            }
            self.versions.unjudged = judged.unjudged;
        }
        self.window = chunk.unwrap_or(Window::Rows(self.samples.rows.div_ceil(PARTS).max(1)));
        Ok(self)
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
    moved: Option<Moved>,
}

impl OfTask {
    fn of(material: &Material, spec: &Spec, task: Task, notes: &mut Vec<String>) -> Result<Self, Error> {
        let Material { samples, current, before, known, at, window, .. } = material;
        let known_rows = material.known_rows.as_ref().map(|(rows, _)| rows);
        let (described, limits) = ((spec, task, known), spec.limits());
        let reference = before.as_ref().and_then(|(_, side)| side.measured(described));
        let reference = reference.map(|(performance, _)| performance);
        let named = spec.protected.iter().map(|protected| &protected.column).chain(&spec.segments);
        if let Some(column) = named.into_iter().find(|column| samples.field(column).is_none()) {
            return Err(Error::of(assess::Error::Missing(column.clone()), samples));
        }
        let performance = material.judged().measured(described).map(|(figures, detail)| {
            let changes = reference.as_ref().map_or_else(Vec::new, |was| changes(was, &figures, &limits));
            let verdict = verdict(&figures, &changes).map(|change| change.verdict);
            Measured { figures, detail, reference: reference.clone(), changes, verdict }
        });
        let learnt = before.as_ref().map(|(data, side)| {
            estimator::learn((data, side), Some(samples), described).map_err(|error| Error::of(error, data))
        });
        let learnt = learnt.transpose()?;
        let estimator = learnt.and_then(|learnt| {
            learnt.map_err(|why| notes.push(format!("Without labels nothing is estimated: {why}."))).ok()
        });
        let of_samples = |error| Error::of(error, samples);
        let prepared = estimator.as_ref().map(|estimator| estimator.prepare(samples, current, described));
        let prepared = prepared.transpose().map_err(of_samples)?.flatten();
        let all = || -> Vec<usize> { (0..samples.rows()).collect() };
        let figures = performance.as_ref().map(|measured| &measured.figures);
        let estimated = prepared.as_ref().map(|prepared| beside(prepared.estimate(&all()), figures));
        let (reference, prepared) = (reference.as_ref(), prepared.as_ref());
        let against = Against { described, reference, limits: &limits, prepared };
        Ok(Self {
            over_time: parts(current, at.as_deref(), *window, samples.rows, &against)?,
            performance,
            estimated,
            fairness: groups::fairness(samples, current, described, notes).map_err(of_samples)?,
            by_column: groups::by_columns(samples, current, described, notes).map_err(of_samples)?,
            worst: groups::worst(samples, material.judged(), known_rows, described).map_err(of_samples)?,
            moved: before
                .as_ref()
                .map(|(data, side)| moved((data, side), (samples, current), described).map_err(of_samples))
                .transpose()?,
        })
    }
}

fn review(arguments: &Arguments, spec: &Spec) -> Result<Review, Error> {
    let mut material = Material::of(arguments, spec)?;
    let mut notes = std::mem::take(&mut material.notes);
    let measuring = Progress::of(&format!("measuring {}", spec.name));
    let of_task = material.task.map(|task| OfTask::of(&material, spec, task, &mut notes)).transpose()?;
    drop(measuring);
    let OfTask { performance, estimated, over_time, fairness, by_column, worst, moved } = of_task.unwrap_or_default();
    let Material { samples, reference, task, labelled, window, rows, span, versions, .. } = material;
    let several = versions.coded.as_ref().is_some_and(|coded| coded.names.len() > 1);
    let compared =
        reference.map(|reference| of_model(&reference, &samples, (spec, window), several, &mut notes)).transpose()?;
    let (comparison, quality) = compared.unzip();
    let (segments, segments_searched) = worst.map(|found| (found.segments, found.columns)).unzip();
    let time = |ms: i64| Timestamp::from_millisecond(ms).ok();
    let (versions, other_versions, unjudged) = versions.parts();
    Ok(Review {
        model: spec.name.clone(),
        namespace: spec.namespace.clone(),
        task,
        rows,
        from: span.and_then(|(from, _)| time(from)),
        to: span.and_then(|(_, to)| time(to)),
        labels: labelled,
        performance,
        estimated,
        drift: comparison,
        moved,
        quality: quality.unwrap_or_default(),
        over_time,
        fairness,
        segments: segments.unwrap_or_default(),
        segments_searched,
        by_column,
        versions,
        other_versions,
        unjudged,
        notes,
    })
}
