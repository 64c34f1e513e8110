//! Alerts: what fires, what is pending, what was resolved last, and the rules.

use maud::{Markup, html};

use super::{View, section as whole, since, wide};
use crate::alert::view::{Alert, AlertState};

/// Of those that are over, so many are shown.
const OVER: usize = 20;

pub fn section(view: &View) -> Markup {
    let alerts = &view.snapshot.alerts;
    let table = |rows: &[&Alert], caption: &str| {
        wide(
            caption,
            &html! {
                table {
                    caption { (caption) }
                    thead { tr {
                        th scope="col" { "Alert" } th scope="col" { "State" } th scope="col" { "Message" } th scope="col" { "About" }
                        th scope="col" { "Since" }
                    } }
                    tbody { @for alert in rows { (row(view, alert)) } }
                }
            },
        )
    };
    let active: Vec<&Alert> = alerts.alerts.iter().collect();
    let over: Vec<&Alert> = alerts.resolved.iter().take(OVER).collect();
    let body = html! {
        @if active.is_empty() {
            p.empty { "No alert is firing or pending; " (alerts.rules.len()) " rules are active." }
        } @else { (table(&active, "Firing and pending")) }
        @if alerts.left_out > 0 { p.empty { (alerts.left_out) " more are not shown: alerting.max_alerts is reached." } }
        @if !over.is_empty() {
            details #alerts-over { summary { "Resolved in the last day (" (alerts.resolved.len()) ")" } (table(&over, "Resolved")) }
        }
        details #alerts-rules {
            summary { "Rules (" (alerts.rules.len()) ")" }
            (wide("Rules", &html! { table {
                thead { tr { th scope="col" { "Rule" } th scope="col" { "Metric" } th scope="col" { "Condition" } th scope="col" { "Severity" } } }
                tbody { @for rule in &alerts.rules { tr {
                    th scope="row" { (rule.name) } td { code { (rule.metric) } } td { (rule.condition) } td { (rule.severity.name()) }
                } } }
            } }))
        }
    };
    whole("alerts", &format!("Alerts ({})", alerts.firing().count()), &body)
}

fn row(view: &View, alert: &Alert) -> Markup {
    let at = alert.resolved.or(alert.fired).unwrap_or(alert.since);
    html! {
        tr {
            th scope="row" { (alert.name) }
            td class=(if alert.state == AlertState::Firing { alert.severity.name() } else { "" }) {
                (alert.state.name()) br; small { (alert.severity.name()) }
            }
            td { (alert.message) }
            td { @for (key, value) in &alert.labels { small { (key) "=" (value) } br; } }
            td.number { (since(view.now, at)) }
        }
    }
}
