//! When a change is drift: how certain and how large it must be, for all columns or for one, by the effect or by a test.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Verdict;
use crate::drift::aspect::Measure;
use crate::drift::modes::Mode;
use crate::drift::{Ran, TESTS, Test};

/// How p-values are corrected for their number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Correction {
    /// Benjamini and Hochberg: of what is found, so large a share is false.
    #[default]
    BenjaminiHochberg,
    /// Bonferroni: the chance that anything is false.
    Bonferroni,
}

/// When a change is drift.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// Whose rule decides: ours, or what Evidently or `NannyML` decide by default.
    pub mode: Mode,
    /// A corrected p-value below this is no chance: without any change, about one window in so many has a column that drifts.
    pub significance: f64,
    /// How p-values are corrected over the columns.
    pub correction: Correction,
    /// A column of numbers drifts by a Wasserstein distance above so many of the reference's standard deviations.
    pub shift: f64,
    /// A column of categories, or what is missing of any, drifts by a Jensen-Shannon distance above this.
    pub jensen_shannon: f64,
    /// Of these tests the statistic decides in the place of the effect: so far from what it is without a change, either way, the change is
    /// large. That is 0; of `fisher` 1, as a ratio (2 stands for 0.5, too); of `mann_whitney` half of the pairs. It must be certain all the
    /// same.
    pub tests: BTreeMap<String, f64>,
    /// Other thresholds for some columns: `shift`, `jensen_shannon` or a test, by the column's name.
    pub columns: BTreeMap<String, BTreeMap<String, f64>>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            significance: 0.0005,
            correction: Correction::default(),
            shift: 0.08,
            jensen_shannon: 0.05,
            tests: BTreeMap::new(),
            columns: BTreeMap::new(),
        }
    }
}

/// The thresholds of effects, by name.
const EFFECTS: [Measure; 2] = [Measure::Shift, Measure::JensenShannon];

/// What is wrong with a threshold of this name, if anything is.
fn wrong(name: &str, value: f64) -> Option<String> {
    let effect = EFFECTS.iter().any(|measure| measure.name() == name);
    if !effect && !TESTS.iter().any(|test| test.name == name) {
        let names = EFFECTS.map(Measure::name).into_iter().chain(TESTS.iter().map(|test| test.name));
        return Some(format!("is no threshold; there are {}", names.collect::<Vec<_>>().join(", ")));
    }
    if name == Measure::JensenShannon.name() {
        return (!(value > 0.0 && value <= 1.0)).then(|| "must lie between 0 and 1".to_owned());
    }
    if name == "fisher" {
        return (!(value > 1.0 && value.is_finite())).then(|| "must be above 1: it is an odds ratio".to_owned());
    }
    (!(value > 0.0 && value.is_finite())).then(|| "must be above 0".to_owned())
}

impl Thresholds {
    /// What is wrong with them, by field.
    #[must_use]
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if !(self.significance > 0.0 && self.significance < 1.0) {
            found.push(("significance".to_owned(), "must lie between 0 and 1".to_owned()));
        }
        let mut check = |field: String, name: &str, value: f64| {
            found.extend(wrong(name, value).map(|message| (field, message)));
        };
        for measure in EFFECTS {
            check(measure.name().to_owned(), measure.name(), self.of(measure));
        }
        for (name, value) in &self.tests {
            check(format!("tests.{name}"), name, *value);
        }
        for (column, thresholds) in &self.columns {
            for (name, value) in thresholds {
                check(format!("columns.{column}.{name}"), name, *value);
            }
        }
        if let Some(measure) = EFFECTS.iter().find(|measure| self.tests.contains_key(measure.name())) {
            let message = "is the threshold of an effect; set it beside `tests`, not in them".to_owned();
            found.push((format!("tests.{}", measure.name()), message));
        }
        found
    }

    /// Sets `NAME=VALUE` for all columns or `COLUMN:NAME=VALUE` for one, as the command line gives them.
    ///
    /// # Errors
    /// It is not written so. Whether the name and the value make sense is for [`Self::problems`].
    pub fn set(&mut self, given: &str) -> Result<(), String> {
        const FORM: &str = "is no threshold; write NAME=VALUE or COLUMN:NAME=VALUE, such as psi=0.2 or age:shift=0.1";
        let (name, value) = given.rsplit_once('=').ok_or(FORM)?;
        let value: f64 = value.trim().parse().map_err(|_| FORM)?;
        if let Some((column, name)) = name.rsplit_once(':') {
            self.columns.entry(column.to_owned()).or_default().insert(name.trim().to_owned(), value);
            return Ok(());
        }
        match name.trim() {
            name if name == Measure::Shift.name() => self.shift = value,
            name if name == Measure::JensenShannon.name() => self.jensen_shannon = value,
            name => _ = self.tests.insert(name.to_owned(), value),
        }
        Ok(())
    }

    /// Columns that have thresholds and are none of those that are compared, each with the one that may be meant.
    #[must_use]
    pub fn unmatched<'a>(&'a self, compared: &[&str]) -> Vec<(&'a str, Option<String>)> {
        let names = self.columns.keys().map(String::as_str).filter(|name| !compared.contains(name));
        names.map(|name| (name, nearest(name, compared))).collect()
    }

    /// What an effect measured so is held against, in columns that have no threshold of their own.
    #[must_use]
    pub fn of(&self, measure: Measure) -> f64 {
        match measure {
            Measure::Shift | Measure::Radius | Measure::Mmd | Measure::Separation => self.shift,
            Measure::JensenShannon => self.jensen_shannon,
        }
    }

    /// The same for a column.
    #[must_use]
    pub fn of_column(&self, column: &str, measure: Measure) -> f64 {
        let own = self.columns.get(column).and_then(|own| own.get(measure.setting()));
        own.copied().unwrap_or_else(|| self.of(measure))
    }

    /// The tests that decide anywhere, beside those that are run.
    #[must_use]
    pub fn with_deciding(&self, mut tests: Vec<&'static Test>) -> Vec<&'static Test> {
        let named = self.columns.values().flat_map(BTreeMap::keys).chain(self.tests.keys());
        for test in named.filter_map(|name| TESTS.iter().find(|test| test.name == name)) {
            let effect = EFFECTS.iter().any(|measure| measure.name() == test.name);
            if !effect && !tests.iter().any(|known| known.name == test.name) {
                tests.push(test);
            }
        }
        tests
    }

    /// Of the tests that decide for a column, the one that lies farthest beyond its threshold, or nearest to it: its name, how far
    /// its statistic lies from no change, and the threshold. `None` where the effect decides.
    pub(super) fn deciding(&self, column: &str, outcomes: &[Ran]) -> Option<(&'static str, f64, f64)> {
        let own = self.columns.get(column);
        let decides = |Ran { test, apart, .. }: &Ran| {
            if EFFECTS.iter().any(|measure| measure.name() == test.name) {
                return None;
            }
            let threshold = own.and_then(|own| own.get(test.name)).or_else(|| self.tests.get(test.name))?;
            Some((test.name, (*apart)?, *threshold))
        };
        outcomes.iter().filter_map(decides).max_by(|a, b| (a.1 / a.2).total_cmp(&(b.1 / b.2)))
    }
}

/// The one of these names that is written most like another.
#[must_use]
pub fn nearest(name: &str, known: &[&str]) -> Option<String> {
    let likeness = known.iter().map(|known| (strsim::jaro_winkler(known, name), *known));
    let (likeness, nearest) = likeness.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (likeness > 0.7).then(|| nearest.to_owned())
}

/// Certain and large: drift. Large alone: too few rows to tell.
pub(super) fn verdict(certain: Option<bool>, large: bool) -> Verdict {
    match certain {
        None => Verdict::Undefined,
        Some(true) if large => Verdict::Drift,
        Some(false) if large => Verdict::TooFewRows,
        Some(_) => Verdict::NoDrift,
    }
}
