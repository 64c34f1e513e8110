//! How alike sampled vectors of both sides are, each to each: what the covariance weighs, and the maximum mean discrepancy.

use crate::stats::quantile::quantile;
use crate::stats::tails;

/// Vectors of a side that are held against each other.
const ROWS: usize = 400;
/// Of both sides, for the third moment: it takes their number's cube.
const CUBED: usize = 240;

/// The products of vectors of both sides, the reference's first.
pub struct Gram {
    products: Vec<f64>,
    sides: [usize; 2],
}

/// How a squared distance of two means is distributed without a change: as a sum of squares, each less its mean, with the
/// eigenvalues of the covariance for weights. What is known of these are the sums of their squares and of their cubes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Null {
    squares: f64,
    cubes: f64,
    /// How many equal eigenvalues would spread as much.
    dimensions: f64,
}

/// The maximum mean discrepancy with the radial kernel.
pub struct Radial {
    /// Squared, unbiased.
    pub squared: f64,
    /// One over the rows of both sides.
    pub reciprocals: f64,
    /// The reference's own mean squared distance from its mean, in the kernel's space.
    pub spread: f64,
    /// How it is distributed without a change.
    pub null: Null,
}

/// In four sums, which a processor takes at once.
fn product(one: &[f64], other: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (ones, others) = (one.chunks_exact(4), other.chunks_exact(4));
    let rest: f64 = ones.remainder().iter().zip(others.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in ones.zip(others) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f64>() + rest
}

fn thinned<T>(all: &[T], most: usize) -> impl Iterator<Item = &T> {
    let taken = all.len().min(most);
    (0..taken).filter_map(move |at| all.get(at.saturating_mul(all.len()).checked_div(taken)?))
}

impl Gram {
    /// Of sampled vectors.
    pub fn of(reference: &[Vec<f64>], current: &[Vec<f64>]) -> Self {
        let rows: Vec<&Vec<f64>> = thinned(reference, ROWS).chain(thinned(current, ROWS)).collect();
        let sides = [reference.len().min(ROWS), current.len().min(ROWS)];
        let mut products = vec![0.0; rows.len().saturating_mul(rows.len())];
        for (at, (cells, one)) in products.chunks_mut(rows.len().max(1)).zip(&rows).enumerate() {
            cells.iter_mut().zip(&rows).skip(at).for_each(|(cell, other)| *cell = product(one, other));
        }
        let mut gram = Self { products, sides };
        gram.mirror();
        gram
    }

    fn rows(&self) -> usize {
        self.sides[0].saturating_add(self.sides[1])
    }

    /// What lies above the diagonal, below it too.
    fn mirror(&mut self) {
        let rows = self.rows();
        for one in 0..rows {
            for other in 0..one {
                let from = other.saturating_mul(rows).saturating_add(one);
                let value = self.products.get(from).copied().unwrap_or_default();
                let to = one.saturating_mul(rows).saturating_add(other);
                self.products.get_mut(to).into_iter().for_each(|cell| *cell = value);
            }
        }
    }

    fn each_row(&self) -> std::slice::Chunks<'_, f64> {
        self.products.chunks(self.rows().max(1))
    }

    /// How the squared distance of both sides' means is distributed without a change.
    pub fn linear(&self) -> Option<Null> {
        Null::of(&self.products, self.rows())
    }

    /// With the median of all distances as its width.
    pub fn radial(&self) -> Option<Radial> {
        let diagonal: Vec<f64> = self.each_row().enumerate().filter_map(|(at, row)| row.get(at).copied()).collect();
        let mut kernel: Vec<f64> = Vec::with_capacity(self.products.len());
        for (row, own) in self.each_row().zip(&diagonal) {
            kernel.extend(row.iter().zip(&diagonal).map(|(product, other)| (own + other - 2.0 * product).max(0.0)));
        }
        let rows = self.rows();
        let above = |(at, row): (usize, &[f64])| row.iter().skip(at.saturating_add(1)).copied().collect::<Vec<f64>>();
        let mut distances: Vec<f64> = kernel.chunks(rows.max(1)).enumerate().flat_map(above).collect();
        let width = quantile(&mut distances, 0.5)?;
        if !(width > 0.0 && width.is_finite()) {
            return None;
        }
        for squared in &mut kernel {
            *squared = (-*squared / (2.0 * width)).exp();
        }
        let [n, m] = self.sides.map(|rows| rows as f64);
        let (mut one, mut other, mut between) = (0.0, 0.0, 0.0);
        for (at, row) in kernel.chunks(rows.max(1)).enumerate() {
            let (left, right) = row.split_at_checked(self.sides[0])?;
            let (left, right) = (left.iter().sum::<f64>(), right.iter().sum::<f64>());
            // Of a row to itself, which is 1, nothing is learnt.
            if at < self.sides[0] {
                one += left - 1.0;
                between += right;
            } else {
                other += right - 1.0;
            }
        }
        let alike = one / (n * (n - 1.0));
        let squared = alike + other / (m * (m - 1.0)) - 2.0 * between / (n * m);
        let (null, spread) = (Null::of(&kernel, rows)?, 1.0 - alike);
        (squared.is_finite() && spread > 1e-9).then_some(Radial {
            squared,
            reciprocals: 1.0 / n + 1.0 / m,
            spread,
            null,
        })
    }
}

impl Null {
    /// Of how alike rows are, centred over both sides. Its diagonal is left out: with few rows in many dimensions it would be
    /// most of the sum.
    fn of(alike: &[f64], rows: usize) -> Option<Self> {
        let count = rows as f64;
        let means: Vec<f64> = alike.chunks(rows.max(1)).map(|row| row.iter().sum::<f64>() / count).collect();
        let mean = means.iter().sum::<f64>() / count;
        let centred = |one: usize, other: usize| -> f64 {
            let at = one.saturating_mul(rows).saturating_add(other);
            let mean_of = |at: usize| means.get(at).copied().unwrap_or_default();
            alike.get(at).copied().unwrap_or_default() - mean_of(one) - mean_of(other) + mean
        };
        let (mut squares, mut trace) = (0.0, 0.0);
        for one in 0..rows {
            squares += (0..one).map(|other| centred(one, other).powi(2)).sum::<f64>() * 2.0;
            trace += centred(one, one);
        }
        squares /= count * (count - 1.0);
        let places: Vec<usize> = (0..rows).collect();
        let few: Vec<usize> = thinned(&places, CUBED).copied().collect();
        let part: Vec<Vec<f64>> = few
            .iter()
            .map(|one| few.iter().map(|other| if one == other { 0.0 } else { centred(*one, *other) }).collect())
            .collect();
        let mut cubes = 0.0;
        for (at, one) in part.iter().enumerate() {
            for (other, cell) in part.iter().zip(one).take(at) {
                cubes += 2.0 * cell * one.iter().zip(other).map(|(a, b)| a * b).sum::<f64>();
            }
        }
        let few = few.len() as f64;
        cubes /= few * (few - 1.0) * (few - 2.0);
        let trace = trace / (count - 1.0);
        let dimensions = (trace * trace / squares).max(1.0);
        (squares > 0.0 && squares.is_finite() && dimensions.is_finite()).then_some(Self {
            squares,
            cubes: cubes.clamp(0.0, squares.powf(1.5)),
            dimensions,
        })
    }

    /// How likely a squared distance, less what is expected, is so large without a change, of two means of which one over their rows add up
    /// to this.
    pub fn p_value(&self, squared: f64, reciprocals: f64) -> Option<f64> {
        let z = squared / (reciprocals * (2.0 * self.squares).sqrt());
        let skewness = 8.0_f64.sqrt() * self.cubes / self.squares.powf(1.5);
        let both = tails::skewed(z, skewness)?;
        Some(if z > 0.0 { both / 2.0 } else { 1.0 - both / 2.0 })
    }

    /// Dimensions and one, as cells have one more than they have degrees of freedom.
    pub fn cells(&self) -> usize {
        crate::stats::whole::index(self.dimensions.round()).saturating_add(1)
    }
}
