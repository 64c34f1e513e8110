//! Of each row how much likelier its inputs are now than in the reference, and which value the reference would have expected of them: by
//! boosted trees that were fitted to other rows.

use super::split::MOST_RATIO;
use crate::estimate::dle::trees::{BINS, Binned, Boosted};
use crate::segment::axis::Column;
use crate::segment::bins::Bins;
use crate::stats::pick::spread;

/// Parts of the rows, each told by the others.
const FOLDS: usize = 3;
/// Rows of a side that are fitted to, at most.
const MOST_FITTED: usize = 5000;
/// Values of a side that are fitted to, at most: fewer rows of many columns.
const MOST_CELLS: usize = 250_000;

/// Rows that the reference would have in a bin if it had as large a share of them, so that none of them is no chance.
const ENOUGH: f64 = 20.0;

/// Row by row, the reference's first.
pub struct Fitted {
    /// The density of its inputs now over that in the reference; 0 or more, infinite where the reference has none.
    pub ratio: Vec<f64>,
    /// The value that the reference expects of its inputs.
    pub expected: Vec<f64>,
}

/// Of these rows, the first so many being the reference's.
pub fn cross_fitted(columns: &[&Column], values: &[f64], reference: usize) -> Fitted {
    let rows = values.len();
    let bins: Vec<Vec<u8>> = columns.iter().map(|column| fine(column)).collect();
    let fit = |chosen: &[usize], target: &dyn Fn(usize) -> f64| {
        // Side by side, so that the trees walk over little.
        let chosen_bins = |bins: &Vec<u8>| -> Vec<u8> { chosen.iter().map(|row| bins[*row]).collect() };
        let bins: Vec<Vec<u8>> = bins.iter().map(chosen_bins).collect();
        let binned = |(column, bins): (&&Column, _)| Binned { bins, is_named: matches!(column, Column::Values(_)) };
        let binned: Vec<Binned<'_>> = columns.iter().zip(bins.iter().map(Vec::as_slice)).map(binned).collect();
        let target: Vec<f64> = chosen.iter().map(|row| target(*row)).collect();
        Boosted::fit(&binned, &target, &(0..chosen.len()).collect::<Vec<_>>())
    };
    let fold = |row: usize| row.checked_sub(reference).unwrap_or(row) % FOLDS;
    let most = (MOST_CELLS / columns.len().max(1)).min(MOST_FITTED);
    let mut fitted = Fitted { ratio: vec![0.0; rows], expected: vec![0.0; rows] };
    for held in 0..FOLDS {
        let others = |from: usize, to: usize| -> Vec<usize> {
            spread(to - from, most).map(|at| from + at).filter(|row| fold(*row) != held).collect()
        };
        let (before, now) = (others(0, reference), others(reference, rows));
        let scale = before.len() as f64 / now.len() as f64;
        let value = fit(&before, &|row| values[row]);
        let current = fit(&[before, now].concat(), &|row| f64::from(u8::from(row >= reference)));
        for row in (0..rows).filter(|row| fold(*row) == held) {
            let bin = |column: usize| bins[column][row];
            fitted.expected[row] = value.at(bin);
            fitted.ratio[row] = odds(current.at(bin)) * scale;
        }
    }
    for bins in &bins {
        unlike(bins, reference, &mut fitted.ratio);
    }
    fitted
}

/// Trees hardly ever say never. The reference has no like of rows in a bin that has a share of the current ones so many times as large as
/// of its own that it is beyond [`MOST_RATIO`], with rows enough to know.
fn unlike(bins: &[u8], reference: usize, ratio: &mut [f64]) {
    let mut counts = [[0.0; BINS]; 2];
    for (row, bin) in bins.iter().enumerate() {
        counts[usize::from(row >= reference)][usize::from(*bin)] += 1.0;
    }
    let (all, scale) = (counts[0].iter().sum::<f64>(), bins.len() as f64);
    let scale = all / (scale - all);
    let is_unlike: Vec<bool> = (counts[0].iter().zip(&counts[1]))
        .map(|(before, now)| now * scale >= ENOUGH && *now >= ENOUGH / 2.0 && now * scale > MOST_RATIO * before)
        .collect();
    for (bin, ratio) in bins.iter().zip(ratio) {
        if is_unlike[usize::from(*bin)] {
            *ratio = f64::INFINITY;
        }
    }
}

/// Of a probability as trees of squared errors have it: a little beyond 0 and 1 at times.
fn odds(probability: f64) -> f64 {
    if probability < 1.0 { probability.max(0.0) / (1.0 - probability) } else { f64::INFINITY }
}

/// A column as the trees take it: the first bin is for what is missing, the last of names for the rarer ones.
fn fine(column: &Column) -> Vec<u8> {
    let place = |bin: usize| u8::try_from(bin).unwrap_or(u8::MAX);
    match column {
        Column::Values(coded) => {
            let coded = coded.largest(BINS - 2);
            coded.codes.iter().map(|code| code.map_or(0, |code| place(1 + code as usize))).collect()
        }
        Column::Numbers { values, .. } => match Bins::of(values, BINS - 1) {
            Some(bins) => {
                values.iter().map(|value| value.and_then(|v| bins.bin(v)).map_or(0, |bin| place(bin + 1))).collect()
            }
            // One value alone, and rows without.
            None => values.iter().map(|value| u8::from(value.is_some_and(f64::is_finite))).collect(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::coded::Coded;

    #[test]
    fn bins_keep_what_is_missing_apart_and_stay_within_the_trees() {
        let names: Vec<String> = (0..500).map(|i| format!("n{:03}", i % 90)).collect();
        let of =
            |name: &'static str| fine(&Column::Values(Coded::of_texts(name, names.iter().map(|n| Some(n.as_str())))));
        assert!(of("x").iter().all(|bin| (1..BINS).contains(&usize::from(*bin))));
        let numbers = |values: Vec<Option<f64>>| fine(&Column::Numbers { name: "x".into(), values });
        let many = numbers((0..500).map(|i| (i % 5 != 0).then(|| f64::from(i))).collect());
        assert!(many[0] == 0 && many[1] == 1 && usize::from(many[499]) == BINS - 1, "{many:?}");
        assert_eq!(numbers(vec![Some(1.0), None, Some(f64::NAN), Some(1.0)]), [1, 0, 0, 1]);
    }

    /// One column of two values: the ratio is that of the shares, and what is expected is the mean.
    #[test]
    fn ratios_are_of_shares_and_expectations_are_means() {
        let rows = |ones: usize| (0..3000).map(move |row| f64::from(u8::from(row * 10 / 3000 < ones)));
        let values: Vec<f64> = rows(2).chain(rows(6)).collect();
        let column = Column::Numbers { name: "x".into(), values: values.iter().copied().map(Some).collect() };
        let twice: Vec<f64> = values.iter().map(|value| 3.0 + 2.0 * value).collect();
        let Fitted { ratio, expected } = cross_fitted(&[&column], &twice, 3000);
        for (row, value) in values.iter().enumerate() {
            let share = if *value > 0.5 { 3.0 } else { 0.5 };
            assert!((ratio[row] - share).abs() < 0.03, "{row}: {}", ratio[row]);
            assert!((expected[row] - 3.0 - 2.0 * value).abs() < 0.01, "{row}: {}", expected[row]);
        }
        assert!(odds(1.02).is_infinite() && odds(-0.1).abs() < 1e-12 && (odds(0.75) - 3.0).abs() < 1e-12);
    }
}
