//! Gradient-boosted regression trees of the squared error on binned columns (Friedman, "Greedy function approximation: a gradient
//! boosting machine", 2001; histograms as in Ke et al., "LightGBM", 2017). Nothing is drawn: the same rows give the same trees.

/// Bins of a column, the first for what is missing or new.
pub const BINS: usize = 64;
/// Trees.
const ROUNDS: usize = 80;
/// What of each tree is taken.
const RATE: f64 = 0.1;
/// Splits between the root and a leaf.
const DEPTH: u32 = 3;
/// Rows of a leaf, at least.
const LEAF: f64 = 30.0;

/// A column's bins by row.
#[derive(Debug, Clone, Copy)]
pub struct Binned<'a> {
    /// Each below [`BINS`].
    pub bins: &'a [u8],
    /// They have no order of their own, but for the first.
    pub is_named: bool,
}

/// What was fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Boosted {
    base: f64,
    trees: Vec<Node>,
    /// Of each column of names: the place of each bin by what it means for the target.
    orders: Vec<Option<Vec<u8>>>,
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Leaf(f64),
    /// Places up to the cut go left.
    Split {
        column: usize,
        cut: u8,
        sides: Box<[Node; 2]>,
    },
}

impl Boosted {
    /// The same for every row.
    pub fn constant(base: f64) -> Self {
        Self { base, trees: Vec::new(), orders: Vec::new() }
    }

    /// Of these rows of columns and target.
    pub fn fit(columns: &[Binned<'_>], target: &[f64], rows: &[usize]) -> Self {
        let base = rows.iter().map(|row| target[*row]).sum::<f64>() / (rows.len() as f64).max(1.0);
        let order = |column: &Binned<'_>| column.is_named.then(|| by_mean(column.bins, target, rows, base));
        let mut found = Self { base, trees: Vec::new(), orders: columns.iter().map(order).collect() };
        let placed: Vec<Vec<u8>> =
            columns.iter().zip(&found.orders).map(|(column, order)| places(column, order.as_deref())).collect();
        let mut rest: Vec<f64> = target.iter().map(|target| target - base).collect();
        let mut rows = rows.to_vec();
        for _ in 0..ROUNDS {
            let tree = grow(&placed, &rest, &mut rows, DEPTH);
            for row in &rows {
                rest[*row] -= tree.at(|column| placed[column][*row]);
            }
            found.trees.push(tree);
        }
        found
    }

    /// The target of a row, by its bin of each column.
    pub fn at(&self, bin: impl Fn(usize) -> u8) -> f64 {
        let place = |column: usize| {
            let bin = bin(column);
            self.orders[column].as_ref().map_or(bin, |order| order[usize::from(bin)])
        };
        self.base + self.trees.iter().map(|tree| tree.at(place)).sum::<f64>()
    }
}

impl Node {
    fn at(&self, place: impl Fn(usize) -> u8) -> f64 {
        let mut node = self;
        loop {
            match node {
                Self::Leaf(value) => return *value,
                Self::Split { column, cut, sides } => node = &sides[usize::from(place(*column) > *cut)],
            }
        }
    }
}

/// The bins in the order of their means, those of few rows near the mean of all.
fn by_mean(bins: &[u8], target: &[f64], rows: &[usize], base: f64) -> Vec<u8> {
    let (mut sums, mut counts) = ([0.0; BINS], [0.0; BINS]);
    for row in rows {
        let bin = usize::from(bins[*row]);
        sums[bin] += target[*row] - base;
        counts[bin] += 1.0;
    }
    let mut order: Vec<usize> = (0..BINS).collect();
    let mean = |bin: usize| sums[bin] / (counts[bin] + LEAF);
    order.sort_by(|a, b| mean(*a).total_cmp(&mean(*b)));
    let mut places = vec![0; BINS];
    for (place, bin) in (0_u8..).zip(order) {
        places[bin] = place;
    }
    places
}

fn places(column: &Binned<'_>, order: Option<&[u8]>) -> Vec<u8> {
    column.bins.iter().map(|bin| order.map_or(*bin, |order| order[usize::from(*bin)])).collect()
}

/// A tree of these rows; puts them in another order.
fn grow(columns: &[Vec<u8>], rest: &[f64], rows: &mut [usize], depth: u32) -> Node {
    let (count, sum) = (rows.len() as f64, rows.iter().map(|row| rest[*row]).sum::<f64>());
    let leaf = Node::Leaf(RATE * sum / count.max(1.0));
    if depth == 0 || count < 2.0 * LEAF {
        return leaf;
    }
    let mut best = (sum * sum / count * (1.0 + 1e-9) + f64::MIN_POSITIVE, None);
    for (column, bins) in columns.iter().enumerate() {
        let (mut sums, mut counts) = ([0.0; BINS], [0.0; BINS]);
        for row in rows.iter() {
            let bin = usize::from(bins[*row]);
            sums[bin] += rest[*row];
            counts[bin] += 1.0;
        }
        let (mut left, mut below) = (0.0, 0.0);
        for (cut, (in_bin, of_bin)) in (0_u8..).zip(sums.into_iter().zip(counts)) {
            left += in_bin;
            below += of_bin;
            let above = count - below;
            let gain = left * left / below + (sum - left).powi(2) / above;
            if below >= LEAF && above >= LEAF && gain > best.0 {
                best = (gain, Some((column, cut)));
            }
        }
    }
    let (_, Some((column, cut))) = best else { return leaf };
    rows.sort_by_key(|row| columns[column][*row] > cut);
    let middle = rows.partition_point(|row| columns[column][*row] <= cut);
    let (left, right) = rows.split_at_mut(middle);
    let sides = Box::new([left, right].map(|rows| grow(columns, rest, rows, depth - 1)));
    Node::Split { column, cut, sides }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_finds_steps_of_numbers_and_names() {
        let numbers: Vec<u8> = (0..2000_u32).map(|i| u8::try_from(i % 60).expect("small")).collect();
        let names: Vec<u8> = (0..2000_u32).map(|i| u8::try_from(i / 7 % 5).expect("small")).collect();
        let columns = [Binned { bins: &numbers, is_named: false }, Binned { bins: &names, is_named: true }];
        let wanted = |number: u8, name: u8| f64::from(u8::from(number > 40)) * 3.0 + f64::from(u8::from(name % 2 == 1));
        let target: Vec<f64> = numbers.iter().zip(&names).map(|(number, name)| wanted(*number, *name)).collect();
        let fitted = Boosted::fit(&columns, &target, &(0..2000).collect::<Vec<_>>());
        for (number, name) in [(3, 0), (3, 1), (55, 0), (55, 3)] {
            let got = fitted.at(|column| if column == 0 { number } else { name });
            assert!((got - wanted(number, name)).abs() < 0.05, "{number} {name}: {got}");
        }
    }

    proptest! {
        /// Leaves are means: the mean is kept, and nothing lies beyond the target's range.
        #[test]
        fn it_keeps_the_mean_and_the_range(target in prop::collection::vec(0.0..9.0f64, 1..200)) {
            let bins: Vec<u8> = (0..target.len()).map(|i| u8::try_from(i * 7 % 64).expect("small")).collect();
            let rows: Vec<usize> = (0..target.len()).collect();
            let fitted = Boosted::fit(&[Binned { bins: &bins, is_named: false }], &target, &rows);
            let got: Vec<f64> = bins.iter().map(|bin| fitted.at(|_| *bin)).collect();
            let gap: f64 = got.iter().zip(&target).map(|(got, want)| got - want).sum();
            prop_assert!(gap.abs() < 1e-6, "{}", gap);
            let (low, high) = target.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), t| (low.min(*t), high.max(*t)));
            prop_assert!(got.iter().all(|got| (low - 1.0..=high + 1.0).contains(got)));
        }
    }
}
