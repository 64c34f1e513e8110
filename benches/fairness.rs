//! How often the four-fifths rule accuses a fair model and finds an unfair one, how often each interval holds the truth, and how long a
//! million rows take.
//!
//! ```sh
//! cargo bench --bench fairness              # some minutes
//! cargo bench --bench fairness -- --full    # ten times as many models
//! cargo bench --bench fairness -- speed     # one of `calm`, `power`, `coverage`, `speed`
//! ```
//!
//! Groups are of one size, or as Zipf has them: the second half as large as the first, the third a third. Beside the rule stands the ratio
//! alone, as it is used with fairlearn's `demographic_parity_ratio`: below 0.8.

#![expect(clippy::print_stdout, reason = "the tables are what it is for")]
#![expect(clippy::disallowed_methods, reason = "a bench looks at the clock")]

use std::time::Instant;

use plumbline::fairness::four_fifths::Verdict;
use plumbline::fairness::{Fairness, Rows, Settings, amounts, measure};
use plumbline::segment::coded::Coded;
use plumbline::stats::interval::{Interval, exact, mean, wilson};
use plumbline::stats::moments::Moments;

/// Of each row its group, what is predicted, and what was true.
#[derive(Default)]
struct Model {
    group: Coded,
    selected: Vec<Option<bool>>,
    positive: Vec<Option<bool>>,
    score: Vec<Option<f64>>,
}

/// How models are made.
#[derive(Debug, Clone, Copy)]
struct Made {
    groups: usize,
    rows: usize,
    /// Whether all groups are of one size.
    even: bool,
    /// How likely a row is selected.
    rate: f64,
    /// Over that, how likely one of the second group is.
    ratio: f64,
}

impl Made {
    fn draw(&self, random: &mut fastrand::Rng) -> Model {
        let weight = |group: usize| if self.even { 1.0 } else { 1.0 / (group + 1) as f64 };
        let edges: Vec<f64> = (0..self.groups)
            .scan(0.0, |sum, group| {
                *sum += weight(group);
                Some(*sum)
            })
            .collect();
        let all = edges.last().copied().unwrap_or(1.0);
        let names = (0..self.groups).map(|group| format!("g{group:02}")).collect();
        let mut model = Model { group: Coded { names, ..Coded::default() }, ..Model::default() };
        for _ in 0..self.rows {
            let at = random.f64() * all;
            let group = edges.partition_point(|edge| *edge <= at).min(self.groups - 1);
            let rate = if group == 1 { self.rate * self.ratio } else { self.rate };
            model.group.codes.push(u32::try_from(group).ok());
            model.selected.push(Some(random.f64() < rate));
        }
        model
    }

    fn measured(&self, random: &mut fastrand::Rng) -> Fairness {
        let model = self.draw(random);
        measure(&model.group, &Rows { selected: &model.selected, positive: &[], score: &[] }, &Settings::default())
    }

    /// Of 1,000 models how many the rule accuses, the ratio over all groups does, and that over the large groups.
    fn accused(&self, models: u32, seed: u64) -> [f64; 3] {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut counts = [0_u32; 3];
        for _ in 0..models {
            let found = self.measured(&mut random);
            let judged = found.judged.demographic_parity_ratio.map(|ratio| ratio.value);
            let is_below = |ratio: Option<f64>| ratio.is_some_and(|ratio| ratio < 0.8);
            let accused = [
                found.four_fifths.verdict == Verdict::Below,
                is_below(found.parity.demographic_parity_ratio),
                is_below(judged),
            ];
            counts.iter_mut().zip(accused).for_each(|(count, accused)| *count += u32::from(accused));
        }
        counts.map(|count| 1000.0 * f64::from(count) / f64::from(models))
    }
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
    if only("coverage") {
        coverage(times);
    }
    if only("speed") {
        speed();
    }
}

/// Every group is selected alike.
fn calm(times: u32) {
    println!(
        "| groups | rows | sizes | selected, % | models | accused, of 1000: plumbline | ratio below 0.8 | of groups of 30 rows |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for groups in [2, 5, 20] {
        for rows in [200, 2000, 20_000] {
            for even in [true, false] {
                for rate in [0.05, 0.2, 0.5] {
                    let models = 1000 * times;
                    let made = Made { groups, rows, even, rate, ratio: 1.0 };
                    let [ours, raw, large] = made.accused(models, 1 + rows as u64 * 31 + groups as u64);
                    let sizes = if even { "even" } else { "Zipf" };
                    println!(
                        "| {groups} | {rows} | {sizes} | {:.0} | {models} | {ours:.2} | {raw:.0} | {large:.0} |",
                        100.0 * rate
                    );
                }
            }
        }
    }
}

/// The second group is selected less.
fn power(times: u32) {
    println!("\n| ratio | groups | rows | selected, % | found, %: plumbline | ratio below 0.8 |");
    println!("|---|---|---|---|---|---|");
    for ratio in [0.8, 0.7, 0.6, 0.5] {
        for groups in [2, 5, 20] {
            for rows in [200, 2000, 20_000] {
                for rate in [0.2, 0.5] {
                    let made = Made { groups, rows, even: false, rate, ratio };
                    let [ours, raw, _] = made.accused(200 * times, 3 + rows as u64 * 17 + groups as u64);
                    println!(
                        "| {ratio} | {groups} | {rows} | {:.0} | {:.1} | {:.0} |",
                        100.0 * rate,
                        ours / 10.0,
                        raw / 10.0
                    );
                }
            }
        }
    }
}

/// Rows of which each has this chance.
fn drawn(random: &mut fastrand::Rng, rows: u64, chance: f64) -> u64 {
    (0..rows).map(|_| u64::from(random.f64() < chance)).sum()
}

/// How often an interval of 95 % holds the truth, in percent.
fn often(models: u32, mut holds: impl FnMut() -> bool) -> f64 {
    100.0 * f64::from((0..models).map(|_| u32::from(holds())).sum::<u32>()) / f64::from(models)
}

/// What values are called, how they are made of an even one, and their mean.
type Kind = (&'static str, fn(f64) -> f64, f64);

fn coverage(times: u32) {
    let models = 4000 * times;
    let mut random = fastrand::Rng::with_seed(5);
    println!(
        "\n| rows | share | against rows | share | Wilson, % | exact, % | Newcombe's difference, % | ratio (MOVER), % |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (n, m) in [(30, 30), (30, 1000), (100, 100), (1000, 1000)] {
        for (p, q) in [(0.5, 0.5), (0.3, 0.5), (0.2, 0.2), (0.1, 0.2), (0.05, 0.05), (0.9, 0.95)] {
            let mut pair = |of: fn(u64, u64, f64) -> Option<Interval>, holds: &dyn Fn(Interval, Interval) -> bool| {
                often(models, || {
                    let (x, y) = (drawn(&mut random, n, p), drawn(&mut random, m, q));
                    of(x, n, 0.05).zip(of(y, m, 0.05)).is_some_and(|(one, other)| holds(one, other))
                })
            };
            let shares = [pair(wilson, &|one, _| one.holds(p)), pair(exact, &|one, _| one.holds(p))];
            let difference = pair(wilson, &|one, other| one.less(other).holds(p - q));
            let ratio = pair(wilson, &|one, other| one.over(other).is_none_or(|of| of.holds(p / q)));
            println!("| {n} | {p} | {m} | {q} | {:.1} | {:.1} | {difference:.1} | {ratio:.1} |", shares[0], shares[1]);
        }
    }
    println!("\n| values | rows | mean (Student), % | difference of two means, % |");
    println!("|---|---|---|---|");
    let kinds: [Kind; 3] = [
        ("even", |u| u, 0.5),
        ("exponential", |u| -(1.0 - u).ln(), 1.0),
        ("exponential, squared", |u| (1.0 - u).ln().powi(2), 2.0),
    ];
    for (name, of, truth) in kinds {
        for rows in [30, 100, 1000] {
            let mut one = || mean(&Moments::of(&(0..rows).map(|_| of(random.f64())).collect::<Vec<_>>())?, 0.05);
            let alone = often(models, || one().is_some_and(|of| of.holds(truth)));
            let both = often(models, || one().zip(one()).is_some_and(|(one, other)| one.less(other).holds(0.0)));
            println!("| {name} | {rows} | {alone:.1} | {both:.1} |");
        }
    }
    println!("\n| scores | rows | gap of calibration, % |");
    println!("|---|---|---|");
    for (name, low, width) in [("0.1 to 0.9", 0.1, 0.8), ("0.02 to 0.06", 0.02, 0.04), ("0.9 to 1", 0.9, 0.1)] {
        for rows in [50, 200, 2000] {
            let held = often(models, || {
                let score: Vec<f64> = (0..rows).map(|_| low + width * random.f64()).collect();
                let positive = score.iter().map(|score| Some(random.f64() < *score)).collect();
                let model = Model {
                    group: Coded { names: vec!["all".to_owned()], codes: vec![Some(0); rows], ..Coded::default() },
                    selected: vec![Some(true); rows],
                    positive,
                    score: score.into_iter().map(Some).collect(),
                };
                let rows = Rows { selected: &model.selected, positive: &model.positive, score: &model.score };
                let found = measure(&model.group, &rows, &Settings::default());
                found.groups.first().and_then(|group| group.calibration).is_some_and(|of| of.gap.holds(0.0))
            });
            println!("| {name} | {rows} | {held:.1} |");
        }
    }
    println!("\n| groups | rows each | largest difference, % | smallest ratio, % |");
    println!("|---|---|---|---|");
    for (groups, rows) in [(2, 50), (2, 500), (5, 500), (20, 500)] {
        let rates: Vec<f64> = (0..groups).map(|group| 0.5 - 0.2 * f64::from(group) / f64::from(groups - 1)).collect();
        let mut held = [0_u32; 2];
        for _ in 0..models / 10 {
            let mut model = Model::default();
            for (group, rate) in (0..).zip(&rates) {
                model.group.names.push(format!("{group:02}"));
                model.group.codes.extend(std::iter::repeat_n(Some(group), rows));
                model.selected.extend((0..rows).map(|_| Some(random.f64() < *rate)));
            }
            let rows = Rows { selected: &model.selected, positive: &[], score: &[] };
            let judged = measure(&model.group, &rows, &Settings::default()).judged;
            let [difference, ratio] = [
                judged.demographic_parity_difference.map(|of| of.low <= 0.2 && 0.2 <= of.high),
                judged.demographic_parity_ratio.map(|of| of.low <= 0.6 && 0.6 <= of.high),
            ];
            held.iter_mut().zip([difference, ratio]).for_each(|(held, one)| *held += u32::from(one == Some(true)));
        }
        let [difference, ratio] = held.map(|held| 100.0 * f64::from(held) / f64::from(models / 10));
        println!("| {groups} | {rows} | {difference:.1} | {ratio:.1} |");
    }
}

/// Two attributes and both crossed, of a million rows with labels and scores, on one thread.
fn speed() {
    const ROWS: usize = 1_000_000;
    let mut random = fastrand::Rng::with_seed(7);
    let attribute = |values: usize, random: &mut fastrand::Rng| {
        let names: Vec<String> = (0..values).map(|value| format!("value {value}")).collect();
        let drawn: Vec<usize> = (0..ROWS).map(|_| random.usize(..values)).collect();
        (names, drawn)
    };
    let (sex, race) = (attribute(2, &mut random), attribute(9, &mut random));
    let score: Vec<Option<f64>> = (0..ROWS).map(|_| Some(random.f64())).collect();
    let selected: Vec<Option<bool>> = score.iter().map(|score| score.map(|score| score >= 0.5)).collect();
    let positive: Vec<Option<bool>> = score.iter().map(|score| score.map(|score| random.f64() < score)).collect();
    let amounts: Vec<Option<f64>> = score.iter().map(|score| score.map(|score| score * 9.0)).collect();
    println!("\n| of 1,000,000 rows | ms |");
    println!("|---|---|");
    let told = |what: &str, begun: Instant| println!("| {what} | {:.1} |", begun.elapsed().as_secs_f64() * 1e3);
    for _ in 0..3 {
        let begun = Instant::now();
        let texts = |(names, drawn): &(Vec<String>, Vec<usize>)| {
            Coded::of_texts("x", drawn.iter().map(|at| names.get(*at).map(String::as_str)))
        };
        let (one, two) = (texts(&sex), texts(&race));
        told("codes of two columns of text", begun);
        let begun = Instant::now();
        let both = one.crossed(&two, 100);
        let rows = Rows { selected: &selected, positive: &positive, score: &score };
        let found = [&one, &two, &both].map(|attribute| measure(attribute, &rows, &Settings::default()));
        told("two attributes and both crossed", begun);
        let begun = Instant::now();
        let of_amounts = amounts::measure(&both, &amounts, &score, &Settings::default());
        told("amounts by both crossed", begun);
        let groups: usize = found.iter().map(|found| found.groups.len()).sum();
        assert_eq!((groups, of_amounts.groups.len()), (29, 18));
    }
}
