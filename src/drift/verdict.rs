//! From tests to a verdict: which test decides for a column, and which columns drift.
//!
//! Small references are judged by significance, with p-values corrected over the columns (Benjamini-Hochberg); with many
//! rows everything is significant, and the size of the change decides.

use serde::{Deserialize, Serialize};

use super::{Bins, Kind, Limit, Outcome, Pair, Sample, TESTS};
use crate::stats::correction::benjamini_hochberg;

/// When a change is drift.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// A corrected p-value below this is drift.
    pub significance: f64,
    /// A population stability index above this is drift.
    pub psi: f64,
    /// A Jensen-Shannon distance above this is drift.
    pub jensen_shannon: f64,
    /// Up to this many reference rows the p-value decides, beyond it the distance.
    #[serde(deserialize_with = "crate::units::count")]
    pub small_reference: u64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { significance: 0.05, psi: 0.2, jensen_shannon: 0.1, small_reference: 1000 }
    }
}

impl Thresholds {
    /// What is wrong with them, by field.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, &'static str)> {
        let mut found: Vec<(&str, &str)> = Vec::new();
        for setting in TESTS.iter().filter_map(|test| test.limit.setting()) {
            // Tests may share a setting.
            if !(setting.is_sound)((setting.value)(self)) && found.iter().all(|(name, _)| *name != setting.name) {
                found.push((setting.name, setting.must));
            }
        }
        found
    }

    /// Whether the p-value decides for a column with so many reference rows. Where it is undefined, because one side has no
    /// value at all, the distance decides: it counts what is missing.
    fn by_p_value(&self, reference_rows: u64, has_p_value: bool) -> bool {
        has_p_value && reference_rows <= self.small_reference
    }
}

/// What one test says of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tested {
    /// The test's name.
    pub test: String,
    /// Its statistic.
    pub statistic: Option<f64>,
    /// Its p-value, uncorrected, where it has one.
    pub p_value: Option<f64>,
    /// The p-value corrected over the columns; this is what is held against the threshold.
    pub p_adjusted: Option<f64>,
    /// Its threshold, where it has one.
    pub threshold: Option<f64>,
    /// Whether it lies beyond its threshold.
    pub drift: Option<bool>,
    /// Whether this test decides for the column.
    pub decides: bool,
}

/// What all tests say of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The column.
    pub name: String,
    /// How it was compared.
    pub kind: Kind,
    /// Each test that is for its kind.
    pub tests: Vec<Tested>,
    /// Share of reference rows without a value.
    pub reference_missing: Option<f64>,
    /// Share of current rows without a value.
    pub current_missing: Option<f64>,
    /// Categories that the reference does not have: how many in all, and the most frequent of them.
    pub new_categories: Named,
    /// Categories that the current rows do not have.
    pub vanished_categories: Named,
    /// The verdict. `None` when the deciding test is undefined.
    pub drift: Option<bool>,
    /// Both sides' counts, to be drawn over each other; of the newest window only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
}

/// Both sides' counts in the reference's bins: its deciles, or its most frequent categories and all others; the missing last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// What each bin holds.
    pub bins: Vec<String>,
    /// The reference's counts.
    pub reference: Vec<u64>,
    /// The current ones.
    pub current: Vec<u64>,
}

/// Categories with a bin of their own in a shape.
const DRAWN: usize = 10;

impl Shape {
    fn new(bins: &Bins, reference: &Sample, current: &Sample) -> Self {
        let bins = bins.most_frequent(reference, DRAWN);
        Self { bins: bins.short_labels(), reference: bins.count(reference), current: bins.count(current) }
    }
}

/// Some names out of a number of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// How many there are.
    pub count: u64,
    /// The first of them, most frequent first.
    pub names: Vec<String>,
}

/// Names shown of each kind of finding.
const NAMED: usize = 10;

/// One column's outcomes, before the correction over all of them.
#[derive(Clone)]
pub struct Measured {
    name: String,
    kind: Kind,
    reference_rows: u64,
    outcomes: Vec<(&'static super::Test, Outcome)>,
    reference_missing: Option<f64>,
    current_missing: Option<f64>,
    new_categories: Named,
    vanished_categories: Named,
    shape: Shape,
}

impl Measured {
    /// Runs every test for the column.
    #[must_use]
    pub fn new(name: &str, bins: &Bins, reference: &Sample, current: &Sample) -> Self {
        let pair = Pair::new(bins, reference, current);
        let kind = reference.kind();
        let share = |sample: &Sample| {
            let rows = sample.rows();
            (rows > 0).then(|| sample.missing() as f64 / rows as f64)
        };
        let (new_categories, vanished_categories) = match (reference, current) {
            (Sample::Categorical { counts: r, .. }, Sample::Categorical { counts: c, .. }) => {
                (only_in(c, r), if current.present() > 0 { only_in(r, c) } else { Named::default() })
            }
            _ => Default::default(),
        };
        Self {
            name: name.to_owned(),
            kind,
            reference_rows: reference.rows(),
            outcomes: TESTS
                .iter()
                .filter(|t| t.default && t.kinds.contains(&kind))
                .map(|test| (test, test.run(&pair)))
                .collect(),
            reference_missing: share(reference),
            current_missing: share(current),
            new_categories,
            vanished_categories,
            shape: Shape::new(bins, reference, current),
        }
    }
}

fn only_in(here: &std::collections::BTreeMap<String, u64>, there: &std::collections::BTreeMap<String, u64>) -> Named {
    let mut only: Vec<(&String, u64)> =
        here.iter().filter(|(c, _)| !there.contains_key(*c)).map(|(c, n)| (c, *n)).collect();
    only.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    Named { count: only.len() as u64, names: only.into_iter().take(NAMED).map(|(c, _)| c.clone()).collect() }
}

/// Judges all columns of one comparison together. Each has one test with a p-value (Kolmogorov-Smirnov or chi-squared);
/// these are corrected over the columns.
#[must_use]
pub fn judge(columns: Vec<Measured>, thresholds: &Thresholds) -> Vec<Judged> {
    let raw: Vec<Option<f64>> =
        columns.iter().map(|column| column.outcomes.iter().find_map(|(_, outcome)| outcome.p_value)).collect();
    let corrected = benjamini_hochberg(&raw);
    let judged = |(column, corrected): (Measured, Option<f64>)| {
        let has_p_value = column.outcomes.iter().any(|(_, outcome)| outcome.p_value.is_some());
        let by_p_value = thresholds.by_p_value(column.reference_rows, has_p_value);
        let tests: Vec<Tested> = column
            .outcomes
            .iter()
            .map(|(test, outcome)| {
                let threshold = test.limit.setting().map(|setting| (setting.value)(thresholds));
                let p_adjusted = outcome.p_value.and(corrected);
                let drift = threshold.and_then(|threshold| match test.limit {
                    Limit::Significance(_) => p_adjusted.map(|p| p < threshold),
                    Limit::Distance(_) => outcome.statistic.map(|distance| distance > threshold),
                    Limit::None => None,
                });
                Tested {
                    test: test.name.to_owned(),
                    statistic: outcome.statistic,
                    p_value: outcome.p_value,
                    p_adjusted,
                    threshold,
                    drift,
                    decides: test.decides(column.kind, by_p_value),
                }
            })
            .collect();
        Judged {
            drift: tests.iter().find(|test| test.decides).and_then(|test| test.drift),
            name: column.name,
            kind: column.kind,
            tests,
            reference_missing: column.reference_missing,
            current_missing: column.current_missing,
            new_categories: column.new_categories,
            vanished_categories: column.vanished_categories,
            shape: Some(column.shape),
        }
    };
    columns.into_iter().zip(corrected).map(judged).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, rows: u32, shift: f64) -> Measured {
        let values = |by: f64| Sample::numeric((0..rows).map(move |i| Some(f64::from(i % 97) + by)));
        let reference = values(0.0);
        Measured::new(name, &Bins::of(&reference), &reference, &values(shift))
    }

    #[test]
    fn the_reference_size_chooses_the_test() {
        let decides = |judged: &Judged| judged.tests.iter().find(|t| t.decides).map(|t| t.test.clone());
        let judged = judge(vec![column("small", 1000, 30.0), column("large", 1001, 30.0)], &Thresholds::default());
        assert_eq!(judged.iter().filter_map(decides).collect::<Vec<_>>(), ["ks", "psi"]);
        assert!(judged.iter().all(|column| column.drift == Some(true)));
        let calm = judge(vec![column("same", 1000, 0.0)], &Thresholds::default());
        assert_eq!(calm[0].drift, Some(false));
    }

    #[test]
    fn p_values_are_corrected_over_the_columns() {
        // One column with a p-value just below 0.05 drifts alone, but not among twenty that do not.
        let one =
            |n: usize| (0..n).map(|i| column(&i.to_string(), 200, if i == 0 { 13.0 } else { 0.0 })).collect::<Vec<_>>();
        let alone = judge(one(1), &Thresholds::default());
        let p = alone[0].tests[0].p_value.expect("defined");
        assert!((0.0025..0.05).contains(&p), "{p}");
        assert_eq!(alone[0].drift, Some(true));
        let among = judge(one(20), &Thresholds::default());
        assert_eq!(among[0].drift, Some(false), "{:?}", among[0].tests[0]);
    }

    #[test]
    fn categories_that_come_and_go_are_named() {
        let of = |values: &[&str]| Sample::categorical(values.iter().map(|v| Some((*v).to_owned())));
        let (reference, current) = (of(&["a", "b", "b"]), of(&["b", "x", "x", "y"]));
        let judged =
            judge(vec![Measured::new("c", &Bins::of(&reference), &reference, &current)], &Thresholds::default());
        assert_eq!(judged[0].new_categories, Named { count: 2, names: vec!["x".into(), "y".into()] });
        assert_eq!(judged[0].vanished_categories, Named { count: 1, names: vec!["a".into()] });
    }

    #[test]
    fn a_column_that_goes_missing_drifts() {
        let (reference, current) = (Sample::numeric([Some(1.0); 900]), Sample::numeric([None; 900]));
        let judged =
            judge(vec![Measured::new("c", &Bins::of(&reference), &reference, &current)], &Thresholds::default());
        assert_eq!(judged[0].drift, Some(true));
    }

    #[test]
    fn a_column_without_rows_has_no_verdict() {
        let (reference, current) = (Sample::numeric([Some(1.0)]), Sample::numeric([]));
        let judged =
            judge(vec![Measured::new("c", &Bins::of(&reference), &reference, &current)], &Thresholds::default());
        assert_eq!(judged[0].drift, None);
    }

    #[test]
    fn thresholds_have_bounds() {
        let fields =
            |thresholds: Thresholds| thresholds.problems().into_iter().map(|(field, _)| field).collect::<Vec<_>>();
        let default = Thresholds::default();
        assert_eq!(fields(Thresholds { jensen_shannon: 1.0, psi: 9.0, ..default }), [""; 0]);
        for significance in [0.0, 1.0] {
            assert_eq!(fields(Thresholds { significance, ..default }), ["significance"]);
        }
        for psi in [0.0, f64::INFINITY] {
            assert_eq!(fields(Thresholds { psi, ..default }), ["psi"]);
        }
        for jensen_shannon in [0.0, 1.1] {
            assert_eq!(fields(Thresholds { jensen_shannon, ..default }), ["jensen_shannon"]);
        }
    }

    #[test]
    fn each_test_has_its_own_threshold_and_to_reach_it_is_no_drift() {
        let found = |judged: &[Judged], name: &str| judged[0].tests.iter().find(|test| test.test == name).cloned();
        let psi =
            |thresholds: &Thresholds| found(&judge(vec![column("c", 200, 13.0)], thresholds), "psi").expect("psi");
        let distance = psi(&Thresholds::default()).statistic.expect("defined");
        let at = Thresholds { psi: distance, jensen_shannon: 1.0, ..Thresholds::default() };
        assert_eq!((psi(&at).threshold, psi(&at).drift), (Some(distance), Some(false)));
        let judged = judge(vec![column("c", 200, 13.0)], &at);
        let shannon = found(&judged, "jensen_shannon").expect("it is run");
        assert_eq!((shannon.threshold, shannon.p_adjusted), (Some(1.0), None), "a distance has no p-value");
        let p = found(&judged, "ks").and_then(|test| test.p_adjusted).expect("defined");
        let judged = judge(vec![column("c", 200, 13.0)], &Thresholds { significance: p, ..at });
        assert_eq!(judged[0].drift, Some(false));
    }

    #[test]
    fn a_column_says_what_is_missing_and_how_it_lies() {
        let of = |counts: &[(&str, usize)], missing| {
            let values = counts.iter().flat_map(|(name, n)| std::iter::repeat_n(Some((*name).to_owned()), *n));
            Sample::categorical(values.chain(std::iter::repeat_n(None, missing)))
        };
        let names: Vec<String> = (0..12).map(|n| format!("c{n:02}")).collect();
        let many: Vec<(&str, usize)> = names.iter().zip(1..).map(|(name, n)| (name.as_str(), n)).collect();
        let (reference, current) = (of(&many, 26), of(&[("c11", 3), ("c00", 4), ("z", 1)], 0));
        let judged = |reference: &Sample, current: &Sample| {
            let measured = Measured::new("c", &Bins::of(reference), reference, current);
            judge(vec![measured], &Thresholds::default()).remove(0)
        };
        let there = judged(&reference, &current);
        assert_eq!((there.reference_missing, there.current_missing), (Some(0.25), Some(0.0)));
        let shape = there.shape.expect("it is drawn");
        assert_eq!((shape.bins.len(), shape.bins[0].as_str(), shape.bins[9].as_str()), (12, "c02", "c11"));
        assert_eq!((&shape.reference[8..], &shape.current[8..]), (&[11, 12, 3, 26][..], &[0, 3, 5, 0][..]));
        // The most frequent of the new first, ten of them by name.
        let back = judged(&current, &reference);
        assert_eq!((back.new_categories.count, back.new_categories.names[0].as_str()), (10, "c10"));
        let ties: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        let new = judged(&of(&[("z", 1)], 0), &of(&ties, 0));
        assert_eq!(new.new_categories, Named { count: 12, names: names[..10].to_vec() });
        let gone = judged(&reference, &of(&[], 9));
        assert_eq!(
            gone.vanished_categories,
            Named::default(),
            "where nothing is present, nothing in particular is gone"
        );
        let none = judged(&reference, &of(&[], 0));
        assert_eq!(none.current_missing, None);
    }

    #[test]
    fn the_defaults_are_those_that_the_configuration_shows() {
        #[derive(Deserialize)]
        struct Shown {
            thresholds: Thresholds,
        }
        let lines = include_str!("../../config/plumbline.toml").lines();
        let shown = lines.filter_map(|line| line.strip_prefix("# ")).find(|line| line.starts_with("thresholds = "));
        let shown: Shown = toml::from_str(shown.expect("it is shown")).expect("thresholds");
        assert_eq!(shown.thresholds, Thresholds::default());
    }
}
