//! A model that is watched: what is known of it beforehand ([`Spec`]) and what its columns hold ([`Schema`]).
//!
//! Below: how it is addressed (`address`), who describes it (`described`), the border a body crosses (`border`; `profile`; what is done to columns there, `privacy`), how rows come (`intake`), the reference, what
//! is made of features (`made`), the rows in event time (`rows`), detectors that values pass (`streams`), and the state that takes rows in
//! and gives verdicts out (`watch`), as people see it (`view`). Storing and receiving are left to edges.

pub mod address;
pub mod assess;
pub mod border;
mod chunks;
pub mod described;
pub mod intake;
pub mod made;
pub mod minute;
pub mod points;
pub mod privacy;
pub mod profile;
pub mod protected;
pub mod reference;
pub mod rows;
pub mod sample;
pub mod signals;
pub mod streams;
pub mod trustyai;
pub mod view;
pub mod watch;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use polars::prelude::{DataFrame, DataType, Series};
use serde::{Deserialize, Serialize};

use self::border::RESERVED;
use self::privacy::{Key, Treatment};
use self::protected::{Protected, Usage};
use self::streams::Detector;
use crate::drift::Kind;
use crate::drift::modes::Mode;
use crate::drift::verdict::Thresholds;
use crate::frame::normal::ColumnKind;
use crate::identity::ModelKey;
use crate::performance::cost::{Cost, problem};
use crate::performance::verdict::{CLASS_ROWS, Limits};
use crate::performance::{Columns, Labels, TOP, Task, Wanted};
use crate::quality::Rules;

/// Bounds over all models.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Models beyond this many are refused.
    #[serde(deserialize_with = "crate::units::count")]
    pub max_models: usize,
    /// Features of a model beyond this many are left out.
    #[serde(deserialize_with = "crate::units::count")]
    pub max_features: usize,
    /// Features of a model whose drift and bins are exported as metrics; the API has them all.
    #[serde(deserialize_with = "crate::units::count")]
    pub metric_features: usize,
    /// Categories of a feature that have a bin of their own among the metrics; the rest are one.
    #[serde(deserialize_with = "crate::units::count")]
    pub metric_bins: usize,
    /// A model that has had no samples, labels or reference for so long is removed with all that is stored of it.
    #[serde(deserialize_with = "crate::units::duration")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "duration")))]
    pub expire_after: Duration,
    /// What addresses of references may begin with that a description names which came by the API or a ConfigMap; each ends in `/`.
    pub reference_prefixes: Vec<String>,
    /// A file with the key that `privacy` hashes with, 32 hex digits: the same on every agent.
    pub hash_key_file: Option<PathBuf>,
    /// What all windows may take together.
    #[serde(deserialize_with = "crate::units::size")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "size")))]
    pub memory: ByteSize,
    /// What the whole agent may take before windows shrink; by default 80 % of its cgroup's limit.
    #[serde(deserialize_with = "size")]
    #[cfg_attr(test, schemars(with = "Option<String>", extend("x-kind" = "size")))]
    pub memory_limit: Option<ByteSize>,
}

fn size<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<ByteSize>, D::Error> {
    crate::units::size(deserializer).map(Some)
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_models: 100,
            max_features: 500,
            metric_features: 50,
            metric_bins: 30,
            expire_after: Duration::from_secs(90 * 86_400),
            reference_prefixes: Vec::new(),
            hash_key_file: None,
            memory: ByteSize::mib(256),
            memory_limit: None,
        }
    }
}

/// What is known of a model beforehand. All but the name may be left out, and a model that nobody described has the defaults.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// As it is called in the address its samples are sent to.
    pub name: String,
    /// In what its name is unique: the Kubernetes namespace of the containers that serve it. Its samples are sent with
    /// `?namespace=` and this. Without one containers of any namespace serve it that no other model of the name is for.
    #[serde(default)]
    pub namespace: Option<String>,
    /// What it predicts; found from the labels if not given.
    #[serde(default)]
    pub task: Option<Task>,
    /// The class of interest of a classifier with two; the one that sorts last if not given.
    #[serde(default)]
    pub positive: Option<String>,
    /// The sender's column that names a row, for its label and against repetition.
    #[serde(default = "id")]
    pub id: String,
    /// When a row was: RFC 3339, or milliseconds since the epoch.
    #[serde(default = "timestamp")]
    pub timestamp: String,
    /// What the model said.
    #[serde(default = "prediction")]
    pub prediction: String,
    /// How sure it was of the positive class.
    #[serde(default = "score")]
    pub score: String,
    /// How sure it was of each class, by the class: columns of their own.
    #[serde(default)]
    pub scores: BTreeMap<String, String>,
    /// What was true.
    #[serde(default = "label")]
    pub label: String,
    /// Which version of the model it was.
    #[serde(default = "version")]
    pub version: String,
    /// The version that the others are held against. By default it is the one with the most rows in the first tenth of the time.
    #[serde(default)]
    pub champion: Option<String>,
    /// Which rows are ranked together: how well is measured by NDCG.
    #[serde(default)]
    pub group: Option<String>,
    /// Rows of a group that are looked at.
    #[serde(default = "default_top", deserialize_with = "crate::units::count")]
    pub top: usize,
    /// The level of the quantile that the model predicts, such as 0.9.
    #[serde(default)]
    pub quantile: Option<f64>,
    /// What mistakes cost, in your money.
    #[serde(default)]
    pub costs: Vec<Cost>,
    /// Columns by whose values people are told apart: whether the model does as well by every group.
    #[serde(default)]
    pub protected: Vec<Protected>,
    /// The class that is good to get, where it is not the positive one.
    #[serde(default)]
    pub favourable: Option<String>,
    /// Columns by whose values, or bins, a review tells every measure.
    #[serde(default)]
    pub segments: Vec<String>,
    /// A change of performance below this share of the reference's figure does not matter.
    #[serde(default = "default_margin")]
    pub margin: f64,
    /// Columns of numbers, or of texts, that stand for categories.
    #[serde(default)]
    pub categorical: Vec<String>,
    /// Columns of texts, compared by length, words and characters. Strings of three words or more, half of them different, are
    /// texts anyway.
    #[serde(default)]
    pub text: Vec<String>,
    /// Columns to leave out.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// The share of rows that is kept, by a hash of their ids; with labels of the others left out, too.
    #[serde(default)]
    pub sample: Option<f64>,
    /// What is done to columns before anything of them is written, by the sender's names.
    #[serde(default)]
    pub privacy: BTreeMap<String, Treatment>,
    /// The key that they are hashed with, as `models.hash_key_file` has it.
    #[serde(skip)]
    #[cfg_attr(test, schemars(skip))]
    pub key: Key,
    /// What of its rows is kept.
    #[serde(default)]
    pub store: Store,
    /// Names of the columns that a model server is asked by position, in their order.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Which halves of predictions a model server's logger sends.
    #[serde(default)]
    pub events: Halves,
    /// How long a window of event time is.
    #[serde(default = "default_window", deserialize_with = "crate::units::duration")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "duration")))]
    pub window: Duration,
    /// How far apart windows begin; by default as long as they are.
    #[serde(default, deserialize_with = "duration")]
    #[cfg_attr(test, schemars(with = "Option<String>", extend("x-kind" = "duration")))]
    pub slide: Option<Duration>,
    /// Windows of so many rows by arrival, instead of windows of time.
    #[serde(default, deserialize_with = "crate::units::some_count")]
    pub window_rows: Option<u64>,
    /// How long a window waits for late rows.
    #[serde(default = "default_lateness", deserialize_with = "crate::units::duration")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "duration")))]
    pub lateness: Duration,
    /// When nothing comes any longer, the wall clock closes windows so long after their lateness.
    #[serde(default = "default_grace", deserialize_with = "crate::units::duration")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "duration")))]
    pub grace: Duration,
    /// How long labels are waited for; older rows are forgotten.
    #[serde(default = "default_label_horizon", deserialize_with = "crate::units::duration")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "duration")))]
    pub label_horizon: Duration,
    /// Rows kept in memory at most.
    #[serde(default = "default_max_rows", deserialize_with = "crate::units::count")]
    pub max_rows: u64,
    /// Where its reference lies: a data file or a profile, by path or address (`https://`, `s3://`, `gs://`, `az://`). It is read at the
    /// start, at a reload and from time to time; none is taken by `PUT` then.
    #[serde(default)]
    pub reference: Option<String>,
    /// The reference's SHA-256 in hex: the file's, or a profile's own. Another is not taken.
    #[serde(default)]
    pub reference_hash: Option<String>,
    /// Which version of the model its reference is of, where the reference has no column that says so: rows of other versions are not held
    /// against it.
    #[serde(default)]
    pub reference_version: Option<String>,
    /// How often the reference is asked for.
    #[serde(default = "default_reference_every", deserialize_with = "crate::units::duration")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "duration")))]
    pub reference_every: Duration,
    /// Without a given reference the first so many rows become a provisional one.
    #[serde(default = "default_reference_rows", deserialize_with = "crate::units::count")]
    pub reference_rows: u64,
    /// A window of fewer rows has no verdict.
    #[serde(default = "default_min_rows", deserialize_with = "crate::units::count")]
    pub min_rows: u64,
    /// So many windows in a row must drift before the model does.
    #[serde(default = "default_windows_in_a_row", deserialize_with = "crate::units::count")]
    pub windows_in_a_row: u32,
    /// When a change is drift.
    #[serde(default)]
    pub thresholds: Thresholds,
    /// What is looked for in the rows themselves.
    #[serde(default)]
    pub quality: Rules,
    /// Detectors that scores and errors pass, value by value as they come.
    #[serde(default = "default_streams")]
    pub streams: Vec<Detector>,
}

/// Which halves of predictions a model server's logger sends, as KServe names them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Halves {
    /// Both: they are paired.
    #[default]
    All,
    /// What the model is asked, alone.
    Request,
    /// What it says, alone.
    Response,
}

/// What of a model's rows is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Store {
    /// They themselves.
    #[default]
    Rows,
    /// Counts that add up, and no row: rows are in memory until their windows are judged, and never on a disk. References are profiles.
    Counts,
}

impl Store {
    /// What is not told of a model of which this is kept, in words.
    #[must_use]
    pub fn lost(self) -> &'static [&'static str] {
        match self {
            Self::Rows => &[],
            Self::Counts => &[
                "performance, fairness and segments by labels that come after their window was judged",
                "performance of the reference, and so by how much the model does worse than it",
                "estimates of performance without labels",
                "what moved the model",
                "drift of texts, dates, embeddings, and of all columns together; correlations and repeated rows",
                "reviews and replays of stored rows (plumbline review, plumbline replay), and labels sent on to other agents",
                "rows of windows that are open when the agent ends: they are counted as lost",
            ],
        }
    }
}

fn duration<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    crate::units::duration(deserializer).map(Some)
}

const fn default_window() -> Duration {
    Duration::from_secs(3600)
}

const fn default_lateness() -> Duration {
    Duration::from_secs(60)
}

const fn default_grace() -> Duration {
    Duration::from_secs(60)
}

const fn default_label_horizon() -> Duration {
    Duration::from_secs(30 * 86_400)
}

const fn default_max_rows() -> u64 {
    500_000
}

const fn default_reference_every() -> Duration {
    Duration::from_secs(300)
}

const fn default_reference_rows() -> u64 {
    1000
}

/// Below this the noise of a distance alone comes near its threshold.
const fn default_min_rows() -> u64 {
    200
}

fn id() -> String {
    "id".to_owned()
}

fn timestamp() -> String {
    "timestamp".to_owned()
}

fn prediction() -> String {
    "prediction".to_owned()
}

fn score() -> String {
    "score".to_owned()
}

fn label() -> String {
    "label".to_owned()
}

fn version() -> String {
    "version".to_owned()
}

const fn default_margin() -> f64 {
    0.02
}

const fn default_top() -> usize {
    TOP
}

fn default_streams() -> Vec<Detector> {
    vec![Detector::Adwin]
}

const fn default_windows_in_a_row() -> u32 {
    2
}

impl Spec {
    /// Of a model that nobody described.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            namespace: None,
            task: None,
            positive: None,
            id: id(),
            timestamp: timestamp(),
            prediction: prediction(),
            score: score(),
            scores: BTreeMap::new(),
            label: label(),
            version: version(),
            champion: None,
            group: None,
            top: default_top(),
            quantile: None,
            costs: Vec::new(),
            protected: Vec::new(),
            favourable: None,
            segments: Vec::new(),
            margin: default_margin(),
            categorical: Vec::new(),
            text: Vec::new(),
            exclude: Vec::new(),
            sample: None,
            privacy: BTreeMap::new(),
            key: Key::default(),
            store: Store::default(),
            columns: Vec::new(),
            events: Halves::All,
            window: default_window(),
            slide: None,
            window_rows: None,
            lateness: default_lateness(),
            grace: default_grace(),
            label_horizon: default_label_horizon(),
            max_rows: default_max_rows(),
            reference: None,
            reference_hash: None,
            reference_version: None,
            reference_every: default_reference_every(),
            reference_rows: default_reference_rows(),
            min_rows: default_min_rows(),
            windows_in_a_row: default_windows_in_a_row(),
            thresholds: Thresholds::default(),
            quality: Rules::default(),
            streams: default_streams(),
        }
    }

    /// The same, of a model in a namespace or none.
    #[must_use]
    pub fn of(key: &ModelKey) -> Self {
        Self { namespace: key.namespace.clone(), ..Self::new(&key.name) }
    }

    /// What the model is known by.
    #[must_use]
    pub fn key(&self) -> ModelKey {
        ModelKey { namespace: self.namespace.clone(), name: self.name.clone() }
    }

    /// How far apart windows begin, in positions: milliseconds of event time, or rows by arrival. One at least.
    #[must_use]
    pub fn step(&self) -> i64 {
        match self.window_rows {
            Some(rows) => i64::try_from(rows).unwrap_or(i64::MAX),
            None => millis(self.slide.unwrap_or(self.window)),
        }
        .max(1)
    }

    /// How many steps a window is long.
    #[must_use]
    pub fn steps(&self) -> i64 {
        if self.window_rows.is_some() { 1 } else { millis(self.window).div_euclid(self.step()) }
    }

    /// How long rows are held in memory for what may still come to them.
    #[must_use]
    pub fn holds(&self) -> Duration {
        match self.store {
            Store::Rows => self.label_horizon.max(self.window),
            Store::Counts => self.window,
        }
    }

    /// Settings that make no sense, by field.
    #[must_use]
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut wrong = |field: &str, message: String| found.push((field.to_owned(), message));
        if let Err(message) = check_name(&self.name) {
            wrong("name", message);
        }
        if let Some(Err(message)) = self.namespace.as_deref().map(check_namespace) {
            wrong("namespace", message);
        }
        if let Some(slide) = self.slide
            && (slide > self.window || !self.window.as_millis().is_multiple_of(slide.as_millis().max(1)))
        {
            wrong("slide", "must go into the window a whole number of times".to_owned());
        }
        if self.window < Duration::from_secs(1) || self.slide.is_some_and(|slide| slide < Duration::from_secs(1)) {
            wrong("window", "is too short; windows and their slide are 1s at least".to_owned());
        } else if self.steps() > 200 {
            wrong("slide", "is too short for this window; 200 steps a window at most".to_owned());
        }
        if self.window_rows.is_some_and(|rows| rows == 0) {
            wrong("window_rows", "must be at least 1".to_owned());
        }
        if self.window_rows.is_some_and(|rows| rows > self.max_rows) {
            wrong("window_rows", "must not be more than max_rows".to_owned());
        }
        if self.window_rows.is_some() && self.slide.is_some() {
            wrong("slide", "has no meaning for windows of rows".to_owned());
        }
        if self.store == Store::Counts && self.thresholds.mode == Mode::NannyMl {
            wrong(
                "store",
                "\"counts\" keeps references as profiles, and thresholds.mode nannyml wants their rows".to_owned(),
            );
        }
        if self.sample.is_some_and(|share| !(share > 0.0 && share <= 1.0)) {
            wrong("sample", "must lie above 0 and not above 1: the share of rows that is kept".to_owned());
        }
        for (field, value) in [("max_rows", self.max_rows), ("reference_rows", self.reference_rows)] {
            if !(1..=10_000_000).contains(&value) {
                wrong(field, "must lie between 1 and 10000000".to_owned());
            }
        }
        if let Some(hash) = &self.reference_hash {
            if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                wrong("reference_hash", "is no SHA-256; write its 64 hex digits".to_owned());
            }
            if self.reference.is_none() {
                wrong("reference_hash", "has no meaning without reference".to_owned());
            }
        }
        if self.reference_every < Duration::from_secs(1) {
            wrong("reference_every", "is too short; 1s at least".to_owned());
        }
        if self.windows_in_a_row == 0 {
            wrong("windows_in_a_row", "must be at least 1".to_owned());
        }
        if self.quantile.is_some_and(|level| !(level > 0.0 && level < 1.0)) {
            wrong("quantile", "must lie between 0 and 1".to_owned());
        }
        if !(0.0..1.0).contains(&self.margin) {
            wrong("margin", "must lie between 0 and 1".to_owned());
        }
        let mut columns: Vec<&String> = self.columns.iter().collect();
        columns.sort_unstable();
        if let Some([name, ..]) = columns.windows(2).find(|pair| pair[0] == pair[1]) {
            wrong("columns", format!("has `{name}` twice"));
        }
        if self.top == 0 {
            wrong("top", "must be at least 1".to_owned());
        }
        if let Some(message) = problem(&self.costs) {
            wrong("costs", message);
        }
        for (column, treatment) in &self.privacy {
            let field = format!("privacy.{column}");
            let role = self.role_of(column).filter(|role| *role != Role::Id);
            if let Some(message) = treatment.problem() {
                wrong(&field, message.to_owned());
            } else if role.is_some() || (*treatment != Treatment::Hash && self.role_of(column) == Some(Role::Id)) {
                let message = "is what the model is measured by; of id, timestamp, prediction, score, label and version the id alone may be hashed";
                wrong(&field, message.to_owned());
            }
        }
        if self.scores.len() == 1 {
            wrong("scores", "must name the columns of two classes at least; one alone is `score`".to_owned());
        }
        for (field, message) in self.thresholds.problems() {
            wrong(&format!("thresholds.{field}"), message);
        }
        for (field, message) in self.quality.problems() {
            wrong(&format!("quality.{field}"), message);
        }
        found
    }

    /// How a column is compared; `None` for what is not.
    #[must_use]
    pub fn kind_of(&self, name: &str, kind: ColumnKind) -> Option<Kind> {
        match kind {
            ColumnKind::Number if self.categorical.iter().any(|c| c == name) => Some(Kind::Categorical),
            ColumnKind::Number => Some(Kind::Numeric),
            ColumnKind::String | ColumnKind::Boolean => Some(Kind::Categorical),
            ColumnKind::Timestamp | ColumnKind::Numbers | ColumnKind::Strings => None,
        }
    }
}

/// Milliseconds, as positions in event time count them. What they cannot hold is the longest they can.
#[must_use]
pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A model's name goes into addresses, folders and labels.
///
/// # Errors
/// It is none; says what one is.
pub fn check_name(name: &str) -> Result<(), String> {
    if is_plain(name) {
        Ok(())
    } else {
        Err("is no model's name; use up to 100 letters, digits, `-`, `_` and `.`, not beginning with a dot".to_owned())
    }
}

/// So does its namespace. In folders what begins with `_` says that there is none.
///
/// # Errors
/// It is none; says what one is.
pub fn check_namespace(namespace: &str) -> Result<(), String> {
    if is_plain(namespace) && !namespace.starts_with('_') {
        Ok(())
    } else {
        Err("is no namespace; use up to 100 letters, digits, `-`, `_` and `.`, not beginning with a dot or `_`"
            .to_owned())
    }
}

fn is_plain(name: &str) -> bool {
    (1..=100).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && !name.starts_with('.')
}

/// A role that a column may have instead of being a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Names the row.
    Id,
    /// When it was.
    Timestamp,
    /// What the model said.
    Prediction,
    /// How sure it was.
    Score,
    /// What was true.
    Label,
    /// Which version it was.
    Version,
}

impl Spec {
    /// Each role with its own name and the sender's.
    #[must_use]
    pub fn roles(&self) -> [(Role, &'static str, &str); 6] {
        [
            (Role::Id, "id", &self.id),
            (Role::Timestamp, "timestamp", &self.timestamp),
            (Role::Prediction, "prediction", &self.prediction),
            (Role::Score, "score", &self.score),
            (Role::Label, "label", &self.label),
            (Role::Version, "version", &self.version),
        ]
    }

    /// What the sender's column is called in rows that passed the border.
    #[must_use]
    pub fn held_as<'a>(&self, column: &'a str) -> &'a str {
        self.roles().into_iter().find(|(_, _, theirs)| *theirs == column).map_or(column, |(_, ours, _)| ours)
    }

    /// The role the sender's column plays.
    #[must_use]
    pub fn role_of(&self, column: &str) -> Option<Role> {
        self.roles().into_iter().find(|(_, _, theirs)| *theirs == column).map(|(role, _, _)| role)
    }

    /// Those columns of a frame that predictions are measured by beside the reserved ones.
    #[must_use]
    pub fn beside(&self, frame: &DataFrame) -> Beside {
        let series = |name: &str| frame.column(name).ok().map(|column| column.as_materialized_series().clone());
        let scores = self.scores.iter().filter_map(|(class, name)| Some((class.clone(), series(name)?)));
        let scores: Vec<(String, Series)> = scores.collect();
        // Of a class that is left out nothing is known, and of the others too little.
        let scores = if scores.len() == self.scores.len() { scores } else { Vec::new() };
        Beside { scores, group: self.group.as_deref().and_then(series) }
    }

    /// Columns that are there to tell groups apart, and for nothing else: protected ones that are said to be, and what is excluded from
    /// all else.
    pub fn kept_apart(&self) -> impl Iterator<Item = &String> {
        let is_excluded = |column: &String| self.exclude.contains(column);
        let protected = self
            .protected
            .iter()
            .filter(move |protected| protected.usage == Usage::Fairness || is_excluded(&protected.column));
        let segments = self.segments.iter().filter(move |column| is_excluded(column));
        protected.map(|protected| &protected.column).chain(segments)
    }

    /// Whether a column is one of them.
    #[must_use]
    pub fn is_kept_apart(&self, column: &str) -> bool {
        self.kept_apart().any(|apart| apart == column)
    }

    /// Whether a column is none of the model's, whatever it holds.
    #[must_use]
    pub fn leaves_out(&self, column: &str) -> bool {
        let dropped = self.privacy.get(column) == Some(&Treatment::Drop);
        dropped || self.exclude.iter().chain(self.kept_apart()).any(|excluded| excluded == column)
    }

    /// Whether a column is one that the model is given.
    #[must_use]
    pub fn is_feature(&self, column: &str) -> bool {
        self.role_of(column).is_none()
            && !self.leaves_out(column)
            && self.group.as_deref() != Some(column)
            && !self.scores.values().any(|name| name == column)
    }

    /// What makes a verdict on performance.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            significance: self.thresholds.significance,
            margin: self.margin,
            rows: self.min_rows,
            class_rows: CLASS_ROWS,
        }
    }

    /// How predictions are to be measured against labels.
    #[must_use]
    pub fn measured<'a>(&'a self, task: Task, known: &'a Labels) -> Wanted<'a> {
        Wanted {
            task,
            positive: self.positive.as_deref(),
            known,
            costs: &self.costs,
            quantile: self.quantile,
            top: self.top,
        }
    }
}

/// Columns that predictions are measured by beside the reserved ones.
#[derive(Debug, Clone)]
pub struct Beside {
    /// Of each class, how sure the model was.
    pub scores: Vec<(String, Series)>,
    /// Which rows are ranked together.
    pub group: Option<Series>,
}

impl Beside {
    /// All together.
    #[must_use]
    pub fn columns<'a>(
        &'a self,
        label: &'a Series,
        prediction: Option<&'a Series>,
        score: Option<&'a Series>,
    ) -> Columns<'a> {
        Columns { label, prediction, score, scores: &self.scores, group: self.group.as_ref() }
    }
}

/// What a column of a frame holds.
fn kind_of(dtype: &DataType) -> Option<ColumnKind> {
    match dtype {
        DataType::Boolean => Some(ColumnKind::Boolean),
        DataType::Int64 | DataType::UInt64 | DataType::Float64 => Some(ColumnKind::Number),
        DataType::String => Some(ColumnKind::String),
        DataType::Datetime(..) => Some(ColumnKind::Timestamp),
        DataType::List(item) if **item == DataType::String => Some(ColumnKind::Strings),
        DataType::List(_) => Some(ColumnKind::Numbers),
        _ => None,
    }
}

/// What a model's columns are known to hold. Grows with what comes; a kind once known stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Schema {
    /// Features by name.
    pub features: BTreeMap<String, ColumnKind>,
    /// Predictions and labels.
    pub prediction: Option<ColumnKind>,
    /// Scores are there.
    pub score: bool,
}

impl Schema {
    /// Of rows that passed the border, of a model of this description.
    #[must_use]
    pub fn of(frame: &DataFrame, spec: &Spec) -> Self {
        let mut schema = Self::default();
        for column in frame.columns() {
            let Some(kind) = kind_of(column.dtype()) else { continue };
            match column.name().as_str() {
                "prediction" | "label" => schema.prediction = schema.prediction.or(Some(kind)),
                "score" => schema.score = true,
                name if RESERVED.contains(&name) || spec.is_kept_apart(name) => {}
                name => {
                    schema.features.insert(name.to_owned(), kind);
                }
            }
        }
        schema
    }

    /// Takes in what a reference says: it is the word on what its columns hold.
    pub fn replace(&mut self, reference: &Self) {
        self.features.extend(reference.features.clone());
        self.prediction = reference.prediction.or(self.prediction);
        self.score |= reference.score;
    }

    /// Takes in what another saw. Kinds that are known already stay.
    pub fn merge(&mut self, other: &Self) {
        for (name, kind) in &other.features {
            self.features.entry(name.clone()).or_insert(*kind);
        }
        self.prediction = self.prediction.or(other.prediction);
        self.score |= other.score;
    }
}
