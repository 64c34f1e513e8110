//! Embeddings: columns of vectors of one length. Two clouds of them are compared by what changes of a cloud: where its centre lies, how far
//! from it the rows are, and all else, by the maximum mean discrepancy and by a classifier.
//!
//! - `centroid`: the squared distance of the means of all rows, less what it is expected to be of chance (Chen and Qin, "A two-sample test
//!   for high-dimensional data with applications to gene-set testing", 2010), over the reference's own mean squared distance from its mean.
//! - `distance`: rows' distances from the mean of one half of the reference, as a column of numbers; the reference's are those of the other
//!   half. A row's own share in a mean would draw it nearer than any other sample's.
//! - `mmd`: the same as `centroid` in the space of the radial kernel of [`super::multi::mmd`], of 400 rows of either side.
//! - `classifier`: the ROC AUC of [`super::multi::classifier`] over the eight principal components of both sides together, with
//!   their squares
//!   and products, of 2,000 rows of either side.
//!
//! The p-values of the first and the third are not drawn: they would have to be below one in ten thousand. Without a change
//! both are sums of squares with the eigenvalues of the (kernel's) covariance for weights; a gamma distribution with their
//! mean, variance and skewness stands for it (Pearson's type III). Means and spreads are of all rows and take no more than a
//! few vectors; everything else is of one row of each run of so many, 2,000 and 2 million numbers at most.
//!
//! A row without a vector counts as missing: an empty list, one of another length than most of the reference's, one in which a number is
//! missing or none. A vector ten times as far out as most is drawn in to there: one wrong digit moves no mean.

pub mod cloud;
mod components;
mod kernel;
pub mod vectors;

use polars::prelude::Series;
use serde::{Deserialize, Serialize};

use self::cloud::Cloud;
use self::vectors::Left;
use super::Pair;
use super::aspect::Aspect;
use super::baseline::Baseline;
use super::chunks::of_part;
use super::effect::Effect;
use super::findings::{Finding, missing, values};
use super::multi::Column;
use super::multi::classifier::Classifier;
use super::variation::Variation;
use crate::stats::pick::spread;
use crate::stats::tails;

/// With fewer vectors on a side nothing is said.
const LEAST: u64 = 20;

/// What is told of an embedding beside its verdict.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Told {
    /// Numbers of a vector.
    pub width: u64,
    /// The root of the mean squared distance of the reference's vectors from their mean.
    pub radius: Option<f64>,
    /// How far the means lie apart.
    pub apart: Option<f64>,
    /// How well a classifier tells the sides apart: its ROC AUC on rows that it was not fitted to.
    pub auc: Option<f64>,
    /// Its interval of 95 %.
    pub interval: Option<[f64; 2]>,
    /// Rows of either side without a vector, and why.
    pub left: [Left; 2],
}

/// What is found of two clouds.
pub struct Found {
    pub(super) findings: Vec<Finding>,
    pub(super) told: Told,
}

/// Everything that is found of a current cloud, which was made by the reference's measure.
#[must_use]
pub fn found(reference: &Cloud, current: &Cloud) -> Found {
    let mut findings = Vec::new();
    let [before, now] = [reference, current].map(|side| (side.rows, side.rows as f64));
    let mut told = Told {
        width: reference.measure.width() as u64,
        radius: reference.variance().map(|variance| variance.sqrt() * reference.measure.unit()),
        left: [reference.left.clone(), current.left.clone()],
        ..Told::default()
    };
    if before.0 >= LEAST && now.0 >= LEAST {
        if reference.measure.varies() {
            let gram = kernel::Gram::of(&reference.sample, &current.sample);
            findings.extend(centroid(reference, current, &gram));
            findings.extend(discrepancy(&gram));
            let squared = reference.apart(current);
            told.apart = Some(squared.sqrt() * reference.measure.unit()).filter(|apart| apart.is_finite());
            let rows = components::scores(&reference.sample, &current.sample);
            if let Some(classifier) = rows.and_then(|[one, other]| Classifier::of(&one, &other)) {
                findings.push(told_apart(&classifier, [reference.sample.len(), current.sample.len()]));
                told.auc = Some(classifier.auc);
                told.interval = Some(classifier.interval.into());
            }
        }
        let (baseline, now) = (Baseline::new(reference.distances()), current.distances());
        let found = values(&Pair::against(&baseline, &now));
        findings.extend(found.map(|found| Finding { aspect: Aspect::Distance, ..found }));
    }
    findings.extend(missing(&reference.presence(), &current.presence()));
    Found { findings, told }
}

/// Parts of a reference that are looked at for how much it varies by itself.
const PARTS: usize = 12;

/// How much a reference varies by itself, aspect by aspect: from twelve parts of it in order of time, one of each twelfth.
/// `None` of what varies no more than by chance.
#[must_use]
pub fn variations(reference: &Cloud, parts: &[Series]) -> Vec<(Aspect, Variation)> {
    let parts = spread(parts.len(), PARTS).filter_map(|at| parts.get(at));
    let clouds: Vec<Cloud> = parts.map(|part| Cloud::current(part, reference)).collect();
    let rows = clouds.iter().map(|cloud| cloud.presence().rows()).sum::<u64>() as f64 / clouds.len().max(1) as f64;
    let found: Vec<(u64, Vec<Finding>)> =
        clouds.iter().map(|cloud| (cloud.rows, found(reference, cloud).findings)).collect();
    let of = |aspect: Aspect| {
        let effect = |(part, findings): &(u64, Vec<Finding>)| {
            let finding = findings.iter().find(|finding| finding.aspect == aspect)?;
            Some(of_part(finding.effect, reference.rows, *part))
        };
        let effects: Vec<Effect> = found.iter().filter_map(effect).collect();
        Some((aspect, Variation::of(&effects, rows)?))
    };
    Aspect::ALL.into_iter().filter_map(of).collect()
}

/// Of the means of all rows; how the squares are weighted is seen in the sampled ones.
fn centroid(reference: &Cloud, current: &Cloud, gram: &kernel::Gram) -> Option<Finding> {
    let (before, now) = (reference.variance()?, current.variance()?);
    let (n, m) = (reference.rows as f64, current.rows as f64);
    let noise = before / n + now / m;
    let squared = reference.apart(current);
    let null = gram.linear()?;
    let p_value = null.p_value(squared - noise, 1.0 / n + 1.0 / m);
    let effect = Effect { measured: (squared / before).sqrt(), noise: (noise / before).sqrt() };
    Some(Finding { aspect: Aspect::Centroid, category: None, p_value, effect, cells: null.cells() })
}

fn discrepancy(gram: &kernel::Gram) -> Option<Finding> {
    let kernel::Radial { squared, reciprocals, spread, null } = gram.radial()?;
    let p_value = null.p_value(squared, reciprocals);
    let noise = reciprocals;
    let measured = (squared / spread + noise).max(0.0).sqrt();
    let effect = Effect { measured, noise: noise.sqrt() };
    Some(Finding { aspect: Aspect::Mmd, category: None, p_value, effect, cells: null.cells() })
}

/// As the shift of one number that would be told apart as well: of two normal distributions d standard deviations apart a row's score is
/// the larger with probability Phi(d / root 2). The variance without a change is that of the rank sum, for folds that share rows as
/// [`super::multi::classifier`] has it.
fn told_apart(classifier: &Classifier, rows: [usize; 2]) -> Finding {
    const FOLDS: f64 = 5.0;
    let [n, m] = rows.map(|rows| rows as f64 / FOLDS);
    let variance = (n + m + 1.0) / (12.0 * n * m) * (1.0 / FOLDS + 1.0 / (FOLDS - 1.0));
    let above = classifier.auc - 0.5;
    let tail = tails::normal(above / variance.sqrt()) / 2.0;
    // Told apart without a mistake in so many rows is no more than that.
    let mistaken = (1.0 - classifier.auc).max(0.5 / (n + m));
    let shift = if above > 0.0 { std::f64::consts::SQRT_2 * tails::deviations((2.0 * mistaken).min(1.0)) } else { 0.0 };
    let noise = 2.0 * (std::f64::consts::PI * variance).sqrt();
    let p_value = Some(if above > 0.0 { tail } else { 1.0 - tail });
    let effect = Effect { measured: shift, noise };
    Finding { aspect: Aspect::Classifier, category: None, p_value, effect, cells: 2 }
}

/// Rows that are looked at, as columns.
fn columns(scores: Vec<Vec<f64>>) -> Vec<Column> {
    scores.into_iter().map(|column| Column::Numbers(column.into_iter().map(Some).collect())).collect()
}

#[cfg(test)]
mod tests;
