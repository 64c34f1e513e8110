//! CBPE of more than two classes.

use std::ops::Range;

use super::band::{self, Draws};
use super::calibration::{Calibration, Labelled};
use super::figure::Figure;
use super::ranking::{Level, Ranking, are_tied, levels};
use super::several::{Columns, Many, add_up_to_one};
use super::table::{Normalise, One, Table};
use super::{CHUNKS, Kept, Options, Way, is_present, nannyml};
use crate::estimate::thresholds::Thresholds;
use crate::estimate::{CAVEAT, Estimate, Estimated, Measure, Unfit};
use crate::stats::random::Random;

/// Classes, at most.
pub const MAX_CLASSES: usize = 100;
/// Parts of the reference, by each class's score, whose chances move together from draw to draw.
const PARTS: usize = 16;
/// Groups of rows that lie together in a class's score.
const GROUPS: usize = 128;

/// A reference of several classes, as it is fitted.
#[derive(Debug, Clone)]
pub struct FittedMany {
    way: Ways,
    classes: Vec<String>,
    options: Options,
}

#[derive(Debug, Clone)]
enum Ways {
    Ours(Ours),
    NannyMl(nannyml::many::Fitted),
}

/// Fits a reference of three classes or more (ours: of two, too), its rows in the order of time.
///
/// # Errors
///
/// Where the columns differ in length or number, there are too few rows with all scores or too many classes, or a row is of none; where
/// NannyML stops, if its numbers are asked for.
pub fn fit_many(reference: &Many<'_>, options: &Options) -> Result<FittedMany, Unfit> {
    let (rows, count) = (reference.label.len(), reference.classes.len());
    let lengths = reference.score.iter().map(|score| score.len()).chain([reference.predicted.len()]);
    if reference.score.len() != count || lengths.into_iter().any(|length| length != rows) {
        return Err(Unfit::Lengths);
    }
    let are_classes = reference.label.iter().chain(reference.predicted).all(|class| *class < count);
    if !are_classes || !(2..=MAX_CLASSES).contains(&count) || (options.way == Way::NannyMl && count < 3) {
        return Err(Unfit::Classes);
    }
    let kept = kept(reference.score, rows);
    if kept.places.len() < CHUNKS {
        return Err(Unfit::Rows(CHUNKS));
    }
    let chunks = options.chunks(rows);
    let way = match options.way {
        Way::NannyMl if kept.missing > 0 => return Err(Unfit::Missing),
        Way::NannyMl => Ways::NannyMl(nannyml::many::Fitted::new(reference, &chunks, options)?),
        Way::Ours => {
            let chunks: Vec<Range<usize>> = chunks.iter().map(|rows| kept.range(rows)).collect();
            let whole = Whole::of(&kept, reference.score, reference.predicted);
            let label = kept.of_column(reference.label);
            let found = whole.with(|rows| {
                let reference =
                    Many { classes: reference.classes, score: rows.score, predicted: rows.predicted, label: &label };
                Ours::new(&reference, &chunks, options)
            });
            Ways::Ours(found?)
        }
    };
    Ok(FittedMany { way, classes: reference.classes.to_vec(), options: options.clone() })
}

impl FittedMany {
    /// The same for estimates alone: their bands, but NannyML's, take most of the time.
    #[must_use]
    pub fn without_bands(mut self) -> Self {
        self.options.draws = 0;
        self
    }

    /// Whether any score is calibrated.
    #[must_use]
    pub fn is_calibrated(&self) -> bool {
        match &self.way {
            Ways::Ours(fitted) => fitted.calibrations.iter().any(|found| found.is_kept),
            Ways::NannyMl(fitted) => fitted.is_calibrated(),
        }
    }

    /// What is to be expected of rows. Those that lack a score, or whose predicted class is none of the reference's, are left out.
    #[must_use]
    pub fn estimate(&self, rows: &Columns<'_>) -> Estimate {
        let kept = Kept::of(rows.predicted.len(), |at| {
            let predicted = rows.predicted.get(at).is_some_and(|class| *class < self.classes.len());
            predicted && rows.score.iter().all(|score| is_present(score, at))
        });
        let whole = Whole::of(&kept, rows.score, rows.predicted);
        let (figures, outside) = whole.with(|rows| match &self.way {
            Ways::Ours(fitted) => fitted.estimate(rows, &self.classes, &self.options),
            Ways::NannyMl(fitted) => (fitted.estimate(rows), None),
        });
        let rows = whole.predicted.len() as u64;
        Estimate { caveat: CAVEAT, rows, missing: kept.missing, outside, figures }
    }

    /// The same with the truth beside it.
    #[must_use]
    pub fn compare(&self, rows: &Columns<'_>, label: &[usize]) -> Estimate {
        let mut estimate = self.estimate(rows);
        let kept = kept(rows.score, rows.predicted.len().min(label.len()));
        let whole = Whole::of(&kept, rows.score, rows.predicted);
        let label = kept.of_column(label);
        let count = self.classes.len();
        let realised = whole.with(|rows| Sums::realised(rows, &label, count));
        for figure in Figure::all(count, true, self.options.value.is_some()) {
            let times = times(figure, label.len() as f64, &self.options);
            let value = realised.figure(figure, &self.options).map(|value| value * times);
            estimate.hold_against([(name(figure, &self.classes).as_ref(), value)]);
        }
        estimate
    }
}

/// Rows that have all their scores.
fn kept(score: &[&[f64]], rows: usize) -> Kept {
    Kept::of(rows, |at| score.iter().all(|score| is_present(score, at)))
}

/// Columns of the rows that are used.
struct Whole {
    score: Vec<Vec<f64>>,
    predicted: Vec<usize>,
}

impl Whole {
    fn of(kept: &Kept, score: &[&[f64]], predicted: &[usize]) -> Self {
        Self { score: score.iter().map(|score| kept.of_column(score)).collect(), predicted: kept.of_column(predicted) }
    }

    fn with<T>(&self, work: impl FnOnce(&Columns<'_>) -> T) -> T {
        let score: Vec<&[f64]> = self.score.iter().map(Vec::as_slice).collect();
        work(&Columns { score: &score, predicted: &self.predicted })
    }
}

/// Our way.
#[derive(Debug, Clone)]
struct Ours {
    calibrations: Vec<Calibration>,
    /// Of each class, the part that each of the curve's stretches is of.
    parts: Vec<Vec<usize>>,
    known: Vec<(Figure, Option<Thresholds>)>,
}

/// What figures follow from.
#[derive(Debug, Clone)]
struct Sums {
    table: Table,
    rankings: Vec<Ranking>,
}

/// Rows of one prediction whose chances of it are alike.
#[derive(Debug, Clone)]
struct Cell {
    predicted: usize,
    is_known: bool,
    rows: f64,
    /// Of each class: the chances together.
    chances: Vec<f64>,
    /// Of each class: the rows in each part.
    parts: Vec<[f64; PARTS]>,
}

/// Rows that lie together in a class's score.
#[derive(Debug, Clone, Copy, Default)]
struct Group {
    rows: f64,
    chances: f64,
    own: f64,
    part: usize,
    is_known: bool,
}

impl Ours {
    fn new(reference: &Many<'_>, chunks: &[Range<usize>], options: &Options) -> Result<Self, Unfit> {
        let count = reference.classes.len();
        let fit = |(class, score): (usize, &&[f64])| {
            let rows = score.iter().zip(reference.label).enumerate();
            let mut rows: Vec<Labelled> =
                rows.map(|(at, (score, label))| Labelled::new(at, *score, *label == class)).collect();
            Calibration::of(&mut rows).ok_or(Unfit::Rows(1))
        };
        let calibrations: Vec<Calibration> = reference.score.iter().enumerate().map(fit).collect::<Result<_, _>>()?;
        let part = |place: f64| crate::stats::whole::index(place * PARTS as f64).min(PARTS - 1);
        let parts = calibrations.iter().map(|found| found.places().into_iter().map(part).collect()).collect();
        let realised: Vec<Sums> = chunks
            .iter()
            .filter_map(|rows| {
                let score: Vec<&[f64]> =
                    reference.score.iter().map(|score| score.get(rows.clone())).collect::<Option<_>>()?;
                let columns = Columns { score: &score, predicted: reference.predicted.get(rows.clone())? };
                Some(Sums::realised(&columns, reference.label.get(rows.clone())?, count))
            })
            .collect();
        let known = |figure: Figure| {
            let chunks = realised.iter().map(|sums| sums.figure(figure, options));
            (figure, Thresholds::of(chunks, &figure.limits(Normalise::All)))
        };
        let known = Figure::all(count, true, options.value.is_some()).into_iter().map(known).collect();
        Ok(Self { calibrations, parts, known })
    }

    fn estimate(&self, rows: &Columns<'_>, classes: &[String], options: &Options) -> (Vec<Estimated>, Option<f64>) {
        let (count, all) = (self.calibrations.len(), rows.predicted.len());
        let mut is_known = vec![true; all];
        let (mut chances, mut parts) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for ((calibration, score), parts_of) in self.calibrations.iter().zip(rows.score).zip(&self.parts) {
            let (mut chance, mut part) = (Vec::with_capacity(all), Vec::with_capacity(all));
            for (score, is_known) in score.iter().zip(&mut is_known) {
                let found = calibration.at(*score);
                *is_known &= found.is_known;
                chance.push(found.of_positive);
                part.push(parts_of.get(found.block).copied().unwrap_or(0));
            }
            chances.push(chance);
            parts.push(part);
        }
        add_up_to_one(&mut chances);
        let mut exact = Sums { table: Table::new(count), rankings: Vec::new() };
        for (class, chances) in chances.iter().enumerate() {
            for (chance, predicted) in chances.iter().zip(rows.predicted) {
                exact.table.add(class, *predicted, *chance);
            }
        }
        let cells = cells(rows.predicted, &chances, &parts, &is_known);
        let mut groups = Vec::with_capacity(count);
        for ((score, chances), parts) in rows.score.iter().zip(&chances).zip(&parts) {
            let (ranking, found) = ranked(score, chances, parts, &is_known);
            exact.rankings.push(ranking);
            groups.push(found);
        }
        let centre =
            groups.iter().map(|groups| Ranking::of(groups.iter().map(|group| group.level(group.chances, group.own))));
        let centre = Sums { table: exact.table.clone(), rankings: centre.collect() };
        let mut random = Random::new(options.seed);
        let mut draws = vec![Draws::default(); self.known.len()];
        for _ in 0..options.draws() {
            let (drawn, tossed) = self.draw(&cells, &groups, &mut random);
            for (draws, (figure, _)) in draws.iter_mut().zip(&self.known) {
                let of = |sums: &Sums| sums.figure(*figure, options);
                draws.drawn.extend(of(&drawn));
                draws.tossed.extend(tossed.as_ref().and_then(of));
            }
        }
        let estimated = |((figure, thresholds), draws): (&(Figure, Option<Thresholds>), Draws)| {
            let of = |sums: &Sums| if all > 0 { sums.figure(*figure, options) } else { None };
            let times = times(*figure, all as f64, options);
            let limits = figure.limits(Normalise::All);
            band::estimated(name(*figure, classes), (of(&exact), of(&centre)), draws, *thresholds, &limits, times)
        };
        let outside = is_known.iter().filter(|known| !**known).count() as f64 / all as f64;
        (self.known.iter().zip(draws).map(estimated).collect(), Some(outside).filter(|share| share.is_finite()))
    }

    /// Labels as they might be, as of two classes.
    fn draw(&self, cells: &[Cell], groups: &[Vec<Group>], random: &mut Random) -> (Sums, Option<Sums>) {
        let others: Vec<[f64; PARTS]> =
            self.calibrations.iter().zip(&self.parts).map(|(found, parts)| by_part(found, parts, random)).collect();
        let count = self.calibrations.len();
        let even = vec![1.0 / count as f64; count];
        let mut drawn = Sums { table: Table::new(count), rankings: Vec::new() };
        let mut tossed = drawn.clone();
        for cell in cells {
            let chances = cell.by(&others);
            let add = |sums: &mut Sums, rows: &[f64]| {
                for (class, rows) in rows.iter().enumerate() {
                    sums.table.add(class, cell.predicted, *rows);
                }
            };
            let found = multinomial(cell.rows, &chances, random);
            add(&mut drawn, &found);
            add(&mut tossed, &if cell.is_known { found } else { multinomial(cell.rows, &even, random) });
        }
        for (groups, other) in groups.iter().zip(&others) {
            let mut rankings = [Ranking::default(); 2];
            for group in groups {
                let chance = (group.chances / group.rows + other[group.part]).clamp(0.0, 1.0);
                let found = random.binomial(group.rows, chance);
                let toss = if group.is_known { found } else { random.binomial(group.rows, 1.0 / count as f64) };
                rankings[0].add(group.level(found, 0.0));
                rankings[1].add(group.level(toss, 0.0));
            }
            for (sums, ranking) in [&mut drawn, &mut tossed].into_iter().zip(rankings) {
                sums.rankings.push(ranking);
            }
        }
        let any_unknown = cells.iter().any(|cell| !cell.is_known);
        (drawn, any_unknown.then_some(tossed))
    }
}

/// By how much another reference might move a class's chances, in each part.
fn by_part(calibration: &Calibration, parts: &[usize], random: &mut Random) -> [f64; PARTS] {
    let (mut sums, mut weights) = ([0.0; PARTS], [0.0; PARTS]);
    for ((moved, weight), part) in calibration.redrawn(random).into_iter().zip(calibration.weights()).zip(parts) {
        sums[*part] += moved * weight;
        weights[*part] += weight;
    }
    std::array::from_fn(|part| if weights[part] > 0.0 { sums[part] / weights[part] } else { 0.0 })
}

/// So many rows by class, each with its chance.
fn multinomial(rows: f64, chances: &[f64], random: &mut Random) -> Vec<f64> {
    let (mut left, mut rest) = (rows, 1.0);
    let last = chances.len().saturating_sub(1);
    let draw = |(class, chance): (usize, &f64)| {
        let drawn = if class == last { left } else { random.binomial(left, (chance / rest).clamp(0.0, 1.0)) };
        left -= drawn;
        rest = (rest - chance).max(f64::MIN_POSITIVE);
        drawn
    };
    chances.iter().enumerate().map(draw).collect()
}

impl Cell {
    /// The chances by another reference, which moves each class's by part.
    fn by(&self, others: &[[f64; PARTS]]) -> Vec<f64> {
        let of = |((chances, parts), other): ((&f64, &[f64; PARTS]), &[f64; PARTS])| {
            let moved: f64 = parts.iter().zip(other).map(|(rows, moved)| rows * moved).sum();
            ((chances + moved) / self.rows).max(0.0)
        };
        let chances: Vec<f64> = self.chances.iter().zip(&self.parts).zip(others).map(of).collect();
        let sum: f64 = chances.iter().sum();
        let even = 1.0 / chances.len() as f64;
        chances.into_iter().map(|chance| if sum > 0.0 { chance / sum } else { even }).collect()
    }
}

/// Rows by their prediction, by the part of the reference that the predicted class's score is of, and by whether they are known.
fn cells(predicted: &[usize], chances: &[Vec<f64>], parts: &[Vec<usize>], is_known: &[bool]) -> Vec<Cell> {
    let count = chances.len();
    let mut cells: Vec<Option<Cell>> = vec![None; count.saturating_mul(PARTS).saturating_mul(2)];
    for (row, (class, known)) in predicted.iter().zip(is_known).enumerate() {
        let part = parts.get(*class).and_then(|parts| parts.get(row)).copied().unwrap_or(0);
        let place =
            class.saturating_mul(PARTS).saturating_add(part).saturating_mul(2).saturating_add(usize::from(*known));
        let Some(cell) = cells.get_mut(place) else { continue };
        let cell = cell.get_or_insert_with(|| Cell {
            predicted: *class,
            is_known: *known,
            rows: 0.0,
            chances: vec![0.0; count],
            parts: vec![[0.0; PARTS]; count],
        });
        cell.rows += 1.0;
        for (class, sum) in cell.chances.iter_mut().enumerate() {
            *sum += chances.get(class).and_then(|column| column.get(row)).copied().unwrap_or(0.0);
        }
        for (class, counts) in cell.parts.iter_mut().enumerate() {
            let part = parts.get(class).and_then(|column| column.get(row)).copied().unwrap_or(0);
            if let Some(count) = counts.get_mut(part) {
                *count += 1.0;
            }
        }
    }
    cells.into_iter().flatten().collect()
}

/// A class's rows by descending score: their ranking, and the groups of those that lie together.
fn ranked(score: &[f64], chances: &[f64], parts: &[usize], is_known: &[bool]) -> (Ranking, Vec<Group>) {
    let rows = score.iter().zip(chances).zip(parts).zip(is_known);
    let mut rows: Vec<(f64, f64, usize, bool)> =
        rows.map(|(((score, chance), part), known)| (*score, *chance, *part, *known)).collect();
    rows.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)));
    let size = rows.len().div_ceil(GROUPS).max(1) as f64;
    let (mut ranking, mut groups) = (Ranking::default(), Vec::with_capacity(GROUPS));
    let mut open = Group::default();
    for tied in rows.chunk_by(|a, b| are_tied(a.0, b.0)) {
        let mut level = Group::default();
        for (_, chance, part, known) in tied {
            level.rows += 1.0;
            level.chances += chance;
            level.own += chance * (1.0 - chance);
            (level.part, level.is_known) = (*part, *known);
        }
        ranking.add(level.level(level.chances, level.own));
        if open.rows >= size || (open.rows > 0.0 && open.is_known != level.is_known) {
            groups.push(std::mem::take(&mut open));
        }
        if open.rows <= size / 2.0 {
            open.part = level.part;
        }
        open.is_known = level.is_known;
        open.rows += level.rows;
        open.chances += level.chances;
        open.own += level.own;
    }
    if open.rows > 0.0 {
        groups.push(open);
    }
    (ranking, groups)
}

impl Group {
    fn level(&self, positives: f64, own: f64) -> Level {
        Level { positives, negatives: self.rows - positives, own }
    }
}

impl Sums {
    /// Of labelled rows.
    fn realised(rows: &Columns<'_>, label: &[usize], classes: usize) -> Self {
        let mut table = Table::new(classes);
        for (label, predicted) in label.iter().zip(rows.predicted) {
            table.add(*label, *predicted, 1.0);
        }
        let ranking = |(class, score): (usize, &&[f64])| {
            let labels = label.iter().map(|label| *label == class);
            Ranking::of(levels(&mut score.iter().copied().zip(labels).collect::<Vec<_>>()))
        };
        Self { table, rankings: rows.score.iter().enumerate().map(ranking).collect() }
    }

    /// A figure, of one row: the mean over the classes, as of the labelled measures.
    fn figure(&self, figure: Figure, options: &Options) -> Option<f64> {
        let any = |value: f64| (self.table.rows() > 0.0).then_some(value);
        let ranked = |of: fn(&Ranking) -> Option<f64>| {
            let sum: f64 = self.rankings.iter().map(of).sum::<Option<f64>>()?;
            Some(sum / self.rankings.len() as f64)
        };
        match figure {
            Figure::RocAuc => ranked(Ranking::roc_auc),
            Figure::AveragePrecision => ranked(Ranking::average_precision),
            Figure::F1 => any(self.table.mean(One::f1)),
            Figure::Precision => any(self.table.mean(One::precision)),
            Figure::Recall => any(self.table.mean(One::recall)),
            Figure::Specificity => any(self.table.mean(One::specificity)),
            Figure::Accuracy => self.table.accuracy(),
            Figure::Cell(class, predicted) => {
                let normalise = if options.normalise == Normalise::Count { Normalise::All } else { options.normalise };
                self.table.share(class, predicted, normalise)
            }
            Figure::BusinessValue => {
                any(self.table.worth(options.value.as_deref().unwrap_or_default()) / self.table.rows())
            }
            Figure::Brier | Figure::LogLoss => None,
        }
    }
}

fn times(figure: Figure, rows: f64, options: &Options) -> f64 {
    super::binary::times(figure, rows, options)
}

/// Cells are named by their classes, of two as well.
fn name(figure: Figure, classes: &[String]) -> Measure {
    figure.name(classes)
}
