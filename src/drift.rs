//! Drift of one column: how far the current values lie from the reference.
//!
//! A test is a file below and a line in [`TESTS`]; names, docs and the law tests follow from the list. What of a column is judged,
//! each aspect with a p-value and an effect, is `aspect`'s; when that is drift, `verdict`'s. Reading columns is left to others.

#![warn(clippy::arithmetic_side_effects)]

pub mod aspect;
pub mod baseline;
mod bins;
mod chi_squared;
pub mod comparison;
pub mod effect;
mod homogeneity;
mod jensen_shannon;
mod ks;
mod power;
mod psi;
mod ranks;
mod sample;
mod variation;
pub mod verdict;
mod walk;
mod wasserstein;
pub mod words;

pub use bins::{Bins, Counts, MISSING, OTHER};
pub use sample::{Kind, Sample};

/// What a test found. What is undefined is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Outcome {
    /// The test's statistic.
    pub statistic: Option<f64>,
    /// How likely a statistic at least as large is when both sides have one distribution.
    pub p_value: Option<f64>,
}

/// What is compared: both sides' values, and their counts in the bins of the reference.
#[derive(Debug)]
pub struct Pair<'a> {
    /// The reference.
    pub reference: &'a Sample,
    /// The current values.
    pub current: &'a Sample,
    /// Both sides' counts, bin by bin.
    pub counts: Counts,
}

impl<'a> Pair<'a> {
    /// Bins both sides by `bins`, which were made of the reference.
    #[must_use]
    pub fn new(bins: &Bins, reference: &'a Sample, current: &'a Sample) -> Self {
        Self { reference, current, counts: bins.count_both(reference, current) }
    }
}

/// What a statistic keeps to, whatever the data. Tests hold it to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// It is no more than 1.
    UpToOne,
    /// It has the column's own unit: it grows as the values are scaled. Without this law a change of unit changes nothing.
    HasUnit,
    /// It does not mind which side is the reference.
    Symmetric,
    /// Of three samples of categories no two are further apart than by way of the third.
    Triangle,
}

/// One drift test.
pub struct Test {
    /// As the output, the metrics and the config name it.
    pub name: &'static str,
    /// The kinds of columns it is for.
    pub kinds: &'static [Kind],
    /// What its statistic keeps to.
    pub laws: &'static [Law],
    /// One sentence for people, with the definition's own choices.
    pub help: &'static str,
    compute: fn(&Pair<'_>) -> Outcome,
}

impl Test {
    /// Runs it. Without values on either side nothing is defined; a result that is not finite is none.
    #[must_use]
    pub fn run(&self, pair: &Pair<'_>) -> Outcome {
        if pair.reference.rows() == 0 || pair.current.rows() == 0 {
            return Outcome::default();
        }
        let Outcome { statistic, p_value } = (self.compute)(pair);
        Outcome { statistic: statistic.filter(|v| v.is_finite()), p_value: p_value.filter(|v| v.is_finite()) }
    }
}

/// Every test, in the order they are shown.
pub static TESTS: &[Test] = &[
    Test {
        name: "ks",
        kinds: &[Kind::Numeric],
        laws: &[Law::UpToOne, Law::Symmetric],
        help: "Two-sample Kolmogorov-Smirnov distance; exact p-value up to 10,000 values a side.",
        compute: ks::ks,
    },
    Test {
        name: "psi",
        kinds: &[Kind::Numeric, Kind::Categorical],
        laws: &[],
        help: "Population stability index over the reference's deciles or categories; empty shares count as 0.0001.",
        compute: psi::psi,
    },
    Test {
        name: "jensen_shannon",
        kinds: &[Kind::Numeric, Kind::Categorical],
        laws: &[Law::UpToOne, Law::Triangle],
        help: "Jensen-Shannon distance (base 2, from 0 to 1) over the same bins.",
        compute: jensen_shannon::jensen_shannon,
    },
    Test {
        name: "wasserstein",
        kinds: &[Kind::Numeric],
        laws: &[Law::HasUnit, Law::Symmetric],
        help: "Wasserstein-1 distance, in the column's own unit.",
        compute: wasserstein::wasserstein,
    },
    Test {
        name: "chi_squared",
        kinds: &[Kind::Categorical],
        laws: &[],
        help: "Two-sample chi-squared test of homogeneity over the categories.",
        compute: chi_squared::chi_squared,
    },
];

/// The test of this name.
#[must_use]
pub fn test(name: &str) -> Option<&'static Test> {
    TESTS.iter().find(|test| test.name == name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn outcomes(reference: &Sample, current: &Sample) -> Vec<(&'static Test, Outcome)> {
        let bins = Bins::of(reference);
        let pair = Pair::new(&bins, reference, current);
        TESTS.iter().filter(|t| t.kinds.contains(&reference.kind())).map(|t| (t, t.run(&pair))).collect()
    }

    /// The statistics of the tests that keep the law.
    fn lawful(law: Law, reference: &Sample, current: &Sample) -> Vec<(&'static str, Option<f64>)> {
        let all = outcomes(reference, current).into_iter().filter(|(test, _)| test.laws.contains(&law));
        all.map(|(test, outcome)| (test.name, outcome.statistic)).collect()
    }

    fn numeric() -> impl Strategy<Value = Sample> {
        // Few distinct values make ties, many make none.
        let value = prop_oneof![(-5..5_i32).prop_map(f64::from), -1e6..1e6f64];
        prop::collection::vec(prop::option::weighted(0.9, value), 0..120).prop_map(Sample::numeric)
    }

    fn categorical() -> impl Strategy<Value = Sample> {
        prop::collection::vec(prop::option::weighted(0.9, 0..6_u8), 0..120)
            .prop_map(|v| Sample::categorical(v.into_iter().map(|v| v.map(|v| format!("c{v}")))))
    }

    fn hold(reference: &Sample, current: &Sample) -> Result<(), TestCaseError> {
        let defined = reference.rows() > 0 && current.rows() > 0;
        for (Test { name, laws, .. }, outcome) in outcomes(reference, current) {
            if let Some(value) = outcome.statistic {
                prop_assert!(defined && value.is_finite() && value >= 0.0, "{name}: {value}");
                if laws.contains(&Law::UpToOne) {
                    prop_assert!(value <= 1.0 + 1e-12, "{name}: {value}");
                }
            }
            if let Some(p) = outcome.p_value {
                prop_assert!((0.0..=1.0 + 1e-12).contains(&p), "{name}: {p}");
            }
        }
        for (Test { name, .. }, outcome) in outcomes(reference, reference) {
            prop_assert!(outcome.statistic.is_none_or(|v| v.abs() < 1e-9), "{name} of a column with itself");
            prop_assert!(outcome.p_value.is_none_or(|p| p > 0.999_999), "{name} of a column with itself");
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn numeric_tests_keep_the_laws(reference in numeric(), current in numeric()) {
            hold(&reference, &current)?;
        }

        #[test]
        fn categorical_tests_keep_the_laws(reference in categorical(), current in categorical()) {
            hold(&reference, &current)?;
        }

        /// Ranks know no unit: a growing map of both sides moves no rank; what has the unit scales.
        #[test]
        fn a_change_of_unit_changes_what_has_the_unit_alone(
            a in prop::collection::vec(-100..100_i32, 1..80), b in prop::collection::vec(-100..100_i32, 1..80),
        ) {
            let sample = |v: &[i32], scale: f64| Sample::numeric(v.iter().map(|v| Some(f64::from(*v) * scale)));
            let plain = outcomes(&sample(&a, 1.0), &sample(&b, 1.0));
            let scaled = outcomes(&sample(&a, 4.0), &sample(&b, 4.0));
            for ((Test { name, laws, .. }, one), (_, four)) in plain.into_iter().zip(scaled) {
                let factor = if laws.contains(&Law::HasUnit) { 4.0 } else { 1.0 };
                let (one, four) = (one.statistic.unwrap_or(0.0) * factor, four.statistic.unwrap_or(0.0));
                prop_assert!((one - four).abs() <= 1e-9 * one.abs().max(1.0), "{name}: {one} {four}");
            }
        }

        /// Distances of whole distributions do not mind which side is the reference.
        #[test]
        fn symmetric_distances_are_symmetric(a in numeric(), b in numeric()) {
            let (there, back) = (lawful(Law::Symmetric, &a, &b), lawful(Law::Symmetric, &b, &a));
            prop_assert!(!there.is_empty());
            for ((name, there), (_, back)) in there.into_iter().zip(back) {
                prop_assert_eq!(there.is_some(), back.is_some());
                let (there, back) = (there.unwrap_or(0.0), back.unwrap_or(0.0));
                prop_assert!((there - back).abs() <= 1e-9 * there.abs().max(1.0), "{name}: {there} {back}");
            }
        }

        /// A metric over categories, such as Jensen-Shannon: the triangle holds.
        #[test]
        fn metrics_keep_the_triangle(a in categorical(), b in categorical(), c in categorical()) {
            let distances = |x: &Sample, y: &Sample| lawful(Law::Triangle, x, y);
            // A missing bin is there only where either side has one, so it is given to all three or to none.
            prop_assume!([&a, &b, &c].iter().all(|s| s.rows() > 0));
            let (ab, bc, ac) = (distances(&a, &b), distances(&b, &c), distances(&a, &c));
            prop_assert!(!ab.is_empty());
            for (((name, ab), (_, bc)), (_, ac)) in ab.into_iter().zip(bc).zip(ac) {
                if let (Some(ab), Some(bc), Some(ac)) = (ab, bc, ac) {
                    prop_assert!(ac <= ab + bc + 1e-9, "{name}: {ac} > {ab} + {bc}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_defined_without_rows() {
        let (none, some) = (Sample::numeric([]), Sample::numeric([Some(1.0)]));
        for (test, outcome) in outcomes(&none, &some).into_iter().chain(outcomes(&some, &none)) {
            assert_eq!(outcome, Outcome::default(), "{}", test.name);
        }
    }

    #[test]
    fn names_are_told_apart() {
        let mut names: Vec<&str> = TESTS.iter().map(|test| test.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TESTS.len());
        assert!(test("psi").is_some() && test("PSI").is_none());
    }

    #[test]
    fn what_differs_by_a_hair_has_a_distance() {
        // Rounding puts this divergence below zero, where there is no root.
        let sample = Sample::categorical([Some("a".to_owned())]);
        let counts = Counts { reference: vec![118_034_063, 176_397_250], current: vec![118_034_064, 176_397_250] };
        let pair = Pair { reference: &sample, current: &sample, counts };
        let distance = test("jensen_shannon").expect("a test").run(&pair);
        assert_eq!(distance.statistic, Some(0.0));
    }
}
