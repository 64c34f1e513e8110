//! The agent against real parts: Docker, Podman, Prometheus, an OTLP collector, DuckDB, Kubernetes.
//!
//! A part that is missing skips its tests, and they are listed. With `PLUMBLINE_REQUIRE_PARTS=1` (as in CI) a missing
//! part fails them instead.
//!
//! They run in real time on machines that others use too. With `PLUMBLINE_SECOND_TRY=1` (as in CI) what fails is tried once more, and
//! what only passes then is listed at the end with what was said first: a race is a fault, of the test or of the agent.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::float_cmp,
    clippy::print_stderr,
    reason = "tests live in real time, in a real environment, and report to a terminal"
)]

mod access;
mod agent;
mod alerts;
mod archive;
mod browser;
mod cluster;
mod containers;
mod cri;
mod daemonset;
mod dashboards;
mod deploy;
mod descriptions;
mod documents;
mod forwarding;
mod gpus;
mod history;
mod kernel_v2;
mod kserve;
mod kubernetes;
mod lifecycle;
mod logs;
mod mirror;
mod models;
mod openapi;
mod otlp;
mod page;
mod pages;
mod parts;
mod podman;
mod power;
mod profiles;
mod prometheus;
mod python;
mod reference;
mod repeats;
mod report;
mod rules;
mod shares;
mod terminal;
mod trustyai;
mod watch;
mod ways;

use std::panic::catch_unwind;
use std::sync::Mutex;

use libtest_mimic::{Arguments, Failed, Trial};
use parts::Part;

/// One test: what it needs, its name, and what it does.
type Test = (&'static [Part], &'static str, fn() -> Result<(), Failed>);

/// What passed at the second try alone, and what was said at the first.
static SECOND: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Runs a test, and once more if it fails.
fn twice(name: &str, test: fn() -> Result<(), Failed>) -> Result<(), Failed> {
    let tried = || catch_unwind(test).unwrap_or_else(|_| Err("it panicked: see above".into()));
    let Err(first) = tried() else { return Ok(()) };
    tried()?;
    let said = first.message().unwrap_or_default();
    SECOND.lock().expect("no poison").push(format!("  {name}: {said}"));
    Ok(())
}

fn main() {
    let mut arguments = Arguments::from_args();
    // Tests start containers and measure CPU: side by side on two cores they would measure each other.
    arguments.test_threads = Some(1);
    let tests: Vec<Test> = [
        reference::TESTS,
        lifecycle::TESTS,
        models::TESTS,
        shares::TESTS,
        repeats::TESTS,
        mirror::TESTS,
        forwarding::TESTS,
        access::TESTS,
        openapi::TESTS,
        profiles::TESTS,
        archive::TESTS,
        containers::TESTS,
        prometheus::TESTS,
        otlp::TESTS,
        podman::TESTS,
        cri::TESTS,
        kernel_v2::TESTS,
        power::TESTS,
        history::TESTS,
        gpus::TESTS,
        alerts::TESTS,
        page::TESTS,
        pages::TESTS,
        report::TESTS,
        documents::TESTS,
        terminal::TESTS,
        dashboards::TESTS,
        rules::TESTS,
        deploy::TESTS,
        kserve::TESTS,
        trustyai::TESTS,
        kubernetes::TESTS,
        daemonset::TESTS,
        watch::TESTS,
        descriptions::TESTS,
        python::TESTS,
        ways::TESTS,
        logs::TESTS,
    ]
    .concat();
    let set = |name: &str| std::env::var(name).is_ok_and(|value| value == "1");
    let (required, second_try) = (set("PLUMBLINE_REQUIRE_PARTS"), set("PLUMBLINE_SECOND_TRY"));
    let mut skipped = Vec::new();
    let mut trials: Vec<Trial> = tests
        .into_iter()
        .map(|(needs, name, test)| {
            let missing: Vec<String> = needs.iter().filter_map(|part| part.missing()).collect();
            if missing.is_empty() {
                Trial::test(name, move || if second_try { twice(name, test) } else { test() })
            } else if required {
                Trial::test(name, move || Err(format!("missing: {}", missing.join("; ")).into()))
            } else {
                skipped.push(format!("  {name}: {}", missing.join("; ")));
                Trial::test(name, test).with_ignored_flag(true)
            }
        })
        .collect();
    // Never a part of a run.
    if std::env::var_os("PLUMBLINE_CLUSTER").is_some() {
        trials.push(Trial::test("cluster::stands", cluster::stand));
    }
    if !skipped.is_empty() && !arguments.list {
        eprintln!("\nSKIPPED, for want of a real part to test against:\n{}", skipped.join("\n"));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    cluster::stop();
    let second = SECOND.lock().expect("no poison");
    if !second.is_empty() {
        eprintln!("\nPASSED AT THE SECOND TRY ALONE, which is a fault to mend:\n{}", second.join("\n"));
    }
    conclusion.exit();
}
