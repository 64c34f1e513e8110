//! Fisher's exact test of a table of two by two, whose counts may be large.

use std::f64::consts::PI;

use statrs::function::gamma::ln_gamma;

use super::tails;

/// Two probabilities this near to one another, by their logarithms, are the same.
const SAME: f64 = 1e-9;
/// Beyond this standard deviation of a cell (some 10^13 rows) the normal distribution stands for the sum.
const WIDEST: f64 = 1e6;

/// The first cell of a table with given margins.
struct Cell {
    /// The first row's total, the second's, and the first column's.
    row: f64,
    other: f64,
    column: f64,
}

impl Cell {
    fn lowest(&self) -> f64 {
        (self.column - self.other).max(0.0)
    }

    fn highest(&self) -> f64 {
        self.row.min(self.column)
    }

    /// ln P(X = x), as Loader has it ("Fast and accurate computation of binomial probabilities", 2000).
    fn ln_probability(&self, x: f64) -> f64 {
        let all = self.row + self.other;
        let (p, q) = (self.column / all, (all - self.column) / all);
        ln_binomial(x, self.row, p, q) + ln_binomial(self.column - x, self.other, p, q)
            - ln_binomial(self.column, all, p, q)
    }

    /// P(X = x + 1) / P(X = x), or with `up` false P(X = x - 1) / P(X = x).
    fn ratio(&self, x: f64, up: bool) -> f64 {
        let rest = self.other - self.column;
        if up {
            (self.row - x) * (self.column - x) / ((x + 1.0) * (rest + x + 1.0))
        } else {
            x * (rest + x) / ((self.row - x + 1.0) * (self.column - x + 1.0))
        }
    }

    /// The probability of `x` and of all beyond it.
    fn tail(&self, x: f64, up: bool) -> f64 {
        let (mut at, mut term, mut sum) = (x, 1.0, 1.0);
        while term > 1e-18 * sum {
            term *= self.ratio(at, up);
            sum += term;
            at += if up { 1.0 } else { -1.0 };
        }
        sum * self.ln_probability(x).exp()
    }

    /// The value nearest to `from`, away from it as `up` says, that is no more likely than `than`, where there is one. From `from` on
    /// the probability falls.
    fn no_likelier(&self, than: f64, from: f64, up: bool) -> Option<f64> {
        let end = if up { self.highest() } else { self.lowest() };
        let is = |x: f64| self.ln_probability(x) <= than + SAME;
        if !is(end) {
            return None;
        }
        let (mut near, mut far) = (from, end);
        if is(near) {
            return Some(near);
        }
        while (far - near).abs() > 1.0 {
            let middle = f64::midpoint(near, far).floor();
            if is(middle) { far = middle } else { near = middle }
        }
        Some(far)
    }
}

/// P(a table with these margins that is no likelier than this one): two-sided. `None` where a row or a column is empty. Counts are
/// whole numbers.
#[must_use]
pub fn fisher([[a, b], [c, d]]: [[f64; 2]; 2]) -> Option<f64> {
    let cell = Cell { row: a + b, other: c + d, column: a + c };
    let all = cell.row + cell.other;
    if [cell.row, cell.other, cell.column, b + d].into_iter().any(|margin| margin.is_nan() || margin <= 0.0) {
        return None;
    }
    let (p, q) = (cell.column / all, (b + d) / all);
    let deviation = (cell.row * p * q * (cell.other / (all - 1.0))).sqrt();
    if deviation > WIDEST {
        return Some(tails::normal(((a - cell.row * p).abs() - 0.5).max(0.0) / deviation));
    }
    let mode = ((cell.column + 1.0) * ((cell.row + 1.0) / (all + 2.0))).floor().clamp(cell.lowest(), cell.highest());
    let here = cell.ln_probability(a);
    if here + SAME >= cell.ln_probability(mode) {
        return Some(1.0);
    }
    let up = a >= mode;
    let other = cell.no_likelier(here, mode, !up);
    Some((cell.tail(a, up) + other.map_or(0.0, |other| cell.tail(other, !up))).min(1.0))
}

/// ln of the binomial probability of `x` out of `n`; `q` is 1 - `p`.
fn ln_binomial(x: f64, n: f64, p: f64, q: f64) -> f64 {
    let whole = |p: f64, q: f64| if q < 0.1 { -deviance(n, n * p) - n * q } else { n * p.ln() };
    let rest = n - x;
    if n == 0.0 {
        0.0
    } else if x == 0.0 {
        whole(q, p)
    } else if rest <= 0.0 {
        whole(p, q)
    } else {
        stirling(n)
            - stirling(x)
            - stirling(rest)
            - deviance(x, n * p)
            - deviance(rest, n * q)
            - 0.5 * (2.0 * PI * x * (rest / n)).ln()
    }
}

/// ln n! less Stirling's formula for it.
fn stirling(n: f64) -> f64 {
    if n <= 15.0 {
        return ln_gamma(n + 1.0) - (n + 0.5) * n.ln() + n - 0.5 * (2.0 * PI).ln();
    }
    let square = n * n;
    (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / 1188.0 / square) / square) / square) / square)
        / n
}

/// x ln(x / m) + m - x, by a series where the two are close.
fn deviance(x: f64, m: f64) -> f64 {
    if (x - m).abs() >= 0.1 * (x + m) {
        return x * (x / m).ln() + m - x;
    }
    let v = (x - m) / (x + m);
    let mut sum = (x - m) * v;
    let mut power = 2.0 * x * v;
    for j in 1..1000 {
        power *= v * v;
        let next = sum + power / (2.0 * f64::from(j) + 1.0);
        if (next - sum).abs() <= f64::EPSILON * 1e-3 * sum.abs() {
            break;
        }
        sum = next;
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By its definition: every table with the same margins, with whole numbers.
    fn enumerated([[a, b], [c, d]]: [[u64; 2]; 2]) -> f64 {
        let ways = |n: u64, k: u64| (0..k).fold(1_u128, |ways, i| ways * u128::from(n - i) / u128::from(i + 1));
        let (row, other, column) = (a + b, c + d, a + c);
        let weight = |x: u64| ways(row, x) * ways(other, column - x);
        let all = || (column.saturating_sub(other)..=row.min(column)).map(weight);
        let here = weight(a);
        all().filter(|w| *w <= here).sum::<u128>() as f64 / all().sum::<u128>() as f64
    }

    proptest! {
        #[test]
        fn small_tables_agree_with_every_table_counted(a in 0..20_u64, b in 0..20_u64, c in 0..20_u64, d in 0..20_u64) {
            let float = |v: u64| v as f64;
            let got = fisher([[float(a), float(b)], [float(c), float(d)]]);
            prop_assert_eq!(got.is_some(), a + b > 0 && c + d > 0 && a + c > 0 && b + d > 0);
            if let Some(got) = got {
                let want = enumerated([[a, b], [c, d]]);
                prop_assert!((got / want - 1.0).abs() < 1e-10, "{got} {want}");
            }
        }

        #[test]
        fn a_turned_table_is_the_same(a in 0..3000_u32, b in 0..3000_u32, c in 0..3000_u32, d in 0..3000_u32) {
            let [a, b, c, d] = [a, b, c, d].map(f64::from);
            let found = [[[a, b], [c, d]], [[c, d], [a, b]], [[b, a], [d, c]], [[a, c], [b, d]]].map(fisher);
            for other in found {
                match (found[0], other) {
                    (Some(one), Some(other)) => prop_assert!((one - other).abs() <= 1e-9 * one, "{one} {other}"),
                    (one, other) => prop_assert_eq!(one, other),
                }
            }
        }
    }

    #[test]
    fn large_counts_are_done_with() {
        for size in [1e6, 1e9, 1e12, 1e15, 1e18] {
            // One standard deviation of the difference, whatever the size: the normal tail, nearly.
            let shift = f64::sqrt(size / 8.0).round();
            let p = fisher([[size / 2.0 + shift, size / 2.0 - shift], [size / 2.0 - shift, size / 2.0 + shift]]);
            let p = p.expect("defined");
            let z = 4.0 * shift / (2.0 * size).sqrt();
            assert!((p / tails::normal(z) - 1.0).abs() < 5e-3, "{size}: {p} {}", tails::normal(z));
        }
    }
}
