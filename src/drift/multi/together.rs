//! What the three say of two data sets, as the command line and the reports show it.

use serde::Serialize;

use super::Column;
use super::classifier::Classifier;
use super::mmd::Mmd;
use super::reconstruction::Reconstruction;
use crate::stats::pick::picked;

/// Columns that give a change away, at most.
const NAMED: usize = 5;
/// Rows of a side that are looked at, at most: one of every so many of a longer one.
const ROWS: usize = 20_000;

/// The places of the rows that are looked at, of so many.
pub fn looked_at(rows: usize) -> impl Iterator<Item = usize> {
    picked(rows, rows.div_ceil(ROWS))
}

/// All columns of both sides, held against each other together. What is undefined is `None`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Together {
    /// Rows of either side that were looked at.
    pub rows: [u64; 2],
    /// What principal components leave out.
    pub reconstruction: Option<Reconstructed>,
    /// Whether a classifier tells the sides apart.
    pub classifier: Option<Classified>,
    /// The maximum mean discrepancy, squared, and how likely as much is of chance.
    pub mmd: Option<Discrepancy>,
}

/// What principal components of the reference leave out of the current rows.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reconstructed {
    /// The mean distance of a row from what is made of its components.
    pub error: f64,
    /// What the reference's own parts stay above, where that is above 0.
    pub lower: Option<f64>,
    /// What they stay below.
    pub upper: f64,
    /// Components.
    pub components: u64,
    /// It lies beyond.
    pub drift: bool,
}

/// How well a logistic regression tells which side a row is of.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Classified {
    /// Area under the ROC curve, cross-validated: 0.5 where it cannot.
    pub auc: f64,
    /// Its interval of 95 %.
    pub interval: [f64; 2],
    /// What gives it away: columns, their products and categories, the weightiest first.
    pub by: Vec<String>,
    /// The interval lies above 0.5.
    pub drift: bool,
}

/// The maximum mean discrepancy.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Discrepancy {
    /// Squared, unbiased; below 0 by chance.
    pub squared: f64,
    /// How likely as much is of chance alone, by permutation.
    pub p_value: f64,
}

impl Together {
    /// Of both sides' columns of these names, in one order.
    #[must_use]
    pub fn of(names: &[&str], reference: &[Column], current: &[Column]) -> Self {
        let rows = |columns: &[Column]| columns.first().map_or(0, Column::rows);
        let reconstruction = Reconstruction::of(reference).and_then(|fitted| {
            let error = fitted.error(current, 0..rows(current))?;
            let (lower, upper, components) = (fitted.lower, fitted.upper, fitted.components() as u64);
            Some(Reconstructed { error, lower, upper, components, drift: fitted.is_drift(error) })
        });
        let classifier = Classifier::of(reference, current).map(|found| {
            let mut terms: Vec<_> = found.terms.iter().collect();
            terms.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
            let name = |at: &usize| names.get(*at).copied().unwrap_or_default();
            let spelled = |term: &super::features::Term| {
                let columns = term.columns.iter().map(name).collect::<Vec<_>>().join(" x ");
                term.category.as_ref().map_or(columns.clone(), |category| format!("{columns} = {category}"))
            };
            Classified {
                auc: found.auc,
                interval: [found.interval.0, found.interval.1],
                by: terms.into_iter().take(NAMED).map(spelled).collect(),
                drift: found.is_drift(),
            }
        });
        let mmd =
            Mmd::of(reference, current).map(|found| Discrepancy { squared: found.squared, p_value: found.p_value });
        Self { rows: [rows(reference) as u64, rows(current) as u64], reconstruction, classifier, mmd }
    }

    /// The same for people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(found) = &self.classifier {
            let [low, high] = found.interval;
            let by = if found.drift { format!("; by {}", found.by.join(", ")) } else { String::new() };
            let told = if found.drift { "tells the sides apart" } else { "cannot tell the sides apart" };
            lines.push(format!("all columns: AUC {:.3} ({low:.3} to {high:.3}): a classifier {told}{by}", found.auc));
        }
        if let Some(found) = &self.reconstruction {
            let beyond = if found.drift { "beyond" } else { "within" };
            let lower = found.lower.unwrap_or(0.0);
            lines.push(format!(
                "all columns: reconstruction error {:.4}, {beyond} the reference's own {lower:.4} to {:.4} ({} components)",
                found.error, found.upper, found.components
            ));
        }
        if let Some(found) = &self.mmd {
            lines.push(format!("all columns: squared MMD {:.5}, p = {:.3}", found.squared, found.p_value));
        }
        if lines.is_empty() {
            lines.push("all columns: too few rows or columns to compare together".to_owned());
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_none_of_the_columns_shows() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut side = |sign: f64| {
            let rows: Vec<(f64, f64)> = (0..600).map(|_| (random.f64() - 0.5, random.f64() - 0.5)).collect();
            let one = rows.iter().map(|(a, _)| Some(*a)).collect();
            vec![Column::Numbers(one), Column::Numbers(rows.iter().map(|(a, b)| Some(sign * a + 0.3 * b)).collect())]
        };
        let (reference, same, flipped) = (side(1.0), side(1.0), side(-1.0));
        let found = Together::of(&["a", "b"], &reference, &flipped);
        assert!(found.classifier.as_ref().is_some_and(|of| of.drift && of.by[0] == "a x b"), "{found:?}");
        assert!(found.lines()[0].contains("tells the sides apart; by a x b"), "{:?}", found.lines());
        assert!(Together::of(&["a", "b"], &reference, &same).classifier.is_some_and(|of| !of.drift));
        let none = Together::of(&[], &[], &[]);
        assert_eq!(none.lines(), ["all columns: too few rows or columns to compare together"]);
    }
}
