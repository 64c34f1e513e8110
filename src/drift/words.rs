//! An aspect's verdict in words, for the report and the page.

use super::aspect::{Aspect, Measure};
use super::verdict::{Judged, JudgedAspect, Verdict};
use crate::stats::whole;

/// Four digits that count.
#[must_use]
pub fn number(value: f64) -> String {
    if value == 0.0 {
        "0".to_owned()
    } else if !(1e-4..1e6).contains(&value.abs()) {
        format!("{value:.2e}")
    } else {
        format!("{value:.*}", whole::index(3.0 - value.abs().log10().floor()))
    }
}

/// What changed: `values`, `category red`, `missing`; or another tool's method, where its rule decides.
#[must_use]
pub fn what(judged: &Judged) -> Option<String> {
    if let Some(decision) = &judged.decision {
        return Some(decision.method.clone());
    }
    let aspect = judged.deciding()?;
    Some(match (&aspect.category, aspect.aspect) {
        (Some(category), Aspect::Category) => format!("category {category}"),
        (_, aspect) => aspect.name().to_owned(),
    })
}

/// By how much: `0.312 sd`, `0.0712 JS`; or what another tool's method found.
#[must_use]
pub fn size(judged: &Judged) -> Option<String> {
    match &judged.decision {
        Some(decision) => decision.value.map(number),
        None => judged.deciding().map(effect),
    }
}

fn effect(aspect: &JudgedAspect) -> String {
    let unit = match aspect.measure {
        Measure::Shift => "sd",
        Measure::JensenShannon => "JS",
    };
    format!("{} {unit}", number(aspect.effect))
}

/// What it must be beyond: `0.1`, or `0.41 (varies)` where that is what the column varies by itself.
#[must_use]
pub fn threshold(judged: &Judged) -> Option<String> {
    match &judged.decision {
        Some(decision) => decision.threshold.map(number),
        None => judged.deciding().map(|aspect| {
            if aspect.varies { format!("{} (varies)", number(aspect.threshold)) } else { aspect.threshold.to_string() }
        }),
    }
}

/// How likely as much is of chance alone, corrected over the columns.
#[must_use]
pub fn p_value(judged: &Judged) -> Option<String> {
    judged.deciding().filter(|_| judged.decision.is_none())?.p_adjusted.map(number)
}

/// What it takes to tell, of a column whose rows are too few.
#[must_use]
pub fn needed(judged: &Judged) -> Option<String> {
    let aspect = judged.deciding().filter(|aspect| aspect.verdict == Verdict::TooFewRows)?;
    if judged.verdict != Verdict::TooFewRows {
        return None;
    }
    let enough = match aspect.rows_needed {
        Some(rows) => format!("about {rows} rows would"),
        None => "it takes a larger reference".to_owned(),
    };
    Some(format!("too few rows to tell {} in {} from chance; {enough}", effect(aspect), what(judged)?))
}
