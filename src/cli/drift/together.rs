//! All columns of two files together, row by row.

use polars::prelude::{AnyValue, Series};

use super::Error;
use super::columns::{InRows, Sides};
use crate::dataset::Dataset;
use crate::drift::Kind;
use crate::drift::multi::Column;
use crate::drift::multi::together::{Together, looked_at};

/// Columns that are made of others are seen as they are made, where they have a value in every row. Embeddings are compared by themselves.
pub(super) fn together(sides: &Sides<'_>, reference: &Dataset, columns: &[(&str, InRows)]) -> Result<Together, Error> {
    let (mut names, mut one, mut other) = (Vec::new(), Vec::new(), Vec::new());
    for (name, in_rows) in columns {
        let (of_reference, of_current) = (reference.column(name)?, sides.current.column(name)?);
        match in_rows {
            InRows::Plain(kind) => {
                names.push((*name).to_owned());
                one.push(thinned(&of_reference, *kind));
                other.push(thinned(&of_current, *kind));
            }
            InRows::Derived(derived) => {
                let made = sides.made(derived, &of_reference, &of_current).filter(|(made, _)| made.in_every_row);
                for (of_reference, of_current) in made {
                    one.push(thinned(&of_reference.values, Kind::Numeric));
                    other.push(thinned(&of_current.values, Kind::Numeric));
                    names.push(of_reference.name);
                }
            }
        }
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Ok(Together::of(&names, &one, &other))
}

fn thinned(series: &Series, kind: Kind) -> Column {
    let places = looked_at(series.len());
    let value = |place| series.get(place).unwrap_or(AnyValue::Null);
    match kind {
        Kind::Numeric | Kind::Embedding => Column::Numbers(places.map(|place| value(place).extract::<f64>()).collect()),
        Kind::Categorical => Column::Names(
            places.map(value).map(|value| (!value.is_null()).then(|| value.str_value().into_owned())).collect(),
        ),
    }
}
