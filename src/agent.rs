//! The only wiring: threads, channels, ticks, reload, shutdown. What flows where stands here and nowhere else:
//!
//! ```text
//! collectors (a thread each) -> pipeline (one thread: analysis, history) -> snapshot, points -> web, exporters (tokio)
//! history (disk) -> recommender (one thread, from time to time) -> review -> pipeline's points, web
//! pipeline's points -> alerts (on the pipeline's thread) -> view, events -> web, exporters
//! references (tokio: files and addresses that the configuration names) -> models
//! descriptions of models (file, API, ConfigMaps) -> the configuration that everybody else reads
//! labels that clients sent (disk) -> forwarding (tokio) -> other agents
//! watched folders (a thread each) -> ingest
//! ingest (tokio) -> models (log, queue) -> model_worker (one thread: windows, verdicts) -> view -> pipeline's points, web
//! ```

mod access;
mod alerting;
mod archiving;
mod commits;
mod copying;
pub mod demo;
mod descriptions;
mod folders;
mod forwarding;
mod memory;
mod model_worker;
mod models;
mod once;
mod pipeline;
pub mod recommender;
mod references;
pub mod replay;
mod summary;
mod supervise;

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use polars::prelude::DataFrame;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

pub use once::once;
pub use summary::Summary;

use crate::alert::view::AlertsView;
use crate::clock::Clock;
use crate::collect::{Driver, Message, Schedule, Stop};
use crate::config::{AT_START, Config};
use crate::export::{self, EXPORTERS, Points, Started, prometheus};
use crate::frame::MinuteRow;
use crate::frame::gpu::GpuRow;
use crate::frame::model::ModelRow;
use crate::health::Health;
use crate::ingest::events::Events;
use crate::ingest::{self, Ingest};
use crate::metric::Point;
use crate::model::trustyai;
use crate::model::view::ModelsView;
use crate::query::{Folding, Table};
use crate::snapshot::Snapshot;
use crate::store::{History, past, windows};
use crate::telemetry::weigh;
use crate::web;
use model_worker::ModelWorker;
use models::Models;
use pipeline::Pipeline;

/// The agent's own proc file system, wherever the host's is mounted.
const OWN_PROC: &str = "/proc";
/// Reports that may wait for the pipeline while the disk is slow.
const REPORTS: usize = 256;

/// Why the agent cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another {by}")]
    Listen {
        /// How another is chosen.
        by: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The socket cannot be listened on.
    #[error("cannot listen on {path}: {source}; choose another path in ingest.socket")]
    Socket {
        /// Its file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Who may reach it is not settled.
    #[error("{0}")]
    Open(String),
    /// The system refused a thread or the listening socket broke.
    #[error("{0}")]
    System(#[from] std::io::Error),
    /// An exporter's options are wrong.
    #[error(transparent)]
    Export(#[from] export::Error),
}

/// What the agent is started with, beside its config.
pub struct Setting {
    /// Where the history is kept.
    pub data: PathBuf,
    /// The node's name.
    pub node: String,
    /// Attributes of the node, for every resource; its name among them.
    pub attributes: Vec<(String, String)>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Two real models are replayed through the ingest.
    pub demo: bool,
}

/// Runs the agent until `shutdown` ends, then drains within the grace period.
/// Each config that comes by `reload` takes the place of the one before, whole, and then goes to `reloaded`.
/// `started` gets once what was found.
///
/// # Errors
/// The agent cannot start. Once it runs, what fails is reported and tried again.
pub async fn run(
    config: Config,
    setting: Setting,
    mut reload: mpsc::Receiver<Config>,
    started: impl FnOnce(&Summary),
    reloaded: impl Fn(&Config),
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let (listener, local, in_force) = listening(&config).await?;
    let grpc = listening_for_grpc(&config).await?;
    let socket = config.ingest.socket.as_deref().map(listening_on).transpose()?;
    let (tokens, tls) = (in_force.tokens(), in_force.tls());
    let base = format!("{}://{local}", if tls.is_some() { "https" } else { "http" });
    let setting = Arc::new(setting);
    let clock = Arc::clone(&setting.clock);
    let health = Arc::new(Health::default());
    let started_at = clock.now();

    let (snapshots, snapshot) = watch::channel(Arc::new(Snapshot::empty(setting.node.clone(), started_at)));
    let (points_out, points) = watch::channel(Arc::new(Points::default()));
    let (reports, incoming) = sync_channel(REPORTS);
    let descriptions = descriptions::Descriptions::open(config.clone(), &setting.data, Arc::clone(&health));
    let configured = descriptions.configured();
    let stop_pipeline = Stop::default();
    let (ingest, events, models_view, mut threads, (models_tasks, committing, models)) =
        start_models(&setting, &health, configured.clone(), &stop_pipeline)?;
    let following =
        [tokio::spawn(Arc::clone(&descriptions).follow()), tokio::spawn(in_force.follow(Arc::clone(&health)))];
    let following = following.map(Task);
    let mut history = History::new(&setting.data, &setting.node, config.history.clone());
    pipeline::open_history(&mut history, &health);
    let (alerts_out, alerts) = watch::channel(Arc::new(AlertsView::default()));
    let (delivered, (review_out, review)) = (Arc::<export::Delivered>::default(), watch::channel(None));
    let sources = pipeline::Sources { models: models_view.clone(), review: review.clone() };
    let outlets =
        pipeline::Outlets { snapshots, points: points_out, alerts: alerts_out, delivered: Arc::clone(&delivered) };
    play_past_alerts(&config, &setting, started_at);
    let mut pipeline = Pipeline::new(&config, &setting, history, Arc::clone(&health), sources, outlets);
    let recommender = start_recommender(&setting, &health, configured.clone(), review_out, &stop_pipeline)?;
    let (stop, configured_now, mut configured) = (stop_pipeline.clone(), configured.clone(), configured);
    let run = move || pipeline.run(&incoming, &mut configured, &stop);
    let pipeline = supervise::spawn(supervise::PIPELINE, &health, &clock, &stop_pipeline, run)?;

    let own = own_points(Arc::clone(&health), alerts.clone(), Arc::clone(&clock), started_at);
    let doubles = doubles(models_view.clone(), configured_now, Arc::clone(&clock));
    let (stop_web, stopped_web) = watch::channel(false);
    let shared = web::Shared {
        snapshot: snapshot.clone(),
        data: setting.data.display().to_string(),
        started: started_at,
        sample: config.collect.played,
        names: web::origin::Names::new(&setting.node, &config.agent.allowed_hosts),
        gate: web::access::Gate::new(tokens, tls.is_some(), Arc::clone(&health), Arc::clone(&clock)),
        listeners: web::live::Places::default(),
        stopping: stopped_web.clone(),
        base: base.clone(),
        window: kept_windows(&setting),
        history: Arc::new(web::query::History::new(past_of(&setting))),
        metrics: metrics_text(points.clone(), own, doubles, Arc::clone(&setting)),
        health: Arc::clone(&health),
        clock: Arc::clone(&clock),
    };
    let more = doors(ingest.clone(), &events, descriptions.clone());
    let (socket, place) = socket.unzip();
    let entrances = [Some(web::Entrance::Port(listener, tls.clone())), socket.map(web::Entrance::Socket)];
    let mut web = serve(entrances.into_iter().flatten(), &shared, &more, &stopped_web);
    web.extend(grpc.map(|grpc| serve_grpc(grpc, tls, ingest, shared)));

    let mut config = config;
    let streams = Streams { points: points.clone(), alerts, delivered };
    let mut generation = Generation::start(&config, &setting, &health, &reports, &streams)?;
    summary::wait_until_known(&config, &health, snapshot).await;
    started(&Summary::new(&config, &setting, &base, &health.state()));

    demo::replay(setting.demo.then_some(local));

    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(next) = reload.recv() => {
                match Generation::start(&next, &setting, &health, &reports, &streams) {
                    Ok(started) => {
                        let before = std::mem::replace(&mut generation, started);
                        before.stop_collectors.stop();
                        let kept = |name: &str| next.collect.enabled().any(|entry| entry.name == name);
                        health.update(|state| state.collectors.retain(|name, _| kept(name)));
                        tokio::task::block_in_place(|| descriptions.reload(next.clone()));
                        reloaded(&next);
                        tokio::spawn(tokio::time::timeout(config.agent.grace, before.stop()));
                        note_what_needs_a_restart(&config, &next);
                        config = next;
                        tracing::info!("configuration reloaded");
                    }
                    Err(error) => tracing::error!(%error, "configuration not reloaded: the old one stays"),
                }
            }
        }
    }

    tracing::info!(grace = ?config.agent.grace, "stopping");
    drop((models_tasks, following, place));
    stop_pipeline.stop();
    let _ = stop_web.send(true);
    let web = end_events(web, events);
    threads.extend([pipeline, recommender]);
    let all = async { tokio::join!(generation.stop(), all_ended(threads), web) };
    drained(all, config.agent.grace, &health).await;
    drop(committing);
    // Whatever else hangs: what was answered is given to the system.
    drained(tokio::task::spawn_blocking(move || models.write_out()), config.agent.grace, &health).await;
    tracing::info!("stopped");
    Ok(())
}

/// Where senders come in, and whoever describes models.
fn doors(ingest: Ingest, events: &Arc<Events>, descriptions: Arc<descriptions::Descriptions>) -> axum::Router {
    let others = [ingest::otlp::router(ingest.clone()), ingest::trustyai::router(ingest.clone()), events.router()];
    let all = others.into_iter().fold(ingest::router(ingest), axum::Router::merge);
    all.merge(ingest::descriptions::router(descriptions))
}

/// Listens, once it is settled who is let in.
async fn listening(config: &Config) -> Result<(TcpListener, SocketAddr, access::InForce), Error> {
    let address = config.agent.listen;
    if let Some(why) = config.listens().find_map(|(_, address)| config.access.open_to_others(address)) {
        return Err(Error::Open(why));
    }
    let in_force = access::InForce::read(&config.access).map_err(Error::Open)?;
    let listener = bound(address, "with --listen or agent.listen").await?;
    let local = listener.local_addr()?;
    Ok((listener, local, in_force))
}

/// Listens for what comes over gRPC, where it is to.
async fn listening_for_grpc(config: &Config) -> Result<Option<TcpListener>, Error> {
    let Some(address) = config.ingest.otlp_grpc else { return Ok(None) };
    bound(address, "in ingest.otlp_grpc").await.map(Some)
}

async fn bound(address: SocketAddr, by: &'static str) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { by, address, source })
}

/// Listens on a socket in a file. Whether a token is asked for is as at the port.
fn listening_on(path: &Path) -> Result<(tokio::net::UnixListener, web::socket::Place), Error> {
    web::socket::listen(path).map_err(|source| Error::Socket { path: path.display().to_string(), source })
}

/// Waits until all has ended, `grace` at most, and says what has not.
async fn drained<T>(all: impl Future<Output = T>, grace: Duration, health: &Health) {
    if tokio::time::timeout(grace, all).await.is_ok() {
        return;
    }
    tracing::warn!("not everything ended within the grace period");
    for (name, exporter) in health.state().exporters.iter().filter(|(_, exporter)| exporter.queued > 0) {
        tracing::warn!(exporter = name, bytes = exporter.queued, "not sent before the end");
    }
}

/// What reads references and sends labels on; and what writes to the disk what senders wait for, to the very end.
type ModelsTasks = ([Task; 5], Task, Arc<Models>);
type StartedModels = (Ingest, Arc<Events>, watch::Receiver<Arc<ModelsView>>, Vec<JoinHandle<()>>, ModelsTasks);

/// The ingest for samples, the thread behind it, who reads references for it, and who sends labels on.
fn start_models(
    setting: &Setting,
    health: &Arc<Health>,
    configured: watch::Receiver<Config>,
    stop: &Stop,
) -> Result<StartedModels, Error> {
    let config = &configured.borrow().clone();
    let half_taken = folders::stored(&setting.data, &config.ingest.folder);
    let (view_out, view) = watch::channel(Arc::new(ModelsView::default()));
    let (taken, queue) = std::sync::mpsc::channel();
    let clock = Arc::clone(&setting.clock);
    let models = Arc::new(Models::new(config, Arc::clone(health), taken));
    let (copies, copying) = copying::begin(config, health);
    let ingest = Ingest {
        in_flight: Arc::clone(&models.in_flight),
        repeats: Arc::clone(&models.repeats),
        copies,
        sink: Arc::clone(&models) as _,
        config: config.ingest.clone().within(memory::allowance(config)),
        clock: Arc::clone(&clock),
    };
    let following =
        references::follow(ingest.clone(), view.clone(), setting.data.clone(), configured.clone(), Arc::clone(health));
    let forwarding = forwarding::Forwarding::new(
        Arc::clone(&models),
        (&setting.data, &setting.node),
        Arc::clone(&clock),
        Arc::clone(health),
    )
    .run(configured.clone());
    let archiving = archiving::run(setting.data.clone(), configured.clone(), Arc::clone(health));
    let committing = Arc::clone(&models).commit();
    let kept = Arc::clone(&models);
    let (place, watched, worker_clock, worker_stop) =
        ((setting.data.clone(), setting.node.clone()), Arc::clone(health), Arc::clone(&clock), stop.clone());
    let mut configured = configured;
    let run = move || {
        let config = configured.borrow_and_update().clone();
        let (models, clock, health) = (Arc::clone(&models), Arc::clone(&worker_clock), Arc::clone(&watched));
        let worker = ModelWorker::new(models, place.clone(), config, clock, health, view_out.clone());
        worker.run(&queue, &mut configured, &worker_stop);
    };
    let thread = supervise::spawn(supervise::MODELS, health, &clock, stop, run)?;
    let events = Events::new(ingest.clone());
    let storing = Arc::clone(&events).run();
    let copying = async {
        if let Some(queue) = copying {
            queue.run().await;
        }
    };
    let threads = folders::watch(&ingest, &events, &setting.data, half_taken, health, stop)?;
    let threads = threads.into_iter().chain([thread]).collect();
    let tasks = [
        tokio::spawn(following),
        tokio::spawn(forwarding),
        tokio::spawn(archiving),
        tokio::spawn(storing),
        tokio::spawn(copying),
    ]
    .map(Task);
    Ok((ingest, events, view, threads, (tasks, Task(tokio::spawn(committing)), kept)))
}

/// Serves at each of the entrances.
fn serve(
    entrances: impl Iterator<Item = web::Entrance>,
    shared: &web::Shared,
    more: &axum::Router,
    stop: &watch::Receiver<bool>,
) -> Vec<tokio::task::JoinHandle<std::io::Result<()>>> {
    let serve = |entrance| web::serve(entrance, shared.clone(), more.clone(), stopped(stop.clone()));
    entrances.map(|entrance| tokio::spawn(serve(entrance))).collect()
}

fn serve_grpc(
    listener: TcpListener,
    tls: Option<web::tls::Tls>,
    ingest: Ingest,
    shared: web::Shared,
) -> tokio::task::JoinHandle<std::io::Result<()>> {
    let methods = ingest::otlp::grpc::router(ingest);
    tokio::spawn(web::grpc::serve(listener, tls, shared.gate, methods, shared.stopping))
}

/// In the demonstration the node has had alerts.
fn play_past_alerts(config: &Config, setting: &Setting, now: jiff::Timestamp) {
    let rules = config.alerting.rules(&config.alert);
    if config.collect.played
        && let Err(error) = demo::fill_alerts(&setting.data, &rules, now)
    {
        tracing::warn!(%error, "the demonstration has no alerts behind it");
    }
}

/// The thread that judges sizes. In the demonstration it first writes what lies behind.
fn start_recommender(
    setting: &Arc<Setting>,
    health: &Arc<Health>,
    configured: watch::Receiver<Config>,
    out: watch::Sender<recommender::Found>,
    stop: &Stop,
) -> Result<JoinHandle<()>, Error> {
    let mut played = configured.borrow().collect.played.then(|| setting.clock.now());
    let told = |filled: Result<(), demo::Error>| {
        if let Err(error) = filled {
            tracing::warn!(%error, "the demonstration has no history behind it");
        }
    };
    if let Some(now) = played {
        told(demo::fill_begun(&setting.data, &setting.node, now));
    }
    let (clock, setting, watched, ends) =
        (Arc::clone(&setting.clock), Arc::clone(setting), Arc::clone(health), stop.clone());
    let run = move || {
        if let Some(now) = played.take() {
            told(demo::fill(&setting.data, &setting.node, now));
        }
        recommender::run(&setting.data, &setting.clock, &watched, configured.clone(), &out, &ends);
    };
    Ok(supervise::spawn(supervise::RECOMMENDER, health, &clock, stop, run)?)
}

/// Waits for the last request, and stores what events left behind.
async fn end_events<T>(web: Vec<tokio::task::JoinHandle<T>>, events: Arc<Events>) {
    for entrance in web {
        let _ = entrance.await;
    }
    let _ = tokio::task::spawn_blocking(move || events.close()).await;
}

/// Tells when all of them have ended. They are waited for on no thread of the runtime's: that would be waited for beyond the
/// grace period.
fn all_ended(threads: Vec<JoinHandle<()>>) -> oneshot::Receiver<()> {
    let (ended, all_ended) = oneshot::channel();
    std::thread::spawn(move || {
        for thread in threads {
            let _ = thread.join();
        }
        let _ = ended.send(());
    });
    all_ended
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The agent's own points, as of now.
type OwnPoints = Arc<dyn Fn() -> Vec<Point> + Send + Sync>;

fn own_points(
    health: Arc<Health>,
    alerts: watch::Receiver<Arc<AlertsView>>,
    clock: Arc<dyn Clock>,
    started: jiff::Timestamp,
) -> OwnPoints {
    Arc::new(move || {
        let now = clock.moment();
        let mut points = health.state().points(weigh(OWN_PROC.as_ref()), started, now.wall, now.monotonic);
        points.extend(alerts.borrow().points(now.wall));
        points
    })
}

/// Judged windows as the data folder has them.
fn kept_windows(setting: &Setting) -> Arc<web::KeptWindow> {
    let (data, node) = (setting.data.clone(), setting.node.clone());
    Arc::new(move |model, end| {
        windows::read(&data, &node, model, end.as_millisecond()).map_err(|error| error.to_string())
    })
}

/// The history over time, as the data folder has it.
fn past_of(setting: &Setting) -> Arc<web::query::Read> {
    let data = setting.data.clone();
    Arc::new(move |query, goes_on| {
        let mut folding = Folding::new(query.clone());
        let (columns, time) = (query.read(), query.since..query.until);
        let take = |frame: &DataFrame| folding.take(frame);
        let read = match query.table {
            Table::Containers => past::read_while::<MinuteRow>(&data, &columns, time, goes_on, take),
            Table::Gpus => past::read_while::<GpuRow>(&data, &columns, time, goes_on, take),
            Table::Models => past::read_while::<ModelRow>(&data, &columns, time, goes_on, take),
        };
        let past = read.map_err(|error| error.to_string())?;
        Ok(folding.answer(past.left_out.len() as u64))
    })
}

type MetricsText = Arc<dyn Fn() -> (&'static str, String) + Send + Sync>;

/// Models' figures once more by TrustyAI's names, where somebody asks for them.
fn doubles(
    view: watch::Receiver<Arc<ModelsView>>,
    config: watch::Receiver<Config>,
    clock: Arc<dyn Clock>,
) -> OwnPoints {
    Arc::new(move || {
        let service = match config.borrow().export.prometheus.trustyai {
            prometheus::TrustyAi::Off => return Vec::new(),
            prometheus::TrustyAi::Java => trustyai::Service::Java,
            prometheus::TrustyAi::Python => trustyai::Service::Python,
        };
        trustyai::points(&view.borrow(), service, clock.now())
    })
}

/// `/metrics`: the measured points of the last tick, and the agent's own and the doubles as of the scrape.
fn metrics_text(
    points: watch::Receiver<Arc<Points>>,
    own: OwnPoints,
    doubles: OwnPoints,
    setting: Arc<Setting>,
) -> MetricsText {
    Arc::new(move || {
        let mut all = points.borrow().measured.clone();
        all.extend(own());
        all.extend(doubles());
        (prometheus::CONTENT_TYPE, prometheus::encode(&all, &setting.attributes))
    })
}

fn note_what_needs_a_restart(before: &Config, now: &Config) {
    for (field, differs) in AT_START {
        if differs(before, now) {
            tracing::warn!(field, "takes effect with the next start");
        }
    }
}

/// What exporters are fed with.
struct Streams {
    points: watch::Receiver<Arc<Points>>,
    alerts: watch::Receiver<Arc<AlertsView>>,
    delivered: Arc<export::Delivered>,
}

/// The collectors and exporters of one config.
struct Generation {
    stop_collectors: Stop,
    collectors: Vec<JoinHandle<()>>,
    stop_exporters: watch::Sender<bool>,
    exporters: Vec<Task>,
}

impl Generation {
    fn start(
        config: &Config,
        setting: &Setting,
        health: &Arc<Health>,
        reports: &SyncSender<Message>,
        streams: &Streams,
    ) -> Result<Self, Error> {
        // Exporters first: only they can refuse a config.
        let (stop_exporters, stop) = watch::channel(false);
        let mut exporters = Vec::new();
        for entry in EXPORTERS {
            let context = export::Context {
                points: streams.points.clone(),
                alerts: streams.alerts.clone(),
                delivered: Arc::clone(&streams.delivered),
                stop: stop.clone(),
                node: setting.attributes.clone().into(),
                clock: Arc::clone(&setting.clock),
                health: Arc::clone(health),
            };
            let (message, task) = match (entry.start)(&config.export, context)? {
                Started::Running(message, task) => (message, Some(task)),
                Started::Off(message) => (message, None),
            };
            health.exporter(entry.name, |state| {
                state.message = message;
                state.enabled = task.is_some();
                (state.up, state.error, state.queued) = (None, None, 0);
            });
            exporters.extend(task.map(Task));
        }
        let stop_collectors = Stop::default();
        let mut collectors = Vec::new();
        for entry in config.collect.enabled() {
            health.expect(entry.name, entry.brings);
            let driver = Driver {
                entry,
                config: config.collect.clone(),
                schedule: Schedule { inner: config.agent.inner_tick, full: config.agent.tick },
                clock: Arc::clone(&setting.clock),
                health: Arc::clone(health),
                node: setting.node.clone(),
                out: reports.clone(),
                stop: stop_collectors.clone(),
            };
            collectors.push(driver.spawn()?);
        }
        Ok(Self { stop_collectors, collectors, stop_exporters, exporters })
    }

    /// Stops reading and lets the exporters drain. Dropped before its end it cuts them short.
    async fn stop(mut self) {
        self.stop_collectors.stop();
        let _ = self.stop_exporters.send(true);
        let _ = all_ended(std::mem::take(&mut self.collectors)).await;
        while let Some(mut exporter) = self.exporters.pop() {
            let _ = (&mut exporter.0).await;
        }
    }
}

/// A task that ends with its handle.
struct Task(tokio::task::JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
