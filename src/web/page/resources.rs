//! The node as one bar for each resource: what pods ask for and what is used, of what is there for them, and what nobody can ask for.

use maud::{Markup, html};

use super::{View, section as whole, since, wide};
use crate::chart;
use crate::identity::node::{CPU, MEMORY};
use crate::snapshot::Capacity;
use crate::units::{bytes, cores, percent};

/// Nothing where nobody says what the node has.
pub fn section(view: &View) -> Markup {
    let Some(node) = &view.snapshot.resources else { return html! {} };
    let kind = [&node.pool, &node.instance_type].into_iter().flatten().cloned().collect::<Vec<_>>().join(", ");
    let body = html! {
        p {
            @if !kind.is_empty() { (kind) "; " }
            strong.plain { (node.pods) } " pods ask for something. "
            small { "As the Kubernetes API said " (since(view.now, node.at)) " ago." }
            " " a href=(super::node::address(&view.snapshot.node)) { "Its own page" } " has the course and who asks for what nobody uses."
        }
        (wide("What the node has", &html! { table {
            thead { tr {
                th scope="col" { "Resource" } th scope="col" { "Used, requested, allocatable" } th scope="col" { "Requested, not used" }
                th scope="col" { "Free to request" } th scope="col" { "Stranded" }
            } }
            tbody { @for (name, of) in &node.resources { (row(name, of)) } }
        } }))
    };
    whole("node", "Node", &body)
}

fn row(name: &str, of: &Capacity) -> Markup {
    let unit: fn(f64) -> String = match name {
        CPU => cores,
        MEMORY => bytes,
        _ => |count| format!("{count:.0}"),
    };
    let unused = of.used.map(|used| of.requested - used).filter(|unused| *unused > 0.0);
    let share = |part: f64| percent(part / of.allocatable.max(f64::MIN_POSITIVE));
    html! {
        tr {
            th scope="row" { (name) }
            td {
                (chart::bar(of.used.unwrap_or(0.0), Some(of.requested), of.allocatable.max(of.requested), true))
                span.number {
                    @if let Some(used) = of.used { (unit(used)) ", " }
                    (unit(of.requested)) ", " (unit(of.allocatable))
                }
            }
            td.number { @match unused {
                Some(unused) => { (unit(unused)) " (" (share(unused)) ")" }
                None => { (super::unknown("–")) }
            } }
            td.number { @if of.free < 0.0 { strong { (unit(-of.free)) " too much ⚠" } } @else { (unit(of.free)) } }
            td.number { @match of.stranded {
                Some(stranded) => {
                    span title="stays free once the scarcer of CPU and memory is asked for in full" { (unit(stranded)) }
                }
                None => { (super::unknown("–")) }
            } }
        }
    }
}
