//! What was read of a thing's signals, by their places in the table. What was not read is absent, never zero.

#[cfg(test)]
mod schema;

use std::fmt;
use std::marker::PhantomData;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Form, Id, Signal, Table};
use crate::metric::{Number, PointAttributes};

/// More signals than this no thing has.
const MOST: usize = 64;

/// One value at most for each signal of `T`.
#[derive(Clone, Copy, PartialEq)]
pub struct Values<T> {
    /// The values that are there: a bit each.
    present: u64,
    /// As they were read; reals by their bits.
    raw: [u64; MOST],
    of: PhantomData<T>,
}

impl<T: Table> Default for Values<T> {
    fn default() -> Self {
        const { assert!(T::SIGNALS.len() <= MOST, "raise MOST") }
        Self { present: 0, raw: [0; MOST], of: PhantomData }
    }
}

impl<T: Table> Values<T> {
    /// Writes a count down, or the time that a counter of time has; `None` leaves what is there.
    pub fn count(&mut self, id: Id<T>, value: impl Into<Option<u64>>) {
        debug_assert!(id.signal().form != Form::Real, "{} is a real", id.signal().key);
        self.write(id, value.into());
    }

    /// Writes a real down, if it is finite; `None` leaves what is there.
    pub fn real(&mut self, id: Id<T>, value: impl Into<Option<f64>>) {
        debug_assert!(id.signal().form == Form::Real, "{} is no real", id.signal().key);
        self.write(id, value.into().filter(|value| value.is_finite()).map(f64::to_bits));
    }

    /// Writes a number in the signal's own form; one of another form is none.
    pub fn set(&mut self, id: Id<T>, number: Number) {
        match (id.signal().form, number) {
            (Form::Real, Number::Float(real)) => self.real(id, real),
            (Form::Count, Number::Int(count)) => self.count(id, count),
            _ => {}
        }
    }

    /// Writes what `raw` gave.
    pub(crate) fn write(&mut self, id: Id<T>, raw: Option<u64>) {
        if let Some(raw) = raw {
            self.present |= 1 << id.place();
            self.raw[id.place()] = raw;
        }
    }

    /// As it was written down.
    pub(crate) fn raw(&self, id: Id<T>) -> Option<u64> {
        (self.present & (1 << id.place()) != 0).then(|| self.raw[id.place()])
    }

    /// The value in the signal's unit.
    #[must_use]
    pub fn number(&self, id: Id<T>) -> Option<Number> {
        Some(number(id.signal(), self.raw(id)?))
    }

    /// A count.
    #[must_use]
    pub fn get(&self, id: Id<T>) -> Option<u64> {
        self.number(id).and_then(|number| match number {
            Number::Int(count) => Some(count),
            Number::Float(_) => None,
        })
    }

    /// The value as a real, in the signal's unit.
    #[must_use]
    pub fn value(&self, id: Id<T>) -> Option<f64> {
        self.number(id).map(Number::as_f64)
    }
}

/// What was written down, in the signal's unit.
fn number(signal: &Signal, raw: u64) -> Number {
    match signal.form {
        Form::Count => Number::Int(raw),
        Form::Real => Number::Float(f64::from_bits(raw)),
        Form::Time(parts) => Number::Float(raw as f64 / parts),
    }
}

/// The value of a signal that a thing has several of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item<T> {
    /// Which signal.
    pub id: Id<T>,
    /// Which of them: a device, an interface.
    pub name: String,
    /// What was read, counted.
    pub count: u64,
}

impl<T: Table> Item<T> {
    /// The attributes of its point.
    fn attributes(&self) -> PointAttributes {
        attributes(self.id.signal(), [self.name.as_str()])
    }
}

/// The attributes of a signal's point: which series it is of, and which of the things that there are several of.
pub fn attributes<'a>(signal: &Signal, names: impl IntoIterator<Item = &'a str>) -> PointAttributes {
    let each = signal.each.map_or(&[][..], |each| each.attributes);
    let names = each.iter().zip(names).map(|(key, name)| (*key, name.to_owned().into()));
    signal.attributes.iter().map(|(key, value)| (*key, (*value).into())).chain(names).collect()
}

impl<T: Table> fmt::Debug for Values<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let there = Id::<T>::all().filter_map(|id| Some((id.signal().key, self.number(id)?)));
        f.debug_map().entries(there).finish()
    }
}

/// All that was read of a thing. In the API an object for each group of the table, with every field of it; what is not known is `null`.
#[derive(Debug, Clone, PartialEq)]
pub struct Signals<T: Table> {
    /// One value at most for each signal.
    pub values: Values<T>,
    /// The signals that a thing has several of.
    pub items: Vec<Item<T>>,
}

impl<T: Table> Default for Signals<T> {
    fn default() -> Self {
        Self { values: Values::default(), items: Vec::new() }
    }
}

impl<T: Table> Signals<T> {
    /// A count.
    #[must_use]
    pub fn get(&self, id: Id<T>) -> Option<u64> {
        self.values.get(id)
    }

    /// The value as a real, in the signal's unit.
    #[must_use]
    pub fn value(&self, id: Id<T>) -> Option<f64> {
        self.values.value(id)
    }

    /// Takes what only full readings bring from an older one.
    pub fn complete(&mut self, older: &Self) {
        for id in Id::all().filter(|id: &Id<T>| !id.signal().every_tick) {
            if self.values.raw(id).is_none() {
                self.values.write(id, older.values.raw(id));
            }
        }
        if self.items.is_empty() {
            self.items.clone_from(&older.items);
        }
    }

    /// Each value with its signal and the attributes of its point, in the order of the table.
    pub fn numbers(&self) -> impl Iterator<Item = (&'static Signal, PointAttributes, Number)> {
        Id::<T>::all().flat_map(|id| {
            let signal = id.signal();
            let one = self.values.number(id).map(|value| (signal, attributes(signal, []), value));
            let items = self.items.iter().filter(move |item| item.id == id);
            one.into_iter().chain(items.map(move |item| (signal, item.attributes(), number(signal, item.count))))
        })
    }
}

impl<T: Table> Serialize for Signals<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ids: Vec<Id<T>> = Id::all().filter(|id: &Id<T>| id.signal().shown).collect();
        Group { fields: self, ids: &ids, depth: 0 }.serialize(serializer)
    }
}

/// The signals whose keys are the same up to a depth.
struct Group<'a, T: Table> {
    fields: &'a Signals<T>,
    ids: &'a [Id<T>],
    depth: usize,
}

fn part<T: Table>(id: Id<T>, depth: usize) -> &'static str {
    id.signal().key.split('.').nth(depth).unwrap_or_default()
}

impl<T: Table> Serialize for Group<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for ids in self.ids.chunk_by(|a, b| part(*a, self.depth) == part(*b, self.depth)) {
            let (first, name) = (ids[0], part(ids[0], self.depth));
            if first.signal().each.is_some() {
                map.serialize_entry(name, &Items { items: &self.fields.items, ids })?;
            } else if part(first, self.depth + 1).is_empty() {
                map.serialize_entry(name, &self.fields.values.number(first))?;
            } else {
                map.serialize_entry(name, &Group { fields: self.fields, ids, depth: self.depth + 1 })?;
            }
        }
        map.end()
    }
}

/// A list: an object for each item, with its name and its signals.
struct Items<'a, T: Table> {
    items: &'a [Item<T>],
    ids: &'a [Id<T>],
}

impl<T: Table> Serialize for Items<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut names: Vec<&str> = Vec::new();
        for item in self.items.iter().filter(|item| self.ids.contains(&item.id)) {
            if !names.contains(&item.name.as_str()) {
                names.push(&item.name);
            }
        }
        serializer.collect_seq(names.into_iter().map(|name| One { items: self, name }))
    }
}

struct One<'a, T: Table> {
    items: &'a Items<'a, T>,
    name: &'a str,
}

impl<T: Table> Serialize for One<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for id in self.items.ids {
            let signal = id.signal();
            if let Some(each) = signal.each.filter(|_| id == &self.items.ids[0]) {
                map.serialize_entry(each.field, self.name)?;
            }
            let found = self.items.items.iter().find(|item| item.id == *id && item.name == self.name);
            map.serialize_entry(part(*id, 1), &found.map(|item| number(signal, item.count)))?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::super::container::{Container, id};
    use super::*;

    #[test]
    fn the_api_has_every_field_and_null_for_what_is_not_known() {
        let mut values = Values::<Container>::default();
        values.count(const { id("cpu.time") }, 1_500_000_000);
        values.real(const { id("cpu.limit") }, 0.5);
        values.real(const { id("cpu.request") }, f64::NAN);
        values.count(const { id("pressure.cpu.some") }, 250_000);
        let item = |key: &'static str, name: &str, count| Item { id: id(key), name: name.to_owned(), count };
        let items = vec![item("disk.read", "sda", 7), item("disk.write", "sda", 8), item("disk.read", "sdb", 9)];
        let json = serde_json::to_value(Signals { values, items }).expect("JSON");
        assert_eq!(json["cpu"]["time"], 1.5);
        assert_eq!((json["cpu"]["limit"].as_f64(), &json["cpu"]["request"]), (Some(0.5), &serde_json::Value::Null));
        assert_eq!((&json["pressure"]["cpu"]["some"], json["memory"]["usage"].is_null()), (&0.25.into(), true));
        assert_eq!(
            json["disk"],
            serde_json::json!([{"device": "sda", "read": 7, "write": 8}, {"device": "sdb", "read": 9, "write": null}])
        );
        assert_eq!(json["network"], serde_json::json!([]));
        for signal in Container::SIGNALS.iter().filter(|signal| signal.each.is_none()) {
            let pointer = format!("/{}", signal.key.replace('.', "/"));
            assert!(json.pointer(&pointer).is_some(), "{pointer}");
        }
    }

    #[test]
    fn what_every_tick_reads_is_never_an_older_reading_s() {
        let (mut old, mut new) = (Signals::<Container>::default(), Signals::default());
        old.values.count(id("memory.usage"), 1);
        old.values.count(id("memory.rss"), 2);
        old.values.count(id("memory.limit"), 3);
        new.values.count(id("memory.limit"), 4);
        new.complete(&old);
        let known = ["memory.usage", "memory.rss", "memory.limit"].map(|key| new.get(id(key)));
        assert_eq!(known, [None, Some(2), Some(4)]);
    }
}
