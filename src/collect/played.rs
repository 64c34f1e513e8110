//! The demonstration's node, in place of every other collector. It is in no list: only the demonstration runs it.

use std::sync::Arc;

use super::{Collector, Context, Entry, Error};
use crate::clock::Clock;
use crate::demo::Readings;
use crate::health::Brings;
use crate::reading::{Depth, Report};

/// What the demonstration reads.
pub const ENTRY: Entry = Entry {
    name: "sample",
    without: "there is no sample data",
    brings: Brings::Containers,
    open: |_, Context { clock, .. }| Ok(Box::new(Played { clock: Arc::clone(clock), node: Readings::default() })),
};

struct Played {
    clock: Arc<dyn Clock>,
    node: Readings,
}

impl Collector for Played {
    fn found(&self) -> String {
        "a node that is played: sample data".to_owned()
    }

    fn read(&mut self, depth: Depth) -> Result<Report, Error> {
        Ok(self.node.read(self.clock.moment(), depth))
    }
}
