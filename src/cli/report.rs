//! `plumbline report`: the capacity review of a data folder.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp};

use super::look::look;
use super::progress::Progress;
use super::{ENV, Usage};
use crate::agent::recommender::review;
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config};
use crate::report::review::{self as render, Earlier};

pub const EXAMPLES: &str = "\
Examples:
  plumbline report --since 7d                                    tables on a terminal, Markdown in a pipe
  plumbline report --since 7d --format markdown --output review.md
  plumbline report --since 30d --format html --output review.html
  plumbline report --data /var/lib/plumbline --format csv > review.csv
  plumbline report --since 2026-11-01 --until 2026-11-08 --config plumbline.toml --format json > november-1.json
  plumbline report --since 2026-11-08 --previous november-1.json --format html --output review.html   # and what changed since
  plumbline report --schema > review.schema.json                 what the JSON holds, as a JSON Schema

The agent may run meanwhile: its files are read, never touched. Prices and rules are those of the configuration file
([cost], [rightsizing]), or the defaults.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The agent's data folder [default: the one that `plumbline agent` would use].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// From when on: a time back from now (7d, 12h), a date or a time (2026-11-01, 2026-11-01T08:00:00Z).
    #[arg(long, value_name = "WHEN", default_value = "7d")]
    since: String,
    /// Until when, likewise [default: now].
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// How it is written [default: table where standard output is a terminal, markdown in a pipe or with --output].
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Write to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// An earlier review, as --format json wrote it: what changed since is told. Without it that is the time before, as long as the one
    /// that is asked for, where there is history of it.
    #[arg(long, value_name = "FILE")]
    previous: Option<PathBuf>,
    /// Configuration file with prices and rules.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print what the JSON holds, as a JSON Schema, and nothing else.
    #[arg(long)]
    schema: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a terminal, as wide as it is.
    Table,
    /// A page that stands alone.
    Html,
    /// For a ticket or a pull request.
    Markdown,
    /// For programs: everything.
    Json,
    /// For a spreadsheet: a line for each workload.
    Csv,
}

/// What is wrong with what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A time that is none.
    #[error("--{option}: `{text}` is not a time; write it as 7d, 12h, 2026-11-01 or 2026-11-01T08:00:00Z")]
    Time {
        /// The option.
        option: &'static str,
        /// What it says.
        text: String,
    },
    /// The time ends before it begins.
    #[error("--since ({since}) must be before --until ({until})")]
    Order {
        /// Its beginning.
        since: Timestamp,
        /// Its end.
        until: Timestamp,
    },
    /// The earlier review is none.
    #[error("--previous {path}: {message}")]
    Previous {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// Nothing to report of.
    #[error("{path}: {what}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

impl Arguments {
    /// What time is asked about.
    fn range(&self, now: Timestamp) -> Result<(Timestamp, Timestamp), Error> {
        let since = time("since", &self.since, now)?;
        let until = self.until.as_deref().map_or(Ok(now), |until| time("until", until, now))?;
        if since < until { Ok((since, until)) } else { Err(Error::Order { since, until }) }
    }
}

/// An earlier review, from the JSON of one.
fn earlier(path: &Path) -> Result<Earlier, Error> {
    let failed = |message: String| Error::Previous { path: path.to_owned(), message };
    let text = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    serde_json::from_slice(&text)
        .map_err(|error| failed(format!("is no review as `plumbline report --format json` writes one: {error}")))
}

/// The review of the time before, as long, where anything is known of it.
fn before(data: &Path, config: &Config, since: Timestamp, until: Timestamp) -> anyhow::Result<Option<Earlier>> {
    let Ok(start) = since.checked_sub(until.duration_since(since)) else { return Ok(None) };
    let reading = Progress::of("reading the time before, to compare");
    let (review, past) = review(data, config, start, since, None)?;
    drop(reading);
    warn(&past.left_out);
    Ok((!review.workloads.is_empty() || !review.gpus.is_empty()).then(|| Earlier::from(&review)))
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.schema {
        return print(render::SCHEMA);
    }
    let (config, _) = Config::load(arguments.config.as_deref(), ENV).map_err(Usage::from)?;
    let is_root = rustix::process::geteuid().is_root();
    let data = arguments
        .data
        .clone()
        .or_else(|| config.agent.data.clone())
        .unwrap_or_else(|| config::default_data_folder(ENV, is_root));
    let (since, until) = arguments.range(SystemClock::new().now()).map_err(Usage::from)?;
    if !data.is_dir() {
        let what = "there is no such folder; --data names the agent's data folder".to_owned();
        return Err(Usage::from(Error::Folder { path: data, what }).into());
    }
    let named = arguments.previous.as_deref().map(earlier).transpose().map_err(Usage::from)?;
    let reading = Progress::of(&format!("reading the history in {}", data.display()));
    let (review, past) = review(&data, &config, since, until, None)?;
    drop(reading);
    warn(&past.left_out);
    if past.files == 0 {
        let unread = past.left_out.len();
        if unread > 0 {
            let what = format!("none of its {unread} files can be read; see the warnings above");
            return Err(Error::Folder { path: data, what }.into());
        }
        let what = format!("holds no history between {since} and {until}; the first minute is written once it is over");
        return Err(Error::Folder { path: data, what }.into());
    }
    let earlier = match named {
        Some(named) => Some(named),
        None => before(&data, &config, since, until)?,
    };
    let changed = earlier.map(|earlier| earlier.changed(&review));
    let changed = changed.as_ref();
    let look = look(arguments.output.as_ref());
    // A pipe has no width: whoever reads it gets what a ticket takes.
    let usual = if look.width.is_some() { Format::Table } else { Format::Markdown };
    let text = match arguments.format.unwrap_or(usual) {
        Format::Table => render::table(&review, changed, look),
        Format::Html => render::html(&review, changed),
        Format::Markdown => render::markdown(&review, changed),
        Format::Json => render::json(&review, changed),
        Format::Csv => render::csv(&review)?,
    };
    match &arguments.output {
        Some(path) => {
            std::fs::write(path, text).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
        }
        None => print(&text)?,
    }
    Ok(())
}

fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        // A reader that has seen enough (`| head`) is no failure.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

#[expect(clippy::print_stderr, reason = "what could not be read is told beside the report")]
fn warn(left_out: &[String]) {
    for file in left_out {
        eprintln!("warning: left out: {file}");
    }
}

fn time(option: &'static str, text: &str, now: Timestamp) -> Result<Timestamp, Error> {
    let back = humantime::parse_duration(text).ok().and_then(|back| SignedDuration::try_from(back).ok());
    let midnight = || format!("{text}T00:00:00Z").parse().ok();
    back.and_then(|back| now.checked_sub(back).ok())
        .or_else(|| text.parse().ok())
        .or_else(midnight)
        .ok_or_else(|| Error::Time { option, text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().expect("a time");
        let of = |text: &str| time("since", text, now).map(|at| at.to_string()).map_err(|e| e.to_string());
        assert_eq!(of("7d"), Ok("2026-11-16T12:00:00Z".to_owned()));
        assert_eq!(of("2026-11-01"), Ok("2026-11-01T00:00:00Z".to_owned()));
        assert_eq!(of("2026-11-01T08:00:00+01:00"), Ok("2026-11-01T07:00:00Z".to_owned()));
        assert!(of("yesterday").is_err_and(|error| error.contains("--since: `yesterday` is not a time")));
    }
}
