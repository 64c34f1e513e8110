//! Alerts: what fires, what is pending, what was over last, and the rules.

use maud::{Markup, html};

use super::{Known, section as whole, since, wide};
use crate::alert::view::{Alert, AlertState};

/// Of those that are over, so many are shown.
const OVER: usize = 20;

pub fn section(known: &Known) -> Markup {
    let view = &known.snapshot.alerts;
    let table = |alerts: &[&Alert], caption: &str| {
        wide(
            caption,
            &html! {
                table {
                    caption { (caption) }
                    thead { tr {
                        th scope="col" { "Alert" } th scope="col" { "State" } th scope="col" { "What" } th scope="col" { "Whom" }
                        th scope="col" { "Since" }
                    } }
                    tbody { @for alert in alerts { (row(known, alert)) } }
                }
            },
        )
    };
    let active: Vec<&Alert> = view.alerts.iter().collect();
    let over: Vec<&Alert> = view.resolved.iter().take(OVER).collect();
    let body = html! {
        @if active.is_empty() {
            p.empty { "Nothing fires and nothing is pending. " (view.rules.len()) " rules are watched." }
        } @else { (table(&active, "Firing and pending")) }
        @if view.left_out > 0 { p.empty { (view.left_out) " more are left out by alerting.max_alerts." } }
        @if !over.is_empty() {
            details #alerts-over { summary { "Over (" (view.resolved.len()) " within a day)" } (table(&over, "Over")) }
        }
        details #alerts-rules {
            summary { "Rules (" (view.rules.len()) ")" }
            (wide("Rules", &html! { table {
                thead { tr { th scope="col" { "Rule" } th scope="col" { "Metric" } th scope="col" { "Condition" } th scope="col" { "Severity" } } }
                tbody { @for rule in &view.rules { tr {
                    th scope="row" { (rule.name) } td { code { (rule.metric) } } td { (rule.condition) } td { (rule.severity.name()) }
                } } }
            } }))
        }
    };
    whole("alerts", &format!("Alerts ({})", view.firing().count()), &body)
}

fn row(known: &Known, alert: &Alert) -> Markup {
    let at = alert.resolved.or(alert.fired).unwrap_or(alert.since);
    html! {
        tr {
            th scope="row" { (alert.name) }
            td class=(if alert.state == AlertState::Firing { alert.severity.name() } else { "" }) {
                (alert.state.name()) br; small { (alert.severity.name()) }
            }
            td { (alert.message) }
            td { @for (key, value) in &alert.labels { small { (key) "=" (value) } br; } }
            td.number { (since(known.now, at)) }
        }
    }
}
