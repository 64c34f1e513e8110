//! The page of each thing in a real Chromium: read at three widths, walked through by keyboard, told of what is newer, held to axe-core, and
//! of a node with a hundred workloads.

use std::fmt::Write;
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::agent::{Agent, Options};
use crate::browser::{Browser, Look, PHONE, WIDE};
use crate::gpus::{Node, gpu};
use crate::page::{holds, look};
use crate::parts::{Part, axe, check, eventually};

pub const TESTS: &[Test] = &[
    (&[Part::Chromium], "pages::of_each_thing_by_mouse_and_keys", of_each_thing_by_mouse_and_keys),
    (&[Part::Chromium, Part::Axe], "pages::keep_nobody_out", keep_nobody_out),
    (&[Part::Chromium, Part::Axe], "pages::of_a_large_node", of_a_large_node),
    (&[], "pages::who_listens_is_told_and_keeps_nobody_from_ending", who_listens_is_told_and_keeps_nobody_from_ending),
];

const DESK: Look = Look { width: 1440, height: 1800, dark: false, script: true };
const TABLET: Look = Look { width: 1024, height: 1400, dark: false, script: true };

/// The played node, once its history is there and its models have windows.
fn sample() -> Result<Agent, Failed> {
    let agent = Agent::sample_node()?;
    eventually(Duration::from_secs(400), || {
        let review = agent.json("/api/v1/recommendations")?;
        let all = review["workloads"].as_array().map_or(0, Vec::len);
        check(all > 8, || format!("{all} workloads are judged"))
    })?;
    eventually(Duration::from_secs(120), || {
        let model = agent.json("/api/v1/models/housing")?;
        let windows = model["windows"].as_array().map_or(0, Vec::len);
        check(windows > 5 && model["verdict"]["drift"] == true, || format!("{windows} windows"))
    })?;
    Ok(agent)
}

/// Every kind of page, by name and address.
fn all(agent: &Agent) -> Result<Vec<(&'static str, String)>, Failed> {
    let gpu = agent.json("/api/v1/gpus")?["gpus"][2]["device"]["uuid"].as_str().unwrap_or_default().to_owned();
    let end = agent.json("/api/v1/models/housing")?["windows"][0]["end"].as_str().unwrap_or_default().to_owned();
    let pages = [
        ("home", "/".to_owned()),
        ("node", "/nodes/sample-node?range=1h".to_owned()),
        ("alerts", "/alerts".to_owned()),
        ("model", "/models/housing".to_owned()),
        ("window", format!("/models/housing/windows/{end}")),
        ("workload", "/workloads/shop/Deployment/checkout/api?range=1h".to_owned()),
        ("gpu", format!("/gpus/{gpu}?range=1h")),
        ("missing", "/nodes/nowhere".to_owned()),
    ];
    Ok(pages.map(|(name, path)| (name, format!("http://{}{path}", agent.address))).to_vec())
}

/// The page once it has an answer of the history: a debug build may need a second try.
fn opened(browser: &Browser, url: &str) -> Result<(), Failed> {
    eventually(Duration::from_secs(60), || {
        browser.open(url)?;
        let late = browser.script("return document.body.innerText.includes('takes too long to read')")?;
        check(late == false, || "the history takes too long".to_owned())
    })?;
    // What the browser says of an answer that came too late is no complaint of the page's.
    browser.complaints().map(drop)?;
    browser.open(url)
}

fn of_each_thing_by_mouse_and_keys() -> Result<(), Failed> {
    let agent = sample()?;
    let home = format!("http://{}/", agent.address);
    let browser = Browser::start(&DESK)?;
    browser.open(&home)?;
    // From the head to the node: what it has as bars, and who asks for what nobody uses.
    browser.click("header p a[href='/nodes/sample-node']")?;
    eventually(Duration::from_secs(60), || {
        browser.open(&format!("{home}nodes/sample-node?range=1h"))?;
        let drawn = browser.script("return document.querySelectorAll('#time figure.course').length")?;
        check(drawn == 3, || format!("{drawn} courses"))
    })?;
    let bars = browser.script(
        "return [...document.querySelectorAll('#capacity svg.capacity')].map(e => e.getAttribute('aria-label'))",
    )?;
    let told = bars.to_string();
    for part in ["CPU: used", "Memory: used", "GPUs: computing", "asked for, not used", "free"] {
        check(told.contains(part), || format!("no `{part}`: {told}"))?;
    }
    let text = browser.text()?;
    for part in [
        "Is the node well filled?",
        "g6e.12xlarge",
        "Collectors",
        "sample works",
        "a month are for what workloads ask for",
    ] {
        check(text.contains(part), || format!("no `{part}`: {text}"))?;
    }
    let first = browser.script("return document.querySelector('#unused tbody a').getAttribute('href')")?;
    check(
        first == "/workloads/research/StatefulSet/notebook/jupyter"
            || first == "/workloads/ml/Deployment/housing/server",
        || first.to_string(),
    )?;
    holds(&browser, "the node's page")?;
    browser.click("#unused tbody a")?;
    check(browser.url()?.contains("/workloads/"), || "not at the workload".to_owned())?;

    // Alerts: what fires, with a way to its thing and what to do, and what fired when.
    browser.open(&format!("{home}alerts?range=1h"))?;
    eventually(Duration::from_secs(120), || {
        browser.open(&format!("{home}alerts?range=1h"))?;
        let rows = browser.script("return document.querySelectorAll('#now tbody tr').length")?;
        check(rows.as_u64() > Some(0), || "nothing fires".to_owned())
    })?;
    let ribbons = browser.script("return document.querySelectorAll('#history svg.ribbons rect.idle, #history svg.ribbons rect.alarm, #history svg.ribbons rect.rest').length")?;
    check(ribbons.as_u64() > Some(0), || "no ribbon is drawn".to_owned())?;
    let text = browser.text()?;
    check(text.contains("ModelDrift") && text.contains("Look at the columns that moved"), || text.clone())?;
    holds(&browser, "the page of alerts")?;
    browser.click("#now a[href='/models/housing']")?;

    // The model on one time axis, by keyboard to a cell of the heat map, and by it to that window.
    check(browser.text()?.contains("On one time axis"), || "no time axis".to_owned())?;
    let courses = browser.script("return document.querySelectorAll('#time figure.course').length")?;
    check(courses.as_u64() >= Some(2), || format!("{courses} courses on the time axis"))?;
    let said = browser.script("return document.querySelector('#time > p').textContent")?;
    let said = said.as_str().unwrap_or_default();
    check(said.contains("Near the") && said.contains(" at "), || format!("of the drop: {said}"))?;
    cells_lead_to_windows(&browser)?;

    // Told of what is newer: the page asks no more by itself, and its time moves on.
    browser.open(&home)?;
    browser.script("document.activeElement.blur()")?;
    eventually(Duration::from_secs(10), || {
        let live = browser.script("return performance.getEntriesByType('resource').length && stream.readyState === EventSource.OPEN && timer === undefined")?;
        check(live == true, || "the page does not listen".to_owned())
    })?;
    let as_of = browser.script("return document.getElementById('as-of').textContent")?;
    eventually(Duration::from_secs(10), || {
        let now = browser.script("return document.getElementById('as-of').textContent")?;
        check(now != as_of, || format!("still {as_of}"))
    })?;
    // Replicas are one link.
    let served = browser.script("return [...document.querySelectorAll('#models tbody tr')].map(r => r.querySelector('[data-name=\"Served by\"]').innerText).join('\\n')")?;
    check(
        served.as_str().is_some_and(|text| text.contains("×3") && text.matches("housing/server").count() == 1),
        || served.to_string(),
    )?;
    drop(browser);

    // At three widths, light and dark.
    for (look_of, name) in [
        (DESK, "desk"),
        (TABLET, "tablet"),
        (PHONE, "phone"),
        (Look { dark: true, ..DESK }, "desk-dark"),
        (Look { dark: true, ..PHONE }, "phone-dark"),
    ] {
        let browser = Browser::start(&look_of)?;
        for (page, url) in all(&agent)? {
            if page == "missing" {
                continue;
            }
            opened(&browser, &url)?;
            holds(&browser, &format!("{name}, {page}"))?;
            look(&browser, &format!("pages-{name}-{page}"), look_of.width)?;
        }
    }
    Ok(())
}

/// From a model's page: a cell of the heat map, by keyboard and by mouse, leads to its window.
fn cells_lead_to_windows(browser: &Browser) -> Result<(), Failed> {
    let cell = browser.script("const a = document.querySelector('#drift svg.heat a'); a.focus(); return [document.activeElement === a, a.getAttribute('href')]")?;
    check(cell[0] == true, || "a cell cannot be reached by keyboard".to_owned())?;
    browser.key("\u{e007}")?;
    let at_window = || {
        eventually(Duration::from_secs(10), || {
            let url = browser.url()?;
            check(url.contains("/windows/"), || url)
        })
    };
    at_window()?;
    holds(browser, "the window's page")?;
    // And by mouse.
    browser.back()?;
    browser.click("#drift svg.heat a:last-of-type rect")?;
    at_window()
}

/// What axe-core finds in the page that is open, a line each.
fn found(browser: &Browser) -> Result<Vec<String>, Failed> {
    let path = axe().ok_or("axe-core is not there")?;
    browser.script(&format!("if (!window.axe) {{ {} }}", fs::read_to_string(path)?))?;
    let found = browser.script_later(
        "const done = arguments[arguments.length - 1];\n\
         axe.run(document, { resultTypes: ['violations'] }).then(\n\
           (all) => done(all.violations.map((v) => `${v.id} (${v.impact}): ${v.help}: ` + v.nodes.slice(0, 5).map((n) => n.html.slice(0, 160)).join(' | '))),\n\
           (error) => done(['axe-core failed: ' + error]));",
    )?;
    Ok(found.as_array().into_iter().flatten().map(|line| line.as_str().unwrap_or_default().to_owned()).collect())
}

fn keep_nobody_out() -> Result<(), Failed> {
    let agent = sample()?;
    let mut wrong = String::new();
    for (look_of, name) in [(DESK, "desk"), (Look { dark: true, ..DESK }, "dark"), (TABLET, "tablet"), (PHONE, "phone")]
    {
        let browser = Browser::start(&look_of)?;
        for (page, url) in all(&agent)? {
            if page == "missing" {
                browser.open(&url)?;
            } else {
                opened(&browser, &url)?;
            }
            // What is folded away is looked at too.
            browser.script("document.querySelectorAll('details').forEach((d) => d.open = true)")?;
            for line in found(&browser)? {
                let _ = writeln!(wrong, "{name}, {page}: {line}");
            }
        }
    }
    check(wrong.is_empty(), || format!("axe-core finds:\n{wrong}"))
}

/// A cgroup tree of so many pods, as a kernel has one, and the folders of their logs, as a kubelet has them.
fn many_pods(root: &Path, count: usize) -> Result<String, Failed> {
    let (cgroup, logs) = (root.join("cgroup"), root.join("log"));
    fs::create_dir_all(&cgroup)?;
    fs::create_dir_all(logs.join("containers"))?;
    fs::write(cgroup.join("cgroup.controllers"), "cpu memory pids io\n")?;
    for n in 0..count {
        // The first digits tell ids apart, as those of any runtime do.
        let (id, uid) = (format!("{:08x}{n:056x}", (n + 1) * 0x0100_7f3b), format!("00000000-0000-4000-8000-{n:012x}"));
        let (namespace, pod) = (format!("team-{}", n % 7), format!("recommendation-service-with-a-long-name-{n}-0"));
        let slice = format!("kubepods.slice/kubepods-pod{}.slice/cri-containerd-{id}.scope", uid.replace('-', "_"));
        let folder = cgroup.join(slice);
        fs::create_dir_all(&folder)?;
        for (file, text) in [
            (
                "cpu.stat",
                format!(
                    "usage_usec {}\nuser_usec 1\nsystem_usec 1\nnr_periods 1000\nnr_throttled {}\nthrottled_usec 5\n",
                    n * 1_000_000,
                    n % 3 * 200
                ),
            ),
            ("cpu.max", "200000 100000\n".to_owned()),
            ("cpu.weight", "79\n".to_owned()),
            ("memory.current", format!("{}\n", (n + 1) * (8 << 20))),
            ("memory.max", format!("{}\n", 2_u64 << 30)),
            ("memory.stat", "inactive_file 4096\nfile 8192\nanon 4096\n".to_owned()),
            ("memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n".to_owned()),
            ("cgroup.procs", String::new()),
        ] {
            fs::write(folder.join(file), text)?;
        }
        let of_pod = logs.join("pods").join(format!("{namespace}_{pod}_{uid}")).join("server");
        fs::create_dir_all(&of_pod)?;
        fs::write(of_pod.join("0.log"), "")?;
        let link = logs.join("containers").join(format!("{pod}_{namespace}_server-{id}.log"));
        std::os::unix::fs::symlink(of_pod.join("0.log"), link)?;
    }
    Ok(format!(
        "[collect]\ndisabled = [\"docker\", \"podman\", \"cri\"]\n[collect.cgroup]\nroot = \"{}\"\n[collect.pod_logs]\nroot = \"{}\"\n[rightsizing]\nmin_history = \"1m\"\n",
        cgroup.display(),
        logs.display(),
    ))
}

/// Thirty models, each with a reference and windows that are judged, every third of which drifts.
fn many_models(agent: &Agent, count: usize) -> Result<(), Failed> {
    let rows = |from: usize, to: usize, by: usize| {
        let row = |n: usize| {
            format!(
                "{{\"id\":\"{n}\",\"prediction\":{},\"score\":0.{},\"age\":{}}}\n",
                n % 2,
                n % 9 + 1,
                20 + by + n % 40
            )
        };
        (from..to).map(row).collect::<Vec<_>>().concat()
    };
    for n in 0..count {
        let of = format!("/v1/models/model-number-{n}");
        for (request, body) in [
            (format!("PUT {of}/reference"), rows(100_000, 100_400, 0)),
            (format!("POST {of}/samples"), rows(0, 300, if n % 3 == 0 { 30 } else { 0 })),
        ] {
            eventually(Duration::from_secs(20), || {
                let (status, answer) = agent.ask(&request, None, "application/x-ndjson", &body)?;
                check(status == 202, || format!("{request}: {status} {answer}"))
            })?;
        }
    }
    eventually(Duration::from_secs(120), || {
        let models = agent.json("/api/v1/models")?;
        let all = models["models"].as_array().cloned().unwrap_or_default();
        let judged = all.iter().filter(|model| !model["verdict"]["drift"].is_null()).count();
        check(judged == count, || format!("{judged} of {} models are judged", all.len()))
    })
}

/// What issue 14 calls a large node: opened, sorted and filtered.
fn of_a_large_node() -> Result<(), Failed> {
    const WORKLOADS: usize = 100;
    const MODELS: usize = 30;
    let folder = tempfile::tempdir()?;
    let gpus: Vec<Value> = (0..8).map(|n| gpu(n, n * 12, 30 << 30, &[])).collect();
    let node = Node::new(&gpus)?;
    let model = |n: usize| format!("[[model]]\nname = \"model-number-{n}\"\nwindow_rows = 100\nmin_rows = 50\n");
    let models = (0..MODELS).map(model).collect::<Vec<_>>().concat();
    let config = format!("{}{}{models}", Node::config(), many_pods(folder.path(), WORKLOADS)?);
    let agent = Agent::start(Options { config: &config, env: node.env(), ..Options::default() })?;
    many_models(&agent, MODELS)?;
    eventually(Duration::from_secs(60), || {
        let seen = agent.json("/api/v1/containers")?["containers"].as_array().map_or(0, Vec::len);
        check(seen == WORKLOADS, || format!("{seen} containers are seen"))
    })?;
    let home = format!("http://{}/", agent.address);
    let (status, page) = agent.get("/")?;
    check(status == 200 && page.len() < 300_000, || format!("{status}, {} bytes", page.len()))?;

    for (look_of, name) in [(DESK, "large-desk"), (TABLET, "large-tablet"), (PHONE, "large-phone")] {
        let browser = Browser::start(&look_of)?;
        let begun = Instant::now();
        browser.open(&home)?;
        check(begun.elapsed() < Duration::from_secs(5), || format!("{name}: opened after {:?}", begun.elapsed()))?;
        let counts = browser.script("return ['containers', 'models', 'gpus'].map(id => document.querySelectorAll(`#${id} table.sortable > tbody > tr`).length)")?;
        check(counts[0] == WORKLOADS && counts[1] == MODELS && counts[2] == 8, || format!("{name}: {counts}"))?;
        holds(&browser, name)?;
        look(&browser, name, look_of.width)?;
        let wrong = found(&browser)?;
        check(wrong.is_empty(), || format!("{name}: axe-core finds:\n{}", wrong.join("\n")))?;
    }
    let browser = Browser::start(&WIDE)?;
    browser.open(&home)?;
    // By memory, the largest first, then one of them by its name.
    let names = |browser: &Browser| {
        browser.script("return [...document.querySelectorAll('#containers tbody tr')].filter(r => !r.hidden).map(r => r.cells[0].innerText.split('\\n')[0])")
    };
    browser.click("#containers thead th:nth-child(3) button")?;
    let largest = names(&browser)?;
    check(largest[0].as_str().is_some_and(|name| name.contains("-99")), || format!("largest: {}", largest[0]))?;
    browser.click("#containers input[type=search]")?;
    for key in "name-42".chars() {
        browser.key(&key.to_string())?;
    }
    let found = names(&browser)?;
    check(found.as_array().is_some_and(|all| all.len() == 1), || format!("filtered: {found}"))?;
    let complaints = browser.complaints()?;
    check(complaints.is_empty(), || format!("{complaints:?}"))
}

/// Without a browser: a stream that says what is newer, and ends as soon as the agent is told to end.
fn who_listens_is_told_and_keeps_nobody_from_ending() -> Result<(), Failed> {
    let mut agent = Agent::with_defaults()?;
    let mut stream = TcpStream::connect(&agent.address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    write!(stream, "GET /live HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n\r\n", agent.address)?;
    let mut lines = BufReader::new(stream).lines();
    let mut told = 0;
    let begun = Instant::now();
    // Longer than the listener lets a connection be on which nothing is said.
    while begun.elapsed() < Duration::from_secs(25) {
        let line = lines.next().ok_or("the stream has ended")??;
        told += usize::from(line == "event: newer");
    }
    check(told >= 3, || format!("told of {told} newer snapshots in 25 s"))?;
    let begun = Instant::now();
    agent.signal("TERM")?;
    let status = agent.wait(Duration::from_secs(20))?;
    check(status.success() && begun.elapsed() < Duration::from_secs(5), || {
        format!("{status} after {:?}", begun.elapsed())
    })
}
