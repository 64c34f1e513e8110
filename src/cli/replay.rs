//! `plumbline replay`: what an agent's stored samples of a model say, window by window.

use std::path::PathBuf;

use clap::ValueEnum;

use super::drift::write;
use super::look::look;
use super::progress::Progress;
use super::{ENV, Usage};
use crate::agent::replay::{self, replay};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config};
use crate::identity::ModelKey;
use crate::model::Spec;
use crate::report::windows as render;

pub const EXAMPLES: &str = "\
Examples:
  plumbline replay --model churn                                       every window of what is stored
  plumbline replay --model churn --config stricter.toml                as it would be with other settings
  plumbline replay --model churn --namespace shop --format json        for programs, each window in full
  plumbline replay --data /mnt/agent --node gpu-7 --model churn --max-rows 5000000

The agent may run meanwhile: its files are read, never touched. With its own configuration the windows are those that the agent found, held
against the reference that is stored now.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which model.
    #[arg(long, value_name = "NAME")]
    model: String,
    /// In which namespace, where it is in one.
    #[arg(long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// The agent's data folder [default: the one that `plumbline agent` would use].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Whose samples, where several nodes have some there.
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Configuration file that describes the model; without one the defaults apply.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Rows held at once: labels that come for older ones are not seen [default: the model's max_rows].
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    max_rows: Option<u64>,
    /// How it is written.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each window.
    Table,
    /// For programs: the model as the API has it, and each window in full.
    Json,
}

/// What is wrong with what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such folder.
    #[error("{}: there is no such folder; --data names the agent's data folder", .0.display())]
    Folder(PathBuf),
    /// Nothing can be replayed.
    #[error(transparent)]
    Replay(#[from] replay::Error),
}

#[expect(clippy::print_stderr, reason = "warnings are for people")]
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (config, _) = Config::load(arguments.config.as_deref(), ENV).map_err(Usage::from)?;
    let is_root = rustix::process::geteuid().is_root();
    let data = arguments.data.clone().or_else(|| config.agent.data.clone());
    let data = data.unwrap_or_else(|| config::default_data_folder(ENV, is_root));
    if !data.is_dir() {
        return Err(Usage::from(Error::Folder(data)).into());
    }
    let key = ModelKey { namespace: arguments.namespace.clone(), name: arguments.model.clone() };
    let described = config.model.iter().find(|spec| spec.key() == key);
    let mut spec = described.cloned().unwrap_or_else(|| Spec::of(&key));
    if described.is_none() {
        let file =
            arguments.config.as_ref().map_or_else(|| "no --config".to_owned(), |file| file.display().to_string());
        eprintln!("warning: {file}: no [[model]] describes {key}; the defaults apply, such as windows of an hour");
    }
    spec.max_rows = arguments.max_rows.unwrap_or(spec.max_rows);
    let progress = Progress::of("taking in what is stored");
    let mut told = |done: usize, all: usize| progress.at(done, all);
    let place = (data.as_path(), arguments.node.as_deref());
    let replayed = replay(place, (&spec, config.models.metric_bins), SystemClock::new().now(), &mut told);
    let replayed = replayed.map_err(|error| Usage::from(Error::from(error)))?;
    drop(progress);
    for warning in &replayed.warnings {
        eprintln!("warning: {warning}");
    }
    if replayed.unmatched > 0 {
        eprintln!(
            "warning: {} labels are of rows that were not held any longer, or never came; --max-rows holds more",
            replayed.unmatched
        );
    }
    let text = match arguments.format {
        Format::Table => render::table(&replayed.view, &replayed.windows, look(arguments.output.as_ref())),
        Format::Json => render::json(&replayed.view, &replayed.windows),
    };
    write(arguments.output.as_ref(), &text).map_err(Usage::from)?;
    Ok(())
}
