//! Whether a score of .8 comes true in eight of ten rows: the reliability curve, its expected calibration error, and the losses of
//! scores as probabilities.

use serde::{Deserialize, Serialize};

use super::figure::Figure;
use super::interval::{Spread, Within, wilson};
use crate::stats::tails::sum_of_squares;

/// Bins of scores, of equal width; a score on an edge belongs below it.
pub const BINS: usize = 10;

/// Rows whose scores lie in a bin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Bin {
    /// Scores above this (the first bin: from this on).
    pub from: f64,
    /// Up to this.
    pub to: f64,
    /// How many rows.
    pub rows: u64,
    /// Their mean score; `None` of none.
    pub score: Option<f64>,
    /// The share of them that is positive.
    pub realised: Option<f64>,
    /// Where that share may lie.
    pub interval: Option<Within>,
}

/// What scores within 0 and 1 are worth as probabilities.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// The reliability curve.
    pub bins: Vec<Bin>,
    /// Expected calibration error: how far mean score and share of positives lie apart in a bin, on average over the rows.
    pub ece: Figure,
    /// Mean squared difference of score and outcome.
    pub brier: Figure,
    /// Mean negative log-likelihood of the outcome, scores clipped to the next number beside 0 and 1.
    pub log_loss: Figure,
}

#[derive(Clone, Copy, Default)]
struct Held {
    rows: f64,
    positives: f64,
    scores: f64,
    /// Of what each row lies beside its score, squared.
    squares: f64,
}

impl Calibration {
    /// Of scores and outcomes; `None` without any, or where a score is no probability.
    pub fn of(rows: impl Iterator<Item = (f64, bool)>) -> Option<Self> {
        let mut bins = [Held::default(); BINS];
        let (mut brier, mut log_loss) = (Spread::NONE, Spread::NONE);
        for (score, positive) in rows {
            if !(0.0..=1.0).contains(&score) {
                return None;
            }
            let outcome = f64::from(u8::from(positive));
            let place = EDGES.iter().filter(|edge| score > **edge).count();
            let bin = &mut bins[place];
            bin.rows += 1.0;
            bin.positives += outcome;
            bin.scores += score;
            bin.squares += (outcome - score).powi(2);
            brier.push((score - outcome).powi(2));
            let score = score.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
            log_loss.push(-(if positive { score } else { 1.0 - score }).ln());
        }
        brier.mean()?;
        let of = |spread: &Spread, most: f64| {
            let cut = |interval: Within| Within { low: interval.low.max(0.0), high: interval.high.min(most) };
            Figure { value: spread.mean(), interval: spread.interval().map(cut) }
        };
        Some(Self {
            bins: bins.iter().enumerate().map(|(at, bin)| shown(at, bin)).collect(),
            ece: error(&bins),
            brier: of(&brier, 1.0),
            log_loss: of(&log_loss, f64::INFINITY),
        })
    }
}

/// Between the bins.
pub(super) const EDGES: [f64; BINS - 1] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

fn shown(at: usize, bin: &Held) -> Bin {
    let edge = |at: usize| at.checked_sub(1).and_then(|at| EDGES.get(at)).copied();
    let mean = |sum: f64| (bin.rows > 0.0).then(|| sum / bin.rows);
    Bin {
        from: edge(at).unwrap_or(0.0),
        to: edge(at + 1).unwrap_or(1.0),
        rows: crate::stats::whole::unsigned(bin.rows),
        score: mean(bin.scores),
        realised: mean(bin.positives),
        interval: mean(bin.positives).and_then(|share| wilson(share, bin.rows)),
    }
}

/// The error and its interval. A sum of distances is never below what chance alone makes of it, so that no plain interval would hold a
/// small one: of errors in proportion to those seen, the interval has those under which what was seen is no surprise. Of a
/// distance the mean and variance are those of a normal number without its sign, and their sum is taken to follow a gamma distribution.
fn error(bins: &[Held; BINS]) -> Figure {
    let rows: f64 = bins.iter().map(|bin| bin.rows).sum();
    let held = || bins.iter().filter(|bin| bin.rows > 0.0);
    // Weight, distance and its standard error.
    let parts: Vec<[f64; 3]> = held()
        .map(|bin| {
            let apart = (bin.positives - bin.scores) / bin.rows;
            // Few rows that are all alike say little of how the next one is.
            let share = (bin.positives + 1.0) / (bin.rows + 2.0);
            let variance = (bin.squares / bin.rows - apart * apart).max(share * (1.0 - share)) / bin.rows;
            [bin.rows / rows, apart.abs(), variance.sqrt()]
        })
        .collect();
    let seen: f64 = parts.iter().map(|[weight, apart, _]| weight * apart).sum();
    // How many rows fall into a bin is chance, too.
    let between = parts.iter().map(|[weight, apart, _]| weight * (apart - seen).powi(2)).sum::<f64>() / rows;
    // How likely it is to see as much or more.
    let likely = |scale: f64| {
        let (mut mean, mut variance) = (0.0, scale * scale * between);
        for [weight, apart, error] in &parts {
            let of = folded(scale * apart, *error);
            mean += weight * of;
            variance += weight * weight * ((scale * apart).powi(2) + error * error - of * of).max(0.0);
        }
        sum_of_squares(seen, mean, variance).unwrap_or_else(|| f64::from(u8::from(mean >= seen)))
    };
    // Growing in the scale: what is larger is seen sooner.
    let scale_at = |wanted: f64| {
        if likely(0.0) >= wanted {
            return 0.0;
        }
        let (mut low, mut high) = (0.0, 1.0);
        while likely(high) < wanted && high < 1e6 {
            high *= 2.0;
        }
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if likely(middle) < wanted { low = middle } else { high = middle }
        }
        high
    };
    let tail = (1.0 - super::interval::LEVEL) / 2.0;
    let known = parts.iter().any(|[_, _, error]| *error > 0.0) && seen > 0.0;
    // Rounding shuts out nothing that was seen.
    let interval = known.then(|| Within {
        low: (scale_at(tail) * seen).min(seen),
        high: (scale_at(1.0 - tail) * seen).clamp(seen, 1.0),
    });
    Figure::new(seen, interval)
}

/// The mean of a normal number without its sign.
fn folded(mean: f64, deviation: f64) -> f64 {
    if deviation <= 0.0 {
        return mean.abs();
    }
    let z = mean / deviation;
    let inner = 1.0 - crate::stats::tails::normal(z);
    deviation * (2.0 / std::f64::consts::PI).sqrt() * (-z * z / 2.0).exp() + mean.abs() * inner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_probability_has_no_calibration() {
        assert_eq!(Calibration::of([(1.5, true)].into_iter()), None);
        assert_eq!(Calibration::of([].into_iter()), None);
    }

    #[test]
    fn an_edge_belongs_below_it() {
        let found = Calibration::of([(0.0, false), (0.1, false), (0.100_001, true), (1.0, true)].into_iter());
        let bins = found.expect("defined").bins;
        let rows: Vec<u64> = bins.iter().map(|bin| bin.rows).collect();
        assert_eq!(rows, [2, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!((bins[0].from, bins[0].to, bins[9].to, bins[3].score), (0.0, 0.1, 1.0, None));
    }

    #[test]
    fn the_error_is_the_mean_distance() {
        // Half of the rows at .25 come true, and none at .75: (.25 + .75) / 2.
        let rows = [(0.25, true), (0.25, false), (0.75, false), (0.75, false)];
        let found = Calibration::of(rows.into_iter()).expect("defined");
        assert_eq!(found.ece.value, Some(0.5));
        assert!(found.ece.interval.expect("it is known").holds(0.5));
        assert_eq!(found.brier.value, Some((0.0625 + 0.5625 + 2.0 * 0.5625) / 4.0));
    }
}
