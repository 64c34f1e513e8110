//! The page of alerts: what fires and is pending now, what fired when by rule, and each alert that is over.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maud::{Markup, html};

use super::attention::target;
use super::range::Range;
use super::{View, breakable, section as whole, since, unknown, wide};
use crate::alert::rule::{Severity, shown};
use crate::alert::view::{Alert, AlertState, RuleView};
use crate::catalogue;
use crate::chart::ribbons::{Ribbon, Span, Tone, ribbons};
use crate::metric::attribute::{CONTAINER_NAME, GPU_NAME, MODEL};
use crate::snapshot::relations::Thing;
use crate::units::span;

/// Of those that are over, so many are listed.
const MOST: usize = 200;

pub fn sections(view: &View, range: Range) -> Markup {
    html! {
        (now(view))
        (whole("history", "What fired when", &history(view, range)))
        (whole("over", "Over", &over(view, range)))
        (whole("rules", "Rules", &rules(view)))
    }
}

fn now(view: &View) -> Markup {
    let alerts = &view.snapshot.alerts;
    let firing = alerts.firing().count();
    let pending = alerts.alerts.len() - firing;
    let body = html! {
        p.lead {
            @if firing == 0 { "None fires" } @else { strong { (firing) @if firing == 1 { " fires ⚠" } @else { " fire ⚠" } } }
            @if pending > 0 { ", " (pending) @if pending == 1 { " is" } @else { " are" } " pending: met, though not for long enough." } @else { ", none is pending." }
        }
        (active(view))
        @if alerts.left_out > 0 { p.empty { (alerts.left_out) " more are not followed: alerting.max_alerts is reached." } }
        p { small { "Whom to tell, and for how long to be silent, says who receives them: " code { "[export.alertmanager]" } " or the OpenTelemetry collector. "
            a href="/api/v1/alerts" { "As JSON" } } }
    };
    whole("now", "Firing and pending", &body)
}

/// Those that fire or are pending.
pub fn active(view: &View) -> Markup {
    let alerts = &view.snapshot.alerts;
    html! {
        @if alerts.alerts.is_empty() {
            p.empty { "No alert is firing or pending; " (alerts.rules.len()) " rules are active." }
        } @else {
            (wide("Firing and pending", &html! { table.cards {
                thead { tr {
                    th scope="col" { "Alert" } th scope="col" { "State" } th scope="col" { "What" } th scope="col" { "Value, limit" }
                    th scope="col" { "Since" } th scope="col" { "What to do" }
                } }
                tbody { @for (about, alert) in view.snapshot.alerts() { tr {
                    @let rule = rule(view, alert);
                    th scope="row" { (words_of(&alert.name)) br; small { (name(view, about, alert)) } }
                    td data-name="State" { (state(alert)) }
                    td.told data-name="What" { (alert.message) }
                    td.number data-name="Value, limit" { (figures(rule, alert, Some(alert.value))) }
                    td.number data-name="Since" { (since(view.now, alert.fired.unwrap_or(alert.since))) }
                    td.told data-name="What to do" { (to_do(rule)) }
                } } }
            } }))
        }
    }
}

/// A rule's name, which may be broken before each of its words.
fn words_of(name: &str) -> Markup {
    let begins: Vec<usize> =
        name.char_indices().filter(|(at, c)| *at > 0 && c.is_uppercase()).map(|(at, _)| at).collect();
    let ends = begins.iter().copied().chain([name.len()]);
    let parts = std::iter::once(0).chain(begins.iter().copied()).zip(ends);
    html! { @for (from, to) in parts { @if from > 0 { wbr; } (&name[from..to]) } }
}

/// The rule that it is of, where that is still in force.
fn rule<'a>(view: &'a View, alert: &Alert) -> Option<&'a RuleView> {
    view.snapshot.alerts.rules.iter().find(|rule| rule.name == alert.name)
}

fn state(alert: &Alert) -> Markup {
    let severity = alert.severity.name();
    match (alert.state, alert.severity) {
        (AlertState::Firing, Severity::Critical) => html! { span.pill.bad { "⚠ firing, " (severity) } },
        (AlertState::Firing, Severity::Warning) => html! { span.pill.warn { "⚠ firing, " (severity) } },
        (state, _) => html! { span.pill { (state.name()) ", " (severity) } },
    }
}

fn to_do(rule: Option<&RuleView>) -> Markup {
    let action = rule.and_then(|rule| rule.action.as_ref());
    html! {
        @if let Some(action) = action { (action) } @else { span.unknown title="a rule's action says it" { "–" } }
    }
}

/// The value and what it was held against; of what is so or is not so the word alone.
fn figures(rule: Option<&RuleView>, alert: &Alert, value: Option<f64>) -> Markup {
    let Some(value) = value else { return unknown("unknown") };
    let is_flag =
        (alert.threshold - 0.5).abs() < 1e-9 && (value - value.round()).abs() < 1e-9 && (0.0..=1.0).contains(&value);
    if is_flag {
        return html! { span.unknown title="what the rule asks for is so, or is not so: there is no figure" { "–" } };
    }
    let metric = catalogue::named(&alert.metric);
    let of = |value| shown(metric, rule.is_some_and(|rule| rule.is_share), value);
    html! { (of(value)) ", " (of(alert.threshold)) }
}

/// What an alert is about, with the way to it where it is still there.
fn name(view: &View, about: Thing, alert: &Alert) -> Markup {
    let snapshot = &view.snapshot;
    let said = || {
        let label = [&MODEL, &GPU_NAME, &CONTAINER_NAME].into_iter().find_map(|named| alert.labels.get(named.key));
        label.map_or("the node", String::as_str)
    };
    let text = match about {
        Thing::Model(place) => snapshot.models.models.get(place).map(|model| model.key.to_string()),
        Thing::Gpu(place) => snapshot.gpus.get(place).map(|gpu| format!("GPU {}", gpu.index)),
        Thing::Container(place) => snapshot.containers.get(place).map(|c| match &c.workload {
            Some(workload) => workload.to.to_string(),
            None => c.name.clone(),
        }),
        Thing::Agent => Some("the agent".to_owned()),
        Thing::Node => None,
    };
    html! {
        @if let Some(text) = text { a href=(target(view, about)) { (breakable(&text)) } } @else { (said()) }
    }
}

/// When an alert fired first, and until when it did: until now, where it is not over.
fn fired(view: &View, alert: &Alert) -> Option<(Timestamp, Timestamp)> {
    Some((alert.fired?, alert.resolved.unwrap_or(view.now)))
}

/// Those that fired within the time, those that still do among them.
fn within(view: &View, range: Range) -> impl Iterator<Item = (&Alert, Timestamp, Timestamp)> {
    let begin = range.since(view.now);
    let alerts = &view.snapshot.alerts;
    let all = alerts.firing().chain(&alerts.resolved);
    all.filter_map(move |alert| fired(view, alert).map(|(from, to)| (alert, from, to)))
        .filter(move |(_, _, to)| *to >= begin)
}

fn history(view: &View, range: Range) -> Markup {
    let mut by_rule: BTreeMap<&str, (Severity, Vec<Span>)> = BTreeMap::new();
    for (alert, from, to) in within(view, range) {
        let tone = match alert.severity {
            Severity::Critical => Tone::Alarm,
            Severity::Warning => Tone::Idle,
            Severity::Info => Tone::Rest,
        };
        let (severity, spans) = by_rule.entry(&alert.name).or_insert((alert.severity, Vec::new()));
        *severity = alert.severity.max(*severity);
        spans.push(Span { from, to, tone, text: alert.message.clone() });
    }
    let mut rows: Vec<(Severity, Ribbon)> = by_rule
        .into_iter()
        .map(|(name, (severity, spans))| {
            let times = if spans.len() == 1 { "once".to_owned() } else { format!("{} times", spans.len()) };
            (severity, Ribbon { name: name.to_owned(), note: times, spans })
        })
        .collect();
    rows.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.name.cmp(&b.1.name)));
    let words: Vec<String> = rows.iter().map(|(_, row)| format!("{} {}", row.name, row.note)).collect();
    let rows: Vec<Ribbon> = rows.into_iter().map(|(_, row)| row).collect();
    html! {
        (range.links(super::ALERTS))
        @if rows.is_empty() {
            p.empty { "Nothing fired in this time." }
        } @else {
            p.key {
                @for (tone, text) in [(Tone::Alarm, "critical"), (Tone::Idle, "warning"), (Tone::Rest, "info")] {
                    span.level { span class={ "swatch " (tone.class()) } {} (text) } " "
                }
            }
            (ribbons(&rows, range.since(view.now), view.now, &format!("what fired when, by rule: {}", words.join(", "))))
        }
    }
}

fn over(view: &View, range: Range) -> Markup {
    let alerts = &view.snapshot.alerts;
    let all: Vec<_> = within(view, range).filter(|(alert, ..)| alert.state == AlertState::Resolved).collect();
    html! {
        @if all.is_empty() {
            p.empty { "No alert was over in this time. Alerts are kept for two weeks after they are over, over restarts too." }
        } @else {
            (wide("Alerts that are over", &html! { table.cards.sortable {
                thead { tr {
                    th scope="col" { "Alert" } th scope="col" { "Severity" } th scope="col" { "What" } th scope="col" { "At worst, limit" }
                    th scope="col" { "Fired" } th scope="col" { "For" }
                } }
                tbody { @for (alert, from, to) in all.iter().take(MOST) { tr {
                    th scope="row" { (words_of(&alert.name)) br; small { (name(view, view.snapshot.about(alert), alert)) } }
                    td data-name="Severity" { (alert.severity.name()) }
                    td.told data-name="What" { (alert.message) }
                    td.number data-name="At worst" { (figures(rule(view, alert), alert, alert.worst)) }
                    td.number data-name="Fired" data-sort=(from.as_second()) { (since(view.now, *from)) " ago" }
                    td.number data-name="For" data-sort=(to.duration_since(*from).as_secs()) { (span(to.duration_since(*from))) }
                } } }
            } }))
            @if all.len() > MOST { p.empty { (all.len() - MOST) " older ones are in " a href="/api/v1/alerts" { "the JSON" } "." } }
        }
        @if alerts.resolved_left_out > 0 {
            p.empty { (alerts.resolved_left_out) " older ones of the last two weeks were let go: the newest 1000 are kept." }
        }
    }
}

/// The rules in force.
pub fn rules(view: &View) -> Markup {
    let rules = &view.snapshot.alerts.rules;
    html! {
        details #alerts-rules {
            summary { "Rules (" (rules.len()) ")" }
            (wide("Rules", &html! { table.cards {
                thead { tr {
                    th scope="col" { "Rule" } th scope="col" { "Metric" } th scope="col" { "Condition" } th scope="col" { "Severity" }
                    th scope="col" { "What to do" }
                } }
                tbody { @for rule in rules { tr {
                    th scope="row" { (words_of(&rule.name)) } td data-name="Metric" { code { (rule.metric) } } td data-name="Condition" { (rule.condition) }
                    td data-name="Severity" { (rule.severity.name()) } td.told data-name="What to do" { (to_do(Some(rule))) }
                } } }
            } }))
            p { small { "Rules are in the configuration file: " code { "[[alert]]" } "; one of the same name takes the place of one that comes with plumbline." } }
        }
    }
}
