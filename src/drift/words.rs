//! An aspect's verdict in words, for the report and the page.

use super::aspect::{Aspect, Measure};
use super::moved::{Share, Spread, shortened};
use super::verdict::{Judged, JudgedAspect, Verdict};
use crate::stats::whole;

/// A category's name is cut in a sentence where it is longer, in characters.
const NAME: usize = 40;

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
        (Some(category), Aspect::Category) => format!("category {}", shortened(category, NAME)),
        (_, aspect) => aspect.name().to_owned(),
    })
}

/// By how much: `0.312 sd`, `0.0712 JS`; or what another tool's method found.
#[must_use]
pub fn size(judged: &Judged) -> Option<String> {
    match &judged.decision {
        Some(decision) => decision.value.map(figure),
        None => judged.deciding().map(effect),
    }
}

/// An effect with its unit: `0.312 sd`, `0.0712 JS`.
#[must_use]
pub fn effect(aspect: &JudgedAspect) -> String {
    if let Some(test) = &aspect.test {
        return format!("{test} {}", figure(aspect.effect));
    }
    let unit = match aspect.measure {
        Measure::Shift | Measure::Separation => "sd",
        Measure::JensenShannon => "JS",
        Measure::Radius => "radii",
        Measure::Mmd => "MMD",
    };
    format!("{} {unit}", figure(aspect.effect))
}

/// What it must be beyond: `0.1`, or `0.41 (varies)` where that is what the column varies by itself.
#[must_use]
pub fn threshold(judged: &Judged) -> Option<String> {
    match &judged.decision {
        Some(decision) => decision.threshold.map(figure),
        None => judged.deciding().map(|aspect| {
            if aspect.varies { format!("{} (varies)", figure(aspect.threshold)) } else { aspect.threshold.to_string() }
        }),
    }
}

/// How likely as much is of chance alone, corrected over the columns.
#[must_use]
pub fn p_value(judged: &Judged) -> Option<String> {
    judged.deciding().filter(|_| judged.decision.is_none())?.p_adjusted.map(chance)
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
        None if matches!(aspect.aspect, Aspect::Mmd | Aspect::Classifier) => {
            "it takes more than are looked at".to_owned()
        }
        None => "it takes a larger reference".to_owned(),
    };
    Some(format!("too few rows to tell {} in {} from chance; {enough}", effect(aspect), what(judged)?))
}

/// Four digits that count, without zeros that say nothing; what is large in full, up to a milliard.
#[must_use]
pub fn figure(value: f64) -> String {
    if (1e4..1e9).contains(&value.abs()) {
        return format!("{value:.0}");
    }
    trimmed(number(value))
}

fn trimmed(text: String) -> String {
    if text.contains('.') && !text.contains('e') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Two numbers, each with so many digits that one sees what lies between them.
#[must_use]
pub fn pair(from: f64, to: f64) -> [String; 2] {
    let (least, most) = (from.abs().min(to.abs()), from.abs().max(to.abs()));
    let apart = (to - from).abs();
    if apart == 0.0 || most >= 1e9 || (least > 0.0 && least < 1e-4) {
        return [from, to].map(figure);
    }
    let decimals = between(apart);
    let mut shown = [from, to].map(|value| format!("{value:.decimals$}"));
    // Zeros that both end in say nothing.
    if decimals > 0 {
        while shown.iter().all(|text| text.ends_with('0')) {
            shown = shown.map(|text| text.strip_suffix('0').unwrap_or(&text).to_owned());
        }
        shown = shown.map(|text| text.trim_end_matches('.').to_owned());
    }
    let plain = |text: &str, value: f64| if value == 0.0 { "0".to_owned() } else { text.to_owned() };
    [plain(&shown[0], from), plain(&shown[1], to)]
}

/// Decimals that show two digits of a difference.
fn between(apart: f64) -> usize {
    whole::index((1.0 - apart.log10().floor()).clamp(0.0, 9.0))
}

/// A difference with its sign: `+3.9`.
#[must_use]
pub fn difference(from: f64, to: f64) -> String {
    let by = to - from;
    let sign = if by > 0.0 { "+" } else { "" };
    if by == 0.0 || by.abs() >= 1e9 || by.abs() < 1e-4 {
        return format!("{sign}{}", figure(by));
    }
    format!("{sign}{by:.*}", between(by.abs()))
}

/// A p-value; one too small for a number as less than that.
#[must_use]
pub fn chance(p: f64) -> String {
    if p < 1e-300 { "<1e-300".to_owned() } else { figure(p) }
}

/// The same in words: `3.21 to 4.12`, or `3.21, as before`.
#[must_use]
pub fn from_to(from: f64, to: f64) -> String {
    let [before, now] = pair(from, to);
    if from.total_cmp(&to).is_eq() { format!("{before}, as before") } else { format!("{before} to {now}") }
}

/// Two shares in percent: `10.1 % to 15.3 %`.
#[must_use]
pub fn shares(from: f64, to: f64) -> String {
    let apart = (to - from).abs() * 100.0;
    let decimals = if apart > 0.0 { whole::index((-apart.log10().floor()).clamp(1.0, 4.0)) } else { 1 };
    let one = |share: f64| if share == 0.0 { "0 %".to_owned() } else { format!("{:.decimals$} %", share * 100.0) };
    if apart == 0.0 { format!("{}, as before", one(from)) } else { format!("{} to {}", one(from), one(to)) }
}

/// What moved, in the column's own unit: `median 3.2 to 4.1`, `red 10.1 % to 15.3 %`, `missing 0 % to 5.0 %`.
#[must_use]
pub fn moved(judged: &Judged) -> Option<String> {
    let share =
        |share: &Share| format!("{} {}", shortened(&share.category, NAME), shares(share.reference, share.current));
    let aspect = judged.deciding()?;
    match aspect.aspect {
        Aspect::Missing => missing(judged),
        Aspect::Centroid => embedding(judged).into_iter().find(|line| line.starts_with("means ")),
        Aspect::Mmd | Aspect::Classifier => embedding(judged).into_iter().find(|line| line.starts_with("AUC ")),
        Aspect::Values | Aspect::Distance => {
            let sides = (judged.moved.reference.as_ref()?, judged.moved.current.as_ref()?);
            let most = matches!(judged.verdict, Verdict::Drift | Verdict::TooFewRows);
            let moved = numbers(sides.0, sides.1, most)?;
            Some(if aspect.aspect == Aspect::Distance { format!("distance from the mean: {moved}") } else { moved })
        }
        Aspect::Categories => judged.moved.categories.first().map(share),
        Aspect::Category => judged.moved.share(aspect.category.as_deref()?).map(share),
    }
}

/// What is told of an embedding, in a line each: how far apart the means are, how well a classifier does, and which rows have no vector.
#[must_use]
pub fn embedding(judged: &Judged) -> Vec<String> {
    let Some(told) = &judged.moved.embedding else { return Vec::new() };
    let apart = told.apart.zip(told.radius);
    let apart = apart.map(|(apart, radius)| format!("means {} apart, radius {}", figure(apart), figure(radius)));
    let auc = told.auc.zip(told.interval).map(|(auc, [low, high])| format!("AUC {auc:.3} ({low:.3} to {high:.3})"));
    let left = ["reference", "current"].into_iter().zip(&told.left).filter(|(_, left)| left.rows() > 0);
    let left = left.map(|(side, left)| {
        let why = [(left.empty, "empty"), (left.of_other_length, "of another length"), (left.not_finite, "not finite")];
        let why: Vec<String> =
            why.iter().filter(|(rows, _)| *rows > 0).map(|(rows, why)| format!("{rows} {why}")).collect();
        format!("{} {side} rows without a vector of {} numbers: {}", left.rows(), told.width, why.join(", "))
    });
    apart.into_iter().chain(auc).chain(left).collect()
}

/// The shares of rows without a value: `missing 0 % to 5.0 %`.
#[must_use]
pub fn missing(judged: &Judged) -> Option<String> {
    Some(format!("missing {}", shares(judged.reference_missing?, judged.current_missing?)))
}

/// The median; or with `most` what moved so much more that the median says little.
fn numbers(reference: &Spread, current: &Spread, most: bool) -> Option<String> {
    const MORE: f64 = 2.0;
    let of = |name: &'static str, before: Option<f64>, now: Option<f64>| Some((name, before?, now?));
    let by = |found: (&str, f64, f64)| found.2 - found.1;
    let median = of("median", reference.median, current.median);
    let (low, high) = (of("5 % quantile", reference.q05, current.q05), of("95 % quantile", reference.q95, current.q95));
    let middle = by(median?).abs() * MORE;
    let told = match (low, high) {
        // Both ends moved apart, or towards each other.
        (Some(low), Some(high)) if by(low) * by(high) < 0.0 && by(low).abs().min(by(high).abs()) > middle => {
            of("standard deviation", reference.deviation, current.deviation)
        }
        (low, high) => {
            let mean = of("mean", reference.mean, current.mean);
            let far = [low, high, mean].into_iter().flatten().max_by(|a, b| by(*a).abs().total_cmp(&by(*b).abs()));
            far.filter(|far| by(*far).abs() > middle)
        }
    };
    let (name, before, now) = told.filter(|_| most).or(median)?;
    Some(format!("{name} {}", from_to(before, now)))
}

/// The verdict in one plain sentence, without the column's name: `drifts: values moved by 0.31 standard deviations (threshold 0.08),
/// p = 2e-12`.
#[must_use]
pub fn sentence(judged: &Judged) -> String {
    if let Some(decision) = &judged.decision {
        let verdict = match judged.verdict {
            Verdict::Drift => "drifts",
            Verdict::NoDrift => "does not drift",
            Verdict::TooFewRows => return "too few rows for a verdict".to_owned(),
            Verdict::Undefined => return format!("no verdict: {} is not defined here", decision.method),
        };
        let value = decision.value.map_or_else(String::new, |value| format!(" {}", figure(value)));
        let threshold = decision.threshold.map_or_else(String::new, |at| format!(" (threshold {})", figure(at)));
        return format!("{verdict}: {}{value}{threshold}", decision.method);
    }
    let Some(aspect) = judged.deciding() else { return "no verdict: there are no values to compare".to_owned() };
    let p = aspect.p_adjusted.map_or_else(String::new, |p| {
        if p < 1e-300 { ", p < 1e-300".to_owned() } else { format!(", p = {}", figure(p)) }
    });
    let change = change(judged, aspect);
    match judged.verdict {
        Verdict::Drift => {
            // What drifts besides; of categories one of them and all of them say the same.
            let same = |of: Aspect| subject(of) == subject(aspect.aspect) || of == Aspect::Category;
            let drifting = |of: &&JudgedAspect| of.verdict == Verdict::Drift && !same(of.aspect);
            let more: Vec<&str> = judged.aspects.iter().skip(1).filter(drifting).map(|of| subject(of.aspect)).collect();
            let more = if more.is_empty() { String::new() } else { format!("; so do {}", more.join(" and ")) };
            format!("drifts: {change}{p}{more}")
        }
        Verdict::TooFewRows => needed(judged).unwrap_or_else(|| "too few rows for a verdict".to_owned()),
        Verdict::NoDrift => format!("does not drift: {change}{p}"),
        Verdict::Undefined => "no verdict: no test is defined for so few values".to_owned(),
    }
}

fn subject(aspect: Aspect) -> &'static str {
    match aspect {
        Aspect::Values => "its values",
        Aspect::Categories | Aspect::Category => "the shares of its categories",
        Aspect::Centroid => "its centroid",
        Aspect::Distance => "its distances from the reference's centroid",
        Aspect::Mmd => "its cloud",
        Aspect::Classifier => "what a classifier sees of it",
        Aspect::Missing => "the rows without a value",
    }
}

/// What moved by how much, and what that is held against.
fn change(judged: &Judged, aspect: &JudgedAspect) -> String {
    if let Some(test) = &aspect.test {
        return format!("{test} is {} (threshold {})", figure(aspect.effect), aspect.threshold);
    }
    let constant = judged.moved.reference_distinct == 1 && judged.moved.reference.is_some();
    let (what, by) = match (aspect.aspect, &aspect.category) {
        (Aspect::Values, _) if constant => {
            ("rows with another value than before are".to_owned(), shares_of(aspect.effect))
        }
        (Aspect::Values, _) => ("values moved by".to_owned(), format!("{} standard deviations", figure(aspect.effect))),
        (Aspect::Category, Some(name)) => {
            (format!("the share of {} moved by", shortened(name, NAME)), distance(aspect))
        }
        (Aspect::Categories | Aspect::Category, _) => ("the categories' shares moved by".to_owned(), distance(aspect)),
        (Aspect::Centroid, _) => ("the centroid moved by".to_owned(), format!("{} radii", figure(aspect.effect))),
        (Aspect::Distance, _) if constant => ("vectors other than before are".to_owned(), shares_of(aspect.effect)),
        (Aspect::Distance, _) => (
            "distances from the reference's centroid moved by".to_owned(),
            format!("{} standard deviations", figure(aspect.effect)),
        ),
        (Aspect::Mmd, _) => ("the cloud moved by".to_owned(), format!("an MMD of {}", figure(aspect.effect))),
        (Aspect::Classifier, _) => (
            "a classifier tells the sides apart as it would a shift by".to_owned(),
            format!("{} standard deviations", figure(aspect.effect)),
        ),
        (Aspect::Missing, _) => ("the share without a value moved by".to_owned(), distance(aspect)),
    };
    if aspect.effect == 0.0 {
        return format!("{} moved by no more than chance", subject(aspect.aspect));
    }
    let held = if aspect.varies {
        format!("it varies by {} by itself", figure(aspect.threshold))
    } else {
        format!("threshold {}", aspect.threshold)
    };
    format!("{what} {by} ({held})")
}

fn shares_of(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn distance(aspect: &JudgedAspect) -> String {
    format!("a Jensen-Shannon distance of {}", figure(aspect.effect))
}

#[cfg(test)]
mod tests {
    use super::super::baseline::Baseline;
    use super::super::modes::Mode;
    use super::super::verdict::{Measured, Thresholds, judge};
    use super::super::{Sample, defaults};
    use super::*;

    fn judged(reference: Sample, current: &Sample) -> Judged {
        let measured = Measured::new("c", &Baseline::new(reference), current, &defaults(), Mode::Default);
        judge(vec![measured], &Thresholds::default()).remove(0)
    }

    fn numbers(rows: u32, by: f64, missing: u32) -> Sample {
        Sample::numeric((0..rows).map(move |i| (i >= missing).then(|| f64::from(i % 97) + by)))
    }

    fn categories(rows: &[(&str, u64)]) -> Sample {
        let counts = rows.iter().map(|(name, rows)| ((*name).to_owned(), *rows)).collect();
        Sample::Categorical { counts, missing: 0 }
    }

    #[test]
    fn two_numbers_are_told_apart() {
        assert_eq!(from_to(3.2134, 4.1123), "3.21 to 4.11");
        assert_eq!(from_to(1_000_000.123, 1_000_001.5), "1000000.1 to 1000001.5");
        assert_eq!(from_to(40.0, 120.4), "40 to 120");
        assert_eq!((from_to(41.12, 45.0), difference(41.12, 45.0)), ("41.1 to 45.0".into(), "+3.9".into()));
        assert_eq!(
            (chance(0.0), figure(0.507), figure(1_234_567.4)),
            ("<1e-300".into(), "0.507".into(), "1234567".into())
        );
        assert_eq!(from_to(-0.5, 0.0), "-0.5 to 0");
        assert_eq!(from_to(2e12, 3e-9), "2.00e12 to 3.00e-9");
        assert_eq!(shares(0.101, 0.1534), "10.1 % to 15.3 %");
        assert_eq!(
            (shares(0.0, 0.05), shares(0.001_24, 0.001_31)),
            ("0 % to 5.0 %".into(), "0.124 % to 0.131 %".into())
        );
    }

    #[test]
    fn a_verdict_is_a_sentence() {
        let said = |of: &Judged| (sentence(of), moved(of).unwrap_or_default());
        let (text, what) = said(&judged(numbers(4000, 0.0, 0), &numbers(4000, 9.0, 0)));
        assert!(
            text.starts_with("drifts: values moved by 0.3")
                && text.contains("standard deviations (threshold 0.08), p = "),
            "{text}"
        );
        assert_eq!(what, "median 48 to 57");
        let (text, what) = said(&judged(numbers(4000, 0.0, 0), &numbers(4000, 0.0, 0)));
        assert_eq!(
            (text.as_str(), what.as_str()),
            ("does not drift: its values moved by no more than chance, p = 0.99", "median 48, as before")
        );
        let (text, what) = said(&judged(numbers(4000, 0.0, 0), &numbers(4000, 0.0, 200)));
        assert!(
            text.starts_with("drifts: the share without a value moved by a Jensen-Shannon distance of 0.1"),
            "{text}"
        );
        assert_eq!(what, "missing 0 % to 5.0 %");
        let (text, _) = said(&judged(numbers(48_500, 0.0, 0), &numbers(97, 6.0, 0)));
        assert!(text.starts_with("too few rows to tell ") && text.contains(" rows would"), "{text}");
        let (text, what) =
            said(&judged(categories(&[("red", 900), ("blue", 100)]), &categories(&[("red", 500), ("blue", 500)])));
        assert!(text.starts_with("drifts: the categories' shares moved by a Jensen-Shannon distance of "), "{text}");
        assert_eq!(what, "blue 10.0 % to 50.0 %");
        let (text, what) = said(&judged(
            Sample::numeric([Some(3.0); 900]),
            &Sample::numeric((0..900).map(|i| Some(if i % 2 == 0 { 3.0 } else { 4.0 }))),
        ));
        assert!(text.starts_with("drifts: rows with another value than before are 50.0 % (threshold 0.08)"), "{text}");
        assert_eq!(what, "median 3.0 to 3.5");
        let wide = Sample::numeric((0..4000_u32).map(|i| Some((f64::from(i % 97) - 48.0) * 2.0 + 48.0)));
        assert_eq!(moved(&judged(numbers(4000, 0.0, 0), &wide)).as_deref(), Some("standard deviation 28 to 56"));
    }

    #[test]
    fn without_values_it_says_so() {
        let none = judged(Sample::numeric([]), &Sample::numeric([]));
        assert_eq!((sentence(&none).as_str(), moved(&none)), ("no verdict: there are no values to compare", None));
        let mut few = judged(numbers(400, 0.0, 0), &numbers(400, 0.0, 0));
        few.withdraw();
        assert_eq!(sentence(&few), "too few rows for a verdict");
    }

    #[test]
    fn a_long_category_is_cut() {
        let long = "x".repeat(300);
        let found = judged(categories(&[(&long, 900), ("b", 100)]), &categories(&[(&long, 100), ("b", 900)]));
        assert!(sentence(&found).len() < 200 && moved(&found).is_some_and(|text| text.len() < 80));
    }
}
