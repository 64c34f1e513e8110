//! The whole configuration: one field per module's own `Config`, read from TOML, the environment and the command line,
//! in this order of growing weight. Every error is told at once, with its line and field.

#![warn(clippy::arithmetic_side_effects)]

pub mod description;
mod diagnose;
#[cfg(test)]
mod reference;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, de};

pub use diagnose::Problem;

use crate::identity::ModelKey;
use crate::model::privacy::Treatment;

use crate::{
    access, alert, collect, export, fetch, forward, ingest, mirror, model, rightsize, store, telemetry, units,
};

/// Everything that can be set.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The agent as a whole.
    pub agent: AgentConfig,
    /// Who is let in.
    pub access: access::Config,
    /// What is read.
    pub collect: collect::Config,
    /// GPUs.
    pub gpu: collect::nvml::Config,
    /// What is kept.
    pub history: store::history::Config,
    /// The ingest for samples.
    pub ingest: ingest::Config,
    /// Copies of requests for another sink.
    pub mirror: mirror::Config,
    /// Labels on to other agents.
    pub forward: forward::Config,
    /// How long samples are kept.
    pub samples: store::samples::Config,
    /// Bounds over all models.
    pub models: model::Config,
    /// Models that are described beforehand.
    pub model: Vec<model::Spec>,
    /// How containers are sized.
    pub rightsizing: rightsize::Config,
    /// What things cost.
    pub cost: rightsize::cost::Prices,
    /// All alerts.
    pub alerting: alert::Config,
    /// Rules of one's own.
    pub alert: Vec<alert::rule::Rule>,
    /// What is sent.
    pub export: export::Config,
    /// What is logged.
    pub log: telemetry::Config,
}

/// The agent as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct AgentConfig {
    /// Where the page, the API and `/metrics` are served.
    #[serde(deserialize_with = "address")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "address")))]
    pub listen: SocketAddr,
    /// Where the history is kept; by default the system's or the user's place for state.
    pub data: Option<PathBuf>,
    /// Names it answers to beside addresses, the node's name and names that nobody can register.
    pub allowed_hosts: Vec<String>,
    /// The full tick: every signal, exports.
    #[serde(deserialize_with = "crate::units::duration")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "duration")))]
    pub tick: Duration,
    /// The inner tick: CPU and memory.
    #[serde(deserialize_with = "crate::units::duration")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "duration")))]
    pub inner_tick: Duration,
    /// How long a shutdown may take.
    #[serde(deserialize_with = "crate::units::duration")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "duration")))]
    pub grace: Duration,
    /// The node's name; by default Kubernetes' in a pod that is told it ($NODE_NAME), else the host's.
    pub node: Option<String>,
}

impl Default for AgentConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9477)),
            allowed_hosts: Vec::new(),
            data: None,
            tick: Duration::from_secs(10),
            inner_tick: Duration::from_secs(1),
            grace: Duration::from_secs(5),
            node: None,
        }
    }
}

/// The documented defaults, as the README and `config/` show them.
pub const DEFAULTS: &str = include_str!("../config/plumbline.toml");

/// Whether a setting differs between two configurations.
pub type Differs = fn(&Config, &Config) -> bool;

/// What a reload does not change: it takes effect with the next start. All else is taken at once.
pub const AT_START: &[(&str, Differs)] = &[
    ("agent.listen", |a, b| a.agent.listen != b.agent.listen),
    ("agent.allowed_hosts", |a, b| a.agent.allowed_hosts != b.agent.allowed_hosts),
    ("agent.data", |a, b| a.agent.data != b.agent.data),
    ("agent.node", |a, b| a.agent.node != b.agent.node),
    ("access", |a, b| a.access != b.access),
    ("ingest", |a, b| a.ingest != b.ingest),
    ("mirror", |a, b| a.mirror != b.mirror),
    ("samples.durability", |a, b| a.samples.durability != b.samples.durability),
    ("models.memory_limit", |a, b| a.models.memory_limit != b.models.memory_limit),
];

/// A variable of the environment by its name.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Why no configuration could be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file has errors.
    #[error("{}", shown(path, problems))]
    Wrong {
        /// The file.
        path: PathBuf,
        /// All of them, in order of line.
        problems: Vec<Problem>,
    },
}

/// The problems as a compiler would list them.
fn shown(path: &Path, problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|problem| format!("{}:{problem}", path.display())).collect();
    lines.join("\n")
}

impl Config {
    /// Where the agent listens, by setting.
    pub fn listens(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let grpc = self.ingest.otlp_grpc.map(|address| ("ingest.otlp_grpc", address));
        [("agent.listen", self.agent.listen)].into_iter().chain(grpc)
    }

    /// The defaults, or what `file` says in their place, and then what the environment says.
    /// Returns also what the environment says in vain.
    ///
    /// # Errors
    /// The file cannot be read or has errors.
    pub fn load(file: Option<&Path>, env: Env<'_>) -> Result<(Self, Vec<String>), Error> {
        let mut config = match file {
            None => Self::default(),
            Some(path) => {
                let text =
                    std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
                Self::parse(&text).map_err(|problems| Error::Wrong { path: path.to_owned(), problems })?
            }
        };
        config.collect.gpu = config.gpu.clone();
        let mut problems = config.export.otlp.apply_env(env);
        config.collect.apply_env(env);
        problems.extend(config.forward.apply_env(env));
        // The file alone was right, so what is wrong now came from the environment.
        let wrong = config.export.otlp.problems();
        if !wrong.is_empty() {
            problems.extend(wrong.iter().map(|error| format!("{error}: nothing is sent")));
            config.export.otlp.endpoint = None;
            config.export.otlp.metrics_endpoint = None;
        }
        Ok((config, problems))
    }

    /// What the text says, or every error in it.
    ///
    /// # Errors
    /// Each problem with its line and field.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        diagnose::parse(text, DEFAULTS, Self::contradictions)
    }

    /// The models of which counts are kept, and no row.
    #[must_use]
    pub fn of_counts_alone(&self) -> BTreeSet<ModelKey> {
        self.model.iter().filter(|spec| spec.store == model::Store::Counts).map(model::Spec::key).collect()
    }

    /// What is wrong with a model's description beside these settings, by its field.
    #[must_use]
    pub fn problems_of(&self, spec: &model::Spec) -> Vec<(String, String)> {
        let mut found = spec.problems();
        if let Some(Err(message)) = spec.reference.as_deref().map(fetch::Source::parse) {
            found.push(("reference".to_owned(), message));
        }
        if self.models.hash_key_file.is_none() && spec.privacy.values().any(|treatment| *treatment == Treatment::Hash) {
            found.push((
                "privacy".to_owned(),
                "hashes a column, and there is no key; name one in models.hash_key_file".to_owned(),
            ));
        }
        // Windows of rows are judged from memory alone.
        if spec.window_rows.is_none() && spec.label_horizon > self.samples.retention {
            let shown =
                |duration: Duration| units::span(SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX));
            let message = format!(
                "is {}, but samples.retention removes rows after {}, before their labels come; lower label_horizon, or raise samples.retention to it",
                shown(spec.label_horizon),
                shown(self.samples.retention)
            );
            found.push(("label_horizon".to_owned(), message));
        }
        found
    }

    /// Settings that are right each by itself but not together: the field and what is wrong.
    fn contradictions(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut wrong = |field: &str, message: &str| found.push((field.to_owned(), message.to_owned()));
        let AgentConfig { tick, inner_tick, .. } = self.agent;
        if inner_tick < Duration::from_millis(100) {
            wrong("agent.inner_tick", "is too short; 100ms at least");
        }
        if inner_tick > tick || tick.as_nanos().checked_rem(inner_tick.as_nanos()) != Some(0) {
            wrong("agent.tick", "must be a whole multiple of agent.inner_tick");
        }
        if tick > Duration::from_secs(60) {
            wrong("agent.tick", "is too long; 60s at most, as the history has a row each minute");
        }
        if self.agent.node.as_deref().is_some_and(|node| node.trim().is_empty()) {
            wrong("agent.node", "is empty; leave it out for the host's name");
        }
        if self.agent.data.as_deref().is_some_and(|data| data.as_os_str().is_empty()) {
            wrong("agent.data", "is empty; leave it out for the usual place");
        }
        for (field, address) in self.listens() {
            if let Some(why) = self.access.open_to_others(address) {
                wrong(field, &why);
            }
        }
        for (field, message) in self.access.problems() {
            wrong(&format!("access.{field}"), message);
        }
        for prefix in &self.models.reference_prefixes {
            if !prefix.contains("://") || !prefix.ends_with('/') {
                wrong("models.reference_prefixes", "must each be an address that ends in /, such as \"s3://models/\"");
            }
        }
        if self.collect.max_containers == 0 {
            wrong("collect.max_containers", "must be at least 1");
        }
        for (at, spec) in self.model.iter().enumerate() {
            let problems = self.problems_of(spec).into_iter();
            found.extend(
                problems.map(|(field, message)| {
                    (format!("model.{at}.{field}"), format!("{message} (model `{}`)", spec.name))
                }),
            );
            if self.model[..at].iter().any(|other| other.key() == spec.key()) {
                found.push((format!("model.{at}.name"), format!("`{}` is described twice", spec.key())));
            }
        }
        for (field, value) in [("max_models", self.models.max_models), ("max_features", self.models.max_features)] {
            if value == 0 {
                found.push((format!("models.{field}"), "must be at least 1".to_owned()));
            }
        }
        if self.ingest.max_rows == 0 {
            found.push(("ingest.max_rows".to_owned(), "must be at least 1".to_owned()));
        }
        for (field, message) in self.ingest.events.problems() {
            found.push((format!("ingest.events.{field}"), message));
        }
        if let Some(message) = self.ingest.problem_of_socket() {
            found.push(("ingest.socket".to_owned(), message));
        }
        for (at, folder) in self.ingest.folder.iter().enumerate() {
            for (field, message) in folder.problems() {
                found.push((format!("ingest.folder.{at}.{field}"), message));
            }
            if self.ingest.folder[..at].iter().any(|other| other.path == folder.path) {
                found.push((format!("ingest.folder.{at}.path"), "is watched twice".to_owned()));
            }
        }
        if self.ingest.folder.len() > ingest::folders::MOST_FOLDERS {
            let message = format!("there are more than {} folders", ingest::folders::MOST_FOLDERS);
            found.push(("ingest.folder".to_owned(), message));
        }
        if self.ingest.max_body.as_u64() > self.ingest.one_alone() {
            let message = "must be no less than one and a half ingest.max_body: one model may hold two thirds of it";
            found.push(("ingest.in_flight".to_owned(), message.to_owned()));
        }
        if let Some(Err(message)) = self.samples.archive.as_deref().map(fetch::place::Place::parse) {
            found.push(("samples.archive".to_owned(), message));
        }
        let copying = self.mirror.problems(self.agent.listen).into_iter();
        found.extend(copying.map(|(field, message)| (format!("mirror.{field}"), message)));
        let forwarding = self.forward.problems().into_iter();
        found.extend(forwarding.map(|(field, message)| (format!("forward.{field}"), message)));
        let sizing = self.rightsizing.problems();
        found.extend(sizing.into_iter().map(|(field, message)| (format!("rightsizing.{field}"), message.to_owned())));
        let prices = self.cost.problems();
        found.extend(prices.into_iter().map(|(field, message)| (format!("cost.{field}"), message.to_owned())));
        for (at, rule) in self.alert.iter().enumerate() {
            for (field, message) in rule.problems() {
                found.push((format!("alert.{at}.{field}"), format!("{message} (alert `{}`)", rule.name)));
            }
            if self.alert[..at].iter().any(|other| other.name == rule.name) {
                found.push((format!("alert.{at}.name"), format!("`{}` is there twice", rule.name)));
            }
        }
        found.extend(self.alerting.problems(&self.alert));
        for export::Error::Option { exporter, field, message } in self.export.problems() {
            found.push((format!("export.{exporter}.{field}"), message));
        }
        found
    }
}

/// Where state is kept without a word from the user: systemd's folder, root's, else the user's.
#[must_use]
pub fn default_data_folder(env: Env<'_>, is_root: bool) -> PathBuf {
    let set = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("STATE_DIRECTORY")
        .or_else(|| is_root.then(|| PathBuf::from("/var/lib/plumbline")))
        .or_else(|| Some(set("XDG_STATE_HOME")?.join("plumbline")))
        .or_else(|| Some(set("HOME")?.join(".local/state/plumbline")))
        .unwrap_or_else(|| PathBuf::from("plumbline-data"))
}

/// What `OTEL_RESOURCE_ATTRIBUTES` says of this node; a pair that is none is passed over, as the specification has it.
#[must_use]
pub fn resource_attributes(env: Env<'_>) -> Vec<(String, String)> {
    env("OTEL_RESOURCE_ATTRIBUTES")
        .unwrap_or_default()
        .split(',')
        .filter_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            let value = export::otlp::config::percent_decoded(value.trim())?;
            (!key.trim().is_empty()).then(|| (key.trim().to_owned(), value))
        })
        .collect()
}

/// The node's name as the environment of a pod has it: `k8s.node.name` of `OTEL_RESOURCE_ATTRIBUTES`, else `NODE_NAME`. A pod's own
/// host name is the pod's.
#[must_use]
pub fn node_of_pod(env: Env<'_>) -> Option<String> {
    let attributes = resource_attributes(env);
    let told = attributes.into_iter().find(|(key, _)| key == NODE_ATTRIBUTE).map(|(_, name)| name);
    told.or_else(|| env("NODE_NAME")).map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// The conventions' name of a Kubernetes node.
pub const NODE_ATTRIBUTE: &str = "k8s.node.name";

/// An address and port to listen on.
///
/// # Errors
/// The text is none; says how to write one.
pub fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not an address with a port; write it as 127.0.0.1:9477 or [::1]:9477"))
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    parse_address(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_told_its_node() {
        let told = |attributes: Option<&str>, name: Option<&str>| {
            node_of_pod(&|key| match key {
                "OTEL_RESOURCE_ATTRIBUTES" => attributes.map(str::to_owned),
                _ => name.map(str::to_owned),
            })
        };
        assert_eq!(told(Some("a=b,k8s.node.name=n-1"), Some("n-2")).as_deref(), Some("n-1"));
        assert_eq!(told(None, Some("n-2")).as_deref(), Some("n-2"));
        assert_eq!((told(Some("k8s.node.name="), None), told(None, None)), (None, None));
    }

    #[test]
    fn the_documented_defaults_are_the_defaults() {
        assert_eq!(Config::parse(DEFAULTS), Ok(Config::default()));
        // With every commented setting switched on it must parse too, or the file documents what does not exist.
        let all: String = DEFAULTS
            .lines()
            .map(|line| {
                let setting = |rest: &&str| rest.contains(" = ") || rest.starts_with("[[");
                line.strip_prefix("# ").filter(setting).unwrap_or(line).to_owned() + "\n"
            })
            .collect();
        let mut problems = Config::parse(&all).err().unwrap_or_default();
        problems.retain(|problem| !problem.message.contains("No such file")); // the key files of the example
        assert_eq!(problems, []);
    }

    #[test]
    fn what_a_reload_does_not_change_is_documented() {
        let head: String = DEFAULTS.lines().take_while(|line| line.starts_with('#')).collect();
        for (field, differs) in AT_START {
            assert!(
                head.contains(&format!("`{field}`")),
                "config/plumbline.toml does not say that {field} needs a start"
            );
            assert!(!differs(&Config::default(), &Config::default()));
        }
        let listed = head.matches('`').count() / 2;
        assert_eq!(listed, AT_START.len(), "it names others");
    }

    /// Every setting there is, each switched on.
    fn everything() -> Vec<String> {
        let setting = |rest: &&str| rest.contains(" = ") || rest.starts_with("[[");
        DEFAULTS.lines().map(|line| line.strip_prefix("# ").filter(setting).unwrap_or(line).to_owned()).collect()
    }

    /// What is computed of a configuration when it takes effect.
    fn take_effect(config: &Config) {
        for spec in &config.model {
            assert!(spec.step() > 0 && spec.steps() > 0, "{spec:?}");
            let now = jiff::Timestamp::UNIX_EPOCH;
            let progress = model::watch::Progress::default();
            let mut watch = model::watch::Watch::new(spec.clone(), config.models.metric_bins, progress, now);
            watch.judge(now, Duration::ZERO).expect("nothing to judge");
        }
        assert!(config.alerting.rules(&config.alert).iter().all(|rule| rule.problems().is_empty()));
    }

    /// Whatever stands in the place of a value: it is refused, or it takes effect; it never ends the agent.
    #[test]
    fn no_value_of_any_setting_is_too_much() {
        let hostile = [
            "\"2305843009213693952s\"",
            "\"584554530872y\"",
            "\"1ns\"",
            "\"0s\"",
            "\"18446744073709551615 B\"",
            "\"16 EiB\"",
            "\"0 B\"",
            "0",
            "1",
            "-1",
            "9223372036854775807",
            "-9223372036854775808",
            "1e308",
            "-1e308",
            "inf",
            "-inf",
            "nan",
            "1e-320",
            "\"\"",
            "\"\\u0000\"",
            "[]",
            "{}",
            "true",
            "1979-05-27",
        ];
        let lines = everything();
        let (mut tried, mut refused) = (0, 0);
        for (at, line) in lines.iter().enumerate() {
            let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) else { continue };
            for value in hostile {
                let mut text = lines.clone();
                text[at] = format!("{key} = {value}");
                tried += 1;
                match Config::parse(&text.join("\n")) {
                    Ok(config) => take_effect(&config),
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(tried > 1000 && refused > tried / 2, "{refused} of {tried}");
        let long = "[[model]]\nname = \"m\"\nwindow = \"2305843009213693952s\"\n";
        let problems = Config::parse(long).expect_err("it is refused");
        assert!(problems[0].line == 3 && problems[0].message.contains("3650d at most"), "{problems:?}");
    }

    #[test]
    fn every_error_is_told_with_its_line_field_and_nearest_name() {
        let text = r#"
[agent]
lisen = "127.0.0.1:1"
tick = "soon"
inner_tick = 5
listen = "here"

[collect]
disabled = ["dokcer", "podman", "cgrop"]
max_containers = 0

[exprot.otlp]
endpoint = "http://c:4317"
[exprot.more]
a = [
  1,
]

[export.otlp]
protocol = "grcp"
headers = { a = 1 }
nonsense_of_its_own = true
[history]
max_bytes = "many"
"#;
        let problems = Config::parse(text).expect_err("problems");
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        3: agent.lisen: unknown field `lisen`; did you mean `listen`?
        4: agent.tick: invalid value: string "soon", expected a duration such as "10s", "5m" or "30d", 3650d at most
        5: agent.inner_tick: invalid type: integer `5`, expected a duration such as "10s", "5m" or "30d", 3650d at most
        6: agent.listen: `here` is not an address with a port; write it as 127.0.0.1:9477 or [::1]:9477
        9: collect.disabled: unknown value `cgrop`; did you mean `cgroup`?
        9: collect.disabled: unknown value `dokcer`; did you mean `docker`?
        10: collect.max_containers: must be at least 1
        12: exprot: unknown field `exprot`; did you mean `export`?
        20: export.otlp.protocol: unknown value `grcp`; did you mean `grpc`?
        21: export.otlp.headers: expected a table of texts, as in { api-key = "..." }
        22: export.otlp.nonsense_of_its_own: unknown field `nonsense_of_its_own`; valid are endpoint, protocol, headers, compression, timeout, interval, queue_bytes, certificate, client_certificate, client_key
        24: history.max_bytes: invalid value: string "many", expected a size such as "512 MiB" or "1 GB", 1 PiB at most
        "#);
    }

    #[test]
    fn broken_toml_is_told_by_line_and_the_rest_is_still_read() {
        let problems = Config::parse("[agent]\nlisten = \n[collect]\nmax_container = 3\n").expect_err("problems");
        let shown: Vec<(usize, &str)> = problems.iter().map(|p| (p.line, p.field.as_str())).collect();
        assert_eq!(shown, [(2, ""), (4, "collect.max_container")], "{problems:?}");
    }

    #[test]
    fn a_list_is_no_table() {
        let problems =
            Config::parse("agent = [\"127.0.0.1:5\"]\n[[history]]\nretention = \"1d\"\n").expect_err("problems");
        let shown: Vec<(usize, &str)> = problems.iter().map(|p| (p.line, p.field.as_str())).collect();
        assert_eq!(shown, [(1, "agent"), (2, "history")], "{problems:?}");
    }

    #[test]
    fn contradictions_have_the_line_of_their_field() {
        let problems = Config::parse("[agent]\n\ntick = \"10s\"\ninner_tick = \"3s\"\n").expect_err("problems");
        assert_eq!((problems[0].line, problems[0].field.as_str()), (3, "agent.tick"));
    }

    /// Labels are waited for as long as their rows are kept, and no longer.
    #[test]
    fn a_label_horizon_beyond_the_retention_of_samples_is_refused() {
        let parse = |retention: &str, model: &str| {
            let text = format!("[samples]\nretention = \"{retention}\"\n[[model]]\nname = \"m\"\n{model}\n");
            Config::parse(&text).map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let refused = parse("30d", "label_horizon = \"40d\"").expect_err("refused").join("\n");
        insta::assert_snapshot!(refused, @"5: model.0.label_horizon: is 40 d, but samples.retention removes rows after 30 d, before their labels come; lower label_horizon, or raise samples.retention to it (model `m`)");
        // The default is 30 days.
        assert!(parse("7d", "").expect_err("refused")[0].contains("label_horizon"));
        for (retention, model) in
            [("40d", "label_horizon = \"40d\""), ("7d", "label_horizon = \"7d\""), ("7d", "window_rows = 100")]
        {
            assert!(parse(retention, model).is_ok(), "{retention}, {model}");
        }
    }

    #[test]
    fn the_data_folder_follows_the_system() {
        let env = |name: &str| (name == "HOME").then(|| "/home/u".to_owned());
        assert_eq!(default_data_folder(&env, true), PathBuf::from("/var/lib/plumbline"));
        assert_eq!(default_data_folder(&env, false), PathBuf::from("/home/u/.local/state/plumbline"));
        let env = |name: &str| (name == "STATE_DIRECTORY").then(|| "/run/s".to_owned());
        assert_eq!(default_data_folder(&env, true), PathBuf::from("/run/s"));
    }
}
