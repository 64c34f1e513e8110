//! How many rows, their losses added up, and the squares of those: what adds up and comes off again, cell by cell.

/// Of some rows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// How many.
    pub rows: f64,
    /// Of their losses.
    pub sum: f64,
    /// Of the squares of those.
    pub squares: f64,
}

impl Sums {
    /// Of one row.
    pub fn one(loss: f64) -> Self {
        Self { rows: 1.0, sum: loss, squares: loss * loss }
    }

    /// Of both.
    pub fn plus(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, sum: self.sum + other.sum, squares: self.squares + other.squares }
    }

    /// Without the others, which are among them.
    pub fn less(self, other: Self) -> Self {
        Self { rows: self.rows - other.rows, sum: self.sum - other.sum, squares: self.squares - other.squares }
    }

    /// The mean loss.
    pub fn mean(self) -> f64 {
        self.sum / self.rows
    }

    /// The variance of the losses, over all rows.
    pub fn variance(self) -> f64 {
        (self.squares / self.rows - self.mean().powi(2)).max(0.0)
    }

    /// How many standard errors the mean is above the others', by the variance of each and by that of both: the fewer.
    pub fn above(self, other: Self) -> f64 {
        let errors = |one: f64, two: f64| (one / self.rows + two / other.rows).sqrt();
        let together = self.plus(other).variance();
        let error = errors(self.variance(), other.variance()).max(errors(together, together));
        if error > 0.0 { (self.mean() - other.mean()) / error } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewer_standard_errors_count() {
        let of = |losses: &[f64]| losses.iter().fold(Sums::default(), |sums, loss| sums.plus(Sums::one(*loss)));
        let (wide, narrow) = (of(&[0.0, 6.0]), of(&[1.0, 1.0, 1.0, 1.0]));
        assert_eq!((wide.mean(), wide.variance(), narrow.variance()), (3.0, 9.0, 0.0));
        // By each: the square root of 9 / 2; by both, whose variance is 35 / 9, of 35 / 9 (1 / 2 + 1 / 4).
        assert!((wide.above(narrow) - 2.0 / 4.5_f64.sqrt()).abs() < 1e-12);
        assert_eq!((wide.plus(narrow).less(narrow), narrow.above(narrow)), (wide, 0.0));
    }
}
