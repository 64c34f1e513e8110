//! Group commit: senders that wait for the disk share its writes. Whoever comes while one is under way shares the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Notify, watch};

use crate::ingest::{Kept, Refused};

/// Entries of a log: which are written, and which are on the disk.
#[derive(Debug)]
pub struct Commits {
    written: AtomicU64,
    wanted: Arc<Notify>,
    synced: watch::Sender<Synced>,
}

/// How far the disk has it.
#[derive(Debug, Clone, Default)]
struct Synced {
    /// Up to this entry.
    through: u64,
    /// How often it failed; up to which entry last, and why.
    failures: u64,
    failed: Option<(u64, String)>,
}

impl Default for Commits {
    fn default() -> Self {
        Self { written: AtomicU64::new(0), wanted: Arc::default(), synced: watch::channel(Synced::default()).0 }
    }
}

impl Commits {
    /// The entry is written, and not yet on the disk.
    pub fn written(&self, entry: u64) {
        self.written.fetch_max(entry, Ordering::Release);
    }

    /// Ends once all that is written by now is on the disk.
    pub fn kept(&self) -> Kept {
        let (entry, mut synced) = (self.written.load(Ordering::Acquire), self.synced.subscribe());
        if synced.borrow_and_update().through >= entry {
            return Box::pin(std::future::ready(Ok(())));
        }
        // Failures of before are others'.
        let before = synced.borrow().failures;
        let wanted = Arc::clone(&self.wanted);
        Box::pin(async move {
            wanted.notify_one();
            let failed = |synced: &Synced| {
                let failed =
                    synced.failed.as_ref().filter(|(through, _)| *through >= entry && synced.failures > before);
                failed.map(|(_, why)| why.clone())
            };
            let settled = synced.wait_for(|synced| synced.through >= entry || failed(synced).is_some()).await;
            let why = match settled {
                Ok(synced) if synced.through >= entry => return Ok(()),
                Ok(synced) => failed(&synced).unwrap_or_default(),
                Err(_) => "the agent is stopping".to_owned(),
            };
            Err(Refused::NotStored(format!("the rows could not be written to the disk: {why}; send them again")))
        })
    }

    /// Ends once somebody waits.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Notes that the disk has all up to this entry, or why not.
    pub fn settle(&self, (through, came): (u64, Result<(), String>)) {
        self.synced.send_modify(|synced| match came {
            Ok(()) => synced.through = synced.through.max(through),
            Err(why) => {
                tracing::error!(why, "accepted rows could not be written to the disk");
                synced.failures = synced.failures.saturating_add(1);
                synced.failed = Some((through, why));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn who_waits_is_told_once_the_disk_has_it() {
        let commits = Commits::default();
        assert_eq!(commits.kept().await, Ok(()), "nothing is written");
        commits.written(3);
        let mut third = commits.kept();
        assert!(third.as_mut().now_or_never().is_none(), "it is not on the disk");
        commits.wanted().await;
        commits.written(5);
        let mut fifth = commits.kept();
        commits.settle((3, Ok(())));
        assert_eq!(third.await, Ok(()));
        assert!(fifth.as_mut().now_or_never().is_none(), "it came later");
        commits.settle((5, Err("the disk is gone".to_owned())));
        assert!(matches!(fifth.await, Err(Refused::NotStored(why)) if why.contains("the disk is gone")));
        // What failed is written with the next.
        commits.written(6);
        let sixth = commits.kept();
        commits.settle((6, Ok(())));
        assert_eq!((sixth.await, commits.kept().await), (Ok(()), Ok(())));
        drop(commits);
    }

    #[tokio::test]
    async fn nobody_waits_for_an_agent_that_ends() {
        let commits = Commits::default();
        commits.written(1);
        let waits = commits.kept();
        drop(commits);
        assert!(matches!(waits.await, Err(Refused::NotStored(why)) if why.contains("stopping")));
    }
}
