//! The documents that people forward, the drift report and the capacity review, in a real Chromium: at the width of a desk, of a window and
//! of a phone, light and dark, and on A4.

use std::fmt::Write as _;
use std::path::Path;

use jiff::Timestamp;
use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::Test;
use crate::agent::command;
use crate::browser::{Browser, Look};
use crate::page::holds;
use crate::parts::{Part, check, command as run, python};
use crate::report::fill;

pub const TESTS: &[Test] = &[
    (&[Part::Chromium], "documents::a_drift_report_is_read_and_printed", a_drift_report_is_read_and_printed),
    (&[Part::Chromium], "documents::a_capacity_review_is_read_and_printed", a_capacity_review_is_read_and_printed),
    (&[Part::Schemathesis], "documents::a_review_keeps_to_its_schema", a_review_keeps_to_its_schema),
];

/// At these widths everything is looked at, in light and in dark.
const LOOKS: [(u32, bool); 4] = [(1440, false), (1100, false), (1100, true), (390, false)];
/// An A4 page without its margins, in pixels of a screen.
const A4: u32 = 687;

fn done(arguments: &[&str]) -> Result<String, Failed> {
    let output = command().args(arguments).output()?;
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    check(output.status.success(), || format!("{arguments:?}: {errors}"))?;
    Ok(out.into_owned())
}

/// What is wider than its place is cut off, or asks to be scrolled.
fn nothing_is_cut_off(browser: &Browser, what: &str) -> Result<(), Failed> {
    let over = browser.script(
        "const wide = document.documentElement.clientWidth; return [...document.querySelectorAll('body *')].filter(e => \
         !e.closest('svg svg') && e.getBoundingClientRect().width > 0 && (e.getBoundingClientRect().right > wide + 1 \
         || (e.matches('.wide, pre, td, th') && e.scrollWidth > e.clientWidth + 1))).map(e => e.outerHTML.slice(0, 160))",
    )?;
    check(over.as_array().is_some_and(Vec::is_empty), || format!("{what}: cut off: {over}"))
}

/// The document holds at every width and on paper, and loads nothing.
fn is_well_made(file: &Path, name: &str) -> Result<(), Failed> {
    let html = std::fs::read_to_string(file)?;
    check(!html.contains("<script") && !html.contains("http://") && !html.contains("https://"), || {
        format!("{name} loads something")
    })?;
    let address = format!("file://{}", file.display());
    for (width, dark) in LOOKS {
        let browser = Browser::start(&Look { width, height: 1400, dark, script: true })?;
        browser.open(&address)?;
        let what = format!("{name} at {width} px{}", if dark { ", dark" } else { "" });
        holds(&browser, &what)?;
        // A phone scrolls a table; a window does not.
        if width >= 1100 {
            nothing_is_cut_off(&browser, &what)?;
        }
        let picture = format!("{name}-{width}{}.png", if dark { "-dark" } else { "" });
        std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(picture), browser.screenshot()?)?;
    }
    let browser = Browser::start(&Look { width: A4, height: 1000, dark: false, script: true })?;
    browser.open(&address)?;
    browser.tools("Emulation.setEmulatedMedia", &json!({ "media": "print" }))?;
    nothing_is_cut_off(&browser, &format!("{name} on A4"))?;
    let paper = browser.tools("Page.printToPDF", &json!({ "paperWidth": 8.27, "paperHeight": 11.69 }))?;
    let pdf = paper["data"].as_str().unwrap_or_default();
    check(pdf.starts_with("JVBER") && pdf.len() > 20_000, || format!("{name}: no PDF: {} characters", pdf.len()))
}

/// Rows of two sides: an id that counts on, two columns that go together until they do not, categories that come and go, and a model that
/// does worse.
fn rows(later: bool) -> String {
    let mut text = String::from(
        "order_id,at,amount,twice_the_amount,a_column_with_a_name_that_is_longer_than_any_table_would_like,channel,y,p,score\n",
    );
    for i in 0..3000_u32 {
        let id = if later { i + 3000 } else { i };
        let chance = |by: u32| f64::from(i.wrapping_mul(by).wrapping_add(id.wrapping_mul(7)) % 10_007) / 10_007.0;
        let amount = chance(7919) * 100.0;
        let twice = if later { chance(104_729) * 200.0 } else { amount * 2.0 };
        let channel = match (i % 5, later) {
            (0, false) => "fax",
            (0, true) => "agent, by voice",
            (1, _) => "shop",
            _ => "web",
        };
        let truth = u32::from(chance(31) < 0.4);
        let right = chance(911) < if later { 0.65 } else { 0.95 };
        let p = if right { truth } else { 1 - truth };
        let score = if p == 1 { 0.5 + chance(13) / 2.0 } else { chance(13) / 2.0 };
        let missing = if later && i % 4 == 0 { String::new() } else { format!("{:.3}", chance(617)) };
        let at = Timestamp::from_second(1_780_000_000 + i64::from(id) * 600).unwrap_or_default();
        let _ = writeln!(text, "{id},{at},{amount:.3},{twice:.3},{missing},\"{channel}\",{truth},{p},{score:.4}");
    }
    text
}

fn a_drift_report_is_read_and_printed() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (reference, current, page) = (path("reference.csv"), path("current.csv"), path("drift.html"));
    std::fs::write(&reference, rows(false))?;
    std::fs::write(&current, rows(true))?;
    let words = ["drift", "--reference", &reference, "--current", &current, "--timestamp", "at", "--window", "1d"];
    let roles = ["--label", "y", "--prediction", "p", "--score", "score", "--multivariate"];
    done(&[&words[..], &roles, &["--format", "html", "--output", &page]].concat())?;
    is_well_made(Path::new(&page), "drift")?;

    let browser = Browser::start(&Look { width: 1100, height: 1400, dark: false, script: true })?;
    browser.open(&format!("file://{page}"))?;
    let text = browser.text()?;
    for part in [
        "drift: ",
        "order_id is left out: it names rows",
        "Correlations that broke",
        "All columns together",
        "agent, by voice",
        "Over time",
        "Worse, for certain and by more than the margin.",
    ] {
        check(text.contains(part), || format!("no `{part}`: {text}"))?;
    }
    let order =
        browser.script("return [...document.querySelectorAll('#index ~ .wide tbody th')].map(e => e.innerText)")?;
    let first = order[0].as_str().unwrap_or_default();
    check(!order.to_string().contains("order_id") && !first.starts_with("amount"), || order.to_string())?;
    // From the index to a column, and to what was tested.
    browser.click("#index ~ .wide tbody tr:first-child a")?;
    let at = browser.script("return document.querySelector('article:target h3').innerText")?;
    let column = at.as_str().and_then(|at| at.split_whitespace().next()).unwrap_or("nothing");
    check(first.starts_with(column), || format!("{at} and not {first}"))?;
    browser.click("article:target summary")?;
    let open = browser.script("return document.querySelector('article:target details').innerText")?;
    check(open.as_str().is_some_and(|open| open.contains("psi") && open.contains("chi-squared")), || open.to_string())?;
    let bins = browser.script("return document.querySelectorAll('article svg.distribution').length")?;
    check(bins.as_u64() > Some(4), || format!("{bins} columns are drawn"))?;
    // Asked for, it is compared all the same.
    let json = done(&[&words[..], &["--include", "order_id", "--format", "json"]].concat())?;
    let found: Value = serde_json::from_str(&json)?;
    let drifted = found["summary"]["drifted_features"].to_string();
    check(drifted.contains("order_id"), || drifted)
}

fn a_capacity_review_is_read_and_printed() -> Result<(), Failed> {
    let data = tempfile::tempdir()?;
    let folder = data.path().display().to_string();
    let end = Timestamp::from_second(Timestamp::now().as_second().div_euclid(60) * 60)?;
    fill(data.path(), end)?;
    let page = data.path().join("review.html");
    let shown = page.display().to_string();
    done(&["report", "--data", &folder, "--since", "36h", "--format", "html", "--output", &shown])?;
    is_well_made(&page, "review")?;
    let browser = Browser::start(&Look { width: 1440, height: 1400, dark: false, script: true })?;
    browser.open(&format!("file://{shown}"))?;
    let text = browser.text()?;
    for part in
        ["What is wasted?", "What is at risk?", "The changes worth most", "a year", "Since the review of", "as before"]
    {
        check(text.contains(part), || format!("no `{part}`: {text}"))?;
    }
    // The most expensive waste is the GPU; a click on a workload's change leads to its charts.
    let changes =
        browser.script("return [...document.querySelectorAll('#first ~ .wide tbody th')].map(e => e.innerText)")?;
    check(changes[0].as_str().is_some_and(|first| first.contains("GPU 0")), || changes.to_string())?;
    browser.click("#first ~ .wide tbody a[href^='#w-']")?;
    let charts = browser.script("return document.querySelectorAll('article:target figure.course svg.chart').length")?;
    check(charts == 2, || format!("{charts} charts"))?;
    let lines = browser.script("return document.querySelectorAll('article:target .line.proposal').length")?;
    check(lines.as_u64() >= Some(2), || format!("{lines} proposals are drawn"))?;
    let ribbon = browser.script("return document.querySelectorAll('#gpus ~ figure svg.strip rect').length")?;
    check(ribbon.as_u64() > Some(30), || format!("{ribbon} hours in the ribbon"))
}

fn a_review_keeps_to_its_schema() -> Result<(), Failed> {
    let data = tempfile::tempdir()?;
    let folder = data.path().display().to_string();
    let end = Timestamp::from_second(Timestamp::now().as_second().div_euclid(60) * 60)?;
    fill(data.path(), end)?;
    let path = |name: &str| data.path().join(name).display().to_string();
    let (earlier, review, schema) = (path("earlier.json"), path("review.json"), path("schema.json"));
    let json = ["--data", &folder, "--format", "json", "--output"];
    done(&[&["report"], &json[..], &[&earlier, "--since", "60h", "--until", "30h"]].concat())?;
    done(&[&["report"], &json[..], &[&review, "--since", "30h", "--previous", &earlier]].concat())?;
    std::fs::write(&schema, done(&["report", "--schema"])?)?;
    let held = "import json, sys, jsonschema_rs\n\
                schema, *files = [json.load(open(name)) for name in sys.argv[1:]]\n\
                validator = jsonschema_rs.validator_for(schema)\n\
                for file in files: validator.validate(file)\n\
                assert not validator.is_valid({**files[0], 'totals': None})";
    run(python(), &["-c", held, &schema, &earlier, &review])?;
    let review: Value = serde_json::from_str(&std::fs::read_to_string(&review)?)?;
    let changed = &review["changed"];
    check(changed["cost"]["before"].is_number() && changed["came"] == json!([]), || changed.to_string())?;
    // What is no review is told.
    std::fs::write(&earlier, "{\"totals\": 1}")?;
    let output = command().args(["report", "--data", &folder, "--previous", &earlier]).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    check(output.status.code() == Some(2) && said.contains("is no review as"), || format!("{:?} {said}", output.status))
}
