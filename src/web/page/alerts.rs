//! Alerts on the first page: what fires and is pending, with a way to their own page.

use maud::{Markup, html};

use super::alert_history::{active, rules};
use super::{View, section as whole};

pub fn section(view: &View) -> Markup {
    let alerts = &view.snapshot.alerts;
    let body = html! {
        (active(view))
        @if alerts.left_out > 0 { p.empty { (alerts.left_out) " more are not shown: alerting.max_alerts is reached." } }
        p { a href=(super::ALERTS) { "All alerts with their history" } }
        (rules(view))
    };
    whole("alerts", &format!("Alerts ({})", alerts.firing().count()), &body)
}
