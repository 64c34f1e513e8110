//! How often a segment is claimed where there is none, how often a planted one is found, and how often its interval holds the truth.
//!
//! ```sh
//! cargo bench --bench segments              # some minutes
//! cargo bench --bench segments -- --full    # ten times as many data sets
//! cargo bench --bench segments -- calm      # one of `calm`, `power`, `speed`
//! ```
//!
//! Half of the columns are of numbers, half of names, of 2 to 40 values with Zipf's shares.

#![expect(clippy::print_stdout, reason = "the tables are what it is for")]
#![expect(clippy::disallowed_methods, reason = "a bench looks at the clock")]

use std::time::Instant;

use plumbline::segment::axis::Column;
use plumbline::segment::coded::Coded;
use plumbline::segment::search::{Found, Settings, search};

/// How many values a column of names has, in turn.
const VALUES: [usize; 5] = [4, 2, 8, 16, 40];

/// Columns and where in each a row lies: numbers within [0, 1), and the places of names.
struct Drawn {
    columns: Vec<Column>,
    places: Vec<Vec<f64>>,
}

fn drawn(random: &mut fastrand::Rng, columns: usize, rows: usize) -> Drawn {
    let mut made = Drawn { columns: Vec::new(), places: Vec::new() };
    for at in 0..columns {
        let numbers: Vec<f64> = (0..rows).map(|_| random.f64()).collect();
        if at % 2 == 0 {
            let values = numbers.iter().map(|value| Some(value * 100.0)).collect();
            made.columns.push(Column::Numbers { name: format!("n{at}"), values });
            made.places.push(numbers);
            continue;
        }
        let values = VALUES[at / 2 % VALUES.len()];
        let all: f64 = (1..=values).map(|rank| 1.0 / rank as f64).sum();
        let edges: Vec<f64> = (1..=values)
            .scan(0.0, |sum, rank| {
                *sum += 1.0 / rank as f64 / all;
                Some(*sum)
            })
            .collect();
        let place = |value: &f64| edges.partition_point(|edge| edge <= value).min(values - 1);
        made.places.push(numbers.iter().map(|value| place(value) as f64).collect());
        made.columns.push(Column::Values(Coded {
            name: format!("c{at}"),
            names: (0..values).map(|value| format!("v{value:02}")).collect(),
            codes: numbers.iter().map(|value| u32::try_from(place(value)).ok()).collect(),
            rest: 0,
        }));
    }
    made
}

/// What a row's loss is, and how it varies.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Loss {
    /// 1 with such a chance, else 0.
    Error(f64),
    /// Exponential with such a mean.
    Exponential(f64),
    /// The cube of one with the mean 1: of 100 rows one has a fifth of the sum.
    Skewed,
    /// Of mean 1, and nine times as wide in the first name of the second column.
    Uneven,
}

impl Loss {
    fn of(self, random: &mut fastrand::Rng, times: f64, place: f64) -> f64 {
        let exponential = -(1.0 - random.f64()).ln();
        match self {
            Self::Error(chance) => f64::from(u8::from(random.f64() < chance * times)),
            Self::Exponential(mean) => mean * times * exponential,
            Self::Skewed => exponential.powi(3) * times,
            Self::Uneven => 1.0 + (random.f64() - 0.5) * if place < 0.5 { 0.9 } else { 0.1 },
        }
    }
}

/// What is planted.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Planted {
    Nothing,
    /// The first name of the second column: 48 % of rows.
    Name,
    /// The third: 16 %.
    RareName,
    /// A range of the first column's numbers, no edge of which is one of a tenth: 15 %.
    Range,
    /// The first name of the second column within the first name of the fourth: 32 %.
    Pair,
    /// The second name of the second column where the first column's number is large: 7 %.
    SmallPair,
}

impl Planted {
    fn holds(self, places: &[Vec<f64>], row: usize) -> bool {
        let at = |column: usize| places[column][row];
        let is = |column: usize, place: f64| (at(column) - place).abs() < 0.5;
        match self {
            Self::Nothing => false,
            Self::Name => is(1, 0.0),
            Self::RareName => is(1, 2.0),
            Self::Range => (0.63..0.78).contains(&at(0)),
            Self::Pair => is(1, 0.0) && is(3, 0.0),
            Self::SmallPair => is(1, 1.0) && at(0) > 0.7,
        }
    }

    /// Whether a find is of the planted column or columns, and of no other.
    fn is_told(self, columns: &[String]) -> bool {
        match self {
            Self::Nothing => false,
            Self::Name | Self::RareName => columns == ["c1"],
            Self::Range => columns == ["n0"],
            Self::Pair => columns == ["c1", "c3"],
            Self::SmallPair => columns == ["n0", "c1"],
        }
    }
}

/// Of many data sets.
#[derive(Debug, Default)]
struct Counted {
    sets: u32,
    /// With any claim, with the planted one told, with another beside it.
    claimed: u32,
    found: u32,
    others: u32,
    /// Finds, and those whose interval holds the true difference.
    finds: u32,
    held: u32,
}

fn go(sets: u32, seed: u64, columns: usize, rows: usize, loss: Loss, planted: Planted, times: f64) -> Counted {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut counted = Counted { sets, ..Counted::default() };
    for _ in 0..sets {
        let drawn = drawn(&mut random, columns, rows);
        let losses: Vec<Option<f64>> = (0..rows)
            .map(|row| {
                let times = if planted.holds(&drawn.places, row) { times } else { 1.0 };
                Some(loss.of(&mut random, times, drawn.places[1][row]))
            })
            .collect();
        let found: Found = search(&drawn.columns, &losses, &Settings::default());
        let told = |of: &&plumbline::segment::search::Segment| planted.is_told(&of.columns);
        let right: Vec<_> = found.segments.iter().filter(told).collect();
        counted.claimed += u32::from(!found.segments.is_empty());
        counted.found += u32::from(!right.is_empty());
        counted.others += u32::from(right.len() < found.segments.len());
        // Of a name all is planted and nothing else, so that the truth is known.
        if let (Loss::Error(chance), Planted::Name | Planted::RareName, Some(first)) = (loss, planted, right.first()) {
            counted.finds += 1;
            counted.held += u32::from(first.difference.holds(chance * (times - 1.0)));
        }
    }
    counted
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let times = if arguments.iter().any(|argument| argument == "--full") { 10 } else { 1 };
    let only = |part: &str| arguments.iter().skip(1).filter(|a| !a.starts_with("--")).all(|a| a == part);
    if only("calm") {
        calm(times);
    }
    if only("power") {
        power(times);
    }
    if only("speed") {
        speed();
    }
}

/// The loss has nothing to do with any column.
fn calm(times: u32) {
    println!("| loss | columns | rows | data sets | with a claim, of 1000 |");
    println!("|---|---|---|---|---|");
    for loss in
        [Loss::Error(0.02), Loss::Error(0.2), Loss::Error(0.9), Loss::Exponential(1.0), Loss::Skewed, Loss::Uneven]
    {
        for (columns, rows) in [(6, 1000), (6, 10_000), (20, 5000)] {
            let counted = go(200 * times, 11 + rows as u64, columns, rows, loss, Planted::Nothing, 1.0);
            let claimed = 1000.0 * f64::from(counted.claimed) / f64::from(counted.sets);
            println!("| {loss:?} | {columns} | {rows} | {} | {claimed:.1} |", counted.sets);
        }
    }
}

/// In a planted segment the loss is so many times as large.
fn power(times: u32) {
    println!(
        "\n| planted | loss | times | columns | rows | found, % | another beside it, % | interval holds the truth, % |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for planted in [Planted::Name, Planted::RareName, Planted::Range, Planted::Pair, Planted::SmallPair] {
        for (loss, larger) in [(Loss::Error(0.1), 1.5), (Loss::Error(0.1), 2.0), (Loss::Exponential(1.0), 2.0)] {
            for (columns, rows) in [(6, 2000), (6, 10_000), (20, 10_000)] {
                let counted = go(50 * times, 13 + rows as u64, columns, rows, loss, planted, larger);
                let percent = |count: u32, of: u32| 100.0 * f64::from(count) / f64::from(of);
                let held = match counted.finds {
                    0..20 => "-".to_owned(),
                    finds => format!("{:.0}", percent(counted.held, finds)),
                };
                let (found, others) = (percent(counted.found, counted.sets), percent(counted.others, counted.sets));
                println!(
                    "| {planted:?} | {loss:?} | {larger} | {columns} | {rows} | {found:.0} | {others:.0} | {held} |"
                );
            }
        }
    }
}

/// With a planted pair, so that the search goes on.
fn speed() {
    println!("\n| columns | rows | s | found |");
    println!("|---|---|---|---|");
    for (columns, rows) in [(10, 100_000), (30, 100_000), (10, 1_000_000), (30, 1_000_000)] {
        let mut random = fastrand::Rng::with_seed(17);
        let drawn = drawn(&mut random, columns, rows);
        let loss: Vec<Option<f64>> = (0..rows)
            .map(|row| if Planted::SmallPair.holds(&drawn.places, row) { 0.3 } else { 0.1 })
            .map(|chance| Some(Loss::Error(chance).of(&mut random, 1.0, 0.0)))
            .collect();
        let begun = Instant::now();
        let found = search(&drawn.columns, &loss, &Settings::default());
        let words: Vec<&str> = found.segments.iter().map(|found| found.segment.as_str()).collect();
        println!("| {columns} | {rows} | {:.2} | {} |", begun.elapsed().as_secs_f64(), words.join("; "));
    }
}
