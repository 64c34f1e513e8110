//! What no column shows by itself: correlations that broke, and all columns together.

use maud::{Markup, html};

use super::{dash, whole};
use crate::chart::dumbbell::{MOST, Pair, dumbbells};
use crate::drift::comparison::Comparison;
use crate::drift::words::{chance, figure};
use crate::quality::{Check, Finding};
use crate::report::document::scrolled;
use crate::report::plain;

/// Pairs of columns that went together in the reference and do not any more.
pub fn correlations(quality: Option<&[Finding]>) -> Markup {
    let broken = quality.unwrap_or_default().iter().filter(|finding| finding.check == Check::Correlation);
    let broken: Vec<(String, [f64; 2], &Finding)> =
        broken.filter_map(|finding| Some((plain(&finding.columns.join(" and ")), finding.sides?, finding))).collect();
    let pairs: Vec<Pair> =
        broken.iter().map(|(name, [before, now], _)| Pair { name: name.clone(), before: *before, now: *now }).collect();
    html! {
        @if !broken.is_empty() {
            section aria-labelledby="correlations" {
                h2 #correlations { "Correlations that broke" }
                p.soft { "Spearman's rank correlation of two columns: 1 and -1 are one order, 0 is none." }
                p.key { span { span.swatch.reference {} "reference" } span { span.swatch.current {} "current" } }
                (dumbbells(&pairs, (-1.0, 1.0), &format!("rank correlations of {} pairs, before and now", pairs.len())))
                @if pairs.len() > MOST { p.soft { (pairs.len() - MOST) " more are in the table." } }
                details {
                    summary { "Figures" }
                    (scrolled("Correlations", &html! { table.narrow {
                        thead { tr { th scope="col" { "Columns" } @for head in ["Reference", "Current", "Limit of the change", "p"] { th.number scope="col" { (head) } } } }
                        tbody { @for (name, [before, now], finding) in &broken { tr {
                            th scope="row" { (name) }
                            td.number { (format!("{before:.2}")) } td.number { (format!("{now:.2}")) }
                            td.number { (figure(finding.limit)) } td.number { (finding.p_adjusted.map_or_else(dash, chance)) }
                        } } }
                    } }))
                }
            }
        }
    }
}

/// What a classifier, principal components and the maximum mean discrepancy say of whole rows.
pub fn together(comparison: &Comparison) -> Markup {
    let Some(found) = &comparison.together else { return html! {} };
    let [before, now] = found.rows;
    html! {
        section aria-labelledby="together" {
            h2 #together { "All columns together" }
            p.soft { (whole(before)) " rows of the reference and " (whole(now)) " current ones were looked at." }
            ul.said { @for line in found.lines() { li { (plain(line.strip_prefix("all columns: ").unwrap_or(&line))) } } }
        }
    }
}
