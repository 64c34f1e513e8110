//! In a real terminal: `top` of a running agent, tables of 80 columns, a shell that completes, a manual page that is read.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use libtest_mimic::Failed;

use crate::Test;
use crate::agent::{Agent, BINARY, command};
use crate::parts::{Part, check, eventually, free_port};

pub const TESTS: &[Test] = &[
    (&[Part::Script], "terminal::top_shows_an_agent_and_leaves_no_trace", top_shows_an_agent_and_leaves_no_trace),
    (&[Part::Script], "terminal::top_waits_for_an_agent_that_is_away", top_waits_for_an_agent_that_is_away),
    (&[Part::Script], "terminal::tables_fit_80_columns", tables_fit_80_columns),
    (&[], "terminal::a_shell_completes", a_shell_completes),
    (&[Part::Groff], "terminal::the_manual_is_read_without_a_complaint", the_manual_is_read_without_a_complaint),
];

/// Other screen, no cursor; and back.
const ENTERED: &str = "\u{1b}[?1049h\u{1b}[?25l";
const LEFT: &str = "\u{1b}[?25h\u{1b}[?1049l";

/// A shell in a terminal of its own.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// What `commands` show in a terminal of 80 columns and 24 lines.
    fn start(commands: &str) -> Result<Self, Failed> {
        let mut child = Command::new("script")
            .args(["-qec", &format!("stty cols 80 rows 24; {commands}"), "/dev/null"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm-256color")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let keys = child.stdin.take().ok_or("no stdin")?;
        let mut output = child.stdout.take().ok_or("no stdout")?;
        let shown = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read) = output.read(&mut buffer) {
                if read == 0 {
                    return;
                }
                all.lock().expect("the output").extend_from_slice(&buffer[..read]);
            }
        });
        Ok(Self { child, keys, shown })
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().expect("the output")).into_owned()
    }

    fn press(&mut self, keys: &str) -> Result<(), Failed> {
        self.keys.write_all(keys.as_bytes())?;
        Ok(self.keys.flush()?)
    }

    /// The lines of the last whole frame, without colours.
    fn frame(&self) -> Result<Vec<String>, Failed> {
        let shown = self.shown();
        let whole = shown.rfind("\u{1b}[?2026l").map(|end| &shown[..end]).ok_or("no frame yet")?;
        let (_, frame) = whole.rsplit_once("\u{1b}[?2026h\u{1b}[H").ok_or("no frame yet")?;
        Ok(frame.split("\r\n").map(bare).collect())
    }

    /// Waits until a frame has these words.
    fn frame_with(&self, words: &[&str]) -> Result<Vec<String>, Failed> {
        eventually(Duration::from_secs(60), || {
            let frame = self.frame()?;
            let text = frame.join("\n");
            check(words.iter().all(|word| text.contains(word)), || format!("{words:?} in:\n{text}"))?;
            check(frame.len() <= 24, || format!("{} lines:\n{text}", frame.len()))?;
            check(frame.iter().all(|line| line.chars().count() <= 80), || format!("too long:\n{text}"))?;
            Ok(frame)
        })
    }

    /// Waits for its end; everything that it showed.
    fn ended(mut self) -> Result<String, Failed> {
        eventually(Duration::from_secs(30), || {
            self.child.try_wait()?.map(drop).ok_or_else(|| format!("it goes on: {}", self.shown()).into())
        })?;
        std::thread::sleep(Duration::from_millis(200));
        Ok(self.shown())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Without colours and what clears a line.
fn bare(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let end = part.find(|c: char| c.is_ascii_alphabetic()).map_or(part.len(), |at| at + 1);
        text + &part[end..]
    })
}

/// The terminal is as it was: the cursor, the screen, the keys that are echoed.
fn is_restored(shown: &str) -> Result<(), Failed> {
    let (_, after) = shown.rsplit_once(ENTERED).ok_or("it never took the screen")?;
    check(after.matches(LEFT).count() == 1, || format!("it did not give the screen back: {after:?}"))?;
    let (_, told) = after.rsplit_once(LEFT).ok_or("not left")?;
    check(told.contains("code 0"), || format!("how it ended: {told}"))?;
    let words: Vec<&str> = told.split([' ', '\r', '\n', ';']).collect();
    for word in ["icanon", "echo", "isig", "opost"] {
        check(words.contains(&word), || format!("{word} is off: {told}"))?;
    }
    Ok(())
}

fn top_shows_an_agent_and_leaves_no_trace() -> Result<(), Failed> {
    let agent = Agent::sample_node()?;
    let address = format!("http://{}", agent.address);
    let live = format!("{BINARY} top --agent {address} --interval 500ms");
    let mut terminal = Terminal::start(&format!("{live}; echo code $?; stty -a"))?;
    let frame = terminal.frame_with(&["sample-node", "[1 workloads ", "shop/checkout/api", "q leave", " cores"])?;
    check(frame.len() == 24, || format!("{frame:?}"))?;
    terminal.frame_with(&["VERDICT", "A MONTH"])?;
    terminal.press("2")?;
    terminal.frame_with(&["[2 GPUs 4]", "0 NVIDIA L40S", "active", "%"])?;
    terminal.press("\t")?;
    terminal.frame_with(&["[3 models "])?;
    terminal.press("1/jupy\r")?;
    eventually(Duration::from_secs(60), || {
        let text = terminal.frame()?.join("\n");
        let kept = text.contains("[1 workloads") && text.contains("jupyter") && !text.contains("shop/checkout");
        check(kept, || format!("the filter:\n{text}"))
    })?;
    terminal.press("\u{1b}")?;
    terminal.frame_with(&["shop/checkout"])?;
    terminal.press("?")?;
    terminal.frame_with(&["q, Ctrl-C      leave"])?;
    terminal.press("q")?;
    is_restored(&terminal.ended()?)?;

    // By Ctrl-C, and by SIGTERM.
    let mut terminal = Terminal::start(&format!("{live}; echo code $?; stty -a"))?;
    terminal.frame_with(&["sample-node"])?;
    terminal.press("\u{3}")?;
    is_restored(&terminal.ended()?)?;
    let terminal = Terminal::start(&format!("(sh -c 'echo pid $$; exec {live}'); echo code $?; stty -a"))?;
    terminal.frame_with(&["sample-node"])?;
    let shown = terminal.shown();
    let pid = shown.split("pid ").nth(1).and_then(|rest| rest.split_ascii_whitespace().next()).ok_or("no pid")?;
    check(Command::new("kill").arg(pid).status()?.success(), || format!("kill {pid}"))?;
    is_restored(&terminal.ended()?)?;

    // In a pipe: everything, once.
    let output = command().args(["top", "--agent", &address, "--interval", "500ms"]).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for word in ["Workloads (", "GPUs (4)", "Models (", "Alerts (", "shop/checkout/api", "registry"] {
        check(text.contains(word) != (word == "registry"), || format!("{word}: {text}"))?;
    }
    check(output.status.success() && !text.contains('\u{1b}'), || format!("{output:?}"))
}

fn top_waits_for_an_agent_that_is_away() -> Result<(), Failed> {
    let address = format!("http://127.0.0.1:{}", free_port());
    let mut terminal =
        Terminal::start(&format!("{BINARY} top --agent {address} --interval 500ms; echo code $?; stty -a"))?;
    terminal.frame_with(&["no answer from", "plumbline agent"])?;
    terminal.press("q")?;
    is_restored(&terminal.ended()?)?;
    let output = command().args(["top", "--once", "--agent", &address]).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    check(output.status.code() == Some(1) && said.contains("no answer from"), || format!("{output:?}"))
}

/// What a command shows in a terminal of 80 columns, once it is over: its lines, without colours.
fn shown_by(arguments: &str) -> Result<Vec<String>, Failed> {
    let shown = Terminal::start(&format!("{BINARY} {arguments}"))?.ended()?;
    check(shown.contains("\u{1b}["), || format!("no colours: {shown}"))?;
    // What was told of the progress is gone from the line that it stood in.
    let last = |line: &str| line.trim_end_matches('\r').rsplit('\r').next().map(bare).unwrap_or_default();
    let lines: Vec<String> = shown.lines().map(last).collect();
    check(lines.len() > 5, || format!("{arguments}: {shown}"))?;
    check(lines.iter().all(|line| line.chars().count() <= 80), || format!("{arguments}: too long: {shown}"))?;
    Ok(lines)
}

fn rows(path: &Path, by: u32) -> Result<String, Failed> {
    let row =
        |i: u32| format!("{},{},{}\n", i * 7919 % 1000 + by, i % 5, ["red", "green"][usize::from(i.is_multiple_of(3))]);
    let head = "a_column_of_numbers_with_a_long_name_1,a_column_of_numbers_with_a_long_name_2,colour\n";
    std::fs::write(path, head.to_owned() + &(0..4000).map(row).collect::<String>())?;
    Ok(path.display().to_string())
}

fn tables_fit_80_columns() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let (reference, current) = (rows(&folder.path().join("a.csv"), 0)?, rows(&folder.path().join("b.csv"), 300)?);
    let lines = shown_by(&format!("drift --reference {reference} --current {current}"))?;
    let text = lines.join("\n");
    check(text.contains("DRIFT") && text.contains("columns left out ("), || text.clone())?;
    let names: Vec<&str> =
        lines.iter().filter(|line| line.starts_with("a_col")).filter_map(|line| line.split("  ").next()).collect();
    check(names.len() == 2 && names[0] != names[1], || format!("{names:?}: {text}"))?;
    // A pipe has no width, and no colours.
    let piped = command().args(["drift", "--reference", &reference, "--current", &current]).output()?;
    let piped = String::from_utf8_lossy(&piped.stdout).into_owned();
    check(piped.contains("WASSERSTEIN") && !piped.contains('\u{1b}'), || piped.clone())?;

    let agent = Agent::sample_node()?;
    let data = agent.config.with_file_name("data").display().to_string();
    let lines = eventually(Duration::from_secs(120), || {
        let lines = shown_by(&format!("report --since 1d --data {data}"))?;
        check(lines.iter().any(|line| line.starts_with("Under-provisioned (")), || lines.join("\n"))?;
        Ok(lines)
    })?;
    let text = lines.join("\n");
    for word in ["WORKLOAD", "a month", "kubectl -n ", "GPU 0 NVIDIA L40S", "housing"] {
        check(text.contains(word), || format!("{word}: {text}"))?;
    }
    let piped = command().args(["report", "--since", "1d", "--data", &data]).output()?;
    let piped = String::from_utf8_lossy(&piped.stdout).into_owned();
    check(piped.starts_with("# Capacity review"), || piped.clone())
}

fn a_shell_completes() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("plumbline.bash").display().to_string();
    let script = command().args(["completions", "bash"]).output()?;
    std::fs::write(&path, &script.stdout)?;
    check(Command::new("bash").args(["-n", &path]).status()?.success(), || "bash -n".to_owned())?;
    let offered = |words: &[&str]| -> Result<String, Failed> {
        let (last, before) = (words[words.len() - 1], words[words.len() - 2]);
        let ask = format!(
            "source {path}; COMP_WORDS=({}); COMP_CWORD={}; _plumbline plumbline '{last}' '{before}'; echo \"${{COMPREPLY[*]}}\"",
            words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
            words.len() - 1,
        );
        let output = Command::new("bash").args(["--norc", "-c", &ask]).output()?;
        check(output.status.success(), || format!("{output:?}"))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let found = offered(&["plumbline", "dr"])?;
    check(found == "drift", || found.clone())?;
    let found = offered(&["plumbline", "top", "--int"])?;
    check(found == "--interval", || found.clone())?;
    let found = offered(&["plumbline", "profile", "b"])?;
    check(found == "build", || found.clone())?;
    let found = offered(&["plumbline", "report", "--format", ""])?;
    check(found.contains("table") && found.contains("csv"), || found.clone())
}

fn the_manual_is_read_without_a_complaint() -> Result<(), Failed> {
    let page = command().arg("man").output()?.stdout;
    let mut groff = Command::new("groff")
        .args(["-man", "-Tutf8", "-ww", "-P-c", "-P-b", "-P-u"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut input = groff.stdin.take().ok_or("no stdin")?;
    let writer = std::thread::spawn(move || input.write_all(&page));
    let output = groff.wait_with_output()?;
    writer.join().expect("written")?;
    let (read, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    check(output.status.success() && said.is_empty(), || said.clone().into_owned())?;
    // Examples stand as they are.
    for word in ["PLUMBLINE DRIFT", "PLUMBLINE PROFILE BUILD", "--interval", "  plumbline top --once  "] {
        check(read.contains(word), || format!("{word}: {read}"))?;
    }
    Ok(())
}
