//! How often `ModelPerformanceEstimatedDrop` alerts where nothing is wrong, and how often where inputs are such that the model does worse:
//! the table in GUIDE.md. Beside it NannyML's rule: its CBPE, below the mean less three standard deviations of the reference's own chunks, each
//! as long as a window.
//!
//! ```sh
//! cargo bench --bench estimated                        # some minutes
//! cargo bench --bench estimated -- --models=400 calm   # one part, of more models
//! ```
//!
//! Each model has a reference with labels and twelve windows, which pass the agent's own windows. Models differ in how many positives there
//! are (half, a tenth, a fiftieth), in how well they tell them apart, and in whether scores are right, too sure, or too high; some predict
//! amounts. Of each kind of window the model's true performance is that of the reference, but where it is said to drop.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]
#![expect(clippy::expect_used, reason = "a bench that cannot go on has failed")]

use std::f64::consts::{PI, TAU};
use std::time::Duration;

use fastrand::Rng;
use jiff::Timestamp;
use plumbline::estimate::cbpe::{Binary, Fitted, Options, Scored, Way, fit};
use plumbline::frame::normal::ARRIVAL;
use plumbline::model::Spec;
use plumbline::model::watch::{Mode, Progress, Watch};
use plumbline::performance::Task;
use plumbline::performance::verdict::Verdict;
use polars::prelude::{Column, DataFrame, DataType, IntoColumn, NamedFrom, Series, TimeUnit};

const MODELS: u64 = 60;
/// Windows of each model after the reference.
const WINDOWS: usize = 12;
/// A window is six hours long, so that a day has four, and the reference is of so many.
const WINDOW: i64 = 6 * 3_600_000;
const REFERENCE_WINDOWS: usize = 20;
const MOST_REFERENCE: usize = 100_000;

/// What inputs do.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Inputs {
    /// Nothing.
    Calm,
    /// They move by so many standard deviations, and spread so that the model does as well.
    Kept(f64),
    /// They spread more by day and less by night, by this share; so the reference, too.
    Season(f64),
    /// They move from one window to the next by themselves, so the reference, too: no two windows are alike.
    Restless(f64),
    /// They spread less, so that the ROC-AUC drops by so much; of amounts more, so that errors grow by this share.
    Harder(f64),
}

/// How a model's rows come about: the log-odds of a positive are `level + slope * x`.
#[derive(Debug, Clone, Copy)]
struct Law {
    level: f64,
    slope: f64,
    /// The score's log-odds are these times as large, and so much more.
    score: (f64, f64),
    amounts: bool,
}

const CLASSES: [(f64, f64); 4] = [(0.0, 1.5), (0.0, 4.0), (-3.2, 2.0), (-6.0, 2.2)];
const SCORES: [(f64, f64); 3] = [(1.0, 0.0), (1.8, 0.0), (1.0, 0.7)];

impl Law {
    fn of(model: u64) -> Self {
        let at = usize::try_from(model).expect("a place");
        let ((level, slope), score) = (CLASSES[at % 4], SCORES[at / 4 % 3]);
        Self { level, slope, score, amounts: at % 13 == 12 }
    }

    fn chance(&self, x: f64) -> f64 {
        logistic(self.level + self.slope * x)
    }

    /// The ROC-AUC where x has this mean and deviation, by a sum over a fine grid.
    fn roc_auc(&self, mean: f64, deviation: f64) -> f64 {
        let (mut below, mut ordered, mut all) = (0.0, 0.0, [0.0, 0.0]);
        for at in -400..=400 {
            let z = f64::from(at) / 50.0;
            let weight = (-z * z / 2.0).exp() / (2.0 * PI).sqrt();
            let chance = self.chance(mean + deviation * z);
            let (positives, negatives) = (weight * chance, weight * (1.0 - chance));
            ordered += positives * (below + negatives / 2.0);
            below += negatives;
            all = [all[0] + positives, all[1] + negatives];
        }
        ordered / (all[0] * all[1])
    }

    /// The deviation with which the ROC-AUC is this about a mean.
    fn deviation(&self, mean: f64, wanted: f64) -> f64 {
        let (mut low, mut high) = (0.05, 5.0);
        for _ in 0..50 {
            let middle = f64::midpoint(low, high);
            if self.roc_auc(mean, middle) < wanted { low = middle } else { high = middle }
        }
        low
    }

    /// Where x lies in a window, its mean and deviation.
    fn place(&self, inputs: Inputs, window: usize, random: &mut Rng) -> (f64, f64) {
        match inputs {
            Inputs::Calm => (0.0, 1.0),
            Inputs::Kept(_) if self.amounts => (0.0, 1.0),
            Inputs::Kept(by) => (by, self.deviation(by, self.roc_auc(0.0, 1.0))),
            Inputs::Season(share) => (0.0, 1.0 + share * (TAU * (window % 4) as f64 / 4.0).sin()),
            Inputs::Restless(by) => (by * normal(random), 1.0 + by / 2.0 * normal(random).clamp(-2.0, 2.0)),
            Inputs::Harder(by) if self.amounts => (0.0, 1.0 + 4.0 * by),
            Inputs::Harder(by) => (0.0, self.deviation(0.0, self.roc_auc(0.0, 1.0) - by)),
        }
    }
}

fn logistic(of: f64) -> f64 {
    1.0 / (1.0 + (-of).exp())
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).expect("a count")
}

fn normal(random: &mut Rng) -> f64 {
    (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (TAU * random.f64()).cos()
}

/// Rows of a window.
#[derive(Debug, Default)]
struct Drawn {
    time: Vec<i64>,
    x: Vec<f64>,
    score: Vec<f64>,
    label: Vec<f64>,
}

impl Drawn {
    fn more(&mut self, law: &Law, (mean, deviation): (f64, f64), (window, rows): (usize, usize), random: &mut Rng) {
        for row in 0..rows {
            let x = mean + deviation * normal(random);
            let chance = law.chance(x);
            self.time.push(signed(window) * WINDOW + signed(row) * WINDOW / signed(rows));
            self.x.push(x);
            if law.amounts {
                self.score.push(3.0 * x);
                self.label.push(3.0 * x + (0.5 + 0.5 * x.abs()) * normal(random));
            } else {
                self.score.push(logistic(law.score.0 * (chance / (1.0 - chance)).ln() + law.score.1));
                self.label.push(f64::from(u8::from(random.f64() < chance)));
            }
        }
    }

    fn frame(&self, law: &Law, labelled: bool) -> DataFrame {
        let time = |name: &str| {
            let series = Series::new(name.into(), &self.time).cast(&DataType::Datetime(TimeUnit::Milliseconds, None));
            series.expect("times").into_column()
        };
        let mut columns: Vec<Column> =
            vec![time("timestamp"), time(ARRIVAL), Series::new("x".into(), &self.x).into_column()];
        if law.amounts {
            columns.push(Series::new("prediction".into(), &self.score).into_column());
        } else {
            let said: Vec<i64> = self.score.iter().map(|score| i64::from(*score >= 0.5)).collect();
            columns.push(Series::new("prediction".into(), said).into_column());
            columns.push(Series::new("score".into(), &self.score).into_column());
        }
        if labelled && law.amounts {
            columns.push(Series::new("label".into(), &self.label).into_column());
        } else if labelled {
            let label: Vec<i64> = self.label.iter().map(|label| i64::from(*label > 0.5)).collect();
            columns.push(Series::new("label".into(), label).into_column());
        }
        DataFrame::new(self.time.len(), columns).expect("a frame")
    }

    fn predicted(&self) -> Vec<bool> {
        self.score.iter().map(|score| *score >= 0.5).collect()
    }
}

/// Windows of each rule that alert, of one model: ours; ours if what the reference's windows vary by were not known; and NannyML's, which is
/// not asked of amounts.
fn alerts(law: &Law, inputs: Inputs, rows: usize, ordered: bool, seed: u64) -> [usize; 3] {
    let mut random = Rng::with_seed(seed);
    let chunk = rows.min(MOST_REFERENCE / REFERENCE_WINDOWS);
    let mut before = Drawn::default();
    for window in 0..REFERENCE_WINDOWS {
        let usual = match inputs {
            Inputs::Kept(_) | Inputs::Harder(_) => Inputs::Calm,
            other => other,
        };
        let place = law.place(usual, window, &mut random);
        before.more(law, place, (window, chunk), &mut random);
    }
    let chunks: Vec<_> = (0..REFERENCE_WINDOWS).map(|at| at * chunk..(at + 1) * chunk).collect();
    let theirs: Option<Fitted> = (!law.amounts)
        .then(|| {
            let (predicted, label) =
                (before.predicted(), before.label.iter().map(|label| *label > 0.5).collect::<Vec<_>>());
            let options = Options { way: Way::NannyMl, chunks: Some(chunks), ..Options::default() };
            fit(&Binary { score: &before.score, predicted: Some(&predicted), label: &label }, &options).ok()
        })
        .flatten();
    if !ordered {
        before.time.fill(0);
    }
    let now = Timestamp::from_second(4_000_000_000).expect("a time");
    let task = if law.amounts { Task::Regression } else { Task::Classification };
    let spec = Spec {
        task: Some(task),
        window: Duration::from_millis(WINDOW.unsigned_abs()),
        streams: Vec::new(),
        exclude: if law.amounts { Vec::new() } else { vec!["x".to_owned()] },
        ..Spec::new("m")
    };
    let mut watch = Watch::new(spec, 10, Progress::default(), now);
    watch.refer_to(&before.frame(law, true).into(), now, false);
    let mut found = [0; 3];
    for window in 0..WINDOWS {
        let mut drawn = Drawn::default();
        let at = REFERENCE_WINDOWS + window;
        let place = law.place(inputs, at, &mut random);
        drawn.more(law, place, (at, rows), &mut random);
        watch.absorb(drawn.frame(law, false), Mode::Live, now).expect("absorbed");
        let mut next = Drawn::default();
        next.more(law, (0.0, 1.0), (at + 1, 1), &mut random);
        next.time.iter_mut().for_each(|time| *time += 61_000);
        watch.absorb(next.frame(law, false), Mode::Live, now).expect("absorbed");
        while watch.judge(now, Duration::from_secs(100 * window as u64)).expect("judged") {}
        let mut view = watch.view(now);
        for rule in &mut found[..2] {
            *rule += usize::from(view.expected().is_some_and(|change| change.verdict == Verdict::Worse));
            view.reference.as_mut().expect("a reference").usually_estimated = None;
        }
        let estimate = theirs
            .as_ref()
            .map(|theirs| theirs.estimate(&Scored { score: &drawn.score, predicted: Some(&drawn.predicted()) }));
        let figure = estimate.as_ref().and_then(|estimate| estimate.figure("roc_auc"));
        let below = figure.and_then(|figure| Some(figure.value? < figure.threshold_low?));
        found[2] += usize::from(below == Some(true));
    }
    found
}

/// Of all models: those with an alert, and windows with one, by rule.
fn run(inputs: Inputs, rows: usize, ordered: bool, models: u64, show: bool) -> [[usize; 2]; 3] {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut all = [[0; 2]; 3];
    std::thread::scope(|scope| {
        let one = |thread: u64| {
            move || {
                let each = |model| (model, alerts(&Law::of(model), inputs, rows, ordered, model * 7919 + rows as u64));
                (thread..models).step_by(threads).map(each).collect::<Vec<_>>()
            }
        };
        let workers: Vec<_> = (0..threads as u64).map(|thread| scope.spawn(one(thread))).collect();
        for (model, found) in workers.into_iter().flat_map(|worker| worker.join().expect("a worker")) {
            if show && found.iter().any(|windows| *windows > 0) {
                println!("{model} {:?}: {found:?}", Law::of(model));
            }
            for (rule, windows) in found.into_iter().enumerate() {
                all[rule][0] += usize::from(windows > 0);
                all[rule][1] += windows;
            }
        }
    });
    all
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let models =
        arguments.iter().find_map(|argument| argument.strip_prefix("--models=")?.parse().ok()).unwrap_or(MODELS);
    let show = arguments.iter().any(|argument| argument == "--show");
    let parts: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    println!(
        "| inputs | rows of a window | models that alert, % | windows that alert, % | NannyML: models, % | windows, % |"
    );
    println!("|---|---|---|---|---|---|");
    let kinds = [
        ("calm", "nothing changes", Inputs::Calm, true),
        ("untimed", "nothing changes, a reference without times", Inputs::Calm, false),
        ("kept", "they move by .3 deviations, performance does not", Inputs::Kept(0.3), true),
        ("season", "spread 15 % more and less by the hour", Inputs::Season(0.15), true),
        ("restless", "they move by themselves from window to window", Inputs::Restless(0.15), true),
        ("harder", "harder: ROC-AUC drops by .05", Inputs::Harder(0.05), true),
        ("harder", "harder: ROC-AUC drops by .1", Inputs::Harder(0.1), true),
    ];
    for (part, name, inputs, ordered) in kinds {
        if !parts.is_empty() && !parts.iter().any(|asked| *asked == part) {
            continue;
        }
        for rows in [200, 1000, 5000, 20_000] {
            let of = |count: usize, all: f64| 100.0 * count as f64 / all;
            let found = run(inputs, rows, ordered, models, show);
            let (all, windows) = (models as f64, models as f64 * WINDOWS as f64);
            let cells = found.map(|[some, alerts]| format!("{:.1} | {:.2}", of(some, all), of(alerts, windows)));
            println!("| {name} | {rows} | {} |", cells.join(" | "));
        }
    }
}
