//! What the values of one column show against a profile of the reference, as far as a profile knows.
//!
//! - Missing values and a constant column as against rows.
//! - The range: beyond the ends of the profile's quantiles lie no more of the reference's rows than its outermost part has, nor than the
//!   quantiles are off. As many are taken to lie there: values beyond are certain by Fisher's exact test against these.
//! - Categories: where all have a name in the profile, new and vanished ones and how many there are, as against rows; where some have none,
//!   vanished ones of those that have. Whether a name is new nobody can say then.
//! - How many different numbers there are is known where each is shared by five rows or more, and the quantiles are exact.
//!
//! Rows that repeat another, ids and correlations are not in it.

use std::collections::BTreeMap;

use super::groups::Groups;
use super::{Check, Detail, Own, Suspect, column};
use crate::drift::Sample;
use crate::drift::profile::kept::Kept;
use crate::drift::profile::{Column, Numeric, Values};
use crate::stats::hypergeometric::fisher;

/// Everything that the profile and the current values, by their own names, say.
#[must_use]
pub fn suspects(name: &str, reference: &Column, current: &Sample) -> Vec<Suspect> {
    let mut found = Vec::new();
    found.extend(column::missing([reference.missing, reference.present()], current));
    let only = column::only_value(current).filter(|_| reference.present() > 0);
    if let Some((value, _)) = &only {
        let before = rows_with(reference, current);
        found.push(column::constant(value.clone(), before, reference.present(), current.present()));
    }
    if reference.present() > 0 && current.present() > 0 {
        match (&reference.values, current) {
            (Values::Numeric(numeric), Sample::Numeric { sorted, .. }) => {
                found.extend(range(numeric, sorted));
                let groups = groups(numeric).filter(|_| only.is_none());
                found.extend(groups.and_then(|groups| column::cardinality(&groups, &column::groups(current))));
            }
            (Values::Categorical(held), Sample::Categorical { counts, .. }) => {
                found.extend(of_categories(&held.categories, counts, only.is_none()));
            }
            _ => {}
        }
    }
    found.into_iter().map(|found| column::suspect(name, found)).collect()
}

/// What the reference's own windows showed, where the profile knows.
#[must_use]
pub fn own(name: &str, reference: &Column) -> Own {
    let known = |check: &Check| Some(((*check, vec![name.to_owned()]), *reference.faults.get(check.name())?));
    Check::ALL.iter().filter_map(known).collect()
}

/// How many of the reference's rows have the one value that all current rows have; of a category without a name no more than all of these.
fn rows_with(reference: &Column, current: &Sample) -> u64 {
    match (&reference.values, current) {
        (Values::Numeric(numeric), Sample::Numeric { sorted, .. }) => {
            sorted.first().map_or(0, |value| numeric.quantiles.rows_at(*value))
        }
        (Values::Categorical(held), Sample::Categorical { counts, .. }) => {
            let named = counts.keys().next().and_then(|name| held.categories.named.get(name));
            named.copied().unwrap_or(held.categories.other_rows)
        }
        _ => 0,
    }
}

fn range(reference: &Numeric, current: &[f64]) -> Option<column::Found> {
    let [(lowest, first), (highest, last)] = reference.quantiles.ends()?;
    let rows = reference.rows();
    let off = crate::stats::whole::unsigned((reference.within.ks * reference.quantiles.rows() as f64).ceil());
    let below = current.partition_point(|value| *value < lowest) as u64;
    let above = current.len().saturating_sub(current.partition_point(|value| *value <= highest)) as u64;
    // A side on which the reference has infinity has no end.
    let sides = [(below, first, reference.infinite[0]), (above, last, reference.infinite[1])];
    let (n, m) = (current.len() as f64, rows as f64);
    let (mut p_value, mut outside, mut beyond) = (1.0_f64, 0_u64, 0_u64);
    for (now, outermost, infinite) in sides {
        if now == 0 || infinite > 0 {
            continue;
        }
        let before = outermost.min(off);
        let more = now as f64 / n > before as f64 / m;
        let tested = fisher([[before as f64, m - before as f64], [now as f64, n - now as f64]]).filter(|_| more);
        p_value = p_value.min(tested.unwrap_or(1.0));
        (outside, beyond) = (outside.saturating_add(now), beyond.saturating_add(before));
    }
    let p_value = if outside < column::OUTSIDE { 1.0 } else { (2.0 * p_value).min(1.0) };
    let share = (outside as f64 / n - beyond as f64 / m).max(0.0);
    let now = [*current.first()?, *current.last()?];
    let detail = Detail::Range { before: [lowest, highest], now: Some(now), outside, is_about: off > 0 };
    Some((Check::Range, share, p_value, detail))
}

fn of_categories(reference: &Kept, current: &BTreeMap<String, u64>, many: bool) -> Vec<column::Found> {
    let others = (reference.other_rows > 0).then_some(reference.other_rows);
    let before = Groups::of_counts(reference.named.values().copied().chain(others));
    let now = Groups::of_counts(current.values().copied());
    let mut found = vec![column::vanished(&reference.named, &before, current, &now)];
    if others.is_none() {
        found.extend(column::new_categories(&reference.named, &before, current, &now));
        found.extend(column::cardinality(&before, &now).filter(|_| many));
    }
    found
}

/// How often its numbers repeat, where each of them is known.
fn groups(numeric: &Numeric) -> Option<Groups> {
    let exact = numeric.within.ks <= 0.0 && numeric.infinite == [0, 0];
    exact.then(|| numeric.quantiles.shared()).flatten().map(Groups::of_counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::verdict::Thresholds;
    use crate::quality::{Rules, judge};

    fn profile(sample: Sample) -> Column {
        Column::of("c", sample, true, &[]).expect("enough rows")
    }

    fn found(reference: &Column, current: &Sample) -> Vec<Check> {
        let findings = judge(suspects("c", reference, current), &Rules::default(), &Thresholds::default(), &Own::new());
        findings.into_iter().map(|finding| finding.check).collect()
    }

    fn normal(random: &mut fastrand::Rng) -> f64 {
        (0..12).map(|_| random.f64()).sum::<f64>() - 6.0
    }

    type Draw = fn(&mut fastrand::Rng) -> f64;

    const DRAWS: [Draw; 5] = [
        normal,
        |random| random.f64(),
        |random| normal(random).exp(),
        |random| (normal(random) * 3.0).round(),
        |random| if random.bool() { 0.0 } else { normal(random).powi(3) },
    ];

    #[test]
    fn nothing_is_found_where_nothing_changes() {
        for (at, draw) in DRAWS.into_iter().enumerate() {
            for (reference, window) in [(500_u32, 5000_u32), (5000, 500)] {
                let random = &mut fastrand::Rng::with_seed(at as u64);
                for _ in 0..8 {
                    let held = profile(Sample::numeric((0..reference).map(|_| Some(draw(random)))));
                    let current = Sample::numeric((0..window).map(|_| Some(draw(random))));
                    assert_eq!(found(&held, &current), [], "{at}, {reference}");
                }
            }
        }
        let random = &mut fastrand::Rng::with_seed(1);
        for levels in [3.0, 40.0, 1000.0] {
            for _ in 0..8 {
                let mut draw = |rows: u32| {
                    Sample::categorical((0..rows).map(|_| Some(format!("{:.0}", levels * random.f64() * random.f64()))))
                };
                let held = profile(draw(5000));
                assert_eq!(found(&held, &draw(800)), [], "{levels}");
            }
        }
    }

    #[test]
    fn what_lies_beyond_the_range_is_found() {
        let random = &mut fastrand::Rng::with_seed(3);
        for draw in DRAWS {
            let held = profile(Sample::numeric((0..5000).map(|_| Some(draw(random)))));
            for far in [1e6, -1e6, f64::INFINITY] {
                let current =
                    Sample::numeric((0..1000).map(|row| Some(if row % 50 == 0 { far } else { draw(random) })));
                assert_eq!(found(&held, &current), [Check::Range], "{far}");
            }
            let few = Sample::numeric((0..1000).map(|row| Some(if row < 3 { 1e6 } else { draw(random) })));
            assert_eq!(found(&held, &few), [], "three values may be a mistake of one");
        }
        // Where the reference has infinity there is no end.
        let endless =
            profile(Sample::numeric((0..5000).map(|row| Some(if row < 50 { f64::INFINITY } else { normal(random) }))));
        assert_eq!(
            found(&endless, &Sample::numeric((0..1000).map(|row| Some(if row < 30 { 9e9 } else { normal(random) })))),
            []
        );
    }

    #[test]
    fn categories_are_known_where_they_have_names() {
        let plans = |rows: u32, of: &[&str]| {
            Sample::categorical((0..rows).map(|row| Some(of[row as usize % of.len()].to_owned())))
        };
        let held = profile(plans(3000, &["a", "b", "c"]));
        assert_eq!(found(&held, &plans(900, &["a", "b", "c"])), []);
        assert_eq!(found(&held, &plans(900, &["a", "b", "c", "d"])), [Check::NewCategories]);
        assert_eq!(found(&held, &plans(900, &["a", "b"])), [Check::VanishedCategories]);
        assert_eq!(found(&held, &plans(900, &["a"])), [Check::VanishedCategories, Check::Constant]);
        let many =
            Sample::categorical((0..900).map(|row| {
                Some(["a", "b", "c"].get(row % 4).map_or_else(|| row.to_string(), |name| (*name).to_owned()))
            }));
        assert_eq!(found(&held, &many), [Check::NewCategories, Check::Cardinality]);
        // Among the others that have no name may be any: that of a name that is gone is known all the same.
        let rare = |rows: u32| {
            (0..rows).map(|row| Some(if row % 10 == 0 { format!("rare {row}") } else { format!("p{}", row % 3) }))
        };
        let held = profile(Sample::categorical(rare(3000)));
        assert_eq!(found(&held, &Sample::categorical(rare(900))), []);
        assert_eq!(found(&held, &plans(900, &["p0", "p1", "p2", "d"])), []);
        assert_eq!(found(&held, &plans(900, &["p0", "p1"])), [Check::VanishedCategories]);
    }

    #[test]
    fn how_many_numbers_there_are_is_known_of_shared_ones() {
        let whole = |rows: u32, of: u32| Sample::numeric((0..rows).map(move |row| Some(f64::from(row % of))));
        let held = profile(whole(5000, 50));
        assert_eq!(found(&held, &whole(1000, 50)), []);
        assert_eq!(found(&held, &whole(1000, 10)), [Check::Cardinality]);
        let measured = profile(Sample::numeric((0..5000).map(|row| Some(f64::from(row) / 100.0))));
        assert_eq!(found(&measured, &whole(1000, 10)), [], "of measured ones it is not");
    }
}
