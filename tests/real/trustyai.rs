//! In the place of TrustyAI: a model behind KServe's server over gRPC, whose halves of predictions come as ModelMesh posts them, with
//! training data and ground truth as TrustyAI takes them; and the figures that its dashboards ask for.

use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::agent::{Agent, Options};
use crate::parts::{Part, check, command, eventually, free_port, python};

pub const TESTS: &[Test] =
    &[(&[Part::KServe], "trustyai::what_is_sent_to_it_is_taken_and_its_figures_are_ours", what_is_sent_to_it_is_taken)];

const CONFIG: &str = r#"
[export.prometheus]
trustyai = "python"

[[model]]
name = "loans"
namespace = "shop"
task = "classification"
favourable = "1"
window_rows = 400
min_rows = 100
protected = [{ column = "sex", privileged = "m" }]
"#;

fn what_is_sent_to_it_is_taken() -> Result<(), Failed> {
    let agent = Agent::start(Options { config: CONFIG, ..Options::default() })?;
    let script = format!("{}/tests/serving/mesh.py", env!("CARGO_MANIFEST_DIR"));
    let url = format!("http://{}", agent.address);
    let output = command(python(), &[&script, &free_port().to_string(), &url, "shop"])?;
    let told: Value = serde_json::from_str(output.lines().last().unwrap_or_default())?;
    check(told["told"].as_str().is_some_and(|text| text.contains("1000 datapoints")), || told.to_string())?;
    let model = eventually(Duration::from_secs(20), || {
        let model = agent.model("loans?namespace=shop")?;
        let counts = &model["counts"];
        let all = counts["samples"] == 400 && counts["labels"] == 400 && counts["unmatched"] == 0;
        check(all && model["latest"]["performance"]["rows"] == 400, || format!("{counts} {}", agent.log()))?;
        Ok(model)
    })?;
    check(model["reference"]["rows"] == 1000, || model["reference"].to_string())?;
    let near = |found: Option<f64>, wanted: &Value, what: &str| {
        let close = found.zip(wanted.as_f64()).is_some_and(|(found, wanted)| (found - wanted).abs() < 1e-12);
        check(close, || format!("{what} is {found:?}, not {wanted}"))
    };
    near(model["latest"]["performance"]["accuracy"].as_f64(), &told["accuracy"], "the accuracy")?;
    eventually(Duration::from_secs(20), || {
        let metrics = agent.get("/metrics")?.1;
        let value = |name: &str, label: &str| {
            let line = metrics.lines().find(|line| line.starts_with(&format!("{name}{{")) && line.contains(label))?;
            line.rsplit_once(' ')?.1.parse::<f64>().ok()
        };
        let women = "privileged=\"m\",unprivileged=\"f\"";
        near(value("trustyai_spd", women), &told["spd"], "trustyai_spd")?;
        near(value("trustyai_dir", women), &told["dir"], "trustyai_dir")?;
        near(value("trustyai_kstest", "subcategory=\"amount\""), &told["kstest"], "trustyai_kstest")
    })?;
    let events = agent.json("/healthz")?["events"].clone();
    check(events["left_out"]["failed"] == 1 && events["waiting"] == 0, || events.to_string())
}
