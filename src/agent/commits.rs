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
    /// Behind the first entry and up to the second it failed last, and why.
    failed: Option<(u64, u64, String)>,
}

impl Synced {
    /// It failed for this entry.
    fn why_not(&self, entry: u64) -> Option<&str> {
        let (from, to, why) = self.failed.as_ref()?;
        (*from < entry && entry <= *to).then_some(why.as_str())
    }

    /// Nothing is known of this entry yet.
    fn is_open(&self, entry: u64) -> bool {
        self.through < entry && self.why_not(entry).is_none()
    }
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

    /// The last entry that is written.
    pub fn last(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Ends once all that is written by now is on the disk, or it is known that it is not.
    pub fn kept(&self) -> Kept {
        let (entry, mut synced) = (self.last(), self.synced.subscribe());
        let wanted = Arc::clone(&self.wanted);
        Box::pin(async move {
            if synced.borrow_and_update().is_open(entry) {
                wanted.notify_one();
            }
            let settled = synced.wait_for(|synced| !synced.is_open(entry)).await;
            let why = match settled {
                Ok(synced) => match synced.why_not(entry) {
                    Some(why) => why.to_owned(),
                    None => return Ok(()),
                },
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
                let written = self.last();
                // What failed is not made good by what comes after it.
                let from = match &synced.failed {
                    Some((from, to, _)) if *to == synced.through => *from,
                    _ => synced.through,
                };
                synced.failed = Some((from, through.min(written), why));
                synced.through = synced.through.max(through.min(written));
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
        // What comes later is another matter, and makes nothing good.
        commits.written(6);
        let sixth = commits.kept();
        commits.settle((6, Ok(())));
        assert_eq!((sixth.await, commits.kept().await), (Ok(()), Ok(())));
        assert_eq!(commits.synced.borrow().why_not(5), Some("the disk is gone"));
        // A log that was closed fails for what was written, and for nothing that comes.
        commits.written(7);
        let seventh = commits.kept();
        commits.settle((u64::MAX, Err("the log was closed".to_owned())));
        assert!(seventh.await.is_err());
        commits.written(8);
        let eighth = commits.kept();
        commits.settle((8, Ok(())));
        assert_eq!(eighth.await, Ok(()));
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
