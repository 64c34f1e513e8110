//! The page in a real Chromium: clicked through, at the width of a desk and of a phone, in light and dark, with and without script.

use std::path::PathBuf;
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::agent::{Agent, Options};
use crate::browser::{Browser, Look, PHONE, WIDE};
use crate::gpus::{Node, gpu};
use crate::parts::{Container, Part, check, eventually};

pub const TESTS: &[Test] = &[
    (&[Part::Chromium, Part::Docker], "page::a_reader_clicks_through_it", a_reader_clicks_through_it),
    (&[Part::Chromium], "page::empty_states_teach", empty_states_teach),
    (&[Part::Chromium], "page::a_reader_looks_back", a_reader_looks_back),
];

const GIB: u64 = 1 << 30;

/// Where the screenshots are, for a person to look at.
fn pictures() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// Keeps a screenshot; it must show something, at the width asked for.
pub fn look(browser: &Browser, name: &str, width: u32) -> Result<(), Failed> {
    let png = browser.screenshot()?;
    std::fs::write(pictures().join(format!("{name}.png")), &png)?;
    let wide = png.get(16..20).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    check(wide == Some(width), || format!("{name}: {wide:?} wide"))?;
    // One colour alone packs into far less.
    check(png.len() > 15_000, || format!("{name}: {} bytes, is it blank?", png.len()))
}

/// What must hold of any page at any width.
pub fn holds(browser: &Browser, name: &str) -> Result<(), Failed> {
    let none = |script: &str, what: &str| -> Result<(), Failed> {
        let found = browser.script(&format!(
            "return [...document.querySelectorAll('*')].filter({script}).map(e => e.outerHTML.slice(0, 200))"
        ))?;
        check(found.as_array().is_some_and(Vec::is_empty), || format!("{name}: {what}: {found}"))
    };
    let overflow =
        browser.script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")?;
    check(overflow == 0, || format!("{name}: the page is {overflow} px too wide"))?;
    none("e => e.matches('svg[role=img]') && !e.getAttribute('aria-label')", "a chart without words")?;
    none("e => e.tagName === 'TH' && !e.scope", "a head cell without a scope")?;
    none("e => e.id && document.querySelectorAll('#' + CSS.escape(e.id)).length > 1", "an id that is there twice")?;
    none(
        "e => e.matches('a[href^=\"#\"]') && !document.getElementById(e.getAttribute('href').slice(1))",
        "a link to nowhere",
    )?;
    none("e => e.matches('a') && !e.textContent.trim()", "a link without words")?;
    none("e => e.hasAttribute('style')", "a style of its own")?;
    none(
        "e => /NaN|undefined|Infinity|null/.test([...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data).join(' '))",
        "a value that is none",
    )?;
    let foreign = browser.script(
        "return performance.getEntriesByType('resource').map(r => r.name).filter(n => !n.startsWith(location.origin))",
    )?;
    check(foreign.as_array().is_some_and(Vec::is_empty), || format!("{name}: loads {foreign}"))?;
    // Text against what lies behind it, as WCAG 2.1 counts contrast.
    let faint = browser.script(CONTRAST)?;
    check(faint.as_array().is_some_and(Vec::is_empty), || format!("{name}: too faint: {faint}"))?;
    let complaints = browser.complaints()?;
    check(complaints.is_empty(), || format!("{name}: {complaints:?}"))
}

const CONTRAST: &str = r"
const rgb = (c) => c.match(/[\d.]+/g).map(Number);
const lum = ([r, g, b]) => { const f = (v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
const back = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
return [...document.querySelectorAll('body *')].filter((e) => e.offsetParent && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
  .map((e) => { const a = lum(rgb(getComputedStyle(e).color)), b = lum(back(e)); return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.textContent.slice(0, 40)]; })
  .filter(([ratio]) => ratio < 4.5);
";

fn a_reader_clicks_through_it() -> Result<(), Failed> {
    let labels = [
        "--cpus",
        "0.2",
        "-m",
        "64m",
        "--label",
        "plumbline.io/model=housing",
        "--label",
        "plumbline.io/stage=serving",
    ];
    let container = Container::start("page", &labels, &["sh", "-c", "while :; do :; done"])?;
    let pid: u32 = crate::parts::docker(&["inspect", "-f", "{{.State.Pid}}", &container.name])?.parse()?;
    let node = Node::new(&[gpu(0, 87, 30 * GIB, &[(pid, 30 * GIB)]), gpu(1, 0, 30 * GIB, &[(pid, 30 * GIB)])])?;
    let config = format!("{}[rightsizing]\nmin_history = \"1m\"\n", Node::config());
    let agent = Agent::demonstration_with(Options { config: &config, env: node.env(), ..Options::default() })?;
    let home = format!("http://{}/", agent.address);
    eventually(Duration::from_secs(90), || {
        let alerts = agent.json("/api/v1/alerts")?["alerts"].to_string();
        check(alerts.contains("ModelDrift"), || alerts)
    })?;

    let browser = Browser::start(&WIDE)?;
    browser.open(&home)?;
    let text = browser.text()?;
    for part in ["1 of 2", "housing: drift", "GPU 1", "held idle", &container.name, "serving", "Recommendations"] {
        check(text.contains(part), || format!("no `{part}`: {text}"))?;
    }
    // From what needs attention to the model, and back.
    browser.click("#attention a[href='/models/housing']")?;
    check(browser.url()?.ends_with("/models/housing"), || "not at the model".to_owned())?;
    let drawn = browser.script("return document.querySelectorAll('#features svg.overlay').length")?;
    check(drawn.as_u64() > Some(5), || format!("{drawn} features are drawn"))?;
    holds(&browser, "the model's page")?;
    look(&browser, "model-wide", 1280)?;
    browser.back()?;
    check(browser.url()? == home, || "the way back is lost".to_owned())?;

    // It lives: the time moves on by itself, and what a reader has opened stays open.
    browser.click("#alerts-rules summary")?;
    browser.script("document.activeElement.blur(); window.mark = 1")?;
    let as_of = browser.script("return document.getElementById('as-of').textContent")?;
    eventually(Duration::from_secs(10), || {
        let now = browser.script("return document.getElementById('as-of').textContent")?;
        check(now != as_of, || format!("still {as_of}"))
    })?;
    let open = browser.script("return document.getElementById('alerts-rules').open && window.mark === 1")?;
    check(open == true, || "the reader's place is lost".to_owned())?;
    eventually(Duration::from_secs(120), || {
        let patch = browser.script("return document.querySelectorAll('#recommendations details summary').length")?;
        let text = browser.text()?;
        check(patch.as_u64() > Some(0) && text.contains("docker") && text.contains("throttled in"), || text)
    })?;
    browser.click("#recommendations details summary")?;
    check(browser.text()?.contains("docker update --cpus"), || "no patch".to_owned())?;
    holds(&browser, "the first page")?;
    look(&browser, "page-wide", 1280)?;

    // By keyboard: the first stop leads past the head.
    browser.open(&home)?;
    browser.key("\u{e004}")?;
    let first = browser.script("return document.activeElement.className")?;
    check(first == "skip", || format!("the first stop is {first}"))?;
    drop(browser);

    for (look_of, name) in [
        (PHONE, "page-phone"),
        (Look { dark: true, ..WIDE }, "page-dark"),
        (Look { dark: true, ..PHONE }, "page-phone-dark"),
    ] {
        let browser = Browser::start(&look_of)?;
        browser.open(&home)?;
        holds(&browser, name)?;
        look(&browser, name, look_of.width)?;
        let dark = browser.script("return matchMedia('(prefers-color-scheme: dark)').matches")?;
        check(dark == look_of.dark, || format!("{name}: dark is {dark}"))?;
        browser.open(&format!("{home}models/housing"))?;
        holds(&browser, &format!("{name}, the model's page"))?;
    }

    // Without script it is whole all the same.
    let browser = Browser::start(&Look { script: false, ..WIDE })?;
    browser.open(&home)?;
    let text = browser.text()?;
    check(text.contains("housing: drift") && text.contains(&container.name), || text)
}

/// What the demonstration's node did: sorted, filtered, and looked at over time, at every width.
fn a_reader_looks_back() -> Result<(), Failed> {
    let agent = Agent::sample_node()?;
    eventually(Duration::from_secs(400), || {
        let review = agent.json("/api/v1/recommendations")?;
        let of = |name: &str| {
            let all = review["workloads"].as_array().into_iter().flatten();
            let mut named = all.filter(|of| of["workload"]["workload"]["name"] == name);
            named.next().and_then(|of| of["history"]["minutes"].as_u64()).unwrap_or(0)
        };
        let seen = of("postgres");
        check(seen > 13 * 1440, || format!("{seen} minutes of history"))
    })?;
    let home = format!("http://{}/", agent.address);
    let browser = Browser::start(&WIDE)?;
    browser.open(&home)?;
    let text = browser.text()?;
    for part in
        ["sample data", "Is each model right?", "Is each thing the right size?", "What does it cost, and waste?"]
    {
        check(text.contains(part), || format!("no `{part}`: {text}"))?;
    }
    let first = |section: &str| {
        browser.script(&format!("return [...document.querySelectorAll('#{section} tbody tr')].filter(r => !r.hidden).map(r => r.cells[0].innerText.split('\\n')[0])"))
    };
    // Sorted by a click, the other way by another; and what is asked for stays when the page is exchanged.
    browser.click("#recommendations thead th:nth-child(4) button")?;
    let most = first("recommendations")?;
    browser.click("#recommendations thead th:nth-child(4) button")?;
    let least = first("recommendations")?;
    let turned = most[0] != least[0] && most.as_array().map(Vec::len) == least.as_array().map(Vec::len);
    check(turned, || format!("{most} {least}"))?;
    browser.script("const input = document.querySelector('#containers input[type=search]'); input.value = 'checkout'; input.dispatchEvent(new Event('input')); document.activeElement.blur()")?;
    let found = first("containers")?;
    check(found.as_array().is_some_and(|found| found.len() == 1), || format!("filtered: {found}"))?;
    std::thread::sleep(Duration::from_secs(5));
    check(first("containers")? == found, || "the filter is lost with the next page".to_owned())?;
    check(first("recommendations")? == least, || "the order is lost with the next page".to_owned())?;
    holds(&browser, "the sample's first page")?;
    look(&browser, "sample-wide", 1280)?;
    // Over time: a day, then fourteen.
    browser.click("#containers tbody tr:not([hidden]) th a")?;
    check(browser.url()?.ends_with("/workloads/shop/Deployment/checkout/api"), || "not at the workload".to_owned())?;
    let charts = browser.script("return document.querySelectorAll('#time figure.course').length")?;
    check(charts == 3, || format!("{charts} charts"))?;
    // Two weeks are read in no time by a release build; this one is none.
    browser.click("#time .ranges a[href$='range=1h']")?;
    eventually(Duration::from_secs(30), || {
        let chosen = browser.script("return document.querySelector('#time .ranges .chosen').textContent + document.querySelectorAll('#time figure.course').length")?;
        // By night nothing is throttled, and then there is no course of it.
        check(chosen == "1 hour3" || chosen == "1 hour2", || chosen.to_string())
    })?;
    holds(&browser, "a workload's page")?;
    look(&browser, "workload-wide", 1280)?;
    browser.click("#change .copy button")?;
    eventually(Duration::from_secs(3), || {
        let said = browser.script("return document.querySelector('#change .copy button').textContent")?;
        check(said == "Copied", || said.to_string())
    })?;
    drop(browser);
    let gpu = agent.json("/api/v1/gpus")?["gpus"][2]["device"]["uuid"].as_str().unwrap_or_default().to_owned();
    for (look_of, name) in [
        (PHONE, "sample-phone"),
        (Look { width: 1024, ..WIDE }, "sample-tablet"),
        (Look { dark: true, ..WIDE }, "sample-dark"),
        (Look { script: false, ..WIDE }, "sample-plain"),
    ] {
        let browser = Browser::start(&look_of)?;
        for (page, path) in [
            ("home", String::new()),
            ("workload", "workloads/ml/Deployment/housing/server".to_owned()),
            ("gpu", format!("gpus/{gpu}?range=1h")),
        ] {
            browser.open(&format!("{home}{path}"))?;
            if look_of.script {
                holds(&browser, &format!("{name}, {page}"))?;
            }
            check(browser.text()?.contains("sample data"), || format!("{name}, {page}: does not say what it is"))?;
            look(&browser, &format!("{name}-{page}"), look_of.width)?;
        }
    }
    // What the page shows any program can ask for.
    let answer =
        agent.json("/api/v1/query?table=gpu_minute&columns=active,held_idle&by=gpu&since=1h&changes=containers")?;
    let series = answer["series"].as_array().map_or(0, Vec::len);
    check(series == 4 && answer["step_seconds"] == 60, || answer.to_string())?;
    let (status, why) = agent.get("/api/v1/query?table=gpu_minute&columns=active&since=soon")?;
    check(status == 400 && why.contains("since: `soon`"), || format!("{status} {why}"))
}

fn empty_states_teach() -> Result<(), Failed> {
    let agent =
        Agent::start(Options { config: "[collect]\ndisabled = [\"docker\", \"podman\"]\n", ..Options::default() })?;
    let browser = Browser::start(&PHONE)?;
    browser.open(&format!("http://{}/", agent.address))?;
    let text = browser.text()?;
    let curl = format!("curl http://{}/v1/models/my-model/samples", agent.address);
    for part in [&curl as &str, "libnvidia-ml.so.1", "plumbline report", "rules are active"] {
        check(text.contains(part), || format!("no `{part}`: {text}"))?;
    }
    // The line that it teaches works as it stands.
    let line = browser.script("return document.querySelector('#models code').textContent")?;
    let output = std::process::Command::new("sh").arg("-c").arg(line.as_str().unwrap_or_default()).output()?;
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    check(answer["accepted"] == 1, || answer.to_string())?;
    holds(&browser, "the empty page")?;
    browser.open(&format!("http://{}/models/nobody", agent.address))?;
    check(browser.text()?.contains("There is no model nobody"), || "no word of what is missing".to_owned())
}
