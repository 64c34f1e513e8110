use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::catalogue;
use crate::metric::attribute::{CONTAINER_ID, CONTAINER_NAME};
use crate::metric::{Attribute, Subject};

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
    subject_of("changes", name)
}

fn subject_of(id: &str, name: &str) -> Arc<Subject> {
    let attributes = vec![Attribute::new(&CONTAINER_ID, id), Attribute::new(&CONTAINER_NAME, name)];
    Arc::new(Subject { attributes })
}

fn kills(id: &str, value: u64, started: i64) -> Point {
    Point::new(
        metric("plumbline.container.memory.oom_kills"),
        &subject_of(id, "web"),
        vec![],
        Number::Int(value),
        Some(at(started)),
        at(0),
    )
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
    assert_eq!((over.value, over.worst), (0.4, Some(0.95)), "the last, and the one farthest beyond");
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
        Point::new(
            metric("plumbline.model.drift"),
            &node,
            vec![("model", model.into())],
            Number::Int(value),
            None,
            at(0),
        )
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

const KILLS: &str = "metric = \"plumbline.container.memory.oom_kills\"\nover = \"10m\"\nabove = 0";

/// Fires at once and is over at once.
fn prompt() -> Rule {
    Rule { hold: Duration::ZERO, keep_firing_for: Duration::ZERO, ..rule(USAGE) }
}

#[test]
fn a_firing_alert_holds_on_until_the_clear_level_and_says_its_last_value() {
    let mut engine = engine(prompt());
    let step = |engine: &mut Engine, second, value| {
        engine.step(&[&usage("web", value, second)], at(second));
        engine.view().alerts.into_iter().next()
    };
    step(&mut engine, 0, 0.95);
    let alert = step(&mut engine, 10, 0.6).expect("below the threshold, though not at the clear level");
    assert_eq!((alert.state, alert.value, alert.message.as_str()), (AlertState::Firing, 0.6, "web at 0.6 cores"));
    engine.configure(vec![Rule { severity: Severity::Critical, above: Some(0.8), ..prompt() }], 10);
    let alert = step(&mut engine, 20, 0.6).expect("it goes on");
    assert_eq!((alert.severity, alert.threshold), (Severity::Critical, 0.8), "as the rule is now");
    assert_eq!(step(&mut engine, 30, 0.5), None);
}

#[test]
fn a_step_tells_whether_anything_changed() {
    let mut engine = engine(rule(USAGE));
    let changes = [(0, 0.95), (10, 0.95), (30, 0.95), (40, 0.95), (50, 0.4), (70, 0.4), (80, 0.4)]
        .map(|(second, value)| engine.step(&[&usage("web", value, second)], at(second)));
    assert_eq!(changes, [true, false, true, false, false, true, false], "pending, firing and over");
}

#[test]
fn who_is_absent_is_waited_for_from_when_it_was_last_told_of() {
    let patient = |hold| Rule { hold, keep_firing_for: Duration::from_secs(300), ..rule(USAGE) };
    let mut firing = engine(patient(Duration::ZERO));
    firing.step(&[&usage("web", 0.95, 0)], at(0));
    firing.step(&[&usage("web", 0.95, 100)], at(100));
    firing.step(&[], at(399));
    assert_eq!(state(&firing), Some(AlertState::Firing), "for as long as the rule keeps it firing");
    firing.step(&[], at(400));
    assert_eq!(state(&firing), None);
    let mut pending = engine(patient(Duration::from_secs(600)));
    pending.step(&[&usage("web", 0.95, 0)], at(0));
    pending.step(&[], at(119));
    assert_eq!(state(&pending), Some(AlertState::Pending));
    pending.step(&[], at(120));
    assert_eq!(state(&pending), None, "what never fired is not kept firing");
}

#[test]
fn of_a_restart_an_alert_keeps_its_times_and_no_time_is_of_the_future() {
    let mut first = engine(Rule { hold: Duration::ZERO, ..rule(USAGE) });
    first.step(&[&usage("web", 0.95, 0), &usage("db", 0.95, 0)], at(0));
    first.step(&[&usage("web", 0.4, 30)], at(30));
    first.step(&[&usage("web", 0.4, 40)], at(40));
    let again = |kept: Kept, bound| Engine::new("node-1".to_owned(), vec![rule(USAGE)], bound, kept, at(1000));
    let kept = first.kept(at(40), u64::MAX);
    let mut second = again(kept.clone(), 10);
    let web = |engine: &Engine| engine.view().alerts.into_iter().find(|alert| alert.labels["container.name"] == "web");
    assert_eq!(web(&second).map(|alert| (alert.since, alert.fired)), Some((at(0), Some(at(0)))));
    second.step(&[&usage("web", 0.4, 1009)], at(1009));
    assert!(web(&second).is_some(), "clear for 10 s before and 9 s after");
    second.step(&[&usage("web", 0.4, 1010)], at(1010));
    assert_eq!(web(&second), None);
    assert_eq!(again(kept.clone(), 1).view().alerts.len(), 1, "the bound holds from the beginning");

    // A file that somebody edited.
    let far = at(5000);
    let mut odd = kept;
    let over = Alert { state: AlertState::Resolved, resolved: Some(far), since: far, ..odd.alerts[0].alert.clone() };
    odd.resolved.push(over.clone());
    for held in &mut odd.alerts {
        (held.alert.since, held.alert.fired, held.seen, held.cleared) = (far, Some(far), far, None);
    }
    odd.alerts.push(Active { alert: Alert { labels: Labels::default(), ..over }, seen: far, cleared: None });
    let mut third = again(odd, 10);
    let view = third.view();
    assert_eq!(view.alerts.len(), 2, "what is over is not followed");
    for alert in view.alerts.iter().chain(&view.resolved) {
        assert!([Some(alert.since), alert.fired, alert.resolved].into_iter().flatten().all(|time| time <= at(1000)));
    }
    third.step(&[], at(1120));
    assert_eq!(third.view().alerts, [], "two minutes later they are absent");
}

#[test]
fn what_is_shown_and_kept_is_by_the_wall_clock() {
    let mut engine = engine(Rule { hold: Duration::ZERO, ..rule(USAGE) });
    engine.configure(
        vec![Rule { hold: Duration::ZERO, ..rule(USAGE) }, Rule { name: "K".to_owned(), ..rule(KILLS) }],
        10,
    );
    engine.step(&[&usage("web", 0.95, 0), &usage("db", 0.95, 0), &kills("a", 0, -100)], at(0));
    engine.step(&[&usage("web", 0.4, 10), &usage("db", 0.4, 10), &kills("a", 1, -100)], at(10));
    engine.step(&[&usage("web", 0.4, 30)], at(30));
    let (steady, hour) = (engine.kept(at(30), 0), SignedDuration::from_hours(1));
    engine.correct(hour);
    let wall = engine.kept(at(30), 0);
    let later = |seconds: i64| at(3600 + seconds);
    assert_eq!((steady.alerts.len(), steady.resolved.len(), steady.events.len()), (2, 1, 4));
    assert_eq!(wall.at, Some(later(30)));
    let db = wall.alerts.iter().find(|held| held.alert.name == "R").expect("it is kept");
    assert_eq!((db.alert.since, db.seen, db.cleared), (later(0), later(10), Some(later(10))));
    assert_eq!(wall.resolved[0].resolved, Some(later(30)));
    assert_eq!(wall.events[0].at, later(0));
    let (before, after) = (&steady.trails[0], &wall.trails[0]);
    let mut trail = before.trail.clone();
    trail.shift(hour);
    assert_eq!((&after.trail, after.seen), (&trail, later(10)));
    assert_ne!(trail, before.trail);
    let view = engine.view();
    assert_eq!((view.alerts[0].fired, view.events[0].at), (Some(later(10)), later(0)), "{view:?}");
}

#[test]
fn the_worst_series_of_a_container_counts_and_counters_are_summed() {
    for values in [[0.95, 0.2], [0.2, 0.95]] {
        let mut engine = engine(prompt());
        let of = |id, value| {
            Point::new(metric("container.cpu.usage"), &subject_of(id, "web"), vec![], Number::Float(value), None, at(0))
        };
        engine.step(&[&of("a", values[0]), &of("b", values[1])], at(0));
        assert_eq!(engine.view().alerts[0].message, "web at 0.95 cores");
    }
    let mut engine = engine(rule(KILLS));
    engine.step(&[&kills("a", 1, -100), &kills("b", 7, -100)], at(0));
    engine.step(&[&kills("a", 2, -100), &kills("b", 9, -100)], at(10));
    assert_eq!(engine.view().alerts[0].message, "web at 3", "one of the one and two of the other");
}

#[test]
fn one_counter_is_divided_by_the_other_where_that_grew() {
    let mut engine = engine(rule(
        "metric = \"plumbline.container.cpu.throttled.periods\"\nper = \"plumbline.container.cpu.periods\"\nover = \"5m\"\nabove = 0.25",
    ));
    let mut step = |second, throttled, periods| {
        let of = |metric, value| Point::new(metric, &subject("web"), vec![], Number::Int(value), Some(at(-100)), at(0));
        engine.step(
            &[
                &of(metric("plumbline.container.cpu.throttled.periods"), throttled),
                &of(metric("plumbline.container.cpu.periods"), periods),
            ],
            at(second),
        );
        engine.view().alerts.first().map(|alert| (alert.value, alert.message.clone()))
    };
    assert_eq!(step(0, 500, 1000), None);
    assert_eq!(step(10, 501, 1000), None, "a share of nothing is none");
    assert_eq!(step(20, 530, 1100), Some((0.3, "web at 30.0 %".to_owned())));
}

#[test]
fn what_began_under_our_eyes_counts_from_zero_by_either_clock() {
    let fires = |ahead: i64, started: i64| {
        let mut engine = engine(rule(KILLS));
        engine.correct(SignedDuration::from_secs(ahead));
        engine.step(&[&kills("a", 1, started)], at(20));
        state(&engine).is_some()
    };
    assert!(fires(0, 15) && !fires(0, -1));
    // The clock was set an hour ahead: starts are by the wall clock.
    assert!(fires(3600, 3615) && fires(3600, 3600) && !fires(3600, 3500));
    assert!(fires(3600, 0), "our own start is by the clock of that time");
}

#[test]
fn what_is_long_over_is_forgotten() {
    let mut engine = engine(rule(KILLS));
    let longer = Rule { name: "Longer".to_owned(), over: Some(Duration::from_secs(1200)), ..rule(KILLS) };
    engine.configure(vec![rule(KILLS), longer, Rule { name: "Usage".to_owned(), ..prompt() }], 10);
    engine.step(&[&kills("a", 1, -100), &usage("web", 0.95, 0)], at(0));
    engine.step(&[&usage("web", 0.1, 1200)], at(1200));
    assert_eq!((engine.trails.len(), engine.view().resolved.len()), (2, 1), "a rule looks back as far");
    engine.step(&[], at(1201));
    assert_eq!(engine.trails.len(), 0);
    engine.step(&[], at(1200 + 14 * 86_400 - 1));
    assert_eq!(engine.view().resolved.len(), 1);
    engine.step(&[], at(1200 + 14 * 86_400));
    assert_eq!(engine.view().resolved.len(), 0, "two weeks later");
}

#[test]
fn what_is_held_for_others_is_bounded_and_the_newest_comes_first() {
    let mut engine = engine(prompt());
    engine.configure(vec![prompt()], 5000);
    let all = |value, second| (0..1002).map(|n| usage(&format!("c{n}"), value, second)).collect::<Vec<_>>();
    engine.step(&all(0.95, 0).iter().collect::<Vec<_>>(), at(0));
    let events = engine.view().events;
    assert_eq!((events.len(), events[0].sequence, engine.sequence), (1000, 3, 1002));
    engine.step(&all(0.1, 10)[..1001].iter().collect::<Vec<_>>(), at(10));
    engine.step(&all(0.1, 20).iter().collect::<Vec<_>>(), at(20));
    let view = engine.view();
    assert_eq!((view.resolved.len(), view.over), (1000, 1002));
    assert_eq!((view.resolved[0].resolved, view.resolved[1].resolved), (Some(at(20)), Some(at(10))));
    assert_eq!(view.newly_over(1000).count(), 2);
    // What there was no room for is counted, over a restart too, and until it would have been forgotten anyway.
    assert_eq!(view.resolved_left_out, 2);
    let mut again = Engine::new("node-1".to_owned(), vec![prompt()], 10, engine.kept(at(30), 0), at(30));
    assert_eq!((again.view().resolved.len(), again.view().resolved_left_out), (1000, 2));
    again.step(&[], at(10 + 14 * 86_400));
    assert_eq!((again.view().resolved.len(), again.view().resolved_left_out), (1, 0));
}

#[test]
fn the_least_severe_gives_way_then_what_is_pending_then_the_newest() {
    let named = |name: &str, severity, above, hold| Rule {
        name: name.to_owned(),
        severity,
        hold: Duration::from_secs(hold),
        above: Some(above),
        clear: None,
        ..prompt()
    };
    // In an order of names that decides nothing.
    let all = [
        named("A", Severity::Warning, 0.5, 0),
        named("B", Severity::Info, 0.5, 0),
        named("C", Severity::Info, 0.6, 0),
        named("D", Severity::Info, 0.5, 3600),
        named("E", Severity::Critical, 0.9, 0),
    ];
    let mut engine = Engine::new("node-1".to_owned(), all.to_vec(), 4, Kept::default(), at(0));
    engine.step(&[&usage("web", 0.55, 0)], at(0));
    engine.step(&[&usage("web", 0.65, 10)], at(10));
    let names = |engine: &Engine| engine.active.keys().map(|(name, _)| name.clone()).collect::<String>();
    assert_eq!(names(&engine), "ABCD");
    let mut left = String::new();
    let mut rules = all.to_vec();
    for more in ["E", "F", "G", "H"] {
        rules.truncate(rules.iter().position(|rule| rule.name == more).unwrap_or(rules.len()));
        // The rules of those that gave way are quiet from now on, else they would begin anew.
        rules.retain(|rule| {
            rule.severity == Severity::Critical || engine.active.keys().any(|(name, _)| *name == rule.name)
        });
        rules.push(named(more, Severity::Critical, 0.5, 0));
        engine.configure(rules.clone(), 4);
        engine.step(&[&usage("web", 0.65, 20)], at(20));
        left += &names(&engine);
        left.push(' ');
    }
    assert_eq!(left, "ABCE ABEF AEFG EFGH ");
}

#[test]
fn what_fires_is_shown_before_what_is_pending_and_rules_in_words() {
    let slow = Rule { name: "Slow".to_owned(), severity: Severity::Critical, ..rule(USAGE) };
    let low = Rule { name: "Low".to_owned(), ..rule("metric = \"container.cpu.usage\"\nbelow = 0.5") };
    let mut engine =
        Engine::new("node-1".to_owned(), vec![slow, prompt(), low, rule(KILLS)], 10, Kept::default(), at(0));
    engine.step(&[&usage("web", 0.95, 0)], at(0));
    let view = engine.view();
    assert_eq!(view.alerts.iter().map(|alert| alert.name.as_str()).collect::<Vec<_>>(), ["R", "Slow"]);
    let words: Vec<&str> = view.rules.iter().map(|rule| rule.condition.as_str()).collect();
    assert_eq!(words, ["above 0.9, for 30s", "above 0.9", "below 0.5", "increase over 10m above 0"]);
}

#[test]
fn a_rule_may_choose_by_its_subject_and_by_more_than_one_attribute() {
    let labels = |text: &str, points: &[&Point]| {
        let mut engine = engine(rule(text));
        engine.step(points, at(0));
        engine.view().alerts.into_iter().map(|alert| alert.labels.into_values().collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let web = "metric = \"container.cpu.usage\"\nabove = 0.5\nonly = { \"container.name\" = \"web\" }";
    assert_eq!(labels(web, &[&usage("web", 1.0, 0), &usage("db", 1.0, 0)]), [["web"]]);
    let node = Arc::new(Subject::node());
    let drift = |model: &'static str, feature: &'static str, test: &'static str| {
        let of = vec![("model", model.into()), ("feature", feature.into()), ("test", test.into())];
        Point::new(metric("plumbline.model.feature.drift"), &node, of, Number::Float(1.0), None, at(0))
    };
    let psi = "metric = \"plumbline.model.feature.drift\"\nabove = 0.5\nonly = { test = \"psi\", feature = \"a\" }";
    let points = [drift("m", "a", "psi"), drift("n", "a", "ks"), drift("o", "b", "psi")];
    assert_eq!(labels(psi, &points.each_ref()), [["m"]], "what all of them have goes without saying");
}

#[test]
fn an_alert_of_a_rule_for_one_model_names_it_and_what_else_the_rule_chose() {
    let text = "metric = \"plumbline.model.feature.drift\"\nabove = 0.5\nonly = { model = \"m\", test = \"psi\" }";
    let mut engine = engine(Rule { message: "{model}: {feature} by {test}".to_owned(), ..rule(text) });
    let of = vec![("model", "m".into()), ("feature", "a".into()), ("test", "psi".into())];
    engine.step(
        &[&Point::new(
            metric("plumbline.model.feature.drift"),
            &Arc::new(Subject::node()),
            of,
            Number::Float(1.0),
            None,
            at(0),
        )],
        at(0),
    );
    let alert = engine.view().alerts.remove(0);
    assert_eq!(alert.labels, [("feature", "a"), ("model", "m")].map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    assert_eq!(alert.message, "m: a by psi");
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
