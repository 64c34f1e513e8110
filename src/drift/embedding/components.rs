//! The principal components of both sides together, by orthogonal iteration (Golub and Van Loan, "Matrix computations", 4th
//! edition, 8.2.4): directions in which the vectors vary most. They need not be exact: any that know nothing of the sides would
//! do.

use super::columns;
use crate::drift::multi::Column;
use crate::stats::mersenne::Mersenne;

/// Components.
const COMPONENTS: usize = 8;
/// Times that the directions are turned towards them.
const TURNS: usize = 6;
/// Vectors of a side that they are learnt from.
const ROWS: usize = 500;

/// Each side's vectors along the components, as columns. `None` without vectors.
pub fn scores(reference: &[Vec<f64>], current: &[Vec<f64>]) -> Option<[Vec<Column>; 2]> {
    let width = reference.first()?.len();
    let some = |side: &[Vec<f64>]| side.len().div_ceil(ROWS).max(1);
    let rows: Vec<&Vec<f64>> =
        reference.iter().step_by(some(reference)).chain(current.iter().step_by(some(current))).collect();
    let count = rows.len() as f64;
    let mean: Vec<f64> = (0..width).map(|at| rows.iter().filter_map(|row| row.get(at)).sum::<f64>() / count).collect();
    let along = |row: &[f64], direction: &[f64]| -> f64 {
        row.iter().zip(&mean).zip(direction).map(|((value, mean), part)| (value - mean) * part).sum()
    };
    let mut random = Mersenne::new(0);
    let mut directions: Vec<Vec<f64>> = (0..COMPONENTS.min(width))
        .map(|_| (0..width).map(|_| f64::from(random.below(2001)) - 1000.0).collect())
        .collect();
    orthonormal(&mut directions);
    for _ in 0..TURNS {
        let mut turned = vec![vec![0.0; width]; directions.len()];
        for row in &rows {
            for (direction, to) in directions.iter().zip(&mut turned) {
                let by = along(row, direction);
                to.iter_mut().zip(row.iter().zip(&mean)).for_each(|(to, (value, mean))| *to += by * (value - mean));
            }
        }
        directions = turned;
        orthonormal(&mut directions);
    }
    let of = |side: &[Vec<f64>]| {
        columns(directions.iter().map(|direction| side.iter().map(|row| along(row, direction)).collect()).collect())
    };
    (!directions.is_empty()).then(|| [of(reference), of(current)])
}

/// Each of length 1 and at right angles to those before it; what has no length left is dropped.
fn orthonormal(directions: &mut Vec<Vec<f64>>) {
    let mut kept: Vec<Vec<f64>> = Vec::with_capacity(directions.len());
    for mut direction in directions.drain(..) {
        let before = direction.iter().map(|part| part * part).sum::<f64>().sqrt();
        // Twice: once leaves what rounding adds.
        for other in kept.iter().chain(&kept) {
            let along: f64 = direction.iter().zip(other).map(|(a, b)| a * b).sum();
            direction.iter_mut().zip(other).for_each(|(part, other)| *part -= along * other);
        }
        let length = direction.iter().map(|part| part * part).sum::<f64>().sqrt();
        if length > 1e-9 * before && length.is_finite() {
            for part in &mut direction {
                *part /= length;
            }
            kept.push(direction);
        }
    }
    *directions = kept;
}
