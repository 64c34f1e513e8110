//! Reports in, a snapshot out.

use proptest::prelude::*;

use super::*;
use crate::identity::claim::{DOCKER, KUBERNETES, POD_LOGS, POD_RESOURCES};
use crate::identity::{Link, Pod, Relation, Role, Run, Workload, WorkloadKind};
use crate::metric::Number;
use crate::minute::Summary;
use crate::reading::Depth;
use crate::signal::Part::{self, Increase, Last, Mean};
use crate::signal::Signals;
use crate::signal::container::id as signal;

const NODE: &str = "node-1";
/// A minute's beginning.
const EPOCH: i64 = 1_795_442_820;

fn moment(seconds: f64) -> Moment {
    let monotonic = Duration::from_secs_f64(seconds);
    let wall = Timestamp::from_second(EPOCH).expect("a time").checked_add(monotonic).expect("a time");
    Moment { wall, monotonic }
}

fn reading(id: &str, at: Moment, cpu_usage_ns: u64) -> ContainerReading {
    let mut signals = Signals::default();
    signals.values.count(signal("cpu.time"), cpu_usage_ns);
    signals.values.count(signal("memory.usage"), 1000);
    signals.values.count(signal("memory.working_set"), 900);
    signals.values.count(signal("memory.oom_kills"), 0);
    signals.values.count(signal("memory.limit"), 2000);
    let (runtime, pod_uid, started, depth) = (None, None, None, Depth::Full);
    ContainerReading { id: id.to_owned(), runtime, pod_uid, at, started, depth, signals }
}

fn cell(summary: &Summary, key: &str, part: Part) -> Option<f64> {
    summary.cell(signal(key).column(part)).map(Number::as_f64)
}

fn claim(id: &str, name: &str) -> ContainerClaim {
    ContainerClaim {
        about: crate::identity::About::Container(id.to_owned()),
        source: DOCKER,
        name: Some(name.to_owned()),
        runtime: Some("docker"),
        ..ContainerClaim::default()
    }
}

fn tree(readings: Vec<ContainerReading>) -> Report {
    Report { containers: Some(readings), ..Report::default() }
}

fn told(claims: Vec<ContainerClaim>) -> Report {
    Report { claims: Some(claims.into_iter().map(Arc::new).collect()), ..Report::default() }
}

fn state() -> State {
    State::new(NODE.to_owned(), Duration::from_secs(10), 100)
}

fn names(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.containers.iter().map(|c| c.name.as_str()).collect()
}

#[test]
fn a_newcomer_waits_for_its_name_but_not_long() {
    let mut state = state();
    assert!(state.absorb("cgroup", tree(vec![reading("a", moment(0.0), 1)]), moment(0.0)).changed);
    assert_eq!(names(&state.snapshot(moment(0.0), true)), [""; 0]);
    assert_eq!(names(&state.snapshot(moment(0.0), false)), ["a"], "no runtime will ever name it");
    assert_eq!(names(&state.snapshot(moment(1.0), true)), ["a"], "its name does not come");
    assert!(state.absorb("docker", told(vec![claim("a", "web")]), moment(0.1)).changed);
    let snapshot = state.snapshot(moment(0.1), true);
    assert_eq!((names(&snapshot), snapshot.ready), (vec!["web"], true));
    assert!(!state.absorb("docker", told(vec![claim("a", "web")]), moment(0.2)).changed, "nothing new");
}

#[test]
fn what_ends_is_no_longer_shown_and_its_oom_kill_is_told_after_it() {
    let mut state = state();
    state.absorb("docker", told(vec![claim("a", "web")]), moment(0.0));
    state.absorb("cgroup", tree(vec![reading("a", moment(0.0), 1)]), moment(0.0));
    assert!(state.absorb("cgroup", tree(vec![]), moment(1.0)).changed);
    let snapshot = state.snapshot(moment(1.0), true);
    assert_eq!((snapshot.containers.len(), snapshot.exited.len()), (0, 1));
    assert_eq!(snapshot.points(), [], "no kill, nothing lingers");
    let ended = ContainerClaim { oom_events: 1, finished: Some(moment(1.0).wall), ..claim("a", "web") };
    state.absorb("docker", told(vec![ended]), moment(1.1));
    let points = state.snapshot(moment(2.0), true).points();
    assert_eq!(points.len(), 1);
    assert_eq!(points[0].metric.name, "plumbline.container.memory.oom_kills");
    state.absorb("cgroup", tree(vec![]), moment(30.0));
    assert_eq!(state.snapshot(moment(30.0), true).points(), [], "two ticks later it is gone");
    // The minute's row has it too.
    let rows = state.absorb("cgroup", tree(vec![]), moment(60.0)).rows;
    assert_eq!(rows.len(), 1);
    let kills = cell(&rows[0].summary, "memory.oom_kills", Increase);
    assert_eq!((rows[0].identity.container_name.as_deref(), kills), (Some("web"), Some(1.0)));
    assert_eq!(state.absorb("cgroup", tree(vec![]), moment(120.0)).rows, [], "and then nothing of it is left");
}

#[test]
fn minutes_close_with_the_first_reading_of_the_next() {
    let mut state = state();
    let mut rows = Vec::new();
    for second in 0..=120_u32 {
        let at = moment(f64::from(second));
        let report = tree(vec![reading("a", at, u64::from(second) * 500_000_000)]);
        rows.extend(state.absorb("cgroup", report, at).rows);
    }
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].minute.as_second(), EPOCH);
    assert_eq!(rows[1].minute.as_second(), EPOCH + 60);
    for row in &rows {
        assert_eq!(row.summary.samples, 60);
        assert_eq!(cell(&row.summary, "cpu.time", Increase), Some(30.0), "half a core for a minute");
        assert!((cell(&row.summary, "cpu.usage", Mean).expect("usage") - 0.5).abs() < 1e-9);
        let limit = cell(&row.summary, "memory.limit", Last);
        assert_eq!((row.identity.node.as_str(), limit), (NODE, Some(2000.0)));
    }
    assert_eq!(state.finish().len(), 1, "the open minute is written at the end");
}

#[test]
fn a_container_that_only_a_runtime_knows_is_shown_without_usage() {
    let mut state = state();
    state.absorb("docker", told(vec![claim("a", "web")]), moment(0.0));
    let snapshot = state.snapshot(moment(1.0), true);
    assert_eq!((names(&snapshot), snapshot.containers[0].signals.value(signal("cpu.usage"))), (vec!["web"], None));
    state.absorb("docker", told(vec![]), moment(2.0));
    assert_eq!(names(&state.snapshot(moment(2.0), true)), [""; 0]);
}

#[test]
fn what_a_lost_collector_told_is_not_told_on() {
    let mut state = state();
    state.absorb("docker", told(vec![claim("a", "web"), claim("b", "db")]), moment(0.0));
    state.absorb("cgroup", tree(vec![reading("a", moment(0.0), 1)]), moment(0.0));
    assert_eq!(state.lose("cgroup", moment(5.0)).rows.len(), 1, "what was sampled is kept");
    let snapshot = state.snapshot(moment(5.0), true);
    assert_eq!(names(&snapshot), ["db", "web"], "the runtime still tells of them");
    let known = |key| snapshot.containers[1].signals.get(signal(key));
    assert_eq!((known("memory.usage"), known("memory.limit")), (None, None));
    assert!(state.lose("docker", moment(6.0)).changed);
    assert_eq!(names(&state.snapshot(moment(6.0), true)), [""; 0]);
}

#[test]
fn only_what_begins_under_our_eyes_counts_from_zero() {
    let used = |rows: &[MinuteRow]| {
        let nanoseconds = |row: &MinuteRow| cell(&row.summary, "cpu.time", Increase).map(|s| (s * 1e9).round());
        rows.iter().map(nanoseconds).collect::<Vec<_>>()
    };
    let started =
        |reading: ContainerReading, second| ContainerReading { started: Some(moment(second).wall), ..reading };
    let mut state = state();
    state.absorb("cgroup", tree(vec![reading("a", moment(10.0), 1000)]), moment(10.0));
    // One that began a second ago, and one that the bound had kept out.
    let (new, old) = (started(reading("b", moment(11.0), 70), 10.5), started(reading("c", moment(11.0), 5000), 2.0));
    state.absorb("cgroup", tree(vec![reading("a", moment(11.0), 1007), new, old]), moment(11.0));
    assert_eq!(used(&state.finish()), [Some(7.0), Some(70.0), Some(0.0)]);
    // A gap: what is met after it was there before.
    state.lose("cgroup", moment(12.0));
    state.absorb("cgroup", tree(vec![reading("a", moment(20.0), 2000)]), moment(20.0));
    assert_eq!(used(&state.finish()), [Some(0.0)]);
}

#[test]
fn kills_of_before_we_listened_are_counted_once() {
    let mut state = state();
    // The kernel has counted 55 before the engine was listened to, which has told of as many as came since.
    for second in 0..60_u32 {
        let (at, events) = (moment(f64::from(second)), u64::from(second / 20));
        let mut reading = reading("a", at, 1);
        if second % 10 == 0 {
            reading.signals.values.count(signal("memory.oom_kills"), 55 + events);
        } else {
            reading.depth = Depth::Inner;
            reading.signals = Signals::default();
            reading.signals.values.count(signal("cpu.time"), 1);
        }
        state.absorb("docker", told(vec![ContainerClaim { oom_events: events, ..claim("a", "web") }]), at);
        state.absorb("cgroup", tree(vec![reading]), at);
    }
    assert_eq!(cell(&state.finish()[0].summary, "memory.oom_kills", Increase), Some(2.0));
}

#[test]
fn the_runtime_remembers_an_oom_the_cgroup_forgot() {
    let kills = |counted: Option<u64>, events, depth| {
        let mut state = state();
        let mut reading = reading("a", moment(0.0), 1);
        (reading.depth, reading.signals) = (depth, Signals::default());
        reading.signals.values.count(signal("cpu.time"), 1);
        reading.signals.values.count(signal("memory.oom_kills"), counted);
        let claim = ContainerClaim { oom_events: events, ..claim("a", "web") };
        state.absorb("docker", told(vec![claim]), moment(0.0));
        state.absorb("cgroup", tree(vec![reading]), moment(0.0));
        state.snapshot(moment(0.0), true).containers[0].signals.get(signal("memory.oom_kills"))
    };
    assert_eq!(kills(Some(0), 1, Depth::Full), Some(1));
    assert_eq!(kills(None, 1, Depth::Full), Some(1));
    assert_eq!(kills(None, 1, Depth::Inner), None, "the count is not read then");
    assert_eq!(kills(Some(3), 1, Depth::Full), Some(3));
    assert_eq!(kills(None, 0, Depth::Full), None);
}

#[test]
fn a_container_that_ends_twice_is_told_of_once() {
    let mut state = state();
    let ended = |ooms| ContainerClaim { oom_events: ooms, finished: Some(moment(0.0).wall), ..claim("a", "web") };
    for second in [0.0, 2.0, 4.0] {
        state.absorb("cgroup", tree(vec![reading("a", moment(second), 1)]), moment(second));
        state.absorb("cgroup", tree(vec![]), moment(second + 1.0));
        state.absorb("docker", told(vec![ended(1)]), moment(second + 1.0));
    }
    assert_eq!(state.snapshot(moment(5.0), true).points().len(), 1, "one series, not three");
}

#[test]
fn the_bound_holds_whoever_tells_of_containers() {
    let mut state = State::new(NODE.to_owned(), Duration::from_secs(10), 2);
    let all = ["a", "b", "c", "d"].map(|id| claim(id, id)).to_vec();
    state.absorb("docker", told(all), moment(0.0));
    state.absorb("cgroup", tree(vec![reading("d", moment(0.0), 1), reading("c", moment(0.0), 1)]), moment(0.0));
    assert_eq!(names(&state.snapshot(moment(0.0), true)), ["c", "d"], "those that are read come first");
}

#[test]
fn a_restart_forgets_what_was_read_before() {
    let mut state = state();
    let at = moment(0.0);
    state.absorb("cgroup", tree(vec![reading("a", at, 5_000_000_000)]), at);
    let mut again = reading("a", moment(1.0), 1_000_000);
    again.depth = Depth::Inner;
    again.signals = Signals::default();
    again.signals.values.count(signal("cpu.time"), 1_000_000);
    again.started = Some(moment(0.5).wall);
    state.absorb("cgroup", tree(vec![again]), moment(1.0));
    let view = &state.snapshot(moment(1.0), false).containers[0];
    let known = (view.signals.get(signal("memory.limit")), view.signals.value(signal("cpu.usage")));
    assert_eq!(known, (None, None), "what was read of the old run is not the new one's");
    assert_eq!(view.run, Run { began: moment(0.5).wall, ended: None });
}

proptest! {
    /// Whatever comes and goes: what is shown is what was last read, nothing is kept of what is gone for long.
    #[test]
    fn what_is_shown_is_what_is_there(ticks in prop::collection::vec(prop::collection::btree_set(0..6_u8, 0..6), 1..80)) {
        let mut state = state();
        let mut second = 0.0;
        for there in &ticks {
            second += 7.0;
            let at = moment(second);
            let readings = there.iter().map(|id| reading(&id.to_string(), at, at.monotonic.as_secs())).collect();
            state.absorb("cgroup", tree(readings), at);
            let shown: Vec<String> = state.snapshot(at, false).containers.into_iter().map(|c| c.id).collect();
            let expected: Vec<String> = there.iter().map(u8::to_string).collect();
            prop_assert_eq!(shown, expected);
        }
        for later in [61.0, 122.0] {
            state.absorb("cgroup", tree(vec![]), moment(second + later));
        }
        prop_assert!(state.containers.is_empty() && state.exited.is_empty());
    }
}

/// A reading of a container in a pod, begun so many seconds after the others.
fn in_pod(id: &str, uid: &str, at: Moment, begun: i64) -> ContainerReading {
    let started = Timestamp::from_second(EPOCH - 100 + begun).ok();
    ContainerReading { pod_uid: Some(uid.to_owned()), started, ..reading(id, at, 1) }
}

fn pod_claim(about: About, name: Option<&str>, source: Source) -> ContainerClaim {
    let pod = Pod { namespace: Some("shop".to_owned()), name: Some("web-0".to_owned()), uid: Some("u-1".to_owned()) };
    let name = name.map(str::to_owned);
    ContainerClaim { about, source, pod: Some(pod), pod_container: name.clone(), name, ..ContainerClaim::default() }
}

#[test]
fn a_pods_container_without_a_name_that_began_first_is_its_sandbox() {
    let mut state = state();
    let all = || {
        vec![
            in_pod("app", "u-1", moment(0.0), 2),
            in_pod("box", "u-1", moment(0.0), 0),
            in_pod("new", "u-1", moment(0.0), 9),
        ]
    };
    state.absorb("cgroup", tree(all()), moment(0.0));
    let claims = || {
        vec![
            pod_claim(About::Pod("u-1".to_owned()), None, POD_LOGS),
            pod_claim(About::Container("app".to_owned()), Some("app"), POD_LOGS),
        ]
    };
    state.absorb("pod_logs", told(claims()), moment(0.1));
    let snapshot = state.snapshot(moment(2.0), true);
    assert_eq!(names(&snapshot), ["POD", "app"], "another waits for its name for longer than elsewhere");
    assert_eq!(snapshot.containers[0].role, Some(Role::Sandbox));
    assert!(
        snapshot
            .containers
            .iter()
            .all(|c| c.workload.as_ref().is_some_and(|w| w.to.to_string() == "shop/StatefulSet/web"))
    );
    let late = state.snapshot(moment(20.0), true);
    assert_eq!(names(&late), ["POD", "app", "new"], "in the end it is shown by its id");
    let named = [claims(), vec![pod_claim(About::Container("new".to_owned()), Some("side"), POD_LOGS)]].concat();
    state.absorb("pod_logs", told(named), moment(21.0));
    assert_eq!(names(&state.snapshot(moment(21.0), true)), ["POD", "app", "side"]);
    // A source that knows names alone does not keep a container alive.
    state.absorb("cgroup", tree(vec![in_pod("box", "u-1", moment(22.0), 0)]), moment(22.0));
    assert_eq!(names(&state.snapshot(moment(22.0), true)), ["POD"]);
}

#[test]
fn a_claim_by_name_finds_its_container_once_that_is_named() {
    let mut state = state();
    let named = About::Named { namespace: "shop".to_owned(), pod: "web-0".to_owned(), container: "app".to_owned() };
    let given = ContainerClaim { qos: Some("given".to_owned()), ..pod_claim(named, None, POD_RESOURCES) };
    state.absorb("cgroup", tree(vec![in_pod("app", "u-1", moment(0.0), 2)]), moment(0.0));
    // The same list, as a collector that found nothing new reports it.
    let list: Arc<[Arc<ContainerClaim>]> = [Arc::new(given)].into();
    let again = || Report { claims: Some(Arc::clone(&list)), ..Report::default() };
    state.absorb("pod_resources", again(), moment(0.1));
    let qos = |state: &State| state.snapshot(moment(0.3), false).containers[0].qos.clone();
    assert_eq!(qos(&state), None, "nobody says yet that this is it");
    state.absorb(
        "pod_logs",
        told(vec![pod_claim(About::Container("app".to_owned()), Some("app"), POD_LOGS)]),
        moment(0.2),
    );
    state.absorb("pod_resources", again(), moment(0.3));
    assert_eq!(qos(&state).as_deref(), Some("given"));
}

#[test]
fn who_was_killed_between_two_readings_is_told_of_once() {
    let mut state = state();
    state.absorb("cgroup", tree(vec![]), moment(0.0));
    let dead = |at: f64| ContainerClaim {
        finished: Some(moment(at).wall),
        oom_events: 1,
        memory_limit: Some(4096),
        ..pod_claim(About::Container("dead".to_owned()), Some("app"), KUBERNETES)
    };
    let long_ago = ContainerClaim {
        about: About::Container("old".to_owned()),
        finished: Timestamp::from_second(EPOCH - 4000).ok(),
        ..dead(0.0)
    };
    state.absorb("kubernetes", told(vec![dead(0.5), long_ago.clone()]), moment(1.0));
    let snapshot = state.snapshot(moment(1.0), true);
    assert_eq!(snapshot.exited.len(), 1, "one of before the agent is not its own to tell");
    assert_eq!(snapshot.exited[0].last.signals.get(signal("memory.oom_kills")), Some(1));
    state.absorb(
        "kubernetes",
        told(vec![dead(0.5), long_ago, pod_claim(About::Pod("u-1".to_owned()), None, KUBERNETES)]),
        moment(2.0),
    );
    let rows = state.absorb("cgroup", tree(vec![]), moment(61.0)).rows;
    assert_eq!(rows.len(), 1);
    assert_eq!(cell(&rows[0].summary, "memory.oom_kills", Increase), Some(1.0));
    assert_eq!(cell(&rows[0].summary, "memory.limit", Last), Some(4096.0));
    assert_eq!(rows[0].identity.pod.as_deref(), Some("web-0"));
    state.absorb("kubernetes", told(vec![dead(0.5)]), moment(62.0));
    assert_eq!(state.absorb("cgroup", tree(vec![]), moment(121.0)).rows, [], "not a second time");
}

#[test]
fn a_kill_that_is_told_after_its_minute_is_the_next_ones() {
    let mut state = state();
    state.absorb("cgroup", tree(vec![in_pod("a", "u-1", moment(50.0), 2)]), moment(50.0));
    let rows = state.absorb("cgroup", tree(vec![]), moment(60.5)).rows;
    assert_eq!(cell(&rows[0].summary, "memory.oom_kills", Increase), Some(0.0), "nobody has told yet");
    let dead = ContainerClaim {
        finished: Some(moment(60.0).wall),
        oom_events: 1,
        ..pod_claim(About::Container("a".to_owned()), Some("app"), KUBERNETES)
    };
    state.absorb("kubernetes", told(vec![dead.clone()]), moment(61.0));
    let snapshot = state.snapshot(moment(61.0), true);
    assert_eq!(snapshot.exited.len(), 1);
    assert_eq!(snapshot.exited[0].last.signals.get(signal("memory.oom_kills")), Some(1));
    let rows = state.absorb("cgroup", tree(vec![]), moment(121.0)).rows;
    assert_eq!(cell(&rows[0].summary, "memory.oom_kills", Increase), Some(1.0));
    // A source that is slow does not bring it back to life.
    state.absorb("cgroup", tree(vec![in_pod("b", "u-1", moment(130.0), 2)]), moment(130.0));
    state.absorb("cgroup", tree(vec![]), moment(131.0));
    state.absorb(
        "kubernetes",
        told(vec![pod_claim(About::Container("b".to_owned()), Some("app"), KUBERNETES)]),
        moment(132.0),
    );
    assert_eq!(names(&state.snapshot(moment(132.0), true)), [""; 0]);
}

#[test]
fn who_comes_to_a_known_pod_while_its_source_is_away_is_known() {
    let mut state = state();
    let owned = Link {
        to: Workload { namespace: Some("shop".to_owned()), kind: WorkloadKind::DAEMON_SET, name: "web".to_owned() },
        relation: Relation::PartOf,
        source: "controller",
    };
    let of_pod = ContainerClaim { workload: Some(owned), ..pod_claim(About::Pod("u-1".to_owned()), None, KUBERNETES) };
    state.absorb("cgroup", tree(vec![in_pod("a", "u-1", moment(0.0), 2)]), moment(0.0));
    state.absorb("kubernetes", told(vec![of_pod]), moment(0.1));
    state.lose("kubernetes", moment(1.0));
    let both = vec![in_pod("a", "u-1", moment(30.0), 2), in_pod("b", "u-1", moment(30.0), 29)];
    state.absorb("cgroup", tree(both), moment(30.0));
    let snapshot = state.snapshot(moment(60.0), true);
    let workload = |c: &ContainerView| c.workload.as_ref().map(|link| link.to.to_string());
    assert_eq!(snapshot.containers.len(), 2);
    assert!(snapshot.containers.iter().all(|c| workload(c).as_deref() == Some("shop/DaemonSet/web")), "{snapshot:?}");
}

#[test]
fn a_container_alone_in_its_pod_waits_for_its_name_before_it_is_taken_for_a_sandbox() {
    let mut state = state();
    state.absorb("cgroup", tree(vec![in_pod("app", "u-1", moment(0.0), 2)]), moment(0.0));
    state.absorb("kubernetes", told(vec![pod_claim(About::Pod("u-1".to_owned()), None, KUBERNETES)]), moment(0.1));
    assert_eq!(names(&state.snapshot(moment(1.0), true)), [""; 0]);
    let named = vec![
        pod_claim(About::Pod("u-1".to_owned()), None, KUBERNETES),
        pod_claim(About::Container("app".to_owned()), Some("app"), KUBERNETES),
    ];
    state.absorb("kubernetes", told(named), moment(3.0));
    assert_eq!(names(&state.snapshot(moment(3.0), true)), ["app"], "a runtime without sandboxes");
}

#[test]
fn who_ends_before_its_name_is_known_is_told_of_by_it() {
    let mut state = state();
    let pod = || pod_claim(About::Pod("u-1".to_owned()), None, KUBERNETES);
    let app = || pod_claim(About::Container("app".to_owned()), Some("app"), KUBERNETES);
    state.absorb("kubernetes", told(vec![pod(), app()]), moment(0.0));
    let both = vec![in_pod("app", "u-1", moment(0.1), 0), in_pod("short", "u-1", moment(0.1), 9)];
    state.absorb("cgroup", tree(both), moment(0.1));
    state.absorb("cgroup", tree(vec![in_pod("app", "u-1", moment(1.0), 0)]), moment(1.0));
    assert_eq!(state.snapshot(moment(1.0), true).exited.len(), 0);
    let named = ContainerClaim {
        finished: Some(moment(0.9).wall),
        ..pod_claim(About::Container("short".to_owned()), Some("job"), KUBERNETES)
    };
    state.absorb("kubernetes", told(vec![pod(), app(), named]), moment(2.0));
    let exited = state.snapshot(moment(2.0), true).exited;
    assert_eq!(exited.iter().map(|exit| exit.last.name.as_str()).collect::<Vec<_>>(), ["job"]);
}

#[test]
fn without_processes_to_see_a_sandbox_is_told_all_the_same() {
    let mut state = state();
    // An agent in a pod of its own sees its own start alone; what it meets at once with it began no later.
    let own = in_pod("own", "u-1", moment(0.0), 2);
    let unseen = |at: f64| ContainerReading { started: None, ..in_pod("box", "u-1", moment(at), 0) };
    let claims = || {
        let own = pod_claim(About::Container("own".to_owned()), Some("own"), POD_LOGS);
        vec![pod_claim(About::Pod("u-1".to_owned()), None, POD_LOGS), own]
    };
    state.absorb("pod_logs", told(claims()), moment(0.0));
    state.absorb("cgroup", tree(vec![own, unseen(0.0)]), moment(0.0));
    assert_eq!(names(&state.snapshot(moment(0.1), true)), ["POD", "own"]);
    // One that is alone for longer than a name takes is a sandbox that waits for its image.
    let alone = |at: f64| ContainerReading { pod_uid: Some("u-2".to_owned()), ..reading("alone", moment(at), 1) };
    let pod = Pod { namespace: Some("shop".to_owned()), name: Some("web-1".to_owned()), uid: Some("u-2".to_owned()) };
    let other = ContainerClaim { pod: Some(pod), ..pod_claim(About::Pod("u-2".to_owned()), None, POD_LOGS) };
    state.absorb("pod_logs", told([claims(), vec![other]].concat()), moment(1.0));
    for second in [1.0, 10.0, 20.0] {
        state.absorb("cgroup", tree(vec![unseen(second), alone(second)]), moment(second));
    }
    assert_eq!(names(&state.snapshot(moment(20.0), true)), ["POD", "POD"]);
}
