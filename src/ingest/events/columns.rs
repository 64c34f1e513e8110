//! Tensors to columns of rows: their names, and each row's values. Pure.
//!
//! A tensor of one value a row is the column NAME, one of `d` the columns NAME-0 to NAME-(d-1). What has more dimensions, or more
//! columns than a model may have, is summarised, and so is a blob: NAME.shape, .type, .bytes, .hash, .mean and .std.

use std::borrow::Cow;

use super::payload::Payload;
use super::reject::{Reason, Reject};
use super::summary::{self, Summarised, Summary};
use super::tensor::{Item, Tensor};
use crate::frame::json::Value;

/// What is one column, or one group of columns of a summary.
#[derive(Debug)]
pub enum Part<'a> {
    /// A value of each row.
    Column {
        /// Its name.
        name: String,
        /// Whose values.
        tensor: &'a Tensor,
        /// Which of a row's values.
        at: usize,
        /// How many a row has.
        width: usize,
    },
    /// A summary of each row, still to be made.
    Wide {
        /// Whose.
        tensor: &'a Tensor,
        /// All of it belongs to one row.
        whole: bool,
    },
    /// A summary of each row.
    Summarised {
        /// Whose.
        of: &'a Summarised,
        /// All of it belongs to one row.
        whole: bool,
    },
}

/// A field of a row.
pub type Field<'a> = (Cow<'a, str>, Value<'a>);

impl<'a> Part<'a> {
    /// The column's name, or what its columns begin with.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Column { name, .. } => name,
            Self::Wide { tensor, .. } => &tensor.name,
            Self::Summarised { of, .. } => &of.name,
        }
    }

    /// The value of a row, if it is one.
    #[must_use]
    pub fn value(&self, row: usize) -> Option<Item<'a>> {
        match self {
            Self::Column { tensor, at, width, .. } => tensor.data.at(row.checked_mul(*width)?.checked_add(*at)?),
            _ => None,
        }
    }

    /// Adds what a row has, by this name.
    pub fn add(&self, row: usize, name: Cow<'a, str>, fields: &mut Vec<Field<'a>>) {
        match self {
            Self::Column { .. } => match self.value(row) {
                Some(Item::Value(value)) => fields.push((name, value)),
                Some(Item::Blob(bytes)) => add_summary(&name, summary::blob(bytes), fields),
                None => {}
            },
            Self::Wide { tensor, whole: true } => add_summary(&name, summary::whole(tensor), fields),
            Self::Wide { tensor, whole: false } => add_summary(&name, summary::row(tensor, row), fields),
            Self::Summarised { of, whole } => {
                let found = if *whole { Some(&of.whole) } else { of.rows.get(row) };
                if let Some(found) = found {
                    add_summary(&name, found.clone(), fields);
                }
            }
        }
    }
}

fn add_summary(name: &str, summary: Summary, fields: &mut Vec<Field<'_>>) {
    let mut add = |what: &str, value| fields.push((Cow::Owned(format!("{name}.{what}")), value));
    add("shape", Value::Text(summary.shape.into()));
    add("type", Value::Text(summary.datatype.into()));
    add("bytes", Value::Int(i64::try_from(summary.bytes).unwrap_or(i64::MAX)));
    // A list of one: kept beside the row, and compared with nothing, as every row has another.
    add("hash", Value::Texts(vec![Some(summary.hash)]));
    if let Some(mean) = summary.mean {
        add("mean", Value::Float(mean));
    }
    if let Some(std) = summary.std {
        add("std", Value::Float(std));
    }
}

/// How many rows the halves of a prediction have: as many as the first dimensions of all tensors say. Where these differ it is one
/// row, if one of them says so, and the others are taken whole.
///
/// # Errors
/// There is no row, or no number that fits.
pub fn rows(request: Option<&Payload>, response: Option<&Payload>) -> Result<usize, Reject> {
    let of = |payload: &Payload| -> Vec<usize> {
        let tensors = payload.tensors.iter().map(Tensor::rows);
        tensors.chain(payload.summaries.iter().map(|summarised| summarised.rows.len())).collect()
    };
    let (asked, said) = (request.map(of).unwrap_or_default(), response.map(of).unwrap_or_default());
    let mut all = asked.iter().chain(&said);
    let wrong = |message: String| Err(Reject::new(Reason::Tensor, message));
    match all.next() {
        None | Some(0) => wrong("the prediction has no rows".to_owned()),
        Some(first) if all.all(|rows| rows == first) => Ok(*first),
        Some(_) if asked.iter().chain(&said).any(|rows| *rows == 1) => Ok(1),
        Some(_) => wrong(format!(
            "first dimensions do not go together: those of inputs are {asked:?}, of outputs {said:?}; each row needs one of each"
        )),
    }
}

/// The columns of one half, of so many rows. A tensor of more than `most` columns is summarised. `names` are those of a sole
/// tensor's columns, where there are as many.
#[must_use]
pub fn parts<'a>(payload: &'a Payload, rows: usize, most: usize, half: Naming<'_>) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    let alone = payload.tensors.len() == 1 && payload.summaries.is_empty();
    for tensor in &payload.tensors {
        // One row, and this tensor has more: all of them are this row's.
        let whole = tensor.rows() != rows;
        let (rank, width) = if whole {
            (tensor.shape.len().saturating_add(1), tensor.data.len())
        } else {
            (tensor.shape.len(), tensor.width())
        };
        if rank > 2 || width > most {
            parts.push(Part::Wide { tensor, whole });
            continue;
        }
        let own = Some(tensor.names.as_slice());
        let described = half.columns.filter(|_| alone);
        let given = [described, own].into_iter().flatten().find(|names| names.len() == width);
        for at in 0..width {
            let name = match given.and_then(|names| names.get(at)) {
                Some(name) => name.clone(),
                None if width == 1 && !(tensor.unnamed && half.numbered) => tensor.name.clone(),
                None => format!("{}-{at}", tensor.name),
            };
            parts.push(Part::Column { name, tensor, at, width });
        }
    }
    parts.extend(payload.summaries.iter().map(|of| Part::Summarised { of, whole: of.rows.len() != rows }));
    parts
}

/// How columns of a half are named.
#[derive(Debug, Clone, Copy, Default)]
pub struct Naming<'a> {
    /// The description's names of what comes by position.
    pub columns: Option<&'a [String]>,
    /// A sole value a row without a name is numbered, too.
    pub numbered: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::events::tensor::{Data, Type};

    fn tensor(name: &str, shape: &[usize]) -> Tensor {
        let values = shape.iter().product::<usize>();
        let data = Data::Int((0..values).map(|value| i64::try_from(value).expect("few")).collect());
        Tensor::new(name.to_owned(), Type::Int(8), shape.to_vec(), data).expect("a tensor")
    }

    fn payload(tensors: Vec<Tensor>) -> Payload {
        Payload { tensors, ..Payload::default() }
    }

    fn shown(payload: &Payload, rows: usize, most: usize, naming: Naming<'_>) -> Vec<String> {
        let parts = parts(payload, rows, most, naming);
        let of_row = |row| {
            let mut fields = Vec::new();
            for part in &parts {
                part.add(row, part.name().to_owned().into(), &mut fields);
            }
            let shown = |(name, value): &Field<'_>| match value {
                Value::Int(value) => format!("{name}={value}"),
                Value::Text(text) => format!("{name}={text}"),
                Value::Float(value) => format!("{name}={value}"),
                _ => format!("{name}=..."),
            };
            fields.iter().map(shown).collect::<Vec<_>>().join(" ")
        };
        (0..rows).map(of_row).collect()
    }

    #[test]
    fn columns_are_named_by_their_tensor_and_place() {
        let naming = Naming::default();
        assert_eq!(
            shown(&payload(vec![tensor("x", &[2, 3])]), 2, 9, naming),
            ["x-0=0 x-1=1 x-2=2", "x-0=3 x-1=4 x-2=5"]
        );
        let many = payload(vec![tensor("a", &[2]), tensor("b", &[2, 1])]);
        assert_eq!(shown(&many, 2, 9, naming), ["a=0 b=0", "a=1 b=1"]);
        let names = ["len".to_owned(), "width".to_owned()];
        let naming = Naming { columns: Some(&names), numbered: true };
        assert_eq!(shown(&payload(vec![tensor("x", &[1, 2])]), 1, 9, naming), ["len=0 width=1"]);
        assert_eq!(shown(&payload(vec![tensor("x", &[1, 3])]), 1, 9, naming), ["x-0=0 x-1=1 x-2=2"], "not as many");
        assert_eq!(shown(&many, 2, 9, naming), ["a=0 b=0", "a=1 b=1"], "these have their own");
        let unnamed = Tensor { unnamed: true, ..tensor("input", &[1, 1]) };
        assert_eq!(shown(&payload(vec![unnamed]), 1, 9, naming), ["input-0=0"]);
    }

    #[test]
    fn what_is_not_unrolled_is_summarised() {
        let image = shown(&payload(vec![tensor("i", &[1, 2, 2])]), 1, 9, Naming::default());
        let image = image.concat();
        assert!(
            image.starts_with("i.shape=[2, 2] i.type=INT64 i.bytes=32 i.hash=... i.mean=1.5 i.std=1.118"),
            "{image}"
        );
        let wide = shown(&payload(vec![tensor("w", &[1, 10])]), 1, 9, Naming::default()).concat();
        assert!(wide.starts_with("w.shape=[10] "), "{wide}");
        let blob = Tensor::new(
            "b".to_owned(),
            Type::Bytes,
            vec![2],
            Data::Bytes(vec!["t".into(), bytes::Bytes::from_static(b"\xff")]),
        );
        let rows = shown(&payload(vec![blob.expect("a tensor")]), 2, 9, Naming::default());
        assert_eq!(rows[0], "b=t");
        assert!(rows[1].starts_with("b.shape=[1] b.type=BYTES b.bytes=1 "), "{rows:?}");
    }

    #[test]
    fn rows_are_as_many_as_first_dimensions_say() {
        let of = |asked: &[&[usize]], said: &[&[usize]]| {
            let made = |shapes: &[&[usize]]| {
                payload(shapes.iter().enumerate().map(|(i, shape)| tensor(&format!("t{i}"), shape)).collect())
            };
            rows(Some(&made(asked)), Some(&made(said))).map_err(|reject| reject.reason)
        };
        assert_eq!(of(&[&[3, 4], &[3]], &[&[3]]), Ok(3));
        assert_eq!(of(&[&[4]], &[&[1]]), Ok(1), "a row as a list of its own");
        assert_eq!(of(&[&[1, 3, 8, 8]], &[&[7, 4], &[7]]), Ok(1), "what was found in one image");
        assert_eq!(of(&[&[3, 4]], &[&[2]]), Err(Reason::Tensor));
        assert_eq!(of(&[&[0, 4]], &[&[0]]), Err(Reason::Tensor));
        assert_eq!(rows(Some(&Payload::default()), None).map_err(|r| r.reason), Err(Reason::Tensor));
        let row = payload(vec![tensor("x", &[4])]);
        assert_eq!(shown(&row, 1, 9, Naming::default()), ["x-0=0 x-1=1 x-2=2 x-3=3"]);
        let boxes = shown(&payload(vec![tensor("boxes", &[7, 4])]), 1, 9, Naming::default()).concat();
        assert!(boxes.starts_with("boxes.shape=[7, 4] "), "{boxes}");
    }
}
