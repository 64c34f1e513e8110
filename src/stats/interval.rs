//! Confidence intervals of shares and of means, and those of a difference and of a ratio of two that are independent.
//!
//! A difference and a ratio are made of the limits of both sides by the method of variance estimates recovery (MOVER: Zou and Donner,
//! "Construction of confidence limits about effect measures: a general approach", 2008; for ratios Donner and Zou, "Closed-form
//! confidence intervals for functions of the normal mean and standard deviation", 2012): of two Wilson intervals the difference is
//! Newcombe's.

use serde::{Deserialize, Deserializer, Serialize};

use super::moments::Moments;
use super::tails;

/// A value and the limits it lies between, with the confidence it was made with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Interval {
    /// As measured.
    pub value: f64,
    /// The lower limit.
    pub low: f64,
    /// The upper limit; of a ratio it is infinite (in JSON null) where the lower limit of what it is over is 0.
    #[serde(deserialize_with = "upper")]
    pub high: f64,
}

/// An upper limit as it is written: none is infinite.
///
/// # Errors
/// It is no number.
pub fn upper<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::INFINITY))
}

impl Interval {
    /// Whether it holds the value.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// One less this one: of a share the interval of the rest.
    #[must_use]
    pub fn complement(self) -> Self {
        Self { value: 1.0 - self.value, low: 1.0 - self.high, high: 1.0 - self.low }
    }

    /// The interval of this less the other, both of the same confidence and of different rows.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        let value = self.value - other.value;
        let below = (self.value - self.low).hypot(other.high - other.value);
        let above = (self.high - self.value).hypot(other.value - other.low);
        Self { value, low: value - below, high: value + above }
    }

    /// The interval of this over the other, both shares of the same confidence and of different rows. `None` where the other is 0.
    #[must_use]
    pub fn over(self, other: Self) -> Option<Self> {
        if other.value <= 0.0 {
            return None;
        }
        let product = self.value * other.value;
        // The root that lies on the side of each limit, without a difference of two that are near one another.
        let part = |one: f64| one * (2.0 * self.value - one);
        let root =
            |one: f64, two: f64| (product * product - part(one) * two * (2.0 * other.value - two)).max(0.0).sqrt();
        let low = part(self.low) / (product + root(self.low, other.high));
        let rest = other.low * (2.0 * other.value - other.low);
        let high = if rest > 0.0 { (product + root(self.high, other.low)) / rest } else { f64::INFINITY };
        // Without any of this one the lower root is 0 over 0.
        Some(Self { value: self.value / other.value, low: if self.low > 0.0 { low } else { 0.0 }, high })
    }
}

/// The interval of a share by Wilson's score ("Probable inference, the law of succession, and statistical inference", 1927), which is
/// wrong in so much (`alpha`, both sides together) of samples. `None` of no rows.
///
/// Counts are whole, so that the coverage of 95 % goes up and down with share and rows: from 93.3 to 96.9 % where ten of either kind are
/// expected, 91.6 to 98.0 % where one is, and down to 84 % where fewer are (30 to 5,000 rows).
#[must_use]
pub fn wilson(part: u64, whole: u64, alpha: f64) -> Option<Interval> {
    if whole == 0 {
        return None;
    }
    wilson_of(part as f64 / whole as f64, whole as f64, alpha)
}

/// The same of a share that is known, of so many rows, which need not be whole: as many as would give a plain share the variance that this
/// one has. `None` of no rows, and of what is no share.
#[must_use]
pub fn wilson_of(value: f64, rows: f64, alpha: f64) -> Option<Interval> {
    if rows.is_nan() || rows <= 0.0 || !(0.0..=1.0).contains(&value) {
        return None;
    }
    let z = tails::deviations(alpha);
    let middle = value + z * z / (2.0 * rows);
    let reach = z * (value * (1.0 - value) / rows + z * z / (4.0 * rows * rows)).sqrt();
    let scale = 1.0 + z * z / rows;
    // Rounding shuts nothing out that it holds.
    let low = if value <= 0.0 { 0.0 } else { ((middle - reach) / scale).clamp(0.0, value) };
    let high = if value >= 1.0 { 1.0 } else { ((middle + reach) / scale).clamp(value, 1.0) };
    Some(Interval { value, low, high })
}

/// From so many of either kind on Wilson's interval stands for the exact one.
const MANY: u64 = 1000;

/// The exact interval of a share (Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the
/// binomial", 1934): wrong in no more than so much (`alpha`) of samples, however small the share. `None` of no rows. With more than a
/// thousand of either kind it is [`wilson`]'s.
#[must_use]
pub fn exact(part: u64, whole: u64, alpha: f64) -> Option<Interval> {
    let near = wilson(part, whole, alpha)?;
    let rest = whole.saturating_sub(part);
    if part > MANY && rest > MANY {
        return Some(near);
    }
    // P(X >= part) of a share x is the incomplete beta function of part and rest + 1 at x.
    let limit = |part: f64, rest: f64, level: f64| {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if tails::beta(part, rest, middle) < level { low = middle } else { high = middle }
        }
        f64::midpoint(low, high)
    };
    let (x, y) = (part as f64, rest as f64);
    let low = if part == 0 { 0.0 } else { limit(x, y + 1.0, alpha / 2.0) };
    let high = if rest == 0 { 1.0 } else { limit(x + 1.0, y, 1.0 - alpha / 2.0) };
    Some(Interval { low, high, ..near })
}

/// The interval of a mean by Student's distribution. `None` with fewer than two rows. Of 95 % it holds 93 to 97 % of means unless values
/// are skewed and rows few: of exponential ones 92.7 % with 30 rows and 93.7 % with 100, of their squares 85 and 90 %, and 94.8 % with
/// 1,000.
#[must_use]
pub fn mean(of: &Moments, alpha: f64) -> Option<Interval> {
    let freedom = of.count - 1.0;
    if freedom < 1.0 || !of.squares.is_finite() {
        return None;
    }
    let reach = tails::student_deviations(alpha, freedom)? * (of.squares / freedom / of.count).sqrt();
    Some(Interval { value: of.mean, low: of.mean - reach, high: of.mean + reach })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_without_an_upper_end_is_read_back() {
        let of = Interval { value: 0.5, low: 0.25, high: f64::INFINITY };
        let text = serde_json::to_string(&of).expect("JSON");
        assert_eq!(text, r#"{"value":0.5,"low":0.25,"high":null}"#);
        assert_eq!(serde_json::from_str::<Interval>(&text).expect("read back"), of);
    }

    proptest! {
        #[test]
        fn limits_stand_around_the_value(n in 1..5000_u64, share in 0.0..=1.0_f64, m in 1..5000_u64, other in 0.0..=1.0_f64, alpha in 1e-9..0.5_f64) {
            let part = |n: u64, share: f64| crate::stats::whole::unsigned(n as f64 * share);
            let (x, y) = (part(n, share), part(m, other));
            for of in [wilson, exact] {
                let (one, two) = (of(x, n, alpha).expect("rows"), of(y, m, alpha).expect("rows"));
                let mirrored = of(n - x, n, alpha).expect("rows").complement();
                prop_assert!((mirrored.low - one.low).abs() < 1e-12 && (mirrored.high - one.high).abs() < 1e-12);
                let less = one.less(two);
                let turned = two.less(one);
                prop_assert!((less.low + turned.high).abs() < 1e-12 && (less.high + turned.low).abs() < 1e-12);
                prop_assert_eq!(one.over(two).is_some(), y > 0);
                for interval in [Some(one), Some(two), Some(less), one.over(two)].into_iter().flatten() {
                    prop_assert!(interval.low <= interval.value + 1e-12 && interval.value <= interval.high + 1e-12, "{:?}", interval);
                }
                prop_assert!(one.low >= 0.0 && one.high <= 1.0 && less.low >= -1.0 - 1e-12 && less.high <= 1.0 + 1e-12);
                // Limits of a ratio turned round are those of the other way round.
                if let (Some(there), Some(back)) = (one.over(two), two.over(one)) {
                    prop_assert!((there.low * back.high - 1.0).abs() < 1e-6 || there.low <= 0.0, "{:?} {:?}", there, back);
                }
            }
            let (inner, outer) = (wilson(x, n, alpha).expect("rows"), wilson(x, n, alpha / 10.0).expect("rows"));
            prop_assert!(outer.low <= inner.low && outer.high >= inner.high);
        }
    }

    /// The chance of each count.
    fn binomial(n: u32, p: f64) -> Vec<f64> {
        let ln = |k: f64| statrs::function::gamma::ln_gamma(k + 1.0);
        let all = f64::from(n);
        let of = |k: f64| (ln(all) - ln(k) - ln(all - k) + k * p.ln() + (all - k) * (1.0 - p).ln()).exp();
        (0..=n).map(|k| of(f64::from(k))).collect()
    }

    /// How often an interval holds the truth: not simulated, every pair of counts with its chance.
    fn coverage((n, p): (u32, f64), (m, q): (u32, f64), of: impl Fn(Interval, Interval) -> bool) -> f64 {
        let side =
            |n: u32| -> Vec<Interval> { (0..=n).map(|k| wilson(k.into(), n.into(), 0.05).expect("rows")).collect() };
        let (ones, twos) = (side(n), side(m));
        let (chances, others) = (binomial(n, p), binomial(m, q));
        let pairs = ones.iter().zip(&chances).flat_map(|one| twos.iter().zip(&others).map(move |two| (one, two)));
        pairs.filter(|((one, _), (two, _))| of(**one, **two)).map(|((_, chance), (_, other))| chance * other).sum()
    }

    #[test]
    fn differences_and_ratios_of_shares_hold_the_truth_as_often_as_they_say() {
        for (n, m) in [(50, 50), (30, 300), (100, 400)] {
            for (p, q) in [(0.5, 0.5), (0.3, 0.5), (0.2, 0.2), (0.9, 0.8), (0.3, 0.1)] {
                let less = coverage((n, p), (m, q), |one, two| one.less(two).holds(p - q));
                let over = coverage((n, p), (m, q), |one, two| one.over(two).is_none_or(|over| over.holds(p / q)));
                for coverage in [less, over] {
                    assert!((0.93..=0.97).contains(&coverage), "{n} {p}, {m} {q}: {less} {over}");
                }
            }
        }
    }

    #[test]
    fn a_share_holds_the_truth_as_often_as_it_says() {
        for (n, p) in [(40, 0.5), (100, 0.3), (400, 0.05), (1000, 0.1), (2000, 0.9)] {
            let often = |of: fn(u64, u64, f64) -> Option<Interval>| -> f64 {
                let held = binomial(n, p).into_iter().zip(0..);
                held.filter(|(_, k)| of(*k, n.into(), 0.05).is_some_and(|of| of.holds(p)))
                    .map(|(chance, _)| chance)
                    .sum()
            };
            assert!((0.93..=0.97).contains(&often(wilson)), "{n} {p}: {}", often(wilson));
            assert!(often(exact) >= 0.95, "{n} {p}: {}", often(exact));
        }
    }

    #[test]
    fn a_mean_holds_the_truth_as_often_as_it_says() {
        let mut at = 0;
        let mut uniform = || {
            at += 1;
            (crate::stats::pick::scattered(at) >> 11) as f64 / 9_007_199_254_740_992.0
        };
        let mut often = |rows: usize, of: &dyn Fn(f64) -> f64, truth: f64| {
            let held = (0..4000).filter(|_| {
                let values: Vec<f64> = (0..rows).map(|_| of(uniform())).collect();
                Moments::of(&values).and_then(|of| mean(&of, 0.05)).is_some_and(|of| of.holds(truth))
            });
            held.count() as f64 / 4000.0
        };
        let exponential = |u: f64| -(1.0 - u).ln();
        assert!((0.94..=0.96).contains(&often(20, &|u| u, 0.5)));
        assert!((0.93..=0.97).contains(&often(100, &exponential, 1.0)));
    }

    #[test]
    fn the_ends_and_what_is_undefined() {
        assert_eq!((wilson(0, 0, 0.05), exact(0, 0, 0.05)), (None, None));
        let (none, all) = (exact(0, 20, 0.05).expect("rows"), exact(20, 20, 0.05).expect("rows"));
        // 1 - 0.025^(1 / 20)
        assert!(none.low == 0.0 && (none.high - 0.168_433_470_983_085_2).abs() < 1e-12 && all.high >= 1.0);
        let over = wilson(3, 10, 0.05).and_then(|one| one.over(Interval { value: 0.1, low: 0.0, high: 0.4 }));
        assert!(over.is_some_and(|over| over.high.is_infinite() && over.low > 0.0), "{over:?}");
        assert_eq!(mean(&Moments { count: 1.0, mean: 2.0, squares: 0.0 }, 0.05), None);
        let same = mean(&Moments { count: 9.0, mean: 2.0, squares: 0.0 }, 0.05);
        assert_eq!(same, Some(Interval { value: 2.0, low: 2.0, high: 2.0 }));
    }
}
