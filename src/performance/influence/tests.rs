//! The influences of a measure are what leaving each row out does to it.

use fastrand::Rng;
use polars::prelude::{IdxCa, NamedFrom, Series};

use super::*;
use crate::performance::cost::Cost;
use crate::performance::{Labels, measure};

struct Drawn {
    label: Series,
    prediction: Series,
    score: Option<Series>,
    scores: Vec<(String, Series)>,
    group: Option<Series>,
}

impl Drawn {
    fn columns(&self) -> Columns<'_> {
        Columns {
            label: &self.label,
            prediction: Some(&self.prediction),
            score: self.score.as_ref(),
            scores: &self.scores,
            group: self.group.as_ref(),
        }
    }

    fn without(&self, row: usize) -> Self {
        let kept: Vec<u32> = (0..).take(self.label.len()).filter(|at| *at as usize != row).collect();
        let kept = IdxCa::from_vec("rows".into(), kept);
        let of = |series: &Series| series.take(&kept).expect("rows");
        Self {
            label: of(&self.label),
            prediction: of(&self.prediction),
            score: self.score.as_ref().map(of),
            scores: self.scores.iter().map(|(class, scores)| (class.clone(), of(scores))).collect(),
            group: self.group.as_ref().map(of),
        }
    }
}

/// Holds the influences of these measures to the jackknife: what the figure loses with each row.
fn hold(drawn: &Drawn, wanted: &Wanted<'_>, names: &[&str]) {
    let columns = drawn.columns();
    let (measured, _) = measure(&columns, wanted);
    let influences = Influences::of(&columns, wanted);
    let rows = drawn.label.len();
    let left_out: Vec<Performance> = (0..rows).map(|row| measure(&drawn.without(row).columns(), wanted).0).collect();
    for name in names {
        let of = |performance: &Performance| performance.measures().find(|(measure, _)| measure == name).map(|of| of.1);
        let value = of(&measured).unwrap_or_else(|| panic!("{name} is not defined"));
        let found = influences.measure(name, &measured).unwrap_or_else(|| panic!("{name} has no influences"));
        let lost: Vec<f64> = left_out.iter().map(|of_rest| value - of(of_rest).expect("defined")).collect();
        let (mut products, mut ours, mut theirs) = (0.0, 0.0, 0.0);
        for (one, other) in found.iter().zip(&lost) {
            products += one * other;
            ours += one * one;
            theirs += other * other;
        }
        let alike = products / (ours * theirs).sqrt();
        assert!(alike > 0.999 && (ours / theirs - 1.0).abs() < 0.03, "{name}: {alike}, {ours} of {theirs}");
    }
    assert_eq!(influences.measure("size", &measured), None);
}

#[test]
fn of_two_classes_they_are_what_each_row_does() {
    let mut random = Rng::with_seed(2);
    let label: Vec<i64> = (0..300).map(|_| i64::from(random.f64() < 0.4)).collect();
    // Some scores are tied, and their bins lie well beside the diagonal.
    let score =
        |label: i64, random: &mut Rng| ((0.2 + 0.25 * label as f64 + 0.5 * random.f64()) * 50.0).round() / 50.0 + 0.003;
    let score: Vec<f64> = label.iter().map(|label| score(*label, &mut random)).collect();
    let prediction: Vec<i64> = score.iter().map(|score| i64::from(*score >= 0.5)).collect();
    let drawn = Drawn {
        label: Series::new("label".into(), label),
        prediction: Series::new("prediction".into(), prediction),
        score: Some(Series::new("score".into(), score)),
        scores: Vec::new(),
        group: None,
    };
    let mut known = Labels::default();
    known.learn(&drawn.label);
    let cost =
        |predicted: &str, label: &str, cost| Cost { predicted: predicted.to_owned(), label: label.to_owned(), cost };
    let costs = [cost("1", "0", 5.0), cost("0", "1", 20.0)];
    let wanted = Wanted { costs: &costs, ..Wanted::new(Task::Classification, &known) };
    let all =
        ["accuracy", "precision", "recall", "specificity", "f1", "roc_auc", "pr_auc", "brier", "log_loss", "cost"];
    hold(&drawn, &wanted, &all);
}

#[test]
fn of_many_classes_they_are_what_each_row_does() {
    let mut random = Rng::with_seed(3);
    let names = ["a", "b", "c"];
    let (mut label, mut scores) = (Vec::new(), vec![Vec::new(); 3]);
    for _ in 0..300 {
        let class = random.usize(0..3);
        let raw: Vec<f64> = (0..3).map(|at| random.f64() + if at == class { 0.4 } else { 0.05 }).collect();
        let whole: f64 = raw.iter().sum();
        label.push(names[class]);
        for (of, raw) in scores.iter_mut().zip(raw) {
            of.push(raw / whole);
        }
    }
    let largest =
        |at: usize| (0..3).max_by(|a, b| scores[*a][at].total_cmp(&scores[*b][at])).map_or("a", |class| names[class]);
    let prediction: Vec<&str> = (0..300).map(largest).collect();
    let drawn = Drawn {
        label: Series::new("label".into(), label),
        prediction: Series::new("prediction".into(), prediction),
        score: None,
        scores: names.iter().zip(&scores).map(|(name, of)| ((*name).to_owned(), Series::new("s".into(), of))).collect(),
        group: None,
    };
    let known = Labels::default();
    let wanted = Wanted::new(Task::Classification, &known);
    hold(&drawn, &wanted, &["accuracy", "precision", "recall", "f1", "roc_auc", "brier", "log_loss"]);
}

#[test]
fn of_amounts_they_are_what_each_row_does() {
    let mut random = Rng::with_seed(4);
    let label: Vec<f64> = (0..300).map(|_| 5.0 + 10.0 * random.f64()).collect();
    let prediction: Vec<f64> = label.iter().map(|label| label + 4.0 * (random.f64() + random.f64() - 1.0)).collect();
    let drawn = Drawn {
        label: Series::new("label".into(), label),
        prediction: Series::new("prediction".into(), prediction),
        score: None,
        scores: Vec::new(),
        group: None,
    };
    let known = Labels::default();
    let wanted = Wanted { quantile: Some(0.8), ..Wanted::new(Task::Regression, &known) };
    hold(&drawn, &wanted, &["mae", "rmse", "r2", "mape", "quantile_loss"]);
}

#[test]
fn of_rankings_they_stand_at_each_groups_first_row() {
    let group: Vec<&str> = ["q", "r", "q", "s", "r", "s"].to_vec();
    let label = Series::new("label".into(), [1.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
    let score = Series::new("score".into(), [0.9, 0.8, 0.1, 0.2, 0.3, 0.7]);
    let group = Series::new("group".into(), group);
    let known = Labels::default();
    let columns = Columns { label: &label, prediction: None, score: Some(&score), scores: &[], group: Some(&group) };
    let wanted = Wanted::new(Task::Regression, &known);
    let (measured, _) = measure(&columns, &wanted);
    let found = Influences::of(&columns, &wanted).measure("ndcg", &measured).expect("defined");
    // Groups q and s are in order, r is not: 1, 1 / log2(3), 1.
    let late = 1.0 / 3.0_f64.log2();
    let middle = (2.0 + late) / 3.0;
    let wanted = [1.0 - middle, late - middle, 0.0, 1.0 - middle, 0.0, 0.0].map(|part: f64| part / 6.0_f64.sqrt());
    for (found, wanted) in found.iter().zip(wanted) {
        assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
    }
}
