//! Two samples whose rows could be exchanged: how likely it is that certain of their rows fall on one side alone.

use statrs::function::gamma::{checked_gamma_lr, ln_gamma};

/// P(all `chosen` of the rows of both sides lie on the side that has `side` of the `all` rows), where each is as likely to be there as any
/// other: C(all - chosen, side - chosen) / C(all, side). The chosen are picked without a look at the sides: the largest values, one
/// category's rows.
#[must_use]
pub fn all_on_one_side(chosen: u64, side: u64, all: u64) -> f64 {
    let (chosen, side, all) = (chosen as f64, side as f64, all as f64);
    if chosen > side {
        return 0.0;
    }
    if chosen <= 64.0 {
        let mut p = 1.0;
        let mut row = 0.0;
        while row < chosen {
            p *= (side - row) / (all - row);
            row += 1.0;
        }
        return p;
    }
    let ln = ln_gamma(all - chosen + 1.0) - ln_gamma(side - chosen + 1.0) + ln_gamma(side + 1.0) - ln_gamma(all + 1.0);
    ln.min(0.0).exp()
}

/// P(X >= count) of a Poisson variable. It bounds the tail of any sum of unlikely, independent or negatively associated events with this
/// mean (Hoeffding, "On the distribution of the number of successes in independent trials", 1956), where the count is above it.
#[must_use]
pub fn poisson_or_more(count: u64, mean: f64) -> f64 {
    match count {
        0 => 1.0,
        _ if mean > 0.0 => checked_gamma_lr(count as f64, mean).unwrap_or(1.0),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_fall_on_one_side_as_counting_says() {
        // Of 5 rows 3 are ours: two chosen ones are both ours in 3 of 10 cases.
        assert!((all_on_one_side(2, 3, 5) - 0.3).abs() < 1e-15);
        let certain = [all_on_one_side(0, 3, 5), 1.0 - all_on_one_side(4, 3, 5)];
        assert!(certain.iter().all(|p| (p - 1.0).abs() < 1e-15), "{certain:?}");
        let (product, gammas) = (all_on_one_side(64, 500, 1000), all_on_one_side(65, 500, 1000));
        assert!((gammas / product - 436.0 / 936.0).abs() < 1e-9, "{gammas} after {product}");
    }

    #[test]
    fn the_poisson_tail_is_the_sum_of_its_terms() {
        let mean: f64 = 2.5;
        let below = (-mean).exp() * (1.0 + mean + mean * mean / 2.0);
        assert!((poisson_or_more(3, mean) - (1.0 - below)).abs() < 1e-12);
        let certain = [poisson_or_more(0, 0.0), 1.0 - poisson_or_more(1, 0.0)];
        assert!(certain.iter().all(|p| (p - 1.0).abs() < 1e-15), "{certain:?}");
    }
}
