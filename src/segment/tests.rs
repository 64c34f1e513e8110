use super::axis::Column;
use super::coded::Coded;
use super::search::{Found, Segment, Settings, search};
use crate::stats::pick::scattered;

/// Rows whose columns and losses are drawn by a seed.
struct Drawn {
    seed: u64,
    rows: u64,
}

const REGIONS: [&str; 4] = ["north", "east", "south", "west"];
const PLANS: [&str; 2] = ["basic", "pro"];

impl Drawn {
    fn uniform(&self, column: u64, row: u64) -> f64 {
        (scattered(scattered(self.seed * 64 + column).wrapping_add(row)) >> 11) as f64 / 9_007_199_254_740_992.0
    }

    fn age(&self, row: u64) -> f64 {
        (18.0 + 60.0 * self.uniform(0, row)).floor()
    }

    fn of<'a>(&self, column: u64, values: &[&'a str], row: u64) -> &'a str {
        values[crate::stats::whole::index(self.uniform(column, row) * values.len() as f64)]
    }

    /// Age and income, of which every ninth is missing, region and plan, and two columns that say nothing.
    fn columns(&self) -> Vec<Column> {
        let numbers = |name: &str, of: &dyn Fn(u64) -> Option<f64>| Column::Numbers {
            name: name.to_owned(),
            values: (0..self.rows).map(of).collect(),
        };
        let values = |name: &str, column: u64, values: &[&str]| {
            Column::Values(Coded::of_texts(name, (0..self.rows).map(|row| Some(self.of(column, values, row)))))
        };
        vec![
            numbers("age", &|row| Some(self.age(row))),
            numbers("income", &|row| (!row.is_multiple_of(9)).then(|| self.uniform(1, row).powi(3) * 1e5)),
            values("region", 2, &REGIONS),
            values("plan", 3, &PLANS),
            numbers("noise", &|row| Some(self.uniform(4, row))),
            values("letter", 5, &["a", "b", "c", "d", "e", "f", "g", "h"]),
        ]
    }

    /// Errors of 0 or 1 with such a chance.
    fn errors(&self, chance: impl Fn(u64) -> f64) -> Vec<Option<f64>> {
        (0..self.rows).map(|row| Some(f64::from(u8::from(self.uniform(9, row) < chance(row))))).collect()
    }

    fn found(&self, loss: &[Option<f64>]) -> Found {
        search(&self.columns(), loss, &Settings::default())
    }
}

fn words(found: &Found) -> Vec<&str> {
    found.segments.iter().map(|segment| segment.segment.as_str()).collect()
}

#[test]
fn a_planted_value_is_found_and_nothing_beside_it() {
    let drawn = Drawn { seed: 1, rows: 6000 };
    let found = drawn.found(&drawn.errors(|row| if drawn.of(2, &REGIONS, row) == "north" { 0.25 } else { 0.1 }));
    assert_eq!(words(&found), ["region = north"], "{found:?}");
    let Segment { rows, share, rows_held_out, statistic, rest, difference, p_value, .. } = &found.segments[0];
    assert!((1400..1600).contains(rows) && (share - 0.25).abs() < 0.02 && (650..850).contains(rows_held_out));
    assert!(statistic.holds(0.25) && difference.holds(0.15) && rest.high < 0.2 && *p_value < 1e-6, "{found:?}");
    assert_eq!((found.rows, found.columns, found.columns_left_out), (6000, 6, 0));
}

#[test]
fn a_planted_range_is_found_in_words() {
    let drawn = Drawn { seed: 2, rows: 6000 };
    let found = drawn.found(&drawn.errors(|row| if drawn.age(row) > 60.0 { 0.25 } else { 0.08 }));
    assert_eq!(found.segments.len(), 1, "{found:?}");
    assert!(["age > 59", "age > 60"].contains(&words(&found)[0]), "{found:?}");
}

#[test]
fn a_planted_pair_is_told_as_a_pair_and_no_parent_is() {
    let drawn = Drawn { seed: 3, rows: 12_000 };
    let bad = |row| drawn.of(2, &REGIONS, row) == "south" && drawn.of(3, &PLANS, row) == "basic";
    let found = drawn.found(&drawn.errors(|row| if bad(row) { 0.3 } else { 0.1 }));
    assert_eq!(words(&found), ["region = south and plan = basic"], "{found:?}");
    assert_eq!(found.segments[0].columns, ["region", "plan"]);
}

#[test]
fn two_that_are_planted_are_both_found_and_missing_values_are_a_segment() {
    let drawn = Drawn { seed: 4, rows: 12_000 };
    let chance = |row: u64| match (row.is_multiple_of(9), drawn.of(2, &REGIONS, row) == "west") {
        (true, _) => 0.4,
        (false, true) => 0.25,
        (false, false) => 0.1,
    };
    let found = drawn.found(&drawn.errors(chance));
    let mut both = words(&found);
    both.sort_unstable();
    assert_eq!(both, ["income is missing", "region = west"], "{found:?}");
}

#[test]
fn a_worse_part_within_a_bad_one_is_told_before_it() {
    let drawn = Drawn { seed: 8, rows: 24_000 };
    let chance = |row: u64| match (drawn.of(2, &REGIONS, row), drawn.of(3, &PLANS, row)) {
        ("west", "pro") => 0.35,
        ("west", _) => 0.2,
        _ => 0.08,
    };
    let found = drawn.found(&drawn.errors(chance));
    assert_eq!(words(&found), ["region = west and plan = pro", "region = west"], "{found:?}");
    assert!(found.segments[1].statistic.holds(0.275), "of all of its rows");
}

#[test]
fn what_another_column_says_again_is_not_told_again() {
    let drawn = Drawn { seed: 9, rows: 24_000 };
    let mut columns = drawn.columns();
    // Of each region nine in ten rows have the city of the same name.
    let city =
        |row| if drawn.uniform(10, row) < 0.9 { drawn.of(2, &REGIONS, row) } else { drawn.of(11, &REGIONS, row) };
    columns.push(Column::Values(Coded::of_texts("city", (0..drawn.rows).map(|row| Some(city(row))))));
    let loss = drawn.errors(|row| if drawn.of(2, &REGIONS, row) == "north" { 0.3 } else { 0.1 });
    let found = search(&columns, &loss, &Settings::default());
    assert_eq!(words(&found), ["region = north"], "{found:?}");
    // Of the city alone it is told by the city.
    columns.retain(|column| column.name() != "region");
    assert_eq!(words(&search(&columns, &loss, &Settings::default())), ["city = north"]);
}

#[test]
fn most_of_the_rows_are_no_segment_nor_is_a_piece_of_them() {
    let drawn = Drawn { seed: 10, rows: 24_000 };
    let calm = |row: u64| drawn.age(row) <= 30.0;
    let found = drawn.found(&drawn.errors(|row| if calm(row) { 0.02 } else { 0.2 }));
    assert_eq!((found.segments, found.tried), (vec![], 0));
    let worse = |row: u64| if drawn.of(5, &["a", "b", "c", "d", "e", "f", "g", "h"], row) == "c" { 0.4 } else { 0.2 };
    let found = drawn.found(&drawn.errors(|row| if calm(row) { 0.02 } else { worse(row) }));
    let columns: Vec<&[String]> = found.segments.iter().map(|found| found.columns.as_slice()).collect();
    assert_eq!(columns, [["age", "letter"]], "{found:?}");
}

#[test]
fn the_worst_comes_first() {
    let drawn = Drawn { seed: 11, rows: 40_000 };
    // A large part stands out by more standard errors than a small one that is worse.
    let letter = |row| drawn.of(5, &["a", "b", "c", "d", "e", "f", "g", "h"], row);
    let is = |is: bool, more: f64| if is { more } else { 0.0 };
    let chance = |row| 0.1 + is(letter(row) == "h", 0.22) + is(drawn.of(3, &PLANS, row) == "pro", 0.17);
    let found = drawn.found(&drawn.errors(chance));
    assert_eq!(words(&found), ["letter = h", "plan = pro"], "{found:?}");
    assert!(found.segments.is_sorted_by(|a, b| a.difference.low >= b.difference.low));
}

#[test]
fn amounts_are_losses_too() {
    let drawn = Drawn { seed: 5, rows: 6000 };
    let distance = |row: u64| -(1.0 - drawn.uniform(9, row)).ln() * if drawn.age(row) < 30.0 { 3.0 } else { 1.0 };
    // Far from zero, and some of them missing or endless.
    let loss = |row: u64| match row % 50 {
        7 => None,
        8 => Some(f64::INFINITY),
        _ => Some(1e9 + distance(row)),
    };
    let loss: Vec<Option<f64>> = (0..drawn.rows).map(loss).collect();
    let found = search(&drawn.columns(), &loss, &Settings { margin: 0.0, ..Settings::default() });
    assert_eq!((found.rows, found.segments.len()), (5760, 1), "{found:?}");
    assert!(words(&found)[0].starts_with("age <= "), "{found:?}");
    assert_eq!(drawn.found(&loss).segments, [], "of so much it is not a tenth");
}

#[test]
fn on_data_without_any_none_is_claimed() {
    let claims = (0..60).filter(|seed| {
        let drawn = Drawn { seed: 100 + seed, rows: 1500 };
        let loss = if seed % 2 == 0 {
            drawn.errors(|_| 0.15)
        } else {
            (0..drawn.rows).map(|row| Some((-(1.0 - drawn.uniform(9, row)).ln()).powi(3))).collect()
        };
        !drawn.found(&loss).segments.is_empty()
    });
    assert!(claims.count() <= 1);
}

#[test]
fn what_cannot_be_searched_is_said() {
    let drawn = Drawn { seed: 6, rows: 300 };
    let loss = drawn.errors(|_| 0.5);
    let mut columns = drawn.columns();
    columns.push(Column::Values(Coded::of_texts("short", ["a"].map(Some))));
    columns.push(Column::Numbers { name: "same".into(), values: vec![Some(2.0); 300] });
    let found = search(&columns, &loss, &Settings { most_columns: 3, ..Settings::default() });
    assert_eq!((found.columns, found.columns_left_out), (3, 5));
    assert_eq!(search(&columns, &loss, &Settings::default()).columns, 6);
    assert_eq!(search(&[], &[], &Settings::default()), Found::default());
    assert_eq!(drawn.found(&vec![Some(1.0); 300]).segments, [], "all are as bad");
    assert_eq!(drawn.found(&vec![None; 300]).rows, 0);
}

#[test]
fn the_same_rows_say_the_same_again() {
    let drawn = Drawn { seed: 7, rows: 2000 };
    let loss = drawn.errors(|row| if drawn.age(row) > 50.0 { 0.4 } else { 0.1 });
    assert_eq!(drawn.found(&loss), drawn.found(&loss));
    let told = serde_json::to_value(drawn.found(&loss)).expect("JSON");
    assert!(told["segments"][0]["difference"]["low"].as_f64().is_some_and(|low| low > 0.0), "{told}");
}
