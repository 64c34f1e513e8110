//! The page at `/`, and a model's own at `/models/{model}`. Whole without a script, live with one.
//!
//! Each section stands in a file of its own below `page/` and is pure: views in, markup out. What needs attention comes first.

mod alert_history;
mod alerts;
mod answers;
mod attention;
mod containers;
mod gpu;
mod gpus;
mod model;
mod models;
mod node;
mod range;
mod resources;
mod sizes;
#[cfg(test)]
mod things;
mod timeline;
mod told;
mod window;
mod workload;

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

#[cfg(test)]
pub use range::RANGES;
use range::Range;

use super::Shared;
use super::health::{self, Report};
use super::query::Unanswered;
use crate::access::Caller;
use crate::chart;
use crate::identity::ModelKey;
use crate::model::address;
use crate::model::view::ModelView;
use crate::query::Answer;
use crate::snapshot::Snapshot;
use crate::units::span;

/// Where alerts have a page of their own.
const ALERTS: &str = "/alerts";

/// All that a page is made of, as of one instant.
struct View {
    snapshot: Arc<Snapshot>,
    health: Report,
    /// Where this is served: `http://127.0.0.1:9477`.
    base: String,
    /// Who looks has signed in, and may sign out.
    signed_in: bool,
    /// The demonstration is shown.
    sample: bool,
    /// The data folder.
    data: String,
    /// Since when the agent watches.
    started: Timestamp,
    now: Timestamp,
}

impl View {
    fn of(shared: &Shared, caller: &Caller) -> Self {
        Self {
            snapshot: Arc::clone(&shared.snapshot.borrow()),
            health: health::report(&shared.health.state(), shared.clock.monotonic()),
            base: shared.base.clone(),
            signed_in: matches!(caller, Caller::Known(_)),
            sample: shared.sample,
            data: shared.data.clone(),
            started: shared.started,
            now: shared.clock.now(),
        }
    }

    fn currency(&self) -> &str {
        self.snapshot.review.as_ref().map_or("USD", |review| &review.prices.currency)
    }
}

pub async fn page(State(shared): State<Shared>, Extension(caller): Extension<Caller>) -> Html<String> {
    Html(home(&View::of(&shared, &caller)))
}

fn home(view: &View) -> String {
    let sections = html! {
        (answers::section(view))
        (models::section(view))
        (attention::section(view))
        (containers::section(view))
        (sizes::section(view))
        (gpus::section(view))
        (resources::section(view))
        (alerts::section(view))
    };
    shell(view, &view.snapshot.node, None, &sections).into_string()
}

pub async fn model(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let view = View::of(&shared, &caller);
    let (key, range) = match with_range(&name, query.as_deref()) {
        Ok((key, range)) => (Ok(key), range),
        Err(Asked::Model(why)) => (Err(why), None),
        Err(Asked::Range(why)) => return below(&view, &name, Err((StatusCode::BAD_REQUEST, why))),
    };
    let name = key.as_ref().map_or(name, ToString::to_string);
    if let Some((place, found)) = key.ok().and_then(|key| view.snapshot.model(&key)) {
        let (containers, gpus) = past(&shared, &view, place, found, range).await;
        let past = timeline::Past { containers: containers.as_deref(), gpus: gpus.as_deref() };
        let sections = model::sections(&view, place, found, range, &past);
        return Html(shell(&view, &name, Some(&name), &sections).into_string()).into_response();
    }
    let sections = html! { section #missing { p.empty {
        "There is no model " strong { (name) } ". " a href="/" { "All models" } " are on the first page."
    } } };
    (StatusCode::NOT_FOUND, Html(shell(&view, &name, Some(&name), &sections).into_string())).into_response()
}

/// What of an address is none.
enum Asked {
    Model(String),
    Range(String),
}

/// The model that an address names, and over which time; a day without a word.
fn with_range(name: &str, query: Option<&str>) -> Result<(ModelKey, Option<Range>), Asked> {
    let (key, more) = address::with_more(name, query).map_err(Asked::Model)?;
    match &more[..] {
        [] => Ok((key, None)),
        [one] if one.starts_with("range=") => {
            Range::of(Some(one)).map(|range| (key, Some(range))).map_err(Asked::Range)
        }
        [one] | [_, one, ..] => Err(Asked::Model(format!("unknown parameter `{one}`"))),
    }
}

/// What the history says of a model's containers and GPUs; without it the page is whole all the same.
async fn past(
    shared: &Shared,
    view: &View,
    place: usize,
    model: &ModelView,
    range: Option<Range>,
) -> (Option<Arc<Answer>>, Option<Arc<Answer>>) {
    let Some(axis) = timeline::axis(model, range) else { return (None, None) };
    let asked = |query| async { shared.history.ask(query).await.ok() };
    let gpus = async {
        match timeline::gpus(view, place, model, axis) {
            Some(query) => asked(query).await,
            None => None,
        }
    };
    tokio::join!(asked(timeline::containers(view, model, axis)), gpus)
}

/// A page of its own below the first, or why there is none.
fn below(view: &View, name: &str, found: Result<Markup, (StatusCode, String)>) -> Response {
    let (status, sections) = match found {
        Ok(sections) => (StatusCode::OK, sections),
        Err((status, why)) => {
            let words = html! { p.empty { (why) " " a href="/" { "The first page" } " names all there is." } };
            (status, html! { section #missing { (words) } })
        }
    };
    (status, Html(shell(view, name, Some(name), &sections).into_string())).into_response()
}

fn late(why: Unanswered) -> (StatusCode, String) {
    (StatusCode::SERVICE_UNAVAILABLE, why.message())
}

/// A workload over time.
pub async fn workload(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(key): Path<String>,
    RawQuery(asked): RawQuery,
) -> Response {
    let view = View::of(&shared, &caller);
    let sections = async {
        let range = Range::of(asked.as_deref()).map_err(|why| (StatusCode::BAD_REQUEST, why))?;
        let yet = if view.snapshot.review.is_none() { " yet" } else { "" };
        let none = || (StatusCode::NOT_FOUND, format!("There is no workload {key} in the history of this node{yet}."));
        let found = workload::found(&view, &key).ok_or_else(none)?;
        let query = workload::query(found, range, super::query::minute(view.now));
        let answer = shared.history.ask(query).await.map_err(late)?;
        Ok(workload::sections(&view, found, range, &answer))
    };
    below(&view, &key, sections.await)
}

/// A GPU over time.
pub async fn gpu(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(uuid): Path<String>,
    RawQuery(asked): RawQuery,
) -> Response {
    let view = View::of(&shared, &caller);
    let mut name = uuid.clone();
    let sections = async {
        let range = Range::of(asked.as_deref()).map_err(|why| (StatusCode::BAD_REQUEST, why))?;
        let none = || (StatusCode::NOT_FOUND, format!("There is no GPU {uuid} on this node."));
        let found = view.snapshot.gpus.iter().find(|gpu| gpu.device.uuid == uuid).ok_or_else(none)?;
        name = format!("GPU {}", found.index);
        let minute = super::query::minute(view.now);
        let answer = shared.history.ask(gpu::query(&view, found, range, minute)).await.map_err(late)?;
        // Without names the page is whole all the same.
        let holders = shared.history.ask(gpu::holders(&view, range, minute)).await.ok();
        Ok(gpu::sections(&view, found, range, &answer, holders.as_deref()))
    };
    let sections = sections.await;
    below(&view, &name, sections)
}

/// The node over time.
pub async fn node(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    RawQuery(asked): RawQuery,
) -> Response {
    let view = View::of(&shared, &caller);
    let sections = async {
        let range = Range::of(asked.as_deref()).map_err(|why| (StatusCode::BAD_REQUEST, why))?;
        if name != view.snapshot.node {
            let ours = &view.snapshot.node;
            return Err((StatusCode::NOT_FOUND, format!("This agent watches the node {ours}, and not {name}.")));
        }
        let minute = super::query::minute(view.now);
        let gpus = async {
            // Without them the page is whole all the same.
            if view.snapshot.gpus.is_empty() {
                None
            } else {
                shared.history.ask(node::gpus(&view, range, minute)).await.ok()
            }
        };
        let (containers, gpus) = tokio::join!(shared.history.ask(node::query(&view, range, minute)), gpus);
        Ok(node::sections(&view, range, &*containers.map_err(late)?, gpus.as_deref()))
    };
    below(&view, &format!("node {name}"), sections.await)
}

/// Alerts with their history.
pub async fn alerts(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    RawQuery(asked): RawQuery,
) -> Response {
    let view = View::of(&shared, &caller);
    let range = Range::of(asked.as_deref()).map_err(|why| (StatusCode::BAD_REQUEST, why));
    below(&view, "alerts", range.map(|range| alert_history::sections(&view, range)))
}

/// One window of a model, to be shown to somebody.
pub async fn window(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path((name, end)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let view = View::of(&shared, &caller);
    match super::window::found(&shared, &name, &end, query.as_deref()).await {
        Ok((key, window)) => {
            let Some((_, model)) = view.snapshot.model(&key) else {
                return (StatusCode::NOT_FOUND, "the model was removed\n").into_response();
            };
            let title = format!("{key} / {}", window::title(&window));
            Html(shell(&view, &title, Some(&title), &window::sections(model, &window)).into_string()).into_response()
        }
        Err((status, message)) => {
            let sections = html! { section #missing { p.empty { (message) ". " a href="/" { "The first page" } " names all models." } } };
            (status, Html(shell(&view, &name, Some(&name), &sections).into_string())).into_response()
        }
    }
}

pub async fn style() -> impl IntoResponse {
    const STYLE: &str = include_str!("page.css");
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], [chart::PALETTE, STYLE, chart::STYLE].concat())
}

pub async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("page.js"))
}

fn shell(view: &View, title: &str, below: Option<&str>, sections: &Markup) -> Markup {
    let snapshot = &view.snapshot;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "plumbline · " (title) }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/page.css";
                script src="/page.js" defer {}
            }
            body {
                a.skip href="#live" { "Skip to the content" }
                header {
                    h1 { a href="/" { "plumbline" } @if let Some(below) = below { " / " (below) } }
                    @if view.sample { (sample()) }
                    p { "node " a href=(node::address(&snapshot.node)) { strong { (snapshot.node) } } ", watched for "
                        span #watched title={ "since " (exact(view.started)) } { (ago(view.now, view.started)) }
                        " · as of "
                        time #as-of datetime=(snapshot.as_of) { (snapshot.as_of.strftime("%H:%M:%S UTC")) } }
                    @if below.is_none() {
                        nav aria-label="Sections" {
                            @for (id, name) in [
                                ("models", "Models"), ("containers", "Workloads"), ("recommendations", "Recommendations"),
                                ("gpus", "GPUs"), ("node", "Node"), ("alerts", "Alerts"),
                            ] { @if id != "node" || view.snapshot.resources.is_some() { a href={ "#" (id) } { (name) } } }
                        }
                    }
                }
                main #live tabindex="-1" { (sections) }
                footer {
                    a href="/metrics" { "metrics" } " · " a href="/healthz" { "health" } " · as JSON: "
                    @for (path, name) in [
                        ("containers", "containers"), ("gpus", "GPUs"), ("models", "models"),
                        ("recommendations", "recommendations"), ("alerts", "alerts"),
                    ] { a href={ "/api/v1/" (path) } { (name) } " " }
                    @if view.signed_in { form method="post" action="/sign-out" { button type="submit" { "Sign out" } } }
                }
            }
        }
    }
}

/// The models whose verdict is drift, against a reference that was given.
fn drifting(view: &View) -> impl Iterator<Item = (usize, &ModelView)> {
    let drifts = |model: &ModelView| model.verdict.drift == Some(true) && !model.verdict.provisional;
    view.snapshot.models.models.iter().enumerate().filter(move |(_, model)| drifts(model))
}

/// What is shown is played.
fn sample() -> Markup {
    html! { span.sample title="This is the demonstration: the node is played, the models' data are real and old" { "sample data" } }
}

/// A section with its heading; its table scrolls by itself on a small screen, by keyboard too.
fn section(id: &str, title: &str, body: &Markup) -> Markup {
    html! { section id=(id) aria-labelledby={ (id) "-title" } { h2 id={ (id) "-title" } { (title) } (body) } }
}

fn wide(label: &str, table: &Markup) -> Markup {
    html! { div.wide role="region" aria-label={ "Table: " (label) } tabindex="0" { (table) } }
}

/// How long ago, with the time itself on hover.
fn since(now: Timestamp, at: Timestamp) -> Markup {
    html! { time datetime=(at) title=(exact(at)) { (ago(now, at)) } }
}

/// A moment of the last days, with the whole of it on hover.
fn moment(at: Timestamp) -> Markup {
    html! { time datetime=(at) title=(exact(at)) { (at.strftime("%b %-d %H:%M")) } }
}

fn ago(now: Timestamp, at: Timestamp) -> String {
    span(now.duration_since(at))
}

fn exact(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn unknown(text: &str) -> Markup {
    html! { span.unknown { (text) } }
}

/// A name that may be broken behind each `/`.
fn breakable(name: &str) -> Markup {
    html! { @for (at, part) in name.split('/').enumerate() { @if at > 0 { "/" wbr; } (part) } }
}

/// The place on the page of a container or device.
fn anchor(kind: &str, id: &str) -> String {
    format!("{kind}-{}", id.chars().filter(char::is_ascii_alphanumeric).take(16).collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::analysis::State as Analysis;
    use crate::clock::Moment;
    use crate::drift::Kind;
    use crate::drift::aspect::{Aspect, Measure};
    use crate::drift::moved::Moved;
    use crate::drift::verdict::{Judged, JudgedAspect, Named, Shape, Tested, Verdict};
    use crate::frame::{MinuteRow, RowIdentity, minute_frame};
    use crate::health::State as Health;
    use crate::identity::{ContainerClaim, Link, Model, Relation, claim};
    use crate::metric::Number::{Float, Int};
    use crate::minute::Summary;
    use crate::model::Spec;
    use crate::model::view::ModelsView;
    use crate::model::view::{WindowResult, WindowSummary};
    use crate::model::watch::{Progress, Watch};
    use crate::performance::Performance;
    use crate::reading::{ContainerReading, Depth, Report};
    use crate::rightsize::cost::Prices;
    use crate::rightsize::review::History;
    use crate::rightsize::review::Review;
    use crate::signal::Part::{Last, Max, Mean, P95};
    use crate::signal::Signals;
    use crate::signal::container::id;

    const CONTAINERS: usize = 100;
    const MODELS: usize = 30;
    const BEGIN: i64 = 1_795_442_400;

    const NODE: &str = "node-with-a-long-name-1";

    pub fn at(second: i64) -> Timestamp {
        Timestamp::from_second(BEGIN + second).expect("a time")
    }

    fn snapshot() -> Snapshot {
        let moment = |second: i64| Moment { wall: at(second), monotonic: Duration::from_secs(second.unsigned_abs()) };
        let mut state = Analysis::new(NODE.to_owned(), Duration::from_secs(10), CONTAINERS);
        let claim = |n: usize| {
            Arc::new(ContainerClaim {
                about: crate::identity::About::Container(format!("{n:064x}")),
                source: claim::DOCKER,
                name: Some(format!("team-a-recommendation-service-{n}")),
                image: Some("registry.example.com/team-a/recommendation-service".to_owned()),
                image_tag: Some("v1.2.3".to_owned()),
                runtime: Some("docker"),
                cpu_limit: Some(2.0),
                ..ContainerClaim::default()
            })
        };
        let told = Report { claims: Some((0..CONTAINERS).map(claim).collect()), ..Report::default() };
        state.absorb("docker", told, moment(0));
        for second in [0_i64, 10] {
            let reading = |n: usize| {
                let mut signals = Signals::default();
                for (key, count) in [
                    ("cpu.time", second.unsigned_abs() * 312_345_678),
                    ("memory.usage", 400 << 20),
                    ("memory.working_set", 300 << 20),
                    ("cpu.periods", 1000),
                    ("cpu.throttled_periods", 123),
                    ("memory.oom_kills", 0),
                    ("memory.limit", 1 << 30),
                ] {
                    signals.values.count(id(key), count);
                }
                let (runtime, depth, at) = (Some("docker"), Depth::Full, moment(second));
                ContainerReading { id: format!("{n:064x}"), runtime, pod_uid: None, at, started: None, depth, signals }
            };
            let read = Report { containers: Some((0..CONTAINERS).map(reading).collect()), ..Report::default() };
            state.absorb("cgroup", read, moment(second));
        }
        state.snapshot(moment(10), true)
    }

    fn review() -> Review {
        let mut history = History::default();
        for hour in 0..14 * 24 {
            let row = |n: usize| {
                let cores = 0.123_456 * ((hour % 7) as f64);
                let cpu = [Mean, Max, P95].map(|part| (id("cpu.usage").column(part), Float(cores)));
                let bytes = 3e8 + hour as f64 * 1234.5;
                let memory = [Mean, Max].map(|part| (id("memory.working_set").column(part), Float(bytes)));
                let limits =
                    [(id("cpu.limit").column(Last), Float(2.0)), (id("memory.limit").column(Last), Int(1 << 30))];
                MinuteRow {
                    minute: at(hour * 3600),
                    identity: RowIdentity {
                        node: NODE.to_owned(),
                        container_id: format!("{n:064x}"),
                        container_name: Some(format!("team-a-recommendation-service-{n}")),
                        runtime: Some("docker".to_owned()),
                        image: Some("registry.example.com/team-a/recommendation-service".to_owned()),
                        ..RowIdentity::default()
                    },
                    summary: Summary::of(60, cpu.into_iter().chain(memory).chain(limits)),
                }
            };
            let frame = minute_frame(&(0..CONTAINERS).map(row).collect::<Vec<_>>()).expect("a frame");
            history.take_containers(&frame, Timestamp::MIN, Timestamp::MAX).expect("taken");
        }
        history.review(Timestamp::MIN, at(14 * 86_400), None, &crate::rightsize::Config::default(), &Prices::default())
    }

    fn model(n: usize) -> ModelView {
        let feature = |f: usize| Judged {
            name: format!("feature_with_a_name_{f}"),
            kind: Kind::Numeric,
            verdict: Verdict::Drift,
            aspects: vec![JudgedAspect {
                aspect: Aspect::Values,
                category: None,
                p_value: Some(1e-9),
                p_adjusted: Some(1e-8),
                measure: Measure::Shift,
                test: None,
                effect: 0.3,
                noise: 0.02,
                threshold: 0.1,
                varies: false,
                verdict: Verdict::Drift,
                rows_needed: None,
            }],
            decision: None,
            tests: vec![Tested { test: "psi".to_owned(), statistic: Some(0.3), p_value: None }],
            reference_missing: Some(0.0),
            current_missing: Some(0.0),
            new_categories: Named::default(),
            vanished_categories: Named::default(),
            drift: Some(true),
            moved: Moved::default(),
            shape: Some(Shape {
                bins: (0..11).map(|b| format!("{b}.123 to {b}.456")).collect(),
                reference: vec![1000; 11],
                current: (0..11).map(|b| b * 321 + 7).collect(),
                histogram: None,
            }),
        };
        let performance = |w: i64| {
            let auc = 0.9 - w as f64 / 7777.0;
            let none = r#""accuracy":null,"precision":null,"recall":null,"f1":null,"brier":null,"log_loss":null,"mae":null,"rmse":null,"r2":null"#;
            let text = format!(r#"{{"task":"classification","rows":100,"positive":null,"roc_auc":{auc},{none}}}"#);
            serde_json::from_str::<Performance>(&text).expect("a performance")
        };
        let mut view = Watch::new(Spec::new(&format!("model-number-{n}")), 10, Progress::default(), at(0)).view(at(0));
        view.windows = (0..1000_i64)
            .map(|w| WindowSummary {
                start: at(w * 3600),
                end: at((w + 1) * 3600),
                rows: 1000,
                drift: Some(true),
                drifted: vec!["feature_with_a_name_1".to_owned()],
                distances: (0..30).map(|f| (format!("feature_with_a_name_{f}"), f64::from(f) / 10.0)).collect(),
                performance: Some(performance(w)),
                ..WindowSummary::default()
            })
            .collect();
        view.latest = Some(WindowResult {
            start: at(0),
            end: at(3600),
            rows: 1000,
            evaluated: at(0),
            evaluations: 1,
            drift: Some(true),
            features: (0..50).map(feature).collect(),
            performance: Some(performance(0)),
            ..WindowResult::default()
        });
        view.verdict.drift = Some(true);
        view.verdict.columns = (0..10).map(|f| format!("feature_with_a_name_{f}")).collect();
        view
    }

    pub fn known() -> View {
        let mut snapshot = snapshot();
        let minutes =
            |n: usize| (ModelKey::named(&format!("model-number-{n}")), (0..120).map(|m| m * 37 % 1000).collect());
        snapshot.traffic = Arc::new((0..MODELS).map(minutes).collect::<BTreeMap<_, _>>());
        let models = ModelsView { models: (0..MODELS).map(model).collect(), ..ModelsView::default() };
        let snapshot = snapshot.joined(Arc::new(models), Some(Arc::new(review())), Arc::default());
        View {
            signed_in: false,
            sample: false,
            snapshot: Arc::new(snapshot),
            health: health::report(&Health::default(), Duration::ZERO),
            base: "http://127.0.0.1:9477".to_owned(),
            data: "/var/lib/plumbline".to_owned(),
            started: at(-86_400),
            now: at(14 * 86_400),
        }
    }

    /// The played node as of a Monday's afternoon, with a week behind it.
    pub fn played() -> (View, Vec<MinuteRow>, Vec<crate::frame::gpu::GpuRow>) {
        const BEGIN: i64 = 1_795_392_000;
        let (mut containers, mut gpus, mut history) = (Vec::new(), Vec::new(), History::default());
        let mut last = BTreeMap::new();
        for ten in (0..7 * 1440).step_by(10).map(|minute| BEGIN + minute * 60) {
            let rows = crate::demo::minutes(ten);
            // Whatever happens between two is not left out.
            let of = |row: &MinuteRow| (row.identity.pod_uid.clone(), row.identity.container_id.clone());
            let now: BTreeMap<_, _> = rows.0.iter().map(of).collect();
            if last.iter().any(|(pod, id)| now.get(pod).is_some_and(|now| now != id)) {
                containers.extend((1..10).rev().flat_map(|before| crate::demo::minutes(ten - before * 60).0));
            }
            last = now;
            containers.extend(rows.0);
            gpus.extend(rows.1);
        }
        let frame = crate::frame::Row::frame(&gpus).expect("a frame");
        history.gpus.take(&frame, Timestamp::MIN, Timestamp::MAX).expect("taken");
        let frame = minute_frame(&containers).expect("a frame");
        history.take_containers(&frame, Timestamp::MIN, Timestamp::MAX).expect("taken");
        let end = Timestamp::from_second(BEGIN + 7 * 86_400).expect("a time");
        let (config, prices) = (crate::rightsize::Config::default(), Prices::default());
        let review = history.review(Timestamp::MIN, end, None, &config, &prices);
        let moment = Moment { wall: end, monotonic: Duration::from_secs(10) };
        let mut state = Analysis::new(crate::demo::NODE.to_owned(), Duration::from_secs(10), CONTAINERS);
        state.absorb("sample", crate::demo::Readings::default().read(moment, Depth::Full), moment);
        let snapshot = state.snapshot(moment, true).joined(Arc::default(), Some(Arc::new(review)), Arc::default());
        (View { snapshot: Arc::new(snapshot), now: end, sample: true, ..known() }, containers, gpus)
    }

    pub fn answered<R: crate::frame::Row>(query: crate::query::Query, rows: &[R]) -> crate::query::Answer {
        let mut folding = crate::query::Folding::new(query);
        folding.take(&R::frame(rows).expect("a frame")).expect("taken");
        folding.answer(0)
    }

    #[test]
    fn a_workloads_page_draws_what_it_used_and_marks_what_happened() {
        let (view, containers, _) = played();
        let range = Range::of(Some("range=7d")).expect("a range");
        for (key, said) in [
            (
                "shop/Deployment/recommender/worker",
                &["OOM kills at a memory limit", "✕</text>", "OOM kill, ", "proposed", "kubectl", "data-copy"][..],
            ),
            ("shop/Deployment/checkout/api", &["Throttled: share of periods", "CPU, of one replica", "limit"]),
            ("ml/Deployment/housing/server", &["Saves ", "▲</text>", "version v2."]),
        ] {
            let found = workload::found(&view, key).expect("a workload");
            assert_eq!(workload::address(&found.workload), format!("/workloads/{key}"));
            let answer = answered(workload::query(found, range, view.now), &containers);
            let page = workload::sections(&view, found, range, &answer).into_string();
            for said in said {
                assert!(page.contains(said), "{key}: no `{said}` in {page}");
            }
            assert!(page.contains("?range=14d") && !page.contains("NaN"), "{key}");
            let whole = shell(&view, key, Some(key), &workload::sections(&view, found, range, &answer)).into_string();
            assert!(whole.len() < 120_000 && whole.contains("sample data"), "{} bytes", whole.len());
        }
        assert!(workload::found(&view, "shop/Deployment/recommender").is_none());
        // A time before it has no rows is said, and is no error.
        let early = Timestamp::from_second(1_700_000_000).expect("a time");
        let found = workload::found(&view, "data/StatefulSet/postgres/postgres").expect("a workload");
        let answer = answered(workload::query(found, range, early), &containers);
        assert!(
            workload::sections(&view, found, range, &answer).into_string().contains("no minute of it in this time")
        );
    }

    #[test]
    fn a_gpus_page_says_what_it_is_worth_and_who_held_it_when() {
        let (view, containers, gpus) = played();
        let range = Range::of(Some("range=7d")).expect("a range");
        let gpu = |at: usize| {
            let gpu = &view.snapshot.gpus[at];
            let answer = answered(gpu::query(&view, gpu, range, view.now), &gpus);
            let holders = answered(gpu::holders(&view, range, view.now), &containers);
            gpu::sections(&view, gpu, range, &answer, Some(&holders)).into_string()
        };
        let trained = gpu(2);
        assert_eq!(trained.matches("housing-train/train").count(), 7, "one run a night: {trained}");
        assert!(trained.contains("computed in 16.7 % of the time") && trained.contains("free in 83.3 %"), "{trained}");
        let idle = gpu(3);
        assert!(idle.contains("held idle in 100.0 %") && idle.contains("notebook/jupyter"), "{idle}");
        assert!(idle.contains("are for nothing"), "{idle}");
    }

    #[test]
    fn the_first_screen_answers_three_questions_with_one_thing_to_do_for_each() {
        let (view, ..) = played();
        let page = home(&view);
        let answers =
            page.split("id=\"tiles\"").nth(1).and_then(|rest| rest.split("</section>").next()).expect("answers");
        for said in ["Is each model right?", "Is each thing the right size?", "What does it cost, and waste?"] {
            assert!(answers.contains(said), "{said}");
        }
        assert!(answers.contains("workloads are the wrong size") && answers.contains("Raise"), "{answers}");
        assert!(answers.contains("href=\"/workloads/shop/Deployment/"), "{answers}");
        assert!(answers.contains("No model has sent samples yet."), "{answers}");
        let known = home(&known());
        assert!(known.contains("30 of 30") && known.contains("10 columns drift"), "models that drift");
    }

    #[test]
    fn a_range_is_one_that_there_is() {
        assert_eq!(Range::of(None).expect("a day").name, "24h");
        assert!(Range::of(Some("range=2h")).expect_err("none").contains("1h, 24h, 7d, 14d"));
        assert!(Range::of(Some("rnge=1h")).expect_err("none").contains("rnge"));
    }

    #[test]
    fn namesakes_have_a_page_each() {
        let keys = [ModelKey::named("m"), ModelKey::within("ml", "m")];
        let models = keys.iter().zip([3, 5]).map(|(key, samples)| {
            let mut view = Watch::new(Spec::of(key), 10, Progress::default(), at(0)).view(at(0));
            view.counts.samples = samples;
            view
        });
        let models = ModelsView { models: models.collect(), ..ModelsView::default() };
        let snapshot = Arc::new(snapshot().joined(Arc::new(models), None, Arc::default()));
        let view = View { snapshot: Arc::clone(&snapshot), ..known() };
        let text = home(&view);
        for link in [r#"<a href="/models/m">m</a>"#, r#"<a href="/models/m?namespace=ml">ml/m</a>"#] {
            assert!(text.contains(link), "{link}");
        }
        let text =
            model::sections(&view, 1, &snapshot.models.models[1], None, &timeline::Past::default()).into_string();
        for address in [
            "/v1/models/m/reference?namespace=ml'",
            "/v1/models/m/labels?namespace=ml",
            "/api/v1/models/m?namespace=ml",
        ] {
            assert!(text.contains(address), "{address}");
        }
    }

    #[test]
    fn a_models_page_and_the_api_name_who_serves_it_who_trains_it_and_who_says_so() {
        let mut view = known();
        let mut snapshot = Snapshot::clone(&view.snapshot);
        for (n, source, relation) in
            [(3, "plumbline.io/model", Relation::Serves), (5, "serving.kserve.io/inferenceservice", Relation::Trains)]
        {
            let to = Model { key: ModelKey::named("model-number-7"), version: None };
            let of = snapshot.containers.iter_mut().find(|container| container.id == format!("{n:064x}"));
            of.expect("a container").model = Some(Link { to, relation, source });
        }
        let (models, review) = (Arc::clone(&snapshot.models), snapshot.review.clone());
        view.snapshot = Arc::new(snapshot.joined(models, review, Arc::default()));
        let (place, model) = view.snapshot.model(&ModelKey::named("model-number-7")).expect("a model");
        let page = model::sections(&view, place, model, None, &timeline::Past::default()).into_string();
        let (_, served) = page.split_once("id=\"served\"").expect("a section");
        let (served, trained) = served.split_once("<h3>Trained by</h3>").expect("two lists");
        for (list, name, source) in [
            (served, "team-a-recommendation-service-3<", "by plumbline.io/model<"),
            (trained, "team-a-recommendation-service-5<", "by serving.kserve.io/inferenceservice<"),
        ] {
            assert!(list.matches("<li>").count() == 1 && list.contains(name) && list.contains(source), "{list}");
        }
        let answer = serde_json::to_value(super::super::Model::of(&view.snapshot, place, model)).expect("JSON");
        let container = |n: usize, relation, source| {
            let container = serde_json::json!({ "to": format!("{n:064x}"), "relation": relation, "source": source });
            serde_json::json!({
                "container": container, "container_name": format!("team-a-recommendation-service-{n}")
            })
        };
        let all = [
            container(3, "serves", "plumbline.io/model"),
            container(5, "trains", "serving.kserve.io/inferenceservice"),
        ];
        assert_eq!((&answer["name"], &answer["containers"]), (&"model-number-7".into(), &all.as_slice().into()));
    }

    #[test]
    fn a_models_page_says_what_moved_and_draws_each_column_over_time() {
        let view = known();
        let mut model = view.snapshot.models.models[0].clone();
        let latest = model.latest.as_mut().expect("a window");
        let spread = |median| {
            let text = format!(
                r#"{{"count":9,"mean":null,"deviation":null,"min":0,"q01":0,"q05":0,"q25":0,"median":{median},"q75":9,"q95":9,"q99":9,"max":9}}"#
            );
            serde_json::from_str(&text).expect("a spread")
        };
        let of = &mut latest.features[0];
        of.name = "<i>".to_owned();
        of.moved.reference = Some(spread(3.2));
        of.moved.current = Some(spread(4.1));
        let few = &mut latest.features[1];
        few.aspects[0].verdict = Verdict::TooFewRows;
        few.aspects[0].rows_needed = Some(900);
        few.withdraw();
        model.windows[0].drifted = vec!["<i>".to_owned()];
        let page = model::sections(&view, 0, &model, None, &timeline::Past::default()).into_string();
        let page = page.replace("<title>", "\n<title>");
        assert!(page.contains("median 3.20 to 4.10") || page.contains("median 3.2 to 4.1"), "{page}");
        assert!(page.contains("<small>values moved by 0.3 standard deviations (threshold 0.1), p = 1.00e-8"), "{page}");
        assert!(page.contains("too few rows<br>") && page.contains("about 900 rows would"), "{page}");
        assert!(page.contains("<title>&lt;i&gt;: 1 of 60</title>") && !page.contains("<i>"), "{page}");
        assert!(
            page.contains("windows with drift by column, of the last 60: feature_with_a_name_1 in 59, &lt;i&gt; in 1"),
            "{page}"
        );
        assert!(page.contains("beyond it, too few rows to tell"), "{page}");
        // Of old windows it is known which columns drifted, and no more.
        model.windows.iter_mut().for_each(|window| window.distances.clear());
        let page = model::sections(&view, 0, &model, None, &timeline::Past::default()).into_string();
        assert!(page.contains("feature_with_a_name_1: 59 of 60"), "{page}");
        model.windows.iter_mut().for_each(|window| window.drifted.clear());
        assert!(
            !model::sections(&view, 0, &model, None, &timeline::Past::default()).into_string().contains("By column")
        );
    }

    #[test]
    fn a_window_has_a_page_that_says_what_it_was_held_against() {
        let view = known();
        let mut model = view.snapshot.models.models[0].clone();
        model.windows.reverse();
        let mut window = model.latest.clone().expect("a window");
        (window.end, window.rows, window.evaluations) = (at(5 * 3600), 1000, 3);
        (window.drift, window.drifted) = (Some(true), vec!["<b>".to_owned()]);
        let page = window::sections(&model, &window).into_string();
        let at_hour = |hour: i64| format!("href=\"/models/model-number-0/windows/{}\"", at(hour * 3600));
        assert!(page.contains(&format!("rel=\"prev\" {}", at_hour(4))), "{page}");
        assert!(page.contains(&format!("rel=\"next\" {}", at_hour(6))), "{page}");
        assert!(page.contains("drifts ⚠</strong>: &lt;b&gt;") && page.contains("for the 3rd time"), "{page}");
        assert!(page.contains("this window</p>") && page.contains("feature_with_a_name_49"), "{page}");
        // The reference of today is another than the one that it was held against.
        window.reference = Some("0123abcd".to_owned());
        assert!(window::sections(&model, &window).into_string().contains("another than today's, <code>0123abcd"));
        // It is linked to from the model's page, in the list and in the picture.
        let page = model::sections(&view, 0, &model, None, &timeline::Past::default()).into_string();
        assert!(page.matches(&at_hour(1000)).count() >= 2, "{page}");
    }

    /// What the page is to hold: a hundred containers, each with a recommendation, and twenty models that drift.
    #[test]
    fn a_full_node_is_a_light_page() {
        let view = known();
        let text = home(&view);
        assert!(text.contains("team-a-recommendation-service-99") && text.contains("model-number-19"));
        assert!(text.contains("docker update"));
        let sizes: Vec<(&str, usize)> =
            text.split("<section id=\"").map(|s| (&s[..12.min(s.len())], s.len())).collect();
        assert!(text.len() < 300_000, "{} bytes: {sizes:?}", text.len());
        let of_model = shell(
            &view,
            "m",
            Some("m"),
            &model::sections(&view, 0, &view.snapshot.models.models[0], None, &timeline::Past::default()),
        )
        .into_string();
        assert!(of_model.len() < 300_000, "{} bytes", of_model.len());
    }
}
