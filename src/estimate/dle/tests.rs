use super::*;
use crate::stats::random::Random;

/// Rows whose noise grows with the first input; the third is a category, one of which is twice as noisy. The model is right on average.
struct Rows {
    features: Vec<Column>,
    predicted: Vec<f64>,
    label: Vec<f64>,
    /// The mean absolute error to be expected.
    wanted: f64,
}

fn rows(random: &mut Random, count: usize, input: impl Fn(f64) -> f64, even: bool) -> Rows {
    let (mut noisy, mut calm, mut names) = (Vec::new(), Vec::new(), Vec::new());
    let (mut predicted, mut label, mut wanted) = (Vec::new(), Vec::new(), 0.0);
    for _ in 0..count {
        let (first, second, odd) = (input(random.uniform()), random.uniform(), random.uniform() < 0.3);
        let deviation = if even { 1.0 } else { (0.5 + 2.0 * first) * if odd { 2.0 } else { 1.0 } };
        let truth = 20.0 + 5.0 * first + 3.0 * second;
        noisy.push(Some(first));
        calm.push((random.uniform() > 0.05).then_some(second));
        names.push(Some(if odd { "odd" } else { "plain" }.to_owned()));
        predicted.push(truth);
        label.push(truth + deviation * random.normal());
        wanted += deviation * (2.0 / std::f64::consts::PI).sqrt() / count as f64;
    }
    Rows {
        features: vec![Column::Numbers(noisy), Column::Numbers(calm), Column::Names(names)],
        predicted,
        label,
        wanted,
    }
}

impl Rows {
    fn labelled(&self) -> Regression<'_> {
        Regression { features: &self.features, predicted: &self.predicted, label: &self.label }
    }
}

#[test]
fn without_drift_it_is_what_the_reference_realised() {
    let mut random = Random::new(1);
    let reference = rows(&mut random, 3000, |u| u, false);
    let fitted = fit(&reference.labelled(), None).expect("rows");
    let found = fitted.compare(&rows(&mut random, 3000, |u| u, false).labelled());
    assert_eq!(found.figures.len(), 6);
    for figure in &found.figures {
        let (value, truth) = figure.value.zip(figure.realised).expect("defined");
        assert!((value / truth - 1.0).abs() < 0.12 && !figure.alert, "{figure:?}");
    }
    for quality in fitted.quality() {
        let measure = found.figure(quality.measure).and_then(|figure| figure.value).expect("defined");
        assert!(quality.explained > 0.05 && quality.error.is_some_and(|error| error < 0.25 * measure), "{quality:?}");
    }
}

#[test]
fn it_follows_inputs_that_move_to_where_errors_are_large() {
    let mut random = Random::new(2);
    let reference = rows(&mut random, 4000, |u| u, false);
    let fitted = fit(&reference.labelled(), None).expect("rows");
    let moved = rows(&mut random, 2000, |u| 0.6 + 0.4 * u, false);
    let found = fitted.compare(&moved.labelled());
    let figure = found.figure("mae").expect("estimated");
    assert!((figure.value.expect("defined") / moved.wanted - 1.0).abs() < 0.06, "{figure:?} {}", moved.wanted);
    assert!(figure.alert && figure.value > figure.threshold_high, "{figure:?}");
    assert!(found.outside.is_some_and(|share| share < 0.01), "{:?}", found.outside);
}

#[test]
fn even_noise_is_no_business_of_the_trees() {
    let mut random = Random::new(3);
    let fitted = fit(&rows(&mut random, 2000, |u| u, true).labelled(), None).expect("rows");
    assert!(fitted.quality().iter().all(|quality| quality.explained < 0.02), "{:?}", fitted.quality());
    let figure = fitted.estimate(&rows(&mut random, 500, |u| u * u, true).features, &[22.0; 500]).figures[0].clone();
    assert!(figure.value.is_some_and(|value| (value / 0.798 - 1.0).abs() < 0.06), "{figure:?}");
}

#[test]
fn bands_hold_the_truth_as_often_as_they_say() {
    let (mut within, mut all) = (0, 0);
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let fitted = fit(&rows(&mut random, 700, |u| u, false).labelled(), None).expect("rows");
        for _ in 0..5 {
            let found = fitted.compare(&rows(&mut random, 150, |u| u, false).labelled());
            let figure = found.figure("mae").expect("estimated");
            let band = figure.low.zip(figure.high).expect("a band");
            within += u32::from((band.0..=band.1).contains(&figure.realised.expect("the truth")));
            all += 1;
        }
    }
    let share = f64::from(within) / f64::from(all);
    // Of 300 draws, by five of one reference.
    assert!((0.92..=0.98).contains(&share), "{share}");
}

#[test]
fn rows_beyond_the_reference_are_told_and_widen_the_band() {
    let mut random = Random::new(4);
    let fitted = fit(&rows(&mut random, 2000, |u| u, false).labelled(), None).expect("rows");
    let known = rows(&mut random, 400, |u| u, false);
    let mut beyond = rows(&mut random, 400, |u| u, false);
    beyond.features[2] =
        Column::Names((0..400).map(|i| Some(if i % 2 == 0 { "new" } else { "plain" }.to_owned())).collect());
    let [known, beyond] = [known, beyond].map(|rows| fitted.estimate(&rows.features, &rows.predicted));
    let wide = |found: &Estimate| {
        let figure = found.figure("mae").expect("estimated");
        figure.high.zip(figure.low).map(|(high, low)| high - low).expect("a band")
    };
    assert!(known.outside.is_some_and(|share| share < 0.01) && beyond.outside == Some(0.5), "{:?}", beyond.outside);
    assert!(wide(&beyond) > 2.0 * wide(&known), "{} {}", wide(&beyond), wide(&known));
}

#[test]
fn what_is_undefined_or_missing_is_none() {
    let mut random = Random::new(5);
    let mut reference = rows(&mut random, 300, |u| u, false);
    reference.label[7] = 0.0;
    reference.label[8] = f64::NAN;
    reference.predicted[9] = -3.0;
    let fitted = fit(&reference.labelled(), None).expect("rows");
    let names: Vec<&str> = fitted.quality().iter().map(|quality| quality.measure).collect();
    assert_eq!(names, ["mae", "mse", "rmse"], "relative to 0, or of less than -1, there is nothing");
    let mut few = rows(&mut random, 30, |u| u, false);
    few.predicted[3] = f64::NAN;
    let found = fitted.estimate(&few.features, &few.predicted);
    assert_eq!((found.rows, found.missing), (29, 1));
    let none = fitted.estimate(&few.features[..1], &few.predicted);
    assert_eq!((none.rows, none.missing, none.outside), (0, 30, None), "columns are lacking");
    assert!(none.figures.iter().all(|figure| figure.value.is_none() && figure.low.is_none()), "{none:?}");
    assert_eq!(fit(&Regression { label: &[1.0], ..reference.labelled() }, None).err(), Some(Unfit::Lengths));
    assert_eq!(fit(&few.labelled(), None).err(), Some(Unfit::Rows(100)));
    let exact = Rows { label: reference.predicted.clone(), ..reference };
    let found = fit(&exact.labelled(), None).expect("rows").compare(&exact.labelled());
    let figure = found.figure("mae").expect("estimated");
    assert_eq!((figure.value, figure.low, figure.high, figure.error), (Some(0.0), Some(0.0), Some(0.0), Some(0.0)));
}
