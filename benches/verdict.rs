//! How often the drift verdict is wrong where nothing changed, and what it finds where something did: the table in GUIDE.md.
//!
//! ```sh
//! cargo bench --bench verdict              # some minutes: a tenth of the windows
//! cargo bench --bench verdict -- --full    # an hour or two
//! ```
//!
//! Columns are two thirds numbers (normal, log-normal, whole numbers with ties) and one third categories of 2 to 1,000 levels with
//! Zipf's shares. Each reference meets several windows. Beside the verdict stand the checks of data quality that look at one column; rows
//! and pairs, which these columns do not have, are tried in `quality/tests.rs`.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]
#![expect(clippy::expect_used, reason = "a bench that cannot go on has failed")]

use std::collections::BTreeMap;

use plumbline::drift::Sample;
use plumbline::drift::baseline::Baseline;
use plumbline::drift::modes::Mode;
use plumbline::drift::verdict::{Measured, Thresholds, Verdict, judge};
use plumbline::quality::learnt::Learnt;
use plumbline::quality::{self, Rules};

/// Levels of the categories, in turn.
const LEVELS: [usize; 6] = [2, 5, 20, 100, 500, 1000];

/// Rows of the rules, and what they come from.
struct Source {
    random: fastrand::Rng,
    spare: Option<f64>,
}

impl Source {
    fn new(seed: u64) -> Self {
        Self { random: fastrand::Rng::with_seed(seed), spare: None }
    }

    /// Box and Muller's two at a time.
    fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * (1.0 - self.random.f64()).ln()).sqrt();
        let (sine, cosine) = (self.random.f64() * std::f64::consts::TAU).sin_cos();
        self.spare = Some(radius * sine);
        radius * cosine
    }
}

/// What is planted in one column of the window.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    None,
    /// The mean, by so many standard deviations.
    Mean(f64),
    /// The variance, doubled.
    Variance,
    /// A category's share goes from 10 % to this.
    Share(f64),
    /// A category that the reference lacks, with this share.
    New(f64),
    /// Values go missing.
    Missing(f64),
}

/// How a column comes about.
#[derive(Debug, Clone)]
enum Column {
    Normal,
    LogNormal,
    Whole,
    /// The shares of the categories, added up.
    Categories(Vec<f64>),
}

impl Column {
    fn all(columns: usize) -> Vec<Self> {
        let zipf = |levels: usize| {
            let weights: Vec<f64> = (1..=levels).map(|rank| 1.0 / rank as f64).collect();
            let total: f64 = weights.iter().sum();
            weights
                .iter()
                .scan(0.0, |sum, weight| {
                    *sum += weight / total;
                    Some(*sum)
                })
                .collect()
        };
        let column = |at: usize| match at % 3 {
            2 => Self::Categories(zipf(LEVELS[(at / 3) % LEVELS.len()])),
            _ => match at % 7 {
                3 => Self::LogNormal,
                5 => Self::Whole,
                _ => Self::Normal,
            },
        };
        (0..columns).map(column).collect()
    }

    /// Categories with a share of 10 % among them.
    fn with_a_tenth() -> Self {
        Self::Categories(vec![0.1, 0.4, 0.7, 0.9, 1.0])
    }

    fn rows(&self, source: &mut Source, rows: usize, drive: &Drive, change: Change) -> Sample {
        let missing = |source: &mut Source| matches!(change, Change::Missing(share) if source.random.f64() < share);
        let mut noise = drive.begin(source);
        match self {
            Self::Categories(shares) => {
                let mut counts = vec![0_u64; shares.len() + 1];
                let mut gone = 0;
                for _ in 0..rows {
                    if missing(source) {
                        gone += 1;
                        continue;
                    }
                    let mut at = uniform(noise.next(source));
                    let mut level = None;
                    match change {
                        Change::New(share) if source.random.f64() < share => level = Some(shares.len()),
                        Change::Share(to) => {
                            // The others give way in proportion.
                            at = if at < to { at / to * 0.1 } else { 0.1 + (at - to) / (1.0 - to) * 0.9 };
                        }
                        _ => {}
                    }
                    counts
                        [level.unwrap_or_else(|| shares.partition_point(|edge| *edge <= at).min(shares.len() - 1))] +=
                        1;
                }
                let named = counts.into_iter().enumerate().filter(|(_, n)| *n > 0);
                Sample::Categorical {
                    counts: named.map(|(at, n)| (format!("{at:04}"), n)).collect::<BTreeMap<_, _>>(),
                    missing: gone,
                }
            }
            numbers => Sample::numeric((0..rows).map(|_| {
                if missing(source) {
                    return None;
                }
                let mut value = noise.next(source);
                match change {
                    Change::Mean(by) => value += by,
                    Change::Variance => value *= std::f64::consts::SQRT_2,
                    _ => {}
                }
                Some(match numbers {
                    Self::LogNormal => value.exp(),
                    Self::Whole => (value * 2.0).round(),
                    _ => value,
                })
            })),
        }
    }
}

/// What drives the rows: chance alone, or chance that remembers, and the hour of the day.
#[derive(Debug, Clone, Copy, Default)]
struct Drive {
    /// How much of a row is the row before (AR(1)).
    memory: f64,
    /// By how much the mean moves with the hour.
    season: f64,
    hour: f64,
}

struct Noise {
    drive: Drive,
    last: f64,
}

impl Drive {
    fn begin(&self, source: &mut Source) -> Noise {
        Noise { drive: *self, last: source.normal() }
    }
}

impl Noise {
    fn next(&mut self, source: &mut Source) -> f64 {
        let Drive { memory, season, hour } = self.drive;
        self.last = memory * self.last + (1.0 - memory * memory).sqrt() * source.normal();
        self.last + season * (hour * std::f64::consts::TAU / 24.0).sin()
    }
}

/// The share of a normal distribution below the value.
fn uniform(value: f64) -> f64 {
    f64::midpoint(statrs::function::erf::erf(value / std::f64::consts::SQRT_2), 1.0)
}

/// How a run is made.
#[derive(Debug, Clone)]
struct Run {
    columns: Vec<Column>,
    reference: usize,
    window: usize,
    references: u64,
    windows: u64,
    /// Hours of a reference in order of time; none where it has no order.
    hours: usize,
    /// Whether it is told so.
    ordered: bool,
    /// Whether each wrong aspect is shown.
    show: bool,
    /// Whether the other tools' rules are counted too.
    peers: bool,
    drive: Drive,
    change: Change,
}

/// Whose verdicts are counted.
const MODES: [Mode; 3] = [Mode::Default, Mode::Evidently, Mode::NannyMl];

#[derive(Debug, Default, Clone, Copy)]
struct Counted {
    windows: u64,
    columns: u64,
    /// Windows with a wrong column, columns that are wrong, and changed columns that were found, each by rule.
    wrong: [u64; 3],
    wrong_columns: [u64; 3],
    found: [u64; 3],
    too_few: u64,
    /// Windows in which a check of data quality finds fault with a column that did not change, and changed columns with a fault.
    faulty: u64,
    faults_found: u64,
}

impl Counted {
    /// Takes in which columns drift by one of the rules.
    fn add(&mut self, rule: usize, drifts: &[bool], changed: Option<usize>) {
        let wrong = drifts.iter().enumerate().filter(|(at, drifts)| Some(*at) != changed && **drifts).count();
        self.wrong[rule] += u64::from(wrong > 0);
        self.wrong_columns[rule] += wrong as u64;
        self.found[rule] += u64::from(changed.is_some_and(|at| drifts[at]));
    }

    fn plus(self, other: Self) -> Self {
        let sum = |a: [u64; 3], b: [u64; 3]| std::array::from_fn(|at| a[at] + b[at]);
        Self {
            windows: self.windows + other.windows,
            columns: self.columns + other.columns,
            wrong: sum(self.wrong, other.wrong),
            wrong_columns: sum(self.wrong_columns, other.wrong_columns),
            found: sum(self.found, other.found),
            too_few: self.too_few + other.too_few,
            faulty: self.faulty + other.faulty,
            faults_found: self.faults_found + other.faults_found,
        }
    }

    /// Of so many windows, by rule.
    fn of_windows(&self, counts: [u64; 3], of: f64) -> [f64; 3] {
        counts.map(|count| of * count as f64 / self.windows as f64)
    }
}

impl Run {
    fn go(&self, seed: u64) -> Counted {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
        let mut all = Counted::default();
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|thread| {
                    scope.spawn(move || {
                        let mut counted = Counted::default();
                        for reference in (thread..self.references).step_by(usize::try_from(threads).unwrap_or(1)) {
                            self.against_one(seed.wrapping_mul(0x9e37_79b9).wrapping_add(reference), &mut counted);
                        }
                        counted
                    })
                })
                .collect();
            for worker in workers {
                all = all.plus(worker.join().expect("a worker"));
            }
        });
        all
    }

    fn against_one(&self, seed: u64, counted: &mut Counted) {
        let mut source = Source::new(seed);
        let names: Vec<String> = (0..self.columns.len()).map(|at| at.to_string()).collect();
        let mut learnt = Learnt::default();
        let baselines: Vec<Baseline> = self
            .columns
            .iter()
            .zip(&names)
            .map(|(column, name)| {
                let (baseline, parts) = self.baseline(column, &mut source);
                learnt.column(name, &baseline.sample, if self.ordered { &parts } else { &[] });
                baseline
            })
            .collect();
        let thresholds = Thresholds::default();
        for window in 0..self.windows {
            let changed = self.changed();
            let drive = Drive { hour: window as f64 * 7.3 % 24.0, ..self.drive };
            let rows = |(at, column): (usize, &Column)| {
                let change = if Some(at) == changed { self.change } else { Change::None };
                column.rows(&mut source, self.window, &drive, change)
            };
            let current: Vec<Sample> = self.columns.iter().enumerate().map(rows).collect();
            let suspects = baselines.iter().zip(&current).zip(&names);
            let suspects =
                suspects.flat_map(|((of, current), name)| learnt.of_column(name, &of.sample, current)).collect();
            let faults = quality::judge(suspects, &Rules::default(), &thresholds, &learnt.own);
            let is_changed =
                |fault: &quality::Finding| changed.is_some_and(|at| fault.columns.contains(&at.to_string()));
            counted.faulty += u64::from(faults.iter().any(|fault| !is_changed(fault)));
            counted.faults_found += u64::from(faults.iter().any(is_changed));
            if self.show {
                faults.iter().filter(|fault| !is_changed(fault)).for_each(|fault| println!("{fault:?}"));
            }
            counted.windows += 1;
            counted.columns += current.len() as u64;
            for (rule, mode) in MODES.into_iter().enumerate().take(if self.peers { 3 } else { 1 }) {
                let pairs = || baselines.iter().zip(&current);
                let drifts: Vec<bool> = if mode == Mode::Default {
                    let measured = pairs()
                        .zip(&names)
                        .map(|((baseline, current), name)| Measured::new(name, baseline, current, &[], mode));
                    let judged = judge(measured.collect(), &thresholds);
                    counted.too_few +=
                        judged.iter().filter(|judged| judged.verdict == Verdict::TooFewRows).count() as u64;
                    for (at, judged) in judged.iter().enumerate().filter(|(at, _)| self.show && Some(*at) != changed) {
                        judged
                            .aspects
                            .iter()
                            .filter(|of| of.verdict == Verdict::Drift)
                            .for_each(|of| println!("{at} {of:?}"));
                    }
                    judged.iter().map(|judged| judged.verdict == Verdict::Drift).collect()
                } else {
                    let drift =
                        |(baseline, current)| mode.decide(baseline, current).and_then(|decision| decision.drift);
                    pairs().map(|pair| drift(pair) == Some(true)).collect()
                };
                counted.add(rule, &drifts, changed);
            }
        }
    }

    /// And what it is put together of.
    fn baseline(&self, column: &Column, source: &mut Source) -> (Baseline, Vec<Sample>) {
        let parts = if self.hours == 0 { 10 } else { self.hours };
        let part = |at: usize, source: &mut Source| {
            let hour = if self.hours == 0 { 0.0 } else { (at % 24) as f64 };
            column.rows(source, self.reference / parts, &Drive { hour, ..self.drive }, Change::None)
        };
        let chunks: Vec<Sample> = (0..parts).map(|at| part(at, source)).collect();
        let mut baseline = Baseline::new(together(&chunks));
        if self.hours > 0 && self.ordered {
            baseline = baseline.with_chunks(&chunks);
        }
        if self.hours == 0 {
            baseline.row_chunks.clone_from(&chunks);
        }
        (baseline, chunks)
    }

    /// The column that changes: the first of the kind.
    fn changed(&self) -> Option<usize> {
        match self.change {
            Change::None => None,
            Change::Share(_) | Change::New(_) => Some(2),
            _ => Some(0),
        }
    }
}

fn together(chunks: &[Sample]) -> Sample {
    match chunks.first() {
        Some(Sample::Categorical { .. }) => {
            let mut all: BTreeMap<String, u64> = BTreeMap::new();
            for chunk in chunks {
                if let Sample::Categorical { counts, .. } = chunk {
                    for (name, n) in counts {
                        *all.entry(name.clone()).or_default() += n;
                    }
                }
            }
            Sample::Categorical { counts: all, missing: 0 }
        }
        _ => Sample::numeric(chunks.iter().flat_map(|chunk| match chunk {
            Sample::Numeric { sorted, .. } => sorted.iter().map(|value| Some(*value)).collect::<Vec<_>>(),
            Sample::Categorical { .. } => Vec::new(),
        })),
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let full = arguments.iter().any(|argument| argument == "--full");
    let only = |part: &str| arguments.iter().skip(1).filter(|a| !a.starts_with("--")).all(|a| a == part);
    let show = arguments.iter().any(|argument| argument == "--show");
    let times = if full { 10 } else { 1 };
    if only("calm") {
        calm(times, show);
    }
    if only("dependent") {
        dependent(times, show);
    }
    if only("power") {
        power(times, show);
    }
}

/// Nothing changes.
fn calm(times: u64, show: bool) {
    println!(
        "| columns | reference | window | windows | wrong, of 1000: plumbline | Evidently | NannyML | columns wrong, of 1000 | too few rows, of 1000 columns | data quality: faulty, of 1000 windows |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for columns in [20, 200] {
        for reference in [500, 5000, 50_000] {
            for window in [200, 1000, 5000] {
                let run = Run {
                    columns: Column::all(columns),
                    reference,
                    window,
                    references: times * if columns == 20 { 40 } else { 4 },
                    windows: 20,
                    hours: 0,
                    ordered: false,
                    show,
                    peers: true,
                    drive: Drive::default(),
                    change: Change::None,
                };
                let counted = run.go(1 + reference as u64 * 31 + window as u64);
                let of_columns = |count: u64| 1000.0 * count as f64 / counted.columns as f64;
                let [ours, evidently, nannyml] = counted.of_windows(counted.wrong, 1000.0);
                println!(
                    "| {columns} | {reference} | {window} | {} | {ours:.2} | {evidently:.0} | {nannyml:.0} | {:.4} | {:.1} | {:.2} |",
                    counted.windows,
                    of_columns(counted.wrong_columns[0]),
                    of_columns(counted.too_few),
                    1000.0 * counted.faulty as f64 / counted.windows as f64
                );
            }
        }
    }
}

/// Nothing changes, but rows depend on the one before and on the hour; the reference is a week by the hour.
fn dependent(times: u64, show: bool) {
    println!(
        "\n| columns | rows an hour | memory | season, sd | windows | wrong, of 1000, in order of time | without | data quality: faulty, in order of time | without |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for columns in [20, 200] {
        for window in [200, 1000] {
            for (memory, season) in [(0.7, 0.0), (0.0, 0.3), (0.7, 0.3), (0.7, 1.0)] {
                let run = |ordered: bool| {
                    let run = Run {
                        columns: Column::all(columns),
                        reference: window * 168,
                        window,
                        references: times * if columns == 20 { 4 } else { 2 },
                        windows: 48,
                        hours: 168,
                        ordered,
                        show,
                        peers: false,
                        drive: Drive { memory, season, hour: 0.0 },
                        change: Change::None,
                    };
                    let counted = run.go(7 + window as u64);
                    let faulty = 1000.0 * counted.faulty as f64 / counted.windows as f64;
                    (counted.windows, counted.of_windows(counted.wrong, 1000.0)[0], faulty)
                };
                let ((windows, ordered, faulty), (_, without, faulty_without)) = (run(true), run(false));
                println!(
                    "| {columns} | {window} | {memory} | {season} | {windows} | {ordered:.1} | {without:.0} | {faulty:.1} | {faulty_without:.0} |"
                );
            }
        }
    }
}

/// One of twenty columns changes.
fn power(times: u64, show: bool) {
    println!(
        "\n| change | reference | window | found, %: plumbline | Evidently | NannyML | wrong columns beside it, of 1000 windows: plumbline | Evidently | NannyML | data quality: found, % |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let changes = [
        Change::Mean(0.1),
        Change::Mean(0.25),
        Change::Mean(0.5),
        Change::Mean(1.0),
        Change::Variance,
        Change::Share(0.15),
        Change::Share(0.2),
        Change::New(0.02),
        Change::Missing(0.05),
    ];
    for change in changes {
        for reference in [500, 5000, 50_000] {
            for window in [200, 1000, 2000, 5000] {
                let mut columns = Column::all(20);
                columns[2] = Column::with_a_tenth();
                let run = Run {
                    columns,
                    reference,
                    window,
                    references: times * 10,
                    windows: 10,
                    hours: 0,
                    ordered: false,
                    show,
                    peers: true,
                    drive: Drive::default(),
                    change,
                };
                let counted = run.go(3 + reference as u64 * 17 + window as u64);
                let [ours, evidently, nannyml] = counted.of_windows(counted.found, 100.0);
                let wrong = counted.of_windows(counted.wrong, 1000.0);
                println!(
                    "| {change:?} | {reference} | {window} | {ours:.0} | {evidently:.0} | {nannyml:.0} | {:.0} | {:.0} | {:.0} | {:.0} |",
                    wrong[0],
                    wrong[1],
                    wrong[2],
                    100.0 * counted.faults_found as f64 / counted.windows as f64
                );
            }
        }
    }
}
