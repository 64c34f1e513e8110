use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::catalogue;
use crate::metric::{Attribute, MODEL_DRIFT, Subject};

fn metric(name: &str) -> &'static Metric {
    catalogue::named(name).expect("a metric")
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_442_820 + second).expect("a time")
}

fn rule(text: &str) -> Rule {
    toml::from_str(&format!("name = \"R\"\nmessage = \"{{container.name}} at {{value}}\"\n{text}")).expect("a rule")
}

fn engine(rule: Rule) -> Engine {
    Engine::new("node-1".to_owned(), vec![rule], 10, Kept::default(), at(0))
}

fn subject(name: &str) -> Arc<Subject> {
    let attribute =
        |key: &'static str, value: &str| Attribute { key: key.into(), value: value.to_owned(), label: true };
    Arc::new(Subject { attributes: vec![attribute("container.id", "changes"), attribute("container.name", name)] })
}

fn usage(name: &str, value: f64, second: i64) -> Point {
    Point::new(metric("container.cpu.usage"), &subject(name), vec![], Number::Float(value), None, at(second))
}

fn state(engine: &Engine) -> Option<AlertState> {
    engine.view().alerts.first().map(|alert| alert.state)
}

const USAGE: &str =
    "metric = \"container.cpu.usage\"\nabove = 0.9\nclear = 0.5\nfor = \"30s\"\nkeep_firing_for = \"20s\"";

#[test]
fn an_alert_waits_fires_holds_on_and_resolves() {
    let mut engine = engine(rule(USAGE));
    let mut step = |second, value| {
        engine.step(&[&usage("web", value, second)], at(second));
        (state(&engine), engine.view().events.len())
    };
    use AlertState::{Firing, Pending};
    assert_eq!(step(0, 0.8), (None, 0));
    assert_eq!(step(10, 0.95), (Some(Pending), 0));
    assert_eq!(step(20, 0.8), (None, 0), "a dip ends what is pending, in silence");
    assert_eq!(step(30, 0.95), (Some(Pending), 0));
    assert_eq!(step(60, 0.95), (Some(Firing), 1));
    assert_eq!(step(70, 0.6), (Some(Firing), 1), "not yet at the clear level");
    assert_eq!(step(80, 0.4), (Some(Firing), 1), "kept for a while");
    assert_eq!(step(90, 0.95), (Some(Firing), 1), "back again");
    assert_eq!(step(100, 0.4), (Some(Firing), 1));
    assert_eq!(step(120, 0.4), (None, 2));
    let view = engine.view();
    let over = &view.resolved[0];
    assert_eq!((over.state, over.fired, over.resolved), (AlertState::Resolved, Some(at(60)), Some(at(120))));
    assert_eq!(over.labels, [("container.name".to_owned(), "web".to_owned())].into());
    assert_eq!(over.message, "web at 0.95 cores");
}

#[test]
fn a_restart_resolves_nothing_and_counts_for_nobody() {
    let mut first = engine(rule(USAGE));
    for second in [0, 10, 20, 30, 40] {
        first.step(
            &[&usage("web", 0.95, second), &usage("db", if second < 20 { 0.1 } else { 0.95 }, second)],
            at(second),
        );
    }
    let kept = first.kept(at(40), u64::MAX);
    let text = serde_json::to_string(&kept).expect("json");
    let kept: Kept = serde_json::from_str(&text).expect("back");
    let mut second = Engine::new("node-1".to_owned(), vec![rule(USAGE)], 10, kept, at(1000));
    let states = |engine: &Engine| engine.view().alerts.iter().map(|a| a.state).collect::<Vec<_>>();
    assert_eq!(states(&second), [AlertState::Firing, AlertState::Pending]);
    second.step(&[], at(1000));
    assert_eq!(states(&second).len(), 2, "nothing is told yet");
    second.step(&[&usage("web", 0.95, 1005), &usage("db", 0.95, 1005)], at(1005));
    assert_eq!(states(&second), [AlertState::Firing, AlertState::Pending], "20 s before, 5 s after");
    second.step(&[&usage("web", 0.95, 1010), &usage("db", 0.95, 1010)], at(1010));
    assert_eq!(states(&second), [AlertState::Firing; 2]);
    assert_eq!(second.view().events.len(), 1, "who fired before is not told of again");
}

#[test]
fn a_series_that_goes_resolves_after_a_while() {
    let mut engine = engine(Rule { hold: Duration::ZERO, ..rule(USAGE) });
    engine.step(&[&usage("web", 0.95, 0)], at(0));
    engine.step(&[], at(100));
    assert_eq!(state(&engine), Some(AlertState::Firing));
    engine.step(&[], at(120));
    assert_eq!((state(&engine), engine.view().resolved.len()), (None, 1));
}

#[test]
fn a_kill_fires_even_if_the_container_is_gone_at_once() {
    let mut engine = engine(rule("metric = \"plumbline.container.memory.oom_kills\"\nover = \"10m\"\nabove = 0"));
    let kills = |value, started| {
        Point::new(
            metric("plumbline.container.memory.oom_kills"),
            &subject("web"),
            vec![],
            Number::Int(value),
            Some(at(started)),
            at(0),
        )
    };
    engine.step(&[&kills(3, -100)], at(0));
    engine.step(&[&kills(3, -100)], at(10));
    assert_eq!(state(&engine), None, "kills of before we looked");
    engine.step(&[&kills(1, 15)], at(20));
    assert_eq!(state(&engine), Some(AlertState::Firing), "a new run, killed at once");
    engine.step(&[], at(30));
    assert_eq!(state(&engine), Some(AlertState::Firing));
}

#[test]
fn a_counter_goes_on_over_a_restart() {
    let kills_rule = || rule("metric = \"plumbline.container.memory.oom_kills\"\nover = \"10m\"\nabove = 0");
    let kills = |value| {
        Point::new(
            metric("plumbline.container.memory.oom_kills"),
            &subject("web"),
            vec![],
            Number::Int(value),
            Some(at(-100)),
            at(0),
        )
    };
    let mut first = engine(kills_rule());
    first.step(&[&kills(3)], at(0));
    first.step(&[&kills(4)], at(10));
    assert_eq!(state(&first), Some(AlertState::Firing));
    let again = |kept, now| Engine::new("node-1".to_owned(), vec![kills_rule()], 10, kept, at(now));
    let mut second = again(first.kept(at(10), u64::MAX), 40);
    second.step(&[&kills(4)], at(41));
    assert_eq!((state(&second), second.view().events.len()), (Some(AlertState::Firing), 0), "still within its window");
    second.step(&[&kills(4)], at(800));
    assert_eq!(state(&second), None);
    // A kill while nobody looked.
    let mut third = again(second.kept(at(800), u64::MAX), 900);
    third.step(&[&kills(5)], at(901));
    assert_eq!(state(&third), Some(AlertState::Firing));
}

#[test]
fn rules_that_go_take_their_alerts_along_and_the_bound_holds() {
    let mut engine = engine(rule("metric = \"container.cpu.usage\"\nabove = 0.5"));
    let points: Vec<Point> = (0..15).map(|n| usage(&format!("c{n}"), 1.0, 0)).collect();
    engine.step(&points.iter().collect::<Vec<_>>(), at(0));
    assert_eq!((engine.view().alerts.len(), engine.view().left_out), (10, 5));
    engine.configure(Vec::new(), 10);
    assert!(engine.step(&points.iter().collect::<Vec<_>>(), at(10)));
    assert_eq!((engine.view().alerts.len(), engine.view().resolved.len()), (0, 10));
}

#[test]
fn only_and_below_choose_their_series() {
    let mut engine = engine(rule("metric = \"plumbline.model.drift\"\nonly = { model = \"a\" }\nbelow = 0.5"));
    let node = Arc::new(Subject::node());
    let drift = |model: &'static str, value| {
        Point::new(&MODEL_DRIFT, &node, vec![("model", model.into())], Number::Int(value), None, at(0))
    };
    engine.step(&[&drift("a", 1), &drift("b", 0)], at(0));
    assert_eq!(state(&engine), None);
    engine.step(&[&drift("a", 0), &drift("b", 0)], at(1));
    assert_eq!(engine.view().alerts.len(), 1);
}

#[test]
fn events_that_nobody_took_are_told_after_a_restart() {
    let mut first = engine(rule("metric = \"container.cpu.usage\"\nabove = 0.5"));
    first.step(&[&usage("web", 1.0, 0), &usage("db", 1.0, 0)], at(0));
    assert_eq!(first.view().events.len(), 2);
    let text = serde_json::to_string(&first.kept(at(10), 1)).expect("json");
    let kept: Kept = serde_json::from_str(&text).expect("back");
    let mut second = Engine::new("node-1".to_owned(), first.rules.clone(), 10, kept, at(1000));
    second.step(&[&usage("web", 1.0, 1000), &usage("db", 1.0, 1000), &usage("new", 1.0, 1000)], at(1000));
    let told: Vec<(u64, String)> =
        second.view().events.iter().map(|event| (event.sequence, event.alert.message.clone())).collect();
    // The first was taken before; numbers go on.
    assert_eq!(told.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>(), [2, 3]);
    assert!(told[1].1.starts_with("new"), "{told:?}");
    assert!(second.kept(at(1000 + 86_400), 0).events.is_empty(), "after a day nobody wants to hear of it");
}

#[test]
fn a_critical_alert_displaces_an_info_one() {
    let at = |name: &str, severity: &str, above: f64| {
        let text = format!(
            "name = \"{name}\"\nmetric = \"container.cpu.usage\"\nabove = {above}\nseverity = \"{severity}\"\nmessage = \"m\""
        );
        toml::from_str::<Rule>(&text).expect("a rule")
    };
    let rules = vec![at("Info", "info", 0.1), at("Critical", "critical", 0.8)];
    let mut engine = Engine::new("node-1".to_owned(), rules, 10, Kept::default(), self::at(0));
    let points = |loud: usize| -> Vec<Point> {
        (0..10).map(|n| usage(&format!("c{n}"), if n < loud { 0.9 } else { 0.5 }, 0)).collect()
    };
    let mut step = |loud: usize, second: i64| {
        engine.step(&points(loud).iter().collect::<Vec<_>>(), self::at(second));
        let view = engine.view();
        let count = |name: &str| view.alerts.iter().filter(|alert| alert.name == name).count();
        (count("Critical"), count("Info"), view.left_out)
    };
    assert_eq!(step(0, 0), (0, 10, 0));
    assert_eq!(step(3, 10), (3, 7, 3), "three give way, and are counted");
    assert_eq!(step(3, 20), (3, 7, 3), "and it stays so");
    assert_eq!(step(10, 30), (10, 0, 10));
    // Who was told that one fires is told of its end, and why.
    let ended: Vec<String> = engine.view().resolved.iter().map(|alert| alert.message.clone()).collect();
    assert_eq!(ended.len(), 10);
    assert!(
        ended.iter().all(|message| message.ends_with("(no longer followed: alerting.max_alerts is reached)")),
        "{ended:?}"
    );
}

proptest! {
    /// Whatever the values: an alert fires only after its condition held for as long as the rule says, and each that fires
    /// is told of once, each that is over once.
    #[test]
    fn nothing_fires_early_and_all_is_told_once(values in prop::collection::vec(0.0..1.5_f64, 1..200)) {
        let mut engine = engine(rule(USAGE));
        let mut held_since: Option<i64> = None;
        for (tick, value) in (0_i64..).zip(&values) {
            let second = tick * 10;
            held_since = if *value > 0.9 { held_since.or(Some(second)) } else { None };
            let fired = engine.view().firing().count();
            engine.step(&[&usage("web", *value, second)], at(second));
            if fired == 0 && engine.view().firing().count() == 1 {
                prop_assert!(held_since.is_some_and(|since| second - since >= 30));
            }
        }
        let view = engine.view();
        let told = |state| view.events.iter().filter(|event| event.alert.state == state).count();
        let (fired, resolved) = (told(AlertState::Firing), told(AlertState::Resolved));
        prop_assert_eq!(fired - resolved, view.firing().count());
    }
}
