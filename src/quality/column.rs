//! What the values of one column show.

use std::collections::BTreeMap;

use super::groups::Groups;
use super::{Check, Detail, Suspect};
use crate::drift::{Sample, side_by_side};
use crate::stats::exchange::{all_on_one_side, poisson_or_more};
use crate::stats::{hypergeometric, tails};

/// What is seen: the check, how much there is of it, how likely that is by chance, and what to say.
pub(super) type Found = (Check, f64, f64, Detail);

/// So many values outside of the range are no single mistake.
pub(super) const OUTSIDE: u64 = 5;
/// A column of which more of the reference's rows than this share have a category of their own is a list of names.
const NAMES_ROWS: f64 = 0.2;
/// Categories named.
const NAMED: usize = 5;

/// How often a column's values repeat.
#[must_use]
pub fn groups(sample: &Sample) -> Groups {
    match sample {
        Sample::Numeric { sorted, .. } => Groups::of_sorted(sorted, |a, b| a.total_cmp(b).is_eq()),
        Sample::Categorical { counts, .. } => Groups::of_counts(counts.values().copied()),
    }
}

/// Everything that both sides have values for. Of what is made of a column (`of_reference` is `None`) what rests on its rarest values is left
/// out.
#[must_use]
pub fn suspects(name: &str, reference: &Sample, of_reference: Option<&Groups>, current: &Sample) -> Vec<Suspect> {
    let mut found: Vec<Found> = Vec::new();
    found.extend(missing([reference.missing(), reference.present()], current));
    let only = only_value(current).filter(|_| reference.present() > 0);
    if let Some((value, as_many)) = &only {
        found.push(constant(value.clone(), as_many(reference), reference.present(), current.present()));
    }
    if let Some(of_reference) = of_reference.filter(|groups| groups.rows() > 0 && current.present() > 0) {
        let of_current = groups(current);
        match (reference, current) {
            (Sample::Numeric { sorted: reference, .. }, Sample::Numeric { sorted: current, .. }) => {
                found.extend(range(reference, current));
            }
            (Sample::Categorical { counts: reference, .. }, Sample::Categorical { counts: current, .. }) => {
                found.extend(new_categories(reference, of_reference, current, &of_current));
                found.push(vanished(reference, of_reference, current, &of_current));
            }
            _ => {}
        }
        if only.is_none() {
            found.extend(cardinality(of_reference, &of_current));
        }
    }
    found.into_iter().map(|found| suspect(name, found)).collect()
}

/// The same, of a column.
pub(super) fn suspect(name: &str, (check, value, p_value, detail): Found) -> Suspect {
    Suspect { check, columns: vec![name.to_owned()], value, p_value: Some(p_value), detail }
}

/// Of each part, by its place, the share of its values that lie outside of the range of all other parts, or in categories that none of them
/// has.
#[must_use]
pub fn beyond_the_others(parts: &[Sample]) -> Vec<(usize, Check, f64)> {
    let share = |beyond: u64, part: &Sample| beyond as f64 / part.present().max(1) as f64;
    let ends: Vec<(f64, f64)> = parts
        .iter()
        .filter_map(|part| match part {
            Sample::Numeric { sorted, .. } => Some((*sorted.first()?, *sorted.last()?)),
            Sample::Categorical { .. } => None,
        })
        .collect();
    let mut all: BTreeMap<&String, u64> = BTreeMap::new();
    for part in parts {
        if let Sample::Categorical { counts, .. } = part {
            for (name, rows) in counts {
                let known = all.entry(name).or_default();
                *known = known.saturating_add(*rows);
            }
        }
    }
    // The two that reach farthest on either side: all others lie within the range of those that are left.
    let (mut lows, mut highs): (Vec<f64>, Vec<f64>) = ends.into_iter().unzip();
    lows.sort_by(f64::total_cmp);
    highs.sort_by(|a, b| b.total_cmp(a));
    let of_part = |part: &Sample| match part {
        Sample::Numeric { sorted, .. } => {
            let (first, last) = (sorted.first()?, sorted.last()?);
            let but = |ends: &[f64], own: &f64| {
                let farthest = ends.first()?;
                if farthest.total_cmp(own).is_eq() { ends.get(1).copied() } else { Some(*farthest) }
            };
            let (low, high) = (but(&lows, first)?, but(&highs, last)?);
            let below = sorted.partition_point(|value| *value < low);
            let above = sorted.len().saturating_sub(sorted.partition_point(|value| *value <= high));
            Some((Check::Range, share((below as u64).saturating_add(above as u64), part)))
        }
        Sample::Categorical { counts, .. } => {
            let alone = counts.iter().filter(|(name, rows)| all.get(name) == Some(*rows)).map(|(_, rows)| *rows).sum();
            Some((Check::NewCategories, share(alone, part)))
        }
    };
    if parts.len() < 2 {
        return Vec::new();
    }
    let placed = |(at, part)| of_part(part).map(|(check, share)| (at, check, share));
    parts.iter().enumerate().filter_map(placed).collect()
}

/// Against so many of the reference's rows without a value, and with one.
pub(super) fn missing([gone, present]: [u64; 2], current: &Sample) -> Option<Found> {
    let p_value =
        hypergeometric::fisher([[gone as f64, present as f64], [current.missing() as f64, current.present() as f64]])?;
    let before = gone as f64 / (gone as f64 + present as f64);
    let now = current.missing() as f64 / current.rows() as f64;
    Some((Check::Missing, now - before, p_value, Detail::Missing { before, now }))
}

/// The two sides by themselves, the less likely of them times two.
fn range(reference: &[f64], current: &[f64]) -> Option<Found> {
    let (lowest, highest) = (*reference.first()?, *reference.last()?);
    let below = current.partition_point(|value| *value < lowest);
    let above = current.len().saturating_sub(current.partition_point(|value| *value <= highest));
    let (n, all) = (current.len() as u64, (current.len() as u64).saturating_add(reference.len() as u64));
    let likely = [below, above].map(|outside| all_on_one_side(outside as u64, n, all));
    let outside = (below as u64).saturating_add(above as u64);
    let p_value = if outside < OUTSIDE { 1.0 } else { (2.0 * likely[0].min(likely[1])).min(1.0) };
    let now = [*current.first()?, *current.last()?];
    let detail = Detail::Range { before: [lowest, highest], now: Some(now), outside, is_about: false };
    Some((Check::Range, outside as f64 / n as f64, p_value, detail))
}

/// Rows of categories that the reference does not have: one category that is too frequent for that, or too many of them.
pub(super) fn new_categories(
    reference: &BTreeMap<String, u64>,
    of_reference: &Groups,
    current: &BTreeMap<String, u64>,
    of_current: &Groups,
) -> Option<Found> {
    if of_reference.alone()? > NAMES_ROWS {
        return None;
    }
    let (n, all) = (of_current.rows(), of_reference.rows().saturating_add(of_current.rows()));
    let (mut expected, mut categories, mut rows_expected) = (0.0, 0.0, 0.0);
    let mut likely = BTreeMap::new();
    let mut new = Vec::new();
    for (name, before, now) in side_by_side(reference, current) {
        let both = before.saturating_add(now);
        let p = *likely.entry(both).or_insert_with(|| all_on_one_side(both, n, all));
        expected += p;
        rows_expected += p * both as f64;
        categories += 1.0;
        if before == 0 {
            new.push((name, now, p));
        }
    }
    new.sort_by_key(|(_, rows, _)| std::cmp::Reverse(*rows));
    let rows: u64 = new.iter().map(|(_, rows, _)| *rows).sum();
    let one = new.first().map_or(1.0, |(_, _, p)| (p * categories).min(1.0));
    let together = poisson_or_more(new.len() as u64, expected);
    let p_value = (2.0 * one.min(together)).min(1.0);
    let share = (rows as f64 - rows_expected).max(0.0) / n as f64;
    let names = new.iter().take(NAMED).map(|(name, ..)| (*name).to_owned()).collect();
    let detail = Detail::New { count: new.len() as u64, names, share: rows as f64 / n as f64 };
    Some((Check::NewCategories, share, p_value, detail))
}

/// Categories of the reference whose absence is no chance.
pub(super) fn vanished(
    reference: &BTreeMap<String, u64>,
    of_reference: &Groups,
    current: &BTreeMap<String, u64>,
    of_current: &Groups,
) -> Found {
    /// By chance none of all categories is gone that is held for gone, but for this.
    const SURE: f64 = 1e-3;
    let (m, all) = (of_reference.rows(), of_reference.rows().saturating_add(of_current.rows()));
    let categories = reference.len() as f64;
    let mut gone: Vec<(&String, u64, f64)> = reference
        .iter()
        .filter(|(name, _)| !current.contains_key(*name))
        .map(|(name, rows)| (name, *rows, (all_on_one_side(*rows, m, all) * categories).min(1.0)))
        .collect();
    gone.sort_by_key(|(_, rows, _)| std::cmp::Reverse(*rows));
    let p_value = gone.first().map_or(1.0, |(_, _, p)| *p);
    gone.retain(|(_, _, p)| *p < SURE);
    let rows: u64 = gone.iter().map(|(_, rows, _)| *rows).sum();
    let share = rows as f64 / m as f64;
    let names = gone.iter().take(NAMED).map(|(name, ..)| (*name).clone()).collect();
    (Check::VanishedCategories, share, p_value, Detail::Vanished { count: gone.len() as u64, names, share })
}

/// The one value that all rows have, and how many rows of another sample have it.
pub(super) fn only_value(current: &Sample) -> Option<(String, impl Fn(&Sample) -> u64)> {
    let (number, text) = match current {
        Sample::Numeric { sorted, .. } => {
            let (first, last) = (sorted.first()?, sorted.last()?);
            first.total_cmp(last).is_eq().then_some((Some(*first), None))?
        }
        Sample::Categorical { counts, .. } => {
            let [name] = counts.keys().collect::<Vec<_>>()[..] else { return None };
            (None, Some(name.clone()))
        }
    };
    let shown = text.clone().or(number.map(|number| number.to_string()))?;
    let as_many = move |sample: &Sample| match (sample, number, &text) {
        (Sample::Numeric { sorted, .. }, Some(number), _) => {
            let below = sorted.partition_point(|value| *value < number);
            (sorted.partition_point(|value| *value <= number).saturating_sub(below)) as u64
        }
        (Sample::Categorical { counts, .. }, _, Some(text)) => counts.get(text).copied().unwrap_or(0),
        _ => 0,
    };
    Some((shown, as_many))
}

pub(super) fn constant(value: String, before: u64, m: u64, n: u64) -> Found {
    let others = 1.0 - before as f64 / m as f64;
    let p_value = all_on_one_side(n, before.saturating_add(n), m.saturating_add(n));
    (Check::Constant, others, p_value, Detail::Constant { value, others })
}

pub(super) fn cardinality(of_reference: &Groups, of_current: &Groups) -> Option<Found> {
    let rows = of_reference.rows().min(of_current.rows());
    let (before, now) = (of_reference.distinct_at(rows), of_current.distinct_at(rows));
    if before <= 0.0 || now <= 0.0 {
        return None;
    }
    let ratio = (now / before).max(before / now);
    // Neither varies by more than its mean.
    let p_value = tails::normal((now - before) / (now + before).sqrt());
    Some((Check::Cardinality, ratio, p_value, Detail::Distinct { before, now, rows }))
}
