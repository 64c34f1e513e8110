//! Rows of more than two classes.

/// Rows of a model of several classes, without labels.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    /// A column of scores for each class; what is not finite is missing.
    pub score: &'a [&'a [f64]],
    /// The place of the predicted class.
    pub predicted: &'a [usize],
}

/// The same with labels.
#[derive(Debug, Clone, Copy)]
pub struct Many<'a> {
    /// The classes' names.
    pub classes: &'a [String],
    /// A column of scores for each class; what is not finite is missing.
    pub score: &'a [&'a [f64]],
    /// The place of the predicted class.
    pub predicted: &'a [usize],
    /// The place of the true class.
    pub label: &'a [usize],
}

/// Makes the chances of each row add up to 1, all alike where they are none; a column for each class.
pub(super) fn add_up_to_one(chances: &mut [Vec<f64>]) {
    let rows = chances.first().map_or(0, Vec::len);
    let even = 1.0 / chances.len() as f64;
    for row in 0..rows {
        let sum: f64 = chances.iter().filter_map(|column| column.get(row)).sum();
        for chance in chances.iter_mut().filter_map(|column| column.get_mut(row)) {
            *chance = if sum == 0.0 { even } else { *chance / sum };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_add_up_to_one_and_are_alike_where_there_are_none() {
        let mut chances = vec![vec![0.3, 0.0], vec![0.1, 0.0]];
        add_up_to_one(&mut chances);
        let sums: Vec<f64> = (0..2).map(|row| chances[0][row] + chances[1][row]).collect();
        assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-15), "{chances:?}");
        assert!((chances[0][0] - 0.75).abs() < 1e-15 && (chances[0][1] - 0.5).abs() < 1e-15, "{chances:?}");
    }
}
