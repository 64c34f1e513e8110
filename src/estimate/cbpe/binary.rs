//! Ours, of two classes: expected figures in one walk down the sorted scores, and their bands from draws of groups of rows that lie
//! together.

use std::ops::Range;

use super::band::{self, Draws};
use super::calibration::{Calibration, Labelled};
use super::figure::Figure;
use super::ranking::{Level, Ranking, are_tied, levels};
use super::table::{Normalise, Table};
use super::{Binary, Options, Scored};
use crate::estimate::thresholds::Thresholds;
use crate::estimate::{Estimated, Unfit};
use crate::stats::random::Random;

/// Groups that rows are drawn in, about; fewer rows are drawn one by one, equal scores together.
const GROUPS: usize = 512;

/// A reference, as it is fitted.
#[derive(Debug, Clone)]
pub(super) struct Fitted {
    calibration: Calibration,
    known: Vec<(Figure, Option<Thresholds>)>,
    options: Options,
}

/// What is needed of labelled rows, or of rows with chances.
#[derive(Debug, Clone)]
struct Sums {
    table: Table,
    ranking: Ranking,
    rows: f64,
    squares: f64,
    logs: f64,
}

/// Rows that lie together.
#[derive(Debug, Clone, Copy, Default)]
struct Group {
    /// Rows that are predicted negatives, and positives.
    rows: [f64; 2],
    /// Their chances together.
    chances: [f64; 2],
    scores: f64,
    squares: f64,
    own: f64,
    /// Minus the logarithms of the scores, and of what they lack of 1.
    logs: [f64; 2],
    /// The curve's stretch in the middle.
    block: usize,
    is_known: bool,
}

impl Fitted {
    /// Of a reference whose rows all have a score.
    pub(super) fn new(reference: &Binary<'_>, chunks: &[Range<usize>], options: &Options) -> Result<Self, Unfit> {
        let rows = reference.score.iter().zip(reference.label).enumerate();
        let mut rows: Vec<Labelled> = rows.map(|(at, (score, label))| Labelled::new(at, *score, *label)).collect();
        let calibration = Calibration::of(&mut rows).ok_or(Unfit::Rows(1))?;
        let parts: Vec<Option<Sums>> = chunks.iter().map(|rows| realised(&reference.part(rows)?)).collect();
        let mut figures = Figure::all(2, reference.predicted.is_some(), options.value.is_some());
        if reference.score.iter().all(|score| (0.0..=1.0).contains(score)) {
            figures.extend([Figure::Brier, Figure::LogLoss]);
        }
        let known = |figure: Figure| {
            let chunks = parts.iter().map(|sums| sums.as_ref()?.figure(figure, options));
            (figure, Thresholds::of(chunks, &limits(figure)))
        };
        Ok(Self { calibration, known: figures.into_iter().map(known).collect(), options: options.clone() })
    }

    /// The same without draws.
    pub(super) fn without_bands(mut self) -> Self {
        self.options.draws = 0;
        self
    }

    /// Whether scores are calibrated.
    pub(super) fn is_calibrated(&self) -> bool {
        self.calibration.is_kept
    }

    /// Of rows that all have a score; and the share of them that the reference does not know.
    pub(super) fn estimate(&self, rows: &Scored<'_>) -> (Vec<Estimated>, Option<f64>) {
        let predicted = rows.predicted.unwrap_or_default();
        let predicted = predicted.iter().copied().chain(std::iter::repeat(false));
        let mut sorted: Vec<(f64, bool)> = rows.score.iter().copied().zip(predicted).collect();
        sorted.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let (exact, groups) = self.walk(&sorted);
        let mut centre = Sums::none();
        for group in &groups {
            centre.add(group, group.chances, group.own);
        }
        let mut draws = vec![Draws::default(); self.known.len()];
        let mut random = Random::new(self.options.seed);
        for _ in 0..self.options.draws() {
            let (drawn, tossed) = self.draw(&groups, &mut random);
            for (draws, (figure, _)) in draws.iter_mut().zip(&self.known) {
                let of = |sums: &Sums| sums.figure(*figure, &self.options);
                draws.drawn.extend(of(&drawn));
                draws.tossed.extend(tossed.as_ref().and_then(of));
            }
        }
        let count = sorted.len() as f64;
        let outside =
            groups.iter().filter(|group| !group.is_known).map(|group| group.rows[0] + group.rows[1]).sum::<f64>();
        let estimated = |((figure, thresholds), draws): (&(Figure, Option<Thresholds>), Draws)| {
            let values = (exact.figure(*figure, &self.options), centre.figure(*figure, &self.options));
            let times = times(*figure, count, &self.options);
            band::estimated(figure.name(&[]), values, draws, *thresholds, &limits(*figure), times)
        };
        (self.known.iter().zip(draws).map(estimated).collect(), (count > 0.0).then(|| outside / count))
    }

    /// Rows by descending score: what is expected of them, and the groups of those that lie together.
    fn walk(&self, sorted: &[(f64, bool)]) -> (Sums, Vec<Group>) {
        let size = sorted.len().div_ceil(GROUPS).max(1) as f64;
        let (mut sums, mut groups) = (Sums::none(), Vec::with_capacity(GROUPS));
        let mut block = self.calibration.top();
        let mut open = Group::default();
        for tied in sorted.chunk_by(|a, b| are_tied(a.0, b.0)) {
            let Some((score, _)) = tied.first() else { continue };
            let found = self.calibration.down(block, *score);
            block = found.index;
            let positives = tied.iter().filter(|(_, predicted)| *predicted).count() as f64;
            let group = Group::of(*score, [tied.len() as f64 - positives, positives], found.of_positive);
            sums.add(&group, group.chances, group.own);
            if open.all() >= size || (open.all() > 0.0 && open.is_known != found.is_known) {
                groups.push(std::mem::take(&mut open));
            }
            // The curve's stretch in the middle stands for all.
            if open.all() <= size / 2.0 {
                open.block = found.block;
            }
            open.is_known = found.is_known;
            open.add(&group);
        }
        if open.all() > 0.0 {
            groups.push(open);
        }
        (sums, groups)
    }

    /// Labels as they might be: each group's positives drawn from its chances, those from what another reference might have said. And,
    /// where the reference does not know all, the same with a coin's toss for what it does not know.
    fn draw(&self, groups: &[Group], random: &mut Random) -> (Sums, Option<Sums>) {
        let other = self.calibration.redrawn(random);
        let (mut drawn, mut tossed) = (Sums::none(), Sums::none());
        for group in groups {
            let other = other.get(group.block).copied().unwrap_or(0.0);
            let chance = |predicted: usize| {
                let rows = group.rows[predicted];
                if rows > 0.0 { (group.chances[predicted] / rows + other).clamp(0.0, 1.0) } else { 0.0 }
            };
            let chances = [chance(0), chance(1)];
            let mut draw = |chances: [f64; 2]| [0, 1].map(|at: usize| random.binomial(group.rows[at], chances[at]));
            let found = draw(chances);
            drawn.add(group, found, 0.0);
            tossed.add(group, if group.is_known { found } else { draw([0.5; 2]) }, 0.0);
        }
        let any_unknown = groups.iter().any(|group| !group.is_known);
        (drawn, any_unknown.then_some(tossed))
    }
}

/// What a figure is of one row, and cannot leave.
fn limits(figure: Figure) -> Range<f64> {
    figure.limits(Normalise::All)
}

/// A figure of so many rows over the same of one.
pub(super) fn times(figure: Figure, rows: f64, options: &Options) -> f64 {
    match figure {
        Figure::Cell(..) if options.normalise == Normalise::Count => rows,
        Figure::BusinessValue if !options.per_prediction => rows,
        _ => 1.0,
    }
}

/// The figures of labelled rows, as they are asked for.
pub(super) fn figures(rows: &Binary<'_>, options: &Options) -> Vec<(Figure, Option<f64>)> {
    let mut figures = Figure::all(2, rows.predicted.is_some(), options.value.is_some());
    figures.extend([Figure::Brier, Figure::LogLoss]);
    let sums = realised(rows);
    let of = |figure: Figure| {
        let sums = sums.as_ref()?;
        Some(sums.figure(figure, options)? * times(figure, sums.rows, options))
    };
    figures.into_iter().map(|figure| (figure, of(figure))).collect()
}

/// What is needed of labelled rows. `None` where there are none.
fn realised(rows: &Binary<'_>) -> Option<Sums> {
    let mut sums = Sums::none();
    for (at, (score, label)) in rows.score.iter().zip(rows.label).enumerate() {
        let predicted = rows.predicted.and_then(|predicted| predicted.get(at)).copied().unwrap_or(false);
        sums.table.add(usize::from(*label), usize::from(predicted), 1.0);
        sums.squares += (score - f64::from(u8::from(*label))).powi(2);
        sums.logs += logs(*score)[usize::from(!label)];
        sums.rows += 1.0;
    }
    let mut scored: Vec<(f64, bool)> = rows.score.iter().copied().zip(rows.label.iter().copied()).collect();
    sums.ranking = Ranking::of(levels(&mut scored));
    (sums.rows > 0.0).then_some(sums)
}

/// Minus the logarithms of a score, and of what it lacks of 1.
fn logs(score: f64) -> [f64; 2] {
    let score = score.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
    [-score.ln(), -(-score).ln_1p()]
}

impl Group {
    /// Rows of one score.
    fn of(score: f64, rows: [f64; 2], chance: f64) -> Self {
        let all = rows[0] + rows[1];
        let logs = logs(score).map(|log| log * all);
        let chances = rows.map(|rows| rows * chance);
        let own = all * chance * (1.0 - chance);
        Self { rows, chances, scores: score * all, squares: score * score * all, own, logs, block: 0, is_known: true }
    }

    fn all(&self) -> f64 {
        self.rows[0] + self.rows[1]
    }

    fn add(&mut self, other: &Self) {
        for predicted in 0..2 {
            self.rows[predicted] += other.rows[predicted];
            self.chances[predicted] += other.chances[predicted];
            self.logs[predicted] += other.logs[predicted];
        }
        self.scores += other.scores;
        self.squares += other.squares;
        self.own += other.own;
    }
}

impl Sums {
    fn none() -> Self {
        Self { table: Table::new(2), ranking: Ranking::default(), rows: 0.0, squares: 0.0, logs: 0.0 }
    }

    /// Takes in the group below those that came, with so many positives among those that are predicted negatives, and positives. `own` is
    /// what [`Level::own`] is.
    fn add(&mut self, group: &Group, positives: [f64; 2], own: f64) {
        for (predicted, positives) in positives.into_iter().enumerate() {
            self.table.add(0, predicted, group.rows[predicted] - positives);
            self.table.add(1, predicted, positives);
        }
        let (rows, positives) = (group.all(), positives[0] + positives[1]);
        let negatives = rows - positives;
        self.ranking.add(Level { positives, negatives, own });
        self.squares += group.squares + positives * (1.0 - 2.0 * group.scores / rows);
        self.logs += (positives * group.logs[0] + negatives * group.logs[1]) / rows;
        self.rows += rows;
    }

    /// A figure, of one row.
    fn figure(&self, figure: Figure, options: &Options) -> Option<f64> {
        let one = self.table.one(1);
        let mean = |sum: f64| (self.rows > 0.0).then(|| sum / self.rows);
        match figure {
            Figure::RocAuc => self.ranking.roc_auc(),
            Figure::AveragePrecision => self.ranking.average_precision(),
            Figure::F1 => one.f1(),
            Figure::Precision => one.precision(),
            Figure::Recall => one.recall(),
            Figure::Specificity => one.specificity(),
            Figure::Accuracy => self.table.accuracy(),
            Figure::Brier => mean(self.squares),
            Figure::LogLoss => mean(self.logs),
            Figure::Cell(class, predicted) => {
                let normalise = if options.normalise == Normalise::Count { Normalise::All } else { options.normalise };
                self.table.share(class, predicted, normalise)
            }
            Figure::BusinessValue => mean(self.table.worth(options.value.as_deref().unwrap_or_default())),
        }
    }
}
