//! plumbline: one agent per node that answers three questions together: is each model still right, is each container the right
//! size, and what does a prediction cost.
//!
//! # Crate map
//!
//! ```text
//! main         parse, run, exit code
//! cli          agent | top | drift | profile | review | replay | report | tokens | check | completions | man
//! config       Config: one field per module's own Config; file, environment; every error at once (config/diagnose)
//! agent        the only wiring: threads, channels, ticks, reload, shutdown (agent/pipeline, model_worker, recommender,
//!              alerting, supervise, ...)
//! telemetry    logging, and what the agent itself weighs
//! clock        system or fixed; the only place that asks what time it is
//! units        amounts as people write them
//! client       the HTTP client that exporters, fetch and top begin with
//! top          a running agent in a terminal: its answers (client, answers), counters of late (course), tables (sections), what keys
//!              made of the view (keys, view), the frame, the screen
//! -- core: no I/O, no clock, no tokio --
//! stats/       plain numeric kernels: quantiles, a bounded sketch of them, distributions, corrections, floats as whole numbers
//! chart        charts as SVG, for the page and the reports
//! terminal     text in a terminal's columns: cut, wrapped, tables that fit, what a colour means
//! drift/       one file per drift test, the list TESTS; what of a column is tested (aspect, findings), how much (effect), what
//!              it varies by itself (chunks, variation; but for an outage: odd), the verdict; both sides' numbers in one walk
//!              (merged); what moved (moved); rows in order of time (order); other tools' rules (modes); values as they come
//!              (stream); many columns together (multi); numbers made of texts and dates (derived); vectors as a cloud
//!              (embedding); a reference without its rows, and counts under it that add up over replicas (profile); a comparison
//!              of two data sets
//! attribution/ what moved an error or a prediction: other inputs, another relation (split); the features behind either (inputs, relation)
//! estimate/    performance without labels: of classes from calibrated scores (cbpe; as NannyML has it in cbpe/nannyml), of numbers from
//!              a model of the error (dle); isotonic regression; what estimates vary by from window to window (usual)
//! quality/     data quality: one check a variant of Check, with its rule; what one column, whole rows and pairs show, and one
//!              column against a profile (profiled); what a reference teaches (learnt)
//! performance/ classification, regression, ranking; the list MEASURES, an interval for each (interval), and the verdict against a
//!              reference (verdict); what stands behind a classifier's (detail); which task a model's labels speak of
//! segment/     a column as codes (coded), a number as bins (bins); a statistic by them; where a model does worst (search)
//! fairness/    groups by a protected attribute: counts, the figures of fairlearn (parity), those of groups large enough (judged), the
//!              four-fifths rule
//! versions/    versions of a model side by side: which rows are compared, differences with intervals, looked at again and again (looks);
//!              what a reference is not of
//! review       one model's review: all that is said of its samples and labels, in one document
//! rightsize/   minutes -> what a workload used and asked for -> verdict, money, patch; GPUs by state; the review of a node
//! alert/       rules over the catalogue, and the state machine: pending, firing, resolved
//! model/       a model: its description, its address, the border, how rows come (intake), the reference, what is made of
//!              features (made), rows in event time, detectors that values pass (streams), windows and verdicts (watch), figures by
//!              TrustyAI's names (trustyai)
//! identity/    things of a node, their keys and relations (things); what sources say of a container, merged (claim), and of the
//!              node (node); whose a pod is (owner), what scales it (autoscaler), what the kubelet set aside for it (allocation);
//!              cgroup paths, images
//! metric       Metric, Point; metrics that are concluded; which series vanished; the table of attributes (attribute)
//! signal/      the tables of signals: of containers (container), GPUs (gpu), models (model); values by their places in a table
//!              (values)
//! catalogue    every metric there is
//! reading      what a collector reports, as levels: readings of containers and GPUs, claims
//! minute       readings -> the minute's signals, as their table says: mean, max, p95, increases, last values
//! frame        the minute's row and its frame; frames read back, in runs (past); JSON rows (json), the normalised types
//!              (normal), Parquet column by column within bounds (parquet), the bridge to polars
//! health       how the agent itself is doing, and its own points
//! snapshot     all that is known at one instant, joined (relations), replicas together (replicas), the node's bar (node); points()
//! analysis     State: absorb a report, take a snapshot, close a minute (analysis/container, gpu); which claim is about whom (claims)
//! query        one bounded question to the history: columns of a table over time, in steps
//! demo         the demonstration's node: played containers and GPUs, as a pure function of time
//! step         an event in; the snapshot, its points, alerts and the rows to be written out
//! -- edges: they never import one another --
//! access/      tokens, and what each may do with which models
//! collect/     Collector, the list COLLECTORS, a thread each (driver); cgroup, engine (Docker, Podman), cri (containerd, CRI-O),
//!              kubernetes (pods and the node, watched), pod_logs (names of pods by the kubelet's folders), pod_resources (the
//!              kubelet's), nvml; calls over local sockets (grpc), what such collectors share (sockets), a thread that follows a
//!              service (following)
//! mirror       what clients send, once more to another sink: best effort, bounded
//! forward/     labels on to other agents: who they are, and one call to one of them
//! fetch/       what lies at a path, behind an address or in an object store: within bounds, and again where it has changed; a place for
//!              files in one (place)
//! dataset/     data files as columns: Parquet, CSV, NDJSON, Arrow
//! ingest/      samples, labels, references over HTTP; whose share of memory (room), whose turn (turns), what came before (repeats), what is
//!              copied (copies); bodies to rows (decode, decode/arrow, decode/parquet); files of watched folders (folders): what lies there, what
//!              was taken, parts of texts and tables; OTLP's logs (otlp); uploads as to TrustyAI (trustyai); CloudEvents of model servers
//!              (events): the envelope (cloud; partial as ModelMesh has it), bodies to tensors (payload, nested, tensor; grpc), halves that
//!              wait (pairing), tensors to rows (columns, outputs, predicted, summary); protobuf's fields in place (protobuf)
//! report/      a comparison of two data sets, a profile, a model's review, its windows, a capacity review: table, JSON, Markdown, HTML, CSV
//! export/      the list EXPORTERS; otlp (gRPC, HTTP; alerts as log events), alertmanager, stdout; prometheus (text)
//! store/       the minute history (written, and read back by past); the models' log, Parquet and checkpoint; retention
//! web/         /metrics, health, the JSON API and the page; at a port, and a socket in a file (socket)
//! ```
//!
//! # Where things go
//!
//! - **A collector**: a file below `collect/` with an `Entry`, and a line in `COLLECTORS`. Its retries, health, line in the
//!   summary and name in the config follow. What it reports is a `reading::Report`: all it knows now.
//! - **A signal of a container, a GPU or a model**: an entry in `signal::container`, `signal::gpu` or `signal::model`, and the
//!   line that reads it: a collector's, or one in `model/signals` (of a feature, a measure or a bin, in `model/points`). The
//!   API (a model's is a field of `model::view`), the metric, the history's columns, the reference page and the readers of the
//!   history follow.
//! - **A fact of a container** (a name, an owner, a setting): a field of `identity::ContainerClaim` and a line in
//!   `identity::claim::FIELDS`; a source of facts is a line in `identity::claim::SOURCES`. Where people see it: a field of
//!   `snapshot::ContainerView`; where it is kept: a line in `frame::MINUTE_COLUMNS`.
//! - **A thing, or a part of its key** (a device's slice, a model's namespace): `identity::things`.
//! - **A relation** (who serves a model, what an alert is about): `snapshot::relations`.
//! - **An exporter**: a file below `export/` with an `Entry`, and a line in `EXPORTERS`.
//! - **A metric that is concluded, not read**: a static and a line in its list in `metric`, and where `snapshot` adds its
//!   point.
//! - **An attribute that says whom a point is about**: an entry in `metric::attribute`, and where a view's `subject` says it.
//!   Prometheus, OTLP, alerts, the check of rules and the reference page follow.
//! - **An alert**: a rule in `config/alerts.toml`; `deploy/prometheus/alerts.yml` is made from it.
//! - **A section of the page**: a file below `web/page/` and its place in `web/page`. A page of its own for a thing: a file there, a
//!   route in `web`, and an entry in `web/openapi/operations`. Courses over time: a `query`, drawn by `chart::course`.
//! - **A workload of the demonstration**: an entry in `demo::fleet`.
//! - **A column of the history that is no signal**: a line in `frame::MINUTE_COLUMNS` (`frame::gpu`, `frame::model` for those
//!   tables).
//! - **A drift test**: a file below `drift/` and a line in `TESTS`. The command line, the API, the metrics, the reference page
//!   and the tests of laws follow.
//! - **A number that is made of a text**: an entry in `drift::derived::text::ENTRIES`. Both commands, the windows and the
//!   reference page follow.
//! - **A check of data quality**: a variant of `quality::Check` with its rule and limit, and where it looks: `quality::column`
//!   (one column; `profiled` against a profile), `rows`, `correlation`, or `model::intake` (what comes of late). Metrics, the page and the reference page
//!   follow.
//! - **A measure of performance**: a field of `performance::Performance`, and an entry in `performance::measures::MEASURES`.
//! - **An address**: its router, and an operation in `web::openapi`'s table; `PLUMBLINE_BLESS=1 cargo test --lib web::openapi` writes the
//!   document anew.
//! - **An event of a model server, or a body of its**: `ingest::events::cloud` (the envelope), `payload` (tensors).
//! - **A figure by another tool's name**: `model::trustyai`, and a line in GUIDE.md that says by which definition.
//! - **A column of `plumbline top`**: `top::sections`; what it is read from: a field in `top::answers`.
//! - **A setting**: a field of the module's own `Config`, and a line in `config/plumbline.toml` (tests compare them);
//!   `PLUMBLINE_BLESS=1 cargo test --lib config` writes config/README.md anew.
//!
//! # Invariants
//!
//! - **The core is pure.** Time, environment and roots are arguments; what arrives is a parameter, what results is a value.
//!   `tests/layering.rs` holds the imports to the map above.
//! - **An alert is told of once, or until it is taken.** Its state is kept at each change; a restart fires and resolves
//!   nothing.
//! - **Undefined is `None`**, JSON `null`, an absent series: never NaN, never 0.
//! - **Counters carry the kernel's values** and the start time of their own container; nothing is summed up by us.
//! - **Reports are levels.** One that was dropped, or a panic behind it, is made good by the next; rows that closed before it
//!   are kept.
//! - **One pure step.** The page, the API, the points and the alerts read the snapshot of `step` alone; `plumbline report`
//!   reads the review of the same rows.
//! - **A key has one form**: node, workload, container, device and model are types of `identity`; nobody joins by names.
//! - **A collector that fails is retried, never fatal**, and a panic in one is a failure of that one.
//! - **Every queue is bounded, and what falls off is counted** in `health`, which `/healthz` and `/metrics` show.
//! - **Files of the store are whole or absent.** A `kill -9` loses the open minute at most, and no sample that was accepted.
//! - **A sample's way**: decoded and checked (ingest), written to the log, acknowledged, queued; one thread owns all windows.
//!   What was concluded is a function of what was stored: the checkpoint saves time, replay gives the same.
//! - There is no global state, no macro of our own, no `mod.rs`. Unsafe stands in `main` and in `frame/bridge`.

pub mod access;
pub mod agent;
pub mod alert;
pub mod analysis;
pub mod attribution;
pub mod catalogue;
pub mod chart;
pub mod cli;
pub mod client;
pub mod clock;
pub mod collect;
pub mod config;
pub mod dataset;
pub mod demo;
pub mod drift;
pub mod estimate;
pub mod export;
pub mod fairness;
pub mod fetch;
pub mod forward;
pub mod frame;
pub mod health;
pub mod identity;
pub mod ingest;
pub mod metric;
pub mod minute;
pub mod mirror;
pub mod model;
pub mod performance;
pub mod quality;
pub mod query;
pub mod reading;
pub mod report;
pub mod review;
pub mod rightsize;
pub mod segment;
pub mod signal;
pub mod snapshot;
pub mod stats;
pub mod step;
pub mod store;
pub mod telemetry;
pub mod terminal;
pub mod top;
pub mod units;
pub mod versions;
pub mod web;
