//! Copies of accepted bodies, from the ingest to the mirror.

use std::sync::Arc;

use crate::config::Config;
use crate::health::Health;
use crate::ingest::copies::{Copied, Copies};
use crate::mirror::{self, Copy, Mirror, Queue};

/// The mirror as the ingest knows it.
struct Copying(Mirror);

impl Copies for Copying {
    fn offer(&self, Copied { target, headers, body }: Copied) {
        self.0.offer(Copy { target, headers, body });
    }

    fn withhold(&self) {
        self.0.drop_one("private");
    }
}

/// Who takes copies, and what is to be run for it; nobody where no mirror is named.
pub fn begin(config: &Config, health: &Arc<Health>) -> (Option<Arc<dyn Copies>>, Option<Queue>) {
    let begun = mirror::new(&config.mirror, health);
    let (mirror, queue) = begun.unzip();
    (mirror.map(|mirror| Arc::new(Copying(mirror)) as _), queue)
}
