//! Numbers in ascending order.

/// The sign's bit.
const SIGN: u64 = 1 << 63;

/// The numbers in the order of [`f64::total_cmp`]. Sorted as whole numbers that have that order: comparing those takes less than half the time.
#[must_use]
pub fn ascending(values: Vec<f64>) -> Vec<f64> {
    // Both maps write over what they read: nothing is allocated.
    let mut keys: Vec<u64> = values.into_iter().map(key).collect();
    keys.sort_unstable();
    keys.into_iter().map(value).collect()
}

/// Of a negative number all bits are turned, of others the sign's.
fn key(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits < SIGN { bits | SIGN } else { !bits }
}

fn value(key: u64) -> f64 {
    f64::from_bits(if key < SIGN { !key } else { key & !SIGN })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_total_order(values in prop::collection::vec(prop_oneof![any::<f64>(), (-3..3_i8).prop_map(f64::from)], 0..200)) {
            let mut wanted = values.clone();
            wanted.sort_unstable_by(f64::total_cmp);
            let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&ascending(values)), bits(&wanted));
        }
    }

    #[test]
    fn zeros_infinities_and_what_is_no_number_have_their_places() {
        let found = ascending(vec![f64::NAN, 0.0, f64::INFINITY, -0.0, f64::NEG_INFINITY, -f64::NAN]);
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        let wanted = [-f64::NAN, f64::NEG_INFINITY, -0.0, 0.0, f64::INFINITY, f64::NAN];
        assert_eq!(bits(&found), bits(&wanted));
    }
}
