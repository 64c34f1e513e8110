//! Points as Prometheus text (exposition format 0.0.4). Pure.
//!
//! Names are spelled by OpenTelemetry's rule, as a collector would: dots to underscores, the unit and `_total` behind.
//! A subject's other attributes stand in `target_info`, as resource attributes do there.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::sync::Arc;

use serde::Deserialize;

use crate::metric::{Attribute, Kind, Metric, Number, Point, Subject};

/// Options of `/metrics`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether models' figures stand there once more under TrustyAI's names, and as which of its services defines them.
    pub trustyai: TrustyAi,
}

/// Whose names `trustyai_*` follow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum TrustyAi {
    /// There are none.
    #[default]
    Off,
    /// Those of the service in Java.
    Java,
    /// Those of the service in Python.
    Python,
}

/// The content type of [`encode`]'s text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The points as text, each metric once with its help and type, series in the order of the points.
/// `node` are the attributes of the node itself, for `target_info`.
#[must_use]
pub fn encode(points: &[Point], node: &[(String, String)]) -> String {
    let mut families: BTreeMap<&str, (&'static Metric, Vec<&Point>)> = BTreeMap::new();
    let mut subjects: Vec<&Arc<Subject>> = Vec::new();
    for point in points.iter().filter(|point| point.value.is_some()) {
        families.entry(point.metric.name).or_insert_with(|| (point.metric, Vec::new())).1.push(point);
        // A subject's points stand together, so looking at the last one is enough to meet each once.
        if subjects.last().is_none_or(|last| !Arc::ptr_eq(last, &point.subject)) && !point.subject.is_node() {
            subjects.push(&point.subject);
        }
    }
    let mut text = String::with_capacity(points.len() * 160);
    encode_info(&subjects, node, &mut text);
    for (metric, points) in families.values() {
        let name = name(metric);
        let kind = if metric.kind == Kind::Counter { "counter" } else { "gauge" };
        let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", escape_help(metric.help));
        for point in points {
            encode_point(&name, point, &mut text);
        }
    }
    text
}

fn encode_point(name: &str, point: &Point, text: &mut String) {
    text.push_str(name);
    let mut labels = Labels::new(text);
    for attribute in point.subject.attributes.iter().filter(|attribute| attribute.named.is_label()) {
        labels.add(&attribute.key, &attribute.value);
        if let Some(short) = attribute.named.short() {
            labels.add(short, &attribute.value);
        }
    }
    for (key, value) in &point.attributes {
        labels.add(key, value);
    }
    labels.end();
    let _ = match point.value {
        Some(Number::Int(value)) => writeln!(text, " {value}"),
        Some(Number::Float(value)) => writeln!(text, " {value}"),
        None => writeln!(text, " NaN"),
    };
}

/// One `target_info` for the node and one for each subject that has attributes which are no labels.
fn encode_info(subjects: &[&Arc<Subject>], node: &[(String, String)], text: &mut String) {
    text.push_str("# HELP target_info Attributes of the node and of each container.\n# TYPE target_info gauge\n");
    text.push_str("target_info");
    let mut labels = Labels::new(text);
    for (key, value) in node {
        labels.add(key, value);
    }
    labels.end();
    text.push_str(" 1\n");
    let mut seen: HashSet<&Subject> = HashSet::new();
    for subject in subjects {
        if subject.attributes.iter().all(|attribute| attribute.named.is_label()) || !seen.insert(subject) {
            continue;
        }
        text.push_str("target_info");
        let mut labels = Labels::new(text);
        for Attribute { key, value, .. } in &subject.attributes {
            labels.add(key, value);
        }
        labels.end();
        text.push_str(" 1\n");
    }
}

/// Writes `{a="b",...}`; two keys that are spelled alike (`a.b` and `a_b`) keep the first, as a series may not have a
/// label twice.
struct Labels<'a> {
    text: &'a mut String,
    names: Vec<String>,
}

impl<'a> Labels<'a> {
    fn new(text: &'a mut String) -> Self {
        Self { text, names: Vec::new() }
    }

    fn add(&mut self, key: &str, value: &str) {
        let name = label_name(key);
        if self.names.contains(&name) {
            return;
        }
        self.text.push(if self.names.is_empty() { '{' } else { ',' });
        let _ = write!(self.text, "{name}=\"{}\"", escape_label(value));
        self.names.push(name);
    }

    fn end(self) {
        if !self.names.is_empty() {
            self.text.push('}');
        }
    }
}

/// A metric's name in Prometheus' spelling.
#[must_use]
pub fn name(metric: &Metric) -> String {
    let mut name = metric.name.replace('.', "_");
    let unit = match metric.unit {
        "s" => "_seconds",
        "By" => "_bytes",
        "W" => "_watts",
        "J" => "_joules",
        "Cel" => "_celsius",
        "1" if metric.kind == Kind::Gauge => "_ratio",
        // `{thing}` only annotates; a bare 1 has no suffix on sums.
        _ => "",
    };
    if !name.ends_with(unit) {
        name.push_str(unit);
    }
    if metric.kind == Kind::Counter && !name.ends_with("_total") {
        name.push_str("_total");
    }
    name
}

pub(super) fn label_name(key: &str) -> String {
    let mut name: String = key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    // Two underscores in front are Prometheus' own; a digit may not stand first.
    if name.starts_with(|c: char| c.is_ascii_digit()) || name.starts_with("__") || name.is_empty() {
        name.insert_str(0, "key_");
    }
    name
}

fn escape_label(value: &str) -> Cow<'_, str> {
    escape(value, &['\\', '"', '\n'])
}

fn escape_help(value: &str) -> Cow<'_, str> {
    escape(value, &['\\', '\n'])
}

fn escape<'a>(value: &'a str, special: &[char]) -> Cow<'a, str> {
    if !value.contains(special) {
        return Cow::Borrowed(value);
    }
    let mut escaped = String::with_capacity(value.len() + 8);
    for c in value.chars() {
        if special.contains(&c) {
            escaped.push('\\');
        }
        escaped.push(if c == '\n' { 'n' } else { c });
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::catalogue;
    use crate::metric::attribute::{CONTAINER_NAME, IMAGE_TAGS, POD_NAME};

    fn subject(name: &str) -> Arc<Subject> {
        let said = [(&CONTAINER_NAME, name), (&POD_NAME, "pod-1"), (&IMAGE_TAGS, "v1")];
        Arc::new(Subject { attributes: said.map(|(named, value)| Attribute::new(named, value)).into() })
    }

    fn metric(name: &str) -> &'static Metric {
        catalogue::named(name).expect("a metric")
    }

    #[test]
    fn the_text_is_as_prometheus_wants_it() {
        let subject = subject("we\"b\\\n");
        let at = Timestamp::UNIX_EPOCH;
        let points = [
            Point::new(
                metric("container.cpu.time"),
                &subject,
                vec![("cpu.mode", "user".into())],
                Number::Float(1.5),
                None,
                at,
            ),
            Point::new(metric("container.cpu.usage"), &subject, vec![], Number::Float(0.5), None, at),
            Point::new(metric("container.cpu.usage"), &subject, vec![], Number::Float(f64::NAN), None, at),
        ];
        insta::assert_snapshot!(encode(&points, &[("host.name".to_owned(), "node-1".to_owned())]), @r#"
        # HELP target_info Attributes of the node and of each container.
        # TYPE target_info gauge
        target_info{host_name="node-1"} 1
        target_info{container_name="we\"b\\\n",k8s_pod_name="pod-1",container_image_tags="v1"} 1
        # HELP container_cpu_time_seconds_total CPU time used, by mode (user, system).
        # TYPE container_cpu_time_seconds_total counter
        container_cpu_time_seconds_total{container_name="we\"b\\\n",k8s_pod_name="pod-1",pod="pod-1",cpu_mode="user"} 1.5
        # HELP container_cpu_usage CPU used over the last full tick, in cores.
        # TYPE container_cpu_usage gauge
        container_cpu_usage{container_name="we\"b\\\n",k8s_pod_name="pod-1",pod="pod-1"} 0.5
        "#);
    }

    #[test]
    fn no_two_metrics_are_spelled_alike() {
        let mut names: Vec<String> = catalogue::all().map(name).collect();
        names.sort();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(names.contains(&"container_memory_usage_bytes".to_owned()));
        assert!(names.contains(&"plumbline_collector_up".to_owned()));
        assert!(names.contains(&"plumbline_collector_staleness_seconds".to_owned()));
    }

    proptest! {
        #[test]
        fn any_label_stays_on_its_line(key in "\\PC{0,12}", value in "\\PC{0,12}|\n\"\\\\") {
            let mut text = String::new();
            let mut labels = Labels::new(&mut text);
            labels.add(&key, &value);
            labels.add(&key, "again");
            labels.end();
            prop_assert!(!text.contains('\n'));
            prop_assert!(!text.contains("again"));
            let name = label_name(&key);
            prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
            prop_assert!(!name.starts_with("__") && !name.as_bytes()[0].is_ascii_digit());
        }
    }
}
