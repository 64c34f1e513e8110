//! A column by itself: its verdict in a sentence, both distributions over each other, its figures side by side, and what was tested.

use maud::{Markup, html};

use super::whole;
use crate::chart::distribution::{Axis, Distribution, distribution};
use crate::drift::Kind;
use crate::drift::aspect::Aspect;
use crate::drift::comparison::Comparison;
use crate::drift::moved::{Share, Spread, shortened};
use crate::drift::verdict::{Judged, Named, Verdict};
use crate::drift::words::{self, chance, difference, figure, pair};
use crate::report::plain;
use crate::units::percent;

/// Characters of a column's name on its chart.
const NAME: usize = 48;

pub fn word(verdict: Verdict) -> Markup {
    match verdict {
        Verdict::Drift => html! { span class="pill bad" { "drift" } },
        Verdict::TooFewRows => html! { span class="pill" { "too few rows" } },
        Verdict::NoDrift => html! { span class="pill good" { "no drift" } },
        Verdict::Undefined => html! { span class="pill" { "unknown" } },
    }
}

pub fn column(comparison: &Comparison, at: usize, judged: &Judged) -> Markup {
    let class = if judged.verdict == Verdict::Drift { "sentence drift" } else { "sentence" };
    html! {
        article id={ "column-" (at) } aria-labelledby={ "column-" (at) "-title" } {
            h3 id={ "column-" (at) "-title" } { (plain(&judged.name)) " " small { (judged.kind.name()) } }
            p class=(class) { (plain(&format!("{} {}.", opening(judged), words::sentence(judged)))) }
            div.sides {
                div { (picture(comparison, judged)) }
                div {
                    (said(judged))
                    @match judged.kind { Kind::Numeric | Kind::Embedding => { (numbers(comparison, judged)) } Kind::Categorical => { (categories(judged)) } }
                }
            }
            (tests(judged))
        }
    }
}

/// The column's name as the sentence begins with it.
fn opening(judged: &Judged) -> String {
    let verb = matches!(judged.verdict, Verdict::Drift | Verdict::NoDrift);
    if verb { judged.name.clone() } else { format!("{}:", judged.name) }
}

/// Rows of both sides that are drawn: of an embedding those that are looked at.
fn rows(comparison: &Comparison, judged: &Judged) -> (u64, u64) {
    let of = |side: &Option<Spread>| side.as_ref().map_or(0, |spread| spread.count);
    match judged.kind {
        Kind::Embedding => (of(&judged.moved.reference), of(&judged.moved.current)),
        Kind::Numeric | Kind::Categorical => (comparison.reference.rows, comparison.current.rows),
    }
}

/// The whole distribution, with both axes.
fn picture(comparison: &Comparison, judged: &Judged) -> Markup {
    let (before, now) = rows(comparison, judged);
    let Some(shape) = &judged.shape else { return html! {} };
    let shares = |counts: &[u64], rows: u64| -> Vec<f64> {
        counts.iter().map(|count| *count as f64 / rows.max(1) as f64).collect()
    };
    let name = shortened(&plain(&judged.name), NAME);
    let text = format!("{}: {}", plain(&judged.name), plain(&words::moved(judged).unwrap_or_default()));
    let median = |side: &Option<Spread>| side.as_ref().and_then(|spread| spread.median);
    let marks = [median(&judged.moved.reference), median(&judged.moved.current)];
    let (bins, reference, current): (Vec<String>, Vec<f64>, Vec<f64>) = if let Some(of) = &shape.histogram {
        (Vec::new(), shares(&of.reference, before), shares(&of.current, now))
    } else {
        let (mut bins, mut r, mut c) = (Vec::new(), Vec::new(), Vec::new());
        let rows = shape.bins.iter().zip(shape.reference.iter().zip(&shape.current));
        let own = shape.bins.len().saturating_sub(2);
        // What is nowhere is not drawn: `other` and `missing` where there are none.
        for (_, (bin, (one, other))) in rows.enumerate().filter(|(at, (_, (r, c)))| *at < own || **r + **c > 0) {
            bins.push(plain(bin));
            r.push(*one);
            c.push(*other);
        }
        (bins, shares(&r, before), shares(&c, now))
    };
    let empty = reference.iter().chain(&current).all(|share| *share == 0.0);
    let axis = shape.histogram.as_ref().map_or(Axis::Names(&bins), |of| Axis::Edges(&of.edges));
    html! {
        @if empty {
            p.soft { "Neither side has a value: there is nothing to draw." }
        } @else {
            p.key {
                span { span.swatch.reference {} "reference, " (whole(before)) " rows" }
                " " span { span.swatch.current {} "current, " (whole(now)) " rows" }
                @if marks.iter().any(Option::is_some) { " " span { "dashed: medians" } }
            }
            (distribution(&Distribution {
                axis, name: &name, reference: &reference, current: &current, marks, text: &text,
            }))
            (beyond(judged))
        }
    }
}

/// Where a few values lie so far out that they are in the outer bars.
fn beyond(judged: &Judged) -> Markup {
    let edges = judged.shape.as_ref().and_then(|shape| shape.histogram.as_ref()).map(|of| of.edges.as_slice());
    let Some([first, .., last]) = edges else { return html! {} };
    let sides = || [&judged.moved.reference, &judged.moved.current].into_iter().flatten();
    let least = sides().filter_map(|side| side.min).reduce(f64::min).filter(|least| least < first);
    let most = sides().filter_map(|side| side.max).reduce(f64::max).filter(|most| most > last);
    html! {
        @if least.is_some() || most.is_some() {
            p.soft { small {
                "The outer bars hold what lies beyond them, "
                @if let Some(least) = least { "down to " (figure(least)) }
                @if least.is_some() && most.is_some() { " and " }
                @if let Some(most) = most { "up to " (figure(most)) }
                "."
            } }
        }
    }
}

/// What moved, in a line each.
fn said(judged: &Judged) -> Markup {
    let mut lines: Vec<String> = words::moved(judged).into_iter().collect();
    let gone = judged.reference_missing != judged.current_missing;
    let deciding = judged.deciding().map(|aspect| aspect.aspect);
    if gone && deciding != Some(Aspect::Missing) {
        lines.extend(words::missing(judged));
    }
    let named = |what: &str, named: &Named| {
        let names: Vec<String> = named.names.iter().map(|name| shortened(name, NAME)).collect();
        let more = if named.count > named.names.len() as u64 { ", …" } else { "" };
        (named.count > 0).then(|| format!("{} {what}: {}{more}", whole(named.count), names.join(", ")))
    };
    lines.extend(words::embedding(judged).into_iter().filter(|line| words::moved(judged).as_ref() != Some(line)));
    lines.extend(named("new", &judged.new_categories));
    lines.extend(named("vanished", &judged.vanished_categories));
    html! { @if !lines.is_empty() { ul.said { @for line in lines { li { (plain(&line)) } } } } }
}

/// A line of the table: what, both sides, and by how much they differ.
type Line = [String; 4];

fn dash() -> String {
    "–".to_owned()
}

fn line(name: &str, before: Option<f64>, now: Option<f64>) -> Line {
    let [one, other, by] = match (before, now) {
        (Some(before), Some(now)) => {
            let [one, other] = pair(before, now);
            [one, other, difference(before, now)]
        }
        _ => [before.map_or_else(dash, figure), now.map_or_else(dash, figure), dash()],
    };
    [name.to_owned(), one, other, by]
}

fn numbers(comparison: &Comparison, judged: &Judged) -> Markup {
    let of = |side: &Option<Spread>| side.as_ref().map_or(0, |spread| spread.count);
    let moved = &judged.moved;
    let values = if judged.kind == Kind::Embedding { "vectors looked at" } else { "values" };
    let mut lines: Vec<Line> = vec![
        ["rows".to_owned(), whole(comparison.reference.rows), whole(comparison.current.rows), String::new()],
        [values.to_owned(), whole(of(&moved.reference)), whole(of(&moved.current)), String::new()],
        absent(judged),
        ["distinct".to_owned(), whole(moved.reference_distinct), whole(moved.current_distinct), String::new()],
    ];
    let none = Spread::default();
    let (before, now) = (moved.reference.as_ref().unwrap_or(&none), moved.current.as_ref().unwrap_or(&none));
    let both = before.figures().into_iter().zip(now.figures());
    lines.extend(both.map(|((name, before), (_, now))| line(name, before, now)));
    figures(if judged.kind == Kind::Embedding { "distance from the reference's mean" } else { "figure" }, &lines)
}

fn absent(judged: &Judged) -> Line {
    let share = |share: Option<f64>| share.map_or_else(dash, percent);
    let by = judged.reference_missing.zip(judged.current_missing).map_or_else(dash, |(a, b)| points(b - a));
    ["missing".to_owned(), share(judged.reference_missing), share(judged.current_missing), by]
}

/// A difference of two shares, in percentage points.
fn points(by: f64) -> String {
    if by == 0.0 { "0".to_owned() } else { format!("{:+.1}", by * 100.0) }
}

fn categories(judged: &Judged) -> Markup {
    let share = |share: &Share| -> Line {
        let name = shortened(&plain(&share.category), NAME);
        [name, percent(share.reference), percent(share.current), points(share.current - share.reference)]
    };
    let mut lines: Vec<Line> = judged.moved.categories.iter().map(share).collect();
    let moved = &judged.moved;
    lines.push(["distinct".to_owned(), whole(moved.reference_distinct), whole(moved.current_distinct), String::new()]);
    lines.push(absent(judged));
    figures("category (moved most first)", &lines)
}

fn figures(head: &str, lines: &[Line]) -> Markup {
    html! { table.figures {
        thead { tr { @for head in [head, "reference", "current", "change"] { th scope="col" { (head) } } } }
        tbody { @for [name, before, now, by] in lines { tr {
            th scope="row" { (name) } td.number { (before) } td.number { (now) } td.number { (by) }
        } } }
    } }
}

/// What was judged and tested, folded.
fn tests(judged: &Judged) -> Markup {
    html! {
        @if !judged.aspects.is_empty() || !judged.tests.is_empty() {
            details {
                summary { "Statistics" }
                @if !judged.aspects.is_empty() {
                    div.wide role="region" aria-label="What is judged" tabindex="0" { table {
                        thead { tr { @for head in ["What is judged", "Effect", "Noise", "Threshold", "p", "p, corrected", "Drift"] { th scope="col" { (head) } } } }
                        tbody { @for aspect in &judged.aspects { tr {
                            th scope="row" {
                                (aspect.aspect.name())
                                @if let Some(category) = &aspect.category { " " (shortened(&plain(category), NAME)) }
                            }
                            td.number { (words::effect(aspect)) }
                            td.number { (figure(aspect.noise)) }
                            td.number { (figure(aspect.threshold)) @if aspect.varies { " (varies)" } }
                            td.number { (aspect.p_value.map_or_else(dash, chance)) }
                            td.number { (aspect.p_adjusted.map_or_else(dash, chance)) }
                            td { (word(aspect.verdict)) }
                        } } }
                    } }
                }
                @if !judged.tests.is_empty() {
                    div.wide role="region" aria-label="Tests" tabindex="0" { table {
                        thead { tr { @for head in ["Test", "Statistic", "p, uncorrected"] { th scope="col" { (head) } } } }
                        tbody { @for tested in &judged.tests { tr {
                            th scope="row" { (tested.test.replace('_', "-")) }
                            td.number { (tested.statistic.map_or_else(dash, figure)) }
                            td.number { (tested.p_value.map_or_else(dash, chance)) }
                        } } }
                    } }
                }
            }
        }
    }
}
