//! Drift: how far current values lie from the reference, column by column, and all columns together (`multi`).
//!
//! A test is a file below and a line in [`TESTS`]; names, docs and the law tests follow from the list. What of a column is judged,
//! each aspect with a p-value and an effect, is `aspect`'s; when that is drift, `verdict`'s. What other tools say is in `modes`.
//! Texts and dates become columns of numbers in `derived`, vectors a cloud in `embedding`. A reference in a few kilobytes, without
//! its rows, is `profile`'s. Reading columns is left to others.

#![warn(clippy::arithmetic_side_effects)]

mod anderson_darling;
mod area;
pub mod aspect;
pub mod baseline;
mod bins;
mod chi_squared;
mod chunks;
pub mod comparison;
mod cramer_von_mises;
pub mod derived;
pub mod effect;
pub mod embedding;
mod energy;
mod findings;
mod fisher;
mod g_test;
mod hellinger;
mod homogeneity;
mod jensen_shannon;
mod kl;
mod ks;
mod l_infinity;
mod mann_whitney;
mod merged;
pub mod modes;
pub mod moved;
pub mod multi;
pub mod naming;
mod noise;
pub mod odd;
pub mod order;
pub mod over_time;
mod power;
pub mod profile;
mod psi;
mod sample;
pub mod spread;
pub mod stream;
mod tvd;
mod two_by_two;
pub mod variation;
pub mod verdict;
mod wasserstein;
mod wasserstein_normed;
mod welch_t;
pub mod words;
mod z_test;

use std::cell::OnceCell;

use self::baseline::Baseline;
use self::effect::Scale;
use self::merged::Merged;
pub use bins::{Bins, Counts, MISSING, OTHER};
pub use sample::{Kind, Sample, side_by_side};

/// What a test found. What is undefined is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Outcome {
    /// The test's statistic.
    pub statistic: Option<f64>,
    /// How likely a statistic at least as large is when both sides have one distribution.
    pub p_value: Option<f64>,
}

/// What is compared: both sides' values, and their counts in the bins of the reference.
pub struct Pair<'a> {
    /// The reference.
    pub reference: &'a Sample,
    /// The current values.
    pub current: &'a Sample,
    /// Both sides' counts, bin by bin.
    pub counts: Counts,
    /// Up to so many values of the larger side a p-value may take time that grows with their product.
    pub exact_up_to: usize,
    /// What numbers are measured by, where an effect is wanted.
    scale: Option<Scale>,
    merged: OnceCell<Option<Merged>>,
}

/// As scipy has it.
pub const EXACT_UP_TO: usize = 10_000;

impl<'a> Pair<'a> {
    /// Bins both sides by `bins`, which were made of the reference.
    #[must_use]
    pub fn new(bins: &Bins, reference: &'a Sample, current: &'a Sample) -> Self {
        Self::counted(reference, current, bins.count_both(reference, current))
    }

    fn counted(reference: &'a Sample, current: &'a Sample, counts: Counts) -> Self {
        Self { reference, current, counts, exact_up_to: EXACT_UP_TO, scale: None, merged: OnceCell::new() }
    }

    /// The same against a column of the reference of which more is known.
    #[must_use]
    pub fn against(baseline: &'a Baseline, current: &'a Sample) -> Self {
        let pair = Self::new(&baseline.bins, &baseline.sample, current);
        Self { exact_up_to: baseline.exact_up_to, scale: baseline.scale, ..pair }
    }

    /// Both sides' numbers. `None` of categories, and where a side has none.
    fn numbers(&self) -> Option<(&'a [f64], &'a [f64])> {
        match (self.reference, self.current) {
            (Sample::Numeric { sorted: a, .. }, Sample::Numeric { sorted: b, .. })
                if !a.is_empty() && !b.is_empty() =>
            {
                Some((a, b))
            }
            _ => None,
        }
    }

    /// Both sides' numbers walked over, the first time that anything of it is asked for.
    fn merged(&self) -> Option<&Merged> {
        let walk = || self.numbers().and_then(|(a, b)| Merged::of(a, b, self.scale));
        self.merged.get_or_init(walk).as_ref()
    }
}

/// What a statistic keeps to, whatever the data. Tests hold it to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// It is a distance: it is never below 0, and 0 where both sides are the same.
    Distance,
    /// Its p-value is 1 where both sides are the same.
    SureOfTheSame,
    /// It is no more than 1.
    UpToOne,
    /// It has the column's own unit: it grows as the values are scaled. Without this law a change of unit changes nothing.
    HasUnit,
    /// It grows with the root of the scale.
    HasRootOfUnit,
    /// It does not mind which side is the reference.
    Symmetric,
    /// With the sides swapped it has the other sign.
    Antisymmetric,
    /// Of three samples of categories no two are further apart than by way of the third.
    Triangle,
}

/// One drift test.
pub struct Test {
    /// As the output, the metrics and the config name it.
    pub name: &'static str,
    /// The kinds of columns it is for.
    pub kinds: &'static [Kind],
    /// What it keeps to.
    pub laws: &'static [Law],
    /// Whether it is run where none are chosen.
    pub default: bool,
    /// One sentence for people, with the definition's own choices.
    pub help: &'static str,
    compute: fn(&Pair<'_>) -> Outcome,
    /// How far a statistic lies from what it is without a change, as a threshold of it says.
    apart: fn(Option<f64>, &Pair<'_>) -> Option<f64>,
}

/// Either way.
fn from_zero(statistic: Option<f64>, _: &Pair<'_>) -> Option<f64> {
    statistic.map(f64::abs)
}

/// What a test found of a column.
#[derive(Clone)]
pub struct Ran {
    /// Which.
    pub test: &'static Test,
    /// What it found.
    pub outcome: Outcome,
    /// How far that lies from no change, as a threshold of the test says.
    pub apart: Option<f64>,
}

impl Ran {
    fn new(test: &'static Test, pair: &Pair<'_>) -> Self {
        let outcome = test.run(pair);
        let told = outcome.statistic.or(outcome.p_value).is_some();
        let apart = told.then(|| (test.apart)(outcome.statistic, pair)).flatten();
        Self { test, outcome, apart: apart.filter(|apart| apart.is_finite()) }
    }
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
        laws: &[Law::Distance, Law::SureOfTheSame, Law::UpToOne, Law::Symmetric],
        default: true,
        help: "Two-sample Kolmogorov-Smirnov distance; exact p-value up to 10,000 values a side, in an agent 1,000.",
        compute: ks::ks,
        apart: from_zero,
    },
    Test {
        name: "psi",
        kinds: &[Kind::Numeric, Kind::Categorical],
        laws: &[Law::Distance],
        default: true,
        help: "Population stability index over the reference's deciles or categories; empty shares count as 0.0001. A threshold is held against what is left without the noise of both samples.",
        compute: psi::psi,
        apart: noise::off_psi,
    },
    Test {
        name: "jensen_shannon",
        kinds: &[Kind::Numeric, Kind::Categorical],
        laws: &[Law::Distance, Law::UpToOne, Law::Triangle],
        default: true,
        help: "Jensen-Shannon distance (base 2, from 0 to 1) over the same bins.",
        compute: jensen_shannon::jensen_shannon,
        apart: from_zero,
    },
    Test {
        name: "wasserstein",
        kinds: &[Kind::Numeric],
        laws: &[Law::Distance, Law::HasUnit, Law::Symmetric],
        default: true,
        help: "Wasserstein-1 distance, in the column's own unit.",
        compute: wasserstein::wasserstein,
        apart: from_zero,
    },
    Test {
        name: "chi_squared",
        kinds: &[Kind::Categorical],
        laws: &[Law::Distance, Law::SureOfTheSame, Law::Symmetric],
        default: true,
        help: "Two-sample chi-squared test of homogeneity over the categories.",
        compute: chi_squared::chi_squared,
        apart: from_zero,
    },
    Test {
        name: "wasserstein_normed",
        kinds: &[Kind::Numeric],
        laws: &[Law::Distance],
        default: false,
        help: "Wasserstein-1 distance over the reference's standard deviation, which counts as 0.001 at least (Evidently's).",
        compute: wasserstein_normed::wasserstein_normed,
        apart: from_zero,
    },
    Test {
        name: "energy",
        kinds: &[Kind::Numeric],
        laws: &[Law::Distance, Law::HasRootOfUnit, Law::Symmetric],
        default: false,
        help: "Energy distance, in the root of the column's own unit.",
        compute: energy::energy,
        apart: from_zero,
    },
    Test {
        name: "cramer_von_mises",
        kinds: &[Kind::Numeric],
        laws: &[Law::SureOfTheSame, Law::Symmetric],
        default: false,
        help: "Two-sample Cramér-von Mises criterion; exact p-value up to 20 values a side. Midranks for ties, as scipy: too large where many values are tied and the sides are of unequal size.",
        compute: cramer_von_mises::cramer_von_mises,
        apart: from_zero,
    },
    Test {
        name: "anderson_darling",
        kinds: &[Kind::Numeric],
        laws: &[Law::Symmetric],
        default: false,
        help: "Two-sample Anderson-Darling statistic with midranks, standardised; its p-value is read off a table and ends at 0.25 and 0.001. Below 0 the sides are more alike than by chance: no threshold is met.",
        compute: anderson_darling::anderson_darling,
        apart: anderson_darling::apart,
    },
    Test {
        name: "mann_whitney",
        kinds: &[Kind::Numeric],
        laws: &[Law::SureOfTheSame],
        default: false,
        help: "Mann-Whitney U: pairs in which the reference's value is larger, ties by half; p-value exact with at most 8 values on a side and no ties. A threshold counts pairs more or fewer than half of all.",
        compute: mann_whitney::mann_whitney,
        apart: mann_whitney::apart,
    },
    Test {
        name: "welch_t",
        kinds: &[Kind::Numeric],
        laws: &[Law::SureOfTheSame, Law::Antisymmetric],
        default: false,
        help: "Welch's t-test of the means, without the assumption of one variance; above 0 where the reference's is larger.",
        compute: welch_t::welch_t,
        apart: from_zero,
    },
    Test {
        name: "hellinger",
        kinds: &[Kind::Numeric, Kind::Categorical],
        laws: &[Law::Distance, Law::UpToOne, Law::Triangle],
        default: false,
        help: "Hellinger distance (from 0 to 1) over the same bins. A threshold is held against what is left without the noise of both samples.",
        compute: hellinger::hellinger,
        apart: noise::off_hellinger,
    },
    Test {
        name: "kl",
        kinds: &[Kind::Numeric, Kind::Categorical],
        laws: &[Law::Distance],
        default: false,
        help: "Kullback-Leibler divergence of the reference from the current rows, in nats, over the same bins; empty shares count as 0.0001. A threshold is held against what is left without the noise of both samples.",
        compute: kl::kl,
        apart: noise::off_kl,
    },
    Test {
        name: "tvd",
        kinds: &[Kind::Numeric, Kind::Categorical],
        laws: &[Law::Distance, Law::UpToOne, Law::Triangle],
        default: false,
        help: "Total variation distance: half the sum of the differences of shares, over the same bins.",
        compute: tvd::tvd,
        apart: from_zero,
    },
    Test {
        name: "l_infinity",
        kinds: &[Kind::Numeric, Kind::Categorical],
        laws: &[Law::Distance, Law::UpToOne, Law::Triangle],
        default: false,
        help: "The largest difference of shares, over the same bins.",
        compute: l_infinity::l_infinity,
        apart: from_zero,
    },
    Test {
        name: "g_test",
        kinds: &[Kind::Categorical],
        laws: &[Law::Distance, Law::SureOfTheSame, Law::Symmetric],
        default: false,
        help: "Two-sample G-test of homogeneity over the categories, by the likelihood ratio.",
        compute: g_test::g_test,
        apart: from_zero,
    },
    Test {
        name: "z_test",
        kinds: &[Kind::Categorical],
        laws: &[Law::SureOfTheSame, Law::Antisymmetric],
        default: false,
        help: "Z-test of two proportions, pooled, for columns of exactly two categories; missing values are left out. Above 0 where the last category is more frequent in the reference.",
        compute: z_test::z_test,
        apart: from_zero,
    },
    Test {
        name: "fisher",
        kinds: &[Kind::Categorical],
        laws: &[Law::SureOfTheSame],
        default: false,
        help: "Fisher's exact test for columns of exactly two categories; missing values are left out. The statistic is the odds ratio of the last category, reference to current. A threshold counts from 1, as a ratio: 0.4 is as far as 2.5.",
        compute: fisher::fisher,
        apart: fisher::apart,
    },
];

/// Those that are run where none are chosen.
#[must_use]
pub fn defaults() -> Vec<&'static Test> {
    TESTS.iter().filter(|test| test.default).collect()
}

/// The test of this name.
#[must_use]
pub fn test(name: &str) -> Option<&'static Test> {
    TESTS.iter().find(|test| test.name == name)
}

/// The tests that a list of names with commas between them chooses, or `all`; in the order they are shown.
///
/// # Errors
///
/// Says which name is unknown, and which there are.
pub fn selected(names: &str) -> Result<Vec<&'static Test>, String> {
    let names: Vec<&str> = names.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let is_known = |name: &str| name == "all" || test(name).is_some();
    let known = || TESTS.iter().map(|test| test.name).collect::<Vec<_>>().join(", ");
    if let Some(unknown) = names.iter().find(|name| !is_known(name)) {
        return Err(format!("no drift test is called `{unknown}`; there are {}, or `all` of them", known()));
    }
    if names.is_empty() {
        return Err(format!("no drift test is named; there are {}, or `all` of them", known()));
    }
    Ok(TESTS.iter().filter(|test| names.iter().any(|name| *name == "all" || *name == test.name)).collect())
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
        // Up to six categories, often two; missing values in some.
        (prop_oneof![Just(2_u8), 1..=6_u8], prop_oneof![Just(0.9), Just(0.999)])
            .prop_flat_map(|(names, present)| prop::collection::vec(prop::option::weighted(present, 0..names), 0..120))
            .prop_map(|v| Sample::categorical(v.into_iter().map(|v| v.map(|v| format!("c{v}")))))
    }

    fn hold(reference: &Sample, current: &Sample) -> Result<(), TestCaseError> {
        let defined = reference.rows() > 0 && current.rows() > 0;
        for (Test { name, laws, .. }, outcome) in outcomes(reference, current) {
            if let Some(value) = outcome.statistic {
                prop_assert!(defined && value.is_finite(), "{name}: {value}");
                prop_assert!(value >= 0.0 || !laws.contains(&Law::Distance), "{name}: {value}");
                if laws.contains(&Law::UpToOne) {
                    prop_assert!(value <= 1.0 + 1e-12, "{name}: {value}");
                }
            }
            if let Some(p) = outcome.p_value {
                prop_assert!((0.0..=1.0 + 1e-12).contains(&p), "{name}: {p}");
            }
        }
        for (Test { name, laws, .. }, outcome) in outcomes(reference, reference) {
            let near = |distance: f64| distance.abs() < 1e-9 || !laws.contains(&Law::Distance);
            let sure = |p: f64| p > 0.999_999 || !laws.contains(&Law::SureOfTheSame);
            prop_assert!(outcome.statistic.is_none_or(near), "{name} of a column with itself");
            prop_assert!(outcome.p_value.is_none_or(sure), "{name} of a column with itself");
        }
        Ok(())
    }

    fn swap(a: &Sample, b: &Sample) -> Result<(), TestCaseError> {
        let same = |one: Option<f64>, other: Option<f64>, sign: f64| match (one, other) {
            (Some(one), Some(other)) => (one - sign * other).abs() <= 1e-9 * one.abs().max(1.0),
            (one, other) => one.is_some() == other.is_some(),
        };
        for ((Test { name, laws, .. }, there), (_, back)) in outcomes(a, b).into_iter().zip(outcomes(b, a)) {
            prop_assert!(same(there.p_value, back.p_value, 1.0), "{name}: {there:?} {back:?}");
            for (law, sign) in [(Law::Symmetric, 1.0), (Law::Antisymmetric, -1.0)] {
                let keeps = !laws.contains(&law) || same(there.statistic, back.statistic, sign);
                prop_assert!(keeps, "{name}: {there:?} {back:?}");
            }
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
            // A reference of one value has no deviation, and what stands for one has a unit.
            prop_assume!(a.iter().any(|v| *v != a[0]));
            let sample = |v: &[i32], scale: f64| Sample::numeric(v.iter().map(|v| Some(f64::from(*v) * scale)));
            let plain = outcomes(&sample(&a, 1.0), &sample(&b, 1.0));
            let scaled = outcomes(&sample(&a, 4.0), &sample(&b, 4.0));
            for ((Test { name, laws, .. }, one), (_, four)) in plain.into_iter().zip(scaled) {
                let factor = if laws.contains(&Law::HasUnit) {
                    4.0
                } else if laws.contains(&Law::HasRootOfUnit) {
                    2.0
                } else {
                    1.0
                };
                prop_assert_eq!(one.p_value, four.p_value, "{}", name);
                let (one, four) = (one.statistic.unwrap_or(0.0) * factor, four.statistic.unwrap_or(0.0));
                prop_assert!((one - four).abs() <= 1e-9 * one.abs().max(1.0), "{name}: {one} {four}");
            }
        }

        /// Distances of whole distributions do not mind which side is the reference; what has a sign turns it.
        #[test]
        fn swapped_sides_say_the_same_of_numbers(a in numeric(), b in numeric()) {
            swap(&a, &b)?;
        }

        #[test]
        fn swapped_sides_say_the_same_of_categories(a in categorical(), b in categorical()) {
            swap(&a, &b)?;
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
    fn tests_are_chosen_by_name() {
        let names = |list: &str| selected(list).map(|tests| tests.iter().map(|test| test.name).collect::<Vec<_>>());
        assert_eq!(names(" tvd, ks,,tvd "), Ok(vec!["ks", "tvd"]), "in the order they are shown, each once");
        assert_eq!(names("all").map(|all| all.len()), Ok(TESTS.len()));
        assert_eq!(names("ks,all").map(|all| all.len()), Ok(TESTS.len()));
        for list in ["kss", "ks,kss", "all,kss"] {
            let error = names(list).expect_err("unknown");
            assert!(error.contains("`kss`") && TESTS.iter().all(|test| error.contains(test.name)), "{error}");
        }
        assert!(names(" ,").is_err_and(|error| error.contains("wasserstein_normed")));
        assert!(names("KS").is_err());
    }

    #[test]
    fn five_are_run_where_none_are_chosen() {
        let default: Vec<&str> = TESTS.iter().filter(|test| test.default).map(|test| test.name).collect();
        assert_eq!(default, ["ks", "psi", "jensen_shannon", "wasserstein", "chi_squared"]);
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
        let pair = Pair::counted(&sample, &sample, counts);
        let distance = test("jensen_shannon").expect("a test").run(&pair);
        assert_eq!(distance.statistic, Some(0.0));
    }
}
