//! Tokens: the agent lets in who has one, does what it may, and does not listen to others without.

use std::fs;
use std::path::Path;
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::agent::{Agent, Options, command};
use crate::browser::{Browser, PHONE};
use crate::parts::{Part, check, command as run, eventually, free_port};

pub const TESTS: &[Test] = &[
    (&[], "access::nobody_listens_to_others_without_a_token", nobody_listens_to_others_without_a_token),
    (&[], "access::a_token_is_asked_for_and_its_file_is_read_again", a_token_is_asked_for_and_its_file_is_read_again),
    (&[], "access::a_model_is_described_with_a_token", a_model_is_described_with_a_token),
    (&[Part::Chromium], "access::a_person_signs_in", a_person_signs_in),
    (
        &[Part::Curl],
        "access::the_port_speaks_tls_and_its_certificate_is_renewed",
        the_port_speaks_tls_and_its_certificate_is_renewed,
    ),
    (&[Part::Curl], "access::clients_show_a_certificate", clients_show_a_certificate),
    (&[], "access::labels_go_on_over_tls_with_a_token", labels_go_on_over_tls_with_a_token),
];

/// A folder of tokens as the program makes it; and those to read, to write and to describe.
pub fn tokens(folder: &Path) -> Result<(String, [String; 3]), Failed> {
    let below = folder.join("tokens");
    let made = command().args(["tokens", "--output"]).arg(&below).output()?;
    check(made.status.success(), || String::from_utf8_lossy(&made.stderr).into_owned())?;
    let read = |name: &str| fs::read_to_string(below.join(name));
    Ok((below.join("tokens.toml").display().to_string(), [read("read")?, read("write")?, read("describe")?]))
}

fn with_tokens(file: &str, data: Option<&Path>) -> Result<Agent, Failed> {
    let data = data.map(Path::to_path_buf);
    Agent::start(Options { arguments: &["--tokens", file], data, ..Options::default() })
}

fn nobody_listens_to_others_without_a_token() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let listen = format!("0.0.0.0:{}", free_port());
    let data = folder.path().join("data").display().to_string();
    let refused = |arguments: &[&str]| -> Result<String, Failed> {
        let output = command().args(["agent", "--data", &data]).args(arguments).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        check(output.status.code() == Some(2), || format!("{arguments:?}: {:?} {said}", output.status))?;
        Ok(said)
    };
    let said = refused(&["--listen", &listen])?;
    check(said.contains("--tokens") && said.contains("insecure = true"), || said.clone())?;
    let config = folder.path().join("plumbline.toml");
    fs::write(&config, format!("[agent]\nlisten = \"{listen}\"\n"))?;
    let said = refused(&["--config", &config.display().to_string()])?;
    check(said.contains("plumbline.toml:2: agent.listen"), || said.clone())?;
    let broken = folder.path().join("tokens.toml");
    fs::write(&broken, "[[token]]\nname = \"a\"\ntoken = \"sesame-sesame-sesame\"\nmay = [\"raed\"]\n")?;
    let said = refused(&["--listen", &listen, "--tokens", &broken.display().to_string()])?;
    check(said.contains("raed") && !said.contains("sesame"), || said.clone())?;
    // Written out, it does.
    let open = Agent::start(Options { arguments: &["--insecure"], ..Options::default() })?;
    check(open.get("/metrics")?.0 == 200, || "everybody is let in".to_owned())
}

fn a_token_is_asked_for_and_its_file_is_read_again() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let (file, [read, write, _]) = tokens(folder.path())?;
    let agent = with_tokens(&file, None)?;
    let status = |request: &str, token: Option<&str>| agent.ask(request, token, "", "").map(|(status, _)| status);
    let rows = |token: Option<&str>| {
        let row = r#"{"id":"a","prediction":1,"x":0.5}"#;
        agent.ask("POST /v1/models/m/samples", token, "application/x-ndjson", row).map(|(status, _)| status)
    };
    eventually(Duration::from_secs(10), || check(rows(Some(&write))? == 202, || "not taken".to_owned()))?;
    for (came, expected) in [
        (status("GET /metrics", None)?, 401),
        (status("GET /metrics", Some(&read))?, 200),
        (status("GET /metrics", Some(&write))?, 403),
        (status("GET /readyz", None)?, 200),
        (rows(None)?, 401),
        (rows(Some(&read))?, 403),
    ] {
        check(came == expected, || format!("{came} and not {expected}"))?;
    }
    eventually(Duration::from_secs(5), || {
        check(status("GET /api/v1/models/m", Some(&read))? == 200, || "the model is not shown".to_owned())
    })?;
    let health: Value = serde_json::from_str(&agent.ask("GET /healthz", None, "", "")?.1)?;
    check(health.as_object().is_some_and(|health| health.len() == 1) && health["status"].is_string(), || {
        format!("a probe is told how it is, and no more: {health}")
    })?;
    let health: Value = serde_json::from_str(&agent.ask("GET /healthz", Some(&read), "", "")?.1)?;
    check(health["collectors"].is_object(), || health.to_string())?;
    let metrics = agent.ask("GET /metrics", Some(&read), "", "")?.1;
    check(metrics.contains("plumbline_access_refused_total{reason=\"right\"} 2"), || {
        metrics.lines().filter(|line| line.contains("access")).collect::<Vec<_>>().join("\n")
    })?;
    // Another token takes its place within moments; one that cannot be read changes nothing.
    let text = fs::read_to_string(&file)?;
    let other = format!("other-{read}");
    fs::write(&file, text.replace(&read, &other))?;
    eventually(Duration::from_secs(15), || {
        check(status("GET /metrics", Some(&other))? == 200 && status("GET /metrics", Some(&read))? == 401, || {
            "the old one still counts".to_owned()
        })
    })?;
    fs::write(&file, "nonsense")?;
    eventually(Duration::from_secs(15), || {
        let health: Value = serde_json::from_str(&agent.ask("GET /healthz", Some(&other), "", "")?.1)?;
        check(health["access"].to_string().contains("tokens.toml"), || health.to_string())
    })?;
    check(status("GET /metrics", None)? == 401, || "a broken file lets nobody in".to_owned())?;
    let told = agent.log() + &agent.printed();
    check(![&read, &write, &other].iter().any(|token| told.contains(token.as_str())), || told.clone())
}

fn a_model_is_described_with_a_token() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let (file, [read, write, describe]) = tokens(folder.path())?;
    let agent = with_tokens(&file, Some(&data))?;
    let put = |agent: &Agent, token: &str, text: &str| {
        agent.ask("PUT /v1/models/churn/description?namespace=shop", Some(token), "application/toml", text)
    };
    let text = "[[model]]\nname = \"churn\"\nid = \"request\"\nprediction = \"verdict\"\n";
    check(put(&agent, &write, text)?.0 == 403, || "to send is not to describe".to_owned())?;
    let (status, why) = put(&agent, &describe, &text.replace("prediction", "predicton"))?;
    check(status == 422 && why.contains("\"line\":4") && why.contains("did you mean `prediction`"), || why.clone())?;
    let (status, why) = put(&agent, &describe, text)?;
    check(status == 201, || format!("{status}: {why}"))?;
    // Rows by the names of the description are taken, and shown by it.
    let took = |agent: &Agent| -> Result<(), Failed> {
        let row = "{\"request\":\"a\",\"verdict\":1,\"x\":0.5}";
        let came =
            agent.ask("POST /v1/models/churn/samples?namespace=shop", Some(&write), "application/x-ndjson", row)?;
        check(came.0 == 202, || format!("{came:?}"))?;
        eventually(Duration::from_secs(10), || {
            let model = agent.ask("GET /api/v1/models/churn?namespace=shop", Some(&read), "", "")?.1;
            let model: Value = serde_json::from_str(&model)?;
            let features = model["features"].to_string();
            check(!features.contains("verdict") && !features.contains("request"), || model.to_string())
        })
    };
    eventually(Duration::from_secs(10), || took(&agent))?;
    drop(agent);
    let again = with_tokens(&file, Some(&data))?;
    let (status, all) = again.ask("GET /v1/models/churn/description?namespace=shop", Some(&read), "", "")?;
    check(status == 200 && all.contains("\"in_force\":true") && all.contains("\"kind\":\"api\""), || all.clone())?;
    eventually(Duration::from_secs(10), || took(&again))?;
    let remove = || again.ask("DELETE /v1/models/churn/description?namespace=shop", Some(&describe), "", "");
    check(remove()?.0 == 204 && remove()?.0 == 404, || "it was there once".to_owned())
}

fn a_person_signs_in() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let (file, [read, write, _]) = tokens(folder.path())?;
    let agent = with_tokens(&file, None)?;
    let browser = Browser::start(&PHONE)?;
    let home = format!("http://{}", agent.address);
    browser.open(&format!("{home}/models/none"))?;
    check(browser.url()?.starts_with(&format!("{home}/sign-in?to=")), || "sent to the form".to_owned())?;
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("sign-in.png"), browser.screenshot()?)?;
    let give = |token: &str| -> Result<(), Failed> {
        browser.script(&format!("document.querySelector('#token').value = '{token}'"))?;
        browser.click("main button")
    };
    give(&write)?;
    eventually(Duration::from_secs(5), || {
        let text = browser.text()?;
        check(text.contains("no right to read"), || text.clone())
    })?;
    give(&read)?;
    eventually(Duration::from_secs(5), || {
        let (url, text) = (browser.url()?, browser.text()?);
        check(url == format!("{home}/models/none") && text.contains("There is no model"), || format!("{url}: {text}"))
    })?;
    browser.open(&home)?;
    // The page goes on by itself, by the session.
    let before = browser.script("return document.getElementById('as-of').dateTime")?;
    eventually(Duration::from_secs(30), || {
        let now = browser.script("return document.getElementById('as-of').dateTime")?;
        check(now != before, || "it stands still".to_owned())
    })?;
    let cookie = browser.script("return document.cookie")?;
    check(cookie == "", || format!("a script reads {cookie}"))?;
    browser.click("footer button")?;
    eventually(Duration::from_secs(5), || {
        browser.open(&home)?;
        let url = browser.url()?;
        check(url.contains("/sign-in"), || url.clone())
    })
}

/// A certificate for this machine in a folder, which is its own authority, and its key: both paths.
pub fn certificate(folder: &Path, name: &str) -> Result<[String; 2], Failed> {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    let [certificate, key] = ["crt", "key"].map(|end| folder.join(format!("{name}.{end}")));
    fs::write(&certificate, pair.cert.pem())?;
    fs::write(&key, pair.signing_key.serialize_pem())?;
    Ok([certificate, key].map(|path| path.display().to_string()))
}

fn with_tls(more: &str, [certificate, key]: &[String; 2], arguments: &[&str]) -> Result<Agent, Failed> {
    let config = format!("[access]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n{more}");
    Agent::start(Options { config: &config, arguments, ..Options::default() })
}

fn curl(agent: &Agent, authority: &str, more: &[&str]) -> Result<String, Failed> {
    let address = format!("https://{}/readyz", agent.address);
    run("curl", &[&["-sS", "--max-time", "5", "--cacert", authority][..], more, &[&address]].concat())
}

fn the_port_speaks_tls_and_its_certificate_is_renewed() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let (served, next) = (certificate(folder.path(), "served")?, certificate(folder.path(), "next")?);
    let before = folder.path().join("before.crt").display().to_string();
    fs::copy(&served[0], &before)?;
    let agent = with_tls("", &served, &[])?;
    eventually(Duration::from_secs(10), || curl(&agent, &before, &[]).map(drop))?;
    check(agent.get("/readyz").is_err(), || "it speaks without TLS, too".to_owned())?;
    check(curl(&agent, &next[0], &[]).is_err(), || "another authority's".to_owned())?;
    // Who connects and says nothing holds nobody up.
    let silent: Vec<_> = (0..20).map(|_| std::net::TcpStream::connect(&agent.address)).collect::<Result<_, _>>()?;
    curl(&agent, &before, &[])?;
    drop(silent);
    // Half of a pair is wrong, and changes nothing; the whole pair is the new one.
    fs::copy(&next[0], &served[0])?;
    std::thread::sleep(Duration::from_secs(7));
    curl(&agent, &before, &[])?;
    check(agent.log().contains("The certificate cannot be renewed"), || agent.log())?;
    fs::copy(&next[1], &served[1])?;
    eventually(Duration::from_secs(15), || curl(&agent, &next[0], &[]).map(drop))?;
    check(curl(&agent, &before, &[]).is_err(), || "the old one is still served".to_owned())
}

fn clients_show_a_certificate() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let (served, client) = (certificate(folder.path(), "served")?, certificate(folder.path(), "client")?);
    let stranger = certificate(folder.path(), "stranger")?;
    let agent = with_tls(&format!("client_authority = \"{}\"\n", client[0]), &served, &[])?;
    let shown = |[certificate, key]: &[String; 2]| curl(&agent, &served[0], &["--cert", certificate, "--key", key]);
    eventually(Duration::from_secs(10), || shown(&client).map(drop))?;
    check(shown(&stranger).is_err(), || "a certificate of somebody else's".to_owned())?;
    check(curl(&agent, &served[0], &[]).is_err(), || "no certificate".to_owned())
}

fn labels_go_on_over_tls_with_a_token() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let served = certificate(folder.path(), "served")?;
    let (file, [read, write, _]) = tokens(folder.path())?;
    let second = with_tls("", &served, &["--tokens", &file])?;
    let settings = |token: &str| -> Result<String, Failed> {
        let path = folder.path().join("token");
        fs::write(&path, token)?;
        let address = second.address.replace("127.0.0.1", "localhost");
        let (path, authority) = (path.display(), &served[0]);
        Ok(format!(
            "[forward]\nagents = [\"https://{address}\"]\ntoken_file = \"{path}\"\ncertificate = \"{authority}\"\n"
        ))
    };
    let first = Agent::start(Options { config: &settings(&read)?, ..Options::default() })?;
    let label = "{\"id\":\"a\",\"label\":1}";
    eventually(Duration::from_secs(10), || {
        let (status, _, answer) = first.send("POST /v1/models/m/labels", "application/x-ndjson", label.as_bytes())?;
        check(status == 202, || answer.to_string())
    })?;
    let health = || -> Result<Value, Failed> { Ok(first.json("/healthz")?["forwarding"].clone()) };
    eventually(Duration::from_secs(20), || {
        let health = health()?;
        check(health.to_string().contains("403"), || format!("a token to read is none to write: {health}"))
    })?;
    settings(&write)?;
    eventually(Duration::from_secs(90), || {
        let health = health()?;
        check(health["sent"] == 1, || health.to_string())
    })?;
    drop(second);
    Ok(())
}
