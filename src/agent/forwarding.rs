//! Labels that clients sent to this agent go on to every other: the samples that they are for may be there.
//!
//! What is sent is read from what is stored anyway, by a cursor for each agent, so an outage or a `kill -9` loses none that is still
//! stored, and an agent that is new has all that is still waited for. What other agents sent here goes no further (`store::outgoing`).
//! A label may come twice, which makes no difference: of labels of an id the latest counts.

mod cursors;
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;

use super::models::Models;
use crate::clock::Clock;
use crate::config::Config;
use crate::forward::{self, Address, addresses, peer::Peer, system};
use crate::health::Health;
use crate::identity::ModelKey;
use crate::ingest::Sink as _;
use crate::store::outgoing::{Labels, Outgoing, Position};
use cursors::Cursors;
use target::Target;

/// How long new labels wait to be looked at.
const TICK: Duration = Duration::from_millis(500);
/// Addresses of a service are looked up so often; sooner where that failed.
const LOOK_UP_EVERY: Duration = Duration::from_secs(15);
const LOOK_UP_AGAIN: Duration = Duration::from_secs(3);
/// A service that nobody knows for so long is a fault.
const FAULT: Duration = Duration::from_secs(60);
/// Rows read at once, about so many. They are in memory once, however many agents they go to.
const ROWS: u64 = 50_000;
/// Agents called at the same time.
const AT_ONCE: usize = 8;
/// Cursors are written so often; what went out since comes twice after a crash.
const KEEP_EVERY: Duration = Duration::from_secs(2);

/// Who sends labels on.
pub struct Forwarding {
    models: Arc<Models>,
    outgoing: Arc<Mutex<Outgoing>>,
    clock: Arc<dyn Clock>,
    health: Arc<Health>,
    config: forward::Config,
    /// Who this agent is; what is below is its.
    own: Option<String>,
    cursors: Cursors,
    /// Cursors have changed since they were written, and when that was.
    changed: bool,
    kept: Duration,
    targets: BTreeMap<Address, Target>,
    /// When the service is looked up next, and since when that has failed.
    look_up: Duration,
    failing: Option<Duration>,
}

impl Forwarding {
    pub fn new(models: Arc<Models>, (data, node): (&Path, &str), clock: Arc<dyn Clock>, health: Arc<Health>) -> Self {
        Self {
            models,
            outgoing: Arc::new(Mutex::new(Outgoing::new(data, node))),
            clock,
            health,
            config: forward::Config::default(),
            own: None,
            cursors: Cursors::default(),
            changed: false,
            kept: Duration::ZERO,
            targets: BTreeMap::new(),
            look_up: Duration::ZERO,
            failing: None,
        }
    }

    /// Sends labels on until it is dropped.
    pub async fn run(mut self, mut configured: watch::Receiver<Config>) {
        loop {
            let config = configured.borrow_and_update().forward.clone();
            self.configure(config);
            if !self.config.is_on() {
                if configured.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let more = self.round().await;
            if !more {
                tokio::time::sleep(TICK).await;
            }
        }
    }

    fn configure(&mut self, config: forward::Config) {
        if self.config == config {
            return;
        }
        self.config = config;
        self.targets.clear();
        (self.look_up, self.failing) = (Duration::ZERO, None);
        if !self.config.is_on() {
            // Whoever was owed something is no more.
            (self.own, self.cursors) = (None, Cursors::default());
            self.models.owe_from(None);
        }
        let enabled = self.config.is_on();
        self.health.update(|state| {
            (state.forwarding.enabled, state.forwarding.fault, state.forwarding.error) = (enabled, false, None);
            state.forwarding.agents.clear();
        });
    }

    /// One look at who is there and what is new. True where there is more to be sent at once.
    async fn round(&mut self) -> bool {
        let Some(own) = self.models.agent() else { return false };
        if self.own.as_ref() != Some(&own) {
            self.begin(&own).await;
        }
        self.find().await;
        let clock = Arc::clone(&self.clock);
        let asks: Vec<_> = self.targets.values_mut().map(|target| target.ask(clock.as_ref())).collect();
        let () = stream::iter(asks).buffer_unordered(AT_ONCE).collect().await;
        let (now, wall) = (self.clock.monotonic(), self.clock.now());
        let mut served = BTreeSet::from([own.clone()]);
        let mut groups: BTreeMap<Position, Vec<&mut Target>> = BTreeMap::new();
        for target in self.targets.values_mut() {
            if let Some(agent) = target.agent().filter(|_| target.state.up == Some(true)) {
                self.cursors.saw(agent, wall);
            }
            // One agent may be reached by several addresses, and this one by some.
            let Some(agent) = target.ready(now).filter(|agent| served.insert((*agent).to_owned())) else { continue };
            if let Some(position) = self.cursors.position(agent, wall) {
                groups.entry(position).or_default().push(target);
            }
        }
        let mut more = false;
        let (mut sent, mut refused, mut lost) = (0, 0, 0);
        for (position, group) in groups {
            let labels = match read(&self.outgoing, &self.models, position, wall).await {
                Ok(labels) => labels,
                Err(error) => {
                    tracing::error!(error, "labels cannot be read to be sent on; they are tried again");
                    break;
                }
            };
            let (labels, own, clock) = (&labels, own.as_str(), clock.as_ref());
            let deliveries: Vec<_> = group.into_iter().map(|target| target.deliver(labels, own, clock)).collect();
            let done: Vec<_> = stream::iter(deliveries).buffer_unordered(AT_ONCE).collect().await;
            for (agent, taken) in done.into_iter().flatten() {
                (sent, refused) = (sent + taken.accepted, refused + taken.refused);
                lost += if self.cursors.was_owed(&agent) { labels.old } else { 0 };
                self.changed |= self.cursors.took(&agent, labels.to, labels.is_end);
                more |= !labels.is_end;
            }
        }
        self.models.owe_from(self.cursors.owed_from());
        self.keep().await;
        self.tell(&own, (sent, refused, lost));
        more
    }

    /// Takes up what this agent's store knows of the others.
    async fn begin(&mut self, own: &str) {
        let outgoing = Arc::clone(&self.outgoing);
        let read = tokio::task::spawn_blocking(move || locked(&outgoing).cursors::<Cursors>()).await;
        self.cursors = match read {
            Ok(Ok(cursors)) => cursors.unwrap_or_default(),
            Ok(Err(error)) => {
                tracing::warn!(%error, "every agent is sent all labels again");
                Cursors::default()
            }
            Err(_) => Cursors::default(),
        };
        self.own = Some(own.to_owned());
    }

    /// Looks up who there is, from time to time.
    async fn find(&mut self) {
        let now = self.clock.monotonic();
        if now < self.look_up {
            return;
        }
        let found = addresses(&self.config, system).await;
        self.look_up = now + if found.is_whole { LOOK_UP_EVERY } else { LOOK_UP_AGAIN };
        let mut error = found.error;
        if found.is_whole {
            self.targets.retain(|address, _| found.addresses.contains(address));
        }
        for address in found.addresses {
            if self.targets.contains_key(&address) {
                continue;
            }
            match Peer::new(&self.config, address.clone()) {
                Ok(peer) => drop(self.targets.insert(address, Target::new(peer))),
                Err(why) => error = Some(format!("{}: {why}", address.shown())),
            }
        }
        // A name may take its time to be known, at the start.
        let failing = error.is_some().then(|| *self.failing.get_or_insert(now));
        self.failing = failing;
        let fault = failing.is_some_and(|since| now.saturating_sub(since) >= FAULT);
        self.health.update(|state| (state.forwarding.error, state.forwarding.fault) = (error, fault));
        self.cursors.forget(self.clock.now());
    }

    async fn keep(&mut self) {
        let now = self.clock.monotonic();
        if !self.changed || now.saturating_sub(self.kept) < KEEP_EVERY {
            return;
        }
        (self.changed, self.kept) = (false, now);
        let (outgoing, cursors) = (Arc::clone(&self.outgoing), self.cursors.clone());
        let keep = move || {
            let outgoing = locked(&outgoing);
            if outgoing.is_there() { outgoing.keep_cursors(&cursors) } else { Ok(()) }
        };
        if let Ok(Err(error)) = tokio::task::spawn_blocking(keep).await {
            tracing::warn!(%error, "what other agents have had cannot be kept: after a restart they have it again");
        }
    }

    /// Tells how the others are doing; this agent is not among them.
    fn tell(&self, own: &str, (sent, refused, lost): (u64, u64, u64)) {
        let others = self.targets.values().filter(|target| target.agent() != Some(own));
        let agents = others.map(|target| (target.address().shown(), target.state.clone())).collect();
        self.health.update(|state| {
            let forwarding = &mut state.forwarding;
            forwarding.agents = agents;
            forwarding.sent = forwarding.sent.saturating_add(sent);
            forwarding.refused = forwarding.refused.saturating_add(refused);
            forwarding.lost = forwarding.lost.saturating_add(lost);
        });
    }
}

fn locked(outgoing: &Mutex<Outgoing>) -> std::sync::MutexGuard<'_, Outgoing> {
    outgoing.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is behind a position and still waited for.
async fn read(
    outgoing: &Arc<Mutex<Outgoing>>,
    models: &Arc<Models>,
    from: Position,
    now: jiff::Timestamp,
) -> Result<Labels, String> {
    let (outgoing, models) = (Arc::clone(outgoing), Arc::clone(models));
    let work = move || {
        let since = |model: &ModelKey| {
            let horizon = models.spec(model).label_horizon.as_millis();
            now.as_millisecond().saturating_sub(i64::try_from(horizon).unwrap_or(i64::MAX))
        };
        locked(&outgoing).read(from, ROWS, since).map_err(|error| error.to_string())
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?
}

#[cfg(test)]
mod tests;
