//! A model on one time axis: how well it does beside its reference, drift and traffic, what changed in its containers, and what its GPUs
//! did; and what of that was near a drop.
//!
//! Windows are the model's own; the rest is asked of the node's history, as any program may.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::range::{Range, links_with};
use super::workload::marks;
use super::{View, moment, unknown, wide};
use crate::chart::course::{Band, Course, Kind, Line, Mark, course};
use crate::chart::ribbons::{Ribbon, Span, Tone, ribbons};
use crate::identity::ModelKey;
use crate::model::address;
use crate::model::view::{ModelView, WindowSummary};
use crate::performance::verdict::{Verdict, changes, verdict};
use crate::query::{Answer, Query, Series, Table};
use crate::units::percent;

/// A share of throttled periods above this is told.
const THROTTLED: f64 = 0.25;
/// Happenings listed, and those told of a drop.
const LISTED: usize = 100;
const NEAR: usize = 6;
/// Windows held against the reference.
const JUDGED: usize = 400;

/// Windows drawn where no time is asked for.
const WINDOWS: usize = 60;
/// Steps that windows are drawn in, and those that the history is asked in, at most.
const DRAWN: i64 = 100;
const ASKED: i64 = 300;
/// How long a step may be, in seconds.
const ROUND: [i64; 8] = [60, 300, 600, 1800, 3600, 7200, 21_600, 86_400];

const CONTAINERS: [&str; 4] = ["cpu_periods", "cpu_throttled_periods", "oom_kills", "restarts"];
const GPUS: [&str; 3] = ["active", "held_idle", "free"];

/// What the history says of the time, as far as it was asked and answered in time.
#[derive(Default)]
pub struct Past<'a> {
    pub containers: Option<&'a Answer>,
    pub gpus: Option<&'a Answer>,
}

/// Until when the axis goes: the end of the newest window, whose time is the rows' own.
pub fn until(model: &ModelView) -> Option<Timestamp> {
    let newest = model.windows.iter().map(|window| window.end).max()?;
    let minute = newest.as_second().saturating_add(59).div_euclid(60).saturating_mul(60);
    Timestamp::from_second(minute).ok()
}

/// The time that is drawn: the range before the end of the newest window, or without one the newest windows.
pub fn axis(model: &ModelView, range: Option<Range>) -> Option<Axis> {
    let until = until(model)?;
    let of_windows = || {
        let mut ends: Vec<(Timestamp, Timestamp)> =
            model.windows.iter().map(|window| (window.end, window.start)).collect();
        ends.sort_unstable_by(|a, b| b.cmp(a));
        ends.iter().take(WINDOWS).map(|(_, start)| *start).min()
    };
    let since = range.map_or_else(of_windows, |range| Some(range.since(until)))?;
    Some(Axis::between(since, until, DRAWN))
}

/// Which part of it the history is asked for: two weeks at most, around the drop, where there is one.
fn asked(model: &ModelView, axis: Axis) -> Axis {
    let two_weeks = SignedDuration::from_hours(14 * 24);
    if axis.end().duration_since(axis.since) <= two_weeks {
        return Axis::between(axis.since, axis.end(), ASKED);
    }
    let windows = within(model, axis);
    let latest = axis.end().saturating_sub(two_weeks).unwrap_or(axis.since);
    let since = dropped(model, &windows)
        .map_or(latest, |drop| drop.window.start.saturating_sub(two_weeks / 2).unwrap_or(latest));
    let since = since.clamp(axis.since, latest.max(axis.since));
    Axis::between(since, since.saturating_add(two_weeks).unwrap_or(since), ASKED)
}

/// What is asked of the model's containers.
pub fn containers(view: &View, model: &ModelView, axis: Axis) -> Query {
    let only = [("node", view.snapshot.node.clone()), ("model", model.key.name.clone())];
    let by = &["workload", "pod_container", "container_name", "model_namespace", "model_relation"];
    query(Table::Containers, &CONTAINERS, &only, by, &["image_tag", "container_id"], asked(model, axis))
}

/// What is asked of the node's GPUs; none where the model's containers hold none.
pub fn gpus(view: &View, place: usize, model: &ModelView, axis: Axis) -> Option<Query> {
    view.snapshot.served_by(place).chain(view.snapshot.trained_by(place)).find(|c| !c.view.gpus.is_empty())?;
    let only = [("node", view.snapshot.node.clone())];
    Some(query(Table::Gpus, &GPUS, &only, &["gpu"], &["containers"], asked(model, axis)))
}

fn query(table: Table, columns: &[&str], only: &[(&str, String)], by: &[&str], changes: &[&str], axis: Axis) -> Query {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Query {
        table,
        columns: owned(columns),
        only: only.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        by: owned(by),
        changes: owned(changes),
        total: false,
        since: axis.since,
        until: axis.end(),
        step: axis.step,
    }
}

/// Something that happened, from when until when: at one moment, where both are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Event {
    from: Timestamp,
    to: Timestamp,
    sign: &'static str,
    text: String,
    bad: bool,
}

impl Event {
    fn is_moment(&self) -> bool {
        self.from == self.to
    }
}

/// A time in steps.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    since: Timestamp,
    step: i64,
    steps: usize,
}

impl Axis {
    fn between(since: Timestamp, until: Timestamp, most: i64) -> Self {
        let (from, to) = (since.as_second(), until.as_second());
        let length = to.saturating_sub(from).max(60);
        let days = length.div_euclid(most.saturating_mul(86_400)).saturating_add(1).saturating_mul(86_400);
        let step = ROUND.into_iter().find(|step| length / step <= most).unwrap_or(days);
        let from = from.div_euclid(step).saturating_mul(step);
        let steps = to.saturating_sub(from).max(1).saturating_add(step - 1).div_euclid(step);
        Self { since: Timestamp::from_second(from).unwrap_or(since), step, steps: usize::try_from(steps).unwrap_or(0) }
    }

    fn at(self, step: usize) -> Timestamp {
        let seconds = self.step.saturating_mul(i64::try_from(step).unwrap_or(0));
        Timestamp::from_second(self.since.as_second().saturating_add(seconds)).unwrap_or(self.since)
    }

    fn end(self) -> Timestamp {
        self.at(self.steps)
    }

    fn holds(self, window: &WindowSummary) -> bool {
        window.end > self.since && window.start < self.end()
    }

    /// What windows say of each step that they reach into: the mean, where there are several.
    fn by_step(self, windows: &[&WindowSummary], value: impl Fn(&WindowSummary) -> Option<f64>) -> Vec<Option<f64>> {
        let mut sums = vec![(0.0, 0_u32); self.steps];
        for window in windows {
            let Some(value) = value(window) else { continue };
            let place = |at: Timestamp| at.as_second().saturating_sub(self.since.as_second());
            let first = place(window.start).max(0) / self.step.max(1);
            // A window whose rows have one time reaches into one step.
            let last = (place(window.end).max(1) - 1).max(place(window.start)).max(0) / self.step.max(1);
            for step in first..=last.min(i64::try_from(self.steps).unwrap_or(0)) {
                if let Some((sum, count)) = usize::try_from(step).ok().and_then(|step| sums.get_mut(step)) {
                    *sum += value;
                    *count += 1;
                }
            }
        }
        sums.into_iter().map(|(sum, count)| (count > 0).then(|| sum / f64::from(count))).collect()
    }
}

/// The windows that reach into the time, the oldest first.
fn within(model: &ModelView, axis: Axis) -> Vec<&WindowSummary> {
    let mut windows: Vec<&WindowSummary> = model.windows.iter().filter(|window| axis.holds(window)).collect();
    windows.sort_by_key(|window| window.end);
    windows
}

pub fn section(view: &View, model: &ModelView, range: Option<Range>, past: &Past<'_>) -> Markup {
    let Some(axis) = axis(model, range) else {
        return html! { p.empty { "No window has closed yet." } };
    };
    let windows = within(model, axis);
    let events = events(view, model, &windows, past);
    html! {
        (links_with(&address::of("/models", &model.key, ""), range, "60 windows"))
        p { (near(model, &windows, &events, past)) }
        (performance(model, &windows, axis, &events))
        (drift(&windows, axis))
        (traffic(&windows, axis))
        (below(view, model, axis, past))
        (table(&events))
    }
}

/// What happened, in order of time.
fn events(view: &View, model: &ModelView, windows: &[&WindowSummary], past: &Past<'_>) -> Vec<Event> {
    let mut events = versions(windows);
    for (name, series) in of_model(view, model, past) {
        let Some(answer) = past.containers else { continue };
        let of_mark = |mark: Mark| Event {
            from: mark.at,
            to: mark.at,
            sign: mark.sign,
            text: format!("{name}: {}", mark.text),
            bad: mark.bad,
        };
        events.extend(marks(answer, series).into_iter().map(of_mark));
        events.extend(throttled(answer, series).into_iter().map(|span| Event {
            from: span.from,
            to: span.to,
            sign: "▬",
            text: format!("{name} {}", span.text),
            bad: true,
        }));
    }
    for ribbon in of_gpus(view, model, past) {
        events.extend(ribbon.spans.into_iter().filter(|span| span.tone == Tone::Alarm).map(|span| Event {
            from: span.from,
            to: span.to,
            sign: "▬",
            text: format!("{}: {}", ribbon.name, span.text),
            bad: true,
        }));
    }
    events.sort_by_key(|event| (event.from, event.to));
    events
}

/// When each version of the model was seen first, but for those of the first window.
fn versions(windows: &[&WindowSummary]) -> Vec<Event> {
    let mut known: Vec<&str> = Vec::new();
    let mut events = Vec::new();
    for (at, window) in windows.iter().enumerate() {
        for version in &window.versions {
            if known.contains(&version.as_str()) {
                continue;
            }
            known.push(version);
            if at > 0 {
                let text = format!("version {version} first seen");
                events.push(Event { from: window.start, to: window.start, sign: "◆", text, bad: false });
            }
        }
    }
    events
}

/// The series of containers that serve or train this model, each with its name.
fn of_model<'a>(view: &View, model: &ModelView, past: &Past<'a>) -> Vec<(String, &'a Series)> {
    let label = |series: &'a Series, name: &str| series.labels.get(name).and_then(Option::as_deref);
    let known = view.snapshot.models.models.iter().map(|model| &model.key);
    let mut found = Vec::new();
    for series in past.containers.iter().flat_map(|answer| &answer.series) {
        let key = ModelKey { namespace: label(series, "model_namespace").map(str::to_owned), ..model.key.clone() };
        if key.among(known.clone()) != Some(&model.key) {
            continue;
        }
        let container = label(series, "pod_container").or(label(series, "container_name")).unwrap_or("container");
        found.push((
            label(series, "workload").map_or_else(|| container.to_owned(), |of| format!("{of}/{container}")),
            series,
        ));
    }
    found
}

/// Neighbouring steps of one kind as one span, with the mean of what was measured in them.
fn spans<K: Copy + PartialEq>(
    answer: &Answer,
    steps: &[Option<(K, f64)>],
    told: impl Fn(K, f64) -> (Tone, String),
) -> Vec<Span> {
    let at = |step: usize| {
        let seconds = answer.step_seconds.saturating_mul(i64::try_from(step).unwrap_or(0));
        Timestamp::from_second(answer.since.as_second().saturating_add(seconds)).unwrap_or(answer.since)
    };
    let mut spans = Vec::new();
    let mut begun: Option<(usize, K, f64)> = None;
    for step in 0..=steps.len() {
        let now = steps.get(step).copied().flatten();
        match (&mut begun, now) {
            (Some((_, kind, sum)), Some((next, value))) if *kind == next => *sum += value,
            (open, now) => {
                if let Some((from, kind, sum)) = open.take() {
                    let (tone, text) = told(kind, sum / (step - from) as f64);
                    spans.push(Span { from: at(from), to: at(step), tone, text });
                }
                *open = now.map(|(kind, value)| (step, kind, value));
            }
        }
    }
    spans
}

fn throttled(answer: &Answer, series: &Series) -> Vec<Span> {
    let share = |(throttled, periods): (&Option<f64>, &Option<f64>)| {
        let share = (*throttled)? / periods.filter(|periods| *periods > 0.0)?;
        (share > THROTTLED).then_some(((), share))
    };
    let steps: Vec<Option<((), f64)>> =
        series.column("cpu_throttled_periods").iter().zip(series.column("cpu_periods")).map(share).collect();
    spans(answer, &steps, |(), share| (Tone::Idle, format!("throttled in {} of periods", percent(share))))
}

/// What the GPUs did that the model's containers hold or held, a row each.
fn of_gpus(view: &View, model: &ModelView, past: &Past<'_>) -> Vec<Ribbon> {
    let Some(answer) = past.gpus else { return Vec::new() };
    let ids: Vec<&str> = of_model(view, model, past)
        .iter()
        .flat_map(|(_, series)| &series.changes)
        .filter(|change| change.column == "container_id")
        .map(|change| change.value.as_str())
        .collect();
    let mut rows = Vec::new();
    for series in &answer.series {
        let held: Vec<_> = series.changes.iter().filter(|change| change.column == "containers").collect();
        let ours = held.iter().any(|change| ids.contains(&change.value.as_str()));
        let Some(uuid) = series.labels.get("gpu").and_then(Option::as_deref).filter(|_| ours) else { continue };
        let states = [
            ("active", Tone::Active, "computing"),
            ("held_idle", Tone::Idle, "held idle"),
            ("free", Tone::Rest, "free"),
        ];
        let most = |step: usize| {
            let of = |column: &str| series.column(column).get(step).copied().flatten();
            let known = states.iter().enumerate().filter_map(|(at, (column, ..))| Some((at, of(column)?)));
            known.max_by(|a, b| a.1.total_cmp(&b.1))
        };
        let steps: Vec<Option<(usize, f64)>> = (0..series.column("active").len()).map(most).collect();
        let mut all = spans(answer, &steps, |state, share| {
            let (_, tone, name) = states[state];
            (tone, format!("{name} in {} of the time", percent(share)))
        });
        // Two containers at once take each other's time.
        for (at, one) in held.iter().enumerate() {
            for other in held.iter().skip(at + 1) {
                let (from, to) = (one.at.max(other.at), one.last.min(other.last));
                if from < to {
                    all.push(Span {
                        from,
                        to,
                        tone: Tone::Alarm,
                        text: "contended: two containers at once".to_owned(),
                    });
                }
            }
        }
        let index = view.snapshot.gpus.iter().find(|gpu| gpu.device.uuid == uuid).map(|gpu| gpu.index);
        let name = index.map_or_else(|| uuid.to_owned(), |index| format!("GPU {index}"));
        let mean = |column: &str| {
            let known: Vec<f64> = series.column(column).iter().flatten().copied().collect();
            (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
        };
        let note = mean("active").map_or_else(String::new, |share| format!("computing {}", percent(share)));
        rows.push(Ribbon { name, note, spans: all });
    }
    rows
}

/// A window that did worse than the reference, or drifted, for the first time of its run; `worse` says which.
struct Drop<'a> {
    window: &'a WindowSummary,
    worse: Option<String>,
}

/// The newest run of windows that do worse than the reference for certain; else the newest that drift.
fn dropped<'a>(model: &ModelView, windows: &[&'a WindowSummary]) -> Option<Drop<'a>> {
    let reference = model.reference.as_ref().filter(|_| !model.verdict.provisional);
    let before = reference.and_then(|reference| reference.performance.as_ref());
    let judged = |window: &WindowSummary| {
        let now = window.performance.as_ref().filter(|now| now.rows >= model.min_rows)?;
        let all = changes(before?, now, &model.limits);
        let change = verdict(now, &all)?;
        let words = format!("{} {:.3}, was {:.3}", change.measure.replace('_', " "), change.current, change.reference);
        Some((change.verdict == Verdict::Worse, words))
    };
    let mut found: Option<Drop<'a>> = None;
    for &window in windows.iter().rev().take(JUDGED) {
        match judged(window) {
            Some((true, words)) => found = Some(Drop { window, worse: Some(words) }),
            Some((false, _)) if found.is_some() => return found,
            _ => {}
        }
    }
    if found.is_some() {
        return found;
    }
    for &window in windows.iter().rev() {
        match window.drift {
            Some(true) => found = Some(Drop { window, worse: None }),
            Some(false) if found.is_some() => return found,
            _ => {}
        }
    }
    found
}

/// What changed near the drop, in a sentence.
fn near(model: &ModelView, windows: &[&WindowSummary], events: &[Event], past: &Past<'_>) -> Markup {
    let Some(drop) = dropped(model, windows) else {
        return html! { "No window of this time does worse than the reference for certain, and none drifts." };
    };
    let at = drop.window.start;
    let length = drop.window.end.duration_since(at);
    let reach = length.saturating_mul(2).clamp(SignedDuration::from_hours(1), SignedDuration::from_hours(48));
    let (from, to) = (at.saturating_sub(reach).unwrap_or(at), drop.window.end);
    let mut near: Vec<&Event> = events.iter().filter(|event| event.to >= from && event.from <= to).collect();
    near.sort_by_key(|event| event.from.duration_since(at).abs());
    near.truncate(NEAR);
    near.sort_by_key(|event| event.from);
    let when = |time: Timestamp| {
        let same = time.strftime("%F").to_string() == at.strftime("%F").to_string();
        time.strftime(if same { "%H:%M" } else { "%b %-d %H:%M" }).to_string()
    };
    let told = |event: &Event| {
        let from = if event.is_moment() { "" } else { "from " };
        format!("{} {from}{}", event.text, when(event.from))
    };
    let list: Vec<String> = near.into_iter().map(told).collect();
    html! {
        "Near the " @if drop.worse.is_some() { "drop" } @else { "beginning of drift" } " at "
        time datetime=(at) title=(super::exact(at)) { (at.strftime("%Y-%m-%d %H:%M")) }
        @if let Some(words) = &drop.worse { " (" (words) ")" }
        ": "
        @if !list.is_empty() { strong.plain { (list.join("; ")) } "." }
        @else if past.containers.is_none_or(|answer| answer.series.is_empty()) {
            (unknown("the node's history has nothing of its containers from that time")) "."
        } @else { "nothing changed in its versions, containers and GPUs." }
    }
}

fn performance(model: &ModelView, windows: &[&WindowSummary], axis: Axis, events: &[Event]) -> Markup {
    let moments = |event: &Event| {
        event.is_moment().then(|| Mark { at: event.from, sign: event.sign, text: event.text.clone(), bad: event.bad })
    };
    let marks: Vec<Mark> = events.iter().filter_map(moments).collect();
    let Some(leading) = model.leading() else {
        return html! { h3 { "Performance" } p.empty { "No closed window has labels yet." } };
    };
    let value = |window: &WindowSummary| {
        let of = window.performance.as_ref()?;
        of.measures().find(|(name, _)| *name == leading.measure).map(|(_, value)| value)
    };
    let reference = model.reference.as_ref().and_then(|reference| reference.performance.as_ref());
    let band = reference.and_then(|of| of.interval(leading.measure)).map(|of| Band {
        low: of.low,
        high: of.high,
        name: "reference, in 95 of 100",
    });
    let name = leading.measure.replace('_', " ");
    let values = axis.by_step(windows, value);
    let constant = |value: Option<f64>| vec![value; axis.steps];
    let lines = [
        Line { kind: Kind::Used, name: "by window", values },
        Line { kind: Kind::Request, name: "over the reference", values: constant(leading.reference) },
    ];
    let lines: Vec<Line> = lines.into_iter().filter(|line| line.values.iter().any(Option::is_some)).collect();
    let text = format!("{name} by window beside the reference, with what happened");
    let figure = |value: f64| format!("{value:.3}");
    html! {
        h3 { "Performance: " (name) }
        (course(&Course { band, zoomed: true, ..Course::of(axis.since, axis.step, &lines, &marks, figure, &text) }))
    }
}

fn drift(windows: &[&WindowSummary], axis: Axis) -> Markup {
    let values = axis.by_step(windows, |window| window.drift.map(|_| window.drifted.len() as f64));
    if values.iter().all(Option::is_none) {
        return html! { h3 { "Drift" } p.empty { "No window of this time has a verdict." } };
    }
    let lines = [Line { kind: Kind::Used, name: "columns that drift", values }];
    let figure = |count: f64| format!("{}", (count * 10.0).round() / 10.0);
    html! {
        h3 { "Drift: columns that drift" }
        (course(&Course::of(axis.since, axis.step, &lines, &[], figure, "columns that drift, by window")))
    }
}

fn traffic(windows: &[&WindowSummary], axis: Axis) -> Markup {
    let rate = |window: &WindowSummary, span: f64| {
        let seconds = window.end.duration_since(window.start).as_secs_f64();
        (seconds > 0.0).then(|| window.rows as f64 / seconds * span)
    };
    // In the shortest time in which a row comes at all.
    let most = windows.iter().filter_map(|window| rate(window, 1.0)).fold(0.0, f64::max);
    let spans = [("rows a minute", 60.0), ("rows an hour", 3600.0), ("rows a day", 86_400.0)];
    let (name, span) = spans.into_iter().find(|(_, span)| most * span >= 5.0).unwrap_or(spans[2]);
    let values = axis.by_step(windows, |window| rate(window, span));
    if values.iter().all(Option::is_none) {
        return html! {};
    }
    let lines = [Line { kind: Kind::Used, name, values }];
    let figure = |rate: f64| {
        if rate < 10.0 { format!("{}", (rate * 100.0).round() / 100.0) } else { format!("{rate:.0}") }
    };
    html! {
        h3 { "Traffic: " (name) }
        (course(&Course::of(axis.since, axis.step, &lines, &[], figure, &format!("{name}, by window"))))
    }
}

/// The ribbons below: throttling of containers, states of GPUs.
fn below(view: &View, model: &ModelView, axis: Axis, past: &Past<'_>) -> Markup {
    let mut rows: Vec<Ribbon> = Vec::new();
    if let Some(answer) = past.containers {
        for (name, series) in of_model(view, model, past) {
            let spans = throttled(answer, series);
            if !spans.is_empty() {
                rows.push(Ribbon { name, note: "throttled".to_owned(), spans });
            }
        }
    }
    rows.extend(of_gpus(view, model, past));
    if rows.is_empty() {
        return html! {};
    }
    let words: Vec<String> = rows.iter().map(|row| format!("{} {}", row.name, row.note)).collect();
    html! {
        h3 { "Its containers and GPUs" }
        p.key { @for (tone, text) in [(Tone::Active, "computing"), (Tone::Idle, "throttled, or held idle"), (Tone::Rest, "free"), (Tone::Alarm, "contended")] {
            span.level { span class={ "swatch " (tone.class()) } {} (text) } " "
        } }
        (ribbons(&rows, axis.since, axis.end(), &words.join(", ")))
    }
}

/// All of it as words.
fn table(events: &[Event]) -> Markup {
    html! {
        @if !events.is_empty() {
            details #happened {
                summary { "What happened (" (events.len()) ")" }
                (wide("What happened", &html! { table.narrow {
                    thead { tr { th scope="col" { "From" } th scope="col" { "To" } th scope="col" { "What" } } }
                    tbody { @for event in events.iter().rev().take(LISTED) { tr {
                        th.number scope="row" { (moment(event.from)) }
                        td.number { @if !event.is_moment() { (moment(event.to)) } }
                        td.told { @if event.bad { strong { (event.sign) " " (event.text) } } @else { (event.sign) " " (event.text) } }
                    } } }
                } }))
                @if events.len() > LISTED { p.empty { (events.len() - LISTED) " older ones are not listed." } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::{Change, Folding};

    const BEGIN: i64 = 1_795_392_000;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(BEGIN + minute * 60).expect("a time")
    }

    fn window(from: i64, to: i64, versions: &[&str]) -> WindowSummary {
        let versions = versions.iter().map(|version| (*version).to_owned()).collect();
        WindowSummary { start: at(from), end: at(to), rows: 600, versions, ..WindowSummary::default() }
    }

    #[test]
    fn windows_fill_the_steps_that_they_reach_into() {
        let axis = Axis { since: at(0), step: 600, steps: 6 };
        let all =
            [window(-30, 10, &[]), window(20, 40, &[]), window(30, 40, &[]), window(59, 90, &[]), window(55, 55, &[])];
        let all: Vec<&WindowSummary> = all.iter().collect();
        let minutes = |window: &WindowSummary| Some(window.end.duration_since(window.start).as_secs_f64() / 60.0);
        let found = axis.by_step(&all, minutes);
        assert_eq!(found, [Some(40.0), None, Some(20.0), Some(15.0), None, Some(15.5)]);
    }

    #[test]
    fn an_axis_has_round_steps_that_reach_to_its_end() {
        for (minutes, step, steps) in
            [(1, 60, 1), (290, 60, 290), (301, 300, 61), (24 * 60, 300, 288), (900 * 1440, 4 * 86_400, 225)]
        {
            let axis = Axis::between(at(0), at(minutes), ASKED);
            assert_eq!((axis.since, axis.step, axis.steps), (at(0), step, steps), "{minutes} min");
            assert!(axis.end() >= at(minutes));
        }
    }

    #[test]
    fn a_version_is_told_when_it_is_seen_first() {
        let all = [window(0, 10, &["1"]), window(10, 20, &["1", "2"]), window(20, 30, &["2"])];
        let found = versions(&all.iter().collect::<Vec<_>>());
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].from, found[0].text.as_str()), (at(10), "version 2 first seen"));
    }

    fn series(columns: &[(&str, &[Option<f64>])], changes: Vec<Change>) -> Series {
        let values = columns.iter().map(|(name, values)| ((*name).to_owned(), values.to_vec())).collect();
        Series { labels: std::collections::BTreeMap::new(), values, changes }
    }

    #[test]
    fn neighbouring_steps_are_one_span() {
        let axis = Axis { since: at(0), step: 600, steps: 144 };
        let query = query(Table::Containers, &CONTAINERS, &[], &[], &[], axis);
        let answer = Folding::new(query).answer(0);
        let throttled_periods = [Some(10.0), Some(50.0), Some(70.0), None, Some(90.0)];
        let of =
            series(&[("cpu_throttled_periods", &throttled_periods), ("cpu_periods", &[Some(100.0); 5])], Vec::new());
        let found = throttled(&answer, &of);
        let times: Vec<_> = found.iter().map(|span| (span.from, span.to, span.text.as_str())).collect();
        assert_eq!(
            times,
            [(at(10), at(30), "throttled in 60.0 % of periods"), (at(40), at(50), "throttled in 90.0 % of periods")]
        );
    }
}
