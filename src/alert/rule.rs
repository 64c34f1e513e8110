//! A rule: which series of which metric, beyond what, for how long.

#![warn(clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::catalogue;
use crate::metric::attribute::{CONTAINER_NAME, MODEL, MODEL_NAMESPACE, NAMESPACE, Named, Of, POD_CONTAINER, POD_NAME};
use crate::metric::{Kind, Metric};

/// How bad it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth a look soon.
    #[default]
    Warning,
    /// Worth a look now.
    Critical,
}

impl Severity {
    /// In a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// One rule. Each series of its metric has an alert of its own.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The alert's name.
    pub name: String,
    /// A metric of the catalogue, by its dotted name.
    pub metric: String,
    /// Attributes that a series must have.
    #[serde(default)]
    pub only: BTreeMap<String, String>,
    /// Divides by the increase of this counter over the same time.
    #[serde(default)]
    pub per: Option<String>,
    /// For counters: the increase over this time is what is compared.
    #[serde(default, deserialize_with = "crate::units::some_duration")]
    #[cfg_attr(test, schemars(with = "Option<String>", extend("x-kind" = "duration")))]
    pub over: Option<Duration>,
    /// Beyond it upwards the alert is pending.
    #[serde(default)]
    pub above: Option<f64>,
    /// Beyond it downwards the alert is pending.
    #[serde(default)]
    pub below: Option<f64>,
    /// Once it fires, the alert goes on until the value is back at this level; by default the threshold.
    #[serde(default)]
    pub clear: Option<f64>,
    /// How long it stays pending before it fires; by default not at all.
    #[serde(default, rename = "for", deserialize_with = "crate::units::duration_or_none")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "duration")))]
    pub hold: Duration,
    /// How long it goes on once the value has cleared; by default not at all.
    #[serde(default, deserialize_with = "crate::units::duration_or_none")]
    #[cfg_attr(test, schemars(with = "String", extend("x-kind" = "duration")))]
    pub keep_firing_for: Duration,
    /// How bad it is; by default `"warning"`.
    #[serde(default)]
    pub severity: Severity,
    /// For people; `{value}`, `{threshold}` and, in braces, attributes that its alerts carry are filled in.
    pub message: String,
    /// What to do then, in a sentence; the page shows it.
    #[serde(default)]
    pub action: Option<String>,
}

/// The longest name of a rule: it is a label everywhere.
const LONGEST_NAME: usize = 100;
/// The increase of a counter is followed for so long at most.
const LONGEST_OVER: Duration = Duration::from_secs(24 * 3600);

/// In a message: the container by its full name.
const CONTAINER: &str = "container";

/// `NAMESPACE/POD/CONTAINER` in Kubernetes, where many containers have one name; else the name that people gave it.
fn container(labels: &BTreeMap<String, String>) -> String {
    let label = |named: &Named| labels.get(named.key).map(String::as_str);
    match (label(&NAMESPACE), label(&POD_NAME), label(&POD_CONTAINER)) {
        (Some(namespace), Some(pod), Some(container)) => format!("{namespace}/{pod}/{container}"),
        _ => label(&CONTAINER_NAME).unwrap_or("unknown").to_owned(),
    }
}

/// A model with its namespace, where it has one.
fn model(labels: &BTreeMap<String, String>) -> String {
    let name = labels.get(MODEL.key).map_or("unknown", String::as_str);
    match labels.get(MODEL_NAMESPACE.key) {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    }
}

impl Rule {
    /// The catalogue's metric of that name.
    #[must_use]
    pub fn metric(&self) -> Option<&'static Metric> {
        find(&self.metric)
    }

    /// The catalogue's metric that it divides by.
    #[must_use]
    pub fn per(&self) -> Option<&'static Metric> {
        self.per.as_deref().and_then(find)
    }

    /// The threshold.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        self.above.or(self.below).unwrap_or(f64::INFINITY)
    }

    /// The value lies beyond the threshold.
    #[must_use]
    pub fn is_met(&self, value: f64) -> bool {
        self.above.is_some_and(|above| value > above) || self.below.is_some_and(|below| value < below)
    }

    /// The value is not back yet: what keeps an alert that fires.
    #[must_use]
    pub fn holds_on(&self, value: f64) -> bool {
        let clear = self.clear.unwrap_or(self.threshold());
        if self.above.is_some() { value > clear } else { value < clear }
    }

    /// The worse of two values.
    #[must_use]
    pub fn worse(&self, a: f64, b: f64) -> f64 {
        if self.above.is_some() { a.max(b) } else { a.min(b) }
    }

    /// What is wrong with it: the field and what.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if self.name.trim().is_empty() || self.name.len() > LONGEST_NAME {
            found.push(("name", format!("must have 1 to {LONGEST_NAME} bytes")));
        }
        for (field, name) in [("metric", Some(&self.metric)), ("per", self.per.as_ref())] {
            let Some(name) = name.filter(|name| find(name).is_none()) else { continue };
            found.push((field, format!("there is no metric `{name}`{}", nearest(name))));
        }
        let is_counter = |metric: Option<&Metric>| metric.is_some_and(|metric| metric.kind == Kind::Counter);
        match (is_counter(self.metric()), self.over) {
            (true, None) => {
                found.push(("over", "is missing: of a counter, the increase over this time is compared".to_owned()));
            }
            (false, Some(_)) if self.metric().is_some() => {
                found.push((
                    "over",
                    format!("is for counters; `{}` is not one: its value itself is compared", self.metric),
                ));
            }
            (_, Some(over)) if over > LONGEST_OVER => found.push(("over", "is too long; 1d at most".to_owned())),
            _ => {}
        }
        if self.per().is_some() && !(is_counter(self.per()) && is_counter(self.metric())) {
            found.push(("per", "needs two counters".to_owned()));
        }
        match (self.above, self.below) {
            (None, None) => found.push(("above", "is missing: give above or below".to_owned())),
            (Some(_), Some(_)) => found.push(("below", "cannot stand with above: give one of the two".to_owned())),
            _ => {}
        }
        for (field, value) in [("above", self.above), ("below", self.below), ("clear", self.clear)] {
            if value.is_some_and(|value| !value.is_finite()) {
                found.push((field, "must be a number".to_owned()));
            }
        }
        match (self.above, self.below, self.clear) {
            (Some(above), None, Some(clear)) if clear > above => {
                found.push(("clear", "must be no higher than above".to_owned()));
            }
            (None, Some(below), Some(clear)) if clear < below => {
                found.push(("clear", "must be no lower than below".to_owned()));
            }
            _ => {}
        }
        if let Some(metric) = self.metric() {
            let has =
                |key: &str| metric.attributes.contains(&key) || catalogue::subject(metric).any(|own| own.has(key));
            for key in self.only.keys().filter(|key| !has(key)) {
                let own = metric.attributes.iter().map(|key| (*key).into());
                let all = own.chain(catalogue::subject(metric).map(Named::shown)).collect::<Vec<_>>().join(", ");
                found.push((
                    "only",
                    format!("no series of `{}` has an attribute `{key}`; there are {all}", metric.name),
                ));
            }
            let carried = self.carried(metric);
            for part in parts(&self.message).unwrap_or_default() {
                if let Part::Value(key) = part
                    && !carried.contains(&key)
                {
                    let (name, all) = (metric.name, carried.join(", "));
                    found.push(("message", format!("no alert on `{name}` carries `{{{key}}}`; it may name {all}")));
                }
            }
        }
        if parts(&self.message).is_none() {
            found.push(("message", "has an unmatched brace".to_owned()));
        }
        found
    }

    /// What the message may name: the figures, what says whom the alert is about, and what the rule chooses by.
    fn carried<'a>(&'a self, metric: &'static Metric) -> Vec<&'a str> {
        let subject = catalogue::subject(metric).filter(|named| named.identity).map(|named| named.key);
        let named = catalogue::subject(metric).any(|named| named.of == Of::Container).then_some(CONTAINER);
        let chosen = self.only.keys().map(String::as_str);
        let mut keys: Vec<&str> = ["value", "threshold"].into_iter().chain(metric.attributes.iter().copied()).collect();
        for key in named.into_iter().chain(subject).chain(chosen) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    /// The message with its values.
    #[must_use]
    pub fn message(&self, value: f64, labels: &BTreeMap<String, String>) -> String {
        let fill = |part: Part<'_>| match part {
            Part::Text(text) => text.to_owned(),
            Part::Value("value") => self.shown(value),
            Part::Value("threshold") => self.shown(self.threshold()),
            Part::Value(CONTAINER) => container(labels),
            Part::Value(key) if key == MODEL.key => model(labels),
            // What every series of the rule has goes without saying among the labels.
            Part::Value(key) => {
                labels.get(key).or_else(|| self.only.get(key)).map_or("unknown", String::as_str).to_owned()
            }
        };
        parts(&self.message).map_or_else(|| self.message.clone(), |parts| parts.into_iter().map(fill).collect())
    }

    /// A value of the metric as people write it.
    fn shown(&self, value: f64) -> String {
        shown(self.metric(), self.per.is_some(), value)
    }
}

/// A value of a metric as people write it; `per` another it is a share.
#[must_use]
pub fn shown(metric: Option<&Metric>, per: bool, value: f64) -> String {
    let is_share = per || metric.is_some_and(|m| m.unit == "1" && m.kind == Kind::Gauge);
    match metric.map(|metric| metric.unit) {
        _ if is_share => format!("{:.1} %", value * 100.0),
        Some("By") => crate::units::bytes(value),
        Some("{cpu}") => crate::units::cores(value),
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

fn find(name: &str) -> Option<&'static Metric> {
    catalogue::named(name)
}

fn nearest(name: &str) -> String {
    let likeness = |metric: &Metric| strsim::jaro_winkler(metric.name, name);
    let best = catalogue::all().map(|metric| (likeness(metric), metric.name)).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness > 0.8)
        .map_or_else(|| "; REFERENCE.md lists all".to_owned(), |(_, name)| format!("; did you mean `{name}`?"))
}

#[derive(Debug, PartialEq)]
enum Part<'a> {
    Text(&'a str),
    Value(&'a str),
}

/// A message's texts and the names in its braces. `None` where a brace stands alone.
fn parts(message: &str) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let mut rest = message;
    while let Some(open) = rest.find(['{', '}']) {
        parts.push(Part::Text(&rest[..open]));
        let inside = rest[open..].strip_prefix('{')?;
        let close = inside.find(['{', '}'])?;
        parts.push(Part::Value(inside[..close].trim()));
        rest = inside[close..].strip_prefix('}')?;
    }
    parts.push(Part::Text(rest));
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn rule(text: &str) -> Rule {
        toml::from_str(&format!("name = \"R\"\nmessage = \"m\"\n{text}")).expect("a rule")
    }

    #[test]
    fn what_is_wrong_is_told_by_field() {
        let fields = |text: &str| rule(text).problems().into_iter().map(|(field, _)| field).collect::<Vec<_>>();
        assert_eq!(fields("metric = \"plumbline.model.drift\"\nabove = 0.5"), [""; 0]);
        assert_eq!(fields("metric = \"plumbline.model.drft\"\nabove = 0.5"), ["metric"]);
        assert_eq!(fields("metric = \"plumbline.model.drift\""), ["above"]);
        assert_eq!(fields("metric = \"plumbline.model.drift\"\nabove = 1\nbelow = 1"), ["below"]);
        assert_eq!(fields("metric = \"container.cpu.time\"\nabove = 1"), ["over"]);
        assert_eq!(fields("metric = \"container.cpu.usage\"\nabove = 1\nover = \"5m\""), ["over"]);
        assert_eq!(fields("metric = \"container.cpu.usage\"\nabove = 1\nclear = 2"), ["clear"]);
        assert_eq!(fields("metric = \"container.cpu.usage\"\nbelow = 1\nclear = 0.5"), ["clear"]);
        let problem = rule("metric = \"container.cpu.usge\"\nabove = 1").problems().remove(0).1;
        assert!(problem.contains("did you mean `container.cpu.usage`"), "{problem}");
        let broken = Rule { message: "a } b".to_owned(), ..rule("metric = \"container.cpu.usage\"\nabove = 1") };
        assert_eq!(broken.problems()[0].0, "message");
    }

    #[test]
    fn messages_say_values_as_people_write_them() {
        let labels = [("container.name".to_owned(), "web".to_owned())].into();
        let message = |metric: &str, value| {
            let rule = rule(&format!("metric = \"{metric}\"\nabove = 0.5"));
            Rule { message: "{container.name}: {value} ({ threshold }, {other})".to_owned(), ..rule }
                .message(value, &labels)
        };
        let in_pod = [
            ("k8s.namespace.name", "shop"),
            ("k8s.pod.name", "web-0"),
            ("k8s.container.name", "app"),
            ("container.name", "app"),
        ];
        let in_pod = in_pod.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        assert_eq!((container(&in_pod), container(&labels)), ("shop/web-0/app".to_owned(), "web".to_owned()));
        let of = [("model".to_owned(), "m".to_owned()), ("model.namespace".to_owned(), "ml".to_owned())].into();
        assert_eq!(model(&of), "ml/m");
        assert_eq!(message("container.cpu.usage", 0.75), "web: 0.75 cores (0.5 cores, unknown)");
        assert_eq!(message("container.memory.usage", 1024.0), "web: 1.0 KiB (0 B, unknown)");
        assert_eq!(message("plumbline.model.performance.drop", 0.183), "web: 18.3 % (50.0 %, unknown)");
    }

    #[test]
    fn every_bound_of_a_rule_is_held() {
        let problems = |rule: Rule| rule.problems().into_iter().map(|(field, _)| field).collect::<Vec<_>>();
        let usage = || rule("metric = \"container.cpu.usage\"\nabove = 1");
        let named = |name: &str| problems(Rule { name: name.to_owned(), ..usage() });
        assert_eq!(
            (named(" "), named(&"n".repeat(101)), named(&"n".repeat(100))),
            (vec!["name"], vec!["name"], vec![])
        );
        let time =
            |over: &str| problems(rule(&format!("metric = \"container.cpu.time\"\nabove = 1\nover = \"{over}\"")));
        assert_eq!((time("24h"), time("86401s")), (vec![], vec!["over"]));
        let per = |metric: &str, per: &str| {
            let over = if metric == "container.cpu.time" { "\nover = \"5m\"" } else { "" };
            problems(rule(&format!("metric = \"{metric}\"\nper = \"{per}\"\nabove = 1{over}")))
        };
        assert_eq!(per("container.cpu.time", "container.cpu.time"), [""; 0]);
        assert_eq!(per("container.cpu.time", "container.cpu.usage"), ["per"]);
        assert_eq!(per("container.cpu.usage", "container.cpu.time"), ["per"]);
        assert_eq!(per("container.cpu.time", "container.cpu.tme"), ["per"]);
        assert_eq!(problems(Rule { above: Some(f64::NAN), ..usage() }), ["above"]);
        assert_eq!(problems(Rule { clear: Some(1.0), ..usage() }), [""; 0]);
        assert_eq!(problems(Rule { above: None, below: Some(1.0), clear: Some(1.0), ..usage() }), [""; 0]);
        // Far from every name nothing is proposed.
        let (_, text) = rule("metric = \"zzz\"\nabove = 1").problems().remove(0);
        assert_eq!(text, "there is no metric `zzz`; REFERENCE.md lists all");
    }

    #[test]
    fn attributes_that_no_series_has_and_no_alert_carries_are_told() {
        let only = |key: &str| Rule {
            only: [(key.to_owned(), "x".to_owned())].into(),
            ..rule("metric = \"container.cpu.time\"\nabove = 1\nover = \"5m\"")
        };
        let says = |key: &str| Rule { message: format!("{{{key}}}"), only: BTreeMap::new(), ..only("") };
        for key in ["cpu.mode", "container.name", "container.label.team"] {
            assert_eq!(only(key).problems(), [], "{key}");
        }
        assert_eq!(
            only("hw.id").problems()[0].1,
            "no series of `container.cpu.time` has an attribute `hw.id`; there are cpu.mode, container.id, container.name, \
             container.image.name, k8s.namespace.name, k8s.pod.name, k8s.pod.uid, k8s.container.name, k8s.deployment.name, \
             k8s.statefulset.name, k8s.daemonset.name, k8s.replicaset.name, k8s.job.name, k8s.cronjob.name, \
             plumbline.workload.kind, plumbline.workload.name, container.image.tags, container.image.repo_digests, \
             container.runtime.name, container.label.<key>, k8s.pod.label.<key>"
        );
        // An alert outlives a container: it carries its name, but no id, and an image only where the rule chooses by it.
        for key in ["container.id", "container.image.name", "k8s.pod.uid", "container.label.team", "hw.name"] {
            let told = "; it may name value, threshold, cpu.mode, container, container.name, k8s.namespace.name, k8s.pod.name, \
                        k8s.container.name, k8s.deployment.name, k8s.statefulset.name, k8s.daemonset.name, k8s.replicaset.name, \
                        k8s.job.name, k8s.cronjob.name, plumbline.workload.kind, plumbline.workload.name";
            let problem = format!("no alert on `container.cpu.time` carries `{{{key}}}`{told}");
            assert_eq!(says(key).problems(), [("message", problem)]);
        }
        for key in ["container.image.name", "container.label.team"] {
            assert_eq!(Rule { message: format!("{{{key}}}"), ..only(key) }.problems(), [], "{key}");
        }
        let fields = |rule: Rule| rule.problems().into_iter().map(|(field, _)| field).collect::<Vec<_>>();
        assert_eq!((fields(only("model")), fields(says("model"))), (vec!["only"], vec!["message"]));
        assert_eq!((fields(says("cpu.mode")), fields(says("value"))), (vec![], vec![]));
        // Of a metric that is not there nothing more is told.
        assert_eq!(fields(Rule { metric: "none".to_owned(), over: None, ..only("model") }), ["metric"]);
    }

    #[test]
    fn a_rule_is_met_beyond_its_threshold_and_holds_on_to_its_clear_level() {
        let above = rule("metric = \"container.cpu.usage\"\nabove = 2\nclear = 1");
        let below = rule("metric = \"container.cpu.usage\"\nbelow = 1\nclear = 2");
        let [up, down] = [&above, &below].map(|rule| [1.0, 1.5, 2.0, 2.5].map(|value| rule.is_met(value)));
        assert_eq!((up, down), ([false, false, false, true], [false; 4]));
        assert!(below.is_met(0.5));
        let [up, down] = [&above, &below].map(|rule| [1.0, 1.5, 2.0, 2.5].map(|value| rule.holds_on(value)));
        assert_eq!((up, down), ([false, true, true, true], [true, true, false, false]));
        assert_eq!((above.worse(1.0, 2.0), below.worse(1.0, 2.0)), (2.0, 1.0));
    }

    #[test]
    fn shares_and_counts_are_told_apart() {
        let shown =
            |text: &str, value| Rule { message: "{value}".to_owned(), ..rule(text) }.message(value, &BTreeMap::new());
        let throttled = "metric = \"plumbline.container.cpu.throttled.periods\"\nabove = 0.25\nover = \"5m\"";
        assert_eq!(shown(throttled, 3.0), "3");
        assert_eq!(shown(throttled, 2.346), "2.35");
        assert_eq!(shown(&format!("{throttled}\nper = \"plumbline.container.cpu.periods\""), 0.25), "25.0 %");
        assert_eq!(shown("metric = \"plumbline.model.drift\"\nabove = 0.5", 1.0), "1", "yes or no is no share");
    }
}
