//! One full reading, for `--once`: the collectors and the analysis alone, nothing kept, nothing served.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use super::{Error, REPORTS, Setting};
use crate::analysis::State;
use crate::collect::{Driver, Schedule, Stop};
use crate::config::Config;
use crate::health::{self, Brings, CollectorState, Health};
use crate::snapshot::Snapshot;

/// Usage needs two readings this far apart.
const APART: Duration = Duration::from_millis(1900);
const TICK: Duration = Duration::from_secs(1);
/// A machine on which nothing can be read answers too.
const LONGEST: Duration = Duration::from_secs(5);

/// Reads everything until usage is known over two seconds, and gives what is known then, and how the collectors fared. Blocks.
///
/// # Errors
/// The system refuses a thread.
pub fn once(config: &Config, setting: &Setting) -> Result<(Snapshot, health::State), Error> {
    let (health, stop) = (Arc::new(Health::default()), Stop::default());
    let (reports, incoming) = sync_channel(REPORTS);
    for entry in config.collect.enabled() {
        health.expect(entry.name, entry.brings);
        let driver = Driver {
            entry,
            config: config.collect.clone(),
            schedule: Schedule { inner: TICK, full: TICK },
            clock: Arc::clone(&setting.clock),
            health: Arc::clone(&health),
            node: setting.node.clone(),
            out: reports.clone(),
            stop: stop.clone(),
        };
        driver.spawn()?;
    }
    drop(reports);
    let clock = &setting.clock;
    let begun = clock.monotonic();
    let mut state = State::new(setting.node.clone(), config.agent.tick, config.collect.max_containers);
    let mut first = None;
    while clock.monotonic().saturating_sub(begun) < LONGEST {
        let Ok(message) = incoming.recv_timeout(LONGEST) else { break };
        let Some(report) = message.report else {
            // Without the tree there is no second reading to wait for; names come in the first moments.
            if health.state().collectors.values().all(CollectorState::is_down) {
                break;
            }
            continue;
        };
        let now = clock.moment();
        let is_tree = report.containers.is_some();
        state.absorb(message.collector, report, now);
        let tree_is_down = health.state().bringing(Brings::Containers).all(|(_, collector)| collector.is_down());
        if is_tree || tree_is_down {
            let first = *first.get_or_insert(now.monotonic);
            if now.monotonic.saturating_sub(first) >= APART {
                break;
            }
        }
    }
    stop.stop();
    let snapshot = state.snapshot(clock.moment(), false);
    let health = health.state();
    // The collectors' threads end by themselves, or with the process: one may wait for an engine that does not answer.
    Ok((snapshot, health))
}
