//! Stored files go to an object store as well, where one is named: each once it is Parquet, oldest first, tried again with growing pauses
//! for as long as the store is away. Meanwhile they stay (`store::samples`), and nobody who sends rows waits.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::config::Config;
use crate::fetch::place::Place;
use crate::health::{ArchiveState, Health};
use crate::store::archive::{Waiting, mark, waiting};

/// How often it is looked for files that are new.
const TICK: Duration = Duration::from_secs(5);
/// After a failure, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));
/// A file may take so long.
const LIMIT: Duration = Duration::from_secs(600);

/// Sends files until it is dropped.
pub async fn run(data: PathBuf, mut config: watch::Receiver<Config>, health: Arc<Health>) {
    let mut pause = PAUSES.0;
    loop {
        let named = config.borrow_and_update().samples.archive.clone();
        let place = named.as_deref().and_then(|text| Place::parse(text).ok());
        let wait = match &place {
            None => {
                health.update(|state| state.archive = ArchiveState::default());
                Duration::MAX
            }
            Some(place) => match send_all(place, &data, &config, &health).await {
                Ok(()) => {
                    pause = PAUSES.0;
                    health.update(|state| {
                        if state.archive.error.take().is_some() {
                            tracing::info!(place = place.shown(), "the archive takes files again");
                        }
                    });
                    TICK
                }
                Err(error) => {
                    health.update(|state| {
                        if state.archive.error.is_none() {
                            tracing::warn!(place = place.shown(), error, "the archive does not take files: they wait");
                        }
                        state.archive.failures += 1;
                        state.archive.error = Some(error);
                    });
                    let next = (pause * 2).min(PAUSES.1);
                    std::mem::replace(&mut pause, next)
                }
            },
        };
        tokio::select! {
            changed = config.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Sends all that waits, or as far as it goes.
async fn send_all(place: &Place, data: &Path, config: &watch::Receiver<Config>, health: &Health) -> Result<(), String> {
    let counted = config.borrow().of_counts_alone();
    let data = data.to_owned();
    let listing = move || waiting(&data, |model| !counted.contains(model)).map_err(|error| error.to_string());
    let files = tokio::task::spawn_blocking(listing);
    let files = files.await.map_err(|error| error.to_string())??;
    let mut left = (files.len() as u64, files.iter().map(|file| file.bytes).sum::<u64>());
    let note = |(waiting, waiting_bytes): (u64, u64), sent: Option<u64>| {
        health.update(|state| {
            let archive = &mut state.archive;
            if archive.place.as_deref() != Some(place.shown()) {
                *archive = ArchiveState { place: Some(place.shown().to_owned()), ..ArchiveState::default() };
            }
            (archive.waiting, archive.waiting_bytes) = (waiting, waiting_bytes);
            if let Some(bytes) = sent {
                archive.sent += 1;
                archive.sent_bytes += bytes;
            }
        });
    };
    note(left, None);
    let mut unreadable = None;
    for file in files {
        let bytes = match tokio::fs::read(&file.path).await {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            // The others go all the same.
            Err(error) => {
                unreadable.get_or_insert(format!("{}: {error}", file.path.display()));
                continue;
            }
        };
        let sent = match bytes {
            Some(bytes) => Some(send(place, &file, bytes).await?),
            None => None,
        };
        left = (left.0.saturating_sub(1), left.1.saturating_sub(file.bytes));
        note(left, sent);
    }
    unreadable.map_or(Ok(()), Err)
}

/// Sends a file, and marks it. Returns its bytes.
async fn send(place: &Place, file: &Waiting, bytes: Vec<u8>) -> Result<u64, String> {
    let size = bytes.len() as u64;
    let put = tokio::time::timeout(LIMIT, place.put(&file.name, bytes.into())).await;
    put.map_err(|_| format!("it took longer than {} s", LIMIT.as_secs()))??;
    let marked = file.clone();
    let marking = tokio::task::spawn_blocking(move || mark(&marked).map_err(|error| error.to_string()));
    marking.await.map_err(|error| error.to_string())??;
    Ok(size)
}
