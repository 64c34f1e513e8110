//! Threads that watch folders, and what a crash left half taken: only the log knows whether the last part of a file was stored.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::Handle;

use crate::collect::{Stop, Waited};
use crate::health::{FolderState, Health};
use crate::identity::ModelKey;
use crate::ingest::Ingest;
use crate::ingest::events::Events;
use crate::ingest::folders::{self, Folder, Setting, Spec, Status};
use crate::model::border::PART;
use crate::store::log;

/// Where journals lie, below the data folder.
const JOURNALS: &str = "models/folders";

/// The parts of files that the log has, with their models, where a crash left any file half taken. To be asked before the log is read by
/// anybody else, who may make Parquet of it.
pub fn stored(data: &Path, folders: &[Spec]) -> BTreeSet<(String, ModelKey)> {
    let journals = data.join(JOURNALS);
    let mut found = BTreeSet::new();
    if !folders.iter().any(|folder| folders::is_unsettled(&journals, &folder.path)) {
        return found;
    }
    for segment in log::segments(&data.join("models/log")).unwrap_or_default() {
        // What cannot be read is told of by whoever reads the log for its rows.
        let _ = log::read(&segment.path, |entry| {
            if let Some(mark) = entry.record.schema().metadata().get(PART) {
                found.insert((mark.clone(), entry.model));
            }
        });
    }
    found
}

/// Watches the folders, a thread each: a network volume that hangs holds up itself alone.
///
/// # Errors
/// There is no thread to be had.
pub fn watch(
    ingest: &Ingest,
    events: &Arc<Events>,
    data: &Path,
    stored: BTreeSet<(String, ModelKey)>,
    health: &Arc<Health>,
    stop: &Stop,
) -> std::io::Result<Vec<JoinHandle<()>>> {
    let stored = Arc::new(stored);
    let start = |spec: &Spec| {
        let (stop, runtime, sink, health) =
            (stop.clone(), Handle::current(), Arc::clone(&ingest.sink), Arc::clone(health));
        let setting = Setting {
            ingest: ingest.clone(),
            events: Arc::clone(events),
            journals: data.join(JOURNALS),
            stored: Arc::clone(&stored),
            wait: Box::new(move |pause| stop.wait(pause, u64::MAX) == Waited::Stopped),
            kept: Box::new(move || runtime.block_on(sink.kept())),
            tell: Box::new(move |status| {
                health.update(|state| state.folders.insert(status.path.clone(), shown(status)));
            }),
        };
        let folder = Folder::new(spec.clone(), setting);
        std::thread::Builder::new().name("folder".to_owned()).spawn(move || folder.run())
    };
    ingest.config.folder.iter().map(start).collect()
}

fn shown(status: &Status) -> FolderState {
    FolderState {
        up: status.up,
        taken: status.taken,
        repeated: status.repeated,
        bad: status.bad,
        rows: status.rows,
        rejected: status.rejected,
        waiting: status.waiting,
        passed_over: status.passed_over,
        current: status.current.clone(),
        waits: status.waits.clone(),
        error: status.error.clone(),
        last_rejection: status.last_rejection.clone(),
    }
}
