//! One window of a model: what was judged, why, and how its columns lay beside the reference's. Its address is a link to share.

use maud::{Markup, html};

use super::model::{address_of, faults, features, measures, said};
use super::{section, told};
use crate::model::address;
use crate::model::view::{ModelView, WindowResult};
use crate::units::grouped;

/// When it was.
pub fn title(window: &WindowResult) -> String {
    format!("{} to {}", window.start.strftime("%Y-%m-%d %H:%M"), window.end.strftime("%Y-%m-%d %H:%M UTC"))
}

pub fn sections(model: &ModelView, window: &WindowResult) -> Markup {
    html! {
        (summary(model, window))
        (section("features", "Features", &features(window, "this window")))
        @if !window.quality.is_empty() { (section("quality", "Data quality", &faults(&window.quality))) }
        @if let Some(performance) = &window.performance {
            (section("performance", "Performance", &html! {
                (measures(performance, reference(model, window), "This window"))
                small { (grouped(performance.rows)) " labelled rows" }
            }))
        }
        (told::of_window(window))
    }
}

/// What the window was held against, as far as it still is the model's reference.
fn reference<'a>(model: &'a ModelView, window: &WindowResult) -> Option<&'a crate::model::view::ReferenceView> {
    model.reference.as_ref().filter(|reference| window.reference.as_ref() == Some(&reference.about.hash))
}

fn summary(model: &ModelView, window: &WindowResult) -> Markup {
    let at = model.windows.iter().position(|line| line.end == window.end);
    let newer = at.and_then(|at| model.windows.get(at.checked_sub(1)?));
    let older = at.and_then(|at| model.windows.get(at + 1));
    html! {
        section #summary aria-label="In short" {
            dl.facts {
                dt { "Verdict" } dd {
                    (said(window.drift)) @if !window.drifted.is_empty() { ": " (window.drifted.join(", ")) }
                }
                dt { "Rows" } dd {
                    (grouped(window.rows))
                    @if window.rows < model.min_rows { ", fewer than min_rows (" (grouped(model.min_rows)) ")" }
                }
                @if !window.versions.is_empty() { dt { "Versions" } dd { (window.versions.join(", ")) } }
                dt { "Reference" } dd {
                    @match (&window.reference, reference(model, window)) {
                        (None, _) => { "none" }
                        (Some(_), Some(reference)) => {
                            (grouped(reference.about.rows)) " rows"
                            @if reference.about.provisional { ", provisional: the model's own first rows" }
                        }
                        (Some(hash), None) => { "another than today's, " code { (hash) } }
                    }
                }
                dt { "Judged" } dd {
                    (window.evaluated.strftime("%Y-%m-%d %H:%M:%S UTC"))
                    @if window.evaluations > 1 { ", for the " (nth(window.evaluations)) " time: rows or labels came late" }
                }
            }
            p {
                a href=(address::of("/models", &model.key, "")) { "The model" }
                @if let Some(line) = older { " · " a rel="prev" href=(address_of(model, line.end)) { "← window before" } }
                @if let Some(line) = newer { " · " a rel="next" href=(address_of(model, line.end)) { "window after →" } }
                " · " a href=(address::of("/api/v1/models", &model.key, &format!("/windows/{}", window.end))) { "as JSON" }
            }
        }
    }
}

fn nth(n: u64) -> String {
    let end = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spoken() {
        assert_eq!(
            [1, 2, 3, 4, 11, 12, 13, 21, 102, 111].map(nth).join(" "),
            "1st 2nd 3rd 4th 11th 12th 13th 21st 102nd 111th"
        );
    }
}
