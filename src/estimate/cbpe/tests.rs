use super::*;
use crate::stats::random::Random;

/// Rows by formula.
struct Side {
    score: Vec<f64>,
    predicted: Vec<bool>,
    label: Vec<bool>,
}

impl Side {
    fn new(random: &mut Random, rows: usize, score: impl Fn(f64) -> f64, chance: impl Fn(f64) -> f64) -> Self {
        let score: Vec<f64> = (0..rows).map(|_| score(random.uniform())).collect();
        let predicted = score.iter().map(|score| *score >= 0.5).collect();
        let label = score.iter().map(|score| random.uniform() < chance(*score)).collect();
        Self { score, predicted, label }
    }

    fn labelled(&self) -> Binary<'_> {
        Binary { score: &self.score, predicted: Some(&self.predicted), label: &self.label }
    }
}

fn value(estimate: &Estimate, measure: &str) -> f64 {
    estimate.figure(measure).and_then(|figure| figure.value).expect("estimated")
}

const MEASURES: [&str; 9] =
    ["roc_auc", "pr_auc", "f1", "precision", "recall", "specificity", "accuracy", "brier", "log_loss"];

/// How often the truth lies within the band, of every measure; a share of 300 varies by 1.3 %.
fn coverage(chance: impl Fn(f64) -> f64) -> f64 {
    let (mut within, mut all) = (0, 0);
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let reference = Side::new(&mut random, 800, |u| u, &chance);
        let options = Options { draws: 100, seed, ..Options::default() };
        let fitted = fit(&reference.labelled(), &options).expect("rows");
        let found = fitted.compare(&Side::new(&mut random, 160, |u| u, &chance).labelled());
        for figure in MEASURES.map(|measure| found.figure(measure).expect("there")) {
            let band = figure.low.zip(figure.high).expect("a band");
            within += u32::from((band.0..=band.1).contains(&figure.realised.expect("the truth")));
            all += 1;
        }
    }
    f64::from(within) / f64::from(all)
}

#[test]
fn bands_hold_the_truth_as_often_as_they_say() {
    let (right, squared) = (coverage(|s| s), coverage(|s| s * s));
    assert!((0.93..=0.97).contains(&right), "{right}");
    assert!((0.93..=0.97).contains(&squared), "{squared}");
}

#[test]
fn it_follows_inputs_that_move_and_is_blind_to_a_relation_that_changes() {
    let mut random = Random::new(11);
    let reference = Side::new(&mut random, 8000, |u| u, |s| s * s);
    let fitted = fit(&reference.labelled(), &Options::default()).expect("rows");
    assert!(fitted.is_calibrated());
    // Scores that gather around one half: harder cases.
    let harder = Side::new(&mut random, 4000, |u| 0.35 + 0.3 * u, |s| s * s);
    let found = fitted.compare(&harder.labelled());
    for measure in MEASURES {
        let figure = found.figure(measure).expect("there");
        let band = figure.low.zip(figure.high).expect("a band");
        assert!((band.0..=band.1).contains(&figure.realised.expect("the truth")), "{figure:?}");
        let error = figure.value.zip(figure.realised).map(|(value, realised)| value - realised);
        assert_eq!(figure.error, error);
    }
    let area = found.figure("roc_auc").expect("there");
    assert!(area.alert && area.value < area.threshold_low, "{area:?}");
    let calm = fitted.compare(&Side::new(&mut random, 4000, |u| u, |s| s * s).labelled());
    assert!(calm.figures.iter().all(|figure| !figure.alert), "{calm:?}");
    let turned = fitted.compare(&Side::new(&mut random, 4000, |u| u, |s| 1.0 - s).labelled());
    let area = turned.figure("roc_auc").expect("there");
    assert!(!area.alert && area.realised < Some(0.5) && area.error > Some(0.3), "{area:?}");
}

#[test]
fn rows_that_the_reference_does_not_know_are_told_and_widen_the_band() {
    let mut random = Random::new(5);
    let reference = Side::new(&mut random, 3000, |u| 0.6 * u, |s| s);
    let fitted = fit(&reference.labelled(), &Options::default()).expect("rows");
    let wide = |found: &Estimate| {
        let figure = found.figure("accuracy").expect("there");
        figure.high.zip(figure.low).map(|(high, low)| high - low).expect("a band")
    };
    let known = fitted.estimate(&Side::new(&mut random, 1000, |u| 0.6 * u, |s| s).labelled().scored());
    let beyond = fitted.estimate(&Side::new(&mut random, 1000, |u| u, |s| s).labelled().scored());
    assert!(known.outside.is_some_and(|share| share < 0.01), "{known:?}");
    assert!(beyond.outside.is_some_and(|share| (share - 0.4).abs() < 0.05), "{beyond:?}");
    assert!(wide(&beyond) > 2.0 * wide(&known), "{} {}", wide(&beyond), wide(&known));
}

#[test]
fn a_group_stands_for_its_rows() {
    let mut random = Random::new(2);
    let reference = Side::new(&mut random, 5000, |u| u, |s| s);
    let fitted = fit(&reference.labelled(), &Options { draws: 200, ..Options::default() }).expect("rows");
    let rows = Side::new(&mut random, 20_000, |u| u, |s| s);
    let found = fitted.estimate(&rows.labelled().scored());
    // The standard error of a share of so many rows, and of the reference's.
    let deviation = |p: f64| (p * (1.0 - p) * (1.0 / 20_000.0 + 1.0 / 5000.0)).sqrt();
    let accuracy = found.figure("accuracy").expect("there");
    let wanted = deviation(0.75) * (1.0 / 6.0_f64 / (0.75 * 0.25)).sqrt();
    let got = accuracy.standard_error.expect("drawn");
    assert!((got / wanted - 1.0).abs() < 0.2, "{got} is not {wanted}");
    assert_eq!(found, fitted.estimate(&rows.labelled().scored()), "the same for a seed");
}

#[test]
fn what_is_undefined_is_none() {
    let mut random = Random::new(3);
    let negatives = Side::new(&mut random, 300, |u| u, |_| 0.0);
    let fitted = fit(&negatives.labelled(), &Options::default()).expect("rows");
    let found = fitted.compare(&Side::new(&mut random, 200, |u| u, |_| 0.0).labelled());
    for measure in ["roc_auc", "pr_auc", "recall"] {
        let figure = found.figure(measure).expect("there");
        assert_eq!((figure.realised, figure.threshold_low), (None, None), "{figure:?}");
    }
    assert!(value(&found, "precision").abs() < 1e-12);
    let none = fitted.estimate(&Scored { score: &[f64::NAN], predicted: Some(&[true]) });
    assert_eq!((none.rows, none.missing, none.outside), (0, 1, None));
    assert!(none.figures.iter().all(|figure| figure.value.is_none() && !figure.alert), "{none:?}");
    let alone = Binary { predicted: None, ..negatives.labelled() };
    let alone = fit(&alone, &Options::default()).expect("rows").estimate(&alone.scored());
    let names: Vec<&str> = alone.figures.iter().map(|figure| figure.measure.as_ref()).collect();
    assert_eq!(names, ["roc_auc", "pr_auc", "brier", "log_loss"]);
}

#[test]
fn rows_without_a_score_change_nothing() {
    let mut random = Random::new(4);
    let (reference, rows) = (Side::new(&mut random, 1000, |u| u, |s| s * s), Side::new(&mut random, 300, |u| u, |s| s));
    let with_gaps = |side: &Side| {
        let mut gaps = Side { score: Vec::new(), predicted: Vec::new(), label: Vec::new() };
        for at in 0..side.score.len() {
            if at % 10 == 0 {
                gaps.score.push(f64::NAN);
                gaps.predicted.push(true);
                gaps.label.push(false);
            }
            gaps.score.push(side.score[at]);
            gaps.predicted.push(side.predicted[at]);
            gaps.label.push(side.label[at]);
        }
        gaps
    };
    let fitted = |side: &Side| fit(&side.labelled(), &Options::default()).expect("rows");
    let plain = fitted(&reference).compare(&rows.labelled());
    let gaps = fitted(&with_gaps(&reference)).compare(&with_gaps(&rows).labelled());
    assert_eq!((gaps.missing, &gaps.figures), (30, &plain.figures));
    let options = Options { way: Way::NannyMl, ..Options::default() };
    assert_eq!(fit(&with_gaps(&reference).labelled(), &options).err(), Some(Unfit::Missing));
    assert_eq!(fit(&Binary { label: &[true], ..rows.labelled() }, &options).err(), Some(Unfit::Lengths));
    let few = Side::new(&mut random, 9, |u| u, |s| s);
    assert_eq!(fit(&few.labelled(), &Options::default()).err(), Some(Unfit::Rows(10)));
}

/// Scores of three classes, the chances of which are their squares', and their predictions and labels.
fn several(random: &mut Random, rows: usize) -> (Vec<Vec<f64>>, Vec<usize>, Vec<usize>) {
    let mut found = (vec![Vec::new(); 3], Vec::new(), Vec::new());
    for _ in 0..rows {
        let parts = [(); 3].map(|()| random.uniform() * random.uniform() + 0.01);
        let sum: f64 = parts.iter().sum();
        for (column, part) in found.0.iter_mut().zip(parts) {
            column.push(part / sum);
        }
        let squares = parts.map(|part| part * part);
        let mut drawn = random.uniform() * squares.iter().sum::<f64>();
        let label = squares.iter().position(|square| {
            drawn -= square;
            drawn < 0.0
        });
        found.1.push((0..3).fold(0, |best, class| if parts[class] > parts[best] { class } else { best }));
        found.2.push(label.unwrap_or(2));
    }
    found
}

#[test]
fn bands_of_several_classes_hold_the_truth() {
    let classes = ["a", "b", "c"].map(str::to_owned);
    let (mut within, mut all) = (0, 0);
    for seed in 0..80 {
        let mut random = Random::new(seed);
        let (score, predicted, label) = several(&mut random, 900);
        let score: Vec<&[f64]> = score.iter().map(Vec::as_slice).collect();
        let reference = Many { classes: &classes, score: &score, predicted: &predicted, label: &label };
        let options = Options { draws: 100, seed, normalise: Normalise::All, ..Options::default() };
        let fitted = fit_many(&reference, &options).expect("rows");
        let (score, predicted, label) = several(&mut random, 200);
        let score: Vec<&[f64]> = score.iter().map(Vec::as_slice).collect();
        let found = fitted.compare(&Columns { score: &score, predicted: &predicted }, &label);
        assert!(found.figures.len() == 16 && found.figure("true_a_pred_b").is_some(), "{found:?}");
        for figure in &found.figures {
            let band = figure.low.zip(figure.high).expect("a band");
            let realised = figure.realised.expect("the truth");
            within += u32::from(band.0 - 1e-12 <= realised && realised <= band.1 + 1e-12);
            all += 1;
        }
    }
    let share = f64::from(within) / f64::from(all);
    assert!((0.92..=0.98).contains(&share), "{share}");
}

#[test]
fn several_classes_have_to_fit() {
    let classes = ["a", "b", "c"].map(str::to_owned);
    let (score, predicted, label) = several(&mut Random::new(1), 100);
    let score: Vec<&[f64]> = score.iter().map(Vec::as_slice).collect();
    let whole = Many { classes: &classes, score: &score, predicted: &predicted, label: &label };
    let refused = |many: Many<'_>| fit_many(&many, &Options::default()).err();
    assert_eq!(refused(whole), None);
    assert_eq!(refused(Many { score: &score[..2], ..whole }), Some(Unfit::Lengths));
    assert_eq!(refused(Many { label: &label[..99], ..whole }), Some(Unfit::Lengths));
    assert_eq!(refused(Many { label: &[9; 100], ..whole }), Some(Unfit::Classes));
    let fitted = fit_many(&whole, &Options::default()).expect("rows");
    let found = fitted.estimate(&Columns { score: &score, predicted: &[&[7][..], &predicted[1..]].concat() });
    assert_eq!((found.rows, found.missing), (99, 1), "a class that the reference does not know");
}
