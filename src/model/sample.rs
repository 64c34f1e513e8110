//! Which rows are kept where a model's description asks for a part of them. Pure.
//!
//! A row is kept by its id's hash, which has no key and never changes: every agent keeps the same ids, and a label meets its row or is left out
//! with it. A row without an id is kept by the hash of its values, its place in the body and when it came, so that equal rows do not
//! all go or stay together.

use std::hash::Hasher;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMillisecondType, UInt64Type};
use siphasher::sip::SipHasher24;

use crate::stats::whole;

/// The part of rows to keep, above 0 and below 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// Hashes up to this one are kept.
    most: u64,
}

impl Share {
    /// Of a description; `None` where all rows are kept.
    #[must_use]
    pub fn of(sample: Option<f64>) -> Option<Self> {
        /// All hashes, as a real.
        const ALL: f64 = 18_446_744_073_709_551_616.0;
        let share = sample.filter(|share| *share > 0.0 && *share < 1.0)?;
        Some(Self { most: whole::unsigned(share * ALL) })
    }

    /// An id's row is kept.
    #[must_use]
    pub fn keeps(self, id: &str) -> bool {
        let mut hasher = SipHasher24::new();
        hasher.write(id.as_bytes());
        hasher.finish() < self.most
    }

    /// Which of these rows are kept. `numbers` are their places in the body.
    #[must_use]
    pub fn kept(self, columns: &[(String, ArrayRef)], numbers: &[u64], arrival: i64) -> Vec<bool> {
        let id = columns.iter().find(|(name, _)| name == "id").map(|(_, array)| array.as_string_view());
        let one = |(row, number): (usize, &u64)| {
            if let Some(ids) = id.filter(|ids| ids.is_valid(row)) {
                return self.keeps(ids.value(row));
            }
            let mut hasher = SipHasher24::new();
            hasher.write_i64(arrival);
            hasher.write_u64(*number);
            for (_, array) in columns.iter().filter(|(_, array)| array.is_valid(row)) {
                write(&mut hasher, array, row);
            }
            hasher.finish() < self.most
        };
        numbers.iter().enumerate().map(one).collect()
    }
}

/// Adds a value; lists add nothing.
fn write(hasher: &mut SipHasher24, array: &ArrayRef, row: usize) {
    match array.data_type() {
        DataType::Boolean => hasher.write_u8(array.as_boolean().value(row).into()),
        DataType::Int64 => hasher.write_i64(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt64 => hasher.write_u64(array.as_primitive::<UInt64Type>().value(row)),
        DataType::Float64 => hasher.write_u64(array.as_primitive::<Float64Type>().value(row).to_bits()),
        DataType::Timestamp(..) => hasher.write_i64(array.as_primitive::<TimestampMillisecondType>().value(row)),
        DataType::Utf8View => hasher.write(array.as_string_view().value(row).as_bytes()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringViewArray};

    use super::*;

    fn share(of: f64) -> Share {
        Share::of(Some(of)).expect("a part")
    }

    #[test]
    fn all_or_nothing_is_no_part() {
        for all in [None, Some(1.0), Some(0.0), Some(-0.5), Some(2.0), Some(f64::NAN)] {
            assert_eq!(Share::of(all), None, "{all:?}");
        }
    }

    /// The same ids on every agent and in every version: these were kept when this was written.
    #[test]
    fn ids_are_kept_for_good_and_a_larger_part_holds_the_smaller() {
        let kept = |of: f64| (0..60).filter(|id| share(of).keeps(&format!("request-{id}"))).collect::<Vec<u32>>();
        // As SipHash-2-4 written down once more, after its authors' description, has them.
        assert_eq!(kept(0.1), [1, 4, 9, 12, 20, 22, 23, 46]);
        for (small, large) in [(0.01, 0.1), (0.1, 0.5), (0.5, 0.99)] {
            let large = kept(large);
            assert!(kept(small).iter().all(|id| large.contains(id)));
        }
    }

    #[test]
    fn so_many_are_kept() {
        for of in [0.01, 0.1, 0.5, 0.9] {
            let (rows, share) = (20_000, share(of));
            let by_id = (0..rows).filter(|id| share.keeps(&id.to_string())).count();
            // All rows have the same values and no id.
            let equal: ArrayRef = Arc::new(Int64Array::from(vec![7; rows]));
            let numbers: Vec<u64> = (0..rows as u64).collect();
            let by_place = share.kept(&[("a".to_owned(), equal)], &numbers, 1).into_iter().filter(|kept| *kept).count();
            // One at a time, each as the first of its body.
            let alone = |arrival: i64| {
                let value: ArrayRef = Arc::new(Int64Array::from(vec![7]));
                share.kept(&[("a".to_owned(), value)], &[0], arrival)[0]
            };
            let by_time = (0_i64..20_000).filter(|arrival| alone(*arrival)).count();
            let deviation = (of * (1.0 - of) * rows as f64).sqrt();
            for kept in [by_id, by_place, by_time] {
                assert!((kept as f64 - of * rows as f64).abs() < 5.0 * deviation, "{kept} of {rows} at {of}");
            }
        }
    }

    #[test]
    fn an_id_goes_before_values() {
        let ids: ArrayRef = Arc::new(StringViewArray::from(vec![Some("a"), None, Some("a"), Some("b")]));
        let values: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4]));
        let kept = share(0.5).kept(&[("id".to_owned(), ids), ("x".to_owned(), values)], &[0, 1, 2, 3], 5);
        assert_eq!((kept[0], kept[3]), (share(0.5).keeps("a"), share(0.5).keeps("b")));
        assert_eq!(kept[0], kept[2]);
    }
}
