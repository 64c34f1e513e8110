//! Losses row by row, larger where the model is worse. `None` where one of the two is missing.

/// 1 where the prediction is not the label, else 0.
#[must_use]
pub fn wrong(prediction: &[Option<bool>], label: &[Option<bool>]) -> Vec<Option<f64>> {
    both(prediction, label, |prediction, label| f64::from(u8::from(prediction != label)))
}

/// How far an amount is out.
#[must_use]
pub fn absolute_error(prediction: &[Option<f64>], label: &[Option<f64>]) -> Vec<Option<f64>> {
    both(prediction, label, |prediction, label| (prediction - label).abs())
}

/// The negative log-likelihood of the label, the score being the probability that it is true, clipped to the next number beside 0 and 1.
/// A score that is no probability is missing.
#[must_use]
pub fn log_loss(score: &[Option<f64>], label: &[Option<bool>]) -> Vec<Option<f64>> {
    let score: Vec<Option<f64>> = score.iter().map(|score| score.filter(|score| (0.0..=1.0).contains(score))).collect();
    both(&score, label, |score, label| {
        let score = score.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
        -(if label { score } else { 1.0 - score }).ln()
    })
}

fn both<A: Copy, B: Copy>(one: &[Option<A>], other: &[Option<B>], of: impl Fn(A, B) -> f64) -> Vec<Option<f64>> {
    one.iter().zip(other).map(|(one, other)| Some(of((*one)?, (*other)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_larger_where_the_model_is_worse() {
        assert_eq!(
            wrong(&[Some(true), Some(true), None], &[Some(true), Some(false), Some(true)]),
            [Some(0.0), Some(1.0), None]
        );
        assert_eq!(absolute_error(&[Some(3.0), Some(1.0)], &[Some(5.0), None]), [Some(2.0), None]);
        let log = log_loss(&[Some(0.5), Some(0.0), Some(1.5)], &[Some(false), Some(true), Some(true)]);
        assert!(log[0].is_some_and(|loss| (loss - std::f64::consts::LN_2).abs() < 1e-15));
        assert!(log[1].is_some_and(|loss| (loss - 36.043_653_389_117_15).abs() < 1e-9) && log[2].is_none());
    }
}
