//! How often a split and its leads tell what is not there, how often they find what is, and how often an interval holds the truth.
//!
//! ```sh
//! cargo bench --bench attribution              # some minutes
//! cargo bench --bench attribution -- --full    # ten times as many data sets
//! cargo bench --bench attribution -- often     # one of `often`, `speed`
//! ```
//!
//! Nine columns of numbers, of which two go together, and one of five names. Only rows with a like in the reference are split, so that
//! the truth of other inputs is met a little less often where inputs moved far.

#![expect(clippy::print_stdout, reason = "the tables are what it is for")]
#![expect(clippy::disallowed_methods, reason = "a bench looks at the clock")]

use std::time::Instant;

use plumbline::attribution::{Settings, Sides, attribute};
use plumbline::segment::axis::Column;
use plumbline::segment::coded::Coded;
use plumbline::stats::random::Random;

/// Columns of numbers.
const NUMBERS: usize = 9;

/// What a row's value is.
#[derive(Debug, Clone, Copy)]
enum Value {
    /// 1 for an error, of one row in five.
    Error,
    /// Of one in a hundred.
    RareError,
    /// Exponential.
    Loss,
    /// A function of the inputs.
    Score,
}

/// How the current rows differ.
#[derive(Debug, Clone, Copy, Default)]
struct Planted {
    /// The first column's mean; the second goes with it, and errors with both.
    inputs: f64,
    /// The third column's mean, with which errors hardly go.
    other: f64,
    /// The share of rows that have the name with more errors, beside a fifth of the others.
    name: f64,
    /// Added to the logit of an error everywhere.
    everywhere: f64,
    /// Added where the fourth column is large.
    somewhere: f64,
}

/// What the planted of every row is called, and which feature is to be named first for it.
const PLANTED: [(&str, Planted, [Option<&str>; 2]); 7] = [
    ("nothing", NOTHING, [None, None]),
    ("inputs by half a deviation", Planted { inputs: 0.5, ..NOTHING }, [Some("x0"), None]),
    ("inputs by a deviation", Planted { inputs: 1.0, ..NOTHING }, [Some("x0"), None]),
    ("inputs that hardly matter", Planted { other: 1.0, ..NOTHING }, [None, None]),
    ("a name", Planted { name: 0.3, ..NOTHING }, [Some("name"), None]),
    ("another relation", Planted { everywhere: 0.5, ..NOTHING }, [None, None]),
    ("one somewhere, and inputs", Planted { inputs: 0.7, somewhere: 1.0, ..NOTHING }, [Some("x0"), Some("x3")]),
];
const NOTHING: Planted = Planted { inputs: 0.0, other: 0.0, name: 0.0, everywhere: 0.0, somewhere: 0.0 };

/// A row's inputs by one law, and the logit of its error by another.
fn drawn(random: &mut Random, inputs: Planted, relation: Planted) -> (Vec<f64>, u32, f64) {
    let mut x: Vec<f64> = (0..NUMBERS).map(|_| random.normal()).collect();
    x[0] += inputs.inputs;
    x[1] = 0.7 * x[0] + 0.714 * x[1];
    x[2] += inputs.other;
    let name = if random.uniform() < inputs.name { 2 } else { (0..4).filter(|_| random.uniform() < 0.5).count() };
    let is = |condition: bool| f64::from(u8::from(condition));
    let logit = -2.0 + x[0] + 0.5 * x[1] * is(x[2] > 0.0) + 0.6 * is(name == 2);
    let name = u32::try_from(name).unwrap_or_default();
    let logit = logit + relation.everywhere + relation.somewhere * is(x[3] > 0.5);
    (x, name, logit)
}

impl Value {
    fn expected(self, logit: f64) -> f64 {
        let chance = |logit: f64| 1.0 / (1.0 + (-logit).exp());
        match self {
            Self::Error | Self::Score => chance(logit),
            Self::RareError => chance(logit - 3.0),
            Self::Loss => (logit / 3.0).exp(),
        }
    }

    fn of(self, random: &mut Random, logit: f64) -> f64 {
        let expected = self.expected(logit);
        match self {
            Self::Error | Self::RareError => f64::from(u8::from(random.uniform() < expected)),
            Self::Loss => -expected * (1.0 - random.uniform()).ln(),
            Self::Score => expected,
        }
    }

    /// What other inputs and another relation change, by many rows.
    fn truth(self, planted: Planted) -> [f64; 2] {
        let mean = |inputs: Planted, relation: Planted| {
            let random = &mut Random::new(99);
            (0..300_000).map(|_| self.expected(drawn(random, inputs, relation).2)).sum::<f64>() / 300_000.0
        };
        let brought = mean(planted, NOTHING);
        [brought - mean(NOTHING, NOTHING), mean(planted, planted) - brought]
    }
}

fn made(seed: u64, rows: [usize; 2], planted: Planted, value: Value, noise: usize) -> (Vec<Column>, Vec<Option<f64>>) {
    let random = &mut Random::new(seed);
    let mut numbers = vec![Vec::new(); NUMBERS + noise];
    let (mut codes, mut values) = (Vec::new(), Vec::new());
    for (rows, planted) in rows.into_iter().zip([NOTHING, planted]) {
        for _ in 0..rows {
            let (x, name, logit) = drawn(random, planted, planted);
            let more: Vec<f64> = (0..noise).map(|_| random.normal()).collect();
            numbers.iter_mut().zip(x.into_iter().chain(more)).for_each(|(column, value)| column.push(Some(value)));
            codes.push(Some(name));
            values.push(Some(value.of(random, logit)));
        }
    }
    let named = |(at, values)| Column::Numbers { name: format!("x{at}"), values };
    let mut columns: Vec<Column> = numbers.into_iter().enumerate().map(named).collect();
    let names = (0..5).map(|name| format!("n{name}")).collect();
    columns.push(Column::Values(Coded { name: "name".to_owned(), names, codes, rest: 0 }));
    (columns, values)
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let sets = if arguments.iter().any(|argument| argument == "--full") { 500 } else { 50 };
    let only = |part: &str| arguments.iter().skip(1).filter(|a| !a.starts_with("--")).all(|a| a == part);
    if only("often") {
        often(sets);
    }
    if only("speed") {
        speed();
    }
}

/// In percent of the data sets.
fn often(sets: u64) {
    println!(
        "| value | rows | planted | inputs: told, interval holds | relation: told, interval holds | a feature named: inputs, relation | \
         right one first |"
    );
    println!("|---|---|---|---|---|---|---|");
    for value in [Value::Error, Value::RareError, Value::Loss, Value::Score] {
        for (called, planted, wanted) in PLANTED {
            let truth = value.truth(planted);
            for rows in [[1000, 1000], [4000, 4000], [10_000, 1000]] {
                let (mut told, mut held, mut named, mut right) = ([0_u64; 2], [0_u64; 2], [0_u64; 2], [0_u64; 2]);
                for seed in 0..sets {
                    let (columns, values) = made(1 + seed * 7919, rows, planted, value, 0);
                    let sides = Sides { columns: &columns, values: &values, reference: rows[0] };
                    let Ok(found) = attribute(&sides, &Settings::default()) else { continue };
                    let parts = [found.split.other_inputs, found.split.another_relation];
                    let first = [
                        found.inputs.first().map(|lead| lead.feature.as_str()),
                        found.relation.first().map(|lead| lead.feature.as_str()),
                    ];
                    for at in 0..2 {
                        told[at] += u64::from(parts[at].is_some_and(|part| part.told));
                        held[at] += u64::from(parts[at].is_some_and(|part| part.change.holds(truth[at])));
                        named[at] += u64::from(first[at].is_some());
                        right[at] += u64::from(wanted[at].is_some() && first[at] == wanted[at]);
                    }
                }
                let percent = |count: u64| format!("{:.0}", 100.0 * count as f64 / sets as f64);
                let [right_inputs, right_relation] =
                    [0, 1].map(|at| if wanted[at].is_some() { percent(right[at]) } else { "-".to_owned() });
                println!(
                    "| {value:?} | {} + {} | {called} | {}, {} | {}, {} | {}, {} | {right_inputs}, {right_relation} |",
                    rows[0],
                    rows[1],
                    percent(told[0]),
                    percent(held[0]),
                    percent(told[1]),
                    percent(held[1]),
                    percent(named[0]),
                    percent(named[1]),
                );
            }
        }
    }
}

fn speed() {
    println!("\n| rows of a side | columns | s |");
    println!("|---|---|---|");
    for (rows, noise) in [(10_000, 20), (100_000, 0), (100_000, 20), (100_000, 90)] {
        let (columns, values) = made(5, [rows; 2], PLANTED[1].1, Value::Error, noise);
        let begun = Instant::now();
        let found = attribute(&Sides { columns: &columns, values: &values, reference: rows }, &Settings::default());
        println!("| {rows} | {} | {:.2} |", columns.len(), begun.elapsed().as_secs_f64());
        assert!(found.is_ok_and(|found| !found.inputs.is_empty()));
    }
}
