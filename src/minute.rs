//! Readings -> the minute's row: mean, max and p95 of what was sampled, increases of what counts.
//!
//! Pure. Storing the rows is left to `store`.

pub mod gpu;

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use crate::reading::{ContainerReading, Detail, Stall};
use crate::stats::quantile::quantile;

/// Mean, maximum and 95th percentile of one signal's samples within the minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// CPU: CPU time over wall time, so it holds whatever the spacing of the ticks. Memory: mean of the samples.
    pub mean: f64,
    /// Largest sample.
    pub max: f64,
    /// 95th percentile of the samples.
    pub p95: f64,
}

/// A counter the minute keeps the increase of.
pub struct CounterColumn {
    /// The column's name in the history.
    pub name: &'static str,
    /// How many of the kernel's units make a second; `None` where it counts no time.
    pub per_second: Option<f64>,
    /// What it tells.
    pub help: &'static str,
    source: Source,
}

/// Where a counter comes from.
enum Source {
    /// One count.
    One(fn(&ContainerReading, &Outside) -> Option<u64>),
    /// One count for each device or interface, by name. They come and go, so each has its own increase.
    Each(fn(&Detail) -> Vec<(&str, u64)>),
}

/// What a row takes from elsewhere than the cgroup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outside {
    /// OOM events told by the runtime in this run of the container.
    pub oom_events: u64,
}

const NANOSECONDS: Option<f64> = Some(1e9);
const MICROSECONDS: Option<f64> = Some(1e6);

const fn counter(
    name: &'static str,
    per_second: Option<f64>,
    help: &'static str,
    read: fn(&ContainerReading, &Outside) -> Option<u64>,
) -> CounterColumn {
    CounterColumn { name, per_second, help, source: Source::One(read) }
}

const fn sum(name: &'static str, help: &'static str, each: fn(&Detail) -> Vec<(&str, u64)>) -> CounterColumn {
    CounterColumn { name, per_second: None, help, source: Source::Each(each) }
}

/// Every counter of the minute's row, in the order of their columns.
pub const COUNTERS: &[CounterColumn] = &[
    counter("cpu_time", NANOSECONDS, "CPU time used, in seconds", |r, _| r.cpu_usage_ns),
    counter("cpu_time_user", NANOSECONDS, "CPU time in user mode, in seconds", |r, _| r.detail.as_ref()?.cpu_user_ns),
    counter("cpu_time_system", NANOSECONDS, "CPU time in kernel mode, in seconds", |r, _| {
        r.detail.as_ref()?.cpu_system_ns
    }),
    counter("cpu_periods", None, "CFS periods elapsed", |r, _| r.detail.as_ref()?.cpu_periods),
    counter("cpu_throttled_periods", None, "CFS periods throttled", |r, _| r.detail.as_ref()?.cpu_throttled_periods),
    counter("cpu_throttled_time", NANOSECONDS, "time tasks stood throttled, in seconds", |r, _| {
        r.detail.as_ref()?.cpu_throttled_ns
    }),
    counter("oom_kills", None, "processes killed for want of memory", oom_kills),
    counter("minor_faults", None, "page faults without disk", |r, _| r.detail.as_ref()?.minor_faults),
    counter("major_faults", None, "page faults from disk", |r, _| r.detail.as_ref()?.major_faults),
    sum("disk_read", "bytes read from block devices", |d| {
        d.block_io.iter().map(|io| (io.device.as_str(), io.read)).collect()
    }),
    sum("disk_write", "bytes written to block devices", |d| {
        d.block_io.iter().map(|io| (io.device.as_str(), io.write)).collect()
    }),
    sum("network_receive", "bytes received; only on the row of the namespace's owner", |d| {
        d.network.iter().map(|io| (io.interface.as_str(), io.receive)).collect()
    }),
    sum("network_transmit", "bytes transmitted; only on the row of the namespace's owner", |d| {
        d.network.iter().map(|io| (io.interface.as_str(), io.transmit)).collect()
    }),
    counter("cpu_pressure_some", MICROSECONDS, "time some task waited for CPU, in seconds", |r, _| {
        r.detail.as_ref()?.pressure.cpu.map(some)
    }),
    counter("cpu_pressure_full", MICROSECONDS, "time every task waited for CPU, in seconds", |r, _| {
        r.detail.as_ref()?.pressure.cpu?.full
    }),
    counter("memory_pressure_some", MICROSECONDS, "time some task waited for memory, in seconds", |r, _| {
        r.detail.as_ref()?.pressure.memory.map(some)
    }),
    counter("memory_pressure_full", MICROSECONDS, "time every task waited for memory, in seconds", |r, _| {
        r.detail.as_ref()?.pressure.memory?.full
    }),
    counter("io_pressure_some", MICROSECONDS, "time some task waited for block I/O, in seconds", |r, _| {
        r.detail.as_ref()?.pressure.io.map(some)
    }),
    counter("io_pressure_full", MICROSECONDS, "time every task waited for block I/O, in seconds", |r, _| {
        r.detail.as_ref()?.pressure.io?.full
    }),
];

fn some(stall: Stall) -> u64 {
    stall.some
}

/// A container that dies of memory takes its cgroup's count with it, while the runtime's event stays;
/// where a process inside dies alone, only the cgroup may tell. The larger of the two has seen more.
///
/// Inner ticks do not read the count, and say nothing: the engine has told of events since it was listened to, which may be fewer.
pub fn oom_kills(reading: &ContainerReading, outside: &Outside) -> Option<u64> {
    match (reading.detail.as_ref()?.oom_kills, outside.oom_events) {
        (None, 0) => None,
        (kills, events) => Some(kills.unwrap_or(0).max(events)),
    }
}

/// The signals of one closed minute of one container.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Inner ticks that fell into the minute.
    pub samples: u32,
    /// CPU used, in cores.
    pub cpu_usage: Option<Spread>,
    /// Memory charged, in bytes.
    pub memory_usage: Option<Spread>,
    /// Working set, in bytes.
    pub memory_working_set: Option<Spread>,
    /// Increases of [`COUNTERS`], in their order, in the kernel's units; `None` where the signal is unknown.
    pub increases: Vec<Option<u64>>,
}

/// Over less than this a rate is mostly chance: a CFS period is 100 ms.
const SHORTEST_RATE: Duration = Duration::from_millis(100);

/// Gathers one container's readings of the open minute.
#[derive(Debug)]
pub struct Accumulator {
    /// The counters as last read, by item where a column has several; empty before the first reading of each.
    last: Vec<Vec<(String, u64)>>,
    last_cpu: Option<(Duration, u64)>,
    /// The container began after we did, so that its counters count from zero.
    from_zero: bool,
    started: Option<Timestamp>,
    increases: Vec<Option<u64>>,
    cpu_time_ns: u64,
    cpu_observed: Duration,
    cpu: Vec<f64>,
    memory_usage: Vec<f64>,
    memory_working_set: Vec<f64>,
    samples: u32,
}

impl Accumulator {
    /// `from_zero`: the container was not there on the tick before, so all its counters count is new.
    #[must_use]
    pub fn new(from_zero: bool) -> Self {
        Self {
            last: vec![Vec::new(); COUNTERS.len()],
            last_cpu: None,
            from_zero,
            started: None,
            increases: vec![None; COUNTERS.len()],
            cpu_time_ns: 0,
            cpu_observed: Duration::ZERO,
            cpu: Vec::new(),
            memory_usage: Vec::new(),
            memory_working_set: Vec::new(),
            samples: 0,
        }
    }

    /// Adds what has been counted up to this reading. The reading that opens a minute is counted into the one before,
    /// whose last seconds it tells of.
    pub fn count(&mut self, reading: &ContainerReading, outside: &Outside) {
        let restarted = self.started.is_some() && reading.started > self.started;
        // What is met for the first time is new where the container is, and else was there before us.
        let new_counts = self.from_zero || restarted;
        for ((column, last), increase) in COUNTERS.iter().zip(&mut self.last).zip(&mut self.increases) {
            let mut add = |item: &str, now: u64| {
                let new = if let Some((_, last)) = last.iter_mut().find(|(name, _)| name == item) {
                    let before = std::mem::replace(last, now);
                    if now >= before && !restarted { now - before } else { now }
                } else {
                    last.push((item.to_owned(), now));
                    if new_counts { now } else { 0 }
                };
                *increase = Some(increase.unwrap_or(0).saturating_add(new));
            };
            match column.source {
                Source::One(read) => {
                    if let Some(now) = read(reading, outside) {
                        add("", now);
                    }
                }
                Source::Each(each) => {
                    for (item, now) in reading.detail.iter().flat_map(|detail| each(detail)) {
                        add(item, now);
                    }
                }
            }
        }
        // An interface or device that comes later may have counted for others before.
        self.from_zero &= reading.detail.is_none();
        if let Some(now) = reading.cpu_usage_ns {
            self.rate_cpu(reading.at.monotonic, now);
        }
        self.started = reading.started.or(self.started);
    }

    fn rate_cpu(&mut self, at: Duration, now: u64) {
        if let Some((before, last)) = self.last_cpu
            && now >= last
        {
            let elapsed = at.saturating_sub(before);
            if elapsed < SHORTEST_RATE {
                return; // goes into the next interval
            }
            let used = now - last;
            self.cpu.push(used as f64 / elapsed.as_nanos() as f64);
            self.cpu_time_ns = self.cpu_time_ns.saturating_add(used);
            self.cpu_observed += elapsed;
        }
        self.last_cpu = Some((at, now));
    }

    /// Adds the gauges of a reading.
    pub fn sample(&mut self, reading: &ContainerReading) {
        self.samples += 1;
        self.memory_usage.extend(reading.memory_usage.map(|v| v as f64));
        self.memory_working_set.extend(reading.memory_working_set.map(|v| v as f64));
    }

    /// Ends the minute and begins the next. `None` if nothing was seen in it.
    pub fn close(&mut self) -> Option<Summary> {
        // A signal known before but not read in this minute is unknown in it, not zero.
        let increases = std::mem::replace(&mut self.increases, vec![None; COUNTERS.len()]);
        let cpu_mean =
            (!self.cpu_observed.is_zero()).then(|| self.cpu_time_ns as f64 / self.cpu_observed.as_nanos() as f64);
        let summary = Summary {
            samples: self.samples,
            cpu_usage: spread(&mut self.cpu, cpu_mean),
            memory_usage: spread_of_samples(&mut self.memory_usage),
            memory_working_set: spread_of_samples(&mut self.memory_working_set),
            increases,
        };
        self.cpu_time_ns = 0;
        self.cpu_observed = Duration::ZERO;
        self.samples = 0;
        (summary.samples > 0 || summary.increases.iter().any(Option::is_some)).then_some(summary)
    }
}

pub(crate) fn spread_of_samples(samples: &mut Vec<f64>) -> Option<Spread> {
    let mean = samples.iter().sum::<f64>() / samples.len() as f64;
    spread(samples, Some(mean))
}

/// Takes the samples; `None` if there are none.
fn spread(samples: &mut Vec<f64>, mean: Option<f64>) -> Option<Spread> {
    let spread = Spread { mean: mean?, max: quantile(samples, 1.0)?, p95: quantile(samples, 0.95)? };
    samples.clear();
    Some(spread)
}

/// CPU usage over a trailing span, from the counter.
#[derive(Debug, Default)]
pub struct UsageTrail {
    readings: VecDeque<(Duration, u64)>,
}

impl UsageTrail {
    /// Takes the counter's value (ns) at a time, and forgets what lies further back than `span`.
    /// A value below the last one starts anew.
    pub fn push(&mut self, at: Duration, cpu_usage_ns: u64, span: Duration) {
        if self.readings.back().is_some_and(|(_, last)| cpu_usage_ns < *last) {
            self.readings.clear();
        }
        self.readings.push_back((at, cpu_usage_ns));
        while self.readings.len() > 2 && self.readings[1].0 + span <= at {
            self.readings.pop_front();
        }
    }

    /// Cores used on average between the oldest and the newest reading held; `None` with fewer than two.
    #[must_use]
    pub fn cores(&self) -> Option<f64> {
        let (first, last) = (self.readings.front()?, self.readings.back()?);
        let elapsed = last.0.saturating_sub(first.0);
        (elapsed >= SHORTEST_RATE).then(|| (last.1 - first.1) as f64 / elapsed.as_nanos() as f64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::Moment;
    use crate::reading::InterfaceIo;

    fn reading(second: u64, cpu_usage_ns: u64, memory: u64, oom_kills: Option<u64>) -> ContainerReading {
        ContainerReading {
            id: "c".to_owned(),
            runtime: None,
            pod_uid: None,
            at: Moment { wall: Timestamp::UNIX_EPOCH, monotonic: Duration::from_secs(second) },
            started: Some(Timestamp::UNIX_EPOCH),
            cpu_usage_ns: Some(cpu_usage_ns),
            memory_usage: Some(memory),
            memory_working_set: None,
            detail: oom_kills.map(|kills| Box::new(Detail { oom_kills: Some(kills), ..Detail::default() })),
        }
    }

    fn column(name: &str) -> usize {
        COUNTERS.iter().position(|c| c.name == name).expect("a counter of that name")
    }

    #[test]
    fn kills_of_before_we_listened_are_counted_once() {
        let mut minute = Accumulator::new(false);
        let reading = |second: u64, kills: Option<u64>| ContainerReading {
            id: String::new(),
            runtime: None,
            pod_uid: None,
            at: crate::clock::Moment { wall: Timestamp::UNIX_EPOCH, monotonic: Duration::from_secs(second) },
            started: None,
            cpu_usage_ns: None,
            memory_usage: None,
            memory_working_set: None,
            detail: kills.map(|kills| Box::new(Detail { oom_kills: Some(kills), ..Detail::default() })),
        };
        // The kernel has counted 55 before the engine was listened to, which has told of as many as came since.
        for second in 0..60 {
            let events = second / 20;
            let kills = (second % 10 == 0).then_some(55 + events);
            minute.count(&reading(second, kills), &Outside { oom_events: events });
        }
        let summary = minute.close().expect("a minute");
        let at = COUNTERS.iter().position(|column| column.name == "oom_kills").expect("the counter");
        assert_eq!(summary.increases[at], Some(2));
    }

    #[test]
    fn a_minute_has_its_spread_and_its_increase() {
        let mut minute = Accumulator::new(false);
        let outside = Outside::default();
        for (second, cpu, memory) in [(0, 5_000_000_000, 100), (1, 5_500_000_000, 300), (3, 8_500_000_000, 200)] {
            let reading = reading(second, cpu, memory, Some(second));
            minute.count(&reading, &outside);
            minute.sample(&reading);
        }
        let summary = minute.close().expect("a summary");
        let cpu = summary.cpu_usage.expect("cpu");
        assert_eq!(summary.samples, 3);
        assert!((cpu.mean - 3.5 / 3.0).abs() < 1e-12, "weighted by time: {}", cpu.mean);
        assert!((cpu.max - 1.5).abs() < 1e-12 && (cpu.p95 - 1.45).abs() < 1e-12);
        assert_eq!(summary.memory_usage, Some(Spread { mean: 200.0, max: 300.0, p95: 290.0 }));
        assert_eq!(summary.memory_working_set, None, "unknown is not zero");
        assert_eq!(summary.increases[column("cpu_time")], Some(3_500_000_000), "what came before us is not ours");
        assert_eq!(summary.increases[column("oom_kills")], Some(3));
        assert_eq!(summary.increases[column("network_receive")], None);
        assert_eq!(minute.close(), None, "nothing was seen in the next minute");
    }

    #[test]
    fn a_container_that_begins_under_our_eyes_counts_whole() {
        let mut minute = Accumulator::new(true);
        minute.count(&reading(0, 700, 1, None), &Outside::default());
        assert_eq!(minute.close().expect("a summary").increases[column("cpu_time")], Some(700));
    }

    #[test]
    fn a_restart_counts_from_zero_again() {
        let mut minute = Accumulator::new(false);
        minute.count(&reading(0, 1000, 1, None), &Outside::default());
        minute.count(&reading(1, 400, 1, None), &Outside::default());
        let summary = minute.close().expect("a summary");
        assert_eq!(summary.increases[column("cpu_time")], Some(400));
        assert_eq!(summary.cpu_usage, None, "no rate across a restart");
    }

    #[test]
    fn an_interface_that_goes_takes_its_count_along_and_counts_nothing_twice() {
        let io = |interface: &str, receive| InterfaceIo { interface: interface.to_owned(), receive, transmit: 0 };
        let with = |second, network| {
            let detail = Some(Box::new(Detail { network, ..Detail::default() }));
            ContainerReading { detail, ..reading(second, 0, 0, None) }
        };
        let mut minute = Accumulator::new(true);
        let outside = Outside::default();
        minute.count(&with(0, vec![io("eth0", 1000), io("eth1", 50_000)]), &outside);
        assert_eq!(minute.close().expect("a summary").increases[column("network_receive")], Some(51_000));
        minute.count(&with(1, vec![io("eth0", 1010)]), &outside);
        minute.count(&with(2, vec![io("eth0", 1020), io("eth2", 700)]), &outside);
        let received = minute.close().expect("a summary").increases[column("network_receive")];
        assert_eq!(received, Some(20), "eth1's past is not counted again, eth2's is not ours");
    }

    #[test]
    fn the_runtime_remembers_an_oom_the_cgroup_forgot() {
        let outside = Outside { oom_events: 1 };
        assert_eq!(oom_kills(&reading(0, 0, 0, Some(0)), &outside), Some(1));
        let without_count = ContainerReading { detail: Some(Box::default()), ..reading(0, 0, 0, None) };
        assert_eq!(oom_kills(&without_count, &outside), Some(1));
        let inner_tick = ContainerReading { detail: None, ..reading(0, 0, 0, None) };
        assert_eq!(oom_kills(&inner_tick, &outside), None, "the count is not read then");
        assert_eq!(oom_kills(&reading(0, 0, 0, Some(3)), &outside), Some(3));
        assert_eq!(oom_kills(&reading(0, 0, 0, None), &Outside::default()), None);
    }

    #[test]
    fn the_trail_looks_back_one_span() {
        let mut trail = UsageTrail::default();
        assert_eq!(trail.cores(), None);
        for second in 0..=30_u64 {
            let used = if second <= 20 { second * 1_000_000_000 } else { 20_000_000_000 };
            trail.push(Duration::from_secs(second), used, Duration::from_secs(10));
        }
        assert_eq!(trail.cores(), Some(0.0));
        trail.push(Duration::from_secs(31), 5, Duration::from_secs(10));
        assert_eq!(trail.cores(), None, "a counter that fell starts anew");
    }

    proptest! {
        #[test]
        fn increases_add_up_over_any_minutes(steps in prop::collection::vec((0..5_000_000_000_u64, any::<bool>()), 1..100)) {
            let mut minute = Accumulator::new(true);
            let (mut counter, mut sum) = (0, 0);
            for (second, (step, close)) in steps.iter().enumerate() {
                counter += step;
                let reading = reading(second as u64, counter, 0, None);
                minute.count(&reading, &Outside::default());
                if *close {
                    sum += minute.close().and_then(|s| s.increases[column("cpu_time")]).unwrap_or(0);
                }
            }
            sum += minute.close().and_then(|s| s.increases[column("cpu_time")]).unwrap_or(0);
            prop_assert_eq!(sum, counter);
        }

        #[test]
        fn mean_and_p95_never_exceed_the_maximum(values in prop::collection::vec(0..u64::MAX / 2, 1..60)) {
            let mut minute = Accumulator::new(false);
            for (second, value) in values.iter().enumerate() {
                minute.sample(&reading(second as u64, 0, *value, None));
            }
            let spread = minute.close().and_then(|s| s.memory_usage).expect("samples");
            prop_assert!(spread.p95 <= spread.max && spread.mean <= spread.max * (1.0 + 1e-12));
        }
    }
}
