//! Drawing without putting back: of `population` rows, `marked` of which are marked, `drawn` are drawn.

use statrs::function::gamma::ln_gamma;

fn ln_choose(n: u64, k: u64) -> f64 {
    let ln_factorial = |n: u64| ln_gamma(n as f64 + 1.0);
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n.saturating_sub(k))
}

/// Twice the smaller tail: how likely so few marked rows, or so many, are drawn as `found`. `None` for numbers that cannot be.
#[must_use]
pub fn two_sided(population: u64, marked: u64, drawn: u64, found: u64) -> Option<f64> {
    let least = (marked.checked_add(drawn)?).saturating_sub(population);
    let most = marked.min(drawn);
    if marked > population || drawn > population || !(least..=most).contains(&found) {
        return None;
    }
    let (n, k, d) = (population as f64, marked as f64, drawn as f64);
    let at = (ln_choose(marked, found) + ln_choose(population - marked, drawn - found) - ln_choose(population, drawn)).exp();
    // From the value outwards each probability is the one before times a ratio that falls: the tail ends soon.
    let upper = (found as f64) * n >= k * d;
    let (mut sum, mut term, mut x) = (1.0, 1.0, found as f64);
    loop {
        term *= if upper {
            (k - x) * (d - x) / ((x + 1.0) * (n - k - d + x + 1.0))
        } else {
            x * (n - k - d + x) / ((k - x + 1.0) * (d - x + 1.0))
        };
        if term <= sum * 1e-17 {
            break;
        }
        sum += term;
        x += if upper { 1.0 } else { -1.0 };
    }
    Some((2.0 * at * sum).min(1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_tails_are_those_of_scipy() {
        let near = |found: Option<f64>, wanted: f64| {
            let found = found.expect("defined");
            assert!((found / wanted - 1.0).abs() < 1e-8, "{found} is not {wanted}");
        };
        // 2 * scipy.stats.hypergeom.sf(x - 1, N, K, n), or 2 * cdf(x, N, K, n)
        near(two_sided(700, 4, 200, 4), 0.013_043_107_319_013_456);
        near(two_sided(50_200, 4, 200, 4), 4.889_692_231_567_625e-10);
        assert_eq!(two_sided(10, 5, 5, 6), None);
        assert_eq!(two_sided(10, 5, 6, 0), None, "one at least is drawn");
        assert_eq!((two_sided(10, 0, 5, 0), two_sided(10, 10, 5, 5)), (Some(1.0), Some(1.0)));
    }

    proptest! {
        #[test]
        fn it_is_the_sum_over_the_tail(population in 1..60u64, a in 0.0..=1.0f64, b in 0.0..=1.0f64, at in 0..60u64) {
            let part = |share: f64| crate::stats::whole::unsigned(share * population as f64);
            let (marked, drawn) = (part(a), part(b));
            let chance = |x: u64| {
                if x > marked || x > drawn || drawn - x > population - marked { return 0.0; }
                (ln_choose(marked, x) + ln_choose(population - marked, drawn - x) - ln_choose(population, drawn)).exp()
            };
            if let Some(found) = two_sided(population, marked, drawn, at) {
                let (below, above): (f64, f64) = ((0..=at).map(chance).sum(), (at..=population).map(chance).sum());
                let up = at * population >= marked * drawn;
                let wanted = (2.0 * if up { above } else { below }).min(1.0);
                prop_assert!((found - wanted).abs() < 1e-9, "{found} {wanted}");
            } else {
                prop_assert!(chance(at) == 0.0);
            }
        }
    }
}
