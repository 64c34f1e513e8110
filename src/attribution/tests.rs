//! What is planted is found, what is not is not, and parts add up.

use proptest::prelude::*;

use super::*;
use crate::segment::coded::Coded;
use crate::stats::random::Random;

/// How the current rows differ from the reference's.
#[derive(Debug, Clone, Copy, Default)]
struct Planted {
    /// The first column's mean, in its standard deviations; the second follows it.
    inputs: f64,
    /// More errors where the third column is large, on the logit.
    relation: f64,
    /// The share of rows whose name is one that the reference does not have.
    new_name: f64,
    /// The share of rows whose first column is missing.
    missing: f64,
}

/// What a row's value is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Value {
    /// 1 for an error, else 0.
    Error,
    /// How far an amount is out: exponential.
    Loss,
    /// A score: a function of the inputs.
    Score,
}

struct Made {
    columns: Vec<Column>,
    values: Vec<Option<f64>>,
    reference: usize,
}

impl Made {
    fn of(seed: u64, rows: [usize; 2], planted: Planted, value: Value) -> Self {
        let random = &mut Random::new(seed);
        let mut numbers = vec![Vec::new(); 4];
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for (count, planted) in rows.into_iter().zip([Planted::default(), planted]) {
            for _ in 0..count {
                let first = random.normal() + planted.inputs;
                let second = 0.8 * first + 0.6 * random.normal();
                let (third, fourth) = (random.normal(), random.normal());
                let is_missing = random.uniform() < planted.missing;
                let name = if random.uniform() < planted.new_name { 4 } else { random.bits() % 4 };
                let logit = -1.5
                    + if is_missing { 2.0 } else { first }
                    + f64::from(u8::from(name == 2))
                    + planted.relation * f64::from(u8::from(third > 0.5));
                let chance = 1.0 / (1.0 + (-logit).exp());
                for (column, value) in
                    numbers.iter_mut().zip([(!is_missing).then_some(first), Some(second), Some(third), Some(fourth)])
                {
                    column.push(value);
                }
                names.push(u32::try_from(name).ok());
                values.push(Some(match value {
                    Value::Error => f64::from(u8::from(random.uniform() < chance)),
                    Value::Loss => -chance * (1.0 - random.uniform()).ln(),
                    Value::Score => chance,
                }));
            }
        }
        let mut columns: Vec<Column> = numbers
            .into_iter()
            .zip(["first", "second", "third", "fourth"])
            .map(|(values, name)| Column::Numbers { name: name.to_owned(), values })
            .collect();
        let called = (0..5).map(|name| format!("n{name}")).collect();
        columns.push(Column::Values(Coded { name: "name".to_owned(), names: called, codes: names, rest: 0 }));
        Self { columns, values, reference: rows[0] }
    }

    fn attribute(&self) -> Attribution {
        let sides = Sides { columns: &self.columns, values: &self.values, reference: self.reference };
        attribute(&sides, &Settings::default()).expect("it can be told")
    }
}

/// What the split makes of many data sets: of each part how often it is told and how often its interval holds the truth; how often a
/// feature is named.
fn often(sets: u64, rows: [usize; 2], planted: Planted, value: Value, truth: [f64; 2]) -> ([u64; 2], [u64; 2], u64) {
    let (mut told, mut held, mut named) = ([0; 2], [0; 2], 0);
    for seed in 0..sets {
        let found = Made::of(1000 + seed, rows, planted, value).attribute();
        let parts =
            [found.split.other_inputs, found.split.another_relation].map(|part| part.expect("there are rows enough"));
        for (at, part) in parts.iter().enumerate() {
            told[at] += u64::from(part.told);
            held[at] += u64::from(part.change.holds(truth[at]));
        }
        named += u64::from(!found.inputs.is_empty() || !found.relation.is_empty());
    }
    (told, held, named)
}

#[test]
fn where_nothing_changed_no_feature_is_named() {
    let mut all = 0;
    for value in [Value::Error, Value::Loss, Value::Score] {
        let (told, held, named) = often(12, [250, 250], Planted::default(), value, [0.0, 0.0]);
        assert!(told[0] + told[1] <= 2 && held[0] >= 9 && held[1] >= 9, "{value:?} {told:?} {held:?}");
        all += named;
    }
    // 5 % of 36 are 2.
    assert!(all <= 2, "{all} of 36");
}

#[test]
fn other_inputs_are_told_from_another_relation() {
    let inputs = Planted { inputs: 0.7, ..Planted::default() };
    let (told, held, _) = often(10, [500, 400], inputs, Value::Error, [INPUTS, 0.0]);
    assert!(told[0] >= 9 && told[1] <= 1 && held[0] >= 8 && held[1] >= 8, "{told:?} {held:?}");
    let relation = Planted { relation: 2.0, ..Planted::default() };
    let (told, held, _) = often(10, [500, 400], relation, Value::Error, [0.0, RELATION]);
    assert!(told[1] >= 9 && told[0] <= 1 && held[0] >= 8 && held[1] >= 8, "{told:?} {held:?}");
    let (told, ..) = often(5, [500, 400], Planted { inputs: 0.7, relation: 3.0, ..relation }, Value::Error, [0.0, 0.0]);
    assert!(told[0] >= 4 && told[1] >= 4, "{told:?}");
}

/// How much likelier an error is on average, by eight million rows of the same law: with other inputs, and with another relation.
const INPUTS: f64 = 0.1248;
const RELATION: f64 = 0.1176;

#[test]
fn what_is_planted_comes_first() {
    let (mut inputs, mut relation) = (0, 0);
    for seed in 0..5 {
        let found =
            Made::of(seed, [1000, 800], Planted { inputs: 0.7, relation: 2.5, ..Planted::default() }, Value::Error)
                .attribute();
        // The second goes with the first, and is named after it.
        let first = found.inputs.first().filter(|lead| lead.feature == "first" && lead.more.starts_with("first > "));
        inputs +=
            u64::from(first.is_some_and(|lead| lead.explains.low > 0.0 && lead.share_current > lead.share_reference));
        let first = found.relation.first().filter(|lead| lead.feature == "third");
        relation += u64::from(
            first.is_some_and(|lead| lead.change.low > lead.elsewhere.value && lead.values.starts_with("third > ")),
        );
        assert!(found.inputs.iter().all(|lead| ["first", "second"].contains(&lead.feature.as_str())), "{found:?}");
    }
    assert!(inputs == 5 && relation >= 4, "{inputs} {relation}");
}

/// Without labels the value is the score: where the model is as it was, all is other inputs.
#[test]
fn a_score_that_is_the_same_function_has_the_same_relation() {
    let found = Made::of(5, [1500, 1500], Planted { inputs: 0.8, ..Planted::default() }, Value::Score).attribute();
    let [inputs, relation] = [found.split.other_inputs, found.split.another_relation].map(|part| part.expect("rows"));
    assert!(inputs.told && !relation.told && relation.change.value.abs() < 0.05 * inputs.change.value, "{found:?}");
    assert!(found.inputs[0].feature == "first" && found.relation.is_empty(), "{found:?}");
    let found = Made::of(5, [1500, 1500], Planted { relation: 1.0, ..Planted::default() }, Value::Score).attribute();
    assert!(
        found.split.another_relation.is_some_and(|part| part.told) && found.relation[0].feature == "third",
        "{found:?}"
    );
}

#[test]
fn missing_is_a_value() {
    let found = Made::of(9, [1000, 1000], Planted { missing: 0.3, ..Planted::default() }, Value::Error).attribute();
    // The reference has none that is missing: nobody can tell what that means.
    assert!((0.25..0.35).contains(&found.split.unseen_share) && found.split.unseen > Some(0.02), "{found:?}");
    let mut some = Made::of(9, [1000, 1000], Planted::default(), Value::Error);
    let Column::Numbers { values, .. } = &mut some.columns[3] else { panic!("numbers") };
    for (row, of) in values.iter_mut().enumerate().filter(|(row, _)| row % 10 == 0 || (*row >= 1000 && row % 10 < 5)) {
        (*of, some.values[row]) = (None, Some(1.0));
    }
    let found = some.attribute();
    assert!(found.inputs[0].feature == "fourth" && found.inputs[0].more == "fourth is missing", "{found:?}");
    assert!(
        (found.inputs[0].share_reference - 0.1).abs() < 1e-12 && (found.inputs[0].share_current - 0.5).abs() < 1e-12
    );
}

#[test]
fn without_a_like_in_the_reference_nothing_is_split() {
    let found = Made::of(3, [600, 600], Planted { new_name: 0.5, ..Planted::default() }, Value::Error).attribute();
    assert!((found.split.unseen_share - 0.5).abs() < 0.06 && found.split.unseen.is_some(), "{found:?}");
    let found = Made::of(3, [600, 600], Planted { new_name: 1.0, ..Planted::default() }, Value::Error).attribute();
    let Split { other_inputs, another_relation, unseen, unseen_share, .. } = found.split;
    assert_eq!((other_inputs, another_relation, unseen, unseen_share), (None, None, None, 1.0));
    assert!(found.relation.is_empty(), "{found:?}");
}

#[test]
fn the_same_rows_twice_have_not_changed() {
    let made = Made::of(4, [300, 0], Planted::default(), Value::Loss);
    let twice = |column: &Column| match column {
        Column::Numbers { name, values } => {
            Column::Numbers { name: name.clone(), values: [&values[..], values].concat() }
        }
        Column::Values(coded) => {
            Column::Values(Coded { codes: [&coded.codes[..], &coded.codes].concat(), ..coded.clone() })
        }
    };
    let columns: Vec<Column> = made.columns.iter().map(twice).collect();
    let values = [&made.values[..], &made.values].concat();
    let found =
        attribute(&Sides { columns: &columns, values: &values, reference: 300 }, &Settings::default()).expect("told");
    let parts = [found.split.other_inputs, found.split.another_relation].map(|part| part.expect("rows").change.value);
    assert!(found.change.value.abs() < 1e-12 && parts.iter().all(|part| part.abs() < 0.005), "{found:?}");
    assert!(found.inputs.is_empty() && found.relation.is_empty(), "{found:?}");
}

#[test]
fn what_cannot_be_told_is_said() {
    let made = Made::of(1, [150, 150], Planted::default(), Value::Error);
    let of = |columns: &[Column], values: &[Option<f64>], reference: usize| {
        attribute(&Sides { columns, values, reference }, &Settings::default()).err()
    };
    assert_eq!(of(&made.columns, &made.values[1..], 150), Some(Unfit::Lengths));
    assert_eq!(of(&made.columns, &made.values, 301), Some(Unfit::Lengths));
    assert_eq!(of(&made.columns, &made.values, 210), Some(Unfit::Rows));
    assert_eq!(of(&made.columns, &[Some(0.0); 300], 150), Some(Unfit::Alike));
    assert_eq!(of(&[], &made.values, 150), Some(Unfit::Alike));
    let some = |at: usize| if at.is_multiple_of(2) { Some(f64::NAN) } else { made.values[at] };
    assert_eq!(of(&made.columns, &(0..300).map(some).collect::<Vec<_>>(), 150), Some(Unfit::Rows), "75 rows a side");
    let large: Vec<_> = made.values.iter().map(|value| value.map(|value| 1e300 * (value - 0.5))).collect();
    assert_eq!(of(&made.columns, &large, 150), Some(Unfit::Large));
    assert_eq!(of(&made.columns, &made.values, 150), None);
}

#[test]
fn many_rows_and_columns_are_bounded_and_counted() {
    let values: Vec<Option<f64>> = (0..MOST_ROWS + 400).map(|row| Some(f64::from(u8::from(row % 7 == 0)))).collect();
    let column = |at: usize| Column::Numbers {
        name: format!("c{at}"),
        values: (0..values.len()).map(|row| if at == 0 { Some((row % 13) as f64) } else { Some(1.0) }).collect(),
    };
    let columns: Vec<Column> = (0..MOST_COLUMNS + 3).map(column).collect();
    let found =
        attribute(&Sides { columns: &columns, values: &values, reference: MOST_ROWS + 200 }, &Settings::default());
    let found = found.expect("told");
    assert_eq!(found.looked_at, [MOST_ROWS as u64, 200]);
    assert_eq!((found.features, found.features_left_out), (MOST_COLUMNS as u64, 3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn the_order_of_rows_and_columns_does_not_matter(seed in 0..1000_u64, turn in 1..140_usize) {
        let made = Made::of(seed, [150, 150], Planted { inputs: 0.5, relation: 1.0, ..Planted::default() }, Value::Loss);
        let places: Vec<usize> = (0..150).map(|row| (row * 7 + turn) % 150).chain((0..150).map(|row| 150 + (row * 11 + turn) % 150)).collect();
        let moved = |column: &Column| match column {
            Column::Numbers { name, values } => {
                Column::Numbers { name: name.clone(), values: places.iter().map(|place| values[*place]).collect() }
            }
            Column::Values(coded) => {
                Column::Values(Coded { codes: places.iter().map(|place| coded.codes[*place]).collect(), ..coded.clone() })
            }
        };
        let mut columns: Vec<Column> = made.columns.iter().map(moved).collect();
        columns.rotate_left(turn % 5);
        let values = places.iter().map(|place| made.values[*place]).collect();
        let one = made.attribute();
        let other = Made { columns, values, reference: 150 }.attribute();
        prop_assert_eq!(one, other);
    }
}

proptest! {
    #[test]
    fn parts_add_up_to_the_change_and_go_with_the_values(
        rows in prop::collection::vec((-5.0..5.0f64, -5.0..5.0f64, 0.0..25.0f64), 200..400),
        before in 80..120_usize,
        (scale, shift) in (0.1..9.0f64, -50.0..50.0f64),
    ) {
        let column = |of: &dyn Fn(&(f64, f64, f64)) -> f64| -> Vec<f64> { rows.iter().map(of).collect() };
        let split_of = |value: &dyn Fn(f64) -> f64| {
            let (values, expected) = (column(&|row| value(row.0)), column(&|row| value(row.1)));
            let ratio = column(&|row| row.2);
            let side = |of: std::ops::Range<usize>| Side { values: &values[of.clone()], expected: &expected[of.clone()], ratio: &ratio[of] };
            split(&side(0..before), &side(before..rows.len()), 0.0, &Settings::default())
        };
        let found = split_of(&|value| value);
        let mean = |of: &[(f64, f64, f64)]| of.iter().map(|row| row.0).sum::<f64>() / of.len() as f64;
        let change = mean(&rows[before..]) - mean(&rows[..before]);
        let parts = |of: &Split| Some([of.other_inputs?.change, of.another_relation?.change]);
        let [inputs, relation] = parts(&found).expect("there are rows enough");
        prop_assert!((inputs.value + relation.value + found.unseen.expect("too") - change).abs() < 1e-9);
        prop_assert!(inputs.holds(inputs.value) && relation.holds(relation.value));
        // In another unit, from another origin, the parts are the same in that unit.
        let other = split_of(&|value| scale * value + shift);
        for (one, other) in [inputs, relation].iter().zip(parts(&other).expect("as before")) {
            for (one, other) in [(one.value, other.value), (one.low, other.low), (one.high, other.high)] {
                prop_assert!((scale * one - other).abs() < 1e-7, "{} {}", scale * one, other);
            }
        }
    }
}
