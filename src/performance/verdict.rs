//! Whether a model does worse than it did: a drop that is certain, and large enough to matter.

use serde::Serialize;

use super::Performance;
use super::interval::{LEVEL, Within, difference};
use super::measures::{Better, MEASURES, Measure, SHARE};
use crate::stats::tails::deviations;

/// What is said of a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is worse, for certain and by more than the margin.
    Worse,
    /// It is better, likewise.
    Better,
    /// Neither is certain.
    Same,
    /// There are too few rows to tell.
    Unknown,
}

/// A measure beside what it was.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Change {
    /// Which.
    pub measure: &'static str,
    /// What it was.
    pub reference: f64,
    /// What it is.
    pub current: f64,
    /// The second less the first.
    pub change: f64,
    /// Where that may lie, at 95 %.
    pub interval: Option<Within>,
    /// What is said of it.
    pub verdict: Verdict,
    /// Why nothing can be said.
    pub reason: Option<String>,
}

/// Rows of each class that a verdict needs.
pub const CLASS_ROWS: u64 = 20;

/// What makes a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Limits {
    /// So often, at most, something is called worse that is not: each measure by itself.
    pub significance: f64,
    /// A change below this share of the reference's figure does not matter; of a figure within 0 and 1, of what is larger, itself or what it
    /// lacks to 1.
    pub margin: f64,
    /// Rows with labels on either side, at least.
    pub rows: u64,
    /// Rows of each class on either side, at least.
    pub class_rows: u64,
}

/// Each measure that both have. The error of either side counts: the interval is that of the difference, and a change is certain where it
/// lies beyond the margin as a whole, made as much wider as the significance asks for.
#[must_use]
pub fn changes(reference: &Performance, current: &Performance, limits: &Limits) -> Vec<Change> {
    let few = too_few(("the reference", reference), limits).or_else(|| too_few(("the samples", current), limits));
    let both = MEASURES.iter().filter_map(|measure| Some((measure, measure.of(reference)?, measure.of(current)?)));
    let change = |(measure, before, now): (&Measure, f64, f64)| {
        let intervals = reference.interval(measure.name).zip(current.interval(measure.name));
        let interval = intervals.map(|(was, is)| difference((before, was), (now, is)));
        judged(measure, (before, now), interval, few.clone(), limits)
    };
    both.map(change).collect()
}

/// The measure that speaks for the model as it is estimated over so many rows, beside what it was. `estimate` gives a measure's value and its
/// band at 95 %; `usual` is what it stays within where nothing is wrong, as far as that is known: such an estimate is the same.
#[must_use]
pub fn expected(
    reference: &Performance,
    estimate: impl Fn(&str) -> Option<(f64, Option<Within>)>,
    (rows, usual): (u64, Option<Within>),
    limits: &Limits,
) -> Option<Change> {
    let (measure, before) = reference.leading()?;
    let (now, band) = estimate(measure.name)?;
    let of_samples = || {
        let (least, why) = (limits.rows, "rows are estimated");
        (rows < least).then(|| format!("{rows} {why}; {least} are needed"))
    };
    let few = too_few(("the reference", reference), limits).or_else(of_samples);
    let intervals = reference.interval(measure.name).zip(band);
    let interval = intervals.map(|(was, is)| difference((before, was), (now, is)));
    let change = judged(measure, (before, now), interval, few, limits);
    let is_usual = usual.is_some_and(|usual| usual.holds(now)) && change.verdict != Verdict::Unknown;
    Some(if is_usual { Change { verdict: Verdict::Same, ..change } } else { change })
}

/// What is said of a measure whose change lies within an interval, unless there are too few rows.
fn judged(
    measure: &Measure,
    (before, now): (f64, f64),
    interval: Option<Within>,
    few: Option<String>,
    limits: &Limits,
) -> Change {
    let wider = deviations(2.0 * limits.significance) / deviations(1.0 - LEVEL);
    let change = now - before;
    let (verdict, reason) = match (few, interval) {
        (Some(few), _) => (Verdict::Unknown, Some(few)),
        (None, None) => (Verdict::Unknown, Some("how far it may be off is not known".to_owned())),
        (None, Some(interval)) => {
            let (low, high) = (change - wider * (change - interval.low), change + wider * (interval.high - change));
            let margin = limits.margin_of(measure, before);
            let (worse, better) = match measure.better {
                Better::Higher => (high < -margin, low > margin),
                Better::Lower => (low > margin, high < -margin),
            };
            let verdict = match (worse, better) {
                (true, _) => Verdict::Worse,
                (_, true) => Verdict::Better,
                _ => Verdict::Same,
            };
            (verdict, None)
        }
    };
    Change { measure: measure.name, reference: before, current: now, change, interval, verdict, reason }
}

impl Limits {
    /// The change of a figure up to which it does not matter: a share of the figure itself, or of one within 0 and 1 of what is larger,
    /// itself or what it lacks to 1.
    #[must_use]
    pub fn margin_of(&self, measure: &Measure, before: f64) -> f64 {
        self.margin * if measure.bounds == SHARE { before.max(1.0 - before) } else { before.abs() }
    }
}

fn too_few((side, of): (&str, &Performance), limits: &Limits) -> Option<String> {
    if of.rows < limits.rows {
        return Some(format!("{} rows with labels in {side}; {} are needed", of.rows, limits.rows));
    }
    let rarest = of.rarest.filter(|rarest| *rarest < limits.class_rows)?;
    Some(format!("{rarest} rows of the rarest class in {side}; {} are needed", limits.class_rows))
}

/// The verdict on the model: that on the measure that speaks for it.
#[must_use]
pub fn verdict<'a>(current: &Performance, changes: &'a [Change]) -> Option<&'a Change> {
    let (leading, _) = current.leading()?;
    changes.iter().find(|change| change.measure == leading.name)
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;
    use crate::performance::regression;

    const LIMITS: Limits = Limits { significance: 0.0005, margin: 0.02, rows: 200, class_rows: 20 };

    fn model(random: &mut Rng, rows: usize, noise: f64) -> Performance {
        let pair = |random: &mut Rng| {
            let label = random.f64() * 10.0;
            (label, label + noise * (0..6).map(|_| random.f64() - 0.5).sum::<f64>())
        };
        let pairs: Vec<_> = (0..rows).map(|_| pair(random)).collect();
        regression::measure(&pairs, None)
    }

    fn of_mae(reference: &Performance, current: &Performance) -> Verdict {
        verdict(current, &changes(reference, current, &LIMITS)).expect("an MAE").verdict
    }

    #[test]
    fn what_is_worse_is_told_and_noise_is_not() {
        let mut random = Rng::with_seed(5);
        let mut found = |noise: f64, rows: usize| {
            let (reference, current) = (model(&mut random, 2000, 1.0), model(&mut random, rows, noise));
            of_mae(&reference, &current)
        };
        assert_eq!((0..300).filter(|_| found(1.0, 400) != Verdict::Same).count(), 0);
        assert!((0..50).filter(|_| found(1.3, 400) == Verdict::Worse).count() >= 45);
        assert_eq!(found(0.5, 400), Verdict::Better);
        // Certain, and too small to matter.
        assert_eq!(found(1.01, 200_000), Verdict::Same);
    }

    #[test]
    fn few_rows_are_no_verdict() {
        let mut random = Rng::with_seed(6);
        let (reference, current) = (model(&mut random, 2000, 1.0), model(&mut random, 50, 9.0));
        let change = changes(&reference, &current, &LIMITS).remove(0);
        assert_eq!(change.verdict, Verdict::Unknown);
        assert_eq!(change.reason.as_deref(), Some("50 rows with labels in the samples; 200 are needed"));
        let rare = Performance { rarest: Some(3), ..model(&mut random, 300, 1.0) };
        let reason = changes(&reference, &rare, &LIMITS).remove(0).reason;
        assert_eq!(reason.as_deref(), Some("3 rows of the rarest class in the samples; 20 are needed"));
    }
}
