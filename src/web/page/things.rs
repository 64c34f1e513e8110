//! The pages of the node, of alerts, and of a model over time, held to what they are to say.

use super::tests::{answered, at, known, played};
use super::*;
use crate::alert::rule::Severity;
use crate::alert::view::{Alert, AlertState, AlertsView, RuleView};
use crate::demo;
use crate::identity::node::Machine;
use crate::model::view::{ModelsView, WindowSummary};
use crate::query::{Change, Series};

fn joined(view: &View, snapshot: Snapshot, alerts: AlertsView) -> Arc<Snapshot> {
    let (models, review) = (Arc::clone(&view.snapshot.models), view.snapshot.review.clone());
    Arc::new(snapshot.joined(models, review, Arc::new(alerts)))
}

#[test]
fn the_nodes_page_says_what_is_used_asked_for_and_free() {
    let (mut view, containers, gpus) = played();
    let range = Range::of(Some("range=7d")).expect("a range");
    let page = |view: &View| {
        let all = answered(node::query(view, range, view.now), &containers);
        let devices = answered(node::gpus(view, range, view.now), &gpus);
        (node::sections(view, range, &all, Some(&devices)).into_string(), all, devices)
    };
    let (text, all, devices) = page(&view);
    for said in [
        "<h3>CPU: 48 cores</h3>",
        "<h3>Memory: 192.0 GiB</h3>",
        "<h3>GPUs: 4 GPUs</h3>",
        "asked for, not used",
        "href=\"/workloads/research/StatefulSet/notebook/jupyter\"",
        "a month</strong> are for what workloads ask for and do not use",
        "g6e.12xlarge",
    ] {
        assert!(text.contains(said), "no `{said}`: {text}");
    }
    assert!(text.matches("<figure class=\"course\"").count() == 3 && !text.contains("over-committed"), "{text}");
    // All containers together, and not one of them.
    let used = all.series[0].quantile("cpu_usage_mean", 0.5).expect("known");
    assert!((4.0..40.0).contains(&used), "{used} cores are used by all");
    let asked = all.series[0].quantile("memory_request", 0.5).expect("known");
    assert!(asked > 60.0 * 1_073_741_824.0, "{asked}");
    let held: Vec<f64> =
        ["active", "held_idle", "free"].iter().filter_map(|of| devices.series[0].quantile(of, 0.5)).collect();
    assert!(held.len() == 3 && devices.series[0].column("held_idle").iter().flatten().all(|count| *count <= 4.0));

    // Without Kubernetes there is the machine, and without both that is said.
    let mut alone = Snapshot::clone(&view.snapshot);
    alone.resources = None;
    view.snapshot = joined(&view, alone.clone(), AlertsView::default());
    let text = page(&view).0;
    assert!(text.contains("<h3>CPU: 48 cores</h3>") && text.contains("Kubernetes is not read here"), "{text}");
    alone.machine = Some(Machine { cores: None, memory: Some(8e9) });
    view.snapshot = joined(&view, alone.clone(), AlertsView::default());
    let text = page(&view).0;
    assert!(
        !text.contains("<h3>CPU:") && text.contains("cores unknown") && text.contains("⚠ over-committed"),
        "{text}"
    );
    (alone.machine, alone.gpus) = (None, Vec::new());
    view.snapshot = joined(&view, alone, AlertsView::default());
    let text = page(&view).0;
    assert!(text.contains("Neither Kubernetes nor the machine says") && !text.contains("NaN"), "{text}");
    assert_eq!(node::address(demo::NODE), "/nodes/sample-node");
}

fn alert(name: &str, about: (&str, &str), state: AlertState, fired: i64, resolved: Option<i64>) -> Alert {
    Alert {
        name: name.to_owned(),
        severity: Severity::Critical,
        state,
        labels: [(about.0.to_owned(), about.1.to_owned())].into(),
        metric: "container.memory.usage".to_owned(),
        value: 1024.0,
        worst: Some(3.0 * 1_073_741_824.0),
        threshold: 1_073_741_824.0,
        since: at(fired),
        fired: Some(at(fired)),
        resolved: resolved.map(at),
        message: format!("{name} <of> {}", about.1),
    }
}

#[test]
fn the_page_of_alerts_tells_each_with_its_thing_and_what_to_do() {
    let mut view = known();
    let end = 14 * 86_400;
    let model = ("model", "model-number-3");
    let rule = |name: &str, action: Option<&str>| RuleView {
        name: name.to_owned(),
        metric: "container.memory.usage".to_owned(),
        severity: Severity::Critical,
        condition: "above 1".to_owned(),
        action: action.map(str::to_owned),
        is_share: false,
    };
    let resolved = [3600, 7200, 90_000]
        .map(|ago| alert("Full", ("container.name", "gone"), AlertState::Resolved, end - ago, Some(end - ago + 600)));
    let alerts = AlertsView {
        alerts: vec![alert("Full", model, AlertState::Firing, end - 1800, None)],
        resolved: resolved.to_vec(),
        resolved_left_out: 7,
        rules: vec![rule("Full", Some("Empty it.")), rule("Other", None)],
        ..AlertsView::default()
    };
    view.snapshot = joined(&view, Snapshot::clone(&view.snapshot), alerts);
    let page = |range: &str| alert_history::sections(&view, Range::of(Some(range)).expect("a range")).into_string();
    let day = page("range=24h");
    for said in [
        "1 fires ⚠",
        "none is pending",
        "href=\"/models/model-number-3\"",
        "Full &lt;of&gt; model-number-3",
        "1.0 KiB, 1.0 GiB",
        "Empty it.",
        "3.0 GiB, 1.0 GiB",
        "10 min",
        "Full</text>",
        "3 times</text>",
        "7 older ones",
    ] {
        assert!(day.contains(said), "no `{said}`: {day}");
    }
    // What is not there any longer has no link, and what was over before the time is not in it.
    assert!(day.contains("<small>gone</small>") && day.matches("<small>gone</small>").count() == 2, "{day}");
    assert_eq!(page("range=14d").matches("<small>gone</small>").count(), 3);
    assert!(page("range=1h").contains("class=\"alarm\""));
    // What is so or is not so has no figure.
    let mut flag = alert("Flag", model, AlertState::Firing, 0, None);
    (flag.value, flag.threshold) = (1.0, 0.5);
    view.snapshot =
        joined(&view, Snapshot::clone(&view.snapshot), AlertsView { alerts: vec![flag], ..AlertsView::default() });
    let text = alert_history::sections(&view, RANGES[0]).into_string();
    assert!(text.contains("there is no figure") && text.contains("Alerts are kept for two weeks"), "{text}");
}

/// A model whose last windows do worse, in the time of its rows.
fn dropped(view: &View) -> ModelView {
    let mut model = view.snapshot.models.models[0].clone();
    let performance = |auc: f64| {
        let none = r#""accuracy":null,"precision":null,"recall":null,"f1":null,"brier":null,"log_loss":null,"mae":null,"rmse":null,"r2":null"#;
        let intervals = format!(r#""intervals":{{"roc_auc":{{"low":{},"high":{}}}}}"#, auc - 0.01, auc + 0.01);
        let text =
            format!(r#"{{"task":"classification","rows":1000,"positive":null,"roc_auc":{auc},{none},{intervals}}}"#);
        serde_json::from_str(&text).expect("a performance")
    };
    let window = |hour: i64| WindowSummary {
        start: at(hour * 3600),
        end: at((hour + 1) * 3600),
        rows: 1200,
        versions: vec![if hour < 20 { "1" } else { "2" }.to_owned()],
        drift: Some(hour > 20),
        drifted: if hour > 20 { vec!["age".to_owned()] } else { Vec::new() },
        performance: Some(performance(if hour > 20 { 0.7 } else { 0.9 })),
        ..WindowSummary::default()
    };
    model.windows = (0..24).rev().map(window).collect();
    model
}

#[test]
fn a_models_page_says_what_changed_near_a_drop() {
    let view = known();
    let model = dropped(&view);
    let axis = timeline::axis(&model, None).expect("windows");
    let mut answer = answered(timeline::containers(&view, &model, axis), &[] as &[crate::frame::MinuteRow]);
    assert_eq!((answer.since, answer.step_seconds), (at(0), 300));
    let step = |minutes: usize| minutes / 5;
    let mut throttled = vec![Some(1.0); 288];
    throttled[step(20 * 60)..step(22 * 60)].fill(Some(60.0));
    let mut kills = vec![Some(0.0); 288];
    kills[step(21 * 60 + 30)] = Some(1.0);
    let labels = [("workload", Some("housing")), ("pod_container", Some("server")), ("model_namespace", None)];
    let change = |hour: i64, column: &str, value: &str, first| Change {
        at: at(hour * 3600),
        last: at(24 * 3600),
        column: column.to_owned(),
        value: value.to_owned(),
        first,
    };
    answer.series.push(Series {
        labels: labels.map(|(name, value)| (name.to_owned(), value.map(str::to_owned))).into(),
        values: [("cpu_throttled_periods", throttled), ("cpu_periods", vec![Some(100.0); 288]), ("oom_kills", kills)]
            .map(|(name, values)| (name.to_owned(), values))
            .into(),
        changes: vec![change(0, "image_tag", "v1", true), change(19, "image_tag", "v2", false)],
    });
    let past = timeline::Past { containers: Some(&answer), gpus: None };
    let page = timeline::section(&view, &model, None, &past).into_string();
    for said in [
        "version 2 first seen",
        "housing/server: version v2",
        "housing/server throttled in 60.0 % of periods",
        "housing/server: OOM kill",
        "◆</text>",
        "rows a minute",
        "columns that drift",
        "class=\"idle\"",
    ] {
        assert!(page.contains(said), "no `{said}`: {page}");
    }
    let sentence = page.split("<p>").nth(1).and_then(|rest| rest.split("</p>").next()).expect("a sentence");
    // Nothing is called worse without a reference; what drifts is, and comes with what was near, in order of time.
    assert!(sentence.contains("beginning of drift"), "{sentence}");
    let places: Vec<usize> = ["version v2", "version 2 first seen", "throttled", "OOM kill"]
        .iter()
        .map(|said| sentence.find(said).unwrap_or_else(|| panic!("no `{said}`: {sentence}")))
        .collect();
    assert!(places.is_sorted(), "{sentence}");
    // A container of a model of another namespace is none of this one's.
    answer.series[0].labels.insert("model_namespace".to_owned(), Some("elsewhere".to_owned()));
    let mut snapshot = Snapshot::clone(&view.snapshot);
    let mut other = model.clone();
    other.key.namespace = Some("elsewhere".to_owned());
    snapshot.models = Arc::new(ModelsView { models: vec![model.clone(), other], ..ModelsView::default() });
    let view = View { snapshot: Arc::new(snapshot), ..known() };
    let page =
        timeline::section(&view, &model, None, &timeline::Past { containers: Some(&answer), gpus: None }).into_string();
    assert!(!page.contains("housing/server") && page.contains("version 2 first seen"), "{page}");
    // Without windows there is nothing to draw, and that is said.
    let empty = ModelView { windows: Vec::new(), ..model };
    assert!(
        timeline::section(&view, &empty, None, &timeline::Past::default())
            .into_string()
            .contains("No window has closed")
    );
}

#[test]
fn replicas_are_one_link_with_their_number() {
    let (view, ..) = played();
    let models = ModelsView { models: vec![known().snapshot.models.models[0].clone()], ..ModelsView::default() };
    let mut snapshot = Snapshot::clone(&view.snapshot);
    let mut models = models;
    models.models[0].key = ModelKey::named("housing");
    let review = snapshot.review.clone();
    snapshot = snapshot.joined(Arc::new(models), review, Arc::default());
    let view = View { snapshot: Arc::new(snapshot), ..view };
    let page = home(&view);
    assert_eq!(page.matches(">housing/server</a>").count(), 1, "{page}");
    assert!(page.contains(" ×3</span>"), "{page}");
}
