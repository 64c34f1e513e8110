//! The signals of things: one table for containers ([`container`]), one for devices ([`gpu`]), one for models ([`model`]). An
//! entry says what a signal is in the API, in metrics and in the history, and how a minute is made of its readings; all of
//! these follow from it.
//!
//! A signal more is an entry, and the line that reads it: a collector's, or of a model one of `model/signals`.

pub mod container;
pub mod gpu;
pub mod model;
pub mod values;

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use crate::metric::Metric;
pub use values::{Item, Signals, Values};

/// A kind of thing that has signals.
pub trait Table: Copy + fmt::Debug + PartialEq + 'static {
    /// The attributes by which its points say whose they are; none where their subject does.
    const SUBJECT: &'static [&'static str] = &[];
    /// Its signals, those of a group of the API side by side.
    const SIGNALS: &'static [Signal];
}

/// One signal, and all that is made of it.
#[derive(Debug)]
pub struct Signal {
    /// Its place in the API, dotted: `cpu.usage`.
    pub key: &'static str,
    /// How its readings are written down.
    pub form: Form,
    /// The metric it is exported as.
    pub metric: Option<Metric>,
    /// Which series of that metric it is.
    pub attributes: &'static [(&'static str, &'static str)],
    /// Read once for each of these that the thing has.
    pub each: Option<Each>,
    /// The API has it in its group.
    pub shown: bool,
    /// Read on every tick; else on full ones only.
    pub every_tick: bool,
    /// Its columns in the history begin so.
    pub column: &'static str,
    /// What the columns tell.
    pub about: &'static str,
    /// How a minute is made of its readings: a column for each.
    pub parts: &'static [Part],
    /// It is sampled as the rate of this counter between two readings, per second.
    pub rate_of: Option<&'static str>,
    /// The parts that sizes and money are derived from: what the history is read back for.
    pub read_back: &'static [Part],
}

/// How readings are written down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Form {
    /// A count, as the kernel has it.
    Count,
    /// A real number.
    Real,
    /// Time, counted in so many parts of a second; told in seconds.
    Time(f64),
}

/// Things within a thing, each with a signal of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Each {
    /// The attributes that name it in metrics.
    pub attributes: &'static [&'static str],
    /// The field that names it in the API.
    pub field: &'static str,
}

/// How a column of a minute is made of readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Mean of the samples; of a rate the counter's increase over the time that was seen, whatever the spacing of the ticks.
    Mean,
    /// The largest sample.
    Max,
    /// The 95th percentile of the samples.
    P95,
    /// The share of the samples, each 0 or 1, that are 1.
    Share,
    /// How much a counter grew.
    Increase,
    /// As last seen.
    Last,
}

impl Part {
    /// It is taken of the minute's samples.
    #[must_use]
    pub fn is_sampled(self) -> bool {
        matches!(self, Self::Mean | Self::Max | Self::P95 | Self::Share)
    }
}

/// A signal's place in the table of `T`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id<T> {
    place: u8,
    of: PhantomData<T>,
}

impl<T: Table> Id<T> {
    /// The signal with this key. In a `const` a key that is not in the table does not compile.
    ///
    /// # Panics
    /// No signal has the key.
    #[must_use]
    #[expect(clippy::panic, reason = "at compile time, where it is used in a const")]
    pub const fn of(key: &str) -> Self {
        let mut place = 0;
        while place < T::SIGNALS.len() {
            if same(T::SIGNALS[place].key.as_bytes(), key.as_bytes()) {
                #[expect(clippy::cast_possible_truncation, reason = "a table has fewer than 64 entries")]
                return Self { place: place as u8, of: PhantomData };
            }
            place += 1;
        }
        panic!("no signal has this key")
    }

    /// Every signal of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        (0_u8..).zip(T::SIGNALS).map(|(place, _)| Self { place, of: PhantomData })
    }

    /// The entry.
    #[must_use]
    pub fn signal(self) -> &'static Signal {
        &T::SIGNALS[self.place()]
    }

    /// The metric it is exported as.
    #[must_use]
    pub fn metric(self) -> Option<&'static Metric> {
        self.signal().metric.as_ref()
    }

    fn place(self) -> usize {
        usize::from(self.place)
    }

    /// The column of the history that holds this part of it.
    #[must_use]
    pub fn column(self, part: Part) -> Column<T> {
        Column { id: self, part }
    }
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// A column of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column<T> {
    /// Of which signal.
    pub id: Id<T>,
    /// Which part of it.
    pub part: Part,
}

impl<T: Table> Column<T> {
    /// Every column of the table's minutes, in their order.
    pub fn all() -> impl Iterator<Item = Self> {
        Id::all().flat_map(|id| id.signal().parts.iter().map(move |part| Self { id, part: *part }))
    }

    /// The columns that are read back.
    pub fn read_back() -> impl Iterator<Item = Self> {
        Self::all().filter(|column| column.id.signal().read_back.contains(&column.part))
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> Cow<'static, str> {
        let column = self.id.signal().column;
        match self.part {
            Part::Mean => format!("{column}_mean").into(),
            Part::Max => format!("{column}_max").into(),
            Part::P95 => format!("{column}_p95").into(),
            Part::Share | Part::Increase | Part::Last => column.into(),
        }
    }

    /// Its cells are whole numbers.
    #[must_use]
    pub fn is_count(self) -> bool {
        self.id.signal().form == Form::Count && !self.part.is_sampled()
    }

    /// What it tells, in a sentence's part.
    #[must_use]
    pub fn about(self) -> String {
        let Signal { about, rate_of, .. } = self.id.signal();
        match (self.part, rate_of) {
            (Part::Mean, Some(_)) => format!("{about}: mean, increase over time"),
            (Part::Max, Some(_)) => format!("{about}: largest tick"),
            (Part::Mean, None) => format!("{about}: mean"),
            (Part::Max, None) => format!("{about}: maximum"),
            (Part::P95, _) => format!("{about}: 95th percentile (R-7)"),
            (Part::Share, _) => format!("share of the readings in which {about}"),
            (Part::Increase, _) => format!("increase: {about}"),
            (Part::Last, _) => format!("{about}, as last seen"),
        }
    }
}

impl Signal {
    const fn new(key: &'static str, form: Form, metric: Option<Metric>) -> Self {
        Self {
            key,
            form,
            metric,
            attributes: &[],
            each: None,
            shown: true,
            every_tick: false,
            column: "",
            about: "",
            parts: &[],
            rate_of: None,
            read_back: &[],
        }
    }

    const fn count(key: &'static str, metric: Metric) -> Self {
        Self::new(key, Form::Count, Some(metric))
    }

    const fn real(key: &'static str, metric: Metric) -> Self {
        Self::new(key, Form::Real, Some(metric))
    }

    const fn time(key: &'static str, parts_of_a_second: f64, metric: Metric) -> Self {
        Self::new(key, Form::Time(parts_of_a_second), Some(metric))
    }

    const fn series(self, attributes: &'static [(&'static str, &'static str)]) -> Self {
        Self { attributes, ..self }
    }

    const fn each(self, each: Each) -> Self {
        Self { each: Some(each), ..self }
    }

    const fn not_shown(self) -> Self {
        Self { shown: false, ..self }
    }

    const fn every_tick(self) -> Self {
        Self { every_tick: true, ..self }
    }

    const fn minute(self, column: &'static str, about: &'static str, parts: &'static [Part]) -> Self {
        Self { column, about, parts, ..self }
    }

    const fn rate_of(self, counter: &'static str) -> Self {
        Self { rate_of: Some(counter), ..self }
    }

    const fn read_back(self, parts: &'static [Part]) -> Self {
        Self { read_back: parts, ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::metric::Kind;

    fn holds<T: Table>() {
        let mut keys = HashSet::new();
        let mut names = HashSet::new();
        for id in Id::<T>::all() {
            let signal = id.signal();
            assert!(keys.insert(signal.key), "{} stands twice", signal.key);
            assert_eq!(Id::<T>::of(signal.key), id);
            assert!(signal.read_back.iter().all(|part| signal.parts.contains(part)), "{}", signal.key);
            let sampled = signal.parts.iter().any(|part| part.is_sampled());
            assert!(signal.rate_of.is_none_or(|counter| sampled && Id::<T>::of(counter) != id), "{}", signal.key);
            assert!(!(sampled && signal.each.is_some()), "{}: items are counted, not sampled", signal.key);
            if let Some(metric) = &signal.metric {
                let mut said = T::SUBJECT.to_vec();
                said.extend(signal.attributes.iter().map(|(key, _)| *key));
                said.extend(signal.each.iter().flat_map(|each| each.attributes));
                assert_eq!(metric.attributes, said, "{}", signal.key);
                let counts = signal.parts.contains(&Part::Increase);
                assert!(!counts || metric.kind == Kind::Counter, "{} is no counter", signal.key);
            }
        }
        for column in Column::<T>::all() {
            assert!(names.insert(column.name()), "{} stands twice", column.name());
            assert!(!column.about().is_empty());
        }
    }

    #[test]
    fn the_tables_make_sense() {
        holds::<container::Container>();
        holds::<gpu::Gpu>();
        holds::<model::Model>();
        let sampled = Column::<model::Model>::all().any(|column| column.part.is_sampled());
        assert!(!sampled, "a model is read once a minute");
    }
}
