//! deploy/prometheus/alerts.yml, and the same for Prometheus' operator in Kubernetes: made of config/alerts.toml, and tried by promtool
//! with series that are planted and series that are healthy.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use libtest_mimic::Failed;
use plumbline::alert::defaults;
use plumbline::alert::rule::Rule;
use plumbline::export::prometheus;
use plumbline::metric::{Kind, Metric};

use crate::Test;
use crate::parts::{Part, check, command};

pub const TESTS: &[Test] = &[
    (&[], "rules::prometheus_has_the_rules_of_the_agent", prometheus_has_the_rules_of_the_agent),
    (&[Part::Prometheus], "rules::each_fires_when_it_should_and_else_not", each_fires_when_it_should),
];

fn deploy() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy"))
}

fn path() -> PathBuf {
    deploy().join("prometheus/alerts.yml")
}

fn label(key: &str) -> String {
    key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn duration(duration: Duration) -> String {
    humantime::format_duration(duration).to_string().replace(' ', "")
}

fn selector(metric: &Metric, rule: &Rule) -> String {
    let only: Vec<String> = rule.only.iter().map(|(key, value)| format!("{}=\"{value}\"", label(key))).collect();
    let name = prometheus::name(metric);
    if only.is_empty() { name } else { format!("{name}{{{}}}", only.join(", ")) }
}

/// Whether a rule's value is a share, which people read as percent.
fn is_share(metric: &Metric, rule: &Rule) -> bool {
    rule.per.is_some() || (metric.unit == "1" && metric.kind == Kind::Gauge)
}

fn expression(rule: &Rule) -> Result<String, Failed> {
    let metric = rule.metric().ok_or("a metric")?;
    let over = duration(rule.over.unwrap_or_default());
    let increase = |metric: &Metric| format!("increase({}[{over}])", selector(metric, rule));
    let value = match (metric.kind, rule.per()) {
        (Kind::Counter, Some(per)) => format!("{} / ({} > 0)", increase(metric), increase(per)),
        (Kind::Counter, None) => increase(metric),
        _ => selector(metric, rule),
    };
    Ok(match (rule.above, rule.below) {
        (Some(above), _) => format!("{value} > {above}"),
        (None, below) => format!("{value} < {}", below.ok_or("a threshold")?),
    })
}

fn summary(rule: &Rule) -> Result<String, Failed> {
    let metric = rule.metric().ok_or("a metric")?;
    let mut text = String::new();
    for part in rule.message.split('{') {
        let Some((key, rest)) = part.split_once('}') else {
            text += part;
            continue;
        };
        let form = if is_share(metric, rule) { "humanizePercentage" } else { "humanize" };
        match key.trim() {
            "value" => write!(text, "{{{{ $value | {form} }}}}")?,
            "threshold" => write!(text, "{}", rule.above.or(rule.below).unwrap_or_default())?,
            // As `alert::rule` names them.
            "container" => {
                text += "{{ if $labels.pod }}{{ $labels.namespace }}/{{ $labels.pod }}/{{ $labels.container }}{{ else }}{{ $labels.container_name }}{{ end }}";
            }
            "model" => text += "{{ with $labels.model_namespace }}{{ . }}/{{ end }}{{ $labels.model }}",
            key => write!(text, "{{{{ $labels.{} }}}}", label(key))?,
        }
        text += rest;
    }
    Ok(text.replace('\'', "''"))
}

fn page() -> Result<String, Failed> {
    let mut page = "# Made of config/alerts.toml (PLUMBLINE_BLESS=1 cargo test --test real -- rules), for those who want their alerts from\n\
                    # Prometheus alone (then set alerting.defaults = false). Prometheus has no clear level: keep_firing_for (2.42 or newer)\n\
                    # stands in for it.\n\
                    groups:\n- name: plumbline\n  rules:\n"
        .to_owned();
    for rule in defaults()? {
        writeln!(page, "  - alert: {}\n    expr: {}", rule.name, expression(&rule)?)?;
        for (key, value) in [("for", rule.hold), ("keep_firing_for", rule.keep_firing_for)] {
            if !value.is_zero() {
                writeln!(page, "    {key}: {}", duration(value))?;
            }
        }
        writeln!(page, "    labels: {{severity: {}}}", rule.severity.name())?;
        writeln!(page, "    annotations: {{summary: '{}'}}", summary(&rule)?)?;
    }
    Ok(page)
}

/// The page as an object of Prometheus' operator.
fn object(page: &str) -> String {
    let head = "# Made of config/alerts.toml, as deploy/prometheus/alerts.yml.\n\
                apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: plumbline\n  namespace: plumbline\n  \
                labels:\n    app.kubernetes.io/name: plumbline\nspec:\n";
    let groups = page.lines().filter(|line| !line.starts_with('#'));
    groups.fold(head.to_owned(), |text, line| text + "  " + line + "\n")
}

fn prometheus_has_the_rules_of_the_agent() -> Result<(), Failed> {
    let page = page()?;
    let files = [
        (path(), page.clone()),
        (deploy().join("helm/plumbline/files/alerts.yml"), page.clone()),
        (deploy().join("kubernetes/components/prometheus-rule/prometheus-rule.yaml"), object(&page)),
    ];
    for (path, text) in files {
        if std::env::var_os("PLUMBLINE_BLESS").is_some() {
            fs::write(&path, &text)?;
        }
        check(fs::read_to_string(&path)? == text, || {
            format!("{} is not what config/alerts.toml says", path.display())
        })?;
    }
    Ok(())
}

/// A series of the rule's metric: planted so that it must fire, or healthy.
fn series(rule: &Rule, planted: bool) -> Result<Vec<(String, String)>, Failed> {
    let metric = rule.metric().ok_or("a metric")?;
    let named = |metric: &Metric| selector(metric, rule);
    let above = rule.above.unwrap_or(f64::NEG_INFINITY);
    Ok(match (metric.kind, rule.per()) {
        (Kind::Counter, Some(per)) => {
            let part = if planted { "0+9x400" } else { "0+1x400" };
            vec![(named(metric), part.to_owned()), (named(per), "0+10x400".to_owned())]
        }
        (Kind::Counter, None) => {
            vec![(named(metric), if planted { "0+10x400" } else { "7+0x400" }.to_owned())]
        }
        _ => {
            let value = match (rule.below, planted) {
                (Some(below), true) => below - 0.25,
                (Some(below), false) => below + 0.25,
                (None, true) => above * 1.5,
                (None, false) => above * 0.5,
            };
            vec![(named(metric), format!("{value}+0x400"))]
        }
    })
}

fn each_fires_when_it_should() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let mut text = format!("rule_files: ['{}']\nevaluation_interval: 30s\ntests:\n", path().display());
    let rules = defaults()?;
    check(rules.len() >= 12, || "rules are missing".to_owned())?;
    for rule in &rules {
        for planted in [true, false] {
            writeln!(text, "- interval: 30s\n  input_series:")?;
            for (series, values) in series(rule, planted)? {
                writeln!(text, "  - series: '{series}'\n    values: '{values}'")?;
            }
            writeln!(
                text,
                "  promql_expr_test:\n  - expr: 'count(ALERTS{{alertname=\"{}\", alertstate=\"firing\"}})'\n    eval_time: 150m\n    exp_samples: {}",
                rule.name,
                if planted { "[{labels: '{}', value: 1}]" } else { "[]" }
            )?;
        }
    }
    let file = folder.path().join("tests.yml");
    fs::write(&file, text)?;
    command("promtool", &["test", "rules", &file.display().to_string()])?;
    Ok(())
}
