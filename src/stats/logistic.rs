//! Logistic regression with a ridge: the least of the sum of -ln P(label) and of half the squared weights, the intercept left free, as
//! scikit-learn's `LogisticRegression` with C = 1. By Newton's method (Hastie, Tibshirani and Friedman, "The elements of statistical
//! learning", 2nd edition, 4.4.1).

/// Newton's steps, at most; ten or so are enough.
const STEPS: u32 = 50;

/// What was fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Logistic {
    /// The logit where all terms are 0.
    pub intercept: f64,
    /// What each term adds to the logit.
    pub weights: Vec<f64>,
}

impl Logistic {
    /// Of rows of terms, all of one length, each with its label. `None` where rows and labels differ in number, or a term is not finite.
    #[must_use]
    pub fn of(rows: &[&[f64]], labels: &[bool]) -> Option<Self> {
        let terms = rows.first()?.len();
        let is_usable = |row: &&[f64]| row.len() == terms && row.iter().all(|term| term.is_finite());
        if rows.len() != labels.len() || !rows.iter().all(is_usable) {
            return None;
        }
        let mut fitted = Self { intercept: 0.0, weights: vec![0.0; terms] };
        let mut loss = fitted.loss(rows, labels);
        for _ in 0..STEPS {
            let step = fitted.step(rows, labels)?;
            // A whole step may lead too far, where the labels are nearly told apart.
            let mut part = 1.0;
            let (next, lower) = loop {
                let mut next = fitted.clone();
                next.intercept += part * step.first()?;
                next.weights.iter_mut().zip(step.iter().skip(1)).for_each(|(weight, step)| *weight += part * step);
                let lower = next.loss(rows, labels);
                if lower <= loss || part < 1e-6 {
                    break (next, lower);
                }
                part /= 2.0;
            };
            let done = step.iter().all(|step| step.abs() < 1e-9) || lower >= loss;
            if lower <= loss {
                (fitted, loss) = (next, lower);
            }
            if done {
                break;
            }
        }
        Some(fitted)
    }

    /// The logit of a row.
    #[must_use]
    pub fn logit(&self, row: &[f64]) -> f64 {
        self.intercept + self.weights.iter().zip(row).map(|(weight, term)| weight * term).sum::<f64>()
    }

    fn loss(&self, rows: &[&[f64]], labels: &[bool]) -> f64 {
        // ln(1 + e^-x), without an overflow.
        let of = |margin: f64| (-margin.abs()).exp().ln_1p() + (-margin).max(0.0);
        let wrong =
            rows.iter().zip(labels).map(|(row, label)| of(if *label { self.logit(row) } else { -self.logit(row) }));
        wrong.sum::<f64>() + self.weights.iter().map(|weight| weight * weight).sum::<f64>() / 2.0
    }

    /// Newton's step: of the intercept first.
    fn step(&self, rows: &[&[f64]], labels: &[bool]) -> Option<Vec<f64>> {
        let size = self.weights.len() + 1;
        let mut hessian = vec![vec![0.0; size]; size];
        let mut gradient = vec![0.0; size];
        let mut terms = vec![1.0; size];
        for (row, label) in rows.iter().zip(labels) {
            terms[1..].copy_from_slice(row);
            let p = 1.0 / (1.0 + (-self.logit(row)).exp());
            let (weight, error) = (p * (1.0 - p), f64::from(u8::from(*label)) - p);
            for i in 0..size {
                gradient[i] += error * terms[i];
                let scaled = weight * terms[i];
                hessian[i][..=i].iter_mut().zip(&terms).for_each(|(cell, term)| *cell += scaled * term);
            }
        }
        for i in 1..size {
            gradient[i] -= self.weights[i - 1];
            hessian[i][i] += 1.0;
        }
        // With all logits far out there is nothing left to divide by.
        hessian[0][0] += 1e-12;
        solve(hessian, gradient)
    }
}

/// Solves a symmetric positive definite system, given below its diagonal, by Cholesky's factors.
fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Option<Vec<f64>> {
    let n = b.len();
    for i in 0..n {
        for j in 0..=i {
            let known: f64 = a[i][..j].iter().zip(&a[j][..j]).map(|(x, y)| x * y).sum();
            let rest = a[i][j] - known;
            a[i][j] = if i == j { rest.sqrt() } else { rest / a[j][j] };
        }
        if !(a[i][i] > 0.0 && a[i][i].is_finite()) {
            return None;
        }
    }
    for i in 0..n {
        let known: f64 = a[i][..i].iter().zip(&b[..i]).map(|(x, y)| x * y).sum();
        b[i] = (b[i] - known) / a[i][i];
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|j| a[j][i] * b[j]).sum();
        b[i] = (b[i] - known) / a[i][i];
    }
    Some(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_those_of_scikit_learn() {
        let rows: Vec<[f64; 2]> =
            (0..40).map(|i| [f64::from(i % 7) - 3.0, f64::from(i * i % 11) / 5.0 - 1.0]).collect();
        let labels: Vec<bool> = (0..40).map(|i| i * 3 % 8 + i % 7 > 6).collect();
        let rows: Vec<&[f64]> = rows.iter().map(<[f64; 2]>::as_slice).collect();
        let fitted = Logistic::of(&rows, &labels).expect("defined");
        // LogisticRegression(C=1.0, tol=1e-14, max_iter=10000).fit(rows, labels)
        let wanted = [-0.005_849_846_057_132_241, 0.659_789_776_276_205, -0.483_547_610_328_277_14];
        for (got, want) in [fitted.intercept, fitted.weights[0], fitted.weights[1]].into_iter().zip(wanted) {
            assert!((got - want).abs() < 1e-6, "{got} is not {want}");
        }
    }

    #[test]
    fn labels_that_are_told_apart_leave_finite_weights() {
        let rows: Vec<[f64; 1]> = (0..100).map(|i| [if i < 50 { -100.0 } else { 100.0 }]).collect();
        let labels: Vec<bool> = (0..100).map(|i| i >= 50).collect();
        let rows: Vec<&[f64]> = rows.iter().map(<[f64; 1]>::as_slice).collect();
        let fitted = Logistic::of(&rows, &labels).expect("defined");
        assert!(fitted.weights[0] > 0.0 && fitted.weights[0].is_finite(), "{fitted:?}");
        assert_eq!(Logistic::of(&rows, &labels[1..]), None);
        assert_eq!(Logistic::of(&[&[f64::NAN]], &[true]), None);
    }
}
