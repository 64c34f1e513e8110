//! plumbline: one agent per node that answers three questions together: is each model still right, is each container the right
//! size, and what does a prediction cost.
//!
//! # Crate map
//!
//! ```text
//! main         parse, run, exit code
//! cli          agent | drift | report | check
//! config       Config: one field per module's own Config; file, environment; every error at once (config/diagnose)
//! agent        the only wiring: threads, channels, ticks, reload, shutdown (agent/pipeline, model_worker, recommender, alerting, supervise, ...)
//! telemetry    logging, and what the agent itself weighs
//! clock        system or fixed; the only place that asks what time it is
//! units        amounts as people write them
//! -- core: no I/O, no clock, no tokio --
//! stats/       plain numeric kernels: quantiles, a bounded sketch of them, distributions, corrections, floats as whole numbers
//! chart        charts as SVG, for the page and the reports
//! drift/       one file per drift test, the list TESTS; bins; the verdict; a comparison of two data sets
//! performance/ classification, regression; the list MEASURES; which task a model's labels speak of
//! rightsize/   minutes -> what a workload used and asked for -> verdict, money, patch; GPUs by state; the review of a node
//! alert/       rules over the catalogue, and the state machine: pending, firing, resolved
//! model/       a model: its description, the border, the reference, rows in event time, windows and verdicts (watch)
//! identity/    things of a node and their keys (things); what sources say of a container, merged (claim); cgroup paths, images
//! reading      what a collector reports, as levels: readings of containers and GPUs, claims
//! minute       readings -> the minute's signals: mean, max, p95, increases
//! frame        the minute's row and its frame; JSON rows (json), the normalised types (normal), the bridge to polars
//! metric       the one catalogue of metrics; Point; which series vanished
//! health       how the agent itself is doing, and its own points
//! snapshot     all that is known at one instant, joined (relations); points()
//! analysis     State: absorb a report, take a snapshot, close a minute (analysis/container)
//! -- edges: they never import one another --
//! collect/     Collector, the list COLLECTORS, a thread each (driver); cgroup, engine (Docker, Podman), nvml
//! dataset/     data files as columns: Parquet, CSV, NDJSON, Arrow
//! ingest/      samples, labels, references over HTTP; bodies to rows (decode, decode/arrow)
//! report/      a comparison of two data sets, a capacity review: table, JSON, Markdown, HTML, CSV
//! export/      the list EXPORTERS; otlp (gRPC, HTTP; alerts as log events), alertmanager, stdout; prometheus (text)
//! store/       the minute history (written, and read back by past); the models' log, Parquet and checkpoint; retention
//! web/         /metrics, health, the JSON API and the page
//! ```
//!
//! # Where things go
//!
//! - **A collector**: a file below `collect/` with an `Entry`, and a line in `COLLECTORS`. Its retries, health, line in
//!   the summary and name in the config follow. What it reports is a `reading::Report`: all it knows now.
//! - **A fact of a container**: a field of `identity::ContainerClaim`; its source is a line in `identity::claim::SOURCES`.
//! - **A thing, or a part of its key** (a device's slice, a model's version): `identity::things`.
//! - **A relation** (who serves a model, what an alert is about): `snapshot::relations`.
//! - **An exporter**: a file below `export/` with an `Entry`, and a line in `EXPORTERS`.
//! - **A metric of a container**: a static and a line in `metric::CONTAINER_METRICS`, and where `snapshot` adds its point.
//!   A signal that is not read yet begins in `reading` and `collect/cgroup/files`, and passes `analysis` into the view.
//! - **A metric of a GPU**: a static and a line in `metric::GPU_METRICS`, and where `snapshot`'s `GpuView` adds its point.
//! - **An alert**: a rule in `config/alerts.toml`, and the same for Prometheus in `deploy/prometheus/alerts.yml`.
//! - **A section of the page**: a file below `web/page/` and its place in `web/page`.
//! - **A column of the history**: a line in `frame::MINUTE_COLUMNS` (`frame::gpu`, `frame::model` for those tables), or in `minute::COUNTERS` for what counts.
//! - **A drift test**: a file below `drift/` and a line in `TESTS`. The command line, the API, the metrics, the reference page
//!   and the tests of laws follow.
//! - **A measure of performance**: a field of `performance::Performance`, and an entry in `performance::measures::MEASURES`.
//! - **A metric of a model**: a static and a line in `metric::MODEL_METRICS`, and where `model/points` adds its point.
//! - **A setting**: a field of the module's own `Config`, and a line in `config/plumbline.toml` (tests compare them);
//!   `PLUMBLINE_BLESS=1 cargo test --lib config` writes config/README.md anew.
//!
//! # Invariants
//!
//! - **The core is pure.** Time, environment and roots are arguments; what arrives is a parameter, what results is a value.
//!   `tests/layering.rs` holds the imports to the map above.
//! - **An alert is told of once, or until it is taken.** Its state is kept at each change; a restart fires and resolves nothing.
//! - **Undefined is `None`**, JSON `null`, an absent series: never NaN, never 0.
//! - **Counters carry the kernel's values** and the start time of their own container; nothing is summed up by us.
//! - **Reports are levels.** One that was dropped, or a panic behind it, is made good by the next.
//! - **A key has one form**: node, workload, container, device and model are types of `identity`; nobody joins by names.
//! - **A collector that fails is retried, never fatal**, and a panic in one is a failure of that one.
//! - **Every queue is bounded, and what falls off is counted** in `health`, which `/healthz` and `/metrics` show.
//! - **Files of the store are whole or absent.** A `kill -9` loses the open minute at most, and no sample that was accepted.
//! - **A sample's way**: decoded and checked (ingest), written to the log, acknowledged, queued; one thread owns all windows.
//!   What was concluded is a function of what was stored: the checkpoint saves time, replay gives the same.
//! - There is no global state, no macro of our own, no `mod.rs`. Unsafe stands in `main` and in `frame/bridge`.

pub mod agent;
pub mod alert;
pub mod analysis;
pub mod catalogue;
pub mod chart;
pub mod cli;
pub mod clock;
pub mod collect;
pub mod config;
pub mod dataset;
pub mod drift;
pub mod export;
pub mod frame;
pub mod health;
pub mod identity;
pub mod ingest;
pub mod metric;
pub mod minute;
pub mod model;
pub mod performance;
pub mod reading;
pub mod report;
pub mod rightsize;
pub mod signal;
pub mod snapshot;
pub mod stats;
pub mod step;
pub mod store;
pub mod telemetry;
pub mod units;
pub mod web;
