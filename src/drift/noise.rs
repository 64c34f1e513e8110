//! What divergences of binned shares are expected to be of nothing but chance, so that it can be taken off: the mean over all ways
//! to deal the rows of both sides out again (the permutation distribution: each bin's count on one side is hypergeometric). Of k bins
//! that are not rare and of m and n rows the population stability index is (k - 1) (1 / m + 1 / n), the Kullback-Leibler divergence
//! half and the squared Hellinger distance an eighth of it; of rare ones it is more, as a bin of few rows is easily empty on one side.

use super::psi::filled;
use super::{Counts, Pair};

/// Up to so many rows that a bin is expected to have on either side the ways to deal them out are gone through; beyond, a curve
/// through the middle is as good.
const RARE: f64 = 50.0;

/// The expected sum of a term over the bins, each of both sides' shares. `curve` is what it is of a bin that is not rare, in
/// (1 - its share) (1 / m + 1 / n).
fn expected(counts: &Counts, term: impl Fn(f64, f64) -> f64, curve: f64) -> f64 {
    let total = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
    let (m, n) = (total(&counts.reference), total(&counts.current));
    let of_bin = |rows: u64| {
        let all = rows as f64;
        if all * m.min(n) / (m + n) > RARE {
            return curve * (1.0 - all / (m + n)) * (1.0 / m + 1.0 / n);
        }
        let at = |r: f64| term(r / m, (all - r) / n);
        // How much likelier r + 1 of the rows are on the reference's side than r.
        let rise = |r: f64| (m - r) * (all - r) / ((r + 1.0) * (n - all + r + 1.0));
        let (least, most) = ((all - n).max(0.0), all.min(m));
        let middle = (all * m / (m + n)).floor().clamp(least, most);
        let (mut sum, mut weights) = (at(middle), 1.0);
        let (mut r, mut weight) = (middle, 1.0);
        // Far out they are too rare to count.
        while r < most && weight > f64::EPSILON * weights {
            weight *= rise(r);
            r += 1.0;
            (sum, weights) = (sum + weight * at(r), weights + weight);
        }
        (r, weight) = (middle, 1.0);
        while r > least && weight > f64::EPSILON * weights {
            r -= 1.0;
            weight /= rise(r);
            (sum, weights) = (sum + weight * at(r), weights + weight);
        }
        sum / weights
    };
    let bins = counts.reference.iter().zip(&counts.current).map(|(r, c)| r.saturating_add(*c));
    bins.filter(|rows| *rows > 0).map(of_bin).sum()
}

/// The population stability index without its noise.
pub fn off_psi(statistic: Option<f64>, pair: &Pair<'_>) -> Option<f64> {
    let term = |r: f64, c: f64| (filled(r) - filled(c)) * (filled(r) / filled(c)).ln();
    Some((statistic? - expected(&pair.counts, term, 1.0)).max(0.0))
}

/// The Kullback-Leibler divergence without its noise.
pub fn off_kl(statistic: Option<f64>, pair: &Pair<'_>) -> Option<f64> {
    let term = |r: f64, c: f64| filled(r) * (filled(r) / filled(c)).ln();
    Some((statistic? - expected(&pair.counts, term, 0.5)).max(0.0))
}

/// The Hellinger distance without its noise, which is one of squares.
pub fn off_hellinger(statistic: Option<f64>, pair: &Pair<'_>) -> Option<f64> {
    let term = |r: f64, c: f64| (r.sqrt() - c.sqrt()).powi(2) / 2.0;
    Some((statistic?.powi(2) - expected(&pair.counts, term, 0.125)).max(0.0).sqrt())
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "counts of a test stay small")]
mod tests {
    use super::*;
    use crate::drift::{Sample, test};
    use crate::stats::mersenne::Mersenne;

    /// Draws rows of categories with shares of 1 / rank, or with those of the first ten turned round.
    fn drawn(random: &mut Mersenne, rows: u64, levels: u32, swapped: bool) -> Vec<u64> {
        let weight: Vec<u32> = (1..=levels).map(|rank| 1_000_000 / rank).collect();
        let all: u32 = weight.iter().sum();
        let mut counts = vec![0; weight.len()];
        for _ in 0..rows {
            let mut at = random.below(all);
            let mut level = 0;
            while at >= weight[level] {
                at -= weight[level];
                level += 1;
            }
            let first = 10.min(weight.len());
            counts[if swapped && level < first { first - 1 - level } else { level }] += 1;
        }
        counts
    }

    #[test]
    fn what_is_taken_off_is_what_chance_makes() {
        let sample = Sample::numeric([]);
        let mut random = Mersenne::new(5);
        for (levels, rows) in
            [(2, (300, 200)), (10, (900, 300)), (100, (200, 200)), (1000, (5000, 500)), (30, (20_000, 100))]
        {
            for (name, off) in [
                ("psi", off_psi as fn(Option<f64>, &Pair<'_>) -> Option<f64>),
                ("kl", off_kl),
                ("hellinger", off_hellinger),
            ] {
                let run = test(name).expect("a test").compute;
                let (mut raw, mut noise, mut moved, draws) = (0.0, 0.0, 0.0, 200);
                for _ in 0..draws {
                    let mut pair = |swapped| {
                        let reference = drawn(&mut random, rows.0, levels, false);
                        let current = drawn(&mut random, rows.1, levels, swapped);
                        Pair::counted(&sample, &sample, Counts { reference, current })
                    };
                    let statistic = |pair: &Pair<'_>| run(pair).statistic.expect("defined");
                    // As much as can be taken off is: the statistic is given as if it were large.
                    let same = pair(false);
                    let (power, large) = if name == "hellinger" { (2, 10.0) } else { (1, 100.0_f64) };
                    raw += statistic(&same).powi(power) / f64::from(draws);
                    noise +=
                        (large.powi(power) - off(Some(large), &same).expect("defined").powi(power)) / f64::from(draws);
                    let other = pair(true);
                    moved += off(Some(statistic(&other)), &other).expect("defined") / f64::from(draws);
                }
                assert!((raw / noise - 1.0).abs() < 0.1, "{name} of {levels}: {raw} by chance, {noise} taken off");
                assert!(levels < 10 || moved > 0.15, "{name} of {levels}: {moved} is left of a change");
            }
        }
    }
}
