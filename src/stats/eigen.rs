//! Eigenvalues and eigenvectors of a symmetric matrix, by Jacobi's rotations, row by row (Golub and Van Loan, "Matrix computations",
//! 4th edition, 8.5).

/// Rotations over all pairs, at most; six or so are enough for a hundred columns.
const SWEEPS: u32 = 60;

/// An eigenvalue and its eigenvector, of length 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Eigen {
    /// The eigenvalue.
    pub value: f64,
    /// The eigenvector.
    pub vector: Vec<f64>,
}

/// All of them, the largest eigenvalue first. `None` where the matrix is not square, not symmetric or has what is no finite number.
#[must_use]
pub fn symmetric(matrix: &[Vec<f64>]) -> Option<Vec<Eigen>> {
    let n = matrix.len();
    let is_symmetric = |(i, row): (usize, &Vec<f64>)| {
        row.len() == n && (0..i).all(|j| (row[j] - matrix[j][i]).abs() <= 1e-9 * (row[j].abs() + matrix[j][i].abs()))
    };
    if !matrix.iter().flatten().all(|v| v.is_finite()) || !matrix.iter().enumerate().all(is_symmetric) {
        return None;
    }
    let mut a = matrix.to_vec();
    // Row i is an eigenvector in the end.
    let mut vectors: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    for _ in 0..SWEEPS {
        let mut turned = false;
        for p in 0..n {
            for q in p + 1..n {
                // What changes no digit of the two that it stands between is nothing.
                if a[p][q].abs() <= 1e-17 * (a[p][p].abs() * a[q][q].abs()).sqrt() || a[p][q].abs() < f64::MIN_POSITIVE
                {
                    continue;
                }
                turned = true;
                let tau = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                let t = tau.signum() / (tau.abs() + tau.hypot(1.0));
                let c = 1.0 / t.hypot(1.0);
                rotate(&mut a, &mut vectors, (p, q), (c, t * c));
            }
        }
        if !turned {
            break;
        }
    }
    let mut found: Vec<Eigen> =
        vectors.into_iter().enumerate().map(|(i, vector)| Eigen { value: a[i][i], vector }).collect();
    found.sort_by(|one, other| other.value.total_cmp(&one.value));
    Some(found)
}

/// Turns rows and columns `p` and `q` by the angle of this cosine and sine.
fn rotate(a: &mut [Vec<f64>], vectors: &mut [Vec<f64>], (p, q): (usize, usize), (c, s): (f64, f64)) {
    for row in a.iter_mut() {
        let (x, y) = (row[p], row[q]);
        row[p] = c * x - s * y;
        row[q] = s * x + c * y;
    }
    for matrix in [a, vectors] {
        let (above, below) = matrix.split_at_mut(q);
        for (x, y) in above[p].iter_mut().zip(below[0].iter_mut()) {
            (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_matrices_have_known_eigenvalues() {
        let values = |matrix: &[Vec<f64>]| symmetric(matrix).map(|all| all.iter().map(|e| e.value).collect::<Vec<_>>());
        let near = |matrix: &[Vec<f64>], wanted: &[f64]| {
            let found = values(matrix).expect("symmetric");
            assert_eq!(found.len(), wanted.len());
            assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-14 * b.abs().max(1.0)), "{found:?}");
        };
        near(&[vec![2.0, 1.0], vec![1.0, 2.0]], &[3.0, 1.0]);
        near(&[vec![1.0, 1.0], vec![1.0, 1.0]], &[2.0, 0.0]);
        near(&[vec![5.0]], &[5.0]);
        near(&[vec![0.0, 0.0], vec![0.0, 0.0]], &[0.0, 0.0]);
        // numpy.linalg.eigvalsh(scipy.linalg.hilbert(4))
        let hilbert: Vec<Vec<f64>> = (0..4).map(|i| (0..4).map(|j| 1.0 / f64::from(i + j + 1)).collect()).collect();
        near(
            &hilbert,
            &[1.500_214_280_059_242_6, 0.169_141_220_221_450_06, 0.006_738_273_605_760_613, 9.670_230_402_260_876e-5],
        );
        assert_eq!(values(&[]), Some(vec![]));
        assert_eq!(values(&[vec![1.0, 2.0], vec![3.0, 1.0]]), None);
        assert_eq!(values(&[vec![1.0, 2.0]]), None);
        assert_eq!(values(&[vec![f64::NAN]]), None);
    }

    proptest! {
        #[test]
        fn vectors_times_values_make_the_matrix(cells in prop::collection::vec(-10.0..10.0f64, 1..100)) {
            let n = crate::stats::whole::index((cells.len() as f64).sqrt());
            let matrix: Vec<Vec<f64>> =
                (0..n).map(|i| (0..n).map(|j| cells[i.min(j) * n + i.max(j)]).collect()).collect();
            let found = symmetric(&matrix).expect("symmetric");
            for i in 0..n {
                for j in 0..n {
                    let made: f64 = found.iter().map(|e| e.value * e.vector[i] * e.vector[j]).sum();
                    prop_assert!((made - matrix[i][j]).abs() < 1e-12, "{made} {}", matrix[i][j]);
                    let product: f64 = found[i].vector.iter().zip(&found[j].vector).map(|(a, b)| a * b).sum();
                    prop_assert!((product - f64::from(u8::from(i == j))).abs() < 1e-13, "{product}");
                }
            }
        }
    }
}
