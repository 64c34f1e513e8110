//! A column as codes into the names of its values: what is counted by value is an array, row by row.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;
use polars::prelude::{DataType, Series};

use crate::stats::ascending;

/// So many values of a column have a name; the rarer ones of more are one.
pub const MOST_VALUES: usize = 10_000;

/// A column, row by row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Coded {
    /// What it is called.
    pub name: String,
    /// Its values.
    pub names: Vec<String>,
    /// Each row's place in `names`, or their number where its value is one of the rest; `None` where it has no value.
    pub codes: Vec<Option<u32>>,
    /// How many values are the rest.
    pub rest: u64,
}

impl Coded {
    /// Of names, their order being the alphabet's.
    #[must_use]
    pub fn of_texts<'a>(name: &str, values: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        interned(name, values.into_iter(), |value| (*value).to_owned())
    }

    /// Of texts, booleans or numbers, each number being a value of its own; what is not finite is missing. `None` of another type.
    #[must_use]
    pub fn of_series(series: &Series) -> Option<Self> {
        let name = series.name().as_str();
        Some(match series.dtype() {
            DataType::String => interned(name, series.str().ok()?.iter(), |value| (*value).to_owned()),
            DataType::Boolean => interned(name, series.bool().ok()?.iter(), bool::to_string),
            DataType::Int64 => interned(name, series.i64().ok()?.iter(), i64::to_string),
            DataType::UInt64 => interned(name, series.u64().ok()?.iter(), u64::to_string),
            DataType::Float64 => {
                let finite = |value: Option<f64>| value.filter(|value| value.is_finite()).map(|value| value + 0.0);
                let keys =
                    series.f64().ok()?.iter().map(|value| finite(value).map(|v| (ascending::key(v), v.to_bits())));
                interned(name, keys, |(_, bits)| f64::from_bits(*bits).to_string())
            }
            _ => return None,
        })
    }

    /// How many rows it has.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.codes.len()
    }

    /// The values that most rows have, so many at most, of equally many the first; the others are the rest.
    #[must_use]
    pub fn largest(&self, most: usize) -> Self {
        if self.names.len() <= most {
            return self.clone();
        }
        let mut counts = vec![0_u64; self.names.len() + 1];
        for code in self.codes.iter().flatten() {
            if let Some(count) = counts.get_mut(*code as usize) {
                *count += 1;
            }
        }
        let mut by_size: Vec<usize> = (0..self.names.len()).collect();
        by_size.sort_by_key(|at| std::cmp::Reverse(counts[*at]));
        by_size.truncate(most);
        by_size.sort_unstable();
        let mut places = vec![place(most); self.names.len() + 1];
        by_size.iter().zip(0..).for_each(|(at, to)| places[*at] = to);
        let code = |code: &Option<u32>| code.map(|code| places.get(code as usize).copied().unwrap_or(place(most)));
        Self {
            name: self.name.clone(),
            names: by_size.iter().map(|at| self.names[*at].clone()).collect(),
            codes: self.codes.iter().map(code).collect(),
            rest: self.rest + (self.names.len() - most) as u64,
        }
    }

    /// Both at once: a value of one with a value of the other, of each column no more than so many of the largest. Only pairs that a row
    /// has are values; a row without one of both has none. As many rows as the shorter column.
    #[must_use]
    pub fn crossed(&self, other: &Self, most: usize) -> Self {
        let (one, two) = (self.largest(most), other.largest(most));
        let width = two.names.len() + 1;
        let cell = |a: u32, b: u32| a as usize * width + b as usize;
        let mut met = vec![false; (one.names.len() + 1) * width];
        let both = || one.codes.iter().zip(&two.codes).map(|(a, b)| Some(((*a)?, (*b)?)));
        for (a, b) in both().flatten() {
            if let Some(met) = met.get_mut(cell(a, b)) {
                *met = true;
            }
        }
        let mut places = vec![u32::MAX; met.len()];
        let mut crossed = Self { name: format!("{} and {}", self.name, other.name), ..Self::default() };
        for (a, first) in (0..).zip(&one.names) {
            for (b, second) in (0..).zip(&two.names) {
                if met[cell(a, b)] {
                    places[cell(a, b)] = place(crossed.names.len());
                    crossed.names.push(format!("{first} and {second}"));
                }
            }
        }
        let rest = place(crossed.names.len());
        crossed.rest = met.iter().zip(&places).filter(|(met, place)| **met && **place == u32::MAX).count() as u64;
        crossed.codes =
            both().map(|pair| pair.and_then(|(a, b)| places.get(cell(a, b))).map(|at| (*at).min(rest))).collect();
        crossed
    }
}

fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn interned<K: Hash + Ord + Copy>(
    name: &str,
    values: impl Iterator<Item = Option<K>>,
    called: impl Fn(&K) -> String,
) -> Coded {
    let mut places: HashMap<K, u32, RandomState> = HashMap::default();
    let mut met: Vec<K> = Vec::new();
    let mut code = |value: K| {
        *places.entry(value).or_insert_with(|| {
            met.push(value);
            place(met.len() - 1)
        })
    };
    let codes: Vec<Option<u32>> = values.map(|value| value.map(&mut code)).collect();
    let mut order: Vec<usize> = (0..met.len()).collect();
    order.sort_unstable_by_key(|at| met[*at]);
    let mut ranks = vec![0; met.len()];
    order.iter().zip(0..).for_each(|(at, rank)| ranks[*at] = rank);
    let code = |code: Option<u32>| code.and_then(|code| ranks.get(code as usize).copied());
    let coded = Coded {
        name: name.to_owned(),
        names: order.iter().map(|at| called(&met[*at])).collect(),
        codes: codes.into_iter().map(code).collect(),
        rest: 0,
    };
    if coded.names.len() > MOST_VALUES { coded.largest(MOST_VALUES) } else { coded }
}

#[cfg(test)]
mod tests {
    use polars::prelude::NamedFrom;
    use proptest::prelude::*;

    use super::*;

    /// The value of each row by its name; the rest is an asterisk.
    fn told(coded: &Coded) -> Vec<Option<&str>> {
        let name = |code: u32| coded.names.get(code as usize).map_or("*", String::as_str);
        coded.codes.iter().map(|code| code.map(name)).collect()
    }

    #[test]
    fn values_of_every_type_are_names() {
        let of = |series: Series| Coded::of_series(&series).expect("a type that is known");
        let numbers = of(Series::new("n".into(), [Some(10.0), Some(-0.0), None, Some(f64::NAN), Some(0.0), Some(9.5)]));
        assert_eq!(
            (numbers.name.as_str(), numbers.names.as_slice()),
            ("n", ["0", "9.5", "10"].map(String::from).as_slice())
        );
        assert_eq!(told(&numbers), [Some("10"), Some("0"), None, None, Some("0"), Some("9.5")]);
        assert_eq!(told(&of(Series::new("b".into(), [true, false]))), [Some("true"), Some("false")]);
        assert_eq!(of(Series::new("i".into(), [11_i64, 2, -3])).names, ["-3", "2", "11"]);
        assert_eq!(told(&of(Series::new("t".into(), [Some("é"), Some(""), None]))), [Some("é"), Some(""), None]);
        assert!(Coded::of_series(&Series::new_empty("x".into(), &DataType::Date)).is_none());
    }

    #[test]
    fn the_largest_keep_their_names_and_the_rest_is_counted() {
        let rows = ["b", "a", "c", "c", "d", "b", "c"].map(Some);
        let two = Coded::of_texts("x", rows).largest(2);
        assert_eq!((two.names.as_slice(), two.rest), (["b", "c"].map(String::from).as_slice(), 2));
        assert_eq!(told(&two), [Some("b"), Some("*"), Some("c"), Some("c"), Some("*"), Some("b"), Some("c")]);
        let one = two.largest(1);
        assert_eq!((told(&one)[0], one.rest), (Some("*"), 3));
        let many: Vec<String> = (0..MOST_VALUES + 7).map(|i| i.to_string()).collect();
        let many = Coded::of_texts("x", many.iter().map(|value| Some(value.as_str())));
        assert_eq!((many.names.len(), many.rest, many.rows()), (MOST_VALUES, 7, MOST_VALUES + 7));
    }

    #[test]
    fn pairs_that_no_row_has_are_no_values() {
        let one = Coded::of_texts("sex", [Some("f"), Some("m"), Some("m"), None, Some("f")]);
        let two = Coded::of_texts("race", [Some("x"), Some("y"), Some("z"), Some("x"), Some("x")]);
        let both = one.crossed(&two, 10);
        assert_eq!((both.name.as_str(), both.names.len()), ("sex and race", 3));
        assert_eq!(told(&both), [Some("f and x"), Some("m and y"), Some("m and z"), None, Some("f and x")]);
        let few = one.crossed(&two, 1);
        assert_eq!((told(&few), few.rest), (vec![Some("f and x"), Some("*"), Some("*"), None, Some("f and x")], 1));
    }

    proptest! {
        #[test]
        fn a_row_keeps_its_values(rows in prop::collection::vec((prop::option::of(0..6_i64), prop::option::of(0..4_i64)), 0..60), most in 1..8_usize) {
            let texts = |values: Vec<Option<i64>>| -> Vec<Option<String>> { values.into_iter().map(|v| v.map(|v| v.to_string())).collect() };
            let (a, b): (Vec<_>, Vec<_>) = rows.iter().copied().unzip();
            let (a, b) = (texts(a), texts(b));
            let of = |values: &[Option<String>]| Coded::of_texts("x", values.iter().map(Option::as_deref));
            let plain = of(&a);
            prop_assert_eq!(told(&plain), a.iter().map(Option::as_deref).collect::<Vec<_>>());
            let crossed = of(&a).crossed(&of(&b), most);
            for ((a, b), both) in a.iter().zip(&b).zip(told(&crossed)) {
                let want = a.as_ref().zip(b.as_ref()).map(|(a, b)| format!("{a} and {b}"));
                prop_assert_eq!(both.is_some(), want.is_some());
                prop_assert!(both == Some("*") || both.map(str::to_owned) == want);
            }
        }
    }
}
