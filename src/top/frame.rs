//! A frame: what was answered and what is looked at, as lines that fit the terminal.

use std::time::Duration;

use super::answers::{Answers, Capacity};
use super::course::Course;
use super::sections::{Listing, Section, count, listing};
use super::view::View;
use crate::terminal::Look;
use crate::terminal::table::{Laid, Table};
use crate::terminal::text::{cut, plain, width, wrapped};
use crate::terminal::tone::Tone;
use crate::units::{bytes, cores, money};

/// What a frame is made of.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The last answers; `None` before the first.
    pub answers: Option<&'a Answers>,
    /// Counters of late.
    pub course: &'a Course,
    /// How long ago the answers came.
    pub age: Duration,
    /// Why there are no newer ones.
    pub trouble: Option<&'a str>,
    /// Whom it asks.
    pub agent: &'a str,
}

/// Lines of a terminal, and how the rows lie in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// From the top; no more than the terminal has.
    pub lines: Vec<String>,
    /// How many rows are shown.
    pub page: usize,
    /// How many there are.
    pub rows: usize,
}

/// What the keys do, a line each.
const HELP: [&str; 11] = [
    "1 2 3 4, Tab   workloads, GPUs, models, alerts",
    "up down        a row",
    "PgUp PgDn      a page; Home, End",
    "s              sort by the next column",
    "r              the other way round",
    "/              show rows with these words; Enter keeps them, Esc drops them",
    "p              pause, and go on",
    "?              this",
    "q, Ctrl-C      leave",
    "",
    "THROTTLED and SAMPLES/S are of the last minute. A MONTH is what is requested, in money, and CHANGE what following the recommendation \
     would make of it. The agent's page has the rest, and says why.",
];

/// A terminal with fewer lines shows one of what the node has.
const LOW: usize = 18;

/// Answers older than this are said to be, in colour.
const OLD: Duration = Duration::from_secs(15);

/// The frame for a terminal of this size.
#[must_use]
pub fn frame(known: &Known<'_>, view: &View, look: Look, height: usize) -> Frame {
    let room = look.width.unwrap_or(usize::MAX);
    let mut lines = head(known, view, look, height);
    let mut foot: Vec<String> = Vec::new();
    let mut laid = (Vec::new(), 0, 0);
    match known.answers {
        _ if view.help => lines.extend(HELP.iter().flat_map(|line| wrapped(line, look.width))),
        None => {}
        Some(answers) => {
            lines.push(tabs(answers, view, look));
            foot.extend(firing(answers, view, look));
            let listing = listing(view.section, answers, known.course);
            laid = rows(listing, view, look, height.saturating_sub(lines.len() + foot.len() + 1), &mut foot);
        }
    }
    let (rows, page, all) = laid;
    lines.extend(rows);
    foot.push(keys(view, look));
    // The foot stands at the bottom, and gives way to the head where there is no room for both.
    let body = height.saturating_sub(foot.len());
    lines.truncate(body.max(1));
    lines.resize(body.max(lines.len()), String::new());
    lines.extend(foot);
    lines.truncate(height.max(1));
    debug_assert!(look.colour || lines.iter().all(|line| width(line) <= room), "{lines:?}");
    Frame { lines, page, rows: all }
}

/// Everything, for a pipe: each section in full.
#[must_use]
pub fn page(known: &Known<'_>, view: &View, look: Look) -> String {
    let mut lines = head(known, view, look, usize::MAX);
    let all = known.answers.iter().flat_map(|answers| Section::ALL.map(|section| (section, *answers)));
    for (section, answers) in all {
        let sorting = view.sortings[section.place()];
        let listing = listing(section, answers, known.course).sorted(sorting.order, sorting.reverse, "");
        let number = count(section, answers).map_or_else(String::new, |count| format!(" ({count})"));
        let mut title = section.name().to_owned();
        title[..1].make_ascii_uppercase();
        lines.push(String::new());
        lines.push(Tone::Strong.paint(&format!("{title}{number}"), look.colour));
        if listing.rows.is_empty() {
            lines.extend(wrapped(section.empty(), look.width));
            continue;
        }
        let laid = laid(&listing, look);
        lines.push(laid.head.clone());
        lines.extend(laid.rows.iter().cloned());
        lines.extend(laid.note("see the page").iter().flat_map(|note| wrapped(note, look.width)));
    }
    lines.join("\n") + "\n"
}

/// Parts of a line, and what each is about.
fn line(parts: &[(String, Tone)], look: Look) -> String {
    let mut left = look.width.unwrap_or(usize::MAX);
    let mut text = String::new();
    for (part, tone) in parts {
        let shown = cut(&plain(part), left);
        left -= width(&shown);
        text.push_str(&tone.paint(&shown, look.colour));
    }
    text
}

fn head(known: &Known<'_>, view: &View, look: Look, height: usize) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(answers) = known.answers {
        let mut parts = vec![(
            answers.node.as_ref().map_or_else(|| known.agent.to_owned(), |node| node.node.clone()),
            Tone::Strong,
        )];
        if let Some(health) = &answers.health {
            let tone = if health == "ok" { Tone::Good } else { Tone::Bad };
            parts.extend([("  agent ".to_owned(), Tone::Plain), (health.clone(), tone)]);
        }
        if let Some(node) = &answers.node {
            parts.push((format!("  as of {}", node.as_of.strftime("%H:%M:%S UTC")), Tone::Plain));
        }
        let age = known.age.as_secs();
        if age > 0 {
            let tone = if known.age > OLD { Tone::Warning } else { Tone::Soft };
            parts.push((format!(", {age} s ago"), tone));
        }
        if view.paused {
            parts.push(("  PAUSED".to_owned(), Tone::Warning));
        }
        lines.push(line(&parts, look));
        let capacity = capacity(answers, look);
        let fits = if height < LOW { 1 } else { capacity.len() };
        lines.extend(capacity.into_iter().take(fits));
    }
    let trouble = known.trouble.map(str::to_owned);
    let missing = known.answers.iter().flat_map(|answers| &answers.missing).cloned();
    for text in trouble.into_iter().chain(missing) {
        let tone = if known.trouble.is_some() { Tone::Bad } else { Tone::Warning };
        lines.extend(wrapped(&plain(&text), look.width).iter().map(|line| tone.paint(line, look.colour)));
    }
    if known.answers.is_none() && known.trouble.is_none() {
        lines.push(line(&[(format!("asking {} ...", known.agent), Tone::Soft)], look));
    }
    lines
}

/// What the node has, what was asked of it, what is used; and money.
fn capacity(answers: &Answers, look: Look) -> Vec<String> {
    let resources = answers.node.as_ref().and_then(|node| node.resources.as_ref()).map(|all| &all.resources);
    let of = |name: &str| resources.and_then(|all| all.get(name)).copied().unwrap_or_default();
    let told = |what: &str, of: Capacity, unit: fn(f64) -> String| {
        let (used, all) = of.used.zip(of.allocatable)?;
        let asked = of.requested.map_or_else(String::new, |asked| format!(", {} requested", unit(asked)));
        Some(format!("{what} {} of {} used{asked}", unit(used), unit(all)))
    };
    let mut parts: Vec<String> =
        [told("CPU", of("cpu"), cores), told("memory", of("memory"), bytes)].into_iter().flatten().collect();
    if let Some(sizes) = &answers.sizes {
        let money = |amount: f64| money(amount, &sizes.prices.currency);
        let totals = &sizes.totals;
        parts.extend(totals.cost.map(|cost| format!("{} a month", money(cost + totals.gpu_cost.unwrap_or(0.0)))));
        parts.extend(totals.saving.filter(|saving| *saving > 0.0).map(|saving| format!("{} to save", money(saving))));
    }
    if parts.is_empty() { Vec::new() } else { wrapped(&plain(&parts.join("; ")), look.width) }
}

/// The sections, with how many rows each has; the one that is shown is in brackets.
fn tabs(answers: &Answers, view: &View, look: Look) -> String {
    let tab = |(at, section): (usize, Section)| {
        let number = count(section, answers).map_or_else(|| "-".to_owned(), |count| count.to_string());
        let text = format!("{} {} {number}", at + 1, section.name());
        if section == view.section { (format!("[{text}] "), Tone::Strong) } else { (format!(" {text}  "), Tone::Plain) }
    };
    let mut parts: Vec<(String, Tone)> = Section::ALL.into_iter().enumerate().map(tab).collect();
    let sorting = view.sorting();
    let order = view.section.orders().get(sorting.order).copied().unwrap_or_default();
    let reverse = if sorting.reverse { ", reversed" } else { "" };
    if view.typing || !view.filter.is_empty() {
        let mark = if view.typing { "_" } else { "" };
        parts.push((format!("/{}{mark} ", view.filter), Tone::Warning));
    }
    parts.push((format!("by {order}{reverse}"), Tone::Soft));
    line(&parts, look)
}

/// The alerts that fire, in a line, where they are not what is looked at.
fn firing(answers: &Answers, view: &View, look: Look) -> Option<String> {
    let alerts = answers.alerts.as_ref().filter(|_| view.section != Section::Alerts)?;
    let mut firing: Vec<_> = alerts.alerts.iter().filter(|alert| alert.state == "firing").collect();
    firing.sort_by_key(|alert| alert.severity != "critical");
    let first = firing.first()?;
    let tone = if first.severity == "critical" { Tone::Bad } else { Tone::Warning };
    let more = if firing.len() > 1 { format!("{} alerts fire: ", firing.len()) } else { "1 alert fires: ".to_owned() };
    Some(line(&[(more, tone), (first.message.clone(), Tone::Plain)], look))
}

fn laid(listing: &Listing, look: Look) -> Laid {
    let mut table = Table::new(listing.columns.clone());
    for row in &listing.rows {
        table.push(row.cells.clone());
    }
    table.lay(look)
}

/// The rows that have room, their head, how many they are, and of how many; what does not fit is told in the foot.
fn rows(listing: Listing, view: &View, look: Look, room: usize, foot: &mut Vec<String>) -> (Vec<String>, usize, usize) {
    let all = listing.rows.len();
    let sorting = view.sorting();
    let listing = listing.sorted(sorting.order, sorting.reverse, &view.filter);
    let shown = listing.rows.len();
    if shown == 0 {
        let said = if all == 0 {
            view.section.empty().to_owned()
        } else {
            format!("None of {all} rows has \"{}\": Esc shows all.", plain(&view.filter))
        };
        return (wrapped(&said, look.width), 0, 0);
    }
    let laid = laid(&listing, look);
    let hidden = match laid.left_out.len() {
        0 => String::new(),
        1 => "1 column has no room: ".to_owned() + &laid.left_out.join(", "),
        count => format!("{count} columns have no room: {}", laid.left_out.join(", ")),
    };
    // The head of the table is a line, and so is what is told of the rest.
    let fits = room.saturating_sub(1);
    let told = shown > fits || !hidden.is_empty();
    let page = if told { fits.saturating_sub(1).max(1) } else { fits };
    let from = sorting.from.min(shown.saturating_sub(page));
    let until = (from + page).min(shown);
    if told {
        let which =
            if until - from < shown { format!("rows {} to {until} of {shown}", from + 1) } else { String::new() };
        let parts: Vec<&str> = [which.as_str(), hidden.as_str()].into_iter().filter(|part| !part.is_empty()).collect();
        foot.insert(0, line(&[(parts.join("; "), Tone::Soft)], look));
    }
    let mut lines = vec![laid.head];
    lines.extend(laid.rows.into_iter().skip(from).take(until - from));
    (lines, page, shown)
}

/// The keys, in a line.
fn keys(view: &View, look: Look) -> String {
    let text = if view.typing {
        "type words; Enter keeps them, Esc drops them"
    } else {
        "q leave  1-4 section  s sort  r reverse  / filter  p pause  ? help"
    };
    line(&[(text.to_owned(), Tone::Soft)], look)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::keys::Key;
    use super::*;

    fn container(id: usize, name: &str) -> serde_json::Value {
        json!({
            "id": format!("c{id}"), "name": "api", "pod_container": "api",
            "workload": { "to": { "namespace": "shop", "kind": "Deployment", "name": name } },
            "cpu": { "usage": 0.25 * (id + 1) as f64, "request": 1.0, "limit": 2.0, "periods": 100, "throttled_periods": 30 },
            "memory": { "working_set": 1_073_741_824_u64, "request": 2_147_483_648_u64, "limit": null, "oom_kills": id % 2 }
        })
    }

    /// What an agent might say, names of all kinds included.
    fn answers() -> Answers {
        let names = [
            "checkout",
            "a\u{1b}[2J\u{1b}]0;x\u{7}b",
            "模型服务的很长的名字模型服务的很长的名字",
            "שלום-עולם",
            "x\u{202e}gpj.exe",
            "payments-service-with-a-very-long-name-number-one",
            "payments-service-with-a-very-long-name-number-two",
        ];
        let containers: Vec<_> = names.iter().enumerate().map(|(id, name)| container(id, name)).collect();
        let node = json!({
            "as_of": "2026-11-27T12:00:00Z", "node": "node-1\n\u{1b}[31m", "containers": containers,
            "resources": { "resources": { "cpu": { "allocatable": 48.0, "requested": 29.9, "used": 7.4 } } },
            "gpus": [
                { "index": 0, "model": "NVIDIA L40S", "state": "active", "ok": true, "utilization": 0.5, "memory_used": 1e10,
                  "memory_total": 4e10, "power": 185.5, "processes": [{ "pid": 7, "container_name": "vllm" }] },
                { "index": 1, "ok": false }
            ]
        });
        let sizes = json!({
            "prices": { "currency": "USD" }, "totals": { "cost": 1076.0, "saving": 453.1, "gpu_cost": 2774.0 },
            "workloads": [{ "workload": { "name": "shop/Deployment/checkout/api" }, "containers": ["c0"],
                "cpu": { "provisioning": "under_provisioned" }, "memory": { "provisioning": "fits" }, "cost": 30.5, "saving": -26.19 }]
        });
        let models = json!({ "models": [
            { "name": "churn", "namespace": "shop", "counts": { "samples": 12_345_678, "labels": 99 },
              "verdict": { "drift": true, "columns": ["age", "income"] } },
            { "name": "new", "latest": { "performance": { "from": "another version" } }, "verdict": { "reason": "no window has closed yet" } }
        ] });
        let alerts = json!({ "alerts": [
            { "name": "ModelDrift", "severity": "warning", "state": "firing", "since": "2026-11-27T11:00:00Z", "message": "churn: drift" },
            { "name": "ModelPerformanceDrop", "severity": "critical", "state": "firing", "labels": { "model": "churn", "model_namespace": "shop" },
              "message": "churn: worse\u{1b}[0m" },
            { "name": "Throttled", "severity": "warning", "state": "pending", "message": "api" }
        ] });
        Answers {
            node: serde_json::from_value(node).expect("a node"),
            sizes: serde_json::from_value(sizes).expect("sizes"),
            models: serde_json::from_value(models).expect("models"),
            alerts: serde_json::from_value(alerts).expect("alerts"),
            health: Some("ok".to_owned()),
            missing: Vec::new(),
        }
    }

    fn drawn(
        answers: Option<&Answers>,
        trouble: Option<&str>,
        view: &View,
        size: (usize, usize),
        colour: bool,
    ) -> Frame {
        let course = Course::default();
        let known =
            Known { answers, course: &course, age: Duration::from_secs(3), trouble, agent: "http://127.0.0.1:9477" };
        frame(&known, view, Look { width: Some(size.0), colour }, size.1)
    }

    fn view(keys: &str) -> View {
        let mut view = View::default();
        for c in keys.chars() {
            assert!(view.press(Key::Char(c), 5, 7));
        }
        view
    }

    /// What a terminal would show, colours aside; what else would move it fails.
    fn bare(line: &str) -> String {
        let mut text = String::new();
        let mut rest = line;
        while let Some(at) = rest.find('\u{1b}') {
            let (before, after) = rest.split_at(at);
            let end = after.find('m').expect("only colours");
            assert!(
                after[1..end].starts_with('[') && after[2..end].chars().all(|c| c.is_ascii_digit() || c == ';'),
                "{line:?}"
            );
            text += before;
            rest = &after[end + 1..];
        }
        text + rest
    }

    #[test]
    fn every_frame_fits_whatever_the_names() {
        let answers = answers();
        for size in [(80, 24), (40, 12), (200, 60), (20, 3), (1, 1)] {
            for keys in ["", "2", "3", "4", "?", "/pay", "p", "1r", "1sssssr"] {
                for (colour, trouble) in [(false, None), (true, None), (false, Some("no answer\u{1b}[2J; start it"))] {
                    for known in [Some(&answers), None] {
                        let frame = drawn(known, trouble, &view(keys), (size.0.max(20), size.1), colour);
                        assert!(frame.lines.len() <= size.1, "{size:?} {keys}: {frame:?}");
                        for line in &frame.lines {
                            let shown = bare(line);
                            assert!(width(&shown) <= size.0.max(20), "{size:?} {keys}: {shown}");
                            assert!(!shown.contains(['\n', '\r', '\u{7}', '\u{9b}', '\u{202e}']), "{shown:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_person_sees_what_is_used_wrong_and_paid() {
        let frame = drawn(Some(&answers()), None, &view("s"), (100, 24), false);
        let text = frame.lines.join("\n");
        let line = |name: &str| {
            frame.lines.iter().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{name}: {text}"))
        };
        assert!(line("shop/checkout/api").contains(" 0.25  [##......]"), "{text}");
        assert!(line("checkout/api").contains("under: CPU") && line("checkout/api").contains("$30.50"), "{text}");
        assert!(line("agent ok").contains("as of 12:00:00 UTC, 3 s ago"), "{text}");
        assert!(
            line("CPU 7.4 cores of 48 cores used").contains("$3\u{202f}850 a month") || text.contains("850 a month"),
            "{text}"
        );
        assert!(line("2 alerts fire: ").contains("churn: worse"), "the critical one first: {text}");
        assert_eq!(frame.lines.len(), 24);
        let models = drawn(Some(&answers()), None, &view("3"), (120, 24), false).lines.join("\n");
        assert!(models.contains("shop/churn  worse") && models.contains("age, income"), "{models}");
        assert!(models.contains("no labels") && models.contains("no window has closed yet"), "{models}");
        let gpus = drawn(Some(&answers()), None, &view("2"), (100, 24), false).lines.join("\n");
        assert!(gpus.contains("0 NVIDIA L40S") && gpus.contains("185 W") || gpus.contains("186 W"), "{gpus}");
        assert!(gpus.contains("vllm") && gpus.contains("lost"), "{gpus}");
    }

    #[test]
    fn two_long_names_stay_two() {
        let frame = drawn(Some(&answers()), None, &view("/payments"), (40, 12), false);
        let rows: Vec<&String> =
            frame.lines.iter().filter(|line| line.contains("pay") && !line.contains('/')).collect();
        let rows: Vec<&String> =
            if rows.is_empty() { frame.lines.iter().filter(|line| line.contains("shop/")).collect() } else { rows };
        assert_eq!(rows.len(), 2, "{frame:?}");
        assert_ne!(rows[0].split("  ").next(), rows[1].split("  ").next());
    }

    #[test]
    fn rows_scroll_and_say_where_they_are() {
        let mut view = View::default();
        let first = drawn(Some(&answers()), None, &view, (80, 10), false);
        assert!(first.rows == 7 && first.page < 7, "{first:?}");
        assert!(
            first.lines.iter().any(|line| line.starts_with(&format!("rows 1 to {} of 7", first.page))),
            "{first:?}"
        );
        view.press(Key::End, first.page, first.rows);
        let last = drawn(Some(&answers()), None, &view, (80, 10), false);
        assert!(last.lines.iter().any(|line| line.contains(" to 7 of 7")), "{last:?}");
        // Fewer rows than were scrolled over: the last ones are shown.
        let one = Answers { node: None, ..answers() };
        let frame = drawn(Some(&one), None, &view, (80, 10), false);
        assert!(frame.lines.iter().any(|line| line.starts_with("No container runs here")), "{frame:?}");
    }

    #[test]
    fn an_agent_that_is_away_is_told_and_the_last_frame_stays() {
        let frame =
            drawn(Some(&answers()), Some("no answer: start it with `plumbline agent`"), &view(""), (80, 24), false);
        assert!(frame.lines.iter().any(|line| line.contains("no answer: start it")), "{frame:?}");
        assert!(frame.lines.iter().any(|line| line.contains("checkout")), "{frame:?}");
        let nothing = drawn(None, None, &view(""), (80, 24), false);
        assert_eq!(nothing.lines[0], "asking http://127.0.0.1:9477 ...");
    }

    #[test]
    fn a_pipe_gets_everything() {
        let (answers, course) = (answers(), Course::default());
        let known = Known { answers: Some(&answers), course: &course, age: Duration::ZERO, trouble: None, agent: "x" };
        let text = page(&known, &View::default(), Look::PLAIN);
        for word in [
            "Workloads (7)",
            "GPUs (2)",
            "Models (2)",
            "Alerts (3)",
            "payments-service-with-a-very-long-name-number-two/api",
            "pending",
        ] {
            assert!(text.contains(word), "{word}: {text}");
        }
    }
}
