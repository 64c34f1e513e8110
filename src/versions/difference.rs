//! The measures of two versions against each other, each difference with its interval, and what is said of it.
//!
//! On the same requests a share of the same rows (accuracy, recall, specificity) has Tango's score interval, which McNemar's test goes
//! with; all else Student's on the differences of what each request adds to the error (`performance::influence`): of a mean that is the
//! paired t-test's, of ROC-AUC DeLong's. On different requests the errors of both sides add up (Zou and Donner's MOVER: of two shares that
//! is Newcombe's).

use serde::Serialize;

use super::Method;
use crate::performance::influence::Influences;
use crate::performance::interval::{self, LEVEL, Within};
use crate::performance::measures::{Better, MEASURES, Measure};
use crate::performance::verdict::Limits;
use crate::performance::{Columns, Performance, Wanted, measure};
use crate::stats::paired::Discordant;
use crate::stats::tails::deviations;

/// What is said of a challenger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is worse by more than the margin, for certain.
    Worse,
    /// It is better by more than the margin, for certain.
    Better,
    /// It is not worse by more than the margin, for certain.
    AsWell,
    /// There are too few rows to tell one of these from another.
    TooFew,
}

/// A measure of both.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Difference {
    /// Which.
    pub measure: &'static str,
    /// The champion's, on the rows that are compared.
    pub champion: f64,
    /// The challenger's.
    pub challenger: f64,
    /// The second less the first.
    pub difference: f64,
    /// Where that may lie, at 95 %.
    pub interval: Option<Within>,
    /// On the same requests the standard error of the difference.
    pub standard_error: Option<f64>,
    /// Up to which a difference does not matter.
    pub margin: f64,
    /// What is said of it.
    pub verdict: Verdict,
    /// Why nothing can be said.
    pub reason: Option<String>,
}

/// Requests with a label that one alone got right.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct McNemar {
    /// The champion alone.
    pub champion_alone: u64,
    /// The challenger alone.
    pub challenger_alone: u64,
    /// How likely as uneven a split is where both are as good: exact, two-sided.
    pub p_value: f64,
}

/// What is found of two versions.
#[derive(Debug)]
pub struct Found {
    pub differences: Vec<Difference>,
    pub measure: Option<&'static str>,
    pub verdict: Verdict,
    pub reason: Option<String>,
    /// There are rows enough for a verdict.
    pub enough: bool,
    pub mcnemar: Option<McNemar>,
}

struct Side {
    measured: Performance,
    influences: Influences,
}

/// Each measure of the champion's columns and the challenger's.
pub fn differences(columns: &[Columns<'_>; 2], wanted: &Wanted<'_>, (method, limits): (Method, &Limits)) -> Found {
    let sides = columns
        .each_ref()
        .map(|columns| Side { measured: measure(columns, wanted).0, influences: Influences::of(columns, wanted) });
    let [champion, challenger] = &sides;
    let few = too_few(&sides, method, limits);
    let both = MEASURES
        .iter()
        .filter_map(|measure| Some((measure, measure.of(&champion.measured)?, measure.of(&challenger.measured)?)));
    let differences: Vec<Difference> = both.map(|of| difference(of, &sides, (method, limits), few.as_ref())).collect();
    let leading = champion.measured.leading().map(|(measure, _)| measure.name);
    let speaks = differences.iter().find(|of| Some(of.measure) == leading);
    let mcnemar = discordant("accuracy", &sides).filter(|of| method == Method::Paired && of.rows > 0);
    Found {
        enough: few.is_none(),
        measure: speaks.map(|of| of.measure),
        verdict: speaks.map_or(Verdict::TooFew, |of| of.verdict),
        reason: speaks
            .map_or_else(|| few.or_else(|| Some("both have no measure in common".to_owned())), |of| of.reason.clone()),
        mcnemar: mcnemar.map(|of| McNemar {
            challenger_alone: of.first,
            champion_alone: of.second,
            p_value: of.mcnemar(),
        }),
        differences,
    }
}

fn difference(
    (measure, before, now): (&'static Measure, f64, f64),
    sides: &[Side; 2],
    (method, limits): (Method, &Limits),
    few: Option<&String>,
) -> Difference {
    let (margin, alpha) = (limits.margin_of(measure, before), 2.0 * limits.significance);
    let standard_error = if method == Method::Paired { standard_error(measure.name, sides) } else { None };
    let at = |alpha: f64| match method {
        Method::Paired => paired(measure.name, now - before, sides, (standard_error, alpha)),
        _ => unpaired(measure, (before, now), sides, alpha),
    };
    let (verdict, reason) = match (few, at(alpha)) {
        (Some(few), _) => (Verdict::TooFew, Some(few.clone())),
        (None, None) => (Verdict::TooFew, Some("how far it may be off is not known".to_owned())),
        (None, Some(interval)) => judged(measure, interval, margin),
    };
    Difference {
        measure: measure.name,
        champion: before,
        challenger: now,
        difference: now - before,
        interval: at(1.0 - LEVEL),
        standard_error,
        margin,
        verdict,
        reason,
    }
}

fn judged(measure: &Measure, interval: Within, margin: f64) -> (Verdict, Option<String>) {
    let (least, most) = match measure.better {
        Better::Higher => (interval.low, interval.high),
        Better::Lower => (-interval.high, -interval.low),
    };
    if most < -margin {
        (Verdict::Worse, None)
    } else if least > margin {
        (Verdict::Better, None)
    } else if least >= -margin {
        (Verdict::AsWell, None)
    } else {
        (Verdict::TooFew, Some("it may be as good, or worse by more than the margin".to_owned()))
    }
}

/// Of the same requests.
fn paired(name: &str, value: f64, sides: &[Side; 2], (standard_error, alpha): (Option<f64>, f64)) -> Option<Within> {
    if let Some(of) = discordant(name, sides) {
        let tango = of.difference(alpha)?;
        return Some(Within { low: tango.low, high: tango.high });
    }
    let rows = sides[0].measured.rows.min(sides[1].measured.rows) as f64;
    let within = interval::mean(value, standard_error?.powi(2), rows)?;
    Some(widened(within, value, alpha))
}

/// How many requests the challenger alone gets right, and the champion alone, where the measure is a share of the same rows.
fn discordant(name: &str, sides: &[Side; 2]) -> Option<Discordant> {
    let [champion, challenger] = sides;
    let (before, now) = (champion.influences.share(name)?, challenger.influences.share(name)?);
    let rows = now.into_iter().zip(before).filter_map(|(now, before)| Some((now?, before?)));
    Some(Discordant::of(rows)).filter(|of| of.rows > 0)
}

fn standard_error(name: &str, sides: &[Side; 2]) -> Option<f64> {
    let of = |side: &Side| side.influences.measure(name, &side.measured);
    let (before, now) = (of(&sides[0])?, of(&sides[1])?);
    let squares = before.iter().zip(&now).map(|(before, now)| (now - before).powi(2)).sum::<f64>();
    Some(squares.sqrt()).filter(|error| error.is_finite())
}

/// Of different requests.
fn unpaired(measure: &Measure, (before, now): (f64, f64), sides: &[Side; 2], alpha: f64) -> Option<Within> {
    let of = |side: &Side, value: f64| match (measure.name, &side.measured.positive) {
        // Of the mean of many areas the interval that is told is no narrower than it ought to be; here is what it ought to be.
        ("roc_auc", None) => {
            let influence = side.influences.measure(measure.name, &side.measured)?;
            let variance = influence.iter().map(|part| part * part).sum();
            interval::share(value, variance, side.measured.rarest? as f64)
        }
        _ => side.measured.interval(measure.name),
    };
    let within = interval::difference((before, of(&sides[0], before)?), (now, of(&sides[1], now)?));
    Some(widened(within, now - before, alpha))
}

/// An interval of 95 % as one that is wrong in so much of samples.
fn widened(of: Within, value: f64, alpha: f64) -> Within {
    let wider = deviations(alpha) / deviations(1.0 - LEVEL);
    Within { low: value - wider * (value - of.low), high: value + wider * (of.high - value) }
}

/// Why there is no verdict whatever the measures are.
fn too_few(sides: &[Side; 2], method: Method, limits: &Limits) -> Option<String> {
    if method == Method::NeverTogether {
        return Some("they never ran at the same time".to_owned());
    }
    for (side, name) in sides.iter().zip(["the champion", "the challenger"]) {
        if side.measured.rows < limits.rows {
            let of = if method == Method::Paired { "of the same requests".to_owned() } else { format!("of {name}") };
            return Some(format!("{} rows with labels {of}; {} are needed", side.measured.rows, limits.rows));
        }
        if let Some(rarest) = side.measured.rarest.filter(|rarest| *rarest < limits.class_rows) {
            return Some(format!("{rarest} rows of the rarest class of {name}; {} are needed", limits.class_rows));
        }
    }
    None
}
