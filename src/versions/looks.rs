//! How wide an interval must be where versions are looked at again and again while rows come.
//!
//! A level that holds for one look does not hold for the best of many: two equal versions that are compared once a minute at 2.5 % are told
//! apart sooner or later. That a verdict has to stand for some hours does not cure it, as the next look has nearly the same rows; and judging
//! once a window at a stricter level adds up over windows, and throws away the rows of all windows before.
//!
//! So the interval is one that holds at all looks at once, a confidence sequence: Robbins' mixture of normal distributions ("Statistical
//! methods related to the law of the iterated logarithm", 1970), which for figures that are means of their rows, or nearly, holds as
//! rows grow (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence
//! sequences", 2024). Of n rows it reaches m standard errors to either side:
//!
//! ```text
//! m^2 = (1 + 1/x) (ln(1 + x) - 2 ln alpha)      x = n / 50
//! ```
//!
//! Where memory is full rows leave as others come. Each time all that is compared has been replaced it is another chance to err: at the k-th
//! alpha is divided by k (k + 1), of which the whole sums up to alpha.
//!
//! Rows are taken for independent; the simulation is `cargo bench --bench versions`, a short one stands below.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Both, Method, Pick, SIGNIFICANCE, Versions};
use crate::stats::tails::normal;

/// So often, at most, any challenger is ever called worse that is not, however often it is looked at; or better: each side by itself.
pub const ALWAYS: f64 = 0.005;

/// The interval is narrowest, beside one of a single look, at some dozen times so many rows.
const ROWS: f64 = 50.0;
/// Challengers whose beginning is remembered.
const MOST: usize = 100;

/// How often a comparison is looked at.
#[derive(Debug, Clone, Copy)]
pub enum Looks<'a> {
    /// Once.
    Once,
    /// Again and again, as rows come and go.
    Always(&'a Since),
}

/// Since when challengers have been compared with the champion.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Since {
    /// With which.
    pub champion: Option<String>,
    /// The time of the first row that was ever compared, in milliseconds, by challenger.
    challengers: BTreeMap<String, i64>,
}

/// How a verdict that is looked at again and again came about.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Looked {
    /// The first row that was ever compared.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub since: Option<Timestamp>,
    /// So many times as much time as the rows have that are compared now, rounded up.
    pub turns: u64,
    /// The level of one look whose interval is as wide.
    pub significance: f64,
}

impl Since {
    /// Takes in what was compared. With another champion all begins anew.
    pub fn note(&mut self, found: &Versions) {
        let champion = found.versions.iter().find(|version| version.champion).map(|version| &version.version);
        if self.champion.as_ref() != champion {
            *self = Self { champion: champion.cloned(), challengers: BTreeMap::new() };
        }
        for version in &found.versions {
            let looked = version.against_champion.as_ref().and_then(|of| of.looked);
            let Some(since) = looked.and_then(|looked| looked.since) else { continue };
            self.challengers.insert(version.version.clone(), since.as_millisecond());
        }
        while self.challengers.len() > MOST {
            let oldest = self.challengers.iter().min_by_key(|(_, since)| **since).map(|(name, _)| name.clone());
            oldest.and_then(|name| self.challengers.remove(&name));
        }
    }

    fn of(&self, champion: &str, challenger: &str) -> Option<i64> {
        let challengers = Some(&self.challengers).filter(|_| self.champion.as_deref() == Some(champion));
        challengers?.get(challenger).copied()
    }
}

impl Looks<'_> {
    /// The level that all challengers have together.
    #[must_use]
    pub fn significance(self) -> f64 {
        match self {
            Self::Once => SIGNIFICANCE,
            Self::Always(_) => ALWAYS,
        }
    }

    /// At which level rows are compared, of so much for all looks together. `None` where there is one look.
    pub(super) fn looked(
        self,
        (champion, challenger): (&str, &str),
        (pick, at): (&Pick, Option<&[i64]>),
        labelled: Both,
        significance: f64,
    ) -> Option<Looked> {
        let Self::Always(since) = self else { return None };
        let times = || pick.champion.iter().chain(&pick.challenger).filter_map(|row| at?.get(*row as usize).copied());
        let span = times().min().zip(times().max());
        let first = span.map(|(from, _)| since.of(champion, challenger).map_or(from, |since| since.min(from)));
        let turns =
            span.zip(first).map_or(1, |((from, to), first)| turns(to.saturating_sub(first), to.saturating_sub(from)));
        Some(Looked {
            since: first.and_then(super::time),
            turns,
            significance: at_once(significance, informed(pick.method, labelled), turns),
        })
    }
}

/// How many times one stretch of time goes into another, rounded up; once at least.
fn turns(all: i64, one: i64) -> u64 {
    let (all, one) = (all.unsigned_abs(), one.unsigned_abs());
    if one == 0 { 1 } else { all.div_ceil(one).max(1) }
}

/// As many rows as tell of a difference: the pairs, or half of what two sides of one size have each.
fn informed(method: Method, labelled: Both) -> f64 {
    let (one, other) = (labelled.champion as f64, labelled.challenger as f64);
    match method {
        Method::Paired => one.min(other),
        _ if one + other > 0.0 => one * other / (one + other),
        _ => 0.0,
    }
}

/// The level of one look, of one side, whose interval is as wide as one that holds at all looks at once.
fn at_once(significance: f64, rows: f64, turns: u64) -> f64 {
    let turns = turns as f64;
    let alpha = 2.0 * significance / (turns * (turns + 1.0));
    let x = rows / ROWS;
    let reach = ((1.0 + 1.0 / x) * (x.ln_1p() - 2.0 * alpha.ln())).sqrt();
    normal(reach) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::tails::deviations;

    fn reach(rows: f64, turns: u64) -> f64 {
        deviations(2.0 * at_once(ALWAYS, rows, turns))
    }

    #[test]
    fn it_reaches_farther_than_one_look_and_not_for_ever_farther() {
        let once = deviations(2.0 * ALWAYS);
        // By hand, of 600 rows: alpha .01 / 2, x = 12: sqrt(13/12 (ln 13 - 2 ln .005)).
        assert!((reach(600.0, 1) - 3.776).abs() < 1e-3, "{}", reach(600.0, 1));
        for rows in [100.0, 1000.0, 10_000.0, 1e6] {
            assert!(reach(rows, 1) > once && reach(rows, 1) < 1.85 * once, "{rows}: {}", reach(rows, 1));
        }
        assert!(reach(1000.0, 2) > reach(1000.0, 1) && reach(1000.0, 1000) < 2.6 * once);
        assert!(at_once(ALWAYS, 0.0, 1) <= 0.0, "of no rows nothing is certain");
    }

    #[test]
    fn a_stretch_that_goes_is_another_turn() {
        assert_eq!((turns(0, 0), turns(10, 0), turns(10, 10), turns(11, 10), turns(30, 10)), (1, 1, 1, 2, 3));
    }

    #[test]
    fn two_sides_tell_less_than_pairs() {
        let labelled = Both { champion: 900, challenger: 100 };
        assert!((informed(Method::Paired, labelled) - 100.0).abs() < 1e-12);
        assert!((informed(Method::Unpaired, labelled) - 90.0).abs() < 1e-12);
        assert!(informed(Method::NeverTogether, Both::default()).abs() < 1e-12);
    }
}
