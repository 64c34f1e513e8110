//! The server held to its own OpenAPI document by schemathesis: what it says is taken is taken, what it does not say is refused, and every
//! answer is one of those that it names.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use libtest_mimic::Failed;

use crate::Test;
use crate::access::tokens;
use crate::agent::{Agent, Options};
use crate::parts::{Part, check, eventually, python};

pub const TESTS: &[Test] = &[
    (&[Part::Schemathesis], "openapi::the_document_holds_with_a_token", the_document_holds_with_a_token),
    (&[Part::Schemathesis], "openapi::the_document_holds_without_a_token", the_document_holds_without_a_token),
    (&[Part::Schemathesis], "openapi::strangers_get_what_the_document_says", strangers_get_what_the_document_says),
];

/// A model with rows, labels, a reference and judged windows, which the document's examples name.
fn with_data(options: Options<'_>) -> Result<Agent, Failed> {
    let token = options.token.clone();
    let config = "[[model]]\nname = \"iris\"\nwindow_rows = 50\nmin_rows = 20\n";
    let agent = Agent::start(Options { config, ..options })?;
    let rows = |from: usize, to: usize| {
        let row = |n: usize| {
            format!("{{\"id\":\"{n}\",\"prediction\":{},\"score\":0.{},\"age\":{}}}\n", n % 2, n % 9 + 1, 20 + n % 40)
        };
        (from..to).map(row).collect::<Vec<_>>().concat()
    };
    let labels: String = (0..200)
        .map(|n| format!("{{\"id\":\"{n}\",\"label\":{}}}\n", (n + n % 7 / 6) % 2))
        .collect::<Vec<_>>()
        .concat();
    let send = |request: &str, body: &str| {
        let (status, answer) = agent.ask(request, token.as_deref(), "application/x-ndjson", body)?;
        check(status == 202, || format!("{request}: {status} {answer}"))
    };
    eventually(Duration::from_secs(10), || send("PUT /v1/models/iris/reference", &rows(1000, 1400)))?;
    send("POST /v1/models/iris/samples", &rows(0, 200))?;
    send("POST /v1/models/iris/labels", &labels)?;
    eventually(Duration::from_secs(30), || {
        let model = agent.ask("GET /api/v1/models/iris", token.as_deref(), "", "")?.1;
        check(model.contains("\"latest\":{"), || format!("no window is judged: {model}"))
    })?;
    Ok(agent)
}

/// The document as the agent serves it.
fn served(agent: &Agent, token: Option<&str>) -> Result<String, Failed> {
    let (status, document) = agent.ask("GET /openapi.json", token, "", "")?;
    check(status == 200, || format!("{status} {document}"))?;
    Ok(document)
}

/// Every check, on so many examples an operation.
fn held(agent: &Agent, document: &str, token: Option<&str>, phases: &str) -> Result<String, Failed> {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/schemathesis.toml");
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("openapi.json");
    std::fs::write(&path, document)?;
    let mut command = Command::new(python());
    let hooks = config.with_file_name("schemathesis_hooks.py");
    command
        .current_dir(folder.path())
        .env("HYPOTHESIS_STORAGE_DIRECTORY", folder.path())
        .env("SCHEMATHESIS_HOOKS", hooks);
    command.args(["-m", "schemathesis.cli", "--config-file"]).arg(&config).arg("run");
    command.arg(path);
    command.arg("--url").arg(format!("http://{}", agent.address));
    command.args(["--phases", phases, "--checks", "all", "--max-examples", "15", "--seed", "7", "--no-color"]);
    if let Some(token) = token {
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    check(output.status.success(), || format!("{said}\nthe agent's log:\n{}", agent.log()))?;
    let (status, health) = agent.ask("GET /healthz", token, "", "")?;
    check(status == 200 && !agent.log().contains("bug in plumbline"), || format!("{health}\n{}", agent.log()))?;
    Ok(said)
}

fn the_document_holds_with_a_token() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let (file, [read, write, describe]) = tokens(folder.path())?;
    // One token that may do everything, as schemathesis sends one.
    let text = std::fs::read_to_string(&file)?;
    let all = "one-token-for-everything-of-this-test";
    std::fs::write(
        &file,
        format!("{text}\n[[token]]\nname = \"all\"\ntoken = \"{all}\"\nmay = [\"read\", \"write\", \"describe\"]\n"),
    )?;
    let agent =
        with_data(Options { arguments: &["--tokens", &file], token: Some(all.to_owned()), ..Options::default() })?;
    held(&agent, &served(&agent, Some(all))?, Some(all), "examples,coverage,fuzzing,stateful")?;
    let told = agent.log() + &agent.printed();
    check(![all, &read, &write, &describe].iter().any(|token| told.contains(*token)), || "a token is told".to_owned())
}

fn the_document_holds_without_a_token() -> Result<(), Failed> {
    let agent = with_data(Options::default())?;
    held(&agent, &served(&agent, None)?, None, "examples,coverage,fuzzing,stateful").map(drop)
}

fn strangers_get_what_the_document_says() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let (file, [read, ..]) = tokens(folder.path())?;
    let agent = Agent::start(Options { arguments: &["--tokens", &file], ..Options::default() })?;
    let document = served(&agent, Some(&read))?;
    held(&agent, &document, None, "examples,coverage").map(drop)
}
