//! How much of a change the features explain by being otherwise distributed, each by itself: the reference reweighted to the feature's
//! current shares, less the reference.
//!
//! With the share p of the reference's rows in a bin of the feature, that q of the current ones, and the reference's mean L there, it is
//! sum((q - p) L). Its variance is sum((q - p)^2 var / n) over the bins, n being the reference's rows there, and var(L) over the rows
//! of either side by their number; a bin's variance is that of all rows at least. Bins with hardly a row in the reference explain
//! nothing. P-values are corrected for the features (Holm).

use serde::Serialize;

use super::Settings;
use crate::segment::axis::{Axis, Span};
use crate::stats::correction::holm;
use crate::stats::interval::Interval;
use crate::stats::moments::Moments;
use crate::stats::tails::{deviations, normal};

/// Rows that the reference has in a bin whose mean counts.
const LEAST: f64 = 5.0;

/// A feature whose change explains some of the mean's.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct InputLead {
    /// The feature.
    pub feature: String,
    /// By how much the mean would change, had only this feature changed.
    pub explains: Interval,
    /// How likely as much is of chance, corrected for the features looked at.
    pub p_value: f64,
    /// Of which of its values there are more now: `age in (30, 40]`.
    pub more: String,
    /// Their share of the reference's rows.
    pub share_reference: f64,
    /// Their share of the current rows.
    pub share_current: f64,
}

/// Of features over the rows of both sides, the one that explains most first.
pub fn leads(axes: &[Axis], (before, now): (&[f64], &[f64]), margin: f64, settings: &Settings) -> Vec<InputLead> {
    let Some(all) = Moments::of(before) else { return Vec::new() };
    let explained: Vec<Explained> = axes.iter().map(|axis| Explained::of(axis, before, now.len(), &all)).collect();
    let p_values = holm(&explained.iter().map(Explained::p_value).collect::<Vec<_>>());
    let half = deviations(settings.interval_alpha);
    let lead = |(axis, of, p): (&Axis, &Explained, &Option<f64>)| {
        let p_value = (*p).filter(|p| *p <= settings.alpha && of.change.abs() > margin)?;
        let (span, [share_reference, share_current]) = more(axis, &of.shares)?;
        let explains =
            Interval { value: of.change, low: of.change - half * of.error, high: of.change + half * of.error };
        let (feature, more) = (axis.name().to_owned(), axis.words(span)?);
        Some(InputLead { feature, explains, p_value, more, share_reference, share_current })
    };
    let all = axes.iter().zip(&explained).zip(&p_values);
    let mut leads: Vec<InputLead> = all.filter_map(|((axis, explained), p)| lead((axis, explained, p))).collect();
    leads.sort_by(|a, b| b.explains.value.abs().total_cmp(&a.explains.value.abs()).then(a.feature.cmp(&b.feature)));
    leads.truncate(settings.most);
    leads
}

struct Explained {
    change: f64,
    error: f64,
    /// Of each bin, the reference's and the current one.
    shares: Vec<[f64; 2]>,
}

impl Explained {
    fn of(axis: &Axis, before: &[f64], rows_now: usize, all: &Moments) -> Self {
        let mut bins = vec![Moments::NONE; axis.count];
        for (cell, value) in axis.cells.iter().zip(before) {
            if let Some(bin) = bins.get_mut(usize::from(*cell)) {
                bin.add(*value);
            }
        }
        let mut counts = vec![0.0; axis.count];
        for cell in axis.cells.iter().skip(before.len()) {
            if let Some(count) = counts.get_mut(usize::from(*cell)) {
                *count += 1.0;
            }
        }
        let (n, m) = (all.count, rows_now as f64);
        let variance = all.squares / (n - 1.0);
        let shares: Vec<[f64; 2]> = bins.iter().zip(&counts).map(|(bin, count)| [bin.count / n, count / m]).collect();
        let (mut change, mut of_means, mut squares) = (0.0, 0.0, [0.0; 2]);
        for (bin, [p, q]) in bins.iter().zip(&shares).filter(|(bin, _)| bin.count >= LEAST) {
            // Measured from the mean of all, which a bin of too few rows is taken to have.
            let above = bin.mean - all.mean;
            change += (q - p) * above;
            of_means += (q - p).powi(2) * variance.max(bin.squares / (bin.count - 1.0)) / bin.count;
            squares[0] += p * above * above;
            squares[1] += q * above * above;
        }
        let error = (of_means + squares[0] / n + squares[1] / m).sqrt();
        Self { change, error, shares }
    }

    /// `None` where nothing varies.
    fn p_value(&self) -> Option<f64> {
        (self.error > 0.0).then(|| normal(self.change / self.error))
    }
}

/// Of which values there are more now, and their shares.
fn more(axis: &Axis, shares: &[[f64; 2]]) -> Option<(Span, [f64; 2])> {
    let of = |span: Span| {
        let within = shares.iter().take(span.last + 1).skip(span.first);
        (span, within.fold([0.0; 2], |sums, of| [sums[0] + of[0], sums[1] + of[1]]))
    };
    let grown = |(_, [before, now]): &(Span, [f64; 2])| now - before;
    axis.spans().map(of).max_by(|a, b| grown(a).total_cmp(&grown(b)))
}
