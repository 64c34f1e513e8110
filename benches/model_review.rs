//! How long the figures of a million labelled rows of two classes take, once the columns are read: every measure with its interval, the
//! estimate without labels from a reference of 200,000 rows, and groups by two attributes and both crossed.
//!
//! ```sh
//! cargo bench --bench model_review
//! python3 benches/model_review.py    # the same beside scikit-learn and fairlearn, and the whole command with reading
//! ```

#![expect(clippy::print_stdout, reason = "the table is what it is for")]
#![expect(clippy::disallowed_methods, reason = "a bench looks at the clock")]

use std::time::Instant;

use plumbline::estimate::cbpe::{self, Binary, Scored};
use plumbline::fairness::{self, Rows};
use plumbline::performance::{Columns, Labels, Task, Wanted, measure};
use plumbline::segment::coded::Coded;
use polars::prelude::{NamedFrom, Series};

const ROWS: usize = 1_000_000;
const REFERENCE: usize = 200_000;
const RACES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Columns as a file's are once they are read.
struct Side {
    score: Vec<f64>,
    predicted: Vec<bool>,
    label: Vec<bool>,
    sex: Series,
    race: Series,
}

fn side(random: &mut fastrand::Rng, rows: usize) -> Side {
    let score: Vec<f64> = (0..rows).map(|_| random.f64()).collect();
    let of = |random: &mut fastrand::Rng, values: &[&'static str]| -> Vec<&'static str> {
        (0..rows).map(|_| values[random.usize(..values.len())]).collect()
    };
    Side {
        predicted: score.iter().map(|score| *score > 0.5).collect(),
        label: score.iter().map(|score| random.f64() < *score).collect(),
        sex: Series::new("sex".into(), of(random, &["f", "m"])),
        race: Series::new("race".into(), of(random, &RACES)),
        score,
    }
}

/// The attributes, and how many groups they have together.
fn groups(side: &Side) -> Option<usize> {
    let (sex, race) = (Coded::of_series(&side.sex)?, Coded::of_series(&side.race)?);
    let both = sex.crossed(&race, 30);
    let some = |of: &[bool]| -> Vec<Option<bool>> { of.iter().copied().map(Some).collect() };
    let (selected, positive) = (some(&side.predicted), some(&side.label));
    let score: Vec<Option<f64>> = side.score.iter().copied().map(Some).collect();
    let rows = Rows { selected: &selected, positive: &positive, score: &score };
    let of = |attribute: &Coded| fairness::measure(attribute, &rows, &fairness::Settings::default()).groups.len();
    Some([&sex, &race, &both].map(of).iter().sum())
}

fn main() {
    let mut random = fastrand::Rng::with_seed(7);
    let (reference, current) = (side(&mut random, REFERENCE), side(&mut random, ROWS));
    let whole = |of: &[bool]| of.iter().map(|is| i64::from(*is)).collect::<Vec<i64>>();
    let label = Series::new("label".into(), whole(&current.label));
    let prediction = Series::new("prediction".into(), whole(&current.predicted));
    let score = Series::new("score".into(), &current.score);
    println!("| run | every measure, ms | the estimate's calibration, ms | the estimate, ms | groups, ms | all, ms |");
    println!("|---|---|---|---|---|---|");
    for run in 1..=4 {
        let begun = Instant::now();
        let mut known = Labels::default();
        known.learn(&label);
        let columns =
            Columns { label: &label, prediction: Some(&prediction), score: Some(&score), scores: &[], group: None };
        let (performance, _) = measure(&columns, &Wanted::new(Task::Classification, &known));
        let measured = begun.elapsed();
        let rows = Binary { score: &reference.score, predicted: Some(&reference.predicted), label: &reference.label };
        let fitted = cbpe::fit(&rows, &cbpe::Options::default());
        let calibrated = begun.elapsed();
        let estimate = fitted
            .map(|fitted| fitted.estimate(&Scored { score: &current.score, predicted: Some(&current.predicted) }));
        let estimated = begun.elapsed();
        let groups = groups(&current);
        let all = begun.elapsed();
        assert!(performance.roc_auc.is_some() && estimate.is_ok() && groups == Some(17));
        let [measured, calibrated, estimated, all] =
            [measured, calibrated, estimated, all].map(|at| at.as_secs_f64() * 1e3);
        let (calibration, estimate, groups) = (calibrated - measured, estimated - calibrated, all - estimated);
        println!("| {run} | {measured:.0} | {calibration:.0} | {estimate:.0} | {groups:.0} | {all:.0} |");
    }
}
