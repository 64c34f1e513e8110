//! From tests to a verdict: a column drifts when something of it has changed for certain, and by much.
//!
//! For certain: the p-value, corrected over all that is tested of all columns, lies below the level of significance. By much: the
//! effect, the noise of both samples taken off, lies beyond its threshold, and beyond what the column varies by itself. Either alone
//! cries wolf: with many rows everything is significant, and with few every distance is large.

mod thresholds;

use serde::{Deserialize, Serialize};

pub use self::thresholds::{Correction, Thresholds, nearest};
use super::aspect::{Aspect, Measure};
use super::baseline::Baseline;
use super::embedding::cloud::Cloud;
use super::embedding::{self, Found};
use super::findings::{Finding, findings};
use super::modes::{Decision, Mode};
use super::moved::{Histogram, Moved};
use super::power;
use super::{Bins, Kind, Pair, Ran, Sample, Test};
use crate::stats::correction::{benjamini_hochberg, bonferroni};

/// What one test says of a column. It is shown; what decides are the aspects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Tested {
    /// The test's name.
    pub test: String,
    /// Its statistic.
    pub statistic: Option<f64>,
    /// Its p-value, uncorrected, where it has one.
    pub p_value: Option<f64>,
}

/// The verdict on a column, or on one aspect of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It has changed for certain, and by much.
    Drift,
    /// As much as is seen would be drift, but may as well be chance: the rows are too few to tell.
    TooFewRows,
    /// It has not changed, or by little.
    NoDrift,
    /// There are no values to test.
    Undefined,
}

impl Verdict {
    /// Whether it drifts; `None` where nobody can say.
    #[must_use]
    pub fn drift(self) -> Option<bool> {
        match self {
            Self::Drift => Some(true),
            Self::NoDrift => Some(false),
            Self::TooFewRows | Self::Undefined => None,
        }
    }
}

/// One aspect of a column, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct JudgedAspect {
    /// Which.
    pub aspect: Aspect,
    /// The category that changed most, where the aspect is one category's share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Its p-value.
    pub p_value: Option<f64>,
    /// The same corrected over all aspects of all columns.
    pub p_adjusted: Option<f64>,
    /// In what the effect is measured.
    pub measure: Measure,
    /// The test that decides in the effect's place, where one has a threshold; then the effect is how far its statistic lies from
    /// no change: of `psi`, `kl` and `hellinger` without the noise, of others noise and all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// How much changed, the noise taken off.
    pub effect: f64,
    /// The noise: what would be measured without any change.
    pub noise: f64,
    /// What the effect must lie beyond.
    pub threshold: f64,
    /// Whether the threshold is what the column varies by itself, being more than the one that is set.
    #[serde(default)]
    pub varies: bool,
    /// The verdict.
    pub verdict: Verdict,
    /// Current rows that would tell an effect of this size from chance, where these are too few. `None` if with this reference none
    /// would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_needed: Option<u64>,
}

impl JudgedAspect {
    /// How many times its threshold the effect is.
    #[must_use]
    pub fn distance(&self) -> f64 {
        self.effect / self.threshold
    }
}

/// What another tool decides of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Decided {
    /// The method it chose, by its own name.
    pub method: String,
    /// The p-value or the distance, as it reports it.
    pub value: Option<f64>,
    /// What it is held against.
    pub threshold: Option<f64>,
}

/// What is said of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Judged {
    /// The column.
    pub name: String,
    /// How it was compared.
    pub kind: Kind,
    /// The verdict.
    pub verdict: Verdict,
    /// The same as yes or no; `None` where nobody can say.
    pub drift: Option<bool>,
    /// What was judged of it, the one that decides first.
    pub aspects: Vec<JudgedAspect>,
    /// What another tool decides, where its rule is chosen; then the verdict is its.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decided>,
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
    /// Both sides in figures.
    #[serde(default)]
    pub moved: Moved,
    /// Both sides' counts, to be drawn over each other; of the newest window only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
}

impl Judged {
    /// The aspect that decides: the one that drifts and is farthest beyond its threshold, or that comes nearest to it.
    #[must_use]
    pub fn deciding(&self) -> Option<&JudgedAspect> {
        self.aspects.first()
    }

    /// How near the column is to drift, or how far beyond: the effect of what decides over its threshold.
    #[must_use]
    pub fn distance(&self) -> f64 {
        match &self.decision {
            None => self.deciding().map_or(0.0, JudgedAspect::distance),
            Some(Decided { method, value, threshold }) => {
                let ratio = value.zip(*threshold).map_or(0.0, |(value, threshold)| value / threshold);
                if method.ends_with("p_value") { 1.0 / ratio.max(f64::MIN_POSITIVE) } else { ratio }
            }
        }
    }

    /// Takes the verdict back: there are not enough rows for any.
    pub fn withdraw(&mut self) {
        self.verdict = Verdict::TooFewRows;
        self.drift = None;
    }
}

/// Both sides' counts in the reference's bins: its deciles, or its most frequent categories and all others; the missing last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shape {
    /// What each bin holds.
    pub bins: Vec<String>,
    /// The reference's counts.
    pub reference: Vec<u64>,
    /// The current ones.
    pub current: Vec<u64>,
    /// The same of numbers in bins of one width, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Histogram>,
}

/// Categories with a bin of their own in a shape.
const DRAWN: usize = 10;

impl Shape {
    fn new(bins: &Bins, reference: &Sample, current: &Sample) -> Self {
        let bins = bins.most_frequent(reference, DRAWN);
        Self {
            bins: bins.short_labels(),
            reference: bins.count(reference),
            current: bins.count(current),
            histogram: Histogram::of(reference, current),
        }
    }
}

/// Some names out of a number of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    rows: (f64, f64),
    decision: Option<Decision>,
    findings: Vec<Finding>,
    varies: Vec<(Aspect, f64)>,
    outcomes: Vec<Ran>,
    reference_missing: Option<f64>,
    current_missing: Option<f64>,
    new_categories: Named,
    vanished_categories: Named,
    moved: Moved,
    shape: Shape,
}

impl Measured {
    /// What is tested of the column, and beside it each of the tests that are for its kind.
    #[must_use]
    pub fn new(name: &str, baseline: &Baseline, current: &Sample, tests: &[&'static Test], mode: Mode) -> Self {
        let reference = &baseline.sample;
        let pair = Pair::against(baseline, current);
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
        let findings = findings(baseline, &pair);
        let rows = current.rows() as f64;
        let bound = |finding: &Finding| Some((finding.aspect, baseline.variation(finding.aspect)?.bound(rows)));
        Self {
            name: name.to_owned(),
            kind,
            rows: (reference.rows() as f64, rows),
            decision: mode.decide(baseline, current),
            varies: findings.iter().filter_map(bound).collect(),
            findings,
            outcomes: tests.iter().filter(|t| t.kinds.contains(&kind)).map(|test| Ran::new(test, &pair)).collect(),
            reference_missing: share(reference),
            current_missing: share(current),
            new_categories,
            vanished_categories,
            moved: Moved::new(baseline, current),
            shape: Shape::new(&baseline.bins, reference, current),
        }
    }

    /// What is found of an embedding.
    #[must_use]
    pub fn of_embedding(name: &str, reference: &Cloud, current: &Cloud) -> Self {
        let Found { mut findings, told } = embedding::found(reference, current);
        let rows = current.presence().rows() as f64;
        let own = |aspect: Aspect| reference.variations.iter().find(|(of, _)| *of == aspect).map(|(_, own)| *own);
        for finding in &mut findings {
            let by_itself = own(finding.aspect).and_then(|own| own.p_value(finding.effect.corrected(), rows));
            finding.p_value = finding.p_value.map(|tested| by_itself.map_or(tested, |own| own.max(tested)));
        }
        let bound = |finding: &Finding| Some((finding.aspect, own(finding.aspect)?.bound(rows)));
        let (baseline, now) = (Baseline::new(reference.distances()), current.distances());
        let share = |cloud: &Cloud| {
            let sample = cloud.presence();
            (sample.rows() > 0).then(|| sample.missing() as f64 / sample.rows() as f64)
        };
        Self {
            name: name.to_owned(),
            kind: Kind::Embedding,
            rows: (reference.presence().rows() as f64, rows),
            decision: None,
            varies: findings.iter().filter_map(bound).collect(),
            findings,
            outcomes: Vec::new(),
            reference_missing: share(reference),
            current_missing: share(current),
            new_categories: Named::default(),
            vanished_categories: Named::default(),
            shape: Shape::new(&baseline.bins, &baseline.sample, &now),
            moved: Moved { embedding: Some(told), ..Moved::new(&baseline, &now) },
        }
    }

    fn judge(&self, finding: Finding, p_adjusted: Option<f64>, tests: f64, thresholds: &Thresholds) -> JudgedAspect {
        let measure = finding.aspect.measure();
        let test = match finding.aspect {
            Aspect::Missing => None,
            _ => thresholds.deciding(&self.name, &self.outcomes),
        };
        let set = test.map_or_else(|| thresholds.of_column(&self.name, measure), |(.., threshold)| threshold);
        let own = self.varies.iter().find(|(aspect, _)| test.is_none() && *aspect == finding.aspect);
        let own = own.map_or(0.0, |(_, bound)| *bound);
        let threshold = set.max(own);
        let effect = test.map_or_else(|| finding.effect.corrected(), |(_, apart, _)| apart);
        let verdict = thresholds::verdict(p_adjusted.map(|p| p < thresholds.significance), effect > threshold);
        let level = thresholds.significance / tests;
        let needed = || {
            let seen = power::Seen { rows: self.rows.1, p_value: finding.p_value? };
            let found = power::Found { measure, effect: finding.effect.corrected(), cells: finding.cells };
            power::rows_needed(found, self.rows.0, seen, level)
        };
        JudgedAspect {
            aspect: finding.aspect,
            category: finding.category,
            p_value: finding.p_value,
            p_adjusted,
            measure,
            test: test.map(|(name, ..)| name.to_owned()),
            effect,
            noise: if test.is_none() { finding.effect.noise } else { 0.0 },
            threshold,
            varies: own > set,
            rows_needed: if verdict == Verdict::TooFewRows { needed() } else { None },
            verdict,
        }
    }
}

fn only_in(here: &std::collections::BTreeMap<String, u64>, there: &std::collections::BTreeMap<String, u64>) -> Named {
    let mut only: Vec<(&String, u64)> =
        here.iter().filter(|(c, _)| !there.contains_key(*c)).map(|(c, n)| (c, *n)).collect();
    only.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    Named { count: only.len() as u64, names: only.into_iter().take(NAMED).map(|(c, _)| c.clone()).collect() }
}

/// Judges all columns of one comparison together.
#[must_use]
pub fn judge(columns: Vec<Measured>, thresholds: &Thresholds) -> Vec<Judged> {
    let raw: Vec<Option<f64>> =
        columns.iter().flat_map(|column| column.findings.iter().map(|finding| finding.p_value)).collect();
    let tests = raw.iter().flatten().count().max(1) as f64;
    let mut corrected = match thresholds.correction {
        Correction::BenjaminiHochberg => benjamini_hochberg(&raw),
        Correction::Bonferroni => bonferroni(&raw),
    }
    .into_iter();
    let judged = |mut column: Measured| {
        let findings = std::mem::take(&mut column.findings);
        let mut aspects: Vec<JudgedAspect> = findings
            .into_iter()
            .map(|finding| column.judge(finding, corrected.next().flatten(), tests, thresholds))
            .collect();
        // The one that decides first.
        let rank = |aspect: &JudgedAspect| (aspect.verdict as u8, -aspect.distance());
        aspects.sort_by(|a, b| {
            let ((one, near), (other, far)) = (rank(a), rank(b));
            one.cmp(&other).then(near.total_cmp(&far))
        });
        let verdict = match &column.decision {
            None => aspects.first().map_or(Verdict::Undefined, |aspect| aspect.verdict),
            Some(decision) => {
                decision.drift.map_or(Verdict::Undefined, |drift| if drift { Verdict::Drift } else { Verdict::NoDrift })
            }
        };
        let decided = |decision: Decision| Decided {
            method: decision.method.to_owned(),
            value: decision.value.filter(|value| value.is_finite()),
            threshold: Some(decision.threshold).filter(|threshold| threshold.is_finite()),
        };
        let tested = |Ran { test, outcome, .. }: Ran| Tested {
            test: test.name.to_owned(),
            statistic: outcome.statistic,
            p_value: outcome.p_value,
        };
        Judged {
            verdict,
            drift: verdict.drift(),
            aspects,
            decision: column.decision.map(decided),
            name: column.name,
            kind: column.kind,
            tests: column.outcomes.into_iter().map(tested).collect(),
            reference_missing: column.reference_missing,
            current_missing: column.current_missing,
            new_categories: column.new_categories,
            vanished_categories: column.vanished_categories,
            moved: column.moved,
            shape: Some(column.shape),
        }
    };
    columns.into_iter().map(judged).collect()
}

#[cfg(test)]
mod tests;
