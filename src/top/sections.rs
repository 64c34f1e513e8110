//! What each section lists: rows of cells, and by what they are sorted.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::answers::{Alert, Answers, Container, Gpu, Measured, Model, Node, Size};
use super::course::Course;
use crate::performance::Performance;
use crate::terminal::table::{Cell, Column};
use crate::terminal::tone::Tone;
use crate::units::{bytes, cores, grouped, money, percent};

/// A part of what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Section {
    /// What runs, and its sizes.
    #[default]
    Workloads,
    /// GPUs, and who holds them.
    Gpus,
    /// Models, and how well they do.
    Models,
    /// What is wrong.
    Alerts,
}

impl Section {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Workloads, Self::Gpus, Self::Models, Self::Alerts];

    /// Its title.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Workloads => "workloads",
            Self::Gpus => "GPUs",
            Self::Models => "models",
            Self::Alerts => "alerts",
        }
    }

    /// Its place among all.
    #[must_use]
    pub fn place(self) -> usize {
        Self::ALL.iter().position(|section| *section == self).unwrap_or(0)
    }

    /// By what its rows can be sorted; the first is how they stand at the beginning.
    #[must_use]
    pub fn orders(self) -> &'static [&'static str] {
        match self {
            Self::Workloads => &["CPU", "memory", "throttled", "OOM kills", "verdict", "a month", "name"],
            Self::Gpus => &["index", "utilization", "memory", "power"],
            Self::Models => &["verdict", "traffic", "labels", "name"],
            Self::Alerts => &["severity", "since", "name"],
        }
    }

    /// What is said where it lists nothing.
    #[must_use]
    pub fn empty(self) -> &'static str {
        match self {
            Self::Workloads => "No container runs here, or none can be read: /healthz says why.",
            Self::Gpus => "No GPU is seen: `plumbline agent` says at its start what it looked for.",
            Self::Models => "No model yet: send samples to /v1/models/NAME/samples.",
            Self::Alerts => "No alert is pending or fires.",
        }
    }
}

/// What rows are sorted by.
#[derive(Debug, Clone, PartialEq)]
pub enum Key {
    /// The largest first; what is unknown last.
    Most(Option<f64>),
    /// The smallest first.
    Least(f64),
    /// By the alphabet.
    Text(String),
}

impl Key {
    fn compare(&self, other: &Self, reverse: bool) -> Ordering {
        let turned = |order: Ordering| if reverse { order.reverse() } else { order };
        match (self, other) {
            (Self::Most(None), Self::Most(None)) => Ordering::Equal,
            // Unknown stays last either way.
            (Self::Most(None), Self::Most(_)) => Ordering::Greater,
            (Self::Most(_), Self::Most(None)) => Ordering::Less,
            (Self::Most(Some(one)), Self::Most(Some(other))) => turned(other.total_cmp(one)),
            (Self::Least(one), Self::Least(other)) => turned(one.total_cmp(other)),
            (Self::Text(one), Self::Text(other)) => turned(one.cmp(other)),
            _ => Ordering::Equal,
        }
    }
}

/// A line of a section.
#[derive(Debug, Clone)]
pub struct Row {
    /// What is shown.
    pub cells: Vec<Cell>,
    /// One for each of the section's orders.
    pub keys: Vec<Key>,
    /// What a filter looks through, in lower case.
    pub words: String,
}

impl Row {
    fn new(words: &[&str], cells: Vec<Cell>, keys: Vec<Key>) -> Self {
        Self { words: words.join(" ").to_lowercase(), cells, keys }
    }
}

/// A section's table.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, as they came.
    pub rows: Vec<Row>,
}

impl Listing {
    /// The rows with all these words in them, sorted.
    #[must_use]
    pub fn sorted(mut self, order: usize, reverse: bool, filter: &str) -> Self {
        let filter = filter.to_lowercase();
        let wanted: Vec<&str> = filter.split_whitespace().collect();
        self.rows.retain(|row| wanted.iter().all(|word| row.words.contains(word)));
        self.rows.sort_by(|a, b| match (a.keys.get(order), b.keys.get(order)) {
            (Some(one), Some(other)) => one.compare(other, reverse),
            _ => Ordering::Equal,
        });
        self
    }
}

/// What a section lists.
#[must_use]
pub fn listing(section: Section, answers: &Answers, course: &Course) -> Listing {
    match section {
        Section::Workloads => workloads(answers, course),
        Section::Gpus => gpus(answers),
        Section::Models => models(answers, course),
        Section::Alerts => alerts(answers),
    }
}

/// How many rows a section has; `None` where that is not known.
#[must_use]
pub fn count(section: Section, answers: &Answers) -> Option<usize> {
    match section {
        Section::Workloads => answers.node.as_ref().map(|node| grouped_by_workload(node, answers).len()),
        Section::Gpus => answers.node.as_ref().map(|node| node.gpus.len()),
        Section::Models => answers.models.as_ref().map(|models| models.models.len()),
        Section::Alerts => answers.alerts.as_ref().map(|alerts| alerts.alerts.len()),
    }
}

fn dash() -> Cell {
    Cell::new("-", Tone::Soft)
}

fn told(value: Option<f64>, unit: fn(f64) -> String) -> Cell {
    value.map_or_else(dash, |value| unit(value).into())
}

/// The containers of each workload, by its name as sizes have it.
fn grouped_by_workload<'a>(
    node: &'a Node,
    answers: &'a Answers,
) -> BTreeMap<String, (Vec<&'a Container>, Option<&'a Size>)> {
    let sizes = answers.sizes.iter().flat_map(|sizes| &sizes.workloads).filter(|size| !size.ended);
    let known: BTreeMap<&str, &Size> =
        sizes.flat_map(|size| size.containers.iter().map(move |id| (id.as_str(), size))).collect();
    let mut all: BTreeMap<String, (Vec<&Container>, Option<&Size>)> = BTreeMap::new();
    for container in &node.containers {
        let size = known.get(container.id.as_str()).copied();
        let name = size.map_or_else(|| named(container), |size| size.workload.name.clone());
        let entry = all.entry(name).or_default();
        entry.0.push(container);
        entry.1 = entry.1.or(size);
    }
    all
}

/// As sizes name it, where these do not yet.
fn named(container: &Container) -> String {
    let Some(workload) = container.workload.as_ref().map(|link| &link.to) else { return container.name.clone() };
    let inner = container.pod_container.as_ref().unwrap_or(&container.name);
    let mut parts: Vec<&str> =
        [&workload.namespace, &workload.kind].into_iter().flatten().map(String::as_str).collect();
    parts.push(&workload.name);
    // A container of a plain engine is its own workload.
    if workload.name != *inner {
        parts.push(inner);
    }
    parts.join("/")
}

/// `shop/Deployment/checkout/api` without what tells nobody anything here: the kind, and a container that is called like its workload. Where
/// two would be the same, both stay as they are.
fn short<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    let of = |name: &str| match name.split('/').collect::<Vec<_>>().as_slice() {
        [namespace, _, workload, container] if workload == container => format!("{namespace}/{workload}"),
        [namespace, _, workload, container] => format!("{namespace}/{workload}/{container}"),
        _ => name.to_owned(),
    };
    let names: Vec<(&str, String)> = names.map(|name| (name, of(name))).collect();
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, short) in &names {
        *times.entry(short).or_default() += 1;
    }
    let unique = |short: &String| times.get(short.as_str()) == Some(&1);
    names.iter().filter(|(_, short)| unique(short)).map(|(name, short)| ((*name).to_owned(), short.clone())).collect()
}

/// The sum over replicas; `None` where one of them has none.
fn sum(containers: &[&Container], of: fn(&Container) -> Option<f64>) -> Option<f64> {
    containers.iter().map(|container| of(container)).sum()
}

/// The number alone: the head of the column says that they are cores.
fn count_of_cores(amount: f64) -> String {
    let text = cores(amount);
    text.split_once(' ').map_or(text.clone(), |(number, _)| number.to_owned())
}

/// Signs of a bar.
const BAR: usize = 8;

/// `#####...`: how much of what is asked for is used. One that is full says by how much more it would be.
fn bar(share: f64) -> String {
    let filled = (1..=BAR).filter(|sign| (*sign as f64 - 0.5) / BAR as f64 <= share).count();
    format!("[{}{}]", "#".repeat(filled), ".".repeat(BAR - filled))
}

fn workloads(answers: &Answers, course: &Course) -> Listing {
    let columns = vec![
        Column::name("WORKLOAD"),
        Column::figure("REPLICAS").rank(9),
        Column::figure("CORES"),
        Column::word("OF REQUEST").rank(4),
        Column::figure("CPU REQUEST").rank(6),
        Column::figure("THROTTLED").rank(2),
        Column::figure("MEMORY"),
        Column::figure("MEM REQUEST").rank(5),
        Column::figure("MEM LIMIT").rank(7),
        Column::figure("OOM KILLS").rank(3),
        Column::word("VERDICT"),
        Column::figure("A MONTH").rank(1),
        Column::figure("CHANGE").rank(8),
    ];
    let currency = answers.sizes.as_ref().map_or("", |sizes| sizes.prices.currency.as_str());
    let all: Vec<(String, _)> = answers.node.iter().flat_map(|node| grouped_by_workload(node, answers)).collect();
    let short = short(all.iter().map(|(name, _)| name.as_str()));
    let rows = all.into_iter().map(|(name, (all, size))| {
        let used = sum(&all, |c| c.cpu.usage);
        let request = sum(&all, |c| c.cpu.request);
        let memory = sum(&all, |c| c.memory.working_set);
        let memory_request = sum(&all, |c| c.memory.request);
        let limit = sum(&all, |c| c.memory.limit);
        let kills = sum(&all, |c| c.memory.oom_kills);
        let throttled = course.throttled(all.iter().map(|c| c.id.as_str()));
        let share = used.zip(request).filter(|(_, request)| *request > 0.0).map(|(used, request)| used / request);
        let (word, tone, rank) = verdict(size);
        let cost = size.and_then(|size| size.cost);
        let change = size.and_then(|size| size.saving).filter(|saving| saving.abs() >= 0.005).map(|saving| -saving);
        let over = |share: f64| if share > 1.0 { Tone::Warning } else { Tone::Plain };
        let full = memory.zip(limit).is_some_and(|(used, limit)| limit > 0.0 && used / limit > 0.9);
        let cells = vec![
            short.get(&name).unwrap_or(&name).as_str().into(),
            all.len().to_string().into(),
            told(used, count_of_cores),
            share.map_or_else(dash, |share| Cell::new(&bar(share), over(share))),
            told(request, count_of_cores),
            throttled.map_or_else(dash, |share| {
                Cell::new(&percent(share), if share >= 0.05 { Tone::Bad } else { Tone::Plain })
            }),
            memory.map_or_else(dash, |memory| Cell::new(&bytes(memory), if full { Tone::Bad } else { Tone::Plain })),
            told(memory_request, bytes),
            told(limit, bytes),
            kills.map_or_else(dash, |kills| {
                Cell::new(&format!("{kills}"), if kills > 0.0 { Tone::Bad } else { Tone::Plain })
            }),
            Cell::new(word, tone),
            cost.map_or_else(dash, |cost| money(cost, currency).into()),
            change.map_or_else(dash, |change| {
                let (sign, tone) = if change > 0.0 { ("+", Tone::Warning) } else { ("", Tone::Good) };
                Cell::new(&format!("{sign}{}", money(change, currency)), tone)
            }),
        ];
        let keys = vec![
            Key::Most(used),
            Key::Most(memory),
            Key::Most(throttled),
            Key::Most(kills),
            Key::Least(rank),
            Key::Most(cost),
            Key::Text(name.clone()),
        ];
        Row::new(&[&name, word], cells, keys)
    });
    Listing { columns, rows: rows.collect() }
}

/// The verdict in a word, what it is about, and its place: what needs more first.
fn verdict(size: Option<&Size>) -> (&'static str, Tone, f64) {
    let Some(size) = size else { return ("not yet", Tone::Soft, 5.0) };
    let is = |what: &str| {
        (size.cpu.provisioning.as_deref() == Some(what), size.memory.provisioning.as_deref() == Some(what))
    };
    match (is("under_provisioned"), is("over_provisioned")) {
        ((true, true), _) => ("under", Tone::Bad, 0.0),
        ((true, false), _) => ("under: CPU", Tone::Bad, 0.0),
        ((false, true), _) => ("under: mem", Tone::Bad, 0.0),
        (_, (true, true)) => ("over", Tone::Warning, 1.0),
        (_, (true, false)) => ("over: CPU", Tone::Warning, 1.0),
        (_, (false, true)) => ("over: mem", Tone::Warning, 1.0),
        _ if is("no_request") != (false, false) => ("no request", Tone::Warning, 2.0),
        _ if is("fits") == (true, true) => ("fits", Tone::Good, 4.0),
        _ => ("no verdict", Tone::Soft, 3.0),
    }
}

fn gpus(answers: &Answers) -> Listing {
    let columns = vec![
        Column::name("GPU"),
        Column::word("STATE"),
        Column::figure("UTILIZATION"),
        Column::figure("MEMORY").rank(1),
        Column::figure("MEM TOTAL").rank(3),
        Column::figure("POWER").rank(4),
        Column::text("HELD BY", 10).rank(2),
    ];
    let row = |gpu: &Gpu| {
        let index = gpu.index.map_or_else(|| "?".to_owned(), |index| index.to_string());
        let name = format!("{index} {}", gpu.model.as_deref().unwrap_or("of unknown model"));
        let (state, tone) = match (gpu.ok, gpu.state.as_deref()) {
            (Some(false), _) => ("lost", Tone::Bad),
            (_, Some("active")) => ("active", Tone::Good),
            (_, Some("held_idle")) => ("held idle", Tone::Warning),
            (_, Some("free")) => ("free", Tone::Soft),
            _ => ("unknown", Tone::Soft),
        };
        let holders = gpu.processes.as_ref().map(|processes| {
            let mut names: Vec<String> = (processes.iter())
                .map(|process| match (&process.container_name, process.pid) {
                    (Some(name), _) => name.clone(),
                    (None, Some(pid)) => format!("process {pid}"),
                    (None, None) => "a process".to_owned(),
                })
                .collect();
            names.sort();
            names.dedup();
            if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
        });
        let cells = vec![
            name.as_str().into(),
            Cell::new(state, tone),
            told(gpu.utilization, percent),
            told(gpu.memory_used, bytes),
            told(gpu.memory_total, bytes),
            gpu.power.map_or_else(dash, |watts| format!("{watts:.0} W").into()),
            holders.clone().map_or_else(dash, Cell::from),
        ];
        let keys = vec![
            Key::Least(gpu.index.map_or(f64::MAX, |index| index as f64)),
            Key::Most(gpu.utilization),
            Key::Most(gpu.memory_used),
            Key::Most(gpu.power),
        ];
        Row::new(&[&name, state, holders.as_deref().unwrap_or_default()], cells, keys)
    };
    Listing { columns, rows: answers.node.iter().flat_map(|node| &node.gpus).map(row).collect() }
}

/// What a model does now and did on its reference, by the measure that speaks for it.
fn quality(model: &Model) -> Option<(&'static str, f64, Option<f64>)> {
    let of = |measured: &Option<Measured>| measured.as_ref().and_then(|measured| measured.performance.clone());
    let (measure, now) = of(&model.latest).or_else(|| of(&model.labelled)).as_ref().and_then(Performance::leading)?;
    let before = of(&model.reference).and_then(|before| measure.of(&before));
    Some((measure.name, now, before))
}

fn models(answers: &Answers, course: &Course) -> Listing {
    let columns = vec![
        Column::name("MODEL"),
        Column::word("VERDICT"),
        Column::word("QUALITY"),
        Column::figure("REFERENCE").rank(1),
        Column::text("DRIFTS", 10).rank(2),
        Column::figure("SAMPLES/S").rank(3),
        Column::figure("SAMPLES").rank(5),
        Column::figure("LABELS").rank(4),
    ];
    let firing = || {
        let alerts = answers.alerts.iter().flat_map(|alerts| &alerts.alerts);
        alerts.filter(|alert| alert.state == "firing")
    };
    let row = |model: &Model| {
        let name = model.namespace.iter().chain([&model.name]).map(String::as_str).collect::<Vec<_>>().join("/");
        // The agent has judged it; here nothing is judged anew.
        let about = |alert: &Alert| {
            let says = |text: &String| alert.labels.values().any(|value| value == text);
            alert.labels.get("model") == Some(&model.name) && model.namespace.iter().all(says)
        };
        let is_worse = firing().any(|alert| alert.name == "ModelPerformanceDrop" && about(alert));
        let (word, tone, rank) = match (is_worse, model.verdict.drift) {
            (true, _) => ("worse", Tone::Bad, 0.0),
            (false, Some(true)) => ("drift", Tone::Bad, 1.0),
            (false, Some(false)) => ("fine", Tone::Good, 3.0),
            (false, None) => ("no verdict", Tone::Soft, 2.0),
        };
        let quality = quality(model);
        let rate = course.samples_per_second(model.namespace.as_deref(), &model.name);
        let samples = model.counts.samples.saturating_add(model.counts.sampled_out);
        let drifts = match (model.verdict.columns.as_slice(), &model.verdict.reason) {
            ([], Some(reason)) => Cell::new(reason, Tone::Soft),
            ([], None) => dash(),
            (columns, _) => columns.join(", ").into(),
        };
        let cells = vec![
            name.as_str().into(),
            Cell::new(word, tone),
            quality.map_or_else(
                || Cell::new("no labels", Tone::Soft),
                |(measure, now, _)| format!("{} {now:.3}", measure.replace('_', "-")).into(),
            ),
            quality.and_then(|(.., before)| before).map_or_else(dash, |before| format!("{before:.3}").into()),
            drifts,
            rate.map_or_else(dash, |rate| format!("{rate:.1}").into()),
            grouped(samples).into(),
            grouped(model.counts.labels).into(),
        ];
        let keys = vec![
            Key::Least(rank),
            Key::Most(rate),
            Key::Most(Some(model.counts.labels as f64)),
            Key::Text(name.clone()),
        ];
        Row::new(&[&name, word, &model.verdict.columns.join(" ")], cells, keys)
    };
    Listing { columns, rows: answers.models.iter().flat_map(|models| &models.models).map(row).collect() }
}

/// How loud an alert is, firing ones before others.
fn loudness(alert: &Alert) -> (f64, Tone) {
    let (rank, tone) = match alert.severity.as_str() {
        "critical" => (0.0, Tone::Bad),
        "warning" => (1.0, Tone::Warning),
        _ => (2.0, Tone::Plain),
    };
    if alert.state == "firing" { (rank, tone) } else { (rank + 10.0, Tone::Soft) }
}

fn alerts(answers: &Answers) -> Listing {
    let columns = vec![
        Column::name("ALERT"),
        Column::word("STATE").rank(1),
        Column::word("SEVERITY").rank(3),
        Column::word("SINCE").rank(2),
        Column::text("WHAT", 36),
    ];
    let row = |alert: &Alert| {
        let (rank, tone) = loudness(alert);
        let since = alert.since.map(|at| at.strftime("%m-%d %H:%M").to_string());
        let cells = vec![
            alert.name.as_str().into(),
            Cell::new(&alert.state, tone),
            Cell::new(&alert.severity, tone),
            since.map_or_else(dash, Cell::from),
            alert.message.as_str().into(),
        ];
        let keys = vec![
            Key::Least(rank),
            Key::Most(alert.since.map(|at: Timestamp| at.as_second() as f64)),
            Key::Text(alert.name.clone()),
        ];
        Row::new(&[&alert.name, &alert.state, &alert.severity, &alert.message], cells, keys)
    };
    let mut rows: Vec<Row> = answers.alerts.iter().flat_map(|alerts| &alerts.alerts).map(row).collect();
    rows.sort_by(|a, b| a.keys[0].compare(&b.keys[0], false));
    Listing { columns, rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_its_share() {
        assert_eq!(
            [0.0, 0.06, 0.07, 0.5, 1.0, 7.0].map(bar),
            ["[........]", "[........]", "[#.......]", "[####....]", "[########]", "[########]"]
        );
    }

    #[test]
    fn a_short_name_is_still_the_only_one() {
        let names = ["shop/Deployment/checkout/api", "data/CronJob/etl/etl", "a/Deployment/x/c", "a/Job/x/c", "bare"];
        let short = short(names.into_iter());
        let of = |name: &str| short.get(name).map(String::as_str);
        assert_eq!((of(names[0]), of(names[1])), (Some("shop/checkout/api"), Some("data/etl")));
        assert_eq!((of(names[2]), of(names[3]), of("bare")), (None, None, Some("bare")));
    }

    #[test]
    fn what_is_unknown_is_last_whichever_way() {
        let row = |value: Option<f64>| Row::new(&["x"], Vec::new(), vec![Key::Most(value)]);
        let listing = Listing { columns: Vec::new(), rows: [Some(1.0), None, Some(3.0)].map(row).to_vec() };
        let order = |reverse| listing.clone().sorted(0, reverse, "").rows.into_iter().map(|row| row.keys[0].clone());
        let most = |values: [Option<f64>; 3]| values.map(Key::Most).to_vec();
        assert_eq!(order(false).collect::<Vec<_>>(), most([Some(3.0), Some(1.0), None]));
        assert_eq!(order(true).collect::<Vec<_>>(), most([Some(1.0), Some(3.0), None]));
    }
}
