//! Start, reload, end; and the commands that only print. Most need no part but a Linux host.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use plumbline::collect::COLLECTORS;
use serde_json::Value;

use crate::Test;
use crate::agent::{Agent, Options, command};
use crate::parts::{Container, Part, check, eventually};

pub const TESTS: &[Test] = &[
    (&[], "lifecycle::check_names_file_line_and_field", check_names_file_line_and_field),
    (&[], "lifecycle::once_prints_json", once_prints_json),
    (&[], "lifecycle::sigterm_and_ctrl_c_end_with_0", sigterm_and_ctrl_c_end_with_0),
    (&[], "lifecycle::sighup_swaps_whole_or_not_at_all", sighup_swaps_whole_or_not_at_all),
    (&[], "lifecycle::a_silent_engine_holds_nothing_up", a_silent_engine_holds_nothing_up),
    (&[Part::Docker], "lifecycle::a_redirect_is_refused", a_redirect_is_refused),
    (&[], "lifecycle::a_taken_port_is_told", a_taken_port_is_told),
    (&[], "lifecycle::first_metrics_wait_for_no_tick", first_metrics_wait_for_no_tick),
    (&[], "lifecycle::every_route_answers", every_route_answers),
    (&[], "lifecycle::half_open_requests_do_not_shut_health_out", half_open_requests_do_not_shut_health_out),
    (&[], "lifecycle::a_foreign_page_is_refused", a_foreign_page_is_refused),
    (&[], "lifecycle::idle_connections_do_not_shut_others_out", idle_connections_do_not_shut_others_out),
];

fn check_names_file_line_and_field() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("wrong.toml");
    fs::write(&file, "[agent]\nlisen = \"127.0.0.1:1\"\n\n[history]\nretention = \"soon\"\n")?;
    let output = command().args(["check", "--config"]).arg(&file).output()?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    check(output.status.code() == Some(2), || format!("exit {:?}", output.status))?;
    let first = format!("{}:2: agent.lisen: unknown field `lisen`; did you mean `listen`?", file.display());
    let second = format!("{}:5: history.retention: ", file.display());
    check(errors.contains(&first) && errors.contains(&second), || errors.clone())?;
    fs::write(&file, "[agent]\ntick = \"5s\"\n")?;
    let output = command().args(["check", "--config"]).arg(&file).output()?;
    check(output.status.success(), || String::from_utf8_lossy(&output.stderr).into_owned())?;
    let absent = command().args(["agent", "--config", "/nowhere/plumbline.toml"]).output()?;
    check(absent.status.code() == Some(2), || format!("an absent file: {:?}", absent.status))
}

fn once_prints_json() -> Result<(), Failed> {
    let output = command().args(["agent", "--once", "--format", "json"]).output()?;
    check(output.status.success(), || String::from_utf8_lossy(&output.stderr).into_owned())?;
    let reading: Value = serde_json::from_slice(&output.stdout)?;
    check(reading["containers"].is_array() && reading["node"].is_string(), || reading.to_string())
}

fn sigterm_and_ctrl_c_end_with_0() -> Result<(), Failed> {
    for signal in ["TERM", "INT"] {
        let mut agent = Agent::with_defaults()?;
        let begun = Instant::now();
        agent.signal(signal)?;
        let status = agent.wait(Duration::from_secs(10))?;
        check(status.code() == Some(0), || format!("SIG{signal}: {status}; {}", agent.log()))?;
        check(begun.elapsed() < Duration::from_secs(6), || format!("took {:?}", begun.elapsed()))?;
    }
    Ok(())
}

fn sighup_swaps_whole_or_not_at_all() -> Result<(), Failed> {
    let agent = Agent::start(Options { config: "", ..Options::default() })?;
    let collectors = || -> Result<Vec<String>, Failed> {
        let health = agent.json("/healthz")?;
        Ok(health["collectors"].as_object().ok_or("no collectors")?.keys().cloned().collect())
    };
    check(collectors()?.contains(&"podman".to_owned()), || format!("{:?}", collectors()))?;

    fs::write(&agent.config, "[collect]\ndisabled = [\"podman\"]\n")?;
    agent.signal("HUP")?;
    eventually(Duration::from_secs(5), || {
        check(!collectors()?.contains(&"podman".to_owned()), || format!("not reloaded; {}", agent.log()))
    })?;

    fs::write(&agent.config, "[collect]\ndisabled = [\"docker\"]\n[agent]\nlisen = 1\n")?;
    agent.signal("HUP")?;
    eventually(Duration::from_secs(5), || {
        check(agent.log().contains(":4: agent.lisen"), || format!("the error is not told; {}", agent.log()))
    })?;
    check(collectors()?.contains(&"docker".to_owned()), || "half of an invalid config was taken".to_owned())?;

    // What no number holds is refused, and ends nothing.
    for hostile in [
        "[[model]]\nname = \"m\"\nwindow = \"2305843009213693952s\"\n",
        "[agent]\ntick = \"584554530872y\"\n",
        "[history]\nmax_bytes = \"16 EiB\"\n",
    ] {
        let (mut check_command, before) = (command(), agent.log().matches("not reloaded").count());
        fs::write(&agent.config, hostile)?;
        let checked = check_command.arg("check").arg("--config").arg(&agent.config).output()?;
        let said = String::from_utf8_lossy(&checked.stderr).into_owned() + &String::from_utf8_lossy(&checked.stdout);
        check(checked.status.code() == Some(2) && said.contains("at most") && !said.contains("panicked"), || said)?;
        agent.signal("HUP")?;
        eventually(Duration::from_secs(5), || {
            check(agent.log().matches("not reloaded").count() > before, || format!("not refused; {}", agent.log()))
        })?;
        check(agent.get("/healthz")?.0 == 200, || agent.log())?;
    }

    // The old generation's threads are gone, one is left for each collector: readings go on, once a tick and not twice.
    eventually(Duration::from_secs(5), || {
        let mut threads = agent.threads()?;
        threads.retain(|name| name.starts_with("collect-"));
        // The kernel keeps fifteen letters of a thread's name.
        let entries = COLLECTORS.iter().filter(|entry| entry.name != "podman");
        let mut expected: Vec<String> =
            entries.map(|entry| format!("collect-{}", entry.name).chars().take(15).collect()).collect();
        expected.sort();
        check(threads == expected, || format!("{threads:?}"))
    })?;
    let last_read = || -> Result<Instant, Failed> {
        let health = agent.json("/healthz")?;
        let staleness = health["collectors"]["cgroup"]["staleness"].as_f64().ok_or("never read")?;
        Instant::now().checked_sub(Duration::from_secs_f64(staleness)).ok_or_else(|| Failed::from("before the boot"))
    };
    let before = last_read()?;
    eventually(Duration::from_secs(10), || {
        check(last_read()? > before + Duration::from_millis(500), || "no reading since".to_owned())
    })
}

/// A socket that takes connections and never answers: the rest is read all the same, and the end comes in time.
fn a_silent_engine_holds_nothing_up() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("silent.sock");
    let _listener = UnixListener::bind(&socket)?;
    let config = format!(
        "[agent]\ngrace = \"2s\"\n[collect]\ndisabled = [\"podman\"]\n[collect.docker]\nsockets = [\"{}\"]\n",
        socket.display()
    );
    let mut agent = Agent::start(Options { config: &config, ..Options::default() })?;
    eventually(Duration::from_secs(5), || {
        let health = agent.json("/healthz")?;
        check(health["collectors"]["cgroup"]["up"] == true, || health.to_string())?;
        check(agent.get("/readyz")?.0 == 200, || "not ready".to_owned())
    })?;
    let begun = Instant::now();
    agent.signal("TERM")?;
    let status = agent.wait(Duration::from_secs(10))?;
    check(status.code() == Some(0), || format!("{status}; {}", agent.log()))?;
    check(begun.elapsed() < Duration::from_secs(4), || format!("took {:?} at a grace of 2 s", begun.elapsed()))
}

/// A receiver that has moved: following it would turn the request into an empty one and hand on the keys.
fn a_redirect_is_refused() -> Result<(), Failed> {
    let receiver = TcpListener::bind("127.0.0.1:0")?;
    let address = receiver.local_addr()?.to_string();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let location = address.clone();
    std::thread::spawn(move || {
        for stream in receiver.incoming().flatten() {
            let mut stream = stream;
            let mut head = [0_u8; 4];
            let followed = stream.read_exact(&mut head).is_ok() && &head == b"GET ";
            counter.fetch_add(usize::from(followed), Ordering::SeqCst);
            let _ = stream.read(&mut [0_u8; 8192]);
            let answer = format!(
                "HTTP/1.1 302 Found\r\nLocation: http://{location}/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    let env = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}")),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf".to_owned()),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none".to_owned()),
    ];
    let _container = Container::start("redirect", &[], &["sleep", "100"])?;
    let config = "[agent]\ntick = \"1s\"\ninner_tick = \"200ms\"\n[export.otlp]\ninterval = \"1s\"\n";
    let agent = Agent::start(Options { config, env, ..Options::default() })?;
    eventually(Duration::from_secs(10), || {
        let otlp = agent.json("/healthz")?["exporters"]["otlp"].clone();
        let refused = otlp["up"] == false && otlp["rejected"].as_u64() > Some(0) && otlp["sent"] == 0;
        check(refused && otlp["error"].to_string().contains("redirect"), || otlp.to_string())
    })?;
    check(asked.load(Ordering::SeqCst) == 0, || "the redirect was followed".to_owned())
}

fn a_taken_port_is_told() -> Result<(), Failed> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let folder = tempfile::tempdir()?;
    let output = command().args(["agent", "--listen", &address, "--data"]).arg(folder.path()).output()?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    check(output.status.code() == Some(1), || format!("{}", output.status))?;
    check(errors.contains(&address) && errors.contains("--listen"), || errors.clone())
}

/// How soon they come is measured by `benches/weight.sh`; here, that they come before a tick that is a minute away.
fn first_metrics_wait_for_no_tick() -> Result<(), Failed> {
    let minute = || jiff::Timestamp::now().as_second() / 60;
    loop {
        let begun = minute();
        let config = "[agent]\ntick = \"60s\"\ninner_tick = \"60s\"\n";
        let agent = Agent::start(Options { config, ..Options::default() })?;
        let text = eventually(Duration::from_secs(10), || {
            let (status, _) = agent.get("/readyz")?;
            check(status == 200, || format!("readyz: {status}"))?;
            Ok(agent.get("/metrics")?.1)
        })?;
        // Ticks come with the minute: where one came in between, nothing is shown yet.
        if minute() == begun {
            return check(text.contains("plumbline_collector_up{collector=\"cgroup\"} 1"), || text);
        }
    }
}

fn every_route_answers() -> Result<(), Failed> {
    let agent = Agent::with_defaults()?;
    for (path, part) in [
        ("/", "<title>plumbline"),
        ("/page.css", "body"),
        ("/page.js", "fetch"),
        ("/metrics", "# TYPE plumbline_collector_up gauge"),
        ("/healthz", "\"collectors\""),
        ("/api/v1/containers", "\"containers\""),
    ] {
        let (status, body) = agent.get(path)?;
        check(status == 200 && body.contains(part), || format!("{path}: {status}, {} bytes", body.len()))?;
    }
    let (status, body) = agent.get("/nothing")?;
    check(status == 404 && body.contains("/api/v1/containers"), || body)
}

/// Half a request each, as many as there are places and more: a probe of health gets in at once all the same.
fn half_open_requests_do_not_shut_health_out() -> Result<(), Failed> {
    let agent = Agent::with_defaults()?;
    let half = || -> std::io::Result<TcpStream> {
        let mut stream = TcpStream::connect(&agent.address)?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX-")?;
        Ok(stream)
    };
    let open: Vec<TcpStream> = (0..600).map(|_| half()).collect::<Result<_, _>>()?;
    for path in ["/healthz", "/readyz", "/metrics"] {
        let begun = Instant::now();
        let (status, _) = agent.get(path)?;
        // Without its own reserve this took 19 s.
        check(status == 200 && begun.elapsed() < Duration::from_secs(2), || {
            format!("{path}: {status}, {:?}", begun.elapsed())
        })?;
    }
    check(open.len() == 600, || "they were held open".to_owned())?;
    // They are ended soon, and what comes next finds an agent as before.
    std::thread::sleep(Duration::from_secs(6));
    let mut last = open.into_iter().next_back().ok_or("none")?;
    last.set_read_timeout(Some(Duration::from_secs(3)))?;
    let mut rest = Vec::new();
    check(last.read_to_end(&mut rest).is_ok(), || "a half-open request is still held".to_owned())?;
    check(agent.get("/healthz")?.0 == 200, || agent.log())
}

/// A web page in a browser on this machine, with a name of its own that points at loopback, or from another site.
fn a_foreign_page_is_refused() -> Result<(), Failed> {
    let agent = Agent::with_defaults()?;
    let send = |head: &str| -> Result<String, Failed> {
        let mut stream = TcpStream::connect(&agent.address)?;
        let body = r#"{"id":"1","a":1}"#;
        write!(
            stream,
            "POST /v1/models/m/samples HTTP/1.1\r\n{head}Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let own = agent.address.clone();
    let accepted = || check(send(&format!("Host: {own}\r\n"))?.contains(" 202 "), || agent.log());
    eventually(Duration::from_secs(5), accepted)?;
    for (head, status) in [
        ("Host: rebound.example.com:9477\r\n".to_owned(), " 421 "),
        ("Host: rebound.example.com\r\nOrigin: http://rebound.example.com\r\n".to_owned(), " 421 "),
        (format!("Host: {own}\r\nOrigin: https://evil.example.com\r\n"), " 403 "),
        (format!("Host: {own}\r\nOrigin: null\r\n"), " 403 "),
        (format!("Host: {own}\r\nOrigin: http://{own}\r\n"), " 202 "),
    ] {
        let answer = send(&head)?;
        check(answer.starts_with("HTTP/1.1") && answer[..20].contains(status), || format!("{head}: {answer}"))?;
    }
    Ok(())
}

/// A page open in many browsers must not shut Prometheus out for good: one address has 300 connections, all of them answered
/// and kept open, and the oldest gives way to the next.
fn idle_connections_do_not_shut_others_out() -> Result<(), Failed> {
    const OF_ONE_ADDRESS: usize = 300;
    let agent = Agent::with_defaults()?;
    let answered = || -> Result<TcpStream, Failed> {
        let mut stream = TcpStream::connect(&agent.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET /page.css HTTP/1.1\r\nHost: {}\r\n\r\n", agent.address)?;
        check(stream.read(&mut [0_u8; 64])? > 0, || "no answer".to_owned())?;
        Ok(stream)
    };
    let mut idle: Vec<TcpStream> = (0..OF_ONE_ADDRESS).map(|_| answered()).collect::<Result<_, _>>()?;
    let (status, _) = agent.get("/metrics")?;
    check(status == 200, || format!("{status}"))?;
    let is_open = |stream: &mut TcpStream| -> Result<bool, Failed> {
        stream.set_read_timeout(Some(Duration::from_millis(500)))?;
        // What is left of the answer is passed over.
        match std::io::copy(stream, &mut std::io::sink()) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(true),
            _ => Ok(false),
        }
    };
    check(!is_open(&mut idle[0])?, || "the oldest did not give way: the bound is not reached".to_owned())?;
    check(is_open(&mut idle[OF_ONE_ADDRESS - 1])?, || "the newest gave way".to_owned())
}
