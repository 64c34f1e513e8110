//! Minutes in, verdicts, money and patches out.

use super::review::{History, Review};
use super::*;
use crate::frame::gpu::GpuRow;
use crate::frame::model::ModelRow;
use crate::frame::{MinuteRow, Row, RowIdentity, minute_frame};
use crate::identity::{Device, Link, Model, ModelKey, Relation, Share, Workload, WorkloadKind};
use crate::metric::Number::{self, Float, Int};
use crate::minute::Summary;
use crate::signal::Part::{self, Increase, Last, Max, Mean, P95};
use crate::signal::container::id;
use crate::signal::{gpu, model};

const MIB: f64 = 1_048_576.0;
const BEGIN: i64 = 1_795_442_400;

/// Says how much a counter grew in the minute.
fn count(row: &mut MinuteRow, key: &str, grown: u64) {
    row.summary.set(id(key).column(Increase), Int(grown));
}

/// A minute in which a container used so many cores and MiB.
fn row(minute: i64, cores: f64, mib: f64) -> MinuteRow {
    let (usage, memory) = (id("cpu.usage"), id("memory.working_set"));
    MinuteRow {
        minute: Timestamp::from_second(BEGIN + minute * 60).expect("a time"),
        identity: RowIdentity {
            node: "node-1".to_owned(),
            container_id: "c".repeat(64),
            container_name: Some("web".to_owned()),
            runtime: Some("docker".to_owned()),
            workload: Some(Workload {
                namespace: Some("docker".to_owned()),
                kind: WorkloadKind::CONTAINER,
                name: "web".to_owned(),
            }),
            ..RowIdentity::default()
        },
        summary: Summary::of(
            60,
            [
                (usage.column(Mean), Float(cores / 2.0)),
                (usage.column(Max), Float(cores * 1.5)),
                (usage.column(P95), Float(cores)),
                (memory.column(Mean), Float(mib * MIB)),
                (memory.column(Max), Float(mib * MIB)),
                (id("memory.oom_kills").column(Increase), Int(0)),
                (id("cpu.limit").column(Last), Float(2.0)),
                (id("memory.limit").column(Last), Int(1024 << 20)),
            ],
        ),
    }
}

fn review(rows: &[MinuteRow]) -> Review {
    let (since, until) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
    let mut history = History::default();
    history.take_containers(&minute_frame(rows).expect("a frame"), since, until).expect("taken");
    history.review(since, until, None, &Config::default(), &Prices::default())
}

fn judged(rows: &[MinuteRow]) -> Assessment {
    review(rows).workloads.remove(0)
}

#[test]
fn too_much_is_told_with_its_reason_money_and_patch() {
    // 100 minutes: 94 at 100m, 6 at 400m: R-7's p95 lies between the two, at 400m.
    let rows: Vec<MinuteRow> =
        (0..100).map(|m| row(m, if m % 17 == 0 { 0.4 } else { 0.1 }, if m == 50 { 300.0 } else { 200.0 })).collect();
    let a = judged(&rows);
    assert_eq!((a.cpu.provisioning, a.memory.provisioning), (Provisioning::Over, Provisioning::Over));
    assert_eq!((a.used.cpu_p95, a.used.memory_peak), (Some(0.4), Some(300.0 * MIB)));
    assert_eq!((a.cpu.requested, a.cpu.recommended), (Some(2.0), Some(0.46)));
    assert_eq!(a.memory.recommended, Some(345.0 * MIB));
    assert_eq!(a.cpu.reason, "CPU p95 0.4 cores, peak 0.6 cores, of a limit of 2 cores; lower to 0.46 cores");
    assert_eq!(a.memory.reason, "memory peak 300.0 MiB, of a limit of 1.0 GiB; lower to 345.0 MiB");
    let hour = (2.0 - 0.46) * 0.031_611 + (1024.0 - 345.0) / 1024.0 * 0.004_237;
    assert!((a.saving - hour * 730.0).abs() < 1e-9, "{}", a.saving);
    assert_eq!(a.patches[0].text, "docker update --cpus 0.46 --memory 345m web");
    assert_eq!((a.confidence, a.confirmed), (Confidence::Low, false), "an hour and a half: worth a look");
}

#[test]
fn a_short_history_is_an_answer_and_a_kill_speaks_at_once() {
    let a = judged(&[row(0, 0.1, 10.0), row(1, 0.1, 10.0)]);
    assert_eq!((a.confidence, a.cpu.recommended, a.memory.recommended), (Confidence::None, None, None));
    assert!(a.cpu.reason.starts_with("not enough history: 2 min of the 60 min"), "{}", a.cpu.reason);
    assert_eq!((a.saving, a.patches.len()), (0.0, 0));
    let mut killed = row(1, 0.1, 1000.0);
    count(&mut killed, "memory.oom_kills", 2);
    let a = judged(&[row(0, 0.1, 10.0), killed.clone()]);
    assert_eq!((a.memory.provisioning, a.confirmed, a.used.oom_kills), (Provisioning::Under, true, Some(2)));
    assert_eq!(a.memory.limit, Some(Change { from: Some(1024.0 * MIB), to: 1280.0 * MIB }));
    assert_eq!(a.patches[0].text, "docker update --memory 1280m --memory-swap 2560m web");
    assert!(a.saving < 0.0, "it costs more");
    // The limit was raised: the kills of before count no longer.
    let mut raised = row(2, 0.1, 10.0);
    raised.summary.set(id("memory.limit").column(Last), Int(2048 << 20));
    let a = judged(&[row(0, 0.1, 10.0), killed, raised]);
    assert_eq!((a.memory.provisioning, a.used.oom_kills), (Provisioning::Unknown, Some(0)));
}

#[test]
fn throttling_is_want_though_the_usage_fits() {
    let rows: Vec<MinuteRow> = (0..100)
        .map(|minute| {
            let mut row = row(minute, 1.9, 900.0);
            count(&mut row, "cpu.periods", 600);
            count(&mut row, "cpu.throttled_periods", if minute % 5 == 0 { 600 } else { 0 });
            row
        })
        .collect();
    let a = judged(&rows);
    assert_eq!((a.cpu.provisioning, a.cpu.evidence), (Provisioning::Under, true));
    assert_eq!(a.used.throttled, Some(0.2));
    // The larger of the limit and what is needed (1.9 x 1.15), and a fifth more.
    assert_eq!(a.cpu.limit, Some(Change { from: Some(2.0), to: 2.63 }));
    assert_eq!(a.memory.provisioning, Provisioning::Fits);
}

#[test]
fn want_is_no_reason_to_ask_for_less_and_one_resource_does_not_hide_the_other() {
    let mut rows: Vec<MinuteRow> = (0..100).map(|minute| row(minute, 0.3, 300.0)).collect();
    for (minute, row) in rows.iter_mut().enumerate() {
        row.summary.set(id("cpu.request").column(Last), Float(2.0));
        count(row, "cpu.periods", 600);
        count(row, "cpu.throttled_periods", if minute % 5 == 0 { 600 } else { 0 });
    }
    let a = judged(&rows);
    assert_eq!((a.cpu.provisioning, a.cpu.recommended), (Provisioning::Under, Some(2.4)));
    // Request and limit were equal and stay so.
    assert_eq!(a.cpu.request.map(|change| change.to), a.cpu.limit.map(|change| change.to));
    assert!(a.cpu.saving < 0.0 && a.cpu.confirmed, "{a:?}");
    assert!(a.memory.saving > 0.0 && !a.memory.confirmed, "{a:?}");
    let totals = review(&rows).totals;
    assert!((totals.saving - a.memory.saving).abs() < 1e-9 && totals.confirmed_saving == 0.0, "{totals:?}");
}

#[test]
fn what_kubernetes_alone_knows_is_unknown() {
    let mut rows: Vec<MinuteRow> = (0..100).map(|minute| row(minute, 0.1, 100.0)).collect();
    for row in &mut rows {
        row.identity.pod_uid = Some("uid".to_owned());
    }
    let a = judged(&rows);
    assert_eq!((a.cpu.provisioning, a.memory.provisioning), (Provisioning::Unknown, Provisioning::Unknown));
    assert_eq!((a.cpu.recommended, a.saving), (Some(0.12), 0.0));
    assert!(a.cpu.reason.contains("Kubernetes API"), "{}", a.cpu.reason);
}

#[test]
fn two_nodes_and_two_engines_may_have_one_name_each() {
    let mut rows: Vec<MinuteRow> = (0..90).map(|minute| row(minute, 0.1, 100.0)).collect();
    let on = |row: &MinuteRow, node: &str, engine: &str| {
        let mut row = row.clone();
        row.identity.node = node.to_owned();
        row.identity.container_id = if engine == "docker" { "c" } else { "d" }.repeat(64);
        if let Some(workload) = &mut row.identity.workload {
            workload.namespace = Some(engine.to_owned());
        }
        row
    };
    let others: Vec<MinuteRow> =
        rows.iter().flat_map(|row| [on(row, "node-2", "docker"), on(row, "node-1", "podman")]).collect();
    rows.extend(others);
    let review = review(&rows);
    assert_eq!(review.workloads.len(), 3);
    assert!(review.workloads.iter().all(|a| a.history.minutes == 90));
}

#[test]
fn a_container_whose_pod_is_known_before_its_name_is_one() {
    let mut rows: Vec<MinuteRow> = (0..90).map(|minute| replica(row(minute, 0.1, 100.0), "a", 1.0)).collect();
    (rows[0].identity.pod_container, rows[0].identity.container_name) = (None, None);
    let a = judged(&rows);
    assert_eq!((a.workload.name.as_str(), a.history.minutes, a.replicas), ("shop/Deployment/web/app", 90, 1));
    // Another replica stood for the workload already: the first moments of this one are nobody's.
    let other = (0..90).map(|minute| replica(row(minute, 0.1, 100.0), "b", 1.0));
    let both: Vec<MinuteRow> = other.zip(rows).flat_map(|(b, a)| [b, a]).collect();
    assert_eq!(review(&both).workloads.len(), 1);
    assert_eq!(judged(&both).replicas, 2);
}

#[test]
fn a_name_that_comes_late_is_taken_and_an_old_kill_is_forgotten() {
    let mut rows: Vec<MinuteRow> = (0..90).map(|minute| row(minute, 0.1, 100.0)).collect();
    for row in rows.iter_mut().take(10) {
        row.identity.container_name = Some("cccccccccccc".to_owned());
        (row.identity.runtime, row.identity.workload) = (None, None);
    }
    assert!(review(&rows).workloads.iter().any(|a| a.workload.name == "web" && a.history.minutes == 90));
    let mut killed = row(0, 0.1, 100.0);
    count(&mut killed, "memory.oom_kills", 1);
    let week: Vec<MinuteRow> = [killed].into_iter().chain((0..100).map(|m| row(8 * 1440 + m, 0.1, 100.0))).collect();
    assert_eq!(judged(&week).memory.provisioning, Provisioning::Over);
}

#[test]
fn who_asks_for_nothing_is_told_what_to_ask_for_and_who_ended_counts_for_nothing() {
    let mut rows: Vec<MinuteRow> = (0..90).map(|m| row(m, 0.1, 200.0)).collect();
    for row in &mut rows {
        for key in ["cpu.limit", "memory.limit"] {
            row.summary.set(id(key).column(Last), None);
        }
    }
    let other = |m: i64| {
        let mut row = row(m, 0.1, 10.0);
        row.identity.container_id = "d".repeat(64);
        row.identity.container_name = Some("job".to_owned());
        row
    };
    let ended: Vec<MinuteRow> = (0..70).map(other).collect();
    let review = review(&[ended, rows].concat());
    let find = |name: &str| review.workloads.iter().find(|a| a.workload.name == name).expect("it is there");
    let web = find("web");
    assert_eq!((web.cpu.provisioning, web.saving, web.ended), (Provisioning::Unset, 0.0, false));
    assert_eq!(web.patches[0].text, "docker update --memory-reservation 230m web");
    assert!(find("job").ended && find("job").saving > 0.0);
    assert_eq!((review.totals.workloads, review.totals.saving), (1, 0.0));
}

fn judged_by(rows: &[MinuteRow], end: Option<Timestamp>, config: &Config) -> Review {
    let (since, until) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
    let mut history = History::default();
    history.take_containers(&minute_frame(rows).expect("a frame"), since, until).expect("taken");
    history.review(since, until, end, config, &Prices::default())
}

/// With these settings instead of its own.
fn set<const N: usize>(mut row: MinuteRow, settings: [(&str, Option<Number>); N]) -> MinuteRow {
    for (key, value) in settings {
        row.summary.set(id(key).column(Last), value);
    }
    row
}

/// A hundred minutes at so many cores or MiB, with this request and this limit.
fn sized_cpu(cores: f64, request: Option<f64>, limit: Option<f64>) -> Vec<MinuteRow> {
    let settings = [("cpu.request", request.map(Float)), ("cpu.limit", limit.map(Float)), ("memory.limit", None)];
    (0..100).map(|minute| set(row(minute, cores, 10.0), settings)).collect()
}

fn sized_memory(mib: f64, request: Option<u64>, limit: Option<u64>) -> Vec<MinuteRow> {
    let bytes = |mib: Option<u64>| mib.map(|mib| Int(mib << 20));
    let settings = [("memory.request", bytes(request)), ("memory.limit", bytes(limit)), ("cpu.limit", None)];
    (0..100).map(|minute| set(row(minute, 0.1, mib), settings)).collect()
}

/// The verdict, what is recommended, and what request and limit are to be.
type Verdict = (Provisioning, Option<f64>, Option<f64>, Option<f64>);

fn verdict(resource: &Resource, unit: f64) -> Verdict {
    let to = |change: Option<Change>| change.map(|change| change.to / unit);
    (resource.provisioning, resource.recommended.map(|to| to / unit), to(resource.request), to(resource.limit))
}

#[test]
fn a_request_of_cpu_is_judged_before_the_limit_and_what_fits_stays() {
    use Provisioning::{Fits, Over, Under};
    let of = |request, limit| {
        let cpu = judged(&sized_cpu(0.5, request, limit)).cpu;
        (verdict(&cpu, 1.0), cpu.reason)
    };
    let (over, reason) = of(Some(1.0), Some(4.0));
    assert_eq!(over, (Over, Some(0.58), Some(0.58), None), "a limit beside a request is a ceiling");
    assert_eq!(reason, "CPU p95 0.5 cores, peak 0.75 cores, of a request of 1 core; lower to 0.58 cores");
    assert_eq!(of(Some(2.0), Some(2.0)).0, (Over, Some(0.58), Some(0.58), Some(0.58)), "equal ones stay equal");
    let (under, reason) = of(Some(0.2), Some(0.55));
    assert_eq!(under, (Under, Some(0.58), Some(0.58), Some(0.58)), "a limit is never below its request");
    assert_eq!(reason, "CPU p95 0.5 cores, peak 0.75 cores, of a request of 0.2 cores; raise to 0.58 cores");
    // A tenth more or less is not worth a word.
    assert_eq!(of(Some(0.6), Some(0.6)).0, (Fits, Some(0.6), None, None));
    assert_eq!(of(None, Some(0.55)).0, (Fits, Some(0.55), None, None));
    let config = Config { min_cpu: 0.7, ..Config::default() };
    let least = judged_by(&sized_cpu(0.5, None, Some(4.0)), None, &config).workloads.remove(0);
    assert_eq!(verdict(&least.cpu, 1.0), (Over, Some(0.7), None, Some(0.7)));
}

#[test]
fn throttling_in_a_tenth_of_the_minutes_raises_the_limit_and_the_request_as_far_as_it_is_used() {
    let of = |cores, request, throttled: usize| {
        let mut rows = sized_cpu(cores, request, Some(2.0));
        for (minute, row) in rows.iter_mut().enumerate() {
            count(row, "cpu.periods", 600);
            count(row, "cpu.throttled_periods", if minute < throttled { 600 } else { 0 });
        }
        verdict(&judged(&rows).cpu, 1.0)
    };
    use Provisioning::{Over, Under};
    assert_eq!(of(0.3, None, 10), (Under, Some(2.2), None, Some(2.2)));
    assert_eq!(of(0.3, None, 9), (Over, Some(0.35), None, Some(0.35)), "too seldom to speak of want");
    assert_eq!(of(1.9, Some(1.0), 10), (Under, Some(2.19), Some(2.19), Some(2.41)));
    assert_eq!(of(0.3, Some(1.0), 10), (Under, Some(1.0), None, Some(2.2)), "want is no reason to ask for less");
}

#[test]
fn a_request_of_memory_is_judged_before_the_limit_and_what_fits_stays() {
    use Provisioning::{Fits, Over, Under, Unset};
    let of = |mib, request, limit| {
        let memory = judged(&sized_memory(mib, request, limit)).memory;
        (verdict(&memory, MIB), memory.reason)
    };
    let (over, reason) = of(300.0, Some(512), Some(1024));
    assert_eq!(over, (Over, Some(345.0), Some(345.0), None));
    assert_eq!(reason, "memory peak 300.0 MiB, of a request of 512.0 MiB; lower to 345.0 MiB");
    assert_eq!(of(300.0, Some(512), Some(512)).0, (Over, Some(345.0), Some(345.0), Some(345.0)));
    let (near, reason) = of(300.0, Some(200), Some(320));
    assert_eq!(near, (Under, Some(345.0), Some(345.0), Some(345.0)));
    assert_eq!(reason, "memory peak 300.0 MiB, 93.8 % of its limit of 320.0 MiB; raise to 345.0 MiB");
    let (under, reason) = of(300.0, Some(300), None);
    assert_eq!(under, (Under, Some(345.0), Some(345.0), None));
    assert_eq!(reason, "memory peak 300.0 MiB, of a request of 300.0 MiB; raise to 345.0 MiB");
    assert_eq!(of(300.0, None, Some(360)).0, (Fits, Some(360.0), None, None));
    assert_eq!(of(301.0, None, Some(1024)).0, (Over, Some(347.0), None, Some(347.0)), "up to whole MiB");
    // The floor of 100 MB keeps from lowering, and raises nobody.
    assert_eq!(of(10.0, None, Some(200)).0, (Over, Some(96.0), None, Some(96.0)));
    assert_eq!(of(10.0, None, Some(50)).0, (Fits, Some(50.0), None, None));
    assert_eq!(of(10.0, None, None).0, (Unset, Some(96.0), Some(96.0), None));
    // Without a margin a peak near the limit needs no more than that.
    let config = Config { memory_margin: 0.0, ..Config::default() };
    let tight = judged_by(&sized_memory(950.0, None, Some(1024)), None, &config).workloads.remove(0);
    assert_eq!(verdict(&tight.memory, MIB), (Fits, Some(1024.0), None, None));
}

#[test]
fn after_a_kill_the_limit_is_a_quarter_more_or_what_the_peak_needs() {
    let of = |mib| {
        let mut rows = sized_memory(mib, None, Some(1024));
        count(&mut rows[99], "memory.oom_kills", 1);
        let memory = judged(&rows).memory;
        (verdict(&memory, MIB), memory.reason)
    };
    let (small, reason) = of(300.0);
    assert_eq!(small, (Provisioning::Under, Some(1280.0), None, Some(1280.0)));
    assert_eq!(reason, "1 OOM kill at a memory limit of 1.0 GiB; raise to 1.2 GiB");
    assert_eq!(of(2000.0).0, (Provisioning::Under, Some(2300.0), None, Some(2300.0)));
}

#[test]
fn in_kubernetes_a_request_that_is_told_is_judged_and_a_peak_near_the_limit_speaks_without() {
    let in_pod = |mut rows: Vec<MinuteRow>| {
        for row in &mut rows {
            row.identity.pod_uid = Some("uid".to_owned());
        }
        judged(&rows)
    };
    assert_eq!(in_pod(sized_cpu(0.5, Some(1.0), None)).cpu.provisioning, Provisioning::Over);
    let memory = |request, limit| in_pod(sized_memory(300.0, request, limit)).memory.provisioning;
    assert_eq!(memory(Some(512), None), Provisioning::Over);
    assert_eq!(memory(None, Some(320)), Provisioning::Under);
    assert_eq!(memory(None, Some(1024)), Provisioning::Unknown);
}

#[test]
fn what_is_used_beyond_what_is_asked_for_is_paid_for() {
    let settings = [("cpu.limit", Some(Float(0.1))), ("memory.limit", Some(Int(100 << 20)))];
    let rows: Vec<MinuteRow> = (0..100).map(|minute| set(row(minute, 0.5, 200.0), settings)).collect();
    let hour = 0.25 * 0.031_611 + 200.0 / 1024.0 * 0.004_237;
    let cost = judged(&rows).cost;
    assert!((cost - hour * 730.0).abs() < 0.01 * cost, "{cost}");
}

#[test]
fn a_review_names_its_nodes_once_and_puts_the_largest_change_first() {
    let named = |name: &str, node: &str, rows: Vec<MinuteRow>| {
        rows.into_iter()
            .map(|mut row| {
                (row.identity.container_id, row.identity.node) = (name.repeat(64), node.to_owned());
                row.identity.container_name = Some(name.to_owned());
                row
            })
            .collect::<Vec<_>>()
    };
    let mut early = named("e", "node-2", sized_cpu(0.5, None, Some(64.0)));
    early.truncate(80);
    let mut late = named("d", "node-1", sized_cpu(0.5, None, None));
    late.drain(..5);
    let rows = [
        early,
        named("a", "node-2", sized_cpu(0.5, None, Some(1.0))),
        named("b", "node-1", sized_cpu(8.0, None, Some(1.0))),
        named("c", "", sized_cpu(0.5, None, Some(4.0))),
        late,
    ];
    let at = |minute: i64| Timestamp::from_second(BEGIN + minute * 60).expect("a time");
    let review = judged_by(&rows.concat(), None, &Config::default());
    assert_eq!(review.nodes, ["node-1", "node-2"]);
    let names: String = review.workloads.iter().map(|a| a.workload.name.as_str()).collect();
    assert_eq!(names, "bcade", "what costs more counts as what saves; who ended comes last");
    assert_eq!(review.covered, Some((at(0), at(100))));
    let totals = &review.totals;
    assert_eq!((totals.workloads, totals.over_provisioned, totals.under_provisioned, totals.no_request), (4, 2, 1, 4));
    let saving = |name: &str| review.workloads.iter().find(|a| a.workload.name == name).map_or(0.0, |a| a.saving);
    assert!(saving("b") < 0.0 && (totals.needed + saving("b")).abs() < 1e-9, "{totals:?}");
    let later = judged_by(&rows.concat(), Some(at(111)), &Config::default());
    assert!(later.workloads.iter().all(|a| a.ended), "by the end that is given");
}

/// A minute of a GPU that the container `a` holds: how much of it it computed, was held idle and was free.
fn gpu_row(minute: Timestamp, node: &str, states: [f64; 3]) -> GpuRow {
    let states = ["state.active", "state.held_idle", "state.free"].into_iter().zip(states);
    GpuRow {
        minute,
        node: node.to_owned(),
        device: Device { vendor: "nvidia", uuid: "GPU-1".to_owned() },
        parent: None,
        share: Share::Whole,
        index: 0,
        model: None,
        containers: Some(vec!["a".repeat(64)]),
        summary: Summary::of(10, states.map(|(key, share)| (gpu::id(key).column(Part::Share), Float(share)))),
    }
}

/// A minute of a model: the samples that came, and its verdict.
fn model_row(minute: Timestamp, node: &str, key: ModelKey, predictions: u64, drift: Option<bool>) -> ModelRow {
    let told = drift.map(|drift| (model::id("verdict").column(Last), Int(drift.into())));
    let cells = [(model::id("predictions").column(Increase), Int(predictions))].into_iter().chain(told);
    ModelRow { minute, node: node.to_owned(), key, summary: Summary::of(0, cells), ..ModelRow::default() }
}

#[test]
fn a_model_costs_what_its_containers_do_and_their_part_of_gpus() {
    // Two containers of one model for 90 minutes, and for the same time a GPU that one of them holds. A third trains it.
    let of = |id: &str, relation, m: i64| {
        let mut row = row(m, 0.5, 100.0);
        (row.identity.container_id, row.identity.container_name) = (id.repeat(64), Some(id.to_owned()));
        let to = Model { key: ModelKey::named("m"), version: None };
        row.identity.model = Some(Link { to, relation, source: "plumbline.io/model" });
        row
    };
    let rows: Vec<MinuteRow> = (5..95)
        .flat_map(|m| [of("a", Relation::Serves, m), of("b", Relation::Serves, m), of("t", Relation::Trains, m)])
        .collect();
    let minute = |m: i64| Timestamp::from_second(BEGIN + m * 60).expect("a time");
    // Ten readings: it computed in three, was held in five and free in two.
    let gpu = |m: i64| gpu_row(minute(m), "node-1", [0.3, 0.5, 0.2]);
    let model = model_row(minute(5), "node-1", ModelKey::named("m"), 2000, None);
    let (since, until) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
    let review = |until_gpu: i64, model: ModelRow| {
        let mut history = History::default();
        let gpus: Vec<GpuRow> = (5..until_gpu).map(gpu).collect();
        history.gpus.take(&GpuRow::frame(&gpus).expect("a frame"), since, until).expect("taken");
        history.take_containers(&minute_frame(&rows).expect("a frame"), since, until).expect("taken");
        history.models.take(&ModelRow::frame(&[model]).expect("a frame"), since, until).expect("taken");
        history.review(since, until, None, &Config::default(), &Prices::default())
    };
    let found = review(95, model.clone());
    assert_eq!(found.covered, Some((minute(5), minute(95))));
    let hours = 1.5 * (2.0 * (2.0 * 0.031_611 + 0.004_237) + 0.95);
    let cost = found.models[0].cost.expect("it is known");
    assert!((cost - hours).abs() < 1e-9, "{cost} {hours}");
    let (totals, month) = (&found.totals, 0.95 * 730.0);
    let parts = [totals.gpu_cost, totals.gpu_held_idle_cost, totals.gpu_free_cost];
    assert!(parts.iter().zip([1.0, 0.5, 0.2]).all(|(part, share)| (part - share * month).abs() < 1e-9), "{parts:?}");
    // The newest row of any kind is the end of the time.
    assert!(!found.workloads[0].ended);
    assert!(review(120, model.clone()).workloads[0].ended);
    assert!(review(95, ModelRow { minute: minute(120), ..model }).workloads[0].ended);
}

/// Each node's verdict on a model is its own, and a model costs what its own namespace's containers on its own node do.
#[test]
fn a_model_on_two_nodes_is_two_and_namespaces_keep_apart() {
    let minute = |m: i64| Timestamp::from_second(BEGIN + m * 60).expect("a time");
    let of = |node: &str, drift| model_row(minute(0), node, ModelKey::within("ml", "m"), 1000, Some(drift));
    let served = |id: &str, node: &str, namespace: &str| {
        let mut row = row(0, 0.5, 100.0);
        (row.identity.container_id, row.identity.container_name) = (id.repeat(64), Some(id.to_owned()));
        row.identity.node = node.to_owned();
        let to = Model { key: ModelKey::within(namespace, "m"), version: None };
        row.identity.model = Some(Link { to, relation: Relation::Serves, source: "plumbline.io/model" });
        row
    };
    // A minute that a restart cut in two has two rows of the device, and is one.
    let gpu = |node: &str| gpu_row(minute(0), node, [1.0, 0.0, 0.0]);
    let (since, until) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
    let mut history = History::default();
    // The store gives node after node.
    for (node, drift) in [("node-1", true), ("node-2", false)] {
        let rows = [served(if node == "node-1" { "a" } else { "b" }, node, "ml"), served("c", node, "shop")];
        history.gpus.take(&GpuRow::frame(&[gpu(node), gpu(node)]).expect("a frame"), since, until).expect("taken");
        history.take_containers(&minute_frame(&rows).expect("a frame"), since, until).expect("taken");
        history.models.take(&ModelRow::frame(&[of(node, drift)]).expect("a frame"), since, until).expect("taken");
    }
    let review = history.review(since, until, None, &Config::default(), &Prices::default());
    let found: Vec<_> = review.models.iter().map(|model| (model.node.as_str(), model.drift)).collect();
    assert_eq!(found, [("node-1", Some(true)), ("node-2", Some(false))]);
    let minutes: Vec<_> = review.gpus.iter().map(|gpu| (gpu.node.as_str(), gpu.minutes)).collect();
    assert_eq!(minutes, [("node-1", 1), ("node-2", 1)]);
    let hour = 2.0 * 0.031_611 + 0.004_237;
    let costs: Vec<f64> = review.models.iter().map(|model| model.cost.expect("known") * 60.0).collect();
    assert!((costs[0] - hour - 2.0 * 0.95).abs() < 1e-9 && (costs[1] - hour).abs() < 1e-9, "{costs:?} {hour}");
}

#[test]
fn a_verdict_has_one_name() {
    use Provisioning::{Fits, Over, Under, Unknown, Unset};
    for verdict in [Over, Under, Fits, Unset, Unknown] {
        let told = serde_json::to_value(verdict).expect("JSON");
        assert_eq!(told, verdict.name().replace(['-', ' '], "_"));
    }
}

/// The row as a Deployment's replica has it.
fn replica(row: MinuteRow, id: &str, request: f64) -> MinuteRow {
    let mut row = row;
    let some = |text: &str| Some(text.to_owned());
    row.identity = RowIdentity {
        container_id: id.repeat(64),
        container_name: some("app"),
        workload: Some(Workload { namespace: some("shop"), kind: WorkloadKind::DEPLOYMENT, name: "web".to_owned() }),
        namespace: some("shop"),
        pod: Some(format!("web-6d5f7c9b8-{id}")),
        pod_uid: Some(format!("uid-{id}")),
        pod_container: some("app"),
        qos: some("Burstable"),
        runtime: some("containerd"),
        ..row.identity
    };
    row.summary.set(self::id("cpu.request").column(Last), Float(request));
    row
}

#[test]
fn replicas_are_one_workload_and_cost_each() {
    let rows = |ids: &[&str]| {
        let all = ids.iter().flat_map(|id| (0..90).map(|m| replica(row(m, 0.1, 100.0), id, 1.0)));
        all.collect::<Vec<MinuteRow>>()
    };
    let (one, three) = (judged(&rows(&["a"])), judged(&rows(&["a", "b", "d"])));
    assert_eq!(review(&rows(&["a", "b", "d"])).workloads.len(), 1);
    assert_eq!((three.workload.name.as_str(), three.replicas), ("shop/Deployment/web/app", 3));
    assert_eq!(three.containers.len(), 3);
    assert_eq!((three.history.minutes, three.cpu.recommended), (one.history.minutes, one.cpu.recommended));
    assert!((three.cost - 3.0 * one.cost).abs() < 1e-9 && (three.saving - 3.0 * one.saving).abs() < 1e-9);
    assert!(three.patches[0].text.starts_with("kubectl -n shop set resources deployment/web -c app "));
}

#[test]
fn a_rollout_goes_on_with_its_history_and_the_new_limit_counts() {
    let throttled = |mut row: MinuteRow, limit: f64, share: u64| {
        row.summary.set(id("cpu.limit").column(Last), Float(limit));
        count(&mut row, "cpu.periods", 100);
        count(&mut row, "cpu.throttled_periods", share);
        row
    };
    // The old pod is throttled at its limit; the new one, of twice that, is not. They overlap for ten minutes.
    let old = (0..100).map(|m| throttled(replica(row(m, 0.2, 100.0), "a", 0.2), 0.2, 90));
    let new = (90..200).map(|m| throttled(replica(row(m, 0.3, 100.0), "b", 0.35), 0.4, 0));
    for rows in [old.clone().chain(new.clone()).collect::<Vec<_>>(), new.chain(old).collect()] {
        let a = judged(&rows);
        assert_eq!((a.history.minutes, a.replicas), (200, 1));
        assert_eq!((a.used.throttled, a.cpu.requested), (Some(0.0), Some(0.35)), "{}", a.cpu.reason);
        assert_eq!(a.cpu.provisioning, Provisioning::Fits);
        assert_eq!(a.workload.pod.as_deref(), Some("web-6d5f7c9b8-b"));
    }
}

#[test]
fn sandboxes_have_no_size_and_what_an_autoscaler_acts_on_has_no_patch() {
    let rows: Vec<MinuteRow> = (0..90).map(|m| replica(row(m, 0.1, 100.0), "a", 1.0)).collect();
    let mut sandbox = rows.clone();
    for row in &mut sandbox {
        row.identity.role = Some(crate::identity::Role::Sandbox);
    }
    assert!(review(&sandbox).workloads.is_empty());
    // Its pod was known a minute before its part in it: two of them beside the containers that they keep.
    for (row, id) in sandbox.iter_mut().zip(["b", "c"]) {
        (row.identity.role, row.identity.container_id) = (None, id.repeat(64));
        (row.identity.pod_container, row.identity.container_name) = (None, None);
    }
    for (row, id) in sandbox.iter_mut().skip(2).zip(["b", "c"].iter().cycle()) {
        row.identity.container_id = id.repeat(64);
    }
    assert!(review(&sandbox).workloads.is_empty());
    assert_eq!(review(&[sandbox, rows.clone()].concat()).workloads.len(), 1);
    let mut scaled = rows;
    for row in &mut scaled {
        row.identity.autoscaler = Some("HorizontalPodAutoscaler/web:cpu".to_owned());
        row.summary.set(id("memory.request").column(Last), Int(900 << 20));
    }
    let a = judged(&scaled);
    assert_eq!(a.cpu.provisioning, Provisioning::Over, "that is so all the same");
    assert!(a.cpu.reason.contains("HorizontalPodAutoscaler web adds pods by its use"), "{}", a.cpu.reason);
    assert!(!a.cpu.changes() && a.cpu.saving.abs() < 1e-9 && a.memory.saving > 0.0);
    assert!(a.patches[0].text.contains("memory=") && !a.patches[0].text.contains("cpu="), "{}", a.patches[0].text);
}

#[test]
fn what_comes_and_goes_is_paid_for_as_long_as_it_is_there() {
    // A run of six minutes each hour, each in a pod of its own.
    let minutes = (0..30_i64).flat_map(|hour| (0..6).map(move |minute| (hour, hour * 60 + minute)));
    let rows: Vec<MinuteRow> = minutes
        .map(|(hour, minute)| {
            let mut row = replica(row(minute, 0.1, 100.0), "a", 1.0);
            row.identity.container_id = format!("{hour:064x}");
            row.identity.pod_uid = Some(format!("uid-{hour}"));
            let some = |text: &str| Some(text.to_owned());
            row.identity.workload =
                Some(Workload { namespace: some("shop"), kind: WorkloadKind::CRON_JOB, name: "n".to_owned() });
            row
        })
        .collect();
    let mut always: Vec<MinuteRow> = rows.clone();
    for row in &mut always {
        row.identity.workload =
            Some(Workload { namespace: None, kind: WorkloadKind::DEPLOYMENT, name: "w".to_owned() });
    }
    let (job, whole) = (judged(&rows), judged(&always));
    let part = 180.0 / (29.0 * 60.0 + 6.0);
    assert!((job.cost - whole.cost * part).abs() < 1e-9, "{} of {}", job.cost, whole.cost);
    assert_eq!((job.replicas, job.ended), (1, false));
    // The next run is tomorrow's: its patch waits for it.
    let end = rows.last().expect("a row").minute + jiff::SignedDuration::from_hours(20);
    let mut history = History::default();
    history
        .take_containers(&minute_frame(&rows).expect("a frame"), Timestamp::UNIX_EPOCH, Timestamp::MAX)
        .expect("taken");
    let later = history.review(Timestamp::UNIX_EPOCH, end, Some(end), &Config::default(), &Prices::default());
    assert!(!later.workloads[0].ended && later.workloads[0].patches[0].text.contains("cronjob/n"));
}

/// Pods that come and go leave no id behind, and what they had of a GPU is still paid for.
#[test]
fn the_ids_of_those_that_went_are_forgotten_but_not_what_their_gpu_cost() {
    let minute = |m: i64| Timestamp::from_second(BEGIN + m * 60).expect("a time");
    let (since, until) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
    // A pod a minute; the first, "a", held the GPU for one.
    let rows: Vec<MinuteRow> = (0..90)
        .map(|m| {
            let mut row = replica(row(m, 0.1, 100.0), "a", 1.0);
            row.identity.model = Some(Link {
                to: Model { key: ModelKey::within("shop", "m"), version: None },
                relation: Relation::Serves,
                source: "label",
            });
            if m > 0 {
                row.identity.container_id = format!("{m:064x}");
                row.identity.pod_uid = Some(format!("uid-{m}"));
            }
            row
        })
        .collect();
    let cost = |chunk: usize| {
        let mut history = History::default();
        let gpu = [gpu_row(minute(0), "node-1", [1.0, 0.0, 0.0])];
        history.gpus.take(&GpuRow::frame(&gpu).expect("a frame"), since, until).expect("taken");
        let model = [model_row(minute(0), "node-1", ModelKey::within("shop", "m"), 1000, None)];
        history.models.take(&ModelRow::frame(&model).expect("a frame"), since, until).expect("taken");
        for rows in rows.chunks(chunk) {
            history.take_containers(&minute_frame(rows).expect("a frame"), since, until).expect("taken");
            assert!(history.containers.ids() <= 2, "{} of {chunk} rows", history.containers.ids());
        }
        let review = history.review(since, until, None, &Config::default(), &Prices::default());
        assert_eq!(
            (review.workloads.len(), review.workloads[0].replicas, review.workloads[0].history.minutes),
            (1, 1, 90)
        );
        review.models[0].cost.expect("it is known")
    };
    let costs = [1, 7, 90].map(cost);
    let hours = 1.5 * (0.031_611 + 0.004_237) + 0.95 / 60.0;
    assert!(costs.iter().all(|cost| (cost - hours).abs() < 1e-9), "{costs:?} {hours}");
}

#[test]
fn a_pod_that_asks_as_a_whole_leaves_its_containers_without_a_verdict() {
    let mut rows: Vec<MinuteRow> = (0..90).map(|m| replica(row(m, 0.1, 100.0), "a", 0.0)).collect();
    for row in &mut rows {
        row.identity.pod_requests = Some("cpu".to_owned());
    }
    let a = judged(&rows);
    assert_eq!(a.cpu.provisioning, Provisioning::Unknown);
    assert!(a.cpu.reason.contains("its pod asks for it as a whole"), "{}", a.cpu.reason);
    assert_ne!(a.memory.provisioning, Provisioning::Unknown, "of memory the containers ask themselves");
}

#[test]
fn a_setting_names_what_scales_a_workload() {
    let rows: Vec<MinuteRow> = (0..90).map(|m| replica(row(m, 0.1, 100.0), "a", 1.0)).collect();
    let mut history = History::default();
    history
        .take_containers(&minute_frame(&rows).expect("a frame"), Timestamp::UNIX_EPOCH, Timestamp::MAX)
        .expect("taken");
    let autoscaled = [("shop/Deployment/web".to_owned(), "vpa".to_owned())].into();
    let config = Config { autoscaled, ..Config::default() };
    let a =
        history.review(Timestamp::UNIX_EPOCH, Timestamp::MAX, None, &config, &Prices::default()).workloads.remove(0);
    assert_eq!((a.cpu.managed_by.as_deref(), a.patches.len()), (Some("VerticalPodAutoscaler"), 0), "{:?}", a.patches);
}

/// A workload of this name, an hour and a half of it.
fn named(name: &str, minutes: std::ops::Range<i64>, cores: f64, limit: f64) -> Vec<MinuteRow> {
    let named = |minute| {
        let mut row = set(row(minute, cores, 500.0), [("cpu.limit", Some(Float(limit)))]);
        row.identity.container_name = Some(name.to_owned());
        row.identity.container_id = name.repeat(30);
        row.identity.workload = row.identity.workload.map(|own| Workload { name: name.to_owned(), ..own });
        row
    };
    minutes.map(named).collect()
}

#[test]
fn what_changed_since_an_earlier_review_is_told() {
    use super::changed::{Earlier, Moved, Resized, Turned};
    let earlier = review(&[named("web", 0..90, 0.1, 2.0), named("old", 0..90, 0.1, 2.0)].concat());
    let now = review(&[named("web", 200..290, 0.1, 0.12), named("new", 200..290, 0.1, 2.0)].concat());
    let changed = Earlier::from(&earlier).changed(&now);
    assert_eq!((changed.came.join(","), changed.ended.join(",")), ("new".to_owned(), "old".to_owned()));
    let (workload, node) = ("web".to_owned(), "node-1".to_owned());
    let resized =
        Resized { workload: workload.clone(), node: node.clone(), resource: "cpu", before: Some(2.0), now: Some(0.12) };
    assert_eq!(changed.resized, [resized]);
    let (before, fits) = (Provisioning::Over, Provisioning::Fits);
    assert_eq!(changed.turned, [Turned { workload, node, resource: "cpu", before, now: fits }]);
    assert_eq!(changed.cost, Some(Moved { before: earlier.totals.cost, now: now.totals.cost }));
    // As a file has it, whatever else stands there; and in another currency no sums are compared.
    let text = serde_json::to_string(&earlier).expect("JSON");
    let read: Earlier = serde_json::from_str(&text).expect("a review");
    assert_eq!((read.changed(&now).came, read.changed(&now).resized), (changed.came, changed.resized));
    assert!(read.changed(&now).cost.is_some_and(|cost| (cost.before - earlier.totals.cost).abs() < 1e-9));
    let other: Earlier = serde_json::from_str(&text.replace("\"USD\"", "\"EUR\"")).expect("a review");
    assert_eq!((other.changed(&now).cost, other.changed(&now).wasted), (None, None));
    assert!(serde_json::from_str::<Earlier>("{\"since\": 1}").is_err());
    let same = Earlier::from(&earlier).changed(&earlier);
    assert!(same.came.is_empty() && same.ended.is_empty() && same.resized.is_empty() && same.turned.is_empty());
}

#[test]
fn a_gpus_hours_say_what_it_did_in_each() {
    let at = |minute: i64| Timestamp::from_second(BEGIN + minute * 60).expect("a time");
    let states = |minute: i64| if minute < 60 { [1.0, 0.0, 0.0] } else { [0.0, 0.5, 0.5] };
    // Nothing is known of the third hour.
    let rows: Vec<GpuRow> =
        (0..240).filter(|minute| !(120..180).contains(minute)).map(|m| gpu_row(at(m), "n", states(m))).collect();
    let mut history = History::default();
    let frame = GpuRow::frame(&rows).expect("a frame");
    history.gpus.take(&frame, Timestamp::UNIX_EPOCH, Timestamp::MAX).expect("taken");
    let found = history.review(Timestamp::UNIX_EPOCH, Timestamp::MAX, None, &Config::default(), &Prices::default());
    let hours: Vec<_> = found.gpus[0].hours.iter().map(|hour| (hour.active, hour.held_idle)).collect();
    let idle = (Some(0.0), Some(0.5));
    assert_eq!(hours, [(Some(1.0), Some(0.0)), idle, (None, None), idle]);
}
