//! Some of many rows, one of each run of so many. Which one of a run is told by a hash: it has no period, and rows that come by turns are
//! met alike.

/// Every bit of the value in every bit of the result (the finaliser of Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014).
#[must_use]
pub fn scattered(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Which of a run of so many rows it is, from 0.
fn offset(run: usize, length: usize) -> usize {
    let at = scattered(run as u64).checked_rem(length as u64).unwrap_or(0);
    usize::try_from(at).unwrap_or(0)
}

/// The run of `every` rows that this row is the one of; `None` for the others.
#[must_use]
pub fn run_of(place: usize, every: usize) -> Option<usize> {
    let run = place.checked_div(every)?;
    (place.checked_rem(every)? == offset(run, every)).then_some(run)
}

/// Whether the row is the one of its run.
#[must_use]
pub fn is_picked(place: usize, every: usize) -> bool {
    run_of(place, every).is_some()
}

/// The places of the rows that are.
pub fn picked(rows: usize, every: usize) -> impl Iterator<Item = usize> {
    let every = every.max(1);
    let place = move |run: usize| run.saturating_mul(every).saturating_add(offset(run, every));
    (0..rows.div_ceil(every)).map(place).filter(move |place| *place < rows)
}

/// The places of exactly `most` of so many, or of all where there are no more: one of each of `most` runs that are as long as one another,
/// or one longer.
pub fn spread(all: usize, most: usize) -> impl Iterator<Item = usize> {
    let runs = all.min(most);
    let edge = move |run: usize| run.saturating_mul(all).checked_div(runs).unwrap_or(0);
    (0..runs).map(move |run| {
        let (from, to) = (edge(run), edge(run.saturating_add(1)));
        from.saturating_add(offset(run, to.saturating_sub(from)))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn there_is_one_of_each_run(rows in 0..500_usize, every in 1..40_usize, most in 0..60_usize) {
            let places: Vec<usize> = picked(rows, every).collect();
            prop_assert_eq!(&places, &(0..rows).filter(|place| is_picked(*place, every)).collect::<Vec<_>>());
            prop_assert!(places.iter().enumerate().all(|(at, place)| place / every >= at && run_of(*place, every) == Some(place / every)));
            prop_assert!(places.len() >= rows / every && places.len() <= rows.div_ceil(every));
            let spread: Vec<usize> = spread(rows, most).collect();
            prop_assert_eq!(spread.len(), rows.min(most));
            prop_assert!(spread.is_sorted_by(|a, b| a < b) && spread.iter().all(|place| *place < rows));
        }
    }

    /// Rows that come by turns of two, of a day's hours or of a week's: each turn is met about as often.
    #[test]
    fn turns_are_met_alike() {
        for turns in [2, 24, 168] {
            for places in [picked(turns * 400, turns).collect::<Vec<_>>(), spread(turns * 400, 400).collect()] {
                let mut met = vec![0_u32; turns];
                for place in &places {
                    met[place % turns] += 1;
                }
                let (least, most) = (met.iter().min().copied(), met.iter().max().copied());
                let fair = 400 / u32::try_from(turns).expect("few");
                assert!(
                    least.is_some_and(|n| n + 40 >= fair) && most.is_some_and(|n| n <= fair + 40),
                    "{turns} {met:?}"
                );
            }
        }
    }
}
