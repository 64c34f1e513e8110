//! Whether a model can tell the current rows from the reference's: a domain classifier, by its ROC AUC on rows it was not fitted to
//! (Rabanser, Guennemann and Lipton, "Failing loudly: an empirical study of methods for detecting dataset shift", 2019).
//!
//! The model is a logistic regression with a ridge. Its terms are the columns of numbers, standardised; with up to sixteen of them their
//! squares and products, too, so that it sees a variance or a correlation that changes where no mean does; and the most frequent
//! categories. With more columns of numbers it cannot see a correlation alone. What is missing counts as the mean, and missing
//! categories are one of their own.
//!
//! Every fifth row is a fold. The AUC is the mean of the folds' areas, each with DeLong's variance. The folds share what they are fitted
//! to, so the mean varies more than theirs would say: the variance is that of Nadeau and Bengio, "Inference for the generalization
//! error", 2003 (1 / 5 + 1 / 4 of one fold's, in place of 1 / 5). It is rather too wide than too narrow.

use super::Column;
pub use super::features::Term;
use super::features::{Feature, Features, feature, features};
use crate::stats::auc::delong;
use crate::stats::logistic::Logistic;
use crate::stats::tails::deviations;

/// Parts that the rows are cut in.
const FOLDS: usize = 5;
/// Rows of a side that are looked at, spread evenly over it.
const ROWS: usize = 2000;
/// Up to so many columns of numbers have products.
const MULTIPLIED: usize = 16;
/// How often the interval leaves out what is true, at most.
const OUTSIDE: f64 = 0.05;

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Classifier {
    /// How likely a current row has the larger score than one of the reference.
    pub auc: f64,
    /// Its interval of 95 %.
    pub interval: (f64, f64),
    /// What gives the current rows away, the largest weight first.
    pub terms: Vec<Term>,
    /// How far each column alone tells them apart, as an AUC from 0.5 on; of a column of categories, its best category.
    pub alone: Vec<f64>,
}

impl Classifier {
    /// `None` where the sides' columns differ, there are fewer than ten rows on a side, or nothing varies.
    #[must_use]
    pub fn of(reference: &[Column], current: &[Column]) -> Option<Self> {
        let Features { list: mut features, counts } = features(reference, current, ROWS)?;
        let alone = (0..reference.len()).map(|column| alone(&features, column, counts)).collect();
        features.extend(products(&features));
        let labels: Vec<bool> = counts.iter().zip([false, true]).flat_map(|(n, label)| vec![label; *n]).collect();
        let rows: Vec<Vec<f64>> = (0..labels.len())
            .map(|row| features.iter().filter_map(|feature| feature.values.get(row)).copied().collect())
            .collect();
        let (auc, variance) = held_out(&rows, &labels)?;
        let half = deviations(OUTSIDE) * variance.sqrt();
        let all: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let fitted = Logistic::of(&all, &labels)?;
        let weighed = |(feature, weight): (Feature, f64)| Term { weight, ..feature.term };
        let mut terms: Vec<Term> = features.into_iter().zip(fitted.weights).map(weighed).collect();
        terms.sort_by(|one, other| other.weight.abs().total_cmp(&one.weight.abs()));
        Some(Self { auc, interval: ((auc - half).max(0.0), (auc + half).min(1.0)), terms, alone })
    }

    /// Whether the rows are told apart, beyond chance.
    #[must_use]
    pub fn is_drift(&self) -> bool {
        self.interval.0 > 0.5
    }
}

/// The squares and products of columns of numbers.
fn products(features: &[Feature]) -> Vec<Feature> {
    let numbers: Vec<&Feature> = features.iter().filter(|feature| feature.term.category.is_none()).collect();
    if numbers.len() > MULTIPLIED {
        return Vec::new();
    }
    let product = |(a, b): (&Feature, &Feature)| {
        let columns = [a.term.columns.as_slice(), b.term.columns.as_slice()].concat();
        let values = a.values.iter().zip(&b.values).map(|(a, b)| a * b).collect();
        feature(Term { columns, category: None, weight: 0.0 }, values)
    };
    let pairs = numbers.iter().enumerate().flat_map(|(at, a)| numbers.iter().skip(at).map(|b| (*a, *b)));
    pairs.filter_map(product).collect()
}

/// How far a column tells the sides apart by itself.
fn alone(features: &[Feature], column: usize, [reference, _]: [usize; 2]) -> f64 {
    let of_column = features.iter().filter(|feature| feature.term.columns == [column]);
    let area = |feature: &Feature| {
        let (reference, current) = feature.values.split_at_checked(reference)?;
        Some(0.5 + (delong(reference, current)?.area - 0.5).abs())
    };
    of_column.filter_map(area).fold(0.5, f64::max)
}

/// The mean of the folds' areas, and its variance.
fn held_out(rows: &[Vec<f64>], labels: &[bool]) -> Option<(f64, f64)> {
    let reference = labels.iter().filter(|label| !**label).count();
    // By the place in its side, so that each fold has its share of both.
    let fold = |at: usize| at.checked_sub(reference).unwrap_or(at).checked_rem(FOLDS);
    let (mut area, mut variance) = (0.0, 0.0);
    for held in 0..FOLDS {
        let all = || rows.iter().zip(labels).enumerate();
        let (fitted_rows, fitted_labels): (Vec<&[f64]>, Vec<bool>) =
            all().filter(|(at, _)| fold(*at) != Some(held)).map(|(_, (row, label))| (row.as_slice(), *label)).unzip();
        let model = Logistic::of(&fitted_rows, &fitted_labels)?;
        let scores = |wanted: bool| -> Vec<f64> {
            let held = all().filter(|(at, (_, label))| fold(*at) == Some(held) && **label == wanted);
            held.map(|(_, (row, _))| model.logit(row)).collect()
        };
        let found = delong(&scores(false), &scores(true))?;
        area += found.area / FOLDS as f64;
        variance += found.variance / FOLDS as f64;
    }
    let folds = FOLDS as f64;
    Some((area, variance * (1.0 / folds + 1.0 / (folds - 1.0))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::mersenne::Mersenne;

    struct Random(Mersenne);

    impl Random {
        fn uniform(&mut self) -> f64 {
            f64::from(self.0.below(1 << 30)) / f64::from(1 << 30)
        }

        fn bell(&mut self) -> f64 {
            (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
        }
    }

    /// Two columns of numbers that go together by `with`, one that does not, and one of names.
    fn rows(random: &mut Random, rows: u32, with: f64, mean: f64) -> Vec<Column> {
        let first: Vec<f64> = (0..rows).map(|_| random.bell()).collect();
        let second = first.iter().map(|v| with * v + (1.0 - with * with).sqrt() * random.bell()).collect::<Vec<_>>();
        let third = (0..rows).map(|_| random.bell() + mean).collect::<Vec<_>>();
        let name = (0..rows).map(|_| (random.uniform() < 0.95).then(|| format!("n{}", random.0.below(4)))).collect();
        let numbers = [first, second, third].map(|values| Column::Numbers(values.into_iter().map(Some).collect()));
        numbers.into_iter().chain([Column::Names(name)]).collect()
    }

    #[test]
    fn it_is_calm_where_nothing_changes() {
        let (mut outside, mut drifts) = (0, 0);
        for seed in 0..100 {
            let random = &mut Random(Mersenne::new(seed));
            let found = Classifier::of(&rows(random, 120, 0.5, 0.0), &rows(random, 120, 0.5, 0.0)).expect("defined");
            outside += u32::from(found.interval.0 > 0.5 || found.interval.1 < 0.5);
            drifts += u32::from(found.is_drift());
        }
        // 5 % of 100 are 5; with more than 11 it would be another rate (binomial, at 0.5 %).
        assert!(outside <= 11, "{outside}");
        assert!(drifts <= 8, "{drifts}");
    }

    #[test]
    fn it_finds_a_correlation_that_flips() {
        let random = &mut Random(Mersenne::new(1));
        let found = Classifier::of(&rows(random, 600, 0.8, 0.0), &rows(random, 600, -0.8, 0.0)).expect("defined");
        assert!(found.is_drift() && found.auc > 0.8, "{found:?}");
        assert_eq!(found.terms[0].columns, [0, 1]);
        assert!(found.alone.iter().all(|auc| *auc < 0.56), "{:?}", found.alone);
    }

    #[test]
    fn it_names_the_column_that_moved() {
        let random = &mut Random(Mersenne::new(2));
        let found = Classifier::of(&rows(random, 600, 0.5, 0.0), &rows(random, 600, 0.5, 1.0)).expect("defined");
        assert!(found.is_drift() && found.interval.0 > 0.7 && found.interval.1 < 0.85, "{found:?}");
        assert_eq!(found.terms[0].columns, [2]);
        assert!(found.alone[2] > 0.7 && found.alone[0] < 0.56, "{:?}", found.alone);
    }

    #[test]
    fn what_cannot_be_held_is_none() {
        let number = |rows: usize| Column::Numbers((0..rows).map(|i| Some(i as f64)).collect());
        let one = || Column::Names(vec![Some("a".to_owned()); 20]);
        assert_eq!(Classifier::of(&[], &[]), None);
        assert_eq!(Classifier::of(&[number(9)], &[number(20)]), None, "too few rows");
        assert_eq!(Classifier::of(&[number(20)], &[one()]), None, "another kind");
        assert_eq!(Classifier::of(&[one()], &[one()]), None, "nothing varies");
        assert!(Classifier::of(&[number(20)], &[number(20)]).is_some());
    }
}
