//! Measures of classification, as scikit-learn defines them; where it would put 0 for what is undefined, there is `None`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Performance, Task};

/// Measures class names against class names, and scores of the positive class where there are any.
/// Without `prediction` the scores are cut at one half. `known` are classes met elsewhere, which decide whether two are all.
#[must_use]
pub fn measure(
    label: &[Option<String>],
    prediction: &[Option<String>],
    score: Option<&[Option<f64>]>,
    positive: Option<&str>,
    known: &BTreeSet<String>,
) -> Performance {
    let mut classes: BTreeSet<&str> = known.iter().map(String::as_str).collect();
    classes.extend(label.iter().chain(prediction).flatten().map(String::as_str));
    let positive = positive_of(&classes, positive);
    let scores = |at: usize| score.and_then(|scores| scores.get(at).copied().flatten());
    let negative = positive.and_then(|positive| classes.iter().find(|c| **c != positive).copied());
    let cut = |at: usize| scores(at).and_then(|s| if s >= 0.5 { positive } else { negative });

    let mut pairs: Vec<(&str, &str)> = Vec::new();
    let mut scored: Vec<(f64, bool)> = Vec::new();
    for (at, label) in label.iter().enumerate() {
        let Some(label) = label.as_deref() else { continue };
        let predicted = if prediction.is_empty() { cut(at) } else { prediction[at].as_deref() };
        if let Some(predicted) = predicted {
            pairs.push((label, predicted));
        }
        if let (Some(score), Some(positive)) = (scores(at), positive) {
            scored.push((score, label == positive));
        }
    }

    let mut measured = Performance::of_no_rows(Task::Classification);
    measured.rows = pairs.len().max(scored.len()) as u64;
    measured.positive = positive.map(str::to_owned);
    let right = pairs.iter().filter(|(label, predicted)| label == predicted).count();
    measured.accuracy = ratio(right, pairs.len());
    let table = Table::of(&pairs);
    if let Some(positive) = positive {
        (measured.precision, measured.recall, measured.f1) =
            (table.precision(positive), table.recall(positive), table.f1(positive));
    } else if !pairs.is_empty() {
        // The mean over the classes counts what is undefined for a class as 0: the class was not found.
        let met: BTreeSet<&str> = pairs.iter().flat_map(|(label, predicted)| [*label, *predicted]).collect();
        let mean = |of: &dyn Fn(&str) -> Option<f64>| {
            Some(met.iter().map(|class| of(class).unwrap_or(0.0)).sum::<f64>() / met.len() as f64)
        };
        measured.precision = mean(&|class| table.precision(class));
        measured.recall = mean(&|class| table.recall(class));
        measured.f1 = mean(&|class| table.f1(class));
    }
    measured.roc_auc = roc_auc(&mut scored);
    if !scored.is_empty() && scored.iter().all(|(score, _)| (0.0..=1.0).contains(score)) {
        let mean = |of: &dyn Fn(f64, bool) -> f64| {
            Some(scored.iter().map(|(score, positive)| of(*score, *positive)).sum::<f64>() / scored.len() as f64)
        };
        measured.brier = mean(&|score, positive| (score - f64::from(u8::from(positive))).powi(2));
        measured.log_loss = mean(&|score, positive| {
            let score = score.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
            -(if positive { score } else { 1.0 - score }).ln()
        });
    }
    measured
}

/// The positive class, if there are two classes at most.
fn positive_of<'a>(classes: &BTreeSet<&'a str>, wanted: Option<&str>) -> Option<&'a str> {
    if let Some(wanted) = wanted {
        return classes.iter().find(|class| **class == wanted).copied();
    }
    let all: Vec<&str> = classes.iter().copied().collect();
    match all.as_slice() {
        [_, last] => Some(last),
        // One class alone is the positive one only if its name says so.
        [only] if matches!(*only, "1" | "true") => Some(only),
        _ => None,
    }
}

fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// How often each class was given, predicted, and both.
struct Table<'a>(BTreeMap<&'a str, [usize; 3]>);

impl<'a> Table<'a> {
    fn of(pairs: &[(&'a str, &'a str)]) -> Self {
        let mut counts: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
        for (label, predicted) in pairs {
            counts.entry(label).or_default()[0] += 1;
            counts.entry(predicted).or_default()[1] += 1;
            if label == predicted {
                counts.entry(label).or_default()[2] += 1;
            }
        }
        Self(counts)
    }

    fn counts(&self, class: &str) -> [usize; 3] {
        self.0.get(class).copied().unwrap_or_default()
    }

    fn precision(&self, class: &str) -> Option<f64> {
        let [_, predicted, both] = self.counts(class);
        ratio(both, predicted)
    }

    fn recall(&self, class: &str) -> Option<f64> {
        let [given, _, both] = self.counts(class);
        ratio(both, given)
    }

    fn f1(&self, class: &str) -> Option<f64> {
        let [given, predicted, both] = self.counts(class);
        ratio(2 * both, given + predicted)
    }
}

/// The chance that a positive has a higher score than a negative, ties counting one half (Mann and Whitney). `None` with one
/// class alone. Sorts the rows by score.
fn roc_auc(scored: &mut [(f64, bool)]) -> Option<f64> {
    let positives = scored.iter().filter(|(_, positive)| *positive).count();
    let negatives = scored.len() - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    for (score, _) in scored.iter_mut() {
        *score += 0.0; // no negative zero: it equals zero
    }
    scored.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    // Twice the wins, so that half a win is whole.
    let (mut wins, mut below) = (0_u128, 0_u128);
    for tied in scored.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let up = tied.iter().filter(|(_, positive)| *positive).count() as u128;
        let down = tied.len() as u128 - up;
        wins += up * (2 * below + down);
        below += down;
    }
    Some(wins as f64 / (2.0 * positives as f64 * negatives as f64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::performance::measures::MEASURES;

    fn names(values: &[&str]) -> Vec<Option<String>> {
        values.iter().map(|v| Some((*v).to_owned())).collect()
    }

    #[test]
    fn one_class_alone_leaves_undefined_what_needs_two() {
        let (label, prediction) = (names(&["0", "0"]), names(&["0", "0"]));
        let measured = measure(&label, &prediction, Some(&[Some(0.1), Some(0.2)]), None, &BTreeSet::new());
        assert_eq!((measured.accuracy, measured.roc_auc, measured.positive), (Some(1.0), None, None));
        let known = ["0", "1"].map(str::to_owned).into();
        let measured = measure(&label, &prediction, Some(&[Some(0.1), Some(0.2)]), None, &known);
        assert_eq!((measured.precision, measured.recall, measured.positive.as_deref()), (None, None, Some("1")));
        assert!(measured.brier.is_some_and(|v| (v - 0.025).abs() < 1e-12));
    }

    #[test]
    fn scores_outside_0_and_1_rank_but_are_no_probabilities() {
        let scores = [Some(-3.0), Some(5.0)];
        let measured = measure(&names(&["0", "1"]), &names(&["0", "1"]), Some(&scores), None, &BTreeSet::new());
        assert_eq!((measured.roc_auc, measured.brier, measured.log_loss), (Some(1.0), None, None));
    }

    proptest! {
        #[test]
        fn measures_lie_within_their_bounds(rows in prop::collection::vec((0..3_u8, 0..3_u8, 0.0..=1.0f64), 0..60)) {
            let label: Vec<_> = rows.iter().map(|r| Some(r.0.to_string())).collect();
            let prediction: Vec<_> = rows.iter().map(|r| Some(r.1.to_string())).collect();
            let score: Vec<_> = rows.iter().map(|r| Some(r.2)).collect();
            let measured = measure(&label, &prediction, Some(&score), None, &BTreeSet::new());
            prop_assert_eq!(measured.rows, rows.len() as u64);
            for measure in MEASURES {
                let value = measure.of(&measured);
                prop_assert!(value.is_none_or(|value| measure.bounds.contains(&value)), "{}: {value:?}", measure.name);
            }
        }

        /// A growing map of the scores moves no rank; turning them round mirrors the area.
        #[test]
        fn the_area_is_of_ranks(rows in prop::collection::vec((any::<bool>(), -50..50_i32), 2..80)) {
            let of = |map: &dyn Fn(f64) -> f64| {
                let mut scored: Vec<(f64, bool)> = rows.iter().map(|(p, s)| (map(f64::from(*s)), *p)).collect();
                roc_auc(&mut scored)
            };
            let (plain, grown, turned) = (of(&|s| s), of(&|s| s * 3.0 + 1.0), of(&|s| -s));
            prop_assert_eq!(plain, grown);
            if let (Some(plain), Some(turned)) = (plain, turned) {
                prop_assert!((plain + turned - 1.0).abs() < 1e-12);
            }
        }
    }
}
