use proptest::prelude::*;

use super::four_fifths::Verdict;
use super::*;
use crate::stats::pick::scattered;

/// A number within [0, 1) for each place of a seed.
fn uniform(seed: u64, at: u64) -> f64 {
    (scattered(scattered(seed).wrapping_add(at)) >> 11) as f64 / 9_007_199_254_740_992.0
}

/// Groups by rows, and how many of them are selected; the first group's name is `0`.
fn selected(groups: &[(u64, u64)]) -> (Coded, Vec<Option<bool>>) {
    let rows =
        || groups.iter().zip(0..).flat_map(|((rows, part), name)| (0..*rows).map(move |row| (name, row < *part)));
    let names: Vec<String> = rows().map(|(name, _): (u32, bool)| format!("{name:03}")).collect();
    let coded = Coded::of_texts("group", names.iter().map(|name| Some(name.as_str())));
    (coded, rows().map(|(_, selected)| Some(selected)).collect())
}

fn of(groups: &[(u64, u64)], settings: &Settings) -> Fairness {
    let (coded, selected) = selected(groups);
    measure(&coded, &Rows { selected: &selected, positive: &[], score: &[] }, settings)
}

fn near(got: Option<f64>, want: f64) -> bool {
    got.is_some_and(|got| (got - want).abs() < 1e-12)
}

#[test]
fn demographic_parity_needs_no_labels() {
    let found = of(&[(100, 60), (50, 15), (20, 1)], &Settings::default());
    assert!(near(found.parity.demographic_parity_difference, 0.55), "{found:?}");
    assert!(near(found.parity.demographic_parity_ratio, 0.05 / 0.6));
    assert_eq!((found.parity.equalized_odds_difference, found.parity.accuracy_difference), (None, None));
    let judged = found.judged.demographic_parity_difference.expect("two groups are large enough");
    assert!((judged.value - 0.3).abs() < 1e-12 && judged.low > 0.1 && judged.high < 0.5, "{judged:?}");
    assert_eq!((judged.lowest.as_str(), judged.highest.as_str()), ("001", "000"));
    assert_eq!(found.too_small, ["002"]);
    assert_eq!(found.groups[2].too_small_for, [Rate::SelectionRate], "labels are not asked of where there are none");
    assert!(found.groups.iter().all(|group| group.accuracy.is_none() && group.calibration.is_none()));
}

#[test]
fn what_nobody_can_know_is_none_for_us_and_nought_for_fairlearn() {
    // The second group has no positive, the third no labelled row, the fourth too few positives.
    let rows = [("a", "1101", "1100"), ("b", "0100", "0000"), ("c", "11", "--"), ("d", "0101", "0010")];
    let repeat = |text: &str| text.repeat(10);
    let names: Vec<String> =
        rows.iter().flat_map(|(name, bits, _)| vec![(*name).to_owned(); bits.len() * 10]).collect();
    let bits = |of: &dyn Fn(&(&str, &str, &str)) -> String| -> Vec<Option<bool>> {
        let all: String = rows.iter().map(of).collect();
        all.chars().map(|bit| if bit == '-' { None } else { Some(bit == '1') }).collect()
    };
    let (selected, positive) = (bits(&|row| repeat(row.1)), bits(&|row| repeat(row.2)));
    let coded = Coded::of_texts("x", names.iter().map(|name| Some(name.as_str())));
    let found = measure(&coded, &Rows { selected: &selected, positive: &positive, score: &[] }, &Settings::default());
    let group = |name: &str| found.groups.iter().find(|group| group.name == name).expect("a group");
    assert_eq!((group("b").true_positive_rate, group("b").false_negative_rate), (None, None));
    assert_eq!((group("c").accuracy, group("c").labelled, group("c").rows), (None, 0, 20));
    assert!(
        group("c").too_small_for.contains(&Rate::Accuracy) && group("c").too_small_for.contains(&Rate::SelectionRate)
    );
    assert_eq!(group("b").too_small_for, [Rate::TruePositiveRate]);
    // fairlearn's true positive rates are 1, 0 and 0: of the second there are none, of the third ten that are not found.
    assert!(near(found.parity.equal_opportunity_difference, 1.0) && near(found.parity.equal_opportunity_ratio, 0.0));
    let ours = found.judged.equal_opportunity_difference.as_ref().expect("of a and d");
    assert_eq!((ours.lowest.as_str(), ours.highest.as_str()), ("d", "a"));
    assert!(near(found.parity.predictive_parity_difference, 2.0 / 3.0));
}

#[test]
fn one_group_alone_is_compared_with_none() {
    let found = of(&[(100, 60)], &Settings::default());
    assert_eq!(found.parity.demographic_parity_difference, Some(0.0));
    assert_eq!(found.parity.demographic_parity_ratio, Some(1.0));
    assert_eq!((found.judged.demographic_parity_difference, found.judged.groups), (None, 1));
    assert_eq!(found.four_fifths.verdict, Verdict::NotJudged);
    let none = of(&[], &Settings::default());
    assert_eq!((none.parity, none.four_fifths.verdict, none.rows), (Parity::default(), Verdict::NotJudged, 0));
}

#[test]
fn nobody_selected_has_no_ratio() {
    let found = of(&[(100, 0), (100, 0)], &Settings::default());
    assert_eq!(found.parity.demographic_parity_difference, Some(0.0));
    assert_eq!((found.parity.demographic_parity_ratio, found.judged.demographic_parity_ratio), (None, None));
    assert_eq!(found.four_fifths.verdict, Verdict::NotJudged);
    let named = Settings { privileged: Some("000".to_owned()), ..Settings::default() };
    let against = of(&[(100, 0), (100, 30)], &named).privileged.and_then(|of| of.all_others).expect("rows");
    assert_eq!(against.disparate_impact_ratio, None);
    assert!((against.statistical_parity_difference.value - 0.3).abs() < 1e-12);
}

#[test]
fn the_privileged_group_is_held_against_each_and_against_all_others() {
    let named = |name: &str| Settings { privileged: Some(name.to_owned()), ..Settings::default() };
    let found = of(&[(100, 60), (50, 15), (20, 1)], &named("000")).privileged.expect("named");
    let all = found.all_others.expect("rows");
    assert_eq!((all.rows, all.judged, all.group), (70, true, None));
    assert!((all.statistical_parity_difference.value - (16.0 / 70.0 - 0.6)).abs() < 1e-12);
    assert!(all.disparate_impact_ratio.is_some_and(|ratio| (ratio.value - 16.0 / 42.0).abs() < 1e-12));
    let each: Vec<(Option<&str>, bool)> = found.each.iter().map(|of| (of.group.as_deref(), of.judged)).collect();
    assert_eq!(each, [(Some("001"), true), (Some("002"), false)]);
    let ratio = found.each[0].disparate_impact_ratio.expect("defined");
    assert!(ratio.holds(0.5) && ratio.high < 0.8, "{ratio:?}");
    let nobody = of(&[(100, 60)], &named("nobody")).privileged.expect("named");
    assert_eq!((nobody.rows, nobody.all_others, nobody.each.len()), (0, None, 0));
}

#[test]
fn more_groups_than_are_told_are_one_and_fairlearn_has_each() {
    let groups: Vec<(u64, u64)> = (0..12).map(|at| (200 - at, if at == 11 { 0 } else { 100 })).collect();
    let found = of(&groups, &Settings { most_groups: 4, privileged: Some("011".to_owned()), ..Settings::default() });
    assert_eq!((found.groups.len(), found.rows), (4, (189..=200).sum()));
    let rest = found.rest.expect("eight more");
    assert_eq!((rest.values, rest.group.rows), (8, (189..=196).sum()));
    assert_eq!(found.parity.demographic_parity_ratio, Some(0.0), "the last group is not told and compared");
    assert!(found.judged.demographic_parity_ratio.is_some_and(|ratio| ratio.value > 0.9), "and not judged");
    let privileged = found.privileged.expect("named");
    assert_eq!((privileged.rows, privileged.each.len()), (189, 4));
}

#[test]
fn rows_without_a_value_or_a_prediction_are_counted_and_in_no_group() {
    let coded = Coded::of_texts("x", [Some("a"), None, Some("b"), Some("a")]);
    let selected = [Some(true), Some(true), Some(false), None];
    let found = measure(&coded, &Rows { selected: &selected, positive: &[], score: &[] }, &Settings::default());
    assert_eq!((found.rows, found.rows_without_value, found.groups.len()), (2, 1, 2));
    assert_eq!(found.parity.demographic_parity_difference, Some(1.0));
}

#[test]
fn the_rule_is_broken_by_the_interval_and_not_by_the_ratio() {
    let verdict = |groups: &[(u64, u64)]| of(groups, &Settings::default()).four_fifths;
    let few = verdict(&[(40, 20), (40, 12)]);
    assert_eq!((few.verdict, few.pairs_below), (Verdict::Unclear, 0), "0.6, of 40 rows");
    assert!(few.worst.is_some_and(|worst| (worst.ratio.value - 0.6).abs() < 1e-12 && worst.ratio.high > 0.8));
    let many = verdict(&[(4000, 2000), (4000, 1200), (4000, 1900)]);
    assert_eq!((many.verdict, many.pairs, many.pairs_below), (Verdict::Below, 3, 2));
    let worst = many.worst.expect("one");
    assert_eq!((worst.group.as_str(), worst.against.as_str()), ("001", "000"));
    let words = worst.words("group");
    assert!(words.starts_with("group = 001: selection rate 0.300, 0.600 (0.5"), "{words}");
    assert!(words.ends_with(") of that of 000 (0.500)"), "{words}");
    assert_eq!(verdict(&[(4000, 2000), (4000, 1960)]).verdict, Verdict::Met);
    assert_eq!(verdict(&[(4000, 2000), (20, 0)]).verdict, Verdict::NotJudged, "one is too small");
}

/// Fair models of 2 to 20 groups, most of which have a ratio below 0.8 by chance. All of it is in `benches/fairness.rs`.
#[test]
fn fair_models_are_not_accused_and_unfair_ones_are() {
    let made = |seed: u64, groups: u64, rows: u64, ratio: f64| {
        let mut counts = vec![(0, 0); usize::try_from(groups).expect("few")];
        for row in 0..rows {
            let group = (uniform(seed, 2 * row).powi(2) * groups as f64).floor();
            let share = if group == 0.0 { 0.3 * ratio } else { 0.3 };
            let (count, part) = &mut counts[crate::stats::whole::index(group)];
            *count += 1;
            *part += u64::from(uniform(seed, 2 * row + 1) < share);
        }
        of(&counts, &Settings::default())
    };
    let (mut accused, mut raw) = (0, 0);
    for seed in 0..150 {
        for (groups, rows) in [(2, 200), (5, 500), (20, 1000)] {
            let found = made(seed, groups, rows, 1.0);
            accused += usize::from(found.four_fifths.verdict == Verdict::Below);
            raw += usize::from(found.parity.demographic_parity_ratio.is_some_and(|ratio| ratio < 0.8));
        }
    }
    assert_eq!(accused, 0, "of 450 fair models");
    assert!(raw > 300, "the ratio alone accuses {raw}");
    let found = (1000..1020).filter(|seed| made(*seed, 4, 6000, 0.6).four_fifths.verdict == Verdict::Below);
    assert!(found.count() >= 18);
}

/// The intervals of differences and ratios hold the truth: of two groups that differ as often as they say, else at least as often.
#[test]
fn gaps_hold_the_truth() {
    let coverage = |shares: &[f64], rows: u64| {
        let held = (0..600).map(|seed| {
            let counts: Vec<(u64, u64)> = (0..)
                .zip(shares)
                .map(|(group, share)| {
                    (rows, (0..rows).filter(|row| uniform(seed, group * rows + row) < *share).count() as u64)
                })
                .collect();
            let judged = of(&counts, &Settings::default()).judged;
            let (low, high) = shares.iter().fold((1.0_f64, 0.0_f64), |ends, s| (ends.0.min(*s), ends.1.max(*s)));
            let holds =
                |gap: Option<judged::Gap>, truth: f64| gap.is_some_and(|gap| gap.low <= truth && truth <= gap.high);
            [
                holds(judged.demographic_parity_difference, high - low),
                holds(judged.demographic_parity_ratio, low / high),
            ]
        });
        held.fold([0.0; 2], |sums, held| [0, 1].map(|of: usize| sums[of] + f64::from(u8::from(held[of])) / 600.0))
    };
    for (shares, rows) in [(&[0.5, 0.3][..], 100), (&[0.2, 0.3], 300), (&[0.6, 0.6], 50)] {
        for coverage in coverage(shares, rows) {
            assert!((0.93..=0.98).contains(&coverage), "{shares:?}: {coverage}");
        }
    }
    for coverage in coverage(&[0.5, 0.4, 0.45, 0.3], 100) {
        assert!(coverage >= 0.95, "{coverage}");
    }
}

#[test]
fn amounts_are_compared_by_means() {
    let names: Vec<String> = (0..400).map(|at| if at % 4 == 0 { "a" } else { "b" }.to_owned()).collect();
    let coded = Coded::of_texts("x", names.iter().map(|name| Some(name.as_str())));
    let label: Vec<Option<f64>> = (0..400).map(|at| (at % 7 != 0).then(|| 10.0 * uniform(1, at))).collect();
    let prediction: Vec<Option<f64>> =
        (0..400)
            .map(|at| {
                if at == 3 {
                    Some(f64::NAN)
                } else {
                    Some(10.0 * uniform(1, at) + if at % 4 == 0 { 2.0 } else { -0.5 })
                }
            })
            .collect();
    let found = amounts::measure(&coded, &prediction, &label, &Settings::default());
    assert_eq!((found.rows, found.groups[0].name.as_str(), found.groups[0].rows), (399, "b", 299));
    assert!(found.groups[0].labelled < 299);
    assert!(near(found.mean_error_difference, 2.5) && near(found.mean_absolute_error_difference, 1.5), "{found:?}");
    let gap = found.judged.mean_prediction_difference.expect("two groups");
    assert!(gap.low > 1.0 && gap.high < 4.5 && gap.highest == "a", "{gap:?}");
    let few = amounts::measure(&coded, &prediction[..90], &[], &Settings::default());
    assert_eq!((few.mean_error_difference, few.judged.mean_prediction_difference), (None, None));
    assert_eq!((few.too_small, few.groups[0].mean_error), (vec!["a".to_owned()], None));
    let one = amounts::measure(&coded, &prediction, &label, &Settings { most_groups: 1, ..Settings::default() });
    assert!(one.rest.is_some_and(|rest| rest.values == 1 && rest.group.rows == 100));
}

proptest! {
    /// Names and the order of rows say nothing, and a difference of groups stays what it is when every row comes twice.
    #[test]
    fn it_is_of_counts(rows in prop::collection::vec((0..4_u8, prop::option::of(any::<bool>()), prop::option::of(any::<bool>()), 0.0..=1.0_f64), 0..120)) {
        let of = |rows: &[(u8, Option<bool>, Option<bool>, f64)], name: &dyn Fn(u8) -> String| {
            let names: Vec<String> = rows.iter().map(|row| name(row.0)).collect();
            let selected: Vec<_> = rows.iter().map(|row| row.1).collect();
            let positive: Vec<_> = rows.iter().map(|row| row.2).collect();
            let score: Vec<_> = rows.iter().map(|row| Some(row.3)).collect();
            let coded = Coded::of_texts("x", names.iter().map(|name| Some(name.as_str())));
            measure(&coded, &Rows { selected: &selected, positive: &positive, score: &score }, &Settings::default())
        };
        let plain = of(&rows, &|name| name.to_string());
        let turned: Vec<_> = rows.iter().rev().copied().collect();
        let other = of(&turned, &|name| format!("{}", 9 - name));
        prop_assert_eq!(plain.parity, other.parity);
        prop_assert_eq!(plain.four_fifths.verdict, other.four_fifths.verdict);
        let twice: Vec<_> = rows.iter().chain(&rows).copied().collect();
        prop_assert_eq!(plain.parity, of(&twice, &|name| name.to_string()).parity);
        let sizes: u64 = plain.groups.iter().map(|group| group.rows).sum();
        prop_assert_eq!(sizes, rows.iter().filter(|row| row.1.is_some()).count() as u64);
        for group in &plain.groups {
            let shares = [group.selection_rate, group.accuracy, group.true_positive_rate, group.false_positive_rate, group.precision];
            for share in shares.into_iter().flatten() {
                prop_assert!(0.0 <= share.low && share.low <= share.value && share.value <= share.high && share.high <= 1.0);
            }
            prop_assert_eq!(group.true_positive_rate.is_some(), group.positives > 0);
            prop_assert_eq!(group.labelled, group.positives + group.negatives);
        }
    }
}
