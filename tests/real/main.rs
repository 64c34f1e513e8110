//! The agent against real parts: Docker, Podman, Prometheus, an OTLP collector, DuckDB, Kubernetes.
//!
//! A part that is missing skips its tests, and they are listed. With `PLUMBLINE_REQUIRE_PARTS=1` (as in CI) a missing
//! part fails them instead.

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

use libtest_mimic::{Arguments, Failed, Trial};
use parts::Part;

/// One test: what it needs, its name, and what it does.
type Test = (&'static [Part], &'static str, fn() -> Result<(), Failed>);

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
    ]
    .concat();
    let required = std::env::var("PLUMBLINE_REQUIRE_PARTS").is_ok_and(|value| value == "1");
    let mut skipped = Vec::new();
    let mut trials: Vec<Trial> = tests
        .into_iter()
        .map(|(needs, name, test)| {
            let missing: Vec<String> = needs.iter().filter_map(|part| part.missing()).collect();
            if missing.is_empty() {
                Trial::test(name, test)
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
    conclusion.exit();
}
