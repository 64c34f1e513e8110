//! Whether NannyML calibrates: scikit-learn's `StratifiedShuffleSplit(n_splits=10, test_size=0.1, random_state=42)`, and over all test
//! rows together the expected calibration error (ECE) in ten bins of as many rows, with calibration and without.

use super::super::ranking::{Ranking, are_tied, levels};
use crate::estimate::Unfit;
use crate::estimate::isotonic::Isotonic;
use crate::stats::mersenne::Mersenne;

/// Splits, and bins.
const TEN: usize = 10;
/// One row of so many is a test row.
const TESTED: usize = 10;
/// The state that the splits are drawn from.
const SEED: u32 = 42;
/// Scores that tell the classes apart as well as this are let be.
const PERFECT: f64 = 0.999;

/// The curve to calibrate by; `None` where the scores are better as they are.
///
/// # Errors
///
/// Where a class has a single row, or there are too few rows to test both: NannyML stops.
pub(super) fn fit(scores: &[f64], labels: &[bool]) -> Result<Option<Isotonic>, Unfit> {
    let positives = labels.iter().filter(|label| **label).count();
    if positives == 0 || positives == labels.len() {
        return Ok(None);
    }
    let mut rows: Vec<(f64, bool)> = scores.iter().copied().zip(labels.iter().copied()).collect();
    if Ranking::of(levels(&mut rows)).roc_auc().is_some_and(|area| area > PERFECT) {
        return Ok(None);
    }
    let mut ascending: Vec<u32> = (0..u32::try_from(labels.len()).unwrap_or(u32::MAX)).collect();
    let score = |at: u32| scores.get(at as usize).copied().unwrap_or(f64::NAN);
    let label = |at: u32| labels.get(at as usize).copied().unwrap_or(false);
    ascending.sort_unstable_by(|a, b| score(*a).total_cmp(&score(*b)));
    let point = |at: &u32| (score(*at), f64::from(u8::from(label(*at))), 1.0);

    let (mut plain, mut calibrated) = (Vec::new(), Vec::new());
    for tested in splits(labels)? {
        let mut is_tested = vec![false; labels.len()];
        for at in &tested {
            if let Some(tested) = is_tested.get_mut(*at as usize) {
                *tested = true;
            }
        }
        let trained = ascending.iter().filter(|at| !is_tested.get(**at as usize).copied().unwrap_or(true));
        let Some(curve) = Isotonic::of_sorted(trained.map(point)) else { return Err(Unfit::Classes) };
        for at in tested {
            plain.push((score(at), label(at)));
            calibrated.push((curve.at(score(at)), label(at)));
        }
    }
    let helps = error(&mut plain) > error(&mut calibrated);
    Ok(helps.then(|| Isotonic::of_sorted(ascending.iter().map(point))).flatten())
}

/// The test rows of each split.
fn splits(labels: &[bool]) -> Result<Vec<Vec<u32>>, Unfit> {
    let classes = [false, true].map(|class| -> Vec<u32> {
        let of_class = (0_u32..).zip(labels).filter(|(_, label)| **label == class);
        of_class.map(|(at, _)| at).collect()
    });
    let counts = classes.each_ref().map(Vec::len);
    let tested = labels.len().div_ceil(TESTED);
    let trained = labels.len().saturating_sub(tested);
    if counts.iter().any(|count| *count < 2) || tested < 2 || trained < 2 {
        return Err(Unfit::Classes);
    }
    let mut random = Mersenne::numpy(SEED);
    let draw = |random: &mut Mersenne| {
        let train = shares(counts, trained, random);
        let rest = [counts[0].saturating_sub(train[0]), counts[1].saturating_sub(train[1])];
        let test = shares(rest, tested, random);
        let mut drawn: Vec<u32> = Vec::with_capacity(tested);
        for class in 0..2 {
            let order = random.permutation(u32::try_from(counts[class]).unwrap_or(u32::MAX));
            let places = order.into_iter().skip(train[class]).take(test[class]);
            drawn.extend(places.filter_map(|at| classes[class].get(at as usize)));
        }
        // The training rows are shuffled, too; their order matters to nothing but what is drawn after.
        for most in (1..u32::try_from(trained).unwrap_or(u32::MAX)).rev() {
            random.up_to(most);
        }
        let order = random.permutation(u32::try_from(drawn.len()).unwrap_or(u32::MAX));
        order.into_iter().filter_map(|at| drawn.get(at as usize).copied()).collect()
    };
    Ok((0..TEN).map(|_| draw(&mut random)).collect())
}

/// How many rows of each class are among so many (`sklearn.utils.extmath._approximate_mode`): in proportion, and what is left over to
/// the larger fraction, or to one of both by chance.
fn shares(counts: [usize; 2], rows: usize, random: &mut Mersenne) -> [usize; 2] {
    let all = (counts[0] as f64) + (counts[1] as f64);
    let exact = counts.map(|count| count as f64 / all * rows as f64);
    let whole = exact.map(crate::stats::whole::index);
    let rest = [exact[0] - exact[0].floor(), exact[1] - exact[1].floor()];
    let mut found = whole;
    let mut left = rows.saturating_sub(whole[0].saturating_add(whole[1]));
    let ranked: Vec<Vec<usize>> = if are_tied(rest[0], rest[1]) {
        vec![vec![0, 1]]
    } else if rest[0] > rest[1] {
        vec![vec![0], vec![1]]
    } else {
        vec![vec![1], vec![0]]
    };
    for places in ranked {
        if left == 0 {
            break;
        }
        let drawn = random.permutation(u32::try_from(places.len()).unwrap_or(u32::MAX));
        for at in drawn.into_iter().take(left) {
            if let Some(place) = places.get(at as usize) {
                found[*place] = found[*place].saturating_add(1);
                left = left.saturating_sub(1);
            }
        }
    }
    found
}

/// The expected calibration error of chances, in bins of as many rows.
fn error(rows: &mut [(f64, bool)]) -> f64 {
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let count = rows.len() as f64;
    let gap = |bin: &[(f64, bool)]| {
        let chances: f64 = bin.iter().map(|(chance, _)| chance).sum();
        let positives = bin.iter().filter(|(_, label)| *label).count() as f64;
        (chances - positives).abs() / count
    };
    rows.chunks((rows.len() / TEN).max(1)).map(gap).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_are_those_of_scikit_learn() {
        let labels: Vec<bool> = (0..27).map(|i| i % 3 == 1 || i == 5).collect();
        let found = splits(&labels).expect("enough");
        // [test for _, test in StratifiedShuffleSplit(10, test_size=.1, random_state=42).split(y, y)]
        assert_eq!(
            found,
            [
                [10, 11, 6],
                [21, 7, 2],
                [0, 1, 20],
                [20, 3, 16],
                [14, 1, 6],
                [3, 4, 6],
                [1, 24, 3],
                [5, 9, 3],
                [13, 12, 0],
                [1, 15, 8]
            ]
            .map(Vec::from)
        );
        let even: Vec<bool> = (0..26).map(|i| i % 2 == 1).collect();
        assert_eq!(
            splits(&even).expect("enough"),
            [
                [15, 6, 20],
                [1, 5, 2],
                [0, 5, 24],
                [4, 12, 13],
                [15, 1, 14],
                [13, 3, 22],
                [17, 20, 5],
                [11, 9, 8],
                [10, 12, 7],
                [9, 19, 6]
            ]
            .map(Vec::from)
        );
        assert_eq!(splits(&labels[..5]), Err(Unfit::Classes));
        assert_eq!(splits(&[&[true][..], &[false; 30][..]].concat()), Err(Unfit::Classes));
    }
}
