//! The command line: parses it, loads the config, runs what was asked.

mod completions;
mod drift;
mod given;
mod look;
mod man;
mod profile;
mod progress;
mod replay;
mod report;
mod review;
mod times;
mod tokens;
mod top;

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::agent::{self, Setting};
use crate::clock::SystemClock;
use crate::config::{self, Config, Env};
use crate::signal::container::id;
use crate::signal::gpu;
use crate::snapshot::Snapshot;
use crate::telemetry;
use crate::terminal::Look;
use crate::terminal::table::{Cell, Column, Table};
use crate::terminal::text::{plain, wrapped};
use crate::terminal::tone::Tone;
use crate::units::{bytes, cores};

/// Is each model still right, is each container the right size, and what does it cost: drift and performance of models, use of
/// containers and GPUs, recommendations and alerts, as metrics, a page, a history and reports.
#[derive(Debug, Parser)]
#[command(name = "plumbline", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

impl Cli {
    /// Whether it reads the columns of data files, one after another, and is done.
    #[must_use]
    pub fn is_comparison(&self) -> bool {
        matches!(self.command, Command::Drift(_) | Command::Review(_) | Command::Replay(_) | Command::Profile { .. })
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch this node: read its containers, keep their history, serve a page and metrics, send them on.
    #[command(after_help = AGENT_EXAMPLES)]
    Agent(AgentArguments),
    /// Watch a running agent in the terminal: workloads, GPUs, models and alerts, as they are now.
    #[command(after_help = top::EXAMPLES)]
    Top(top::Arguments),
    /// Compare two data files: which columns have drifted, by how much, and by which test.
    #[command(after_help = drift::EXAMPLES)]
    Drift(Box<drift::Arguments>),
    /// A reference in a few kilobytes, without its rows: make one, or show it.
    #[command(after_help = profile::EXAMPLES)]
    Profile {
        /// What to do.
        #[command(subcommand)]
        command: profile::Command,
    },
    /// Review one model: performance with intervals, what moved, and the verdict, in one document.
    #[command(after_help = review::EXAMPLES)]
    Review(Box<review::Arguments>),
    /// Take a model's stored samples in again: every window as the agent found it, or as it would with other settings.
    #[command(after_help = replay::EXAMPLES)]
    Replay(replay::Arguments),
    /// Review capacity from an agent's data folder: what is over- or under-provisioned, in money, with patches.
    #[command(after_help = report::EXAMPLES)]
    Report(report::Arguments),
    /// Make tokens that nobody can guess, as the file that --tokens names or as a Kubernetes Secret.
    #[command(after_help = tokens::EXAMPLES)]
    Tokens(tokens::Arguments),
    /// Check a configuration file: every error with its line, its field and the nearest valid name.
    #[command(after_help = CHECK_EXAMPLES)]
    Check {
        /// The file to check.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Print a script for a shell, which then completes commands and options.
    #[command(after_help = completions::EXAMPLES)]
    Completions(completions::Arguments),
    /// Print the manual page.
    #[command(after_help = man::EXAMPLES)]
    Man(man::Arguments),
}

/// The history a verdict on sizes takes in the demonstration.
const DEMO_HISTORY: Duration = Duration::from_secs(120);

const AGENT_EXAMPLES: &str = "\
Examples:
  plumbline agent                                 page at http://127.0.0.1:9477/
  plumbline agent --demo                          sample data: two real models on a played node, 14 days of history
  plumbline agent --demo=models                   the two models, beside this host's own containers
  plumbline agent --once                          one full reading as a table
  plumbline agent --once --format json            the same for programs
  plumbline agent --config plumbline.toml --listen 0.0.0.0:9477 --tokens tokens.toml
  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 plumbline agent

Signals: SIGINT and SIGTERM drain and exit 0; SIGHUP reads the configuration file anew.
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.";

const CHECK_EXAMPLES: &str = "\
Example:
  plumbline check --config plumbline.toml

Exit codes: 0 valid, 2 invalid.";

/// What the demonstration shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Demo {
    /// The models on a node that is played, GPUs and their history included.
    Node,
    /// The models alone, beside what runs here: a simulated month in half a minute.
    Models,
}

#[derive(Debug, clap::Args)]
struct AgentArguments {
    /// Configuration file (TOML); without one the defaults apply.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to serve the page, the API and /metrics [default: 127.0.0.1:9477].
    #[arg(long, value_name = "ADDR", value_parser = config::parse_address)]
    listen: Option<SocketAddr>,
    /// File of tokens: nobody is let in without one. Asked for where others can reach the address; `plumbline tokens` makes one.
    #[arg(long, value_name = "FILE")]
    tokens: Option<PathBuf>,
    /// Let in everybody who can reach the address, without a token.
    #[arg(long, conflicts_with = "tokens")]
    insecure: bool,
    /// Folder for the history and for models' samples [default: /var/lib/plumbline for root, else ~/.local/state/plumbline].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Show sample data: two real models, one of which drifts, on a played node with fourteen days behind it. Without --data nothing
    /// is kept.
    #[arg(long, value_name = "WHAT", conflicts_with = "once", num_args = 0..=1, default_missing_value = "node", require_equals = true)]
    demo: Option<Demo>,
    /// Print one full reading and exit.
    #[arg(long)]
    once: bool,
    /// How the reading (with --once), the start-up summary and the log are written.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// A failure that is the user's to mend: exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum Usage {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// Who may reach the agent is not settled, or the file of tokens is wrong.
    #[error("{0}")]
    Access(String),
    /// A data file, or what is asked of it, is wrong.
    #[error(transparent)]
    Drift(#[from] drift::Error),
    /// What a profile is to be made of, or is read from, is wrong.
    #[error(transparent)]
    Profile(#[from] profile::Error),
    /// A model's description, or a file that it is held to, is wrong.
    #[error(transparent)]
    Review(#[from] review::Error),
    /// What is asked of a replay is wrong.
    #[error(transparent)]
    Replay(#[from] replay::Error),
    /// What is asked of a report is wrong.
    #[error(transparent)]
    Report(#[from] report::Error),
    /// Whom to watch, or how, is wrong.
    #[error(transparent)]
    Top(#[from] top::Error),
}

/// Does what the command line asks; returns the exit code of what went well.
///
/// # Errors
/// What the user is to be told; a [`Usage`] among its causes means that the configuration is wrong.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Agent(arguments) => watch_node(&arguments)?,
        Command::Check { config } => check(&config)?,
        Command::Tokens(arguments) => tokens::run(&arguments)?,
        Command::Top(arguments) => top::run(&arguments)?,
        Command::Completions(arguments) => printed(&arguments.script())?,
        Command::Man(arguments) => match &arguments.output {
            Some(folder) => man::pages(folder)?,
            None => printed(&man::page()?)?,
        },
        Command::Profile { command } => profile::run(&command).map_err(Usage::from)?,
        Command::Replay(arguments) => replay::run(&arguments)?,
        Command::Report(arguments) => report::run(&arguments)?,
        Command::Review(arguments) => {
            if review::run(&arguments).map_err(Usage::from)? {
                return Ok(ExitCode::from(DRIFT));
            }
        }
        Command::Drift(arguments) => {
            if drift::run(&arguments).map_err(Usage::from)? {
                return Ok(ExitCode::from(DRIFT));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// To standard output. A reader that has seen enough (`| head`) is no failure.
fn printed(bytes: &[u8]) -> std::io::Result<()> {
    match std::io::stdout().lock().write_all(bytes) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// There is drift, and the user asked to fail for it.
const DRIFT: u8 = 1;

#[expect(clippy::disallowed_methods, reason = "the environment enters here and is handed on as an argument")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

const ENV: Env<'static> = &environment;

#[expect(clippy::print_stdout, reason = "what the command is for")]
fn check(path: &Path) -> anyhow::Result<()> {
    let (config, warnings) = Config::load(Some(path), ENV).map_err(Usage::from)?;
    config.access.read().map_err(Usage::Access)?;
    for warning in warnings {
        println!("environment: {warning}");
    }
    println!("{}: valid", path.display());
    Ok(())
}

/// What the file and the environment say, and the command line above both.
fn load(arguments: &AgentArguments) -> Result<(Config, Vec<String>), Usage> {
    let (mut config, warnings) = Config::load(arguments.config.as_deref(), ENV)?;
    if let Some(listen) = arguments.listen {
        config.agent.listen = listen;
    }
    if let Some(tokens) = &arguments.tokens {
        (config.access.tokens, config.access.insecure) = (Some(tokens.clone()), false);
    }
    if arguments.insecure {
        (config.access.tokens, config.access.insecure) = (None, true);
    }
    config.access.read().map_err(Usage::Access)?;
    config.access.files().and_then(|files| files.map(|files| files.server()).transpose()).map_err(Usage::Access)?;
    if arguments.demo.is_some() && (config.access.tokens.is_some() || config.access.certificate.is_some()) {
        let message = "the demonstration sends to itself, without a token and without TLS; leave access.tokens and access.certificate out";
        return Err(Usage::Access(message.to_owned()));
    }
    let open = config.listens().find_map(|(_, address)| config.access.open_to_others(address));
    if let Some(why) = open.filter(|_| !arguments.once) {
        return Err(Usage::Access(why));
    }
    if let Some(data) = &arguments.data {
        config.agent.data = Some(data.clone());
    }
    if let Some(demo) = arguments.demo {
        for spec in agent::demo::specs() {
            config.model.retain(|described| described.name != spec.name);
            config.model.push(spec);
        }
        // Nobody watches a demonstration for an hour: it judges sizes early, and says on how little.
        config.rightsizing.min_history = config.rightsizing.min_history.min(DEMO_HISTORY);
        config.collect.played = demo == Demo::Node;
    }
    Ok((config, warnings))
}

fn watch_node(arguments: &AgentArguments) -> anyhow::Result<()> {
    let (config, warnings) = load(arguments)?;
    let logging = telemetry::start_logging(&config.log, arguments.format == Format::Json);
    warn_all(&warnings);
    let mut setting = setting(&config);
    // The demonstration's samples are not the user's: they go where they leave nothing behind.
    let aside = (arguments.demo.is_some() && arguments.data.is_none()).then(DemoFolder::new).transpose()?;
    if let Some(folder) = &aside {
        setting.data.clone_from(&folder.0);
    }
    setting.demo = arguments.demo.is_some();
    if config.collect.played {
        crate::demo::NODE.clone_into(&mut setting.node);
    }
    if arguments.once {
        let (snapshot, health) = agent::once(&config, &setting)?;
        for (name, collector) in health.collectors.iter().filter(|(_, collector)| !collector.up) {
            tracing::info!(collector = name, "not read: {}", collector.message);
        }
        anyhow::ensure!(health.collectors.values().any(|collector| collector.up), "nothing could be read");
        return print_reading(&snapshot, arguments.format);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("tokio")
        .enable_all()
        .build()
        .map_err(|error| anyhow::anyhow!("cannot start the runtime: {error}"))?;
    let ended = runtime.block_on(async {
        let ending = ended(signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let (reloads, reload) = mpsc::channel(1);
        let reloading = reload_on_hangup(signal(SignalKind::hangup())?, arguments, &reloads);
        let reloaded = |config: &Config| logging.configure(&config.log);
        let announce = |summary: &agent::Summary| announce(summary, arguments.format);
        let agent = agent::run(config, setting, reload, announce, reloaded, ending);
        tokio::select! {
            ended = agent => ended.map_err(anyhow::Error::from),
            () = reloading => unreachable_end(),
        }
    });
    // What has not ended within the grace period is not waited for any longer.
    runtime.shutdown_background();
    ended
}

/// A folder that goes with this process, as far as it can.
struct DemoFolder(PathBuf);

impl DemoFolder {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("plumbline-demo-{}", std::process::id()));
        // A folder somebody else made beforehand is not ours to fill.
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| anyhow::anyhow!("{}: {error}; give a folder with --data", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for DemoFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Reloading goes on for as long as the agent does.
fn unreachable_end() -> anyhow::Result<()> {
    anyhow::bail!("the signals ended before the agent; this is a bug in plumbline")
}

fn warn_all(warnings: &[String]) {
    for warning in warnings {
        tracing::warn!("environment: {warning}");
    }
}

async fn ended(mut interrupt: Signal, mut terminate: Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Validates the file anew on every SIGHUP, and hands it on whole or keeps the old.
async fn reload_on_hangup(mut hangup: Signal, arguments: &AgentArguments, reloads: &mpsc::Sender<Config>) {
    loop {
        if hangup.recv().await.is_none() {
            return std::future::pending().await;
        }
        // Reading a file must never end what runs, not even by a bug of ours.
        let loaded = std::panic::catch_unwind(|| load(arguments));
        match loaded {
            Err(_) => tracing::error!(
                "configuration not reloaded, the old one stays: a panic while it was read; this is a bug in plumbline"
            ),
            Ok(Ok((config, warnings))) => {
                warn_all(&warnings);
                let _ = reloads.send(config).await;
            }
            Ok(Err(error)) => tracing::error!("configuration not reloaded, the old one stays:\n{error}"),
        }
    }
}

fn setting(config: &Config) -> Setting {
    let system = rustix::system::uname();
    let of_pod = config::node_of_pod(ENV);
    let node = config.agent.node.clone().or_else(|| of_pod.clone());
    let node = node.unwrap_or_else(|| system.nodename().to_string_lossy().into_owned());
    let mut attributes = vec![
        ("host.name".to_owned(), node.clone()),
        ("host.arch".to_owned(), architecture(&system.machine().to_string_lossy()).to_owned()),
        ("os.type".to_owned(), "linux".to_owned()),
    ];
    attributes.extend(of_pod.map(|name| (config::NODE_ATTRIBUTE.to_owned(), name)));
    for (key, value) in config::resource_attributes(ENV) {
        attributes.retain(|(known, _)| *known != key);
        attributes.push((key, value));
    }
    let is_root = rustix::process::geteuid().is_root();
    Setting {
        data: config.agent.data.clone().unwrap_or_else(|| config::default_data_folder(ENV, is_root)),
        node,
        attributes,
        clock: Arc::new(SystemClock::new()),
        demo: false,
    }
}

/// The machine's architecture in OpenTelemetry's spelling.
fn architecture(machine: &str) -> &str {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[expect(clippy::print_stderr, reason = "the summary is for people; the log beside it has its own format")]
fn announce(summary: &agent::Summary, format: Format) {
    match format {
        Format::Table => eprintln!("{summary}"),
        Format::Json => {
            eprintln!("{}", serde_json::json!({ "level": "INFO", "message": "started", "summary": summary }));
        }
    }
}

#[expect(clippy::print_stdout, reason = "what --once is for")]
fn print_reading(snapshot: &Snapshot, format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json => println!("{}", serde_json::to_string_pretty(snapshot)?),
        Format::Table => println!("{}", table(snapshot, look::look(None))),
    }
    Ok(())
}

/// The reading for people.
fn table(snapshot: &Snapshot, look: Look) -> String {
    let unknown = || "-".to_owned();
    let mut table = Table::new(vec![
        Column::name("CONTAINER"),
        Column::text("IMAGE", 12).rank(4),
        Column::figure("CPU"),
        Column::figure("LIMIT").rank(2),
        Column::figure("MEMORY"),
        Column::figure("LIMIT").rank(2),
        Column::figure("OOM").rank(1),
        Column::figure("PIDS").rank(3),
    ]);
    for c in &snapshot.containers {
        let kills = c.signals.get(const { id("memory.oom_kills") }).map_or_else(unknown, |v| v.to_string());
        let killed = if matches!(kills.as_str(), "-" | "0") { Tone::Plain } else { Tone::Bad };
        table.push(vec![
            c.name.as_str().into(),
            c.image.clone().unwrap_or_else(unknown).into(),
            c.signals.value(const { id("cpu.usage") }).map_or_else(unknown, cores).into(),
            c.signals.value(const { id("cpu.limit") }).map_or_else(unknown, cores).into(),
            c.signals.value(const { id("memory.working_set") }).map_or_else(unknown, bytes).into(),
            c.signals.value(const { id("memory.limit") }).map_or_else(unknown, bytes).into(),
            Cell::new(&kills, killed),
            c.signals.get(const { id("pids.current") }).map_or_else(unknown, |v| v.to_string()).into(),
        ]);
    }
    let mut text =
        format!("node {} as of {}\n", plain(&snapshot.node), snapshot.as_of.strftime("%Y-%m-%d %H:%M:%S UTC"));
    text.push_str(table.text(look, "--format json").trim_end());
    if snapshot.containers.is_empty() {
        text.push_str("\nno container runs on this node");
    }
    for gpu in &snapshot.gpus {
        let model = gpu.model.as_deref().unwrap_or("of unknown model");
        let state = gpu.state.map_or("state unknown", |state| state.name());
        let value = |id| gpu.signals.value(id);
        let used = value(const { gpu::id("utilization") });
        let used = used.map_or_else(unknown, |share| format!("{:.0} %", share * 100.0));
        let memory = value(const { gpu::id("memory_used") }).zip(value(const { gpu::id("memory_total") }));
        let memory = memory.map_or_else(unknown, |(used, total)| format!("{} of {}", bytes(used), bytes(total)));
        let line = plain(&format!("GPU {} {model}: {state}, {used} used, memory {memory}", gpu.index));
        let _ = write!(text, "\n{}", wrapped(&line, look.width).join("\n"));
    }
    text
}

/// Every command that can be given, by its full name, and the long options that it has.
#[cfg(test)]
fn definitions(top: &clap::Command) -> Vec<(String, Vec<String>)> {
    fn walk(name: &str, command: &clap::Command, all: &mut Vec<(String, Vec<String>)>) {
        for inner in command.get_subcommands() {
            let name = format!("{name} {}", inner.get_name());
            let options = inner.get_arguments().filter_map(clap::Arg::get_long).map(str::to_owned).collect();
            all.push((name.clone(), options));
            walk(&name, inner, all);
        }
    }
    let mut all = Vec::new();
    walk("plumbline", top, &mut all);
    assert!(all.len() > 10, "{all:?}");
    all
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    use clap::CommandFactory;

    use super::*;
    use crate::units::hostile;

    /// Two small files to compare, and a place for what is written.
    fn files(folder: &Path) -> [String; 3] {
        let path = |name: &str| folder.join(name).display().to_string();
        let rows = |from: u32| (0..40).map(|i| format!("{},{}", from + i, i % 3)).collect::<Vec<_>>().join("\n");
        std::fs::write(path("a.csv"), format!("x,c\n{}\n", rows(0))).expect("written");
        std::fs::write(path("b.csv"), format!("x,c\n{}\n", rows(20))).expect("written");
        [path("a.csv"), path("b.csv"), path("out")]
    }

    /// What the command does with its values before it reads or serves anything but these files.
    fn considered(cli: Cli) -> anyhow::Result<()> {
        match cli.command {
            Command::Agent(arguments) => {
                let (config, _) = load(&arguments)?;
                assert!(!setting(&config).data.as_os_str().is_empty() || arguments.data.is_some());
            }
            Command::Check { config } => check(&config)?,
            Command::Tokens(arguments) => tokens::run(&arguments)?,
            Command::Top(arguments) => drop(arguments.client().map_err(Usage::from)?),
            Command::Completions(arguments) => assert!(!arguments.script().is_empty()),
            Command::Man(arguments) => match &arguments.output {
                Some(folder) => man::pages(folder)?,
                None => assert!(!man::page()?.is_empty()),
            },
            Command::Profile { command } => profile::run(&command).map_err(Usage::from)?,
            Command::Replay(arguments) => replay::run(&arguments)?,
            Command::Report(arguments) => report::run(&arguments)?,
            Command::Review(arguments) => {
                review::run(&arguments).map_err(Usage::from)?;
            }
            Command::Drift(arguments) => {
                drift::run(&arguments).map_err(Usage::from)?;
            }
        }
        Ok(())
    }

    /// Whatever stands for the value of an option: it is refused in words, or does no harm.
    #[test]
    fn no_value_of_any_option_is_too_much() {
        let folder = tempfile::tempdir().expect("a folder");
        let [reference, current, output] = files(folder.path());
        let data = folder.path().display().to_string();
        let spec = folder.path().join("m.toml").display().to_string();
        std::fs::write(&spec, "[[model]]\nname = \"m\"\nprediction = \"c\"\nlabel = \"c\"\n").expect("written");
        let usual: &[(&str, &[(&str, &str)])] = &[
            ("agent", &[]),
            ("check", &[("config", "/nowhere.toml")]),
            ("tokens", &[]),
            ("top", &[]),
            ("completions", &[("", "bash")]),
            ("man", &[]),
            ("report", &[("data", &data), ("output", &output)]),
            ("replay", &[("data", &data), ("model", "m"), ("output", &output)]),
            ("drift", &[("reference", &reference), ("current", &current), ("output", &output)]),
            ("review", &[("model", &spec), ("reference", &reference), ("samples", &current), ("output", &output)]),
            ("build", &[("", &reference), ("output", &output)]),
            ("merge", &[("", &reference), ("output", &output)]),
            ("show", &[("", &reference)]),
            ("merge", &[("", &reference), ("output", &output)]),
        ];
        let (mut taken, mut refused) = (0, 0);
        let top = Cli::command();
        let nested = top.get_subcommands().flat_map(|command| {
            let inner = command.get_subcommands().map(|inner| (Some(command.get_name()), inner)).collect::<Vec<_>>();
            if inner.is_empty() { vec![(None, command)] } else { inner }
        });
        for (above, command) in nested {
            let (_, usual) =
                usual.iter().find(|(name, _)| *name == command.get_name()).expect("every command is tried");
            let options = command.get_arguments().filter(|option| option.get_action().takes_values());
            for option in options.filter_map(clap::Arg::get_long) {
                let beside = usual.iter().filter(|(name, _)| *name != option);
                let word = |(name, value): &(&str, &str)| match *name {
                    "" => (*value).to_owned(),
                    name => format!("--{name}={value}"),
                };
                let beside: Vec<String> = beside.map(word).collect();
                let mut values: Vec<OsString> = hostile::values().into_iter().map(OsString::from).collect();
                values.push(OsString::from_vec(vec![0xff, 0xfe]));
                for mut value in values {
                    if option == "output" {
                        // What is written stays in the folder.
                        value = [folder.path().as_os_str(), "/".as_ref(), &value].into_iter().collect();
                    }
                    let own = [OsString::from(format!("--{option}=")), value].into_iter().collect();
                    let words = ["plumbline"].into_iter().chain(above).chain([command.get_name()]).map(OsString::from);
                    let words: Vec<OsString> = words.chain(beside.iter().map(OsString::from)).chain([own]).collect();
                    let tried = std::panic::catch_unwind(|| {
                        Cli::try_parse_from(&words).map_err(anyhow::Error::from).and_then(considered)
                    });
                    assert!(tried.is_ok(), "a panic: {words:?}");
                    match tried {
                        Ok(Err(error)) => {
                            assert!(!error.to_string().trim().is_empty(), "refused without a word: {words:?}");
                            refused += 1;
                        }
                        _ => taken += 1,
                    }
                }
            }
        }
        assert!(taken > 50 && refused > 500, "{taken} taken, {refused} refused");
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
