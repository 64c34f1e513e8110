//! Frames in, findings out.

use polars::prelude::{DataFrame, IntoColumn, NamedFrom, NamedFromOwned, Series};

use super::learnt::{Across, Learnt};
use super::*;
use crate::drift::order::{Order, even};
use crate::drift::{Kind, Sample};
use crate::stats::mersenne::Mersenne;

/// Numbers and categories by chance, of which some go together.
struct Source(Mersenne);

impl Source {
    fn uniform(&mut self) -> f64 {
        (f64::from(self.0.below(1 << 30)) + 0.5) / f64::from(1 << 30)
    }

    fn normal(&mut self) -> f64 {
        crate::stats::tails::deviations(self.uniform()) * if self.uniform() < 0.5 { -1.0 } else { 1.0 }
    }

    /// The rank of a category of so many, by Zipf's law nearly.
    fn zipf(&mut self, levels: f64) -> u64 {
        crate::stats::whole::unsigned(levels.powf(self.uniform()))
    }

    fn frame(&mut self, rows: usize) -> DataFrame {
        let hidden: Vec<f64> = (0..rows).map(|_| self.normal()).collect();
        let mut numbers = |of: &dyn Fn(&mut Self, f64) -> f64| -> Vec<f64> {
            hidden.iter().map(|hidden| of(self, *hidden)).collect()
        };
        let age = numbers(&|_, hidden| (40.0 + 12.0 * hidden).round());
        let income = numbers(&|source, hidden| (hidden + 0.5 * source.normal()).exp());
        let height = numbers(&|source, _| source.normal());
        let plan = numbers(&|source, _| source.zipf(8.0) as f64);
        let place = numbers(&|source, _| source.zipf(400.0) as f64);
        let gap = numbers(&|source, _| if source.uniform() < 0.02 { f64::NAN } else { 1.0 + source.uniform() });
        let named = |name: &str, of: Vec<f64>| {
            Series::new(name.into(), of.iter().map(|value| format!("{name}{value}")).collect::<Vec<_>>()).into_column()
        };
        let number = |name: &str, of| Series::from_vec(name.into(), of).into_column();
        let columns = vec![
            number("age", age),
            number("income", income),
            number("height", height),
            named("plan", plan),
            named("place", place),
            number("gap", gap),
        ];
        DataFrame::new(rows, columns).expect("a frame")
    }
}

fn kind(series: &Series) -> Kind {
    if series.dtype() == &polars::prelude::DataType::String { Kind::Categorical } else { Kind::Numeric }
}

fn sample(series: &Series) -> Sample {
    Sample::of(series, kind(series)).expect("a sample")
}

fn columns(frame: &DataFrame) -> impl Iterator<Item = &Series> {
    frame.columns().iter().map(polars::prelude::Column::as_materialized_series)
}

fn side(frame: &DataFrame) -> Across {
    let mut side = Across::new(frame.height());
    columns(frame).for_each(|series| side.add(series, kind(series)));
    side
}

fn learnt(reference: &DataFrame, order: Option<&Order>) -> Learnt {
    let mut learnt = Learnt::default();
    for series in columns(reference) {
        let parts: Vec<Sample> = order.iter().flat_map(|order| order.parts(series)).map(|part| sample(&part)).collect();
        learnt.column(series.name(), &sample(series), &parts);
    }
    let column = |name: &str| Some(reference.column(name).ok()?.as_materialized_series().clone());
    learnt.rows(&side(reference), order, column);
    learnt
}

fn found(learnt: &Learnt, reference: &DataFrame, current: &DataFrame, rules: &Rules) -> Vec<Finding> {
    let of_column = |series: &Series| {
        let before = reference.column(series.name()).expect("the same columns").as_materialized_series();
        learnt.of_column(series.name(), &sample(before), &sample(series))
    };
    let mut suspects: Vec<Suspect> = columns(current).flat_map(of_column).collect();
    suspects.extend(learnt.of_rows(side(current)));
    judge(suspects, rules, &Thresholds::default(), &learnt.own)
}

/// What is found once the window's columns are changed.
fn planted(change: impl Fn(&mut DataFrame)) -> Vec<Finding> {
    let mut source = Source(Mersenne::new(7));
    let reference = source.frame(5000);
    let mut current = source.frame(1000);
    change(&mut current);
    found(&learnt(&reference, None), &reference, &current, &Rules::default())
}

fn lines(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| format!("{}: {}", finding.check.name(), finding.message)).collect()
}

fn set(frame: &mut DataFrame, name: &str, of: impl Fn(usize, f64) -> Option<f64>) {
    let before = frame.column(name).expect("a column").f64().expect("numbers").clone();
    let values: Vec<Option<f64>> = before.iter().enumerate().map(|(at, value)| of(at, value?)).collect();
    frame.with_column(Series::new(name.into(), values).into_column()).expect("as long");
}

fn set_text(frame: &mut DataFrame, name: &str, of: impl Fn(usize, &str) -> String) {
    let before = frame.column(name).expect("a column").str().expect("texts").clone();
    let values: Vec<String> = before.iter().enumerate().map(|(at, value)| of(at, value.unwrap_or_default())).collect();
    frame.with_column(Series::new(name.into(), values).into_column()).expect("as long");
}

#[test]
fn each_fault_is_found_and_nothing_else() {
    let at_random = |frame: &mut DataFrame| {
        // Its values stay what they are, on other rows.
        let height = frame.height();
        let before = frame.column("income").expect("a column").f64().expect("numbers").clone();
        let moved: Vec<Option<f64>> = (0..height).map(|at| before.get((at * 7 + 3) % height)).collect();
        frame.with_column(Series::new("income".into(), moved).into_column()).expect("as long");
    };
    let again = |frame: &mut DataFrame| {
        *frame = frame.head(Some(900)).vstack(&frame.head(Some(100))).expect("the same columns");
    };
    let plan = |frame: &mut DataFrame, of: &dyn Fn(usize, &str) -> String| set_text(frame, "plan", of);
    let height = |frame: &mut DataFrame, of: &dyn Fn(usize, f64) -> Option<f64>| set(frame, "height", of);
    let text = |if_so: bool, new: &str, old: &str| if if_so { new.to_owned() } else { old.to_owned() };
    let found = [
        planted(|_| {}),
        planted(|frame| height(frame, &|at, value| (at % 20 != 0).then_some(value))),
        planted(|frame| set(frame, "age", |at, value| Some(if at % 100 == 0 { -999.0 } else { value }))),
        planted(|frame| plan(frame, &|at, value| text(at % 50 == 0, "enterprise", value))),
        planted(|frame| plan(frame, &|_, value| text(value == "plan3", "plan1", value))),
        planted(|frame| height(frame, &|_, _| Some(0.0))),
        planted(|frame| height(frame, &|_, value| Some(value.round()))),
        planted(again),
        planted(at_random),
    ];
    let found: Vec<Vec<String>> = found.iter().map(|findings| lines(findings)).collect();
    insta::assert_debug_snapshot!(found, @r#"
    [
        [],
        [
            "missing: height: missing in 5.0 % of rows, 0.0 % in the reference",
        ],
        [
            "range: age: 11 values outside of the reference's range: -999 to 81, -3 to 79 in the reference",
        ],
        [
            "new_categories: plan: 2.0 % of values are new: enterprise",
        ],
        [
            "vanished_categories: plan: gone: plan3, 14.0 % of the reference's values",
        ],
        [
            "constant: height: always 0; 100.0 % of the reference's values are another",
        ],
        [
            "cardinality: height: 8 different values in 1\u{202f}000 rows, 1\u{202f}000 in the reference",
        ],
        [
            "duplicated_rows: 10.0 % of rows repeat another, 0.0 % in the reference",
        ],
        [
            "correlation: age and income: rank correlation 0.00, 0.88 in the reference",
        ],
    ]
    "#);
}

#[test]
fn nothing_is_found_where_nothing_changes() {
    let mut wrong = Vec::new();
    let mut windows = 0;
    for (rows, window, references) in [(500, 200, 6), (500, 2000, 3), (5000, 200, 3), (5000, 1000, 3)] {
        for seed in 0..references {
            let mut source = Source(Mersenne::new(100 * rows as u64 + seed));
            let reference = source.frame(rows);
            let learnt = learnt(&reference, None);
            for _ in 0..10 {
                windows += 1;
                let current = source.frame(window);
                wrong.extend(lines(&found(&learnt, &reference, &current, &Rules::default())));
            }
        }
    }
    assert!(wrong.is_empty(), "of {windows} windows: {wrong:#?}");
}

#[test]
fn what_the_references_own_windows_show_is_no_finding() {
    let mut source = Source(Mersenne::new(3));
    // Every other window lacks a plan and half of its heights, as nights may.
    let night = |frame: &mut DataFrame| {
        set(frame, "height", |at, value| (at % 2 == 0).then_some(value));
        set_text(frame, "plan", |_, value| if value == "plan2" { "plan1".to_owned() } else { value.to_owned() });
    };
    let mut reference = source.frame(0);
    for hour in 0..20 {
        let mut part = source.frame(300);
        if hour % 2 == 1 {
            night(&mut part);
        }
        reference = reference.vstack(&part).expect("the same columns");
    }
    let order = Order::new((0..6000).collect(), even(6000, 300));
    let mut current = source.frame(300);
    night(&mut current);
    let of = |order| lines(&found(&learnt(&reference, order), &reference, &current, &Rules::default()));
    let checks: Vec<String> = of(None).iter().filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect();
    assert_eq!(checks, ["missing", "vanished_categories"]);
    assert_eq!(of(Some(&order)), Vec::<String>::new());
}

/// One outage within the reference hides no other, and what comes again at its time is no finding.
#[test]
fn an_outage_within_the_reference_hides_no_other() {
    let mut source = Source(Mersenne::new(5));
    let out = |frame: &mut DataFrame| {
        set(frame, "height", |at, value| (at % 5 > 1).then_some(value));
        set_text(frame, "plan", |at, value| if at % 4 == 0 { "none".to_owned() } else { value.to_owned() });
    };
    let mut windows = |outages: &[usize]| {
        let mut reference = source.frame(0);
        for hour in 0..24 {
            let mut part = source.frame(200);
            if outages.contains(&hour) {
                out(&mut part);
            }
            reference = reference.vstack(&part).expect("the same columns");
        }
        let order = Order::new((0..4800).collect(), even(4800, 200));
        let learnt = learnt(&reference, Some(&order));
        let mut current = source.frame(200);
        let calm = lines(&found(&learnt, &reference, &current, &Rules::default()));
        out(&mut current);
        (calm, lines(&found(&learnt, &reference, &current, &Rules::default())))
    };
    let (calm, told) = windows(&[9]);
    assert_eq!(calm, Vec::<String>::new());
    assert!(told.iter().any(|line| line.starts_with("missing: height: ")), "{told:?}");
    let (calm, usual) = windows(&[9, 17]);
    assert_eq!((calm, usual), (Vec::new(), Vec::new()), "seen twice, it is usual");
}

/// A week of hours whose rows hang together and move with the hour, of which one hour was an outage: in the hours after it neither the
/// verdict nor a check is wrong in more than one of a hundred, and an outage like that one is told by both.
#[test]
fn seasons_are_calm_and_an_outage_is_told_though_the_reference_has_one() {
    use crate::drift::baseline::Baseline;
    use crate::drift::modes::Mode;
    use crate::drift::verdict::{Measured, Verdict, judge as judge_drift};
    const ROWS: usize = 100;
    let mut source = Source(Mersenne::new(21));
    let mut hour = |at: u32, season: f64, categories: bool, out: bool| {
        let level = season * (f64::from(at) / 24.0 * std::f64::consts::TAU).sin();
        let mut last = source.normal();
        let mut row = || {
            last = 0.7 * last + 0.51_f64.sqrt() * source.normal();
            (!out || source.uniform() > 0.4).then_some(last + level)
        };
        if categories {
            Sample::categorical((0..ROWS).map(|_| row().map(|value| format!("{:.0}", (value * 1.5).clamp(-4.0, 4.0)))))
        } else {
            Sample::numeric((0..ROWS).map(|_| row()))
        }
    };
    let (mut windows, mut wrong, mut faulty) = (0_u32, 0_u32, 0_u32);
    for (season, categories) in [(0.0, false), (0.3, false), (1.0, false), (0.0, true), (0.3, true), (1.0, true)] {
        let parts: Vec<Sample> = (0..168).map(|at| hour(at, season, categories, at == 100)).collect();
        let baseline = Baseline::new(together(&parts)).with_chunks(&parts);
        let mut learnt = Learnt::default();
        learnt.column("c", &baseline.sample, &parts);
        let of = |current: &Sample| {
            let measured = Measured::new("c", &baseline, current, &[], Mode::Default);
            let drift = judge_drift(vec![measured], &Thresholds::default()).remove(0).verdict == Verdict::Drift;
            let suspects = learnt.of_column("c", &baseline.sample, current);
            (drift, judge(suspects, &Rules::default(), &Thresholds::default(), &learnt.own))
        };
        for at in 168..216 {
            let (drift, faults) = of(&hour(at, season, categories, false));
            windows += 1;
            wrong += u32::from(drift);
            faulty += u32::from(!faults.is_empty());
        }
        let (drift, faults) = of(&hour(230, season, categories, true));
        assert!(drift && faults.iter().any(|fault| fault.check == Check::Missing), "{season} {faults:?}");
    }
    assert!(wrong * 100 <= windows && faulty * 100 <= windows, "{wrong} and {faulty} of {windows}");
}

/// Parts of a column as one.
fn together(parts: &[Sample]) -> Sample {
    let missing = parts.iter().map(Sample::missing).sum();
    let (mut sorted, mut all) = (Vec::new(), BTreeMap::<String, u64>::new());
    for part in parts {
        match part {
            Sample::Numeric { sorted: values, .. } => sorted.extend(values),
            Sample::Categorical { counts, .. } => {
                for (name, rows) in counts {
                    let known = all.entry(name.clone()).or_default();
                    *known = known.saturating_add(*rows);
                }
            }
        }
    }
    sorted.sort_by(f64::total_cmp);
    if all.is_empty() { Sample::Numeric { sorted, missing } } else { Sample::Categorical { counts: all, missing } }
}

/// What reaches new ranges or has new categories in each of the reference's own windows is no finding when it does so again.
#[test]
fn what_is_new_in_each_window_is_no_finding() {
    let window = |hour: i32| {
        let numbers: Vec<f64> = (0..300).map(|i| f64::from(hour * 300 + i * 37 % 300)).collect();
        let names: Vec<String> = (0..300).map(|i| format!("campaign {}", hour + i % 3)).collect();
        let columns = vec![
            Series::from_vec("number".into(), numbers).into_column(),
            Series::new("campaign".into(), names).into_column(),
        ];
        DataFrame::new(300, columns).expect("a frame")
    };
    let mut reference = window(0);
    for hour in 1..20 {
        reference = reference.vstack(&window(hour)).expect("the same columns");
    }
    let order = Order::new((0..6000).collect(), even(6000, 300));
    let of = |order| {
        let found = found(&learnt(&reference, order), &reference, &window(20), &Rules::default());
        found.into_iter().map(|finding| finding.check).collect::<Vec<_>>()
    };
    assert!(of(None).contains(&Check::Range) && of(None).contains(&Check::NewCategories), "{:?}", of(None));
    let with_times = of(Some(&order));
    assert!(!with_times.contains(&Check::Range) && !with_times.contains(&Check::NewCategories), "{with_times:?}");
}

/// Rows that come by turns are met alike, wherever the file begins.
#[test]
fn rows_that_come_by_turns_are_no_finding() {
    let turns = |rows: i32, from: i32| {
        let mut source = Source(Mersenne::new(11 + u64::from(from.unsigned_abs())));
        let power: Vec<f64> = (0..rows).map(|_| source.normal()).collect();
        let turn = |i: i32| if (i + from) % 2 == 0 { 1.0 } else { -1.0 };
        let heat: Vec<f64> = power.iter().zip(0..).map(|(power, i)| power * turn(i) + 0.1 * source.normal()).collect();
        let columns = vec![
            Series::from_vec("power".into(), power).into_column(),
            Series::from_vec("heat".into(), heat).into_column(),
        ];
        DataFrame::new(usize::try_from(rows).expect("some"), columns).expect("a frame")
    };
    let (reference, current) = (turns(8000, 0), turns(8001, 1));
    let learnt = learnt(&reference, None);
    assert_eq!(lines(&found(&learnt, &reference, &current, &Rules::default())), Vec::<String>::new());
}

#[test]
fn rules_turn_checks_off_and_set_their_limits() {
    let rules: Rules = toml::from_str("disabled = [\"constant\"]\nlimits = { missing = 0.2 }").expect("rules");
    assert!(!rules.asks(Check::Constant) && rules.asks(Check::Missing) && rules.problems().is_empty());
    let suspect = |check, value, p_value| Suspect {
        check,
        columns: vec!["a".to_owned()],
        value,
        p_value,
        detail: Detail::Missing { before: 0.0, now: value },
    };
    let judged = |value, p_value, own: &Own| {
        judge(vec![suspect(Check::Missing, value, p_value)], &rules, &Thresholds::default(), own).len()
    };
    let none = Own::new();
    assert_eq!([judged(0.3, Some(1e-9), &none), judged(0.3, Some(0.01), &none), judged(0.1, None, &none)], [1, 0, 0]);
    let own: Own = [((Check::Missing, vec!["a".to_owned()]), 0.25)].into();
    assert_eq!(judged(0.3, Some(1e-9), &own), 0);
    let constant = vec![suspect(Check::Constant, 1.0, None)];
    assert!(judge(constant, &rules, &Thresholds::default(), &none).is_empty());
    let wrong: Rules =
        toml::from_str("limits = { missing = 2.0, cardinality = 0.5, staleness = 1.0, correlation = 0.3 }")
            .expect("rules");
    let fields: Vec<String> = wrong.problems().into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["limits.missing", "limits.cardinality", "limits.staleness"]);
    assert!(toml::from_str::<Rules>("disabled = [\"sense\"]").is_err());
}

#[test]
fn every_check_has_its_name_in_the_settings() {
    for check in Check::ALL {
        assert_eq!(serde_json::to_value(check).expect("a name"), check.name());
    }
}
