//! How often one of two equal versions is called worse, looked at again and again while rows come, and how soon one that is worse is found:
//! the figures in GUIDE.md.
//!
//! ```sh
//! cargo bench --bench versions
//! ```
//!
//! A model is looked at 200 times, its newest rows being kept; how often its rows are all replaced meanwhile is in the table. Beside the verdict
//! that holds at all looks stands that of one look (2.5 %), as a review has it.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]
#![expect(clippy::expect_used, reason = "a bench that cannot go on has failed")]

use fastrand::Rng;
use plumbline::performance::verdict::Limits;
use plumbline::performance::{Columns, Labels, Task, Wanted};
use plumbline::segment::coded::Coded;
use plumbline::versions::{Looks, Rows, Settings, Since, Verdict, compare};
use polars::prelude::{NamedFrom, Series};

const MODELS: u64 = 200;
const LOOKS: i64 = 200;

/// How rows come about.
#[derive(Debug, Clone, Copy)]
struct Law {
    name: &'static str,
    task: Task,
    /// Scores are told, so that the ROC-AUC speaks for the model.
    scored: bool,
    /// Of requests so many are answered by the challenger; 1: all, by both.
    canary: f64,
    /// Share of positives.
    positives: f64,
    /// Requests that come between looks, and rows that are kept.
    requests: i64,
    kept: usize,
}

const SHADOW: Law = Law {
    name: "shadow, accuracy",
    task: Task::Classification,
    scored: false,
    canary: 1.0,
    positives: 0.4,
    requests: 30,
    kept: 2400,
};
const LAWS: [Law; 5] = [
    SHADOW,
    Law { name: "shadow, ROC-AUC, 10 % positives", scored: true, positives: 0.1, ..SHADOW },
    Law { name: "canary of 20 %, accuracy", canary: 0.2, requests: 120, kept: 6000, ..SHADOW },
    Law { name: "canary of a half, ROC-AUC", canary: 0.5, scored: true, ..SHADOW },
    Law { name: "shadow, amounts", task: Task::Regression, ..SHADOW },
];

#[derive(Debug, Clone, Copy)]
struct Row {
    challenger: bool,
    request: u128,
    at: i64,
    label: f64,
    score: f64,
}

fn noise(random: &mut Rng) -> f64 {
    (0..4).map(|_| random.f64() - 0.5).sum::<f64>() * 3.0
}

/// The rows of a request: how well the versions tell classes apart, or how far their amounts are out.
fn asked(law: &Law, random: &mut Rng, request: i64, worth: [f64; 2], rows: &mut Vec<Row>) {
    let positive = random.f64() < law.positives;
    let (common, label) = match law.task {
        Task::Regression => (noise(random), 5.0 + 10.0 * random.f64()),
        Task::Classification => (noise(random), f64::from(u8::from(positive))),
    };
    let sides: &[bool] = match (law.canary >= 1.0, random.f64() < law.canary) {
        (true, _) => &[false, true],
        (false, challenger) => {
            if challenger {
                &[true]
            } else {
                &[false]
            }
        }
    };
    for challenger in sides.iter().copied() {
        let worth = worth[usize::from(challenger)];
        let own = 0.7_f64.sqrt() * common + 0.3_f64.sqrt() * noise(random);
        let score = match law.task {
            Task::Regression => label + worth * own,
            Task::Classification => 1.0 / (1.0 + (-(own + if positive { worth } else { -worth })).exp()),
        };
        rows.push(Row { challenger, request: request.unsigned_abs().into(), at: request, label, score });
    }
}

/// What the newest rows say.
fn verdict(law: &Law, rows: &[Row], margin: f64, looks: Option<&mut Since>) -> Verdict {
    let version = Coded::of_texts("version", rows.iter().map(|row| Some(if row.challenger { "2" } else { "1" })));
    let request: Vec<Option<u128>> = rows.iter().map(|row| Some(row.request)).collect();
    let at: Vec<i64> = rows.iter().map(|row| row.at).collect();
    let scores: Vec<f64> = rows.iter().map(|row| row.score).collect();
    let regression = law.task == Task::Regression;
    let whole = |of: &dyn Fn(&Row) -> f64| rows.iter().map(|row| i64::from(of(row) >= 0.5)).collect::<Vec<i64>>();
    let (label, prediction) = if regression {
        let label: Vec<f64> = rows.iter().map(|row| row.label).collect();
        (Series::new("label".into(), label), Series::new("prediction".into(), scores.clone()))
    } else {
        let (label, said) = (whole(&|row| row.label), whole(&|row| row.score));
        (Series::new("label".into(), label), Series::new("prediction".into(), said))
    };
    let score = Series::new("score".into(), scores);
    let mut known = Labels::default();
    known.learn(&label);
    let columns = Columns {
        label: &label,
        prediction: Some(&prediction),
        score: Some(&score).filter(|_| law.scored),
        scores: &[],
        group: None,
    };
    let rows = Rows { version: &version, request: &request, at: Some(&at), columns };
    let (mut once, again) = (Since::default(), looks.is_some());
    let since = looks.unwrap_or(&mut once);
    let looks = if again { Looks::Always(since) } else { Looks::Once };
    let limits = Limits { significance: looks.significance(), margin, rows: 200, class_rows: 20 };
    let settings = Settings { champion: Some("1"), limits, looks };
    let Some(found) = compare(&rows, &Wanted::new(law.task, &known), &settings) else { return Verdict::TooFew };
    since.note(&found);
    found.versions.iter().find_map(|version| version.against_champion.as_ref()).map_or(Verdict::TooFew, |of| of.verdict)
}

/// At which look one version was first called worse: at all looks, and by that of one look.
fn watched(law: &Law, seed: u64, worth: [f64; 2], margin: f64, looks: i64) -> [Option<i64>; 2] {
    let (mut random, mut rows, mut since) = (Rng::with_seed(seed), Vec::new(), Since::default());
    let mut first = [None; 2];
    for look in 0..looks {
        for request in 0..law.requests {
            asked(law, &mut random, look * law.requests + request, worth, &mut rows);
        }
        rows.drain(..rows.len().saturating_sub(law.kept));
        if first[0].is_none() && verdict(law, &rows, margin, Some(&mut since)) == Verdict::Worse {
            first[0] = Some(look);
        }
        if first[1].is_none() && verdict(law, &rows, margin, None) == Verdict::Worse {
            first[1] = Some(look);
        }
        if first.iter().all(Option::is_some) {
            break;
        }
    }
    first
}

/// Of so many models.
fn run(law: &Law, worth: [f64; 2], margin: f64, models: u64) -> [Vec<i64>; 2] {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut found: [Vec<i64>; 2] = Default::default();
    std::thread::scope(|scope| {
        let one = |thread: u64| {
            move || {
                (thread..models)
                    .step_by(threads)
                    .map(|seed| watched(law, seed, worth, margin, LOOKS))
                    .collect::<Vec<_>>()
            }
        };
        let workers: Vec<_> = (0..threads as u64).map(|thread| scope.spawn(one(thread))).collect();
        for first in workers.into_iter().flat_map(|worker| worker.join().expect("a worker")) {
            found.iter_mut().zip(first).for_each(|(all, look)| all.extend(look));
        }
    });
    for looks in &mut found {
        looks.sort_unstable();
    }
    found
}

fn main() {
    let models =
        std::env::args().find_map(|argument| argument.strip_prefix("--models=")?.parse().ok()).unwrap_or(MODELS);
    println!(
        "| versions | rows replaced | equal, margin .02: called worse at all looks, at one look | equal, no margin | worse: found at all looks, at look (median) |"
    );
    println!("|---|---|---|---|---|");
    for law in &LAWS {
        let (equal, worse) = match law.task {
            Task::Regression => ([0.8; 2], [0.8, 0.88]),
            Task::Classification => ([0.9; 2], [0.9, 0.6]),
        };
        let share = |found: &[Vec<i64>; 2]| format!("{} and {} of {models}", found[0].len(), found[1].len());
        let per_look = law.requests as f64 * if law.canary >= 1.0 { 2.0 } else { 1.0 };
        let turns = LOOKS as f64 * per_look / law.kept as f64;
        let calm = [0.02, 0.0].map(|margin| share(&run(law, equal, margin, models)));
        let found = run(law, worse, 0.02, models);
        let median = found[0].get(found[0].len() / 2).map_or_else(|| "-".to_owned(), i64::to_string);
        println!(
            "| {} | {turns:.0} times | {} | {} | {} of {models}, {median} |",
            law.name,
            calm[0],
            calm[1],
            found[0].len()
        );
    }
}
