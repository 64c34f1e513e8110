//! Labels and predictions as codes into one list of class names.

use std::collections::{BTreeSet, HashMap};

use polars::prelude::{DataType, Series};

/// The code of a row without a class.
pub const MISSING: u32 = u32::MAX;

/// Names, and each one's code while they are gathered.
#[derive(Default)]
pub struct Classes {
    names: Vec<String>,
    codes: HashMap<String, u32>,
}

/// As which a column's values are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As they are.
    Own,
    /// False and true as 0 and 1: they are held against numbers.
    Numbers,
}

impl Classes {
    /// The code of a name, a new one where it has none.
    pub fn code(&mut self, name: &str) -> u32 {
        if let Some(code) = self.codes.get(name) {
            return *code;
        }
        let code = u32::try_from(self.names.len()).unwrap_or(MISSING);
        self.names.push(name.to_owned());
        self.codes.insert(name.to_owned(), code);
        code
    }

    /// A column's codes. A whole number is written as one whatever its type; what is no class is missing.
    pub fn read(&mut self, series: &Series, form: Form) -> Vec<u32> {
        let rows = series.len();
        match series.dtype() {
            DataType::String => series.str().map_or_else(
                |_| vec![MISSING; rows],
                |values| values.iter().map(|value| value.map_or(MISSING, |value| self.code(value))).collect(),
            ),
            DataType::Boolean => {
                let [no, yes] = if form == Form::Numbers { ["0", "1"] } else { ["false", "true"] };
                let mut known = [None; 2];
                let mut code = |value: bool| {
                    let name = if value { yes } else { no };
                    *known[usize::from(value)].get_or_insert_with(|| self.code(name))
                };
                let values = series.bool().map(|values| values.iter().map(|v| v.map_or(MISSING, &mut code)).collect());
                values.unwrap_or_else(|_| vec![MISSING; rows])
            }
            DataType::Int64 => {
                let values = series.i64().map(|values| self.distinct(values.iter(), |value| value.to_string()));
                values.unwrap_or_else(|_| vec![MISSING; rows])
            }
            DataType::UInt64 => {
                let values = series.u64().map(|values| self.distinct(values.iter(), |value| value.to_string()));
                values.unwrap_or_else(|_| vec![MISSING; rows])
            }
            DataType::Float64 => {
                let bits =
                    |value: f64| Some(value).filter(|value| value.is_finite()).map(|value| (value + 0.0).to_bits());
                let name = |bits: u64| f64::from_bits(bits).to_string();
                let values = series.f64().map(|values| self.distinct(values.iter().map(|v| v.and_then(bits)), name));
                values.unwrap_or_else(|_| vec![MISSING; rows])
            }
            _ => vec![MISSING; rows],
        }
    }

    /// Codes of values of which many are the same: each is written once.
    fn distinct<T: Copy + Eq + std::hash::Hash>(
        &mut self,
        values: impl Iterator<Item = Option<T>>,
        name: impl Fn(T) -> String,
    ) -> Vec<u32> {
        let mut known: HashMap<T, u32> = HashMap::new();
        let mut last: Option<(T, u32)> = None;
        let mut code = |value: T| match last {
            Some((before, code)) if before == value => code,
            _ => {
                let code = *known.entry(value).or_insert_with(|| self.code(&name(value)));
                last = Some((value, code));
                code
            }
        };
        values.map(|value| value.map_or(MISSING, &mut code)).collect()
    }

    /// The names in order, and what each code so far is among them.
    #[must_use]
    pub fn in_order(self) -> (Vec<String>, Vec<u32>) {
        let sorted: BTreeSet<&String> = self.names.iter().collect();
        let places: HashMap<&String, u32> = sorted.iter().copied().zip(0..).collect();
        let moved = self.names.iter().map(|name| places[name]).collect();
        (sorted.into_iter().cloned().collect(), moved)
    }
}

/// The codes after the names were brought in order.
pub fn reorder(codes: &mut [u32], moved: &[u32]) {
    for code in codes {
        if let Some(new) = usize::try_from(*code).ok().and_then(|code| moved.get(code)) {
            *code = *new;
        }
    }
}
