//! How long a window of a model takes to be judged, by everything that the agent does for it: 10,000 rows of 50 columns of numbers, against
//! references of 10,000 and of 500,000 rows. On one thread, as the agent has one for all its models.
//!
//! ```sh
//! cargo bench --bench window
//! ```

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![expect(clippy::expect_used, reason = "a bench that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "a bench looks at the clock")]

use std::time::{Duration, Instant};

use jiff::Timestamp;
use plumbline::frame::normal::ARRIVAL;
use plumbline::model::Spec;
use plumbline::model::watch::{Mode, Progress, Watch};
use polars::prelude::{Column, DataFrame, DataType, IntoColumn, NamedFrom, Series, TimeUnit};

const ROWS: usize = 10_000;
const COLUMNS: usize = 50;
const WINDOWS: usize = 21;

/// The sum of four even numbers: near enough to a normal distribution, and without ties.
fn number(random: &mut fastrand::Rng) -> f64 {
    (0..4).map(|_| random.f64()).sum()
}

/// Rows of the second that comes after so many others.
fn frame(random: &mut fastrand::Rng, rows: usize, second: i64) -> DataFrame {
    let times: Vec<i64> = (0..rows).map(|_| second * 1000).collect();
    let time = |name: &str| {
        let series = Series::new(name.into(), &times).cast(&DataType::Datetime(TimeUnit::Milliseconds, None));
        series.expect("times").into_column()
    };
    let mut columns: Vec<Column> = vec![time("timestamp"), time(ARRIVAL)];
    for at in 0..COLUMNS {
        let values: Vec<f64> = (0..rows).map(|_| number(random)).collect();
        columns.push(Series::new(format!("n{at}").as_str().into(), values).into_column());
    }
    DataFrame::new(rows, columns).expect("a frame")
}

/// Milliseconds that this thread has had a core; neighbours on it leave them nearly as they are. `None` where the kernel does not say.
fn on_a_core() -> Option<f64> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(told.split(' ').next()?.parse::<f64>().ok()? / 1e6)
}

fn median(mut taken: Vec<f64>) -> f64 {
    taken.sort_by(f64::total_cmp);
    taken.get(taken.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() {
    let now = Timestamp::from_second(2_000_000_000).expect("a time");
    for reference_rows in [10_000, 500_000] {
        let mut random = fastrand::Rng::with_seed(1);
        let spec = Spec { window_rows: Some(ROWS as u64), ..Spec::new("m") };
        let mut watch = Watch::new(spec, 10, Progress::default(), now);
        watch.refer_to(&frame(&mut random, reference_rows, 0).into(), now, false);
        let (mut taken, mut cpu) = (Vec::new(), Vec::new());
        for window in 0..WINDOWS {
            for part in 0..10 {
                let second = i64::try_from(window * 10 + part).expect("small");
                watch.absorb(frame(&mut random, ROWS / 10, second), Mode::Live, now).expect("absorbed");
            }
            let (begun, before) = (Instant::now(), on_a_core());
            let judged = watch.judge(now, Duration::from_secs(window as u64)).expect("judged");
            taken.push(begun.elapsed().as_secs_f64() * 1000.0);
            cpu.extend(on_a_core().zip(before).map(|(now, before)| now - before));
            assert!(judged, "a window is full");
        }
        let windows = watch.view(now).windows;
        assert!(windows.iter().all(|window| window.rows == ROWS as u64 && window.drift == Some(false)));
        let (taken, cpu) = (median(taken), median(cpu));
        println!(
            "a window of {ROWS} x {COLUMNS} against {reference_rows} rows: median {taken:.1} ms, {cpu:.1} ms of CPU"
        );
    }
}
