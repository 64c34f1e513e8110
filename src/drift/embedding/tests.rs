use polars::prelude::{DataType, Float64Type, IntoSeries, ListBuilderTrait, ListPrimitiveChunkedBuilder, Series};
use proptest::prelude::*;

use super::*;
use crate::drift::Kind;
use crate::drift::verdict::{Judged, Measured, Thresholds, judge};

/// A column of lists.
fn column<'a>(rows: impl IntoIterator<Item = Option<&'a [Option<f64>]>>) -> Series {
    let mut lists = ListPrimitiveChunkedBuilder::<Float64Type>::new("v".into(), 0, 0, DataType::Float64);
    for row in rows {
        match row {
            Some(values) => lists.append_iter(values.iter().copied()),
            None => lists.append_null(),
        }
    }
    lists.finish().into_series()
}

fn of(rows: &[Vec<f64>]) -> Series {
    let rows: Vec<Vec<Option<f64>>> = rows.iter().map(|row| row.iter().copied().map(Some).collect()).collect();
    column(rows.iter().map(|row| Some(row.as_slice())))
}

/// How rows are drawn.
#[derive(Clone, Copy, Default)]
struct Drawn {
    width: usize,
    /// What is added to each number, in its own deviations.
    shift: f64,
    /// What each is multiplied by.
    scale: f64,
    /// So many places on each lies the number that varies most.
    turn: usize,
    /// One row in so many lies far out.
    heavy: bool,
}

fn cloud(width: usize) -> Drawn {
    Drawn { width, scale: 1.0, ..Drawn::default() }
}

/// Bells about 0.3, each number of a smaller deviation than the one before.
fn rows(random: &mut fastrand::Rng, count: usize, how: Drawn) -> Vec<Vec<f64>> {
    let bell = |random: &mut fastrand::Rng| (0..4).map(|_| random.f64()).sum::<f64>() * 1.732 - 3.464;
    let row = |random: &mut fastrand::Rng| -> Vec<f64> {
        let far = if how.heavy && random.u8(..) < 12 { 6.0 } else { how.scale };
        let deviation = |at: usize| {
            1.0 / (1.0 + at.saturating_add(how.turn).checked_rem(how.width).unwrap_or_default() as f64).sqrt()
        };
        (0..how.width).map(|at| 0.3 + deviation(at) * (bell(random) * far + how.shift)).collect()
    };
    (0..count).map(|_| row(random)).collect()
}

fn judged(reference: &Series, current: &Series) -> Judged {
    let reference = Cloud::reference(reference).expect("vectors").expect("some");
    let current = Cloud::current(current, &reference);
    judge(vec![Measured::of_embedding("v", &reference, &current)], &Thresholds::default()).remove(0)
}

fn drifting(judged: &Judged) -> Vec<&'static str> {
    use crate::drift::verdict::Verdict;
    judged.aspects.iter().filter(|of| of.verdict == Verdict::Drift).map(|of| of.aspect.name()).collect()
}

fn p_values(judged: &Judged) -> Vec<(&'static str, f64)> {
    judged.aspects.iter().filter_map(|of| Some((of.aspect.name(), of.p_value?))).collect()
}

#[test]
fn clouds_that_do_not_change_are_calm() {
    let (mut tested, mut low) = (0_u32, 0_u32);
    for (width, reference, window, seeds) in [(8, 120, 80, 10), (8, 60, 600, 1), (64, 80, 60, 2), (768, 40, 40, 1)] {
        for seed in 0..seeds {
            let random = &mut fastrand::Rng::with_seed(seed);
            let how = Drawn { heavy: seed % 2 == 1, ..cloud(width) };
            let found = judged(&of(&rows(random, reference, how)), &of(&rows(random, window, how)));
            assert_eq!(found.kind, Kind::Embedding);
            assert!(drifting(&found).is_empty(), "{width}, {reference}, {window}, {seed}: {:?}", p_values(&found));
            let all = p_values(&found);
            assert_eq!(all.len(), 4, "{all:?}");
            tested += 4;
            low += u32::try_from(all.iter().filter(|(_, p)| *p < 0.01).count()).expect("few");
        }
    }
    // One in a hundred; of 56 more than 4 would be another rate (binomial, at 0.1 %).
    assert!(low <= 4, "{low} of {tested}");
}

#[test]
fn what_changes_of_a_cloud_is_found() {
    let random = &mut fastrand::Rng::with_seed(1);
    for width in [8, 64] {
        let reference = of(&rows(random, 200, cloud(width)));
        let mut found = |how: Drawn| drifting(&judged(&reference, &of(&rows(random, 200, how))));
        let shifted = found(Drawn { shift: 0.4, ..cloud(width) });
        assert!(shifted.contains(&"centroid") && shifted.contains(&"classifier"), "{width}: {shifted:?}");
        let collapsed = found(Drawn { scale: 0.5, ..cloud(width) });
        assert!(collapsed.contains(&"distance") && collapsed.contains(&"mmd"), "{width}: {collapsed:?}");
        let turned = found(Drawn { turn: width / 2, ..cloud(width) });
        assert!(turned.contains(&"mmd") && turned.contains(&"classifier"), "{width}: {turned:?}");
    }
    let wide = |how: Drawn, random: &mut fastrand::Rng| of(&rows(random, 100, how));
    let (reference, shifted) = (wide(cloud(384), random), wide(Drawn { shift: 0.5, ..cloud(384) }, random));
    assert!(drifting(&judged(&reference, &shifted)).contains(&"centroid"));
    assert!(drifting(&judged(&reference, &wide(Drawn { turn: 192, ..cloud(384) }, random))).contains(&"classifier"));
}

#[test]
fn rows_without_a_vector_are_missing_and_say_why() {
    let random = &mut fastrand::Rng::with_seed(2);
    let plain = rows(random, 400, cloud(8));
    let mut now: Vec<Option<Vec<Option<f64>>>> =
        rows(random, 400, cloud(8)).into_iter().map(|row| Some(row.into_iter().map(Some).collect())).collect();
    for at in (0..400).step_by(4) {
        now[at] = match at / 4 % 6 {
            0 => None,
            1 => Some(Vec::new()),
            2 => Some(vec![Some(1.0); 7]),
            3 => Some(vec![None; 8]),
            4 => Some(vec![Some(f64::NAN); 8]),
            _ => Some(vec![Some(f64::INFINITY), Some(1.0)]),
        };
    }
    let now = column(now.iter().map(|row| row.as_deref()));
    let found = judged(&of(&plain), &now);
    assert_eq!(drifting(&found), ["missing"]);
    assert_eq!((found.reference_missing, found.current_missing), (Some(0.0), Some(0.25)));
    let told = found.moved.embedding.expect("told");
    assert_eq!(told.left[1], Left { empty: 34, of_other_length: 33, not_finite: 33 });
    assert_eq!((told.left[1].rows(), told.left[0].rows(), told.width), (100, 0, 8));
    // The same the other way round: what most rows have is what is measured.
    assert_eq!(drifting(&judged(&now, &of(&plain))), ["missing"]);
}

#[test]
fn lists_that_are_no_vectors_are_told_from_them() {
    let lengths = |of: &dyn Fn(usize) -> usize| {
        let rows: Vec<Vec<Option<f64>>> = (0..90).map(|at| vec![Some(1.0); of(at)]).collect();
        Cloud::reference(&column(rows.iter().map(|row| Some(row.as_slice()))))
            .map(|found| found.map(|c| c.measure.width()))
    };
    assert_eq!(lengths(&|at| if at < 46 { 3 } else { at % 9 + 4 }), Ok(Some(3)));
    assert!(lengths(&|at| at % 9 + 1).is_err_and(|why| why.contains("lists of 1 to 9 numbers")));
    assert_eq!(lengths(&|_| 0), Ok(None));
    assert!(lengths(&|at| if at < 3 { vectors::WIDEST + 1 } else { 0 }).is_err());
    assert!(Cloud::reference(&Series::new_empty("v".into(), &DataType::Float64)).is_ok_and(|found| found.is_none()));
    let two = Cloud::reference(&of(&vec![vec![1.0, 2.0]; 30])).expect("vectors").expect("some");
    assert_eq!(Cloud::current(&of(&vec![vec![1.0, 2.0, 3.0]; 30]), &two).width(), Some(3));
}

#[test]
fn few_vectors_one_vector_and_wild_ones_have_an_answer() {
    let same = |rows: usize| of(&vec![vec![1.0, 2.0]; rows]);
    let found = judged(&same(100), &same(100));
    assert_eq!((found.drift, drifting(&found)), (Some(false), vec![]));
    let random = &mut fastrand::Rng::with_seed(3);
    assert_eq!(drifting(&judged(&same(100), &of(&rows(random, 100, cloud(2))))), ["distance"]);
    assert_eq!(judged(&same(100), &of(&rows(random, 10, cloud(2)))).drift, None, "too few to tell");
    assert_eq!(judged(&same(100), &column([None::<&[Option<f64>]>; 50])).drift, Some(true), "all are gone");
    let plain = rows(random, 500, cloud(16));
    let mut wild = rows(random, 500, cloud(16));
    for (at, value) in [1e99, -1e99, 1e30, 1e12].into_iter().enumerate() {
        wild[at * 100][3] = value;
    }
    assert!(drifting(&judged(&of(&plain), &of(&wild))).is_empty(), "{:?}", judged(&of(&plain), &of(&wild)).aspects);
    assert!(drifting(&judged(&of(&wild), &of(&plain))).is_empty());
    // Few values make few distances.
    let coins = |random: &mut fastrand::Rng| {
        of(&(0..300).map(|_| vec![f64::from(random.u8(..2)), f64::from(random.u8(..2)), 1.0]).collect::<Vec<_>>())
    };
    for _ in 0..3 {
        let (one, other) = (coins(random), coins(random));
        assert!(drifting(&judged(&one, &other)).is_empty(), "{:?}", p_values(&judged(&one, &other)));
    }
    // Mostly zero, as where there was nothing to embed.
    let sparse: Vec<Vec<f64>> =
        plain.iter().enumerate().map(|(at, row)| if at % 3 > 0 { vec![0.0; 16] } else { row.clone() }).collect();
    assert!(drifting(&judged(&of(&sparse[..250]), &of(&sparse[250..]))).is_empty());
}

#[test]
fn a_drawn_division_says_the_same_of_the_discrepancy() {
    // Of one distribution but for a small shift: the share of random divisions that are as far apart.
    for (seed, shift) in [(4, 0.0), (5, 0.25)] {
        let random = &mut fastrand::Rng::with_seed(seed);
        let all = [rows(random, 30, cloud(6)), rows(random, 30, Drawn { shift, ..cloud(6) })].concat();
        let of = |rows: &[Vec<f64>]| {
            let found = kernel::Gram::of(&rows[..30], &rows[30..]).radial().expect("defined");
            (found.squared, found.null.p_value(found.squared, found.reciprocals).expect("defined"))
        };
        let (squared, p_value) = of(&all);
        let mut drawn = all.clone();
        let farther = (0..150).filter(|_| {
            random.shuffle(&mut drawn);
            of(&drawn).0 >= squared
        });
        let share = farther.count() as f64 / 150.0;
        assert!((share - p_value).abs() < 0.03 + 3.0 * (p_value * (1.0 - p_value) / 150.0).sqrt(), "{share} {p_value}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// However a column is parted, it is the same cloud.
    #[test]
    fn parts_make_the_whole(cut in 0_usize..120, seed in 0_u64..50) {
        let random = &mut fastrand::Rng::with_seed(seed);
        let whole = of(&rows(random, 120, cloud(5)));
        let cut = i64::try_from(cut).expect("small");
        let parts = [whole.slice(0, usize::try_from(cut).expect("small")), whole.slice(cut, 120)];
        let mut look = cloud::Look::new(120);
        for part in &parts {
            look.add(part);
        }
        let measure = look.measure().expect("vectors").expect("some");
        let mut of_parts = Cloud::new(measure, 120, None);
        for part in &parts {
            of_parts.add(part);
        }
        let of_whole = Cloud::reference(&whole).expect("vectors").expect("some");
        prop_assert_eq!(of_parts.variance(), of_whole.variance());
        prop_assert_eq!(of_parts.distances(), of_whole.distances());
        prop_assert_eq!(of_parts.sample, of_whole.sample);
    }
}

#[test]
fn what_a_cloud_varies_by_itself_is_no_drift() {
    // The mean moves by the hour, and back.
    let hour = |random: &mut fastrand::Rng, hour: u32| {
        of(&rows(random, 60, Drawn { shift: 0.5 * (f64::from(hour) / 24.0 * std::f64::consts::TAU).sin(), ..cloud(4) }))
    };
    let random = &mut fastrand::Rng::with_seed(9);
    let parts: Vec<Series> = (0..48).map(|at| hour(random, at)).collect();
    let mut whole = parts[0].clone();
    for part in &parts[1..] {
        whole.append(part).expect("of one type");
    }
    let mut reference = Cloud::reference(&whole).expect("vectors").expect("some");
    let said = |reference: &Cloud, current: &Series| {
        let current = Cloud::current(current, reference);
        drifting(&judge(vec![Measured::of_embedding("v", reference, &current)], &Thresholds::default()).remove(0))
    };
    let windows: Vec<Series> = [6, 18].map(|at| hour(random, at)).into();
    assert!(windows.iter().all(|window| said(&reference, window).contains(&"centroid")));
    reference.variations = variations(&reference, &parts);
    assert!(windows.iter().all(|window| said(&reference, window).is_empty()), "{:?}", reference.variations);
    let far = of(&rows(random, 60, Drawn { shift: 2.5, ..cloud(4) }));
    assert!(said(&reference, &far).contains(&"centroid"), "more than that is");
}

/// Rows that come by turns, of which every other one is looked at, are met alike: both turns are among them.
#[test]
fn rows_that_come_by_turns_are_met_alike() {
    let turns: Vec<Vec<f64>> =
        (0..4000).map(|at| vec![if at % 2 == 0 { 1.0 } else { -1.0 }, f64::from(at % 7)]).collect();
    let cloud = Cloud::reference(&of(&turns)).expect("vectors").expect("some");
    let ups = cloud.sample.iter().filter(|row| row[0] > 0.0).count();
    assert!(cloud.sample.len() == 2000 && (900..1100).contains(&ups), "{ups} of {}", cloud.sample.len());
}

/// Of hours of many days as many are looked at as of few, and not the same hour of each day.
#[test]
fn the_parts_that_are_looked_at_are_of_all_hours() {
    let random = &mut fastrand::Rng::with_seed(5);
    let parts: Vec<Series> = (0..288)
        .map(|hour: u32| {
            let shift = (f64::from(hour) / 24.0 * std::f64::consts::TAU).sin();
            of(&rows(random, 30, Drawn { shift, ..cloud(3) }))
        })
        .collect();
    let mut whole = parts[0].clone();
    for part in &parts[1..] {
        whole.append(part).expect("of one type");
    }
    let reference = Cloud::reference(&whole).expect("vectors").expect("some");
    let found = variations(&reference, &parts);
    let centroid = found.iter().find(|(aspect, _)| *aspect == Aspect::Centroid).expect("it varies").1;
    assert_eq!(centroid.chunks, PARTS);
    // At the first hour of each day there is nothing of it to be seen.
    assert!(centroid.bound(30.0) > 0.5, "{centroid:?}");
    assert_eq!(variations(&reference, &parts[..23]).first().map(|(_, variation)| variation.chunks), Some(PARTS));
}
