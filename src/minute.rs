//! Readings -> the minute's row: what the table of signals makes of each (mean, max and p95 of samples, increases of counters, the last
//! value).
//!
//! Pure. Storing the rows is left to `store`.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod gpu;

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use crate::metric::Number;
use crate::signal::{Column, Form, Id, Item, Part, Signals, Table, Values};
use crate::stats::quantile::quantile;

/// The signals of one closed minute of one thing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// Readings that fell into the minute.
    pub samples: u32,
    /// A cell for each of the table's columns ([`Column::all`]), in the column's unit; `None` where the signal is unknown.
    pub cells: Vec<Option<Number>>,
}

impl Summary {
    /// A minute of so many readings of which these cells are known.
    #[must_use]
    pub fn of<T: Table>(samples: u32, cells: impl IntoIterator<Item = (Column<T>, Number)>) -> Self {
        let mut summary = Self { samples, cells: vec![None; Column::<T>::all().count()] };
        for (column, value) in cells {
            summary.set(column, value);
        }
        summary
    }

    /// A column's cell.
    #[must_use]
    pub fn cell<T: Table>(&self, column: Column<T>) -> Option<Number> {
        self.cells.get(place(column)?).copied().flatten()
    }

    /// Puts a value into a column's cell.
    pub fn set<T: Table>(&mut self, column: Column<T>, value: impl Into<Option<Number>>) {
        if let Some(cell) = place(column).and_then(|place| self.cells.get_mut(place)) {
            *cell = value.into();
        }
    }
}

fn place<T: Table>(column: Column<T>) -> Option<usize> {
    Column::all().position(|other| other == column)
}

/// What was read of a thing at once, as a minute takes it in.
#[derive(Debug)]
pub struct Reading<'a, T: Table> {
    /// When.
    pub at: Duration,
    /// Since when its counters count.
    pub started: Option<Timestamp>,
    /// All of its signals were read, not only those of every tick.
    pub full: bool,
    /// What was read.
    pub signals: &'a Signals<T>,
}

/// Over less than this a rate is mostly chance: a CFS period is 100 ms.
const SHORTEST_RATE: Duration = Duration::from_millis(100);

/// Gathers one thing's readings of the open minute.
#[derive(Debug)]
pub struct Accumulator<T: Table> {
    /// The counters as last read.
    last: Values<T>,
    /// Those that it has several of.
    last_items: Vec<Item<T>>,
    /// It began after we did, so that its counters count from zero.
    from_zero: bool,
    started: Option<Timestamp>,
    increases: Values<T>,
    sampled: Vec<Sampled<T>>,
    samples: u32,
}

/// A signal's samples within the minute.
#[derive(Debug)]
struct Sampled<T: Table> {
    id: Id<T>,
    samples: Vec<f64>,
    /// Of a rate: its counter.
    rate: Option<Rate<T>>,
}

#[derive(Debug)]
struct Rate<T: Table> {
    counter: Id<T>,
    last: Option<(Duration, f64)>,
    /// What the counter grew within the minute, and the time over which that was seen.
    grown: f64,
    over: Duration,
}

impl<T: Table> Accumulator<T> {
    /// `from_zero`: the thing was not there on the tick before, so all its counters count is new.
    #[must_use]
    pub fn new(from_zero: bool) -> Self {
        let sampled = Id::all().filter(|id: &Id<T>| id.signal().parts.iter().any(|part| part.is_sampled()));
        let rate = |id: Id<T>| {
            let counter = Id::of(id.signal().rate_of?);
            Some(Rate { counter, last: None, grown: 0.0, over: Duration::ZERO })
        };
        Self {
            last: Values::default(),
            last_items: Vec::new(),
            from_zero,
            started: None,
            increases: Values::default(),
            sampled: sampled.map(|id| Sampled { id, samples: Vec::new(), rate: rate(id) }).collect(),
            samples: 0,
        }
    }

    /// Adds what has been counted up to this reading. The reading that opens a minute is counted into the one before,
    /// whose last seconds it tells of.
    pub fn count(&mut self, reading: &Reading<'_, T>) {
        let restarted = self.started.is_some() && reading.started > self.started;
        // What is met for the first time is new where the thing is, and else was there before us.
        let new_counts = self.from_zero || restarted;
        for id in counters() {
            if let Some(now) = reading.signals.values.raw(id) {
                let before = self.last.raw(id).filter(|_| !restarted);
                let known = self.last.raw(id).is_some();
                self.last.write(id, Some(now));
                self.add(id, now, before, known || new_counts);
            }
        }
        for item in &reading.signals.items {
            let known = self.last_items.iter_mut().find(|known| known.id == item.id && known.name == item.name);
            let before = known.map(|known| std::mem::replace(&mut known.count, item.count));
            if before.is_none() {
                self.last_items.push(item.clone());
            }
            self.add(item.id, item.count, before.filter(|_| !restarted), before.is_some() || new_counts);
        }
        if reading.full {
            // An interface or device that comes later may have counted for others before; one that is gone is forgotten, or a
            // container that makes interfaces all the time would grow without end.
            self.from_zero = false;
            let there =
                |item: &Item<T>| reading.signals.items.iter().any(|now| now.id == item.id && now.name == item.name);
            self.last_items.retain(there);
        }
        for sampled in &mut self.sampled {
            if let Some(rate) = &mut sampled.rate
                && let Some(now) = reading.signals.value(rate.counter)
            {
                sampled.samples.extend(rate.take(reading.at, now));
            }
        }
        self.started = reading.started.or(self.started);
    }

    /// Adds what a counter grew. What it held when it was met is new only if it `counts`; one that fell began anew.
    fn add(&mut self, id: Id<T>, now: u64, before: Option<u64>, counts: bool) {
        let so_far = self.increases.raw(id);
        let sum = if id.signal().form == Form::Real {
            let (now, before) = (f64::from_bits(now), before.map(f64::from_bits));
            let new = before.filter(|before| now >= *before).map_or(now, |before| now - before);
            (so_far.map_or(0.0, f64::from_bits) + if counts { new } else { 0.0 }).to_bits()
        } else {
            let new = before.and_then(|before| now.checked_sub(before)).unwrap_or(now);
            so_far.unwrap_or(0).saturating_add(if counts { new } else { 0 })
        };
        self.increases.write(id, Some(sum));
    }

    /// Adds a reading's samples.
    pub fn sample(&mut self, values: &Values<T>) {
        self.samples = self.samples.saturating_add(1);
        for sampled in self.sampled.iter_mut().filter(|sampled| sampled.rate.is_none()) {
            sampled.samples.extend(values.value(sampled.id));
        }
    }

    /// Ends the minute, in which `last` was seen last, and begins the next. `None` if nothing was seen in it.
    pub fn close(&mut self, last: &Values<T>) -> Option<Summary> {
        // A signal known before but not read in this minute is unknown in it, not zero.
        let increases = std::mem::take(&mut self.increases);
        let counted = Id::<T>::all().any(|id| increases.raw(id).is_some());
        let mut cells = Vec::new();
        for column in Column::all() {
            let sampled = self.sampled.iter_mut().find(|sampled| sampled.id == column.id);
            cells.push(match column.part {
                Part::Increase => increases.number(column.id),
                Part::Last => last.number(column.id),
                part => sampled.and_then(|sampled| sampled.part(part)).map(Number::Float),
            });
        }
        for sampled in &mut self.sampled {
            sampled.samples.clear();
            if let Some(rate) = &mut sampled.rate {
                (rate.grown, rate.over) = (0.0, Duration::ZERO);
            }
        }
        let samples = std::mem::take(&mut self.samples);
        (samples > 0 || counted).then_some(Summary { samples, cells })
    }
}

/// The signals that are counted, one count for each.
fn counters<T: Table>() -> impl Iterator<Item = Id<T>> {
    Id::all().filter(|id: &Id<T>| id.signal().each.is_none() && id.signal().parts.contains(&Part::Increase))
}

impl<T: Table> Rate<T> {
    /// The rate per second since the last reading; none across a restart, or over too short a time, which goes into the next.
    fn take(&mut self, at: Duration, now: f64) -> Option<f64> {
        let mut rate = None;
        if let Some((before, last)) = self.last
            && now >= last
        {
            let elapsed = at.saturating_sub(before);
            if elapsed < SHORTEST_RATE {
                return None;
            }
            rate = Some((now - last) / elapsed.as_secs_f64());
            self.grown += now - last;
            self.over = self.over.saturating_add(elapsed);
        }
        self.last = Some((at, now));
        rate
    }
}

impl<T: Table> Sampled<T> {
    fn part(&mut self, part: Part) -> Option<f64> {
        match (part, &self.rate) {
            (Part::Mean, Some(rate)) => (!rate.over.is_zero()).then(|| rate.grown / rate.over.as_secs_f64()),
            (Part::Mean | Part::Share, None) => {
                let sum = self.samples.iter().sum::<f64>();
                (!self.samples.is_empty()).then(|| sum / self.samples.len() as f64)
            }
            (Part::Max, _) => quantile(&mut self.samples, 1.0),
            (Part::P95, _) => quantile(&mut self.samples, 0.95),
            (Part::Share, Some(_)) | (Part::Increase | Part::Last, _) => None,
        }
    }
}

/// A rate over a trailing span, from its counter.
#[derive(Debug, Default)]
pub struct Trail {
    readings: VecDeque<(Duration, f64)>,
}

impl Trail {
    /// Takes the counter's value (in seconds) at a time, and forgets what lies further back than `span`.
    /// A value below the last one starts anew.
    pub fn push(&mut self, at: Duration, count: f64, span: Duration) {
        if self.readings.back().is_some_and(|(_, last)| count < *last) {
            self.readings.clear();
        }
        self.readings.push_back((at, count));
        while self.readings.len() > 2 && self.readings[1].0.saturating_add(span) <= at {
            self.readings.pop_front();
        }
    }

    /// The rate per second between the oldest and the newest reading held (of CPU time: cores); `None` with fewer than two.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        let (first, last) = (self.readings.front()?, self.readings.back()?);
        let elapsed = last.0.saturating_sub(first.0);
        (elapsed >= SHORTEST_RATE).then(|| (last.1 - first.1) / elapsed.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::signal::container::{Container, id};

    /// What was read in a second; full if it has a count of kills.
    struct Read {
        second: u64,
        signals: Signals<Container>,
        full: bool,
    }

    fn read(second: u64, cpu_time_ns: u64, memory: u64, kills: Option<u64>) -> Read {
        let mut signals = Signals::default();
        signals.values.count(id("cpu.time"), cpu_time_ns);
        signals.values.count(id("memory.usage"), memory);
        signals.values.count(id("memory.oom_kills"), kills);
        Read { second, signals, full: kills.is_some() }
    }

    impl Read {
        fn reading(&self) -> Reading<'_, Container> {
            let (at, started) = (Duration::from_secs(self.second), Some(Timestamp::UNIX_EPOCH));
            Reading { at, started, full: self.full, signals: &self.signals }
        }
    }

    fn closed(minute: &mut Accumulator<Container>) -> Option<Summary> {
        minute.close(&Values::default())
    }

    fn increase(summary: &Summary, key: &str) -> Option<f64> {
        summary.cell(id(key).column(Part::Increase)).map(Number::as_f64)
    }

    fn cell(summary: &Summary, key: &str, part: Part) -> Option<f64> {
        summary.cell(id(key).column(part)).map(Number::as_f64)
    }

    #[test]
    fn a_minute_has_its_spread_and_its_increase() {
        let mut minute = Accumulator::new(false);
        for (second, cpu, memory) in [(0, 5_000_000_000, 100), (1, 5_500_000_000, 300), (3, 8_500_000_000, 200)] {
            let read = read(second, cpu, memory, Some(second));
            minute.count(&read.reading());
            minute.sample(&read.signals.values);
        }
        let mut last = Values::default();
        last.count(id("memory.limit"), 1000);
        let summary = minute.close(&last).expect("a summary");
        assert_eq!(summary.samples, 3);
        let cpu = |part| cell(&summary, "cpu.usage", part).expect("cpu");
        assert!((cpu(Part::Mean) - 3.5 / 3.0).abs() < 1e-12, "weighted by time: {}", cpu(Part::Mean));
        assert!((cpu(Part::Max) - 1.5).abs() < 1e-12 && (cpu(Part::P95) - 1.45).abs() < 1e-12);
        let memory = [Part::Mean, Part::Max, Part::P95].map(|part| cell(&summary, "memory.usage", part));
        assert_eq!(memory, [Some(200.0), Some(300.0), Some(290.0)]);
        assert_eq!(cell(&summary, "memory.working_set", Part::Mean), None, "unknown is not zero");
        assert_eq!(increase(&summary, "cpu.time"), Some(3.5), "what came before us is not ours");
        assert_eq!(increase(&summary, "memory.oom_kills"), Some(3.0));
        assert_eq!(increase(&summary, "network.receive"), None);
        assert_eq!(summary.cell(id("memory.limit").column(Part::Last)), Some(Number::Int(1000)));
        assert_eq!(closed(&mut minute), None, "nothing was seen in the next minute");
    }

    #[test]
    fn a_container_that_begins_under_our_eyes_counts_whole() {
        let mut minute = Accumulator::new(true);
        minute.count(&read(0, 700_000_000, 1, None).reading());
        assert_eq!(increase(&closed(&mut minute).expect("a summary"), "cpu.time"), Some(0.7));
    }

    #[test]
    fn a_restart_counts_from_zero_again() {
        let mut minute = Accumulator::new(false);
        minute.count(&read(0, 1_000_000_000, 1, None).reading());
        minute.count(&read(1, 400_000_000, 1, None).reading());
        let summary = closed(&mut minute).expect("a summary");
        assert_eq!(increase(&summary, "cpu.time"), Some(0.4));
        assert_eq!(cell(&summary, "cpu.usage", Part::Mean), None, "no rate across a restart");
        // A restart that is told, though the new run has counted more already.
        let again = read(2, 900_000_000, 1, None);
        minute.count(&Reading { started: Timestamp::from_second(1).ok(), ..again.reading() });
        assert_eq!(increase(&closed(&mut minute).expect("a summary"), "cpu.time"), Some(0.9));
    }

    #[test]
    fn an_interface_that_goes_takes_its_count_along_and_counts_nothing_twice() {
        let io = |name: &str, count| Item { id: id("network.receive"), name: name.to_owned(), count };
        let with = |second, items| {
            let mut read = Read { full: true, ..read(second, 0, 0, None) };
            read.signals.items = items;
            read
        };
        let mut minute = Accumulator::new(true);
        minute.count(&with(0, vec![io("eth0", 1000), io("eth1", 50_000)]).reading());
        assert_eq!(increase(&closed(&mut minute).expect("a summary"), "network.receive"), Some(51_000.0));
        minute.count(&with(1, vec![io("eth0", 1010)]).reading());
        minute.count(&with(2, vec![io("eth0", 1020), io("eth2", 700)]).reading());
        let received = increase(&closed(&mut minute).expect("a summary"), "network.receive");
        assert_eq!(received, Some(20.0), "eth1's past is not counted again, eth2's is not ours");
        minute.count(&with(3, vec![io("eth1", 50_005)]).reading());
        let received = increase(&closed(&mut minute).expect("a summary"), "network.receive");
        assert_eq!(received, Some(0.0), "one that comes back was not watched meanwhile");
        assert_eq!(minute.last_items.len(), 1, "what is gone is forgotten");
    }

    #[test]
    fn the_trail_looks_back_one_span() {
        let mut trail = Trail::default();
        assert_eq!(trail.rate(), None);
        for second in 0..=30_u32 {
            trail.push(Duration::from_secs(second.into()), f64::from(second.min(20)), Duration::from_secs(10));
        }
        assert_eq!(trail.rate(), Some(0.0));
        trail.push(Duration::from_secs(31), 5e-9, Duration::from_secs(10));
        assert_eq!(trail.rate(), None, "a counter that fell starts anew");
    }

    proptest! {
        #[test]
        fn increases_add_up_over_any_minutes(steps in prop::collection::vec((0..5_000_u64, any::<bool>()), 1..100)) {
            let mut minute = Accumulator::new(true);
            let (mut counter, mut sum, mut second) = (0, 0.0, 0);
            for (step, close) in &steps {
                (counter, second) = (counter + step, second + 1);
                minute.count(&read(second, 0, 0, Some(counter)).reading());
                if *close {
                    sum += closed(&mut minute).and_then(|s| increase(&s, "memory.oom_kills")).unwrap_or(0.0);
                }
            }
            sum += closed(&mut minute).and_then(|s| increase(&s, "memory.oom_kills")).unwrap_or(0.0);
            prop_assert!((sum - counter as f64).abs() < 0.5);
        }

        #[test]
        fn mean_and_p95_never_exceed_the_maximum(values in prop::collection::vec(0..u64::MAX / 2, 1..60)) {
            let mut minute = Accumulator::new(false);
            for value in &values {
                minute.sample(&read(0, 0, *value, None).signals.values);
            }
            let summary = closed(&mut minute).expect("samples");
            let part = |part| cell(&summary, "memory.usage", part).expect("memory");
            prop_assert!(part(Part::P95) <= part(Part::Max) && part(Part::Mean) <= part(Part::Max) * (1.0 + 1e-12));
        }
    }
}
